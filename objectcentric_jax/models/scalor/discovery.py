"""Proposal and rejection: what of a frame is new.

Every cell of a grid proposes an object, knowing the frame and what the tracked objects already
cover; proposals that lie over them are rejected.

Published code: discovery.py of JindongJiang/SCALOR.
"""

import math

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.losses.bernoulli import FLOOR, bernoulli_kl
from objectcentric_jax.models.scalor.frame_encoder import LARGE, mask_layers
from objectcentric_jax.models.scalor.layers import Head, Layer, Stack
from objectcentric_jax.models.scalor.objects import (
  EMPTY,
  Anchors,
  Canvases,
  GlimpseDecoder,
  GlimpseEncoder,
  Objects,
  draw,
  no_objects,
)
from objectcentric_jax.nn.cells import LARGEST_LOGIT, cell_centres, presence_logits
from objectcentric_jax.nn.gaussian import Gaussian, draw_gaussian
from objectcentric_jax.nn.glimpses import cut, paste
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample, draw_logistic
from objectcentric_jax.nn.relaxed_bernoulli import relaxed_bernoulli

Array = jax.Array

REJECTED_PRIOR = 1e-8  # prior probability of an object in a cell whose proposal is rejected
COVERED, PROPOSED = 0.1, 0.3  # alphas from which a pixel counts as covered, or as proposed


@flax.struct.dataclass
class Proposals:
  """One proposal of each of the N = G^2 cells of a frame, row by row.

  Attributes:
    logits: [B, N, 1] of presence; relaxed: [B, N, 1] their draws before the sigmoid.
    proposed: [B, N, 1] presence before rejection; presence: [B, N, 1] what is left of it.
    accepted: [B, N, 1] 0 where rejected, else 1.
    where: [B, N, 4] raw scale, ratio, horizontal and vertical shift.
    depth: [B, N, 1]; what: [B, N, D].
    box: [B, N, 4] as in `objectcentric_jax.nn.glimpses`.
    area: [B, N, 1] alpha, summed over the glimpse.
  """

  logits: Array
  relaxed: Array
  proposed: Array
  presence: Array
  accepted: Array
  where: Gaussian
  depth: Gaussian
  what: Gaussian
  box: Array
  area: Array

  def prior(self, probability: Array) -> Array:
    """Of presence, [B, N, 1], from the probability of an object in a cell."""
    return probability * self.accepted + REJECTED_PRIOR * (1 - self.accepted)

  def divergences(self, probability: Array) -> dict[str, Array]:
    """Of each kind of latent to its prior, summed over cells: name -> [B], nats.

    Rejected cells pay for their looks and place, too, as published.
    """
    share, weight = nn.sigmoid(self.logits), self.proposed[..., 0]
    return {
      "kl_presence": bernoulli_kl(share, self.prior(probability)).sum((1, 2)),
      "kl_where": (self.where.kl() * weight).sum(1),
      "kl_what": (self.what.kl() * weight).sum(1),
      "kl_depth": (self.depth.kl() * weight).sum(1),
    }

  def log_weight(self, probability: Array) -> Array:
    """log prior - log posterior of what was drawn, presence rounded: [B], nats."""
    drawn = self.proposed[..., 0] > 0.5
    latents = self.where.log_weight() + self.what.log_weight() + self.depth.log_weight()
    presence = rounded_log_weight(self.presence, self.logits, self.prior(probability))
    return (drawn * latents).sum(1) + presence.sum((1, 2))


def rounded_log_weight(presence: Array, logits: Array, prior: Array) -> Array:
  """log prior - log posterior of presence above one half or not, element-wise, nats."""
  posterior, found = nn.sigmoid(logits), presence > 0.5

  def log_probability(share):
    return jnp.log(jnp.where(found, share, 1 - share) + FLOOR)

  return log_probability(prior) - log_probability(posterior)


class ProposalNetwork(nn.Module):
  """Raw presence, depth moments and place moments of every cell, each [B, G, G, ...].

  Attributes:
    side: S; grid: G.
    mask_features: of a cell, from what is covered.
    dtype: of the computation; None follows inputs and parameters.
  """

  side: int
  grid: int
  mask_features: int = 32
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, features: Array, covered: Array) -> tuple[Array, Array, Array]:
    layers = mask_layers(self.side, self.grid, self.mask_features)
    mask = Stack(layers, self.dtype, name="mask")(covered)
    x = jnp.concatenate([features.astype(mask.dtype), mask], axis=-1)
    x = Stack((Layer(64, 1, 16),) * 2, self.dtype, name="join")(x)
    outputs = []
    for name, size, hidden in (("presence", 1, 64), ("depth", 2, 32), ("where", 8, 64)):
      layers = (Layer(hidden, 1, 8),) if self.side >= LARGE else ()
      outputs.append(Head(size, 1, layers, self.dtype, name=name)(x))
    return tuple(outputs)


class Discovery(nn.Module):
  """Proposes and rejects.

  Draws that can be handed in: "new_presence" [B, N, 1], standard logistic; "new_depth" [B, N, 1],
  "new_where" [B, N, 4], "new_what" [B, N, D], standard normal.

  Attributes:
    encode, decode: of glimpses, shared with the propagation.
    side: S; grid: G; glimpse: side of glimpses.
    anchors: sizes that objects may have.
    reject: whether to reject proposals, from `explained_share` of them on.
    mask_features, dtype: as in `ProposalNetwork`.
    largest_logit: of presence.
  """

  encode: GlimpseEncoder
  decode: GlimpseDecoder
  side: int
  grid: int
  glimpse: int
  anchors: Anchors
  reject: bool = True
  explained_share: float = 0.3
  mask_features: int = 32
  largest_logit: float = LARGEST_LOGIT
  dtype: jnp.dtype | None = None

  def setup(self):
    self.propose = ProposalNetwork(self.side, self.grid, self.mask_features, self.dtype)

  def __call__(
    self,
    frame: Array,
    features: Array,
    covered: Array,
    temperature: Array,
    allowed: Array | None,
    generate: Array | bool = False,
    generated_presence: float = 0.1,
    sample: Sample = True,
  ) -> tuple[Proposals, Canvases]:
    """What is new in a frame.

    Args:
      frame: [B, S, S, 3].
      features: [B, G, G, F] of it.
      covered: [B, S, S, 1] what the tracked objects cover, without gradient.
      temperature: of the relaxed presence.
      allowed: [B] how many objects at most may be new; None for any number.
      generate: bool scalar, whether to draw from the prior.
      generated_presence: probability of an object in a cell then.
      sample: as in `objectcentric_jax.nn.noise`.
    """
    raw = (at_least_float32(x) for x in self.propose(features, covered.astype(frame.dtype)))
    presence, depth, where = (x.reshape(len(frame), self.grid**2, -1) for x in raw)

    def moments(mean, deviation):
      """Those of the prior where frames are generated."""
      return jnp.where(generate, 0, mean), jnp.where(generate, 1, nn.softplus(deviation))

    prior_logit = math.log(generated_presence) - math.log1p(-generated_presence)
    logits = jnp.where(generate, prior_logit, presence_logits(presence, self.largest_logit))
    noise = draw_logistic(self, sample, "new_presence", logits.shape, logits.dtype)
    proposed = relaxed_bernoulli(logits, temperature, noise)
    depth = draw_gaussian(self, sample, "new_depth", *moments(*jnp.split(depth, 2, -1)))
    where = draw_gaussian(self, sample, "new_where", *moments(*jnp.split(where, 2, -1)))
    sizes = self.anchors.sizes(where.value[..., :2])
    box = jnp.concatenate([sizes, cell_centres(where.value[..., 2:], self.grid)], axis=-1)
    glimpses = cut(at_least_float32(frame), box, self.glimpse)
    encoded = self.encode(glimpses.reshape(-1, *glimpses.shape[2:]))
    encoded = (x.reshape(*box.shape[:2], -1) for x in encoded)
    what = draw_gaussian(self, sample, "new_what", *moments(*encoded))
    decoded = self.decode(what.value.reshape(-1, what.value.shape[-1]))
    colours, alphas = (x.reshape(*box.shape[:2], *x.shape[1:]) for x in decoded)
    accepted = self._accepted(alphas, box, covered)
    presence = proposed * accepted
    if allowed is not None:
      presence = presence * largest(presence, jnp.where(generate, 0, allowed))
    proposals = Proposals(
      logits=logits,
      relaxed=(logits + noise) / temperature,
      proposed=proposed,
      presence=presence,
      accepted=accepted,
      where=where,
      depth=depth,
      what=what,
      box=box,
      area=alphas.sum((2, 3)),
    )
    return proposals, draw(colours, alphas, presence, depth.value, box, self.side)

  def _accepted(self, alphas: Array, box: Array, covered: Array) -> Array:
    """1 where little of a proposal is explained already, else 0: [B, N, 1], without gradient."""
    if not self.reject:
      return jnp.ones((*box.shape[:2], 1), box.dtype)
    alphas, box = lax.stop_gradient((alphas, box))
    proposed = paste(alphas, box, self.side, self.side) > PROPOSED
    explained = proposed & (covered > COVERED)[:, None]
    share = explained.sum((2, 3), dtype=box.dtype) / (proposed.sum((2, 3), dtype=box.dtype) + EMPTY)
    return (share < self.explained_share).astype(box.dtype)


def largest(presence: Array, allowed: Array) -> Array:
  """1 for the `allowed` [B] cells of largest presence [B, N, 1], else 0.

  Cells as present as the first one that is not allowed are left out, too.
  """
  ordered = -jnp.sort(-presence[..., 0], axis=1)
  count = ordered.shape[1]
  position = jnp.clip(allowed, 0, count - 1)
  threshold = jnp.take_along_axis(ordered, position[:, None], axis=1)
  threshold = jnp.where(allowed[:, None] < count, threshold, -1)
  return lax.stop_gradient(presence > threshold[..., None]).astype(presence.dtype)


def discovered(proposals: Proposals, like: Objects, identity: Array) -> Objects:
  """The proposals as objects, with recurrences like those of `like` at their start."""
  batch, cells, what = proposals.what.value.shape
  dtype = proposals.presence.dtype
  hidden, prior = like.hidden.shape[-1], like.prior_hidden.shape[-1]
  return no_objects(batch, cells, what, hidden, prior, dtype).replace(
    what=proposals.what.value,
    box=proposals.box,
    depth=proposals.depth.value,
    presence=proposals.presence,
    identity=identity,
  )
