"""What is in each file of the Multi-Object Datasets.

No jax and no tensorflow_datasets.
"""

from typing import NamedTuple

TEXTURED, FLAT = "textured", "flat"  # pictures: shaded scenes, or areas of one colour

# Values of every entity; True where they are published as texts of one byte, codes of a class.
Factors = dict[str, tuple[int, bool]]
_SPRITE = {name: (1, False) for name in ("x", "y", "shape", "visibility", "orientation", "scale")}
_BLOCK = {name: (1, False) for name in ("x", "y", "shape", "visibility")}
_SOLID = {
  **{name: (1, False) for name in ("x", "y", "z", "rotation", "visibility")},
  "pixel_coords": (3, False),
  **{name: (1, True) for name in ("size", "material", "shape", "color")},
}


class Layout(NamedTuple):
  """One file.

  Attributes:
    file: its place in the published bucket.
    height, width, channels: of a picture.
    entities: in every record, backgrounds first; those that a scene lacks have empty masks.
    backgrounds: how many entities are background: the first ones.
    factors: what is known of every entity.
    kind: of the pictures.
    masks_last: whether masks are stored [H, W, entities] instead of [entities, H, W].
    train, validation, test: records of the splits; the test split comes first in the file, then
      that for validation.
  """

  file: str
  height: int
  width: int
  entities: int
  backgrounds: int = 1
  factors: Factors = {}
  channels: int = 3
  kind: str = FLAT
  masks_last: bool = False
  train: int = 40_000
  validation: int = 10_000
  test: int = 10_000


def _sprites(name: str, entities: int, channels: int = 3) -> Layout:
  factors = {**_SPRITE, "color": (channels, False)}
  file = f"multi_dsprites/multi_dsprites_{name}.tfrecords"
  return Layout(file, 64, 64, entities, 1, factors, channels, masks_last=True)


def _room(name: str, entities: int, *counts: int) -> Layout:
  file = f"objects_room/objects_room_{name}.tfrecords"
  return Layout(file, 64, 64, entities, 4, {}, 3, TEXTURED, False, *counts)


EVERY_RECORD = 10**9
_ONLY_TEST = (0, 0, EVERY_RECORD)
LAYOUTS = {
  "multi_dsprites_binarized": _sprites("binarized", 4, channels=1),
  "multi_dsprites_colored_on_grayscale": _sprites("colored_on_grayscale", 6),
  "multi_dsprites_colored_on_colored": _sprites("colored_on_colored", 5),
  "objects_room": _room("train", 7, 980_000, 10_000, 10_000),
  "objects_room_six_objects": _room("test_six_objects", 10, *_ONLY_TEST),
  "objects_room_empty_room": _room("test_empty_room", 4, *_ONLY_TEST),
  "objects_room_identical_color": _room("test_identical_color", 10, *_ONLY_TEST),
  "clevr_with_masks": Layout(
    "clevr_with_masks/clevr_with_masks_train.tfrecords",
    *(240, 320, 11),
    factors=_SOLID,
    kind=TEXTURED,
    train=50_000,
  ),
  "tetrominoes": Layout(
    "tetrominoes/tetrominoes_train.tfrecords",
    *(35, 35, 4),
    factors={**_BLOCK, "color": (3, False)},
  ),
}
