"""Encoder and decoders of Loci-Segmented together, on single objects: its stages 1 and 2.

With `config.model.passes` 0 (stage 1) the encoder looks once and the decoders are told the true
place, mask and depth. With 1 to 3 (stage 2) it looks that many times, from the second time on with
weights that its own codes chose, and the decoders get nothing but what was encoded. Later passes
come in over the first thousands of updates. Published code: model/pretrainer.py of
CognitiveModeling/Loci-Segmented.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.errors import InputError, check_fields
from objectcentric_jax.losses.ssim import l1_ssim
from objectcentric_jax.models.loci.curricula import decaying
from objectcentric_jax.models.loci.decoders import (
  SlotDecoder,
  make_slot_decoder,
  mask_probability,
)
from objectcentric_jax.models.loci.encoder import Encoder, first_inputs, make_encoder
from objectcentric_jax.models.loci.objects import (
  RGB_LOSSES,
  Objects,
  check_rgb_loss,
  mask_error,
  mask_iou,
  object_position,
  object_scores,
  objects_of,
  scene_of_objects,
)
from objectcentric_jax.models.loci.panels import object_panel
from objectcentric_jax.models.loci.pretraining import check_size
from objectcentric_jax.nn.compute import compute_dtype
from objectcentric_jax.nn.gaussian_position import place_inside
from objectcentric_jax.nn.noise import NOISE, Sample, draw_normal

Array = jax.Array

MOST_PASSES = 3
MASK_WEIGHT = 100.0
FIRST_PERIOD, SECOND_PERIOD, POSITION_PERIOD = 2500, 5000, 20_000  # updates of one step
LEAST_FIRST, LEAST_POSITION = 0.01, 0.01
# First calls in which passes of no weight are run, too, to find out the memory.
UNWEIGHTED_CALLS = 10
LOSSES = ("mask_loss", "rgb_loss", "depth_loss", "position_loss", "z_loss")
WEIGHED = (*LOSSES, "mean_iou")  # summed over passes; others are of the last one that was run


@flax.struct.dataclass
class Decoded:
  """What was encoded and decoded of one object in each picture.

  Attributes:
    position: [B, 4] x, y, z, deviation.
    gestalt: [B, 3G + 1] codes of mask, depth and colours, and the scale of the depth.
    mask: [B, H, W, 1] probability.
    rgb: [B, H, W, 3].
    depth: [B, H, W, 1], standardised.
  """

  position: Array
  gestalt: Array
  mask: Array
  rgb: Array
  depth: Array


class EncoderDecoder(nn.Module):
  """Encoder and decoders of one slot.

  Attributes:
    encoder, decoder: of slots.
    codes: 3G + 1.
    use_depth: whether the encoder sees the depth.
    initial_size: deviation of the Gaussian that points at the object, at first. Below a pixel, as
      published, nothing of it is learned: it is drawn as one pixel.
  """

  encoder: Encoder
  decoder: SlotDecoder
  codes: int
  use_depth: bool
  initial_size: float

  def setup(self):
    self.initial_depth = self.param("initial_depth", nn.initializers.zeros, (1,), jnp.float32)
    size = nn.initializers.constant(self.initial_size)
    self.initial_deviation = self.param("initial_deviation", size, (1,), jnp.float32)

  def __call__(self, objects: Objects, training: bool, sample: Sample = True) -> Decoded:
    """Both stages, so that `init` meets every parameter."""
    start = self.start(objects, sample)
    return self.look(objects, start, jnp.ones(()), training, sample)

  def start(self, objects: Objects, sample: Sample = True) -> Decoded:
    """A place inside the object, and nothing else. The draw is called `place`."""
    mask = objects.confidence
    place = place_inside(mask, draw_normal(self, sample, "place", mask.shape, mask.dtype))
    parameters = jnp.concatenate([self.initial_depth, self.initial_deviation]).astype(place.dtype)
    parameters = jnp.broadcast_to(parameters[None], (len(mask), 2))
    return Decoded(
      position=jnp.concatenate([place, parameters], axis=-1),
      gestalt=jnp.zeros((len(mask), self.codes), mask.dtype),
      mask=jnp.zeros_like(mask),
      rgb=jnp.zeros_like(objects.image),
      depth=jnp.zeros_like(mask),
    )

  def told(self, objects: Objects, training: bool, sample: Sample = True) -> Decoded:
    """Stage 1: encoded once with the base weights, decoded with the true place, mask and depth."""
    start = self.start(objects, sample)
    inputs = self._inputs(objects, start, jnp.zeros(()))
    position, gestalt, _ = self.encoder(inputs, training, sample, dynamic=False)
    truth = true_position(objects)[:, None]
    given = objects.mask[:, None], objects.standard_depth[:, None]
    decoded = self.decoder(truth, gestalt, given_mask=given[0], given_depth=given[1])
    return _decoded(position, gestalt, decoded)

  def look(
    self, objects: Objects, last: Decoded, again: Array, training: bool, sample: Sample = True
  ) -> Decoded:
    """Stage 2: one pass; `again` is 1 if the codes of the last one choose weights, 0 if not."""
    inputs = self._inputs(objects, last, again)
    position, gestalt, _ = self.encoder(inputs, training, sample)
    return _decoded(position, gestalt, self.decoder(position, gestalt))

  def _inputs(self, objects: Objects, last: Decoded, again: Array):
    depth = objects.depth if self.use_depth else jnp.zeros_like(objects.depth)
    position, gestalt = last.position[:, None], last.gestalt[:, None]
    inputs = first_inputs(objects.image, depth, position, self.codes)
    # The last colours and depth would be multiplied by a raw mask of zeros.
    mask = jnp.stack([last.mask, jnp.zeros_like(last.mask)], axis=1)
    active = jnp.broadcast_to(again.astype(gestalt.dtype), (len(gestalt), 1))
    return inputs.replace(mask=mask, gestalt=gestalt, active=active)


def _decoded(position, gestalt, slots) -> Decoded:
  return Decoded(
    position=position[:, 0],
    gestalt=gestalt[:, 0],
    mask=mask_probability(slots.mask[:, 0]),
    rgb=slots.rgb[:, 0],
    depth=slots.standard_depth[:, 0],
  )


def true_position(objects: Objects) -> Array:
  """x, y, z and deviation of the objects: [B, 4]."""
  place = object_position(objects.confidence)
  return jnp.concatenate([place[:, :2], objects.z, place[:, 2:]], axis=-1)


@dataclasses.dataclass(frozen=True)
class EncoderDecoderTask:
  """Both stages, as `objectcentric_jax.training.task.Task`; they draw no new scenes.

  `model_state["counters"]` counts what the weights of stage 2 depend on: "calls", "first",
  "second" and "position".

  Attributes:
    network: the model.
    passes: 0 for stage 1, otherwise how often stage 2 looks.
    rgb_loss: name of the loss of colours.
    stretch: how many times longer the curricula of passes are, and
    position_stretch: that of the loss of positions; the published code takes the number of steps
      whose gradients make an update for both.
    rematerialise: whether the backward pass computes every pass again instead of keeping it.
  """

  network: EncoderDecoder
  passes: int
  rgb_loss: str
  stretch: float
  position_stretch: float
  rematerialise: bool

  metrics = (object_scores,)

  @property
  def losses(self):
    return {"reconstruction": self.reconstruction}

  def init(self, rng, batch):
    params = self.network.init({"params": rng, NOISE: rng}, objects_of(batch), True, False)
    zero = jnp.zeros((), jnp.int32)
    counters = {"first": zero, "second": zero, "position": zero}
    counters["calls"] = jnp.asarray(round(-UNWEIGHTED_CALLS * self.stretch), jnp.int32)
    return params["params"], {"counters": counters} if self.passes else {}

  def reconstruction(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Sum of the losses of mask, colours, depth and position."""
    objects = objects_of(batch)
    terms, _, model_state = self.explain(params, model_state, objects, rng, True, sample)
    return sum(terms[name] for name in LOSSES), (model_state, terms)

  def explain(self, params, model_state, objects: Objects, rng, training: bool, sample=True):
    """Terms (batch means), what was decoded last, and the next model state."""
    if self.passes:
      return self._looked(params, model_state, objects, rng, training, sample)
    decoded = self._apply(params, rng, "told", objects, training, sample)
    terms = {n: v.mean() for n, v in self.object_terms(decoded, objects, 1.0, 1.0).items()}
    return terms, decoded, model_state

  def _apply(self, params, rng, method: str, *arguments):
    return self.network.apply({"params": params}, *arguments, method=method, rngs={NOISE: rng})

  def _looked(self, params, model_state, objects, rng, training, sample):
    counters = {**model_state["counters"]}
    counters["calls"] = counters["calls"] + 1
    weights, counters = self.pass_weights(counters)
    run = (weights > 0) | (counters["calls"] <= 0)
    start = self._apply(params, rng, "start", objects, sample)

    def look(last: Decoded, count: Array, number: Array):
      key = jax.random.fold_in(rng, number)
      decoded = self._apply(params, key, "look", objects, last, number > 0, training, sample)
      terms = self.object_terms(decoded, objects, *self.position_weights(count))
      return decoded, count + 2, {name: value.mean() for name, value in terms.items()}

    look = jax.checkpoint(look) if self.rematerialise else look

    def step(carry, number):
      last, count, terms = carry
      decoded, counted, found = lax.cond(
        run[number], look, lambda last, count, _: (last, count, terms), last, count, number
      )
      weight = (weights * run)[number]
      weighed = {name: found[name] * weight.astype(found[name].dtype) for name in WEIGHED}
      return (decoded, counted, found), weighed

    shapes = jax.eval_shape(look, start, counters["position"], jnp.zeros((), jnp.int32))[2]
    blank = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)
    carry = (start, counters["position"], blank)
    (decoded, count, terms), weighed = lax.scan(step, carry, jnp.arange(self.passes))
    terms = terms | {name: value.sum(0) for name, value in weighed.items()}
    terms |= {f"pass_weight_{i}": weight for i, weight in enumerate(weights)}
    return terms, decoded, {**model_state, "counters": counters | {"position": count}}

  def pass_weights(self, counters: Mapping[str, Array]) -> tuple[Array, dict[str, Array]]:
    """Of the three passes [3], summing to one, and the counters after that."""
    first = decaying(counters["first"], FIRST_PERIOD * self.stretch)
    second = decaying(counters["second"], SECOND_PERIOD * self.stretch)
    middle = jnp.minimum(1 - first, jnp.maximum(0.1, second))
    weights = jnp.stack([jnp.maximum(first, LEAST_FIRST), middle, 1 - second])
    counted = {name: counters[name] + 1 for name in ("first", "second")}
    return weights / weights.sum(), {**counters, **counted}

  def position_weights(self, count: Array) -> tuple[Array, Array]:
    """Of the losses of place and size, which count on after each other."""
    period = POSITION_PERIOD * self.position_stretch
    return decaying(count, period, LEAST_POSITION), decaying(count + 1, period, LEAST_POSITION)

  def object_terms(
    self, decoded: Decoded, objects: Objects, place_weight, size_weight
  ) -> dict[str, Array]:
    """Losses (see LOSSES) and what is known of them, each [B]."""
    truth, position = true_position(objects), decoded.position
    squares = (position - truth) ** 2
    place = squares[:, :2].mean(-1) * place_weight + squares[:, 3] * size_weight
    scale = (decoded.gestalt[:, -1:] - objects.scale) ** 2
    colours = RGB_LOSSES[self.rgb_loss](decoded.rgb, objects.image, objects.confidence)
    depth = l1_ssim(decoded.depth, objects.standard_depth, objects.depth_weight)
    return {
      "mask_loss": MASK_WEIGHT * mask_error(decoded.mask, objects.mask),
      "mean_iou": mask_iou(decoded.mask, objects.mask),
      "position_loss": place,
      "z_loss": ((squares[:, 2:3] + scale) * objects.has_depth)[:, 0],
      **dict(zip(("rgb_loss", "rgb_l1", "rgb_ssim"), colours, strict=True)),
      **dict(zip(("depth_loss", "depth_l1", "depth_ssim"), depth, strict=True)),
    }

  def decode_objects(self, params, objects: Objects, rng, sample: Sample = True) -> Decoded:
    """What is decoded of the objects in evaluation mode, after all passes."""
    if not self.passes:
      return self._apply(params, rng, "told", objects, False, sample)
    decoded = self._apply(params, rng, "start", objects, sample)
    for number in range(self.passes):
      again = jnp.asarray(float(number > 0))
      decoded = self._apply(params, rng, "look", objects, decoded, again, False, sample)
    return decoded

  def scene(self, params, model_state, batch, rng, sample: Sample = True):
    objects = objects_of(batch)
    decoded = self.decode_objects(params, objects, rng, sample)
    parts = (decoded.mask, decoded.rgb, decoded.depth, decoded.gestalt)
    return scene_of_objects(objects, *parts)

  def terms(self, params, model_state, batch, rng, sample: Sample = True):
    return {}

  @property
  def panels(self):
    return {"object": self.object_panel}

  def object_panel(self, params, model_state, batch, rng):
    """See `objectcentric_jax.models.loci.panels.object_panel`."""
    objects = objects_of(batch)
    decoded = self.decode_objects(params, objects, rng)
    parts = {"mask": decoded.mask, "rgb": decoded.rgb, "depth": decoded.depth}
    return object_panel(objects, parts, decoded.position, decoded.gestalt)


FIELDS = (
  *("passes", "input_depth", "height", "width", "gestalt", "embedding", "encoder", "decoder"),
  *("rgb_loss", "initial_size", "stretch", "position_stretch", "squashed_deviation"),
  *("rematerialise", "dtype"),
)


def make_task(config: Mapping[str, Any], axis_name: str | None = None) -> EncoderDecoderTask:
  """Builds the task from `config.model`; see `configs/loci/_base.py` for its fields.

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  check_fields("config.model", config, FIELDS)
  check_size(config)
  check_rgb_loss(config["rgb_loss"])
  if not 0 <= config["passes"] <= MOST_PASSES:
    raise InputError(f"config.model.passes is {config['passes']}: 0 to {MOST_PASSES} are possible")
  dtype = compute_dtype(config["dtype"])
  network = EncoderDecoder(
    encoder=make_encoder(config, dtype),
    decoder=make_slot_decoder(config, dtype),
    codes=3 * config["gestalt"] + 1,
    use_depth=config["input_depth"],
    initial_size=config["initial_size"],
  )
  return EncoderDecoderTask(
    network,
    config["passes"],
    config["rgb_loss"],
    config["stretch"],
    config["position_stretch"],
    config["rematerialise"],
  )
