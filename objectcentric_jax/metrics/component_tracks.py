"""Which components of a video are one object: those of a slot, or those of an identity."""

import jax
import jax.numpy as jnp

from objectcentric_jax.scene import Scene

Array = jax.Array


def component_tracks(scene: Scene) -> Array:
  """The track of every component in every frame.

  The components of boxes that have an identity follow it from slot to slot; any other component is
  one track in all frames. Of more boxes than components none is a component.

  Args:
    scene: of videos; has `masks` [B, T, K, H, W, 1], perhaps `identity` [B, T, N].

  Returns:
    [B, T, K] int32 in [0, T K): where the track was first, counted through frames and slots; in
    [0, K) without identities.
  """
  batch, frames, count = scene.masks.shape[:3]
  if not follows_identities(scene):
    return jnp.broadcast_to(jnp.arange(count), (batch, frames, count))
  others = count - scene.identity.shape[-1]
  unseen = jnp.broadcast_to(-1 - jnp.arange(others), (batch, frames, others))
  names = jnp.concatenate([scene.identity, unseen], axis=2).reshape(batch, -1)
  first = jnp.argmax(names[:, :, None] == names[:, None], axis=2)
  return first.reshape(batch, frames, count).astype(jnp.int32)


def follows_identities(scene: Scene) -> bool:
  """Whether the first components are those of boxes with an identity."""
  return scene.identity is not None and scene.identity.shape[-1] <= scene.masks.shape[-4]


def summed_over_tracks(tables: Array, scene: Scene) -> Array:
  """One table of a video from those of its frames.

  Args:
    tables: [B, T, L, K] pixel counts of labels and components.
    scene: as for `component_tracks`.

  Returns:
    [B, L, K], or [B, L, T K] where identities are followed.
  """
  if not follows_identities(scene):
    return tables.sum(1)
  batch, frames, labels, count = tables.shape
  tracks = component_tracks(scene).reshape(batch, -1)
  rows = jnp.swapaxes(tables, 2, 3).reshape(batch, -1, labels)  # one for each component and frame
  summed = jax.vmap(lambda row, track: jax.ops.segment_sum(row, track, frames * count))
  return jnp.swapaxes(summed(rows, tracks), 1, 2)
