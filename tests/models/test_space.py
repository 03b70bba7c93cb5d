"""SPACE: what is seen where, its objective and its schedules, against plain references.

Sizes differ for every axis: B 2, side 32, grid of 4 (16 cells), glimpses of 8, K 3.
"""

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import norm

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.space.background import MASK_ORDER, STRONG_ORDER, decoder_factors
from objectcentric_jax.models.space.foreground import boundary_frame, grid_strides
from objectcentric_jax.models.space.space import (
  boundary_error,
  demo_panel,
  image_boxes,
  make_task,
  scene_of,
)
from tests.models.elbo_models import KEY, count_parameters, in_double, random_model, rectangles

BATCH, SIDE, GRID, GLIMPSE, SLOTS = 2, 32, 4, 8, 3
CELLS = GRID**2
CONFIG = {
  "side": SIDE,
  "grid": GRID,
  "glimpse": GLIMPSE,
  "encoder_features": 48,
  "object_latents": 6,
  "rematerialise": False,
  "background_components": SLOTS,
  "background_features": 10,
  "mask_latents": 5,
  "component_latents": 7,
  "mask_hidden": 12,
  "component_prior_hidden": 9,
  "foreground_deviation": 0.2,
  "background_deviation": 0.1,
  "scale_prior_deviation": 0.3,
  "settled": {"presence_prior": 0.01, "scale_prior_mean": -2.0, "presence_temperature": 0.5},
  "unroll": 0,
  "dtype": "float32",
}
PUBLISHED = CONFIG | {
  "side": 128,
  "grid": 8,
  "glimpse": 32,
  "encoder_features": 128,
  "object_latents": 32,
  "background_components": 5,
  "background_features": 64,
  "mask_latents": 32,
  "component_latents": 32,
  "mask_hidden": 64,
  "component_prior_hidden": 64,
}
NOW = {
  "presence_prior": 0.1,
  "scale_prior_mean": -1.0,
  "presence_temperature": 0.7,
  "fixed_alpha": -1.0,
  "fixed_presence": -1.0,
  "boundary_weight": 1.0,
}


@pytest.fixture(scope="module")
def model():
  return random_model(make_task(CONFIG), SIDE)


@pytest.fixture(scope="module")
def image():
  return rectangles(BATCH, SIDE)


ZERO_DRAWS = {
  "presence": np.zeros((BATCH, CELLS, 1), np.float32),
  "depth": np.zeros((BATCH, CELLS, 1), np.float32),
  "scale": np.zeros((BATCH, CELLS, 2), np.float32),
  "shift": np.zeros((BATCH, CELLS, 2), np.float32),
}


@pytest.fixture(scope="module")
def explain(model, image):
  """Compiled (now, draws) -> (posterior, terms) in training; draws not given stand at zero."""
  task = make_task(CONFIG)

  @jax.jit
  def compiled(params, now, draws):
    posterior, _ = task.training_posterior(params, model[1], image, now, KEY, draws)
    return posterior, task.objective_terms(posterior, image, now)

  return lambda now=NOW, **draws: jax.device_get(compiled(model[0], now, ZERO_DRAWS | draws))


@pytest.fixture(scope="module")
def plain(explain):
  return explain()


@pytest.fixture(scope="module")
def differentiated(model, image):
  """Compiled now -> (loss, report, gradients), without draws."""
  task = make_task(CONFIG)

  @jax.jit
  def compiled(params, now):
    def loss(params):
      return task.elbo(params, model[1], {"image": image}, now, KEY, False)

    (value, (_, report)), gradients = jax.value_and_grad(loss, has_aux=True)(params)
    return value, report, gradients

  return lambda now=NOW: jax.device_get(compiled(model[0], now))


# What is seen where


def test_scene_has_the_shapes_it_promises_and_adds_up(plain):
  scene = jax.device_get(scene_of(plain[0]))
  masks = (BATCH, 1 + SLOTS, SIDE, SIDE, 1)
  assert scene.masks.shape == masks and scene.components.shape == (*masks[:-1], 3)
  assert scene.boxes.shape == (BATCH, CELLS, 4) and scene.presence.shape == (BATCH, CELLS)
  assert scene.background.tolist() == [False] + [True] * SLOTS
  objects = scene.other_masks["objects"]
  assert objects.shape == (BATCH, CELLS + SLOTS, SIDE, SIDE, 1)
  np.testing.assert_allclose(scene.masks.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose(objects.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose(objects[:, :CELLS].sum(1), scene.masks[:, 0], atol=1e-5)
  np.testing.assert_allclose((scene.masks * scene.components).sum(1), scene.image, atol=1e-5)


def test_latents_are_those_of_the_boxes(plain):
  scene = jax.device_get(scene_of(plain[0]))
  assert scene.latents.shape == (BATCH, CELLS, CONFIG["object_latents"])
  np.testing.assert_array_equal(scene.latents, plain[0].foreground.what.mean)


def test_the_demonstration_shows_every_part(plain, image):
  """The published 6 + 3 K tiles."""
  posterior = plain[0]
  rows = demo_panel(jax.tree.map(jnp.asarray, posterior), image)
  rows = {name: np.asarray(pictures) for name, pictures in rows.items()}
  assert len(rows) == 6 + 3 * SLOTS
  assert list(rows)[:6] == [
    *("image", "reconstruction", "foreground", "foreground, boxes", "background", "masked 1")
  ]
  assert list(rows)[-1] == "alpha"
  assert {row.shape[:3] for row in rows.values()} == {(BATCH, SIDE, SIDE)}
  masked = sum(rows[f"masked {k + 1}"] for k in range(SLOTS))
  np.testing.assert_allclose(masked, rows["background"], atol=1e-5)
  mixed = rows["alpha"] * rows["foreground"] + (1 - rows["alpha"]) * rows["background"]
  np.testing.assert_allclose(mixed, rows["reconstruction"], atol=1e-5)
  green = (rows["foreground, boxes"] - rows["foreground"]).max((0, 1, 2))
  assert green[1] > 0.05 and (green[[0, 2]] == 0).all()


def test_pictures_are_offered_under_their_names(model, image):
  task = make_task(CONFIG)
  batch = {
    "image": image,
    "bboxes": np.zeros((BATCH, 3, 4), np.float32),
    "num_objects": np.full(BATCH, 3, np.int32),
  }
  assert list(task.panels) == ["boxes", "demo"]
  draw = task.panels["boxes"]
  rows = jax.eval_shape(lambda: draw(*model, batch, KEY))
  assert {name: row.shape for name, row in rows.items()} == {
    "boxes": (BATCH, 6 * SIDE, 6 * SIDE, 3),
    "true boxes": (BATCH, 6 * SIDE, 6 * SIDE, 3),
  }


def test_boxes_belong_to_the_cells_they_are_drawn_in(explain, plain):
  """With a shift of zero, before it is squashed, a box is in the middle of its cell."""
  shift = plain[0].foreground.shift
  foreground = explain(shift=-shift.mean / shift.deviation)[0].foreground
  boxes = np.asarray(image_boxes(jnp.asarray(foreground.boxes)))
  row, column = np.divmod(np.arange(CELLS), GRID)
  np.testing.assert_allclose(boxes[0, :, 0], (row + 0.5) / GRID, atol=1e-5)
  np.testing.assert_allclose(boxes[0, :, 1], (column + 0.5) / GRID, atol=1e-5)
  assert (boxes[..., 2:] > 0).all() and (boxes[..., 2:] < 1).all()


def test_sizes_are_rows_then_columns_in_a_scene_and_columns_first_in_a_box():
  box = jnp.array([[[0.1, 0.2, -0.5, 0.5]]])
  np.testing.assert_allclose(image_boxes(box)[0, 0], [0.75, 0.25, 0.2, 0.1])


def test_presence_makes_objects_visible_and_its_draw_is_relaxed(explain, plain):
  certain = np.full((BATCH, CELLS, 1), 50.0, np.float32)
  foreground = explain(presence=certain)[0].foreground
  np.testing.assert_allclose(foreground.visible_alphas, foreground.alphas, rtol=1e-5)
  hidden = explain(presence=-certain)[0]
  assert hidden.foreground.alpha.max() < 1e-6 and np.abs(hidden.foreground.image).max() < 1e-6
  np.testing.assert_allclose(hidden.image, hidden.background.image, atol=1e-5)
  foreground = plain[0].foreground
  expected = 1 / (1 + np.exp(-foreground.presence_logits / NOW["presence_temperature"]))
  np.testing.assert_allclose(foreground.presence, expected, rtol=1e-5)


def test_the_nearest_object_is_in_front(explain):
  """Of large boxes over the whole image, the one with the smallest depth explains it."""
  near = 5
  depth = np.full((BATCH, CELLS, 1), 1e3, np.float32)
  depth[:, near] = -1e3
  certain, large = (np.full((BATCH, CELLS, n), 50.0, np.float32) for n in (1, 2))
  foreground = explain(depth=depth, presence=certain, scale=large)[0].foreground
  middle = foreground.weights[:, :, SIDE // 3, SIDE // 3, 0]
  assert (middle.argmax(1) == near).all() and (middle[:, near] > 0.99).all()


def test_a_new_image_moves_its_own_row_alone(model, image):
  """In evaluation; in training batch statistics tie a batch together."""
  task = make_task(CONFIG)
  see = jax.jit(lambda image: scene_of(task.posterior(*model, image, KEY, False)).image)
  other = image.copy()
  other[1] = other[1, ::-1]
  first, second = see(image), see(other)
  np.testing.assert_array_equal(first[0], second[0])
  assert np.abs(first[1] - second[1]).max() > 1e-3


# Objective


def test_likelihood_is_a_mixture_of_mixtures(plain, image):
  posterior, terms = plain
  masks, alpha = posterior.background.masks.astype(float), posterior.alpha.astype(float)
  behind = norm.logpdf(image[:, None], posterior.background.components, 0.1)
  behind = logsumexp(behind + np.log(masks + 1e-5), axis=1)
  before = norm.logpdf(image, posterior.foreground.image, 0.2)
  parts = [before + np.log(alpha + 1e-5), behind + np.log(1 - alpha + 1e-5)]
  expected = -logsumexp(parts, axis=0).sum((1, 2, 3))
  np.testing.assert_allclose(terms["reconstruction"], expected, rtol=1e-5)


def test_divergences(plain):
  foreground, terms = plain[0].foreground, plain[1]

  def kl(gaussian, mean=0.0, deviation=1.0):
    ratio, distance = gaussian.deviation / deviation, (gaussian.mean - mean) / deviation
    return (0.5 * (ratio**2 + distance**2 - 1) - np.log(ratio)).sum((1, 2))

  np.testing.assert_allclose(terms["kl_what"], kl(foreground.what), rtol=1e-4)
  np.testing.assert_allclose(terms["kl_depth"], kl(foreground.depth), rtol=1e-4)
  np.testing.assert_allclose(terms["kl_shift"], kl(foreground.shift), rtol=1e-4)
  np.testing.assert_allclose(terms["kl_scale"], kl(foreground.scale, -1.0, 0.3), rtol=1e-4)
  q = 1 / (1 + np.exp(-foreground.presence_logits.astype(float)))
  expected = q * np.log(q / 0.1) + (1 - q) * np.log((1 - q) / 0.9)
  np.testing.assert_allclose(terms["kl_presence"], expected.sum((1, 2)), rtol=1e-4)


def test_loss_is_the_negative_elbo_and_the_boundary_until_it_is_off(differentiated, plain):
  posterior, terms = plain
  elbo = sum(value.mean() for value in terms.values())
  boundary = np.asarray(boundary_error(posterior.foreground)).mean()
  loss, report, _ = differentiated()
  assert report["elbo"] == pytest.approx(elbo, rel=1e-5)
  assert loss == pytest.approx(elbo + boundary, rel=1e-5)
  off, report, _ = differentiated(NOW | {"boundary_weight": 0.0})
  assert off == pytest.approx(elbo, rel=1e-5) and report["boundary"] == 0


def test_boundary_counts_what_lies_under_the_rims(plain):
  frame = boundary_frame()[..., 0]
  assert (frame[:6] == 1 / 1024).all() and (frame[6:-6, 6:-6] == 0).all()
  foreground = plain[0].foreground
  overlap = foreground.boundary * foreground.alpha
  expected = -norm.logpdf(overlap, 0, 0.7).sum((1, 2, 3))
  np.testing.assert_allclose(boundary_error(foreground), expected, rtol=1e-5)


def test_a_fixed_alpha_is_used_for_likelihood_and_image(explain, plain):
  fixed = explain(NOW | {"fixed_alpha": 0.25})[0]
  np.testing.assert_array_equal(fixed.alpha, 0.25)
  np.testing.assert_array_equal(fixed.foreground.alpha, plain[0].foreground.alpha)
  mixed = 0.25 * fixed.foreground.image + 0.75 * fixed.background.image
  np.testing.assert_allclose(fixed.image, mixed, atol=1e-6)


def test_a_fixed_presence_is_drawn_and_the_inferred_one_still_judged(explain, plain):
  fixed, terms = explain(NOW | {"fixed_presence": 1.0})
  foreground, inferred = fixed.foreground, plain[0].foreground
  np.testing.assert_array_equal(foreground.presence, 1.0)
  np.testing.assert_array_equal(foreground.visible_alphas, foreground.alphas)
  np.testing.assert_array_equal(foreground.probability, inferred.probability)
  np.testing.assert_array_equal(terms["kl_presence"], plain[1]["kl_presence"])
  assert (foreground.alpha.mean((1, 2, 3)) > inferred.alpha.mean((1, 2, 3))).all()


def test_every_parameter_learns(differentiated):
  _, _, gradients = differentiated()
  for path, gradient in flax.traverse_util.flatten_dict(gradients, sep="/").items():
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0, path


# Options and sizes


@pytest.mark.parametrize(("slots", "count"), [(5, 5_307_651), (1, 5_540_546)])
def test_published_size(slots, count):
  """The published count less its unused layer; with one component less what that does not use."""
  task = make_task(PUBLISHED | {"background_components": slots})
  found = count_parameters(task, 128)
  assert found == count


@pytest.mark.parametrize("grid", [4, 8, 16])
def test_published_decoders_and_grids(grid):
  assert decoder_factors(128, MASK_ORDER) == (4, 2, 4, 4)
  assert decoder_factors(128, STRONG_ORDER) == (4, 4, 2, 4)
  assert grid_strides(128, grid) == {4: (2, 2), 8: (1, 2), 16: (1, 1)}[grid]
  for side in (16, 32, 64, 256):
    for order in (MASK_ORDER, STRONG_ORDER):
      assert np.prod(decoder_factors(side, order)) == side


def test_numbers_follow_their_inputs_and_bfloat16_is_for_layers(model, image):
  with jax.enable_x64(True):
    task = make_task(CONFIG)
    double = in_double(model)
    scene = jax.eval_shape(
      lambda x: scene_of(task.posterior(*double, x, KEY, False)), in_double(image)
    )
    assert {leaf.dtype for leaf in jax.tree.leaves(scene)} == {np.dtype(float), np.dtype(bool)}
  low = make_task(CONFIG | {"dtype": "bfloat16"})
  terms = jax.eval_shape(lambda x: low.terms(*model, {"image": x}, KEY), image)
  assert {leaf.dtype for leaf in terms.values()} == {np.dtype(np.float32)}


def test_rematerialised_gradients_are_the_same(model, image):
  def gradient(rematerialise):
    task = make_task(CONFIG | {"rematerialise": rematerialise})
    network, params = task.network.foreground, model[0]["foreground"]

    def value(head):
      changed = params | {"scale_head": head}
      return network.apply({"params": changed}, image, 0.7, -1.0, False).image.sum()

    return jax.device_get(jax.jit(jax.grad(value))(params["scale_head"]))

  kept, again = gradient(False), gradient(True)
  np.testing.assert_allclose(again["kernel"], kept["kernel"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"grid": 5}, "grid is 5: images of side 32 need 1 or 2 or 4"),
    ({"side": 48, "grid": 6}, "side is 48"),
    ({"glimpse": 12}, "glimpse is 12"),
    ({"background_components": 0}, "background_components is 0"),
    ({"foreground_deviation": 0.0}, "foreground_deviation is 0.0"),
    ({"settled": {"presence_prior": 0.1}}, "settled lacks scale_prior_mean"),
    ({"glimpses": 8}, "glimpses is not a field"),
  ],
  ids=str,
)
def test_what_cannot_be_built_is_named(change, message):
  with pytest.raises(InputError, match=message):
    make_task(CONFIG | change)
