"""The datasets of the papers as their configs use them: of the GENESIS papers, and videos.

Each function completes the config of a model: where pictures come from and what happens to them,
their size, and the number of slots, where the model has slots. All are read as published; the
READMEs below data/ say where to get them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

CLIP = 10  # frames
DENSITIES = {"low": 10, "medium": 30, "high": 60, "very_high": 110}  # most objects
STATION_CORNERS = (
  *((0, 120), (0, 360), (240, 0), (240, 240)),
  *((240, 480), (120, 0), (120, 240), (120, 480)),
)  # top, left; of frames of 480 rows
PEOPLE = 100  # most of a clip of MOTSynth
_TRUE = ("segmentation?", "num_objects?")


def multi_dsprites(config: ConfigDict):
  """Multi-dSprites of the GENESIS authors: 1 to 4 sprites, each in one of 125 colours."""
  _set(config, "multi_dsprites/64px_1-4", side=64, slots=5, objects=4)


def small_multi_dsprites(config: ConfigDict):
  """Multi-dSprites for a laptop: 1 to 3 sprites on 32x32 pixels, 20,000 scenes to train with."""
  _set(config, "multi_dsprites/32px_1-3_train20000", side=32, slots=4, objects=3)


def gqn(config: ConfigDict):
  """GQN rooms_ring_camera, one view of a scene; it has no labels."""
  _set(config, "gqn/rooms_ring_camera", side=64, slots=7, objects=3, steps=[dict(name="view")])
  config.data.fields = ("views",)
  without_labels(config)


def shapestacks(config: ConfigDict):
  """ShapeStacks: towers of 2 to 6 blocks, 196 of 224 pixels, the middle."""
  steps = [dict(name="centre_crop", height=196, width=196)]
  steps += [dict(name="resize", method="pillow_bilinear")]
  _set(config, "shapestacks/default", side=64, slots=9, objects=6, steps=steps)


def objects_room(config: ConfigDict):
  """Objects Room of the Multi-Object Datasets: 1 to 3 objects; sky, floor and walls are one."""
  steps = [dict(name="merge_background")]
  _set(config, "multi_objects/objects_room", side=64, slots=7, objects=3, steps=steps)


def colored_sprites(config: ConfigDict):
  """Multi-dSprites of the Multi-Object Datasets: 1 to 4 sprites of any colour."""
  _set(config, "multi_objects/multi_dsprites_colored_on_colored", side=64, slots=5, objects=4)


def clevr(config: ConfigDict):
  """CLEVR of the Multi-Object Datasets: 3 to 10 objects; 192 of 240x320 pixels, the middle."""
  steps = [dict(name="centre_crop", height=192, width=192)]
  _set(config, "multi_objects/clevr_with_masks", side=128, slots=11, objects=10, steps=steps)


def tetrominoes(config: ConfigDict):
  """Tetrominoes of the Multi-Object Datasets: 3 of them, 35 pixels wide pictures made 32."""
  _set(config, "multi_objects/tetrominoes", side=32, slots=4, objects=3)


def sketchy(config: ConfigDict):
  """Sketchy: a robot arm and blocks, seven crops of each of two cameras; it has no labels."""
  _set(config, "sketchy/128px_all", side=128, slots=10, objects=4)
  without_labels(config)


def apc(config: ConfigDict):
  """Amazon Picking Challenge 2016: one labelled object in a shelf or tote."""
  _set(config, "apc/128px", side=128, slots=10, objects=1)


def moving_sprites(
  config: ConfigDict,
  density: str = "low",
  kind: str = "dsprites",
  background: str = "flat",
  side: int = 128,
):
  """Videos of sprites or digits that come and go; SCALOR's, which were not released.

  Args:
    config: to complete.
    density: one of DENSITIES, or "MIN-MAX" objects.
    kind: "dsprites" or "digits".
    background: "flat", "black", "gradient" or "texture".
    side: pixels.
  """
  most = DENSITIES[density] if density in DENSITIES else int(density.partition("-")[2])
  words = [f"{side}px", density, *(["digits"] * (kind == "digits"))]
  words += [*([background] * (background != "flat")), f"frames{CLIP}"]
  _set(config, f"generated_moving_sprites/{'_'.join(words)}", side, slots=most + 1, objects=most)
  config.data.fields = ("video", *_TRUE, "bboxes?", "visibility?")
  config.data.frames = CLIP


def grand_central(config: ConfigDict):
  """Grand Central Station: clips of every eighth frame, each in eight squares; no labels."""
  steps = [
    dict(name="clip", length=CLIP, stride=8, starts="all", evaluation="cover"),
    dict(name="crop_each", height=240, width=240, corners=STATION_CORNERS),
    dict(name="resize", method="pillow_bilinear"),
  ]
  _set(config, "grand_central/full", side=128, slots=46, objects=45, steps=steps)
  config.data.fields = ("image",)
  config.data.frames = CLIP
  config.eval.split = "test"  # there is no other
  without_labels(config)


def motsynth(config: ConfigDict, variant: str = "original_multi8"):
  """MOTSynth: clips of every fifth frame in a random square; every clip is for both splits.

  Args:
    config: to complete.
    variant: background and sequences, as data/motsynth names them: "original", "black", "gradient",
      "image" or "blurred" alone are those of the 19 sequences.
  """
  steps = [
    dict(name="clip", length=CLIP, stride=5, slot=50),
    dict(name="square_crop", evaluation="start"),
    dict(name="resize", method="pillow_bilinear"),
    dict(name="relabel", objects=PEOPLE),
    dict(name="object_boxes", objects=PEOPLE),
  ]
  _set(config, f"motsynth/{variant}", side=128, slots=PEOPLE + 1, objects=PEOPLE, steps=steps)
  config.data.fields = ("image", "segmentation")
  config.data.frames = CLIP
  config.eval.split = config.eval.test_split = "train"


def own_videos(config: ConfigDict, name: str = "mine"):
  """Video files, or folders of frames, of one's own; every clip is for both splits.

  `python -m data.prepare folder/NAME_128px_validation0_test0_frames10 --from FILES` makes the set.
  """
  name = f"folder/{name}_128px_validation0_test0_frames{CLIP}"
  _set(config, name, side=128, slots=46, objects=45)
  config.data.fields = ("video",)
  config.data.frames = CLIP
  config.eval.split = config.eval.test_split = "train"
  without_labels(config)


def without_labels(config: ConfigDict):
  """Reads the pictures alone; the best checkpoint is that of the smallest negative ELBO."""
  config.data.fields = config.data.fields[:1]  # pictures come first
  config.eval.best = "-elbo"
  config.eval.headline = ("elbo", "reconstruction", "mse")


def _set(
  config: ConfigDict,
  name: str,
  side: int,
  slots: int,
  objects: int,
  steps: Sequence[Mapping[str, Any]] = (),
):
  config.data.name = name
  config.data.side = side
  config.data.objects = objects  # of the made-up scenes of the smoke variant
  needs_resize = steps and all(step["name"] != "resize" for step in steps)
  config.data.preprocess = (*steps, *([dict(name="resize")] if needs_resize else []))
  if "slots" in config.model:
    config.model.slots = slots
