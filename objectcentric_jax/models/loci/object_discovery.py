"""Where slots that hold no object look for one.

A slot is alive once its mask was sure of a pixel, and stays so for as long as objects are believed
to persist; the others start anew, at pixels that are not explained yet.

Published code: nn/object_discovery.py of CognitiveModeling/Loci-Segmented.
"""

from collections.abc import Mapping

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.models.loci.latents import Latents
from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.noise import NOISE, Sample, draw_uniform

Array = jax.Array

UNEXPLAINED = 0.1  # errors below it everywhere say nothing about where to look
PERMANENCE_STEP = 1e-4  # of the logit of the belief in permanence, at every call
DEAD_PRIORITY = -5.0


@flax.struct.dataclass
class Discovered:
  """Slots to look at the next frame with.

  Attributes:
    latents: of living slots as they were, of others new.
    alive: [B, K, 1] ones and zeros.
    presence: [B, K, 1] how sure each slot's mask was of its surest pixel so far.
    permanence: scalar logit of the belief in permanence, after this call.
  """

  latents: Latents
  alive: Array
  presence: Array
  permanence: Array


class ObjectDiscovery(nn.Module):
  """Gives dead slots new positions.

  Attributes:
    permanence_strength: most that permanence is believed in: 0 not at all, 1 for ever.
    threshold: mask value above which a slot is sure of a pixel.
    initial_size, initial_depth: of new positions; learned.
  """

  permanence_strength: float = 1.0
  threshold: float = 0.8
  initial_size: float = -5.0
  initial_depth: float = 5.0

  @nn.compact
  def __call__(
    self,
    error: Array,
    mask: Array,
    has_mask: Array,
    latents: Latents,
    presence: Array,
    permanence: Array,
    sample: Sample = True,
  ) -> Discovered:
    """Finds the living slots and moves the others to where the image is not explained.

    Args:
      error: [B, H, W, 1] how much of the image is not explained, in [0, 1].
      mask: [B, K, H, W, 1] of the slots in the last frame.
      has_mask: [B] bool: whether there was a last frame.
      latents: the slots as predicted; those of a new sequence count for nothing.
      presence: [B, K, 1] as of the last call; 0 in a new sequence.
      permanence: scalar, as of the last call.
      sample: draws are "discovery", [B, K] flat indices of pixels, and "discovery_error",
        [B, H, W, 1] uniform, where no error says where to look. They are drawn even where other
        latents stand at their means: a slot must begin somewhere.
    """
    permanence, strength = self._permanence(permanence)
    presence = jnp.where(
      has_mask.reshape(-1, 1, 1), self._persistent(presence, mask, strength), presence
    )
    alive = (presence > self.threshold).astype(error.dtype)
    size = self.param("size", nn.initializers.constant(self.initial_size), (1,), jnp.float32)
    depth = self.param("depth", nn.initializers.constant(self.initial_depth), (1,), jnp.float32)
    places = self._places(error, mask.shape[1], sample)  # [B, K, 2]
    shape = (*places.shape[:2], 1)
    rest = [jnp.broadcast_to(x.astype(places.dtype).reshape(1, 1, 1), shape) for x in (depth, size)]
    new = Latents(
      position=jnp.concatenate([places, *rest], axis=-1),
      gestalt=jnp.zeros_like(latents.gestalt),
      priority=jnp.full_like(latents.priority, DEAD_PRIORITY),
    )
    kept = jax.tree.map(lambda old, new: old * alive + new * (1 - alive), latents, new)
    return Discovered(kept, alive, presence, permanence)

  def _permanence(self, permanence: Array) -> tuple[Array, Array]:
    """The logit after this call and how much permanence is believed in, from 0 below."""
    belief = tanh(permanence)
    grows = (belief < 1) & (belief < self.permanence_strength)
    permanence = jnp.where(grows, permanence + PERMANENCE_STEP, permanence)
    strength = jnp.where(grows, tanh(permanence), self.permanence_strength)
    return permanence, strength

  def _persistent(self, presence: Array, mask: Array, strength: Array) -> Array:
    """Presence [B, K, 1] after a frame with these masks."""
    surest = lax.stop_gradient(mask.max((2, 3)))
    lasting = jnp.maximum(presence, surest)
    doubt = jnp.where(strength < 1, 1 - strength, 0.0)
    fading = lasting - nn.relu(self.threshold - surest) * doubt
    return jnp.where(strength <= 0, surest, fading)

  def _places(self, error: Array, slots: int, sample: Sample) -> Array:
    """Pixels of slots, more likely where the error is larger: [B, K, 2] x and y in [-1, 1)."""
    error = lax.stop_gradient(error)
    batch, height, width, _ = error.shape
    anywhere = draw_uniform(self, sample, "discovery_error", error.shape, error.dtype)
    says = error.max((1, 2, 3), keepdims=True) > UNEXPLAINED
    weights = jnp.where(says, error, anywhere).reshape(batch, -1)
    if isinstance(sample, Mapping) and "discovery" in sample:
      index = sample["discovery"]
    else:
      logits = jnp.log(weights)[:, None]  # of no pixel that is explained
      index = jax.random.categorical(self.make_rng(NOISE), logits, shape=(batch, slots))
    x = (index % width).astype(error.dtype) / (width / 2) - 1
    y = (index // width).astype(error.dtype) / (height / 2) - 1
    return jnp.stack([x, y], axis=-1)
