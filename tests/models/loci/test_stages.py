"""First stages of Loci-Segmented: what they learn from, curricula, shapes of what they say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.loci import background_training, encoder_decoder, pretraining
from objectcentric_jax.models.loci.curricula import decaying, gestalt_loss
from objectcentric_jax.models.loci.objects import (
  mask_iou,
  object_scores,
  objects_of,
  scene_of_objects,
)
from objectcentric_jax.models.loci.panels import code_picture, spread

BATCH, HEIGHT, WIDTH = 3, 64, 32
PARTS = ("mask", "depth", "rgb")
SIZES = {
  "height": HEIGHT,
  "width": WIDTH,
  "gestalt": 16,
  "embedding": {part: dict(channels=4, expansion=2) for part in PARTS},
  "encoder": dict(channels=16, blocks=(1, 1, 2, 1), hyper_channels=8),
  "decoder": {part: dict(layers=1, encoder_blocks=(1, 1), encoder_channels=8) for part in PARTS},
  "rgb_loss": "ycbcr_l2_ssim",
  "squashed_deviation": False,
  "rematerialise": False,
  "dtype": "float32",
}
SLOTS = {
  **SIZES,
  "passes": 3,
  "input_depth": True,
  "initial_size": -1.0,
  "stretch": 1.0,
  "position_stretch": 1.0,
}
BACKGROUND = {
  "height": HEIGHT,
  "width": WIDTH,
  "input_depth": True,
  "background": dict(latents=16, layers=2, context=32, threshold=0.1),
  "supervision": 0.1,
  **dict.fromkeys(background_training.SETTINGS, 1.0),
  "dtype": "float32",
}


def made_up(frames=()):
  """Pictures with a box, which has depth 2 and 4 in its halves; elsewhere depth is not known."""
  shape = (BATCH, *frames, HEIGHT, WIDTH)
  rng = np.random.default_rng(0)
  image = rng.uniform(size=(*shape, 3)).astype(np.float32)
  mask, depth = np.zeros((*shape, 1), np.float32), np.full((*shape, 1), -1, np.float32)
  mask[..., 8:24, 4:20, :] = 1
  depth[..., 8:16, 4:20, :], depth[..., 16:24, 4:20, :] = 2, 4
  name = "video" if frames else "image"
  return {name: jnp.asarray(image), "mask": jnp.asarray(mask), "depth": jnp.asarray(depth)}


def test_what_is_known_of_objects():
  objects = objects_of(made_up())
  np.testing.assert_allclose(objects.z, 3, rtol=1e-5)
  np.testing.assert_allclose(objects.scale, 1, rtol=1e-5)
  np.testing.assert_allclose(objects.standard_depth[:, 10, 10], -1, rtol=1e-4)
  np.testing.assert_array_equal(objects.standard_depth[:, 40, 10], 0)
  np.testing.assert_array_equal(objects.has_depth, 1)


def test_objects_without_depth_weigh_nothing():
  batch = made_up()
  del batch["depth"]
  objects = objects_of(batch)
  np.testing.assert_array_equal(objects.depth_weight, 0)
  with pytest.raises(InputError, match="config.data.fields lacks mask"):
    objects_of({"image": batch["image"]})


def test_the_truth_has_perfect_scores():
  batch = made_up()
  objects = objects_of(batch)
  scene = scene_of_objects(objects, None, None, None)
  np.testing.assert_allclose(scene.masks.sum(1), 1, rtol=1e-6)
  scores = object_scores(scene, batch)
  np.testing.assert_allclose(scores["iou"], 1, rtol=1e-5)
  np.testing.assert_allclose(scores["colour_error"], 0, atol=1e-6)
  np.testing.assert_allclose(scores["depth_error"], 0, atol=1e-4)
  shifted = jnp.roll(objects.mask, 8, axis=1)  # half of it
  np.testing.assert_allclose(mask_iou(shifted, objects.mask), 1 / 3, rtol=1e-5)


def test_factors_fall_by_ten_a_period_after_the_first():
  counts = jnp.array([0, 1000, 2000, 3000, 9000])
  np.testing.assert_allclose(decaying(counts, 1000.0, 0.005), [1, 1, 0.1, 0.01, 0.005], rtol=1e-5)
  codes = jnp.array([[0.0, 1.0]])
  np.testing.assert_allclose(gestalt_loss(codes, jnp.asarray(0)), 0.5)
  assert gestalt_loss(codes, jnp.asarray(30_000)) == 0


def test_later_passes_come_in_one_after_the_other():
  task = encoder_decoder.make_task(SLOTS)

  def weights(updates):
    found, counted = task.pass_weights(
      dict(first=jnp.asarray(updates), second=jnp.asarray(updates))
    )
    assert (counted["first"], counted["second"]) == (updates + 1, updates + 1)
    return np.round(np.asarray(found), 3).tolist()

  assert weights(0) == [1, 0, 0]
  assert weights(2500) == [1, 0, 0]
  first, second, third = weights(5000)
  assert third == 0 and second > 0.8 and first == pytest.approx(0.1, abs=0.02)
  assert weights(50_000)[2] == pytest.approx(1 / 1.11, abs=2e-3)
  slower = encoder_decoder.make_task({**SLOTS, "stretch": 2.0})
  assert slower.pass_weights(dict(first=jnp.asarray(5000), second=jnp.asarray(5000)))[0][1] == 0


@pytest.mark.parametrize("stretch, after", [(1.0, 1.0), (0.5, 0.1)])
def test_the_loss_of_positions_leaves_by_a_stretch_of_its_own(stretch, after):
  task = encoder_decoder.make_task({**SLOTS, "stretch": 0.1, "position_stretch": stretch})
  found = [task.position_weights(jnp.asarray(count))[0] for count in (0, 10_000, 20_000)]
  np.testing.assert_allclose(found, [1, 1, after], rtol=1e-5)


def shapes_of(task, batch):
  """Shapes of parameters, of the loss with its report, and of the scene."""
  key = jax.random.key(0)
  params, state = jax.eval_shape(task.init, key, batch)
  now = dict.fromkeys(background_training.SCHEDULED, 0.0)
  (name,) = task.losses
  loss = jax.eval_shape(lambda p, s: task.losses[name](p, s, batch, now, key), params, state)
  scene = jax.eval_shape(lambda p, s: task.scene(p, s, batch, key), params, state)
  return state, loss, scene


@pytest.mark.parametrize("part", pretraining.PARTS)
def test_parts_say_what_objects_look_like(part):
  task = pretraining.make_task({"part": part, **SIZES})
  state, (loss, (after, report)), scene = shapes_of(task, made_up())
  assert loss.shape == () and after == state == {}
  assert {value.shape for value in report.values()} == {()}
  assert scene.image.shape == (BATCH, HEIGHT, WIDTH, 3)
  assert scene.masks.shape == (BATCH, 2, HEIGHT, WIDTH, 1)
  assert scene.depth.shape == (BATCH, HEIGHT, WIDTH, 1)


@pytest.mark.parametrize("passes", [0, 3])
def test_encoder_and_decoders_keep_count(passes):
  task = encoder_decoder.make_task({**SLOTS, "passes": passes})
  state, (loss, (after, report)), scene = shapes_of(task, made_up())
  as_type = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)  # noqa: E731
  assert loss.shape == () and as_type(after) == as_type(state)
  assert bool(state) == bool(passes)
  assert set(encoder_decoder.LOSSES) <= set(report)
  assert scene.latents.shape == (BATCH, 1, 3 * 16 + 1)


def test_the_background_is_that_of_every_frame():
  task = background_training.make_task(BACKGROUND)
  batch = made_up(frames=(2,))
  state, (loss, (after, report)), scene = shapes_of(task, batch)
  assert loss.shape == () and set(after["counters"]) == set(state["counters"]) == {"context"}
  assert scene.image.shape == (BATCH, 2, HEIGHT, WIDTH, 3)
  assert scene.masks.shape == (BATCH, 2, 2, HEIGHT, WIDTH, 1)


def test_pairs_move_only_where_frames_differ_and_the_camera_may():
  batch = made_up(frames=(2,))
  batch["video"] = batch["video"].at[0].set(batch["video"][0, :1])  # the same frame twice
  batch["static"] = jnp.array([0.0, 0.0, 1.0])
  settings = dict.fromkeys(background_training.SETTINGS, 0.0)
  pair = background_training.pair_of(batch, settings)
  np.testing.assert_array_equal(pair.moved, [0, 1, 0])
  np.testing.assert_array_equal(pair.has_mask, 1)
  del batch["mask"], batch["depth"]
  pair = background_training.pair_of(batch, settings)
  np.testing.assert_array_equal([pair.has_mask, pair.has_depth], 0)
  with pytest.raises(InputError, match="two frames"):
    background_training.pair_of(made_up(), settings)


@pytest.mark.parametrize(
  ("make", "config", "words"),
  [
    (pretraining.make_task, {"part": "masks", **SIZES}, "config.model.part is 'masks'"),
    (pretraining.make_task, {"part": "mask", **SIZES, "height": 48}, "a multiple of 32"),
    (pretraining.make_task, {"part": "mask", **SIZES, "gestalt": 6}, "gestalt is 6: at least 8"),
    (pretraining.make_task, {"part": "mask", **SIZES, "rgb_loss": "l1"}, "rgb_loss is 'l1'"),
    (encoder_decoder.make_task, {**SLOTS, "passes": 4}, "passes is 4: 0 to 3"),
    (background_training.make_task, {**BACKGROUND, "width": 40}, "width is 40"),
    (background_training.make_task, {**BACKGROUND, "background": {}}, "lacks latents"),
  ],
)
def test_wrong_fields_are_named(make, config, words):
  with pytest.raises(InputError, match=words):
    make(config)


def test_pictures_of_numbers():
  picture = jnp.arange(24.0).reshape(1, 2, 4, 3)
  assert float(spread(picture).min()) == 0 and float(spread(picture).max()) == 1
  bars = code_picture(jnp.array([[0.0, 1.0]]), 3, 4)
  assert bars.shape == (1, 3, 4, 1) and bars[0, 1, :, 0].tolist() == [0, 0, 1, 1]
