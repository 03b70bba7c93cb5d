"""The fields of an example: what kinds there are, and which of them a config asks for.

Their meaning and shapes are those of `objectcentric_jax.batch`. Arrays of pictures end in height,
width and channels, whatever stands before, so that what changes pictures changes stills, videos and
batches alike.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from objectcentric_jax.errors import InputError, closest

COLOURS = ("image", "video", "views")  # uint8 0 to 255
COVERAGE = ("mask", "masks", "amodal_masks")  # uint8, 255 where a pixel is all the object's
IDS = ("segmentation",)
FLOWS = ("forward_flow", "backward_flow")  # rows and columns, in pixels
NUMBERS = ("depth", *FLOWS)
PICTURES = (*COLOURS, *COVERAGE, *IDS, *NUMBERS)  # all that is cropped and resized
BOXES = "bboxes"
SEQUENCE = "sequence"  # which video or long sequence a clip is of

# Number of axes of a field of a video or of several views, whose first axis counts the frames. With
# one less it belongs to a still, or to the scene as a whole.
_FRAMED_RANK = {name: 4 for name in PICTURES} | {
  "masks": 5,
  "amodal_masks": 5,
  BOXES: 3,
  "visibility": 2,
}
# The axis that counts objects, from the end.
_OBJECT_AXIS = {"masks": -4, "amodal_masks": -4, BOXES: -2, "visibility": -1}
_OPTIONAL = "?"


def is_framed(name: str, shape: Sequence[int | None], frames: int | None) -> bool:
  """Whether the first axis of a stored field counts frames (or views).

  Args:
    name: of the field.
    shape: as stored; None where sizes differ.
    frames: of the videos in the set, None where they differ.
  """
  if name in _FRAMED_RANK:
    return len(shape) == _FRAMED_RANK[name]
  return name.partition("/")[0] == "camera" and len(shape) > 0 and shape[0] == frames


def object_axis(name: str, rank: int) -> int | None:
  """The axis of a field that counts objects, None where none does."""
  if name.startswith("factors/"):
    return 0 if rank else None
  axis = _OBJECT_AXIS.get(name)
  return None if axis is None else rank + axis


def chosen(asked: Sequence[str], known: Collection[str], where: str) -> tuple[str, ...]:
  """The fields to read.

  Args:
    asked: `config.data.fields`: names; one that ends in ? is read where the set has it.
    known: what the set has.
    where: how messages call the set.

  Raises:
    InputError: the set lacks a field.
  """
  if isinstance(asked, str) or not asked:
    raise InputError(f"config.data.fields is {asked!r}: a tuple of names is needed")
  found = []
  for name in asked:
    plain = name.removesuffix(_OPTIONAL)
    if plain in known:
      found.append(plain)
    elif plain == name:
      listed = ", ".join(sorted(known))
      raise InputError(
        f"config.data.fields asks for {name!r}, which is not in {where}{closest(name, known)}; "
        f"there are: {listed}"
      )
  if not found:
    raise InputError(f"{where} has none of config.data.fields; it has: {', '.join(sorted(known))}")
  return tuple(found)


def picture_size(arrays: Mapping[str, np.ndarray]) -> tuple[int, int]:
  """Height and width that all pictures of an example share.

  Raises:
    InputError: there is no picture, or they differ.
  """
  sizes = {name: arrays[name].shape[-3:-1] for name in PICTURES if name in arrays}
  if not sizes:
    raise InputError(f"config.data.preprocess: no picture among the fields {', '.join(arrays)}")
  if len(set(sizes.values())) > 1:
    listed = ", ".join(f"{name} {h}x{w}" for name, (h, w) in sizes.items())
    raise InputError(f"config.data.preprocess: pictures of one example differ in size: {listed}")
  return next(iter(sizes.values()))
