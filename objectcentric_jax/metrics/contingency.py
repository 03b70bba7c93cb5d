"""How many pixels two labellings share: the table that segmentation scores are computed from."""

import jax
import jax.numpy as jnp

Array = jax.Array


def contingency(
  labels_a: Array, labels_b: Array, count_a: int, count_b: int, weights: Array | None = None
) -> Array:
  """Counts the pixels of each pair of labels.

  Args:
    labels_a: [B, ...] integer, in [0, count_a); pixels with another label are not counted.
    labels_b: [B, ...] integer, shaped like `labels_a`, in [0, count_b) likewise.
    count_a: number of labels on the first side.
    count_b: number of labels on the second side.
    weights: [B, ...] what each pixel counts for, such as 1 inside a region and 0 outside; all count
      for one when None.

  Returns:
    [B, count_a, count_b] float32; whole numbers are exact up to 2^24 pixels an example.

  Raises:
    ValueError: the two labellings differ in shape.
  """
  if labels_a.shape != labels_b.shape:
    raise ValueError(f"labellings {labels_a.shape} and {labels_b.shape} are not of the same pixels")
  batch = labels_a.shape[0]
  a = jax.nn.one_hot(labels_a.reshape(batch, -1), count_a, dtype=jnp.float32)  # [B, P, count_a]
  b = jax.nn.one_hot(labels_b.reshape(batch, -1), count_b, dtype=jnp.float32)  # [B, P, count_b]
  if weights is not None:
    a = a * weights.reshape(batch, -1, 1).astype(jnp.float32)
  # A matrix product, unlike a scatter, is fast on every accelerator; full precision keeps it exact.
  return jnp.einsum(
    "bpi,bpj->bij", a, b, precision=jax.lax.Precision.HIGHEST, preferred_element_type=jnp.float32
  )


def frame_contingency(labels_a: Array, labels_b: Array, count_a: int, count_b: int) -> Array:
  """`contingency` of each frame of videos; their sum is that of the videos as volumes of pixels.

  Takes one frame after the other, since labels of all pixels of a video at once need much memory.

  Args:
    labels_a: [B, T, ...] integer.
    labels_b: [B, T, ...] integer, shaped alike.
    count_a: number of labels on the first side.
    count_b: number of labels on the second side.

  Returns:
    [B, T, count_a, count_b] float32.
  """
  frames = (jnp.moveaxis(labels, 1, 0) for labels in (labels_a, labels_b))
  tables = jax.lax.map(lambda pair: contingency(*pair, count_a, count_b), tuple(frames))
  return jnp.moveaxis(tables, 0, 1)
