"""Which config describes the network in a published checkpoint, by the name of its file.

Files that a training saves for itself are known by the folder they are in, which carries the
experiment's name.
"""

from pathlib import Path

# Model of checkpoint_import -> name of the file or its folder -> config.
CHECKPOINTS = {
  "object_pursuit": {"multinet_vos_davis": "configs/object_pursuit/joint_vos_davis.py"},
  "space": {
    "3d_room_large": "configs/space/obj3d_large.py",
    "3d_room_small": "configs/space/obj3d_small.py",
    "atari_joint": "configs/space/atari_joint.py:published_colours",
    "atari_riverraid": "configs/space/atari_riverraid.py:published_colours",
    "atari_spaceinvaders": "configs/space/atari_space_invaders.py:published_colours",
  },
}


def config_of(model: str, file: str) -> str | None:
  """The config for a checkpoint of a model, None where the name says nothing."""
  path, known = Path(file), CHECKPOINTS.get(model, {})
  return known.get(path.stem, known.get(path.parent.name))
