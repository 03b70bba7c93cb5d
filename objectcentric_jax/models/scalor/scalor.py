"""SCALOR (Jiang, Janghorbani, de Melo and Ahn, ICLR 2020, arXiv 1910.02384).

A video is explained frame by frame: the objects of the frame before are propagated, new ones are
proposed where those do not cover the frame, all are drawn with the near in front of the far, and a
background fills the rest. What is present is kept for the next frame.

Published code: scalor.py of JindongJiang/SCALOR.
"""

from collections.abc import Callable, Mapping

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from objectcentric_jax.losses.gaussian import normal_kl
from objectcentric_jax.losses.masks import straight_through_clip
from objectcentric_jax.models.scalor.background import (
  Background,
  BackgroundNetwork,
  BackgroundState,
)
from objectcentric_jax.models.scalor.discovery import Discovery, Proposals, discovered
from objectcentric_jax.models.scalor.frame_encoder import FrameEncoder, Recurrent
from objectcentric_jax.models.scalor.objects import (
  EMPTY,
  Canvases,
  GlimpseDecoder,
  GlimpseEncoder,
  Objects,
  compaction,
  concatenate,
  take,
)
from objectcentric_jax.models.scalor.propagation import Propagation, Tracks
from objectcentric_jax.nn.noise import NOISE, Sample

Array = jax.Array

DISCOVERED = 0.7  # presence from which a proposal is kept
PALETTE = np.random.default_rng(0).uniform(0.1, 1, (500, 3)).astype(np.float32)  # by identity
TINTED, TINT = 0.3, 0.7  # alphas from which pixels are tinted, and how much


@flax.struct.dataclass
class State:
  """What a frame leaves for the next one.

  Attributes:
    objects: in K slots.
    background: of the frame.
    started: [B] bool, whether there was a frame.
    last_identity: [B] int32, the largest that an object got.
  """

  objects: Objects
  background: BackgroundState
  started: Array
  last_identity: Array


@flax.struct.dataclass
class Memory:
  """What a clip leaves for the next clip of the same video: of the encoder and of the objects."""

  encoder: Recurrent
  state: State


@flax.struct.dataclass
class Settings:
  """What depends on the training step, scalars.

  Attributes:
    temperature: of the relaxed presence.
    presence_prior: probability of an object in a cell.
    time_gradient: above 0, gradients of objects flow back through time.
    object_alpha: alpha of all proposals when the background is composed; negative: as inferred.
  """

  temperature: Array | float
  presence_prior: Array | float
  time_gradient: Array | float
  object_alpha: Array | float


@flax.struct.dataclass
class Views:
  """What takes much room and is for looking and scoring only.

  Attributes:
    tracked, new: [B, S, S, 3] the propagated and the discovered objects as they are drawn.
    tint: [B, S, S, 3] the objects in the colours of their identities.
    masks: [B, K, S, S, 1] share of every kept object in the frame.
    components: [B, K, S, S, 3] what it would show alone.
    area: [B, K, 1] alpha of every propagated object, summed over the frame.
  """

  tracked: Array
  new: Array
  tint: Array
  masks: Array
  components: Array
  area: Array


@flax.struct.dataclass
class Frames:
  """Everything computed for a video; all arrays begin with [B, T] (in the loop, with [B]).

  Attributes:
    image: [S, S, 3] reconstruction.
    alpha: [S, S, 1] what objects cover.
    divergences: name -> nats.
    log_weight: log prior - log posterior of all that was drawn, presence rounded; nats.
    objects: kept for the next frame.
    tracks, proposals, background: of the three networks.
    left_out: how many objects found no slot, int32.
    views: None unless asked for.
  """

  image: Array
  alpha: Array
  divergences: dict[str, Array]
  log_weight: Array
  objects: Objects
  tracks: Tracks
  proposals: Proposals
  background: Background
  left_out: Array
  views: Views | None = None


class Scalor(nn.Module):
  """All networks. Randomness comes from the stream `noise`, or from the `sample` argument.

  Attributes:
    frame_encoder, glimpse_encoder, glimpse_decoder, background: networks.
    make_propagation, make_discovery: (encode=, decode=) -> networks that share the glimpses'.
    slots: most objects in training, when no more are discovered than there is room for; 0 for
      `evaluation_slots` and no such limit.
    evaluation_slots: most objects otherwise.
    reuse_identities: give new objects numbers above those of the objects that are carried, as
      published, in place of numbers above all that were given; an object may then get the number
      of one that is gone.
    generated_presence: probability of an object in a cell of a generated frame.
    rematerialise: compute each frame again for the gradient in place of keeping it.
    unroll: loop steps over time to unroll.
  """

  frame_encoder: FrameEncoder
  glimpse_encoder: GlimpseEncoder
  glimpse_decoder: GlimpseDecoder
  background: BackgroundNetwork
  make_propagation: Callable[..., Propagation]
  make_discovery: Callable[..., Discovery]
  slots: int
  evaluation_slots: int
  reuse_identities: bool = False
  generated_presence: float = 0.1
  rematerialise: bool = False
  unroll: int = 1

  def setup(self):
    self.propagation, self.discovery = (
      make(encode=self.glimpse_encoder, decode=self.glimpse_decoder)
      for make in (self.make_propagation, self.make_discovery)
    )

  @nn.nowrap
  def start(self, batch: int, training: bool, dtype: jnp.dtype = jnp.float32) -> Memory:
    """The memory before the first frame."""
    slots = self.slots if training and self.slots else self.evaluation_slots
    propagation = self.make_propagation(encode=None, decode=None)
    state = State(
      objects=propagation.start(batch, slots, dtype),
      background=self.background.start(batch, dtype),
      started=jnp.zeros(batch, bool),
      last_identity=jnp.zeros(batch, jnp.int32),
    )
    return Memory(self.frame_encoder.start(batch, dtype), state)

  def __call__(
    self,
    video: Array,
    memory: Memory,
    settings: Settings,
    fixed_background: Array | None = None,
    *,
    training: bool,
    observed: Array | int | None = None,
    palette: Array | None = None,
    sample: Sample = True,
  ) -> tuple[Frames, Memory]:
    """Explains a video.

    Args:
      video: [B, T, S, S, 3] in [0, 1].
      memory: see `start`; or what the clip before left.
      settings: see there.
      fixed_background: [B, D] latent of a fixed background.
      training: whether as many objects are discovered at most as there are slots for.
      observed: frames from this one on are generated; None for none.
      palette: [P, 3] colours of identities; `Views` are computed only where it is given.
      sample: as in `objectcentric_jax.nn.noise`; draws that are given are [B, T, ...].

    Returns:
      What was computed, and the memory for the next clip.
    """
    features, encoder = self.frame_encoder(video, memory.encoder)
    given = isinstance(sample, Mapping)

    def step(network: "Scalor", state: State, frame, features, draws, time):
      generate = False if observed is None else time >= observed
      return network.explain(
        state,
        frame,
        features,
        settings,
        fixed_background,
        training=training,
        generate=generate,
        palette=palette,
        sample=draws if given else sample,
      )

    if self.rematerialise:
      step = nn.remat(step, prevent_cse=False)
    scan = nn.scan(
      step,
      variable_broadcast="params",
      split_rngs={"params": False, NOISE: True},
      in_axes=(1, 1, 1, 0),
      out_axes=1,
      unroll=self.unroll,
    )
    draws, times = dict(sample) if given else {}, jnp.arange(video.shape[1])
    state, frames = scan(self, memory.state, video, features, draws, times)
    return frames, Memory(encoder, state)

  def explain(
    self,
    state: State,
    frame: Array,
    features: Array,
    settings: Settings,
    fixed_background: Array | None,
    *,
    training: bool,
    generate: Array | bool,
    palette: Array | None,
    sample: Sample,
  ) -> tuple[State, Frames]:
    """One frame; see `__call__`."""
    limited = training and self.slots > 0
    drawing = dict(generate=generate, sample=sample)
    tracks, tracked = self.propagation(
      state.objects, frame, features, settings.temperature, **drawing
    )
    covered = lax.stop_gradient(cover(tracked.alphas.sum(1)))
    carried = state.objects.exists.sum(1)
    proposals, new = self.discovery(
      frame,
      features,
      covered,
      settings.temperature,
      self.slots - carried if limited else None,
      generated_presence=self.generated_presence,
      **drawing,
    )
    alpha = tracked.alphas.sum(1) + new_alpha(new, settings.object_alpha)
    alpha = cover(alpha)
    background, background_state = self.background(
      frame, alpha, state.background, state.started, fixed_background, **drawing
    )
    claimed = tracked.importance.sum(1) + new.importance.sum(1) + EMPTY
    shown = [(drawn.colours * drawn.importance).sum(1) / claimed for drawn in (tracked, new)]
    image = shown[0] + shown[1] + (1 - alpha) * background.image
    identities = self._identities(state, proposals)
    objects, left_out, choice = kept_objects(tracks, proposals, identities)
    last = jnp.maximum(state.last_identity, objects.identity.max(1))
    # A loop keeps the types of what it carries.
    objects = jax.tree.map(lambda new, old: new.astype(old.dtype), objects, state.objects)
    flows = jnp.asarray(settings.time_gradient) > 0
    after = State(
      objects=jax.tree.map(lambda x: jnp.where(flows, x, lax.stop_gradient(x)), objects),
      background=background_state,
      started=jnp.ones_like(state.started),
      last_identity=last,
    )
    views = None
    if palette is not None:
      everything = jax.tree.map(lambda a, b: jnp.concatenate([a, b], 1), tracked, new)
      tint = self._tint(tracks, identities, everything, claimed, settings.object_alpha, palette)
      masks, components = shares(everything, claimed, alpha)
      masks, components = take((masks, components), *choice)
      views = Views(*shown, tint, masks, components, tracked.alphas.sum((2, 3)))
    frames = Frames(
      image=image,
      alpha=alpha,
      divergences=divergences(tracks, proposals, background, settings, generate),
      log_weight=log_weight(tracks, proposals, background, settings),
      objects=objects,
      tracks=tracks,
      proposals=proposals,
      background=background,
      left_out=left_out,
      views=views,
    )
    return after, frames

  def _identities(self, state: State, proposals: Proposals) -> Array:
    """Numbers that objects of all cells would get, [B, N] int32."""
    largest = state.objects.identity.max(1) if self.reuse_identities else state.last_identity
    return largest[:, None] + 1 + jnp.arange(proposals.presence.shape[1], dtype=jnp.int32)[None]

  def _tint(self, tracks, identities, everything: Canvases, claimed, object_alpha, palette):
    cells = identities.shape[1]
    colours = palette[jnp.concatenate([tracks.objects.identity, identities], 1) % len(palette)]
    tracked, new = everything.alphas[:, :-cells], everything.alphas[:, -cells:]
    new = jnp.where(jnp.asarray(object_alpha) < 0, new, jnp.full_like(new, object_alpha))
    covering = jnp.concatenate([tracked, new], 1) > TINTED
    weights = jnp.where(covering, everything.importance, 0)
    return (weights * colours[:, :, None, None]).sum(1) / claimed


def cover(alpha: Array) -> Array:
  """Sums of alphas as a share in (0, 1); the gradient passes as if they had not been clipped."""
  return straight_through_clip(alpha, EMPTY, 1 - EMPTY)


def new_alpha(new: Canvases, object_alpha: Array | float) -> Array:
  """What the proposals cover, [B, S, S, 1]: as inferred, or every cell alike."""
  inferred, cells = new.alphas.sum(1), new.alphas.shape[1]
  same = jnp.full_like(inferred, 1) * jnp.asarray(object_alpha, inferred.dtype) * cells
  return jnp.where(jnp.asarray(object_alpha) < 0, inferred, same)


def kept_objects(
  tracks: Tracks, proposals: Proposals, identities: Array
) -> tuple[Objects, Array, tuple[Array, Array]]:
  """The objects for the next frame, how many found no slot [B], and where they come from."""
  tracked = tracks.objects
  candidates = concatenate(tracked, discovered(proposals, tracked, identities))
  kept = jnp.concatenate([tracked.exists, proposals.presence[..., 0] > DISCOVERED], axis=1)
  slots = tracked.presence.shape[1]
  choice = compaction(kept, slots)
  left_out = jnp.maximum(kept.sum(1) - slots, 0)
  return take(candidates, *choice), left_out, choice


def shares(drawn: Canvases, claimed: Array, alpha: Array) -> tuple[Array, Array]:
  """Masks [B, N, S, S, 1] that add up to alpha, and components [B, N, S, S, 3].

  A mask times its component is what the object adds to the reconstruction.
  """
  weights = drawn.alphas * drawn.importance / claimed[:, None]
  masks = weights * (alpha / (weights.sum(1) + EMPTY))[:, None]
  added = drawn.colours * drawn.importance / claimed[:, None]
  return masks, added / (masks + EMPTY)


def divergences(
  tracks: Tracks,
  proposals: Proposals,
  background: Background,
  settings: Settings,
  generate: Array | bool,
) -> dict[str, Array]:
  """KL of each kind of latent to its prior in a frame: name -> [B], nats."""
  new = proposals.divergences(settings.presence_prior)
  old = tracks.divergences(generate)
  posterior = background.posterior
  behind = normal_kl(
    posterior.mean, posterior.deviation, background.prior_mean, background.prior_deviation
  )
  terms = {name: new[name] + old[name] for name in new}
  return {**terms, "kl_background": jnp.where(generate, 0, behind)}


def log_weight(
  tracks: Tracks, proposals: Proposals, background: Background, settings: Settings
) -> Array:
  """Of everything drawn in a frame, see `Frames`: [B], nats."""
  behind = background.posterior.log_weight(background.prior_mean, background.prior_deviation)
  return tracks.log_weight() + proposals.log_weight(settings.presence_prior) + behind


def tinted(image: Array, alpha: Array, tint: Array) -> Array:
  """Frames with objects in the colours of their identities, as published: [..., S, S, 3]."""
  return jnp.where(alpha > TINTED, image - TINT * (image - tint), image)
