"""Loci-Segmented over time: what a slot was, what it is seen to be, what it will be.

In every step the slots of the last one look at the next frame (encoder), are drawn in front of the
background (reconstruction), mixed with what was expected (update gate), moved ahead (predictor) and
drawn again (prediction). Before a video begins they look at its first frame a number of times
without expecting anything: the teacher-forced start, at negative times.

Traub et al., Loci-Segmented: Improving Scene Segmentation Learning (arXiv 2310.10410); published
code: model/loci.py of CognitiveModeling/Loci-Segmented.
"""

from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
from jax import lax

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.loci.background import Background
from objectcentric_jax.models.loci.decoders import SlotDecoder, mask_probability
from objectcentric_jax.models.loci.encoder import Encoder, SlotInputs
from objectcentric_jax.models.loci.latents import Latents
from objectcentric_jax.models.loci.mask_drop import drop_similar
from objectcentric_jax.models.loci.object_discovery import ObjectDiscovery
from objectcentric_jax.models.loci.predictor import Memory, Predictor
from objectcentric_jax.models.loci.proposal import ProposalNetwork, largest_first, proposals
from objectcentric_jax.models.loci.regularisers import (
  appearance_loss,
  largest_of_masks,
  position_loss,
)
from objectcentric_jax.models.loci.update_gate import UpdateGate
from objectcentric_jax.nn.gradients import clip
from objectcentric_jax.nn.moments import at_least_float32
from objectcentric_jax.nn.noise import NOISE, Sample, draw_normal

Array = jax.Array

RANDOM, REGULARIZATION, SEGMENTATION = MODES = ("random", "regularization", "segmentation")
SURE = 0.8  # mask value from which on a pixel counts as the slot's
USED = 0.75  # likewise, for a slot to count as used
FOREGROUND = 0.8  # uncertainty of the background from which on a pixel is foreground
APPEARANCE_WEIGHT = 0.1


@flax.struct.dataclass
class View:
  """Slots drawn in front of the background.

  Attributes:
    image: [B, H, W, 3] colours.
    depth: [B, H, W, 1].
    masks: [B, K + 1, H, W, 1], sum to one; the background is last.
    raw_masks: [B, K, H, W, 1] of every slot alone, hidden parts included.
    components: [B, K + 1, H, W, 3] colours of each alone.
    depths: [B, K + 1, H, W, 1] likewise.
    standard_depths: [B, K, H, W, 1] before they are scaled and moved.
    occlusion: [B, K, 1] share of its sure pixels that a slot lost to others.
  """

  image: Array
  depth: Array
  masks: Array
  raw_masks: Array
  components: Array
  depths: Array
  standard_depths: Array
  occlusion: Array


@flax.struct.dataclass
class Carry:
  """What goes from one chunk of a video to the next, of every example.

  Attributes:
    begun: [B] bool: whether the sequence has begun; nothing else counts before.
    time: [B] int32 place in the clip of the first frame of the last chunk.
    frame: [B, H, W, 3] and frame_depth [B, H, W, 1]: the last frame.
    latents: slots as expected in the next one.
    masks, raw_masks, occlusion, depth: of the last view, see `View`.
    background, background_depth: [B, H, W, 3 or 1] in the last frame.
    presence: [B, K, 1] see `object_discovery`.
    memory: of the predictor.
    position_seen, appearance_seen: [B, K] largest mask value of each slot so far, as the losses of
      position and appearance have seen it.
  """

  begun: Array
  time: Array
  frame: Array
  frame_depth: Array
  latents: Latents
  masks: Array
  raw_masks: Array
  occlusion: Array
  depth: Array
  background: Array
  background_depth: Array
  presence: Array
  memory: Memory
  position_seen: Array
  appearance_seen: Array


@flax.struct.dataclass
class Loop:
  """What goes from one step to the next.

  Attributes:
    carry: see `Carry`.
    components, standard_depths: [B, K, H, W, 3 or 1] of the last view.
    permanence: scalar, see `object_discovery`.
  """

  carry: Carry
  components: Array
  standard_depths: Array
  permanence: Array


@flax.struct.dataclass
class Step:
  """What one step needs from outside.

  Attributes:
    image: [B, H, W, 3] and depth [B, H, W, 1]: the frame that is looked at.
    next_image, next_depth: the one after it.
    time: scalar int32; negative before the video begins.
    first: scalar bool: whether the chunk begins here.
    draws: given draws by name, see `LociNetwork`; may be empty.
  """

  image: Array
  depth: Array
  next_image: Array
  next_depth: Array
  time: Array
  first: Array
  draws: Mapping[str, Array]


@flax.struct.dataclass
class Seen:
  """What one step found.

  Attributes:
    uncertainty: [B, H, W, 1] how little of each pixel is background.
    background: [B, H, W, 3] and background_depth [B, H, W, 1] in this frame.
    reconstruction: of this frame.
    latents: slots of this frame, after the update gate.
    prediction: of the next frame, and the slots in it; those of this frame in a teacher-forced
      step.
    predicted: likewise.
    position_gate, gestalt_gate: [B, K, 1]; 0 in a teacher-forced step, as all that follows.
    openings: [cells] share of open gates in the predictor.
    position_loss, appearance_loss: scalars.
    uncertainty_error: [B] how much the uncertainty differs from the masks; not trained on.
  """

  uncertainty: Array
  background: Array
  background_depth: Array
  reconstruction: View
  latents: Latents
  prediction: View
  predicted: Latents
  position_gate: Array
  gestalt_gate: Array
  openings: Array
  position_loss: Array
  appearance_loss: Array
  uncertainty_error: Array


class LociNetwork(nn.Module):
  """All modules, and their order in a step.

  Given draws of a step (see `objectcentric_jax.nn.noise`): "discovery" and "discovery_error" of
  `object_discovery`, "mask_drop_first" and "mask_drop" [B, K, 3 G + 1] of dropped slots.

  Attributes:
    encoder, decoder, predictor, update_gate, discovery, background: the modules.
    proposal: of first masks, in the mode "segmentation".
    mode: how slots find their objects: at random; at random, dropping all but one of several that
      find the same; or guided by proposals.
    input_depth: whether depth is an input; else the model looks at the depth that it expects.
    teacher_forcing: free steps up to this one that the losses of position and appearance wait.
    raw_predictions: whether predictions are decoded with hidden parts, as in training.
    drop_over_batch: see `drop_similar`.
    rematerialise: whether the backward pass computes steps again instead of keeping them.
  """

  encoder: Encoder
  decoder: SlotDecoder
  predictor: Predictor
  update_gate: UpdateGate
  discovery: ObjectDiscovery
  background: Background
  proposal: ProposalNetwork | None
  slots: int
  mode: str
  input_depth: bool
  teacher_forcing: int
  raw_predictions: bool = True
  drop_over_batch: bool = False
  rematerialise: bool = False

  def __call__(
    self,
    carry: Carry,
    permanence: Array,
    steps: Step,
    train: bool,
    sample: Sample,
    observe: Callable[[Seen, Step], Any],
  ) -> tuple[Carry, Array, Any]:
    """Runs the steps of a chunk.

    Args:
      carry: of the chunk before; its gradients end here.
      permanence: scalar, see `object_discovery`.
      steps: with a leading axis of time.
      train: whether codes are noisy and not rounded.
      sample: whether to draw; draws that steps hold are taken from there.
      observe: what to keep of each step.

    Returns:
      carry, permanence, and what was observed, with a leading axis of time.
    """
    carry = lax.stop_gradient(carry)
    first = jax.tree.map(lambda x: x[0], steps)
    carry = self._guided(carry, first)
    blank = carry.raw_masks
    loop = Loop(carry, jnp.repeat(blank, 3, -1), blank, permanence)

    def step(network, loop, step):
      drawn = {**step.draws} or sample
      return network.step(loop, step, train, drawn, observe)

    if self.is_initializing():
      loop, observed = step(self, loop, first)
      return loop.carry, loop.permanence, observed
    if self.rematerialise:
      step = nn.remat(step, prevent_cse=False)
    scan = nn.scan(
      step,
      variable_broadcast="params",
      split_rngs={"params": False, NOISE: True},
      check_constancy_invariants=False,  # there are only parameters, and it would trace twice
    )
    loop, observed = scan(self, loop, steps)
    return loop.carry, loop.permanence, observed

  def step(self, loop: Loop, step: Step, train: bool, sample: Sample, observe):
    """One step; see the module's first lines."""
    carry, forced = loop.carry, step.time < 0
    uncertainty, behind, behind_depth = self._behind(step.image, step.depth, train, sample)
    before = (
      _where(carry.begun, carry.background, behind),
      _where(carry.begun, carry.background_depth, behind_depth),
    )
    own = carry.masks[:, :-1]
    error = nn.relu(uncertainty - own.sum(1))
    has_mask = carry.begun | (self.mode == SEGMENTATION)
    found = self.discovery(
      error, own, has_mask, carry.latents, carry.presence, loop.permanence, sample
    )
    last = self._last_view(loop, found.latents, before, step.first, forced, sample)
    components, standard_depths, raw_masks, occlusion, expected_depth = last

    position, gestalt, priority = self.encoder(
      SlotInputs(
        image=step.image,
        depth=step.depth if self.input_depth else expected_depth,
        error=error,
        mask=carry.masks,
        raw_mask=raw_masks,
        rgb=components,
        depth_of_slot=standard_depths,
        position=found.latents.position,
        gestalt=found.latents.gestalt,
        active=found.alive[..., 0],
      ),
      train,
      sample,
    )
    seen = Latents(position, gestalt, priority[..., None])
    reconstruction = self.view(seen, True, before, forced, sample, "mask_drop")
    if self.mode == SEGMENTATION:  # proposals stay until the video begins
      kept = jnp.where(forced, carry.masks, reconstruction.masks)
      reconstruction = reconstruction.replace(masks=kept)

    behind = (behind, behind_depth)
    result = self._ahead(
      forced, carry, step.time, seen, reconstruction, found.latents, occlusion, components, behind,
      uncertainty, train, sample,
    )  # fmt: skip
    result, memory, position_seen, appearance_seen = result
    after = result.prediction
    carry = Carry(
      begun=jnp.ones_like(carry.begun),
      time=carry.time,
      frame=step.next_image,
      frame_depth=step.next_depth,
      latents=result.predicted,
      masks=after.masks,
      raw_masks=after.raw_masks,
      occlusion=after.occlusion,
      depth=after.depth,
      background=behind[0],
      background_depth=behind[1],
      presence=found.presence,
      memory=memory,
      position_seen=position_seen,
      appearance_seen=appearance_seen,
    )
    loop = Loop(carry, after.components[:, :-1], after.standard_depths, found.permanence)
    return loop, observe(result, step)

  def view(
    self, latents: Latents, priority: bool, background, forced, sample, draw: str, raw: bool = True
  ) -> View:
    """Draws slots in front of `background` (colours, depth).

    Args:
      priority: whether slots cover each other.
      forced: scalar bool: whether the step is teacher-forced, when similar slots may be dropped.
      draw: name of the draw of dropped slots.
      raw: whether to decode masks with their hidden parts too.
    """
    order = latents.priority[..., 0] if priority else None
    slots = self.decoder(latents.position, latents.gestalt, order, raw and priority, sample=sample)
    logits = at_least_float32(slots.mask)
    if self.mode == REGULARIZATION:
      noise = draw_normal(self, sample, draw, latents.gestalt.shape, latents.gestalt.dtype)
      kept = drop_similar(logits, latents.position, latents.gestalt, noise, self.drop_over_batch)
      logits = jnp.where(forced, kept, logits)
    masks = nn.softmax(jnp.concatenate([logits, jnp.ones_like(logits[:, :1])], axis=1), axis=1)
    raw_masks = mask_probability(slots.raw_mask)
    pixels = (2, 3)
    visible = (masks[:, :-1] > SURE).astype(masks.dtype).sum(pixels)
    whole = (raw_masks > SURE).astype(masks.dtype).sum(pixels)
    components = jnp.concatenate([slots.rgb, background[0][:, None].astype(slots.rgb.dtype)], 1)
    depths = jnp.concatenate([slots.depth, background[1][:, None].astype(slots.depth.dtype)], 1)
    return View(
      image=(masks * components).sum(1),
      depth=(masks * depths).sum(1),
      masks=masks,
      raw_masks=raw_masks,
      components=components,
      depths=depths,
      standard_depths=slots.standard_depth,
      occlusion=clip(1 - visible / (whole + 1e-8), 0.0, 1.0),
    )

  def _picture(self, image: Array, depth: Array) -> Array:
    """What background and proposals look at."""
    return jnp.concatenate([image, depth], axis=-1) if self.input_depth else image

  def _behind(self, image, depth, train, sample) -> tuple[Array, Array, Array]:
    """Uncertainty, colours and depth of the background, which is not trained here."""
    picture = self._picture(image, depth)
    if self.is_initializing():  # its encoder of motion has nothing to do here, but has weights
      still, certain = jnp.zeros((len(image),), bool), jnp.zeros_like(image[..., :1])
      self.background(picture, picture, certain, certain, still, 1.0, train, sample)
    return lax.stop_gradient(self.background.still(picture, train, sample))

  def _guided(self, carry: Carry, step: Step) -> Carry:
    """The carry, with masks and positions from proposals in the rows where a sequence begins."""
    if self.mode != SEGMENTATION:
      return carry

    def propose(network, carry):
      picture = network._picture(step.image, step.depth)
      uncertainty = network.background.uncertainty(picture)
      foreground = (uncertainty > FOREGROUND).astype(picture.dtype)
      seen = step.depth if network.input_depth else step.image
      masks, position = proposals(network.proposal(seen, foreground)[1], step.depth)
      rest = 1 - masks.max(1, keepdims=True)
      masks, position = largest_first(masks, position, network.slots)
      masks = jnp.concatenate([masks, rest], axis=1)
      latents = carry.latents
      place = lax.stop_gradient(_where(carry.begun, latents.position, position))
      masks = lax.stop_gradient(_where(carry.begun, carry.masks, masks))
      return carry.replace(latents=latents.replace(position=place), masks=masks)

    if self.is_initializing():
      return propose(self, carry)
    return nn.cond(carry.begun.all(), lambda network, carry: carry, propose, self, carry)

  def _last_view(self, loop: Loop, latents, background, first, forced, sample):
    """What slots looked like: drawn again where a chunk begins, so that gradients reach it.

    Returns:
      components, standard depths, raw masks, occlusion and the whole depth. The last three are
      those of the last view, but where there was none.
    """
    carry = loop.carry

    def draw(network):
      view = network.view(latents, False, background, forced, sample, "mask_drop_first")
      return (
        view.components[:, :-1],
        view.standard_depths,
        _where(carry.begun, carry.raw_masks, view.raw_masks),
        _where(carry.begun, carry.occlusion, view.occlusion),
        _where(carry.begun, carry.depth, view.depth),
      )

    def keep(network):
      last = (loop.components, loop.standard_depths)
      return (*last, carry.raw_masks, carry.occlusion, carry.depth)

    if self.is_initializing():
      return draw(self)
    return nn.cond(first, draw, keep, self)

  def _ahead(
    self, forced, carry, time, seen, reconstruction, last, occlusion, components, behind,
    uncertainty, train, sample,
  ):  # fmt: skip
    """From what was seen to what is expected, in steps that are not teacher-forced.

    Returns:
      what the step found, the predictor's memory, and what the losses have seen.
    """
    own = carry.masks[:, :-1]
    used = (own.max((2, 3, 4)) > USED).astype(own.dtype).mean(1)
    shared = dict(
      uncertainty=uncertainty,
      background=behind[0],
      background_depth=behind[1],
      reconstruction=reconstruction,
      uncertainty_error=lax.stop_gradient(((uncertainty - own.sum(1)) ** 2).mean() * used),
    )

    def wait(network):
      nothing = jnp.zeros((), reconstruction.image.dtype)
      closed = jnp.zeros_like(reconstruction.occlusion)
      found = Seen(
        latents=seen,
        prediction=reconstruction,
        predicted=seen,
        position_gate=closed,
        gestalt_gate=closed,
        openings=jnp.zeros((network.predictor.layers + 1,), nothing.dtype),
        position_loss=nothing,
        appearance_loss=nothing,
        **shared,
      )
      return found, carry.memory, carry.position_seen, carry.appearance_seen

    def move(network):
      mixture, position_gate, gestalt_gate = network.update_gate(
        seen, reconstruction.occlusion, last, occlusion, train, sample
      )
      ahead, memory, openings = network.predictor(mixture, carry.memory, train, sample)
      raw = network.raw_predictions
      prediction = network.view(ahead, True, behind, False, sample, "mask_drop", raw)
      settled = time >= network.teacher_forcing
      settled &= time > 0  # the first call only looks
      masks, expected = largest_of_masks(own), largest_of_masks(prediction.masks[:, :-1])
      position_seen = jnp.where(settled, jnp.maximum(carry.position_seen, masks), masks)
      looks_seen = jnp.where(settled, jnp.maximum(carry.appearance_seen, expected), expected)
      moved = position_loss(ahead.position, last.position, position_seen)
      changed = appearance_loss(
        lax.stop_gradient(components),
        last.position,
        prediction.components[:, :-1],
        ahead.position,
        looks_seen,
      )
      found = Seen(
        latents=mixture,
        prediction=prediction,
        predicted=ahead,
        position_gate=position_gate,
        gestalt_gate=gestalt_gate,
        openings=lax.stop_gradient(openings),
        position_loss=jnp.where(settled, moved, 0.0),
        appearance_loss=jnp.where(settled, APPEARANCE_WEIGHT * changed, 0.0),
        **shared,
      )
      return found, memory, position_seen, looks_seen

    if self.is_initializing():
      return move(self)
    return nn.cond(forced, wait, move, self)


def _where(chosen: Array, x: Array, y: Array) -> Array:
  """Rows of x where `chosen` [B], else of y."""
  return jnp.where(chosen.reshape(-1, *(1,) * (x.ndim - 1)), x, y)


def new_carry(network: LociNetwork, batch: int, height: int, width: int, dtype) -> Carry:
  """That of sequences which have not begun."""
  slots, size = network.slots, 3 * network.encoder.code + 1
  picture = lambda *shape: jnp.zeros((batch, *shape), dtype)  # noqa: E731
  features = network.predictor.heads * network.predictor.features
  return Carry(
    begun=jnp.zeros((batch,), bool),
    time=jnp.zeros((batch,), jnp.int32),
    frame=picture(height, width, 3),
    frame_depth=picture(height, width, 1),
    latents=Latents(picture(slots, 4), picture(slots, size), picture(slots, 1)),
    masks=picture(slots + 1, height, width, 1),
    raw_masks=picture(slots, height, width, 1),
    occlusion=picture(slots, 1),
    depth=picture(height, width, 1),
    background=picture(height, width, 3),
    background_depth=picture(height, width, 1),
    presence=picture(slots, 1),
    memory=Memory.zeros(batch, slots, features, network.predictor.layers, dtype),
    position_seen=picture(slots),
    appearance_seen=picture(slots),
  )


def begin_anew(carry: Carry, begins: Array) -> Carry:
  """The carry with the rows `begins` [B] as those of sequences that have not begun."""
  return jax.tree.map(lambda x: _where(begins, jnp.zeros_like(x), x), carry)


def check_mode(mode: str):
  """Raises InputError unless `config.model.mode` is known."""
  if mode not in MODES:
    raise InputError(f"config.model.mode is {mode!r}: choose one of {', '.join(MODES)}")
