"""Pictures of Loci-Segmented's stages, for `experiments.visualise --what object|background`."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from objectcentric_jax.models.loci.objects import Objects
from objectcentric_jax.nn.gaussian_position import gaussian_map

Array = jax.Array


def spread(picture: Array) -> Array:
  """Numbers [..., H, W, C] brought to [0, 1], each picture by itself."""
  axes = (-3, -2, -1)
  low, high = picture.min(axes, keepdims=True), picture.max(axes, keepdims=True)
  return (picture - low) / jnp.maximum(high - low, 1e-6)


def code_picture(code: Array, height: int, width: int) -> Array:
  """Codes [..., D] as bars, an entry beside the other: [..., height, width, 1]."""
  bars = code[..., jnp.arange(width) * code.shape[-1] // width]
  return jnp.broadcast_to(bars[..., None, :, None], (*code.shape[:-1], height, width, 1))


def object_panel(
  objects: Objects, decoded: Mapping[str, Array], position: Array, code: Array | None
) -> dict[str, Array]:
  """The truth, what was decoded ("mask", "rgb", "depth"), its error, and the latents: [B, H, W, C].

  Args:
    objects: the truth.
    decoded: name -> [B, H, W, C]; the mask as probability, the depth standardised.
    position: [B, 3 or 4].
    code: [B, D], where there is one.
  """
  height, width = objects.image.shape[1:3]
  truth = {"mask": objects.mask, "rgb": objects.image, "depth": objects.standard_depth}
  rows = {"input": objects.image, "true mask": objects.mask}
  rows["true depth"] = spread(objects.standard_depth)
  for name, picture in decoded.items():
    rows[name] = spread(picture) if name == "depth" else picture
    error = jnp.abs(picture - truth[name]).mean(-1, keepdims=True)
    rows[f"{name} error"] = spread(error if name == "mask" else error * objects.mask)
  rows["position"] = gaussian_map(position, height, width)
  if code is not None:
    rows["code"] = code_picture(code, height, width)
  return rows


def background_panel(frames, depth, uncertainty, background, background_depth) -> dict[str, Array]:
  """Frames [B, (T), H, W, 3] and the background behind them, each with its depth [..., 1].

  The uncertain pixels of a frame are tinted red.
  """
  tint = jnp.array([1.0, 0.0, 0.0], frames.dtype).reshape((1,) * (frames.ndim - 1) + (3,))
  rows = {
    "input": frames,
    "uncertainty": uncertainty,
    "uncertain": frames * (1 - uncertainty / 2) + tint * uncertainty / 2,
    "background": background,
    "background depth": spread(background_depth),
  }
  return rows if depth is None else {**rows, "depth": spread(depth)}
