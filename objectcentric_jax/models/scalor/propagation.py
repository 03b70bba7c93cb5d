"""Propagation: what became of the objects of the frame before.

Every object looks where it was, moves, looks where it is now, and may fade. What is expected of it
comes from a recurrent prior that does not see the frame.

Published code: propagation.py of JindongJiang/SCALOR.
"""

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.losses.bernoulli import bernoulli_kl
from objectcentric_jax.models.scalor.discovery import rounded_log_weight
from objectcentric_jax.models.scalor.layers import ConvGroupNorm, Perceptron
from objectcentric_jax.models.scalor.objects import (
  Anchors,
  Canvases,
  GlimpseDecoder,
  GlimpseEncoder,
  Objects,
  draw,
  no_objects,
)
from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.cells import LARGEST_LOGIT, presence_logits
from objectcentric_jax.nn.gaussian import Gaussian
from objectcentric_jax.nn.glimpses import cut
from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import Sample, draw_logistic, draw_normal
from objectcentric_jax.nn.recurrent import LSTM, GRUCell
from objectcentric_jax.nn.relaxed_bernoulli import relaxed_bernoulli

Array = jax.Array
Moments = tuple[Array, Array]

# Added before a squashing function, so that objects first stay where they are and remain.
PRIOR_PRESENCE_BIAS, PRESENCE_BIAS, MOTION_DEVIATION_BIAS = 5.0, 2.0, -2.0
FARTHEST = 1.05  # where the middle of an object may go; 1 is the border of the frame
GONE = 0.6  # absence from which an object is gone


@flax.struct.dataclass
class Expectation:
  """Priors of K objects, each (mean, deviation) [B, K, D]; presence [B, K, 1] and its logits."""

  what: Moments
  motion: Moments
  depth: Moments
  presence: Array
  logits: Array


@flax.struct.dataclass
class Tracks:
  """What was found of the K objects carried into a frame.

  Attributes:
    objects: after the frame; gone ones have presence 0.
    logits: [B, K, 1] of presence.
    exists: [B, K, 1] 1 for slots that held an object, else 0; the rest is without meaning.
    what, motion, depth: of the posterior, [B, K, D].
    expected: priors.
  """

  objects: Objects
  logits: Array
  exists: Array
  what: Gaussian
  motion: Gaussian
  depth: Gaussian
  expected: Expectation

  def divergences(self, generated: Array | bool) -> dict[str, Array]:
    """Of each kind of latent to its prior, summed over objects: name -> [B], nats.

    What is generated is drawn from the prior and costs nothing but its presence.
    """
    inferred = jnp.where(generated, 0, (self.objects.presence * self.exists)[..., 0])
    presence = bernoulli_kl(nn.sigmoid(self.logits), self.expected.presence) * self.exists
    return {
      "kl_presence": presence.sum((1, 2)),
      "kl_where": (self.motion.kl(*self.expected.motion) * inferred).sum(1),
      "kl_what": (self.what.kl(*self.expected.what) * inferred).sum(1),
      "kl_depth": (self.depth.kl(*self.expected.depth) * inferred).sum(1),
    }

  def log_weight(self) -> Array:
    """log prior - log posterior of what was drawn, presence rounded: [B], nats."""
    expected, exists = self.expected, self.exists[..., 0]
    latents = (
      self.what.log_weight(*expected.what)
      + self.motion.log_weight(*expected.motion)
      + self.depth.log_weight(*expected.depth)
    )
    seen = exists * (self.objects.presence[..., 0] > 0.5)
    presence = rounded_log_weight(self.objects.presence, self.logits, expected.presence)
    return (seen * latents + exists * presence[..., 0]).sum(1)


class Prior(nn.Module):
  """What is expected of objects, from all of them before: a recurrence without sight."""

  what: int
  inputs: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, objects: Objects) -> tuple[Expectation, Array, Array]:
    """Expectation, and the hidden and cell state after it, each [B, K, P]."""
    batch, slots, units = objects.prior_hidden.shape
    known = (objects.what, objects.box, objects.motion, objects.depth, objects.presence)
    x = Linear(self.inputs, self.dtype, name="input")(jnp.concatenate(known, axis=-1))
    flat = lambda state: state.reshape(-1, units).astype(x.dtype)  # noqa: E731
    lstm = LSTM(units, dtype=self.dtype, name="lstm")
    state = (flat(objects.prior_hidden), flat(objects.prior_cell))
    _, state = lstm(x.reshape(-1, 1, self.inputs), state)
    hidden, cell = (part.reshape(batch, slots, units) for part in state)

    def head(size, name):
      return at_least_float32(Linear(size, self.dtype, name=name)(hidden))

    what, motion, depth = (
      split_moments(head(2 * size, name))
      for size, name in ((self.what, "what"), (4, "motion"), (1, "depth"))
    )
    logits = head(1, "presence") + PRIOR_PRESENCE_BIAS
    return Expectation(what, motion, depth, nn.sigmoid(logits), logits), hidden, cell


def split_moments(raw: Array, bias: float = 0.0) -> Moments:
  """Mean and deviation from raw outputs [..., 2D]."""
  mean, deviation = jnp.split(raw, 2, axis=-1)
  return mean, nn.softplus(deviation + bias)


class Propagation(nn.Module):
  """Follows objects from frame to frame.

  Draws that can be handed in: "presence" [B, K, 1], standard logistic; "motion" [B, K, 4], "what"
  [B, K, D], "depth" [B, K, 1], standard normal.

  Attributes:
    encode, decode: of glimpses, shared with the discovery.
    side: S; grid: G; glimpse: side of glimpses.
    latents: D.
    anchors: sizes that objects may have.
    step: how far an object moves at most in a frame; the frame is 2 wide.
    hidden: units of the recurrence that follows objects; inputs: of it.
    prior_hidden, prior_inputs: likewise of the prior.
    attention_hidden, attention_features: of the place where an object was.
    where_hidden, depth_hidden, presence_hidden, what_hidden: units of the networks for each.
    largest_logit: of presence.
    dtype: of the computation; None follows inputs and parameters.
  """

  encode: GlimpseEncoder
  decode: GlimpseDecoder
  side: int
  grid: int
  glimpse: int
  latents: int
  anchors: Anchors
  step: float = 0.2
  hidden: int = 128
  inputs: int = 128
  prior_hidden: int = 64
  prior_inputs: int = 128
  attention_hidden: int = 64
  attention_features: int = 128
  where_hidden: int = 128
  depth_hidden: int = 128
  presence_hidden: int = 64
  what_hidden: int = 64
  largest_logit: float = LARGEST_LOGIT
  dtype: jnp.dtype | None = None

  def setup(self):
    dtype = self.dtype
    self.prior = Prior(self.latents, self.prior_inputs, dtype)
    self.attention = ConvGroupNorm(self.attention_hidden, 1, 8, dtype=dtype)
    self.attention_output = Linear(self.attention_features, dtype)
    self.recurrence_input = Linear(self.inputs, dtype)
    self.recurrence = GRUCell(self.hidden, dtype)
    self.where_network = Perceptron(self.where_hidden, 8, dtype)
    self.what_network = Perceptron(self.what_hidden, 2 * self.latents, dtype)
    self.gate_network = Perceptron(self.what_hidden, 2, dtype)
    self.depth_network = Perceptron(self.depth_hidden, 2, dtype)
    self.presence_network = Perceptron(self.presence_hidden, 1, dtype)

  @nn.nowrap
  def start(self, batch: int, slots: int, dtype: jnp.dtype) -> Objects:
    """Empty slots."""
    return no_objects(batch, slots, self.latents, self.hidden, self.prior_hidden, dtype)

  def __call__(
    self,
    objects: Objects,
    frame: Array,
    features: Array,
    temperature: Array,
    generate: Array | bool = False,
    sample: Sample = True,
  ) -> tuple[Tracks, Canvases]:
    """What became of the objects.

    Args:
      objects: after the frame before, in K slots.
      frame: [B, S, S, 3].
      features: [B, G, G, F] of it.
      temperature: of the relaxed presence.
      generate: bool scalar, whether to draw from the prior.
      sample: as in `objectcentric_jax.nn.noise`.
    """

    def drawn(name: str, posterior: Moments, prior: Moments) -> Gaussian:
      mean, deviation = posterior
      noise = draw_normal(self, sample, name, mean.shape, mean.dtype)
      used = jax.tree.map(lambda p, q: jnp.where(generate, p, q), prior, posterior)
      return Gaussian(mean, deviation, used[0] + used[1] * noise)

    exists = objects.exists[..., None].astype(objects.presence.dtype)
    expected, prior_hidden, prior_cell = self.prior(objects)
    seen = self._attend(features, objects.box)
    hidden = self._remember(objects, seen)
    raw = self._apply(self.where_network, hidden, objects.what, objects.box, objects.motion, seen)
    moments = split_moments(raw, MOTION_DEVIATION_BIAS)
    motion = drawn("motion", moments, expected.motion)
    box = self._move(objects.box, motion.value)
    what = drawn("what", self._look(frame, box, hidden, seen), expected.what)
    raw = self._apply(self.depth_network, hidden, what.value, seen)
    depth = drawn("depth", split_moments(raw), expected.depth)
    raw = self._apply(self.presence_network, hidden, box, motion.value, what.value)
    logits = presence_logits(raw + PRESENCE_BIAS, self.largest_logit)
    noise = draw_logistic(self, sample, "presence", logits.shape, logits.dtype)
    used = jnp.where(generate, expected.logits, logits)
    presence = relaxed_bernoulli(used, temperature, noise)
    absence = objects.absence + (1 - presence) * exists
    presence = presence * (absence < GONE).astype(presence.dtype)
    found = Objects(
      what=what.value,
      box=box,
      motion=motion.value,
      depth=depth.value,
      presence=presence,
      hidden=hidden,
      prior_hidden=prior_hidden,
      prior_cell=prior_cell,
      absence=absence,
      identity=objects.identity,
    )
    found = jax.tree.map(
      lambda x: x * exists.reshape(exists.shape[: x.ndim]).astype(x.dtype), found
    )
    tracks = Tracks(found, logits, exists, what, motion, depth, expected)
    return tracks, self._draw(found, box)

  def _apply(self, network: Perceptron, *known: Array) -> Array:
    return at_least_float32(network(jnp.concatenate(known, axis=-1)))

  def _attend(self, features: Array, box: Array) -> Array:
    """Features [B, K, A] of half the frame around where the objects were."""
    half = jnp.full_like(box[..., :2], 0.5)
    around = jnp.concatenate([half, lax.stop_gradient(box[..., 2:])], axis=-1)
    windows = cut(at_least_float32(features), around, self.grid // 2)
    x = self.attention(windows.reshape(-1, *windows.shape[2:]))
    return at_least_float32(self.attention_output(x.reshape(*box.shape[:2], -1)))

  def _remember(self, objects: Objects, seen: Array) -> Array:
    """The hidden state of the recurrence after the frame, [B, K, H]."""
    known = (objects.box, objects.presence, objects.what, objects.motion, seen)
    x = self.recurrence_input(jnp.concatenate(known, axis=-1))
    flat = objects.hidden.reshape(-1, self.hidden)
    hidden = self.recurrence(x.reshape(-1, self.inputs), flat)
    return at_least_float32(hidden.reshape(objects.hidden.shape))

  def _move(self, box: Array, motion: Array) -> Array:
    """The size is set anew, the place changes by a step and stays near the frame."""
    shift = box[..., 2:] + self.step * tanh(motion[..., 2:])
    shift = jnp.clip(shift, -FARTHEST, FARTHEST)
    return jnp.concatenate([self.anchors.sizes(motion[..., :2]), shift], axis=-1)

  def _look(self, frame: Array, box: Array, hidden: Array, seen: Array) -> Moments:
    """Moments of what the objects look like: from a glimpse and from memory, each gated."""
    glimpses = cut(at_least_float32(frame), box, self.glimpse)
    encoded = self.encode(glimpses.reshape(-1, *glimpses.shape[2:]))
    mean, raw_deviation = (x.reshape(*box.shape[:2], -1) for x in encoded)
    remembered, remembered_deviation = split_moments(self._apply(self.what_network, hidden))
    gates = nn.sigmoid(self._apply(self.gate_network, hidden, seen))
    forget, enter = gates[..., :1], gates[..., 1:]
    deviation = enter * nn.softplus(raw_deviation) + forget * remembered_deviation
    return enter * mean + forget * remembered, nn.softplus(deviation)

  def _draw(self, objects: Objects, box: Array) -> Canvases:
    """On a frame each; `box` also where there is no object, so that it has a size."""
    decoded = self.decode(objects.what.reshape(-1, self.latents))
    colours, alphas = (x.reshape(*box.shape[:2], *x.shape[1:]) for x in decoded)
    return draw(colours, alphas, objects.presence, objects.depth, box, self.side)
