"""The one schema of examples: keys, and the TFDS features that hold them.

Keys that a dataset does not know are absent. K objects (padded with zeros), T frames, V views:

  image             uint8 [H, W, 3] (1 channel where the set is grey)
  video             uint8 [T, H, W, 3]
  views             uint8 [V, H, W, 3]: one scene from several places, in no order of time
  segmentation      uint8 or uint16 [H, W, 1] or [T, H, W, 1]: instance ids of visible pixels, the
                    same over time; 0 is background. Further background ids (walls, floor) are in
                    the metadata of the set, `background_ids`, which always holds 0
  mask              uint8 0 to 255 [H, W, 1]: how much of a pixel is the one object's, where that is
                    known in grades and not as an id
  amodal_masks      uint8 0 or 255 [K, H, W, 1]: whole shapes, hidden parts too
  bboxes            float32 [K, 4] or [T, K, 4]: ymin, xmin, ymax, xmax as shares of the picture
  num_objects       int32: foreground objects of the scene
  visibility        uint16 [K] or [T, K]: visible pixels
  depth             float32 [H, W, 1] or [T, H, W, 1]; the metadata of the set say under `depth`
                    whether it is "distance" (to the camera's centre) or "z" (along its axis)
  forward_flow,
  backward_flow     float32 [T, H, W, 2]: rows and columns a pixel moves to the next (last) frame
  camera            float32 [V, N] beside views, or camera/... float32
  factors/...       what is known of every object [K, ...]
  label             int32
  metadata/key      text: a stable name of the example, unique in its split

The metadata of a set (TFDS's MetadataDict) hold `source`, and where they apply `labels`,
`background_ids`, `max_objects`, `seed`, `depth`, and:

  bgr               true: the three channels are stored as blue, green, red
  sequences         {split: [frames of the first sequence, of the second, ...]}: the records of a
                    split are the frames of long sequences in order, one after the other, to be cut
                    into clips when they are read. Such a set is written unshuffled
                    (`disable_shuffling=True`), one frame a record under `image`, or so many
                    consecutive ones under `video` as `frames_per_record` says, the last record of a
                    sequence being shorter where they do not divide
  skipped           how many damaged examples were left out, where any were

Pictures are given to TFDS as PNG or JPEG files (bytes), since it encodes arrays with TensorFlow.
"""

import numpy as np
import tensorflow_datasets as tfds

Side = int | None  # None: differs from example to example


def picture(
  height: Side = None,
  width: Side = None,
  channels: int = 3,
  encoding: str | None = "png",
  dtype: type = np.uint8,
) -> tfds.features.Image:
  """uint8 (or uint16) [H, W, channels]; `encoding` "jpeg" keeps downloaded files, None any."""
  return tfds.features.Image(shape=(height, width, channels), dtype=dtype, encoding_format=encoding)


def pictures(
  length: int | None = None,
  height: Side = None,
  width: Side = None,
  channels: int = 3,
  encoding: str | None = "png",
  dtype: type = np.uint8,
) -> tfds.features.Sequence:
  """uint8 [T, H, W, channels], each picture a file of its own; `length` None: T differs."""
  return tfds.features.Sequence(picture(height, width, channels, encoding, dtype), length=length)


def array(shape: tuple[Side, ...], dtype: type = np.float32) -> tfds.features.Tensor:
  """Numbers stored without loss, compressed; any side may be None."""
  return tfds.features.Tensor(shape=shape, dtype=dtype, encoding="zlib")


def numbers(shape: tuple[Side, ...], dtype: type = np.float32) -> tfds.features.Tensor:
  """A few numbers, readable by any TFRecord tool; at most one side may be None."""
  return tfds.features.Tensor(shape=shape, dtype=dtype)


def key() -> dict[str, tfds.features.Text]:
  """The feature `metadata` of an example that has nothing but its key."""
  return {"key": tfds.features.Text()}
