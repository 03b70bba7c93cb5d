"""SCALOR: which objects are kept, in which order and under which number; what trains what.

Sizes differ for every axis: B 2, T 3, side 32, grid of 4 (16 cells), glimpses of 16, 5 slots.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs.scalor import _base
from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.gaussian import log_normal
from objectcentric_jax.models.scalor.discovery import largest, rounded_log_weight
from objectcentric_jax.models.scalor.frame_encoder import check_grid, frame_layers, mask_layers
from objectcentric_jax.models.scalor.objective import Perceptual, half_masks, reset, scene_of
from objectcentric_jax.models.scalor.objects import Anchors, compaction, draw, no_objects, take
from objectcentric_jax.models.scalor.scalor import Settings
from objectcentric_jax.models.scalor.task import make_task
from objectcentric_jax.training.devices import without_carry
from tests.models.elbo_models import KEY, rectangles
from tests.parameters import random_parameters

BATCH, TIME, SIDE, GRID, SLOTS = 2, 3, 32, 4, 5


def config(**changes):
  """`config.model` of a small model."""
  model = _base.get_config().model.to_dict() | {
    "side": SIDE,
    "grid": GRID,
    "glimpse": 16,
    "latents": 6,
    "recurrent": (16,),
    "slots": SLOTS,
    "evaluation_slots": 7,
    "anchors": dict(scale=0.4, scale_range=0.2, ratio=1.0, ratio_range=0.3),
  }
  model["widths"] |= dict(frame_features=16, mask_features=8, hidden=12, inputs=11, prior_hidden=9)
  return model | changes


def moving(batch: int = BATCH, time: int = TIME) -> np.ndarray:
  """Rectangles that move down, [B, T, S, S, 3]."""
  image = rectangles(batch, SIDE)
  return np.stack([np.roll(image, 2 * t, axis=1) for t in range(time)], axis=1)


NOW = {
  "temperature": 0.7,
  "presence_prior": 0.05,
  "time_gradient": 1.0,
  "object_alpha": -1.0,
  "mask_penalty": 0.0,
}


class Model:
  """A small model with random weights and what it makes of a video, in float64."""

  def __init__(self):
    self.task = make_task(config())
    self.video = moving().astype(np.float64)
    batch = {"video": jax.ShapeDtypeStruct(self.video.shape, np.float32)}
    shapes, _ = jax.eval_shape(self.task.init, KEY, batch)
    self.params = jax.tree.map(lambda x: x.astype(np.float64), random_parameters(shapes))
    network = self.task.network

    def explain(params, video, memory, observed, draws):
      settings = Settings(**self.task.settled, time_gradient=1.0, object_alpha=-1.0)
      return network.apply(
        {"params": params},
        video,
        memory,
        settings,
        training=False,
        observed=observed,
        palette=jnp.ones((3, 3)),
        sample=draws,
      )

    self._explain = jax.jit(explain)
    self.frames, self.memory = self(self.video)

  def __call__(self, video, memory=None, observed=10, draw=0.0):
    """Frames and memory; `draw` is the noise of what new objects look like."""
    memory = self.start() if memory is None else memory
    draws = {"new_what": np.full((BATCH, video.shape[1], GRID**2, 6), draw)}
    return jax.device_get(self._explain(self.params, video, memory, observed, draws))

  def start(self):
    return self.task.start(BATCH, dtype=np.float64)


@pytest.fixture(scope="module")
def model():
  with jax.enable_x64(True):
    yield Model()


# Choosing objects


def test_kept_candidates_go_to_the_first_slots_in_their_order():
  kept = jnp.asarray([[False, True, True, False, True], [True, False, False, False, False]])
  values = jnp.arange(10.0).reshape(2, 5, 1) + 1
  order, filled = compaction(kept, 3)
  np.testing.assert_array_equal(take(values, order, filled)[..., 0], [[2, 3, 5], [6, 0, 0]])
  order, filled = compaction(kept, 2)  # the first ones, where there is no room for all
  np.testing.assert_array_equal(take(values, order, filled)[..., 0], [[2, 3], [6, 0]])


def test_as_many_new_objects_as_there_is_room_for():
  presence = jnp.asarray([[0.2, 0.9, 0.0, 0.8, 0.9], [0.2, 0.9, 0.0, 0.8, 0.7]])[..., None]
  chosen = largest(presence, jnp.asarray([3, 1]))[..., 0]
  np.testing.assert_array_equal(chosen, [[0, 1, 0, 1, 1], [0, 1, 0, 0, 0]])
  # Cells as present as the first that is left out are left out, too; more room than cells: all.
  chosen = largest(presence, jnp.asarray([1, 5]))[..., 0]
  np.testing.assert_array_equal(chosen, [[0, 0, 0, 0, 0], [1, 1, 1, 1, 1]])


def test_identities_are_not_given_twice_unless_asked_for(model):
  frames = model.frames
  exists = frames.objects.exists
  assert 0 < exists.sum() < exists.size  # something is found, and there is room
  identity = np.asarray(frames.objects.identity)
  assert (identity[~exists] == 0).all() and (identity[exists] > 0).all()
  for video in range(BATCH):
    for t in range(1, TIME):
      before = identity[video, :t][exists[video, :t]]
      here = identity[video, t][exists[video, t]]
      assert len(set(here)) == len(here)
      tracked = np.asarray(frames.tracks.objects.identity[video, t])
      new = set(here) - set(tracked)
      assert not new & set(before)
  network = model.task.network
  objects = model.start().state.objects.replace(
    identity=jnp.asarray([[3, 0, 7, 0, 0, 0, 0]] * BATCH, jnp.int32)
  )
  state = model.start().state.replace(objects=objects, last_identity=jnp.asarray([9, 8], jnp.int32))
  proposals = jax.tree.map(lambda x: x[:, 0], frames.proposals)
  assert network._identities(state, proposals)[:, 0].tolist() == [10, 9]
  published = network.clone(reuse_identities=True)
  assert published._identities(state, proposals)[:, 0].tolist() == [8, 8]


def test_objects_keep_their_order_and_all_that_is_known_of_them(model):
  """The objects of a frame are those tracked into the next, slot by slot."""
  objects, tracks = model.frames.objects, model.frames.tracks
  np.testing.assert_array_equal(tracks.exists[:, 1:, :, 0] > 0, objects.exists[:, :-1])
  np.testing.assert_array_equal(
    tracks.objects.identity[:, 1:], objects.identity[:, :-1] * objects.exists[:, :-1]
  )


# The composition


def test_masks_and_components_add_up_to_the_reconstruction(model):
  scene = scene_of(model.frames)
  assert scene.masks.shape == (BATCH, TIME, 8, SIDE, SIDE, 1)
  np.testing.assert_allclose(scene.masks.sum(2), 1, atol=1e-6)
  assert scene.masks.min() > -1e-6
  np.testing.assert_allclose((scene.masks * scene.components).sum(2), scene.image, atol=1e-6)
  assert scene.boxes.shape == (BATCH, TIME, 7, 4) and scene.presence.shape == (BATCH, TIME, 7)
  assert scene.identity.dtype == np.int32
  np.testing.assert_array_equal(scene.background, [False] * 7 + [True])


def test_background_behind_objects_that_cover_all_is_not_made_of_rounding(model):
  single = jax.tree.map(lambda x: np.float32(x) if x.dtype == np.float64 else x, model.frames)
  views = single.views
  total = views.masks.sum(2, keepdims=True)
  masks = np.where(
    total > 0.1, views.masks / np.maximum(total, 0.1) * np.float32(1 - 1e-6), views.masks
  )
  shown = (masks * views.components).sum(2) + np.float32(1e-6)
  covered = single.replace(views=views.replace(masks=masks), image=shown)
  whole = np.broadcast_to(total[:, :, 0] > 0.1, shown.shape)
  assert whole.any() and not whole.all()
  behind = np.asarray(scene_of(covered).components[:, :, -1])
  np.testing.assert_array_equal(behind[whole], single.background.image[whole])


def test_near_objects_hide_far_ones():
  colours = jnp.stack([jnp.full((8, 8, 3), c) for c in (0.2, 0.9)])[None]
  alphas, presence = jnp.ones((1, 2, 8, 8, 1)), jnp.ones((1, 2, 1))
  box = jnp.asarray([[[0.5, 0.5, 0.0, 0.0]] * 2])
  drawn = draw(colours, alphas, presence, jnp.asarray([[[9.0], [-9.0]]]), box, 32)
  shown = (drawn.colours * drawn.importance).sum(1) / drawn.importance.sum(1)
  np.testing.assert_allclose(shown[0, 16, 16], 0.9, atol=1e-3)
  gone = draw(colours, alphas, 0 * presence, jnp.zeros((1, 2, 1)), box, 32)
  assert float(gone.alphas.sum()) == 0


# Time


@pytest.mark.slow
def test_a_video_in_two_clips_is_the_video(model):
  """The memory holds all that later frames depend on."""
  first, memory = model(model.video[:, :1])
  second, after = model(model.video[:, 1:], memory)
  for name in ("image", "alpha", "divergences", "objects", "log_weight"):
    whole, tail = getattr(model.frames, name), getattr(second, name)
    jax.tree.map(
      lambda w, t: np.testing.assert_allclose(t, w[:, 1:], rtol=1e-7, atol=1e-9), whole, tail
    )
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), after, model.memory)
  # The mean of the background's prior is that of the frame before, not of a first frame.
  assert np.abs(second.background.prior_mean[:, 0]).max() > 0
  assert np.abs(first.background.prior_mean[:, 0]).max() == 0


def test_memory_is_begun_anew_where_a_video_begins(model):
  fresh = model.start()
  chosen = reset(model.memory, fresh, jnp.asarray([True, False]))
  for new, old, found in zip(*map(jax.tree.leaves, (fresh, model.memory, chosen)), strict=True):
    np.testing.assert_array_equal(found[0], new[0])
    np.testing.assert_array_equal(found[1], np.asarray(old[1]).astype(new.dtype))


def test_imagined_frames_do_not_depend_on_the_video(model):
  other = model.video.copy()
  other[:, 1:] = 0.5
  one, _ = model(model.video, observed=1)
  two, _ = model(other, observed=1)
  np.testing.assert_allclose(one.image, two.image, atol=1e-9)
  assert np.abs(one.image[:, 1:] - model.frames.image[:, 1:]).max() > 1e-4
  generated = {name: value[:, 1:] for name, value in one.divergences.items()}
  assert all((generated[n] == 0).all() for n in ("kl_what", "kl_where", "kl_background"))


def test_given_draws_are_used(model):
  changed, _ = model(model.video, draw=0.5)
  expected = changed.proposals.what.mean + 0.5 * changed.proposals.what.deviation
  np.testing.assert_allclose(changed.proposals.what.value, expected)
  assert np.abs(changed.image - model.frames.image).max() > 1e-4


# The objective


def test_log_weights_are_those_of_the_drawn_latents(model):
  """Of the background, and of cells whose presence is above one half, against plain densities."""
  frames = model.frames
  proposals, tracks, background = frames.proposals, frames.tracks, frames.background

  def ratio(gaussian, mean=0.0, deviation=1.0):
    prior = log_normal(gaussian.value, mean, deviation)
    return (prior - log_normal(gaussian.value, gaussian.mean, gaussian.deviation)).sum(-1)

  new = ratio(proposals.what) + ratio(proposals.where) + ratio(proposals.depth)
  new = (new * (proposals.proposed[..., 0] > 0.5)).sum(2)
  expected = tracks.expected
  old = (
    ratio(tracks.what, *expected.what)
    + ratio(tracks.motion, *expected.motion)
    + ratio(tracks.depth, *expected.depth)
  )
  exists = tracks.exists[..., 0]
  old = (old * exists * (tracks.objects.presence[..., 0] > 0.5)).sum(2)
  behind = ratio(background.posterior, background.prior_mean, background.prior_deviation)
  prior = proposals.prior(model.task.settled["presence_prior"])
  found = rounded_log_weight(proposals.presence, proposals.logits, prior).sum((2, 3))
  kept = rounded_log_weight(tracks.objects.presence, tracks.logits, expected.presence)[..., 0]
  total = new + old + behind + found + (kept * exists).sum(2)
  np.testing.assert_allclose(frames.log_weight, total, rtol=1e-9)


def test_half_masks_are_penalised():
  alpha = jnp.stack([jnp.zeros((2, 4, 4, 1)), jnp.full((2, 4, 4, 1), 0.5), jnp.ones((2, 4, 4, 1))])
  np.testing.assert_allclose(half_masks(alpha), [0, 16, 0])


def test_sizes_of_boxes():
  anchors = Anchors(scale=0.2, scale_range=0.1, ratio=2.0, ratio_range=0.5)
  width, height = anchors.sizes(jnp.asarray([100.0, -100.0]))
  assert float(height / width) == pytest.approx(1.5) and float(height * width) == pytest.approx(
    0.09
  )


# Networks


@pytest.mark.parametrize(
  "side, grid",
  [(128, 8), (128, 4), (64, 8), (64, 4), (128, 7), (128, 6), (128, 16), (32, 4), (256, 16)],
)
def test_encoders_lead_to_the_grid(side, grid):
  check_grid(side, grid)
  for layers in (frame_layers(side, grid, 24), mask_layers(side, grid, 24)):
    size = side
    for layer in layers:
      size = (size + 2 * layer.padding - layer.size) // layer.stride + 1
    assert size == grid and layers[-1].features == 24


def test_published_size():
  """5,000,002 parameters at the defaults."""
  task = make_task(_base.get_config().model.to_dict())
  batch = {"video": jax.ShapeDtypeStruct((1, 1, 128, 128, 3), np.float32)}
  params, model_state = jax.eval_shape(task.init, KEY, batch)
  assert sum(leaf.size for leaf in jax.tree.leaves(params)) == 5_000_002 and not model_state


def test_what_is_kept_beside_the_parameters():
  model = config(carried=True, adversarial=True)
  model["background"] = model["background"] | {"kind": "fixed"}
  task = make_task(model)
  batch = {"video": jax.ShapeDtypeStruct((BATCH, TIME, SIDE, SIDE, 3), np.float32)}
  params, model_state = jax.eval_shape(task.init, KEY, batch)
  assert "encoder" not in params["background"] and "discriminator" in params
  assert model_state["background"].shape == (1, 10)
  assert model_state["carry"]["image"].shape == (BATCH, TIME, SIDE, SIDE, 3)
  assert model_state["carry"]["memory"].state.objects.what.shape == (BATCH, SLOTS, 6)
  assert set(without_carry(model_state)) == {"background", "batch_stats"}
  assert set(task.losses) == {"elbo", "discriminator"}


def test_every_video_has_the_fixed_background_that_batches_number():
  model = config(fixed_backgrounds=3)
  model["background"] = model["background"] | {"kind": "fixed"}
  task, video = make_task(model), jnp.zeros((4, TIME, SIDE, SIDE, 3))
  state = {"background": jnp.arange(30.0).reshape(3, 10)}
  found = task._fixed(state, {"video": video, "sequence": jnp.array([2, 0, 1, 3])})
  np.testing.assert_array_equal(found[:3], state["background"][jnp.array([2, 0, 1])])
  assert np.isnan(found[3]).all()  # there is no fourth
  with pytest.raises(InputError, match="numbered=True"):
    task._fixed(state, {"video": video})


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"grid": 5}, "config.model.grid is 5: images of side 32 need one of 2, 4"),
    ({"glimpse": 20}, "config.model.glimpse is 20"),
    ({"pixel_deviation": 0.0}, "config.model.pixel_deviation is 0.0"),
    ({"explained_share": 1.5}, "config.model.explained_share is 1.5"),
    ({"evaluation_slots": 0}, "config.model.evaluation_slots is 0"),
    ({"carry": True}, "config.model.carry is not a field of this model"),
    (
      {"anchors": dict(scale=0.1, scale_range=0.1, ratio=1.0, ratio_range=0.3)},
      "config.model.anchors: scale is 0.1 and scale_range 0.1",
    ),
    (
      {"perceptual": dict(use=True, weights="", layers=("relu9_9",), deviation=0.1, weight=0.01)},
      "config.model.perceptual.layers has 'relu9_9', not a layer of VGG16",
    ),
    (
      {"background": dict(kind="moving", decoder="shuffle", latents=10, hidden=32)},
      "config.model.background.kind is 'moving': choose one of inferred, fixed, none",
    ),
  ],
)
def test_what_cannot_be_built(changes, message):
  with pytest.raises(InputError) as caught:
    make_task(config(**changes))
  assert message in str(caught.value)


def test_missing_weights_are_asked_for_before_a_training(tmp_path):
  perceptual = Perceptual(str(tmp_path / "vgg16.pth"), ("relu1_2",), 0.1, 0.01)
  task = dataclasses.replace(make_task(config()), perceptual=perceptual)
  with pytest.raises(InputError, match="config.model.perceptual.weights is .*: no such file"):
    task.check_ready()
  make_task(config()).check_ready()


def test_no_objects():
  objects = no_objects(BATCH, SLOTS, 6, 12, 9, np.float32)
  assert not objects.exists.any() and objects.prior_cell.shape == (BATCH, SLOTS, 9)
