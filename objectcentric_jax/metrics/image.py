"""How well a scene reconstructs its image."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from objectcentric_jax.scene import Scene

Array = jax.Array


def reconstruction_metrics(scene: Scene, batch: Mapping[str, Array]) -> dict[str, Array]:
  """Squared error of the reconstruction, colours in [0, 1].

  Args:
    scene: has `image` [B, (T), H, W, C].
    batch: has "image" or, of videos, "video" of the same shape.

  Returns:
    "mse" [B]: mean over pixels and channels; "rmse" [B]: its root, taken image by image. Those of a
    video are the means over its frames. Nothing of a scene without an image.
  """
  if scene.image is None:
    return {}
  image = batch["video" if "video" in batch else "image"]
  if scene.image.shape != image.shape:
    raise ValueError(f"reconstruction {scene.image.shape} of an image {image.shape}")
  # Squares are summed in float32 at least, also where the model computes in bfloat16.
  dtype = jnp.promote_types(jnp.promote_types(scene.image.dtype, image.dtype), jnp.float32)
  error = scene.image.astype(dtype) - image.astype(dtype)
  frames = jnp.square(error).mean((-3, -2, -1))  # [B, (T)]
  in_time = tuple(range(1, frames.ndim))
  return {"mse": frames.mean(in_time), "rmse": jnp.sqrt(frames).mean(in_time)}
