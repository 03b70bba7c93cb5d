"""Maths of mask stacks: stick breaking and the divergence between two stacks."""

import jax
import jax.numpy as jnp

Array = jax.Array


def straight_through_clip(x: Array, low: float, high: float) -> Array:
  """Clips the value; the gradient passes as if it had not been clipped."""
  return x + jax.lax.stop_gradient(jnp.clip(x, low, high) - x)


def stick_breaking(logits: Array) -> tuple[Array, Array]:
  """Log masks that sum to one over K: each component takes a share of what the earlier ones left.

  The last component takes all that is left; its logit only shows in the last scope.

  Args:
    logits: [B, K, H, W, 1].

  Returns:
    Log masks [B, K, H, W, 1] and log scopes [B, K + 1, H, W, 1]: what is left before each
    component, and what would be left if the last one took a share, too.
  """
  left = jnp.cumsum(jax.nn.log_sigmoid(-logits), axis=1)
  scope = jnp.concatenate([jnp.zeros_like(left[:, :1]), left], axis=1)
  taken = scope[:, :-2] + jax.nn.log_sigmoid(logits[:, :-1])
  return jnp.concatenate([taken, scope[:, -2:-1]], axis=1), scope


def mask_kl(masks: Array, other: Array, floor: float = 1e-5) -> Array:
  """KL(masks || other) per pixel, summed over pixels: nats, [B].

  Both stacks [B, K, H, W, 1] are raised to at least `floor` (no gradient below it) and
  renormalised over K. Source: utils/misc.py of the GENESIS repository.
  """
  epsilon = jnp.finfo(masks.dtype).eps

  def categorical(stack):
    stack = jnp.maximum(stack, floor)
    return stack / stack.sum(1, keepdims=True)

  p, q = categorical(masks), categorical(other)
  log_p = jnp.log(jnp.clip(p, epsilon, 1 - epsilon))
  log_q = jnp.log(jnp.clip(q, epsilon, 1 - epsilon))
  return (p * (log_p - log_q)).sum((1, 2, 3, 4))


def mask_report(masks: Array) -> dict[str, Array]:
  """What to watch for collapse, from a mask stack [B, K, H, W, 1]; batch means.

  active_components: how many components explain at least 1 % of the image.
  largest_share: share of the image that the largest component explains.
  share/1, share/2, ...: share of the image that each component explains.
  """
  share = masks.mean((2, 3, 4))  # [B, K]
  return {
    "active_components": (share >= 0.01).sum(1).mean(dtype=share.dtype),
    "largest_share": share.max(1).mean(),
    **{f"share/{k + 1}": share[:, k].mean() for k in range(share.shape[1])},
  }
