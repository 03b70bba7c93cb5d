"""What a batch holds.

A dict of arrays with a leading batch axis B:

  image         [B, H, W, 3] uint8 as stored, or floating point in [0, 1]
  segmentation  [B, H, W, 1] uint8 instance labels, 0 background (where the dataset has them)
  num_objects   [B] int32
  index         [B] int32 position in the split (evaluation)
  valid         [B] bool: False in rows that only fill up the last evaluation batch
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

Array = jax.Array


def as_float(batch: Mapping[str, Array]) -> dict[str, Array]:
  """The batch with stored images (uint8) turned to float32 in [0, 1].

  Done on the device, so that a quarter of the bytes travel; floating-point images pass unchanged.
  """
  image = batch["image"]
  if image.dtype == jnp.uint8:
    image = image.astype(jnp.float32) / 255.0
  return {**batch, "image": image}
