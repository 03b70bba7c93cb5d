"""What a batch holds.

A dict of arrays with a leading batch axis B, of the fields that `config.data.fields` asks for; T
frames, V views, K objects (padded with zeros):

  image         [B, H, W, 3] uint8 as stored, or floating point in [0, 1]
  video         [B, T, H, W, 3] likewise; views [B, V, H, W, 3]
  segmentation  [B, (T), H, W, 1] uint8 or uint16 instance labels, 0 background
  mask          [B, (T), H, W, 1] uint8, or floating point in [0, 1]: how much is the one object's
  masks         [B, (T), K, H, W, 1] likewise, of each object's visible pixels
  amodal_masks  [B, (T), K, H, W, 1] likewise, hidden pixels included
  bboxes        [B, (T), K, 4] float32 top, left, bottom, right as shares of the picture
  visibility    [B, (T), K] visible pixels in the picture as it is stored
  num_objects   [B] int32
  depth         [B, (T), H, W, 1] float32, as the dataset says
  forward_flow, backward_flow  [B, T, H, W, 2] float32 rows and columns, in pixels of the picture
  camera, camera/..., factors/..., label  as the dataset says
  time          [B] int32 place of the first frame in its clip (training in chunks of clips);
                negative before the clip begins
  sequence      [B] int32 which video of the split a clip is of (the step `clip` with numbered=True)
  object        [B] int32 which object the whole batch is of (see `objectcentric_jax.input.objects`)
  index         [B] int32 position in the split (evaluation)
  valid         [B] bool: False in rows that only fill up the last evaluation batch
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from objectcentric_jax.input.fields import COLOURS, COVERAGE

Array = jax.Array


def as_float(batch: Mapping[str, Array]) -> dict[str, Array]:
  """The batch with stored pictures and masks (uint8) turned to float32 in [0, 1].

  Done on the device, so that a quarter of the bytes travel; floating-point ones pass unchanged, and
  so do segmentations.
  """
  return {
    name: array.astype(jnp.float32) / 255.0
    if name in (*COLOURS, *COVERAGE) and array.dtype == jnp.uint8
    else array
    for name, array in batch.items()
  }
