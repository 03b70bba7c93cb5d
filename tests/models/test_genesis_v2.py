"""GENESIS-V2: what a scene holds, which numbers depend on what, and its options.

Sizes differ for every axis: B 2, K 5, H = W 32, C 3, D 16, embedding 8.
"""

import dataclasses
from functools import partial

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.genesis_v2 import (
  NO_SLOT,
  GenesisV2,
  PixelEmbedding,
  PosteriorHead,
  make_task,
)
from objectcentric_jax.nn.noise import NOISE
from tests.models.elbo_models import assert_close, types_of_samples
from tests.parameters import random_parameters

CONFIG = {
  "side": 32,
  "slots": 5,
  "features": 16,
  "norm_groups": 8,
  "kernel": "gaussian",
  "semiconvolutional": True,
  "encoder_coordinates": False,
  "own_colours": 0.0,
  "first_width": 0.0,
  "first_deviation": 0.0,
  "autoregressive_prior": True,
  "bounded_pixels": True,
  "smallest_segment": 0.0,
  "decode_missing_slots": False,
  "pixel_deviation": 0.7,
  "mask_kl": True,
  "mask_kl_weight": 1.0,
  "detach_decoded_masks": True,
  "geco": {
    "use": True,
    "goal": 0.5655,
    "rate": 1e-5,
    "decay": 0.99,
    "start": 1.5,
    "minimum": 1e-10,
    "speedup": 10.0,
  },
  "unroll": 0,
  "dtype": "float32",
}
BETA = CONFIG | {"geco": CONFIG["geco"] | {"use": False}}
BATCH, SLOTS, SIDE, FEATURES = 2, 5, 32, 16
KEY = jax.random.key(0)


def shapes_of(config):
  """Shapes of the parameters and the model state."""
  image = jax.ShapeDtypeStruct((1, config["side"], config["side"], 3), jnp.float32)
  return jax.eval_shape(make_task(config).init, KEY, {"image": image})


def draws(count: int = BATCH, slots: int = SLOTS):
  rng = np.random.default_rng(5)
  return {
    "latent": rng.standard_normal((count, slots, FEATURES)).astype(np.float32),
    "field": rng.uniform(size=(count, SIDE, SIDE, 1)).astype(np.float32),
  }


@pytest.fixture(scope="module")
def params():
  return random_parameters(shapes_of(CONFIG)[0])


@pytest.fixture(scope="module")
def image():
  """Rectangles of one colour each on a plain background."""
  rng = np.random.default_rng(0)
  image = np.ones((BATCH, SIDE, SIDE, 3), np.float32) * rng.uniform(size=(BATCH, 1, 1, 3))
  image[:, 3:12, 5:20] = rng.uniform(size=(BATCH, 1, 1, 3))
  image[:, 18:30, 14:28] = rng.uniform(size=(BATCH, 1, 1, 3))
  return image.astype(np.float32)


def explain(config):
  """Compiled (params, image, draws) -> (posterior, terms per image, scene)."""
  task = make_task(config)

  def function(params, image, given):
    posterior = task.posterior(params, {}, image, KEY, given)
    batch = {"image": image}
    terms = task.terms(params, {}, batch, KEY, given)
    return posterior, terms, task.scene(params, {}, batch, KEY, given)

  return jax.jit(function)


@pytest.fixture(scope="module")
def explained(params, image):
  return jax.device_get(explain(CONFIG)(params, image, draws()))


# What comes out


def test_scene_has_the_shapes_it_promises(explained):
  posterior, terms, scene = explained
  pixels = (SIDE, SIDE)
  assert scene.image.shape == (BATCH, *pixels, 3)
  assert scene.masks.shape == (BATCH, SLOTS, *pixels, 1)
  assert scene.components.shape == (BATCH, SLOTS, *pixels, 3)
  assert scene.latents.shape == (BATCH, SLOTS, FEATURES)
  assert {n: m.shape for n, m in scene.other_masks.items()} == {"attention": scene.masks.shape}
  assert posterior.grouping.seeds.shape == (BATCH, SLOTS - 1, 8)
  assert posterior.grouping.log_scope.shape == scene.masks.shape
  assert posterior.offset.shape == (BATCH, *pixels, 2)
  assert {name: value.shape for name, value in terms.items()} == dict.fromkeys(
    ("reconstruction", "kl_latent", "kl_mask"), (BATCH,)
  )


def test_masks_sum_to_one_and_mix_the_components(explained):
  scene = explained[2]
  for masks in (scene.masks, scene.other_masks["attention"]):
    assert masks.min() >= 0
    np.testing.assert_allclose(masks.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose((scene.masks * scene.components).sum(1), scene.image, atol=1e-6)
  assert scene.components.min() >= 0 and scene.components.max() <= 1


def test_latents_are_drawn_around_the_posterior_mean(explained):
  posterior, _, scene = explained
  expected = posterior.mean + draws()["latent"] * posterior.deviation
  np.testing.assert_allclose(posterior.latents, expected, atol=1e-6)
  np.testing.assert_array_equal(scene.latents, posterior.mean)
  assert posterior.deviation.min() > 0
  np.testing.assert_array_equal(posterior.prior_mean[:, 0], 0)
  np.testing.assert_array_equal(posterior.prior_deviation[:, 0], 1)
  assert np.abs(posterior.prior_mean[:, 1:]).min() > 0


# The same numbers however they are computed


def test_compiled_equals_interpreted(params, image, explained):
  posterior = make_task(CONFIG).posterior(params, {}, image, KEY, draws())
  assert_close(posterior, explained[0], 2e-5)


def test_rolled_loops_equal_unrolled_ones(params, image, explained):
  assert make_task(CONFIG).network.unroll == SLOTS
  assert_close(explain(CONFIG | {"unroll": 1})(params, image, draws()), explained, 2e-5)


def test_float64_in_gives_float64_out(params, image, explained):
  double = lambda tree: jax.tree.map(lambda x: np.asarray(x, np.float64), tree)  # noqa: E731
  with jax.enable_x64(True):
    found = jax.device_get(explain(CONFIG)(double(params), double(image), double(draws())))
  for part in jax.tree.leaves(found):
    assert part.dtype in (np.float64, np.bool_)
  assert types_of_samples(make_task(CONFIG), (params, {})) == {np.dtype(np.float64)}
  assert_close(explained, found, 5e-5)


def test_bfloat16_keeps_losses_in_float32_and_near(params, image, explained):
  task = make_task(CONFIG | {"dtype": "bfloat16"})
  terms = jax.jit(task.terms)(params, {}, {"image": image}, KEY, draws())
  for name, value in terms.items():
    assert value.dtype == jnp.float32 and np.isfinite(value).all(), name
    np.testing.assert_allclose(value, explained[1][name], rtol=0.1, err_msg=name)
  error = explained[1]["reconstruction"]
  np.testing.assert_allclose(terms["reconstruction"], error, rtol=0.01)


# The objective and its gradients


@pytest.fixture(scope="module")
def differentiate(image):
  """Compiled (params, model state, key) -> ((loss, (model state, report)), gradients)."""
  task = make_task(CONFIG)

  def loss(params, model_state, key):
    return task.elbo(params, model_state, {"image": image}, {}, key)

  return jax.jit(jax.value_and_grad(loss, has_aux=True))


@pytest.fixture(scope="module")
def model_state():
  _, model_state = jax.eval_shape(make_task(CONFIG).init, KEY, {"image": jnp.zeros((1, 32, 32, 3))})
  start = make_task(CONFIG).geco["start"]
  filled = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), model_state)
  return {"geco": filled["geco"].replace(multiplier=np.asarray(start, np.float32))}


def test_every_parameter_has_a_gradient(params, model_state, differentiate):
  """But the bias of the embedding: only differences between pixels matter."""
  _, gradients = differentiate(params, model_state, KEY)
  norms = {
    "/".join(path): float(np.linalg.norm(np.asarray(gradient).ravel()))
    for path, gradient in flax.traverse_util.flatten_dict(gradients).items()
  }
  assert np.isfinite(list(norms.values())).all()
  noise = norms.pop("embedding/conv/bias")
  assert noise < 1e-4 * norms["embedding/conv/kernel"]
  assert [name for name, norm in norms.items() if norm < 1e-6] == []


def test_a_closed_gate_gives_its_convolution_no_gradient(params, model_state, differentiate):
  """As at the start of training: the colours are the coordinates, and only the gate learns."""
  closed = params | {"embedding": params["embedding"] | {"gate": np.zeros((), np.float32)}}
  _, gradients = differentiate(closed, model_state, KEY)
  assert float(jnp.abs(gradients["embedding"]["gate"])) > 0
  for gradient in gradients["embedding"]["conv"].values():
    np.testing.assert_array_equal(gradient, 0)


def test_geco_weighs_the_divergence_and_moves_after_the_step(params, model_state, differentiate):
  (loss, (after, report)), _ = differentiate(params, model_state, KEY)
  report = {name: float(value) for name, value in report.items()}
  divergence = report["kl_latent"] + report["kl_mask"]
  assert float(loss) == pytest.approx(report["reconstruction"] + 1.5 * divergence, rel=1e-6)
  assert report["elbo"] == pytest.approx(report["reconstruction"] + divergence, rel=1e-6)
  assert report["multiplier"] == 1.5
  values = 3 * SIDE**2
  assert report["reconstruction_per_value"] == pytest.approx(report["reconstruction"] / values)
  assert float(after["geco"].error_average) == pytest.approx(report["reconstruction"])
  step = 1e-5 * 64**2 / SIDE**2 * (0.5655 * values - report["reconstruction"])
  assert float(after["geco"].multiplier) == pytest.approx(1.5 * np.exp(step), rel=1e-5)
  assert 1 <= report["active_components"] <= SLOTS and 0 < report["largest_share"] <= 1
  assert report["kernel_width"] == pytest.approx(np.exp(params["log_kernel_width"]))


def test_draws_come_from_the_key(params, model_state, differentiate):
  losses = [
    float(differentiate(params, model_state, jax.random.key(seed))[0][0]) for seed in (1, 1, 2)
  ]
  assert losses[0] == losses[1] != losses[2]


def test_without_geco_the_weight_is_the_schedule(params, image, explained):
  task = make_task(BETA)
  assert shapes_of(BETA)[1] == {}
  elbo = jax.jit(lambda beta: task.elbo(params, {}, {"image": image}, {"beta": beta}, KEY, draws()))
  loss, (model_state, report) = elbo(0.25)
  assert model_state == {} and float(report["multiplier"]) == 0.25
  terms = {name: value.mean() for name, value in explained[1].items()}
  expected = terms["reconstruction"] + 0.25 * (terms["kl_latent"] + terms["kl_mask"])
  assert float(loss) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("detach", [True, False])
def test_detaching_stops_the_gradient_of_the_decoded_masks(explained, image, detach):
  task = make_task(CONFIG | {"detach_decoded_masks": detach})

  def mask_kl(log_masks):
    posterior = explained[0].replace(log_masks=log_masks)
    return task.objective_terms(posterior, image)["kl_mask"].sum()

  gradient = jax.grad(mask_kl)(explained[0].log_masks)
  assert bool((gradient == 0).all()) == detach


def test_the_mask_term_is_optional(explained, image):
  terms = make_task(CONFIG | {"mask_kl": False}).objective_terms(explained[0], image)
  assert set(terms) == {"reconstruction", "kl_latent"}
  np.testing.assert_allclose(terms["kl_latent"].sum(1), explained[1]["kl_latent"], rtol=1e-5)


# Options


@pytest.mark.parametrize("decode", [True, False])
def test_missing_slots_count_only_when_they_are_decoded(explained, decode):
  task = make_task(CONFIG | {"decode_missing_slots": decode})
  found = explained[0].grouping.found.copy()
  found[1, 3:] = False
  posterior = explained[0].replace(grouping=explained[0].grouping.replace(found=found))
  kl = np.asarray(task.latent_kl(posterior))
  assert kl.shape == (BATCH, SLOTS)
  assert ((kl == 0) == (~found & ~np.asarray(decode))).all()


def test_an_image_in_a_batch_equals_the_image_alone(params, image):
  """Dynamic slots: the images need different numbers of slots."""
  config = CONFIG | {"smallest_segment": 125.0}
  wide = params | {"log_kernel_width": np.asarray(0.5, np.float32)}
  batch = np.concatenate([image, image[::-1]])
  given = draws(4)
  posterior, terms, scene = jax.device_get(explain(config)(wide, batch, given))
  found = posterior.grouping.found
  assert len(set(found.sum(1).tolist())) > 1 and not found.all()
  missing = ~found
  assert (posterior.grouping.log_masks[missing] == NO_SLOT).all()
  np.testing.assert_array_equal(scene.masks[missing], 0)
  np.testing.assert_allclose(scene.masks.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose(scene.other_masks["attention"].sum(1), 1, atol=1e-5)
  alone = explain(config)
  for i in range(4):
    one = jax.device_get(alone(wide, batch[i : i + 1], {n: d[i : i + 1] for n, d in given.items()}))
    whole = jax.tree.map(lambda x, i=i: x[i : i + 1], (posterior, terms, scene))
    assert_close(one, whole, 2e-5)


def test_options_change_the_parameters_they_should(params):
  def names(**options):
    return set(flax.traverse_util.flatten_dict(shapes_of(CONFIG | options)[0], sep="/"))

  everything = names()
  assert everything - names(semiconvolutional=False) == {"embedding/gate"}
  prior = {f"prior/moments/{name}" for name in ("kernel", "bias")}
  prior |= {f"prior/lstm/{n}" for n in ("input_kernel", "hidden_kernel", "input_bias")}
  prior |= {"prior/lstm/hidden_bias"}
  assert everything - names(autoregressive_prior=False) == prior
  assert everything - names(slots=1) == prior
  for side in (64, 128):
    blocks = (side // 32).bit_length() - 1
    assert len(names(side=side)) == len(everything) + 2 * 3 * blocks
  for options in ({"kernel": "laplacian"}, {"kernel": "epanechnikov"}, {"mask_kl": False}):
    assert names(**options) == everything


@pytest.mark.parametrize(
  "features, side, slots, count",
  [(64, 64, 5, 2_729_422), (64, 128, 5, 2_840_270), (64, 32, 4, 2_618_574)],
)
def test_parameter_count_is_the_published_one(features, side, slots, count):
  shapes = shapes_of(CONFIG | {"features": features, "side": side, "slots": slots})[0]
  assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == count


def test_one_slot_takes_everything_and_needs_no_prior(image):
  options = {"slots": 1, "semiconvolutional": False, "bounded_pixels": False, "mask_kl": False}
  task = make_task(CONFIG | options)
  params = random_parameters(shapes_of(CONFIG | options)[0])
  params["decoder"]["colour_and_mask"]["bias"] += 3

  @jax.jit
  def both(params):
    return task.posterior(params, {}, image, KEY, False), task.sample(params, {}, KEY, 3)

  posterior, sampled = jax.device_get(both(params))
  np.testing.assert_array_equal(posterior.grouping.log_masks, 0)
  np.testing.assert_array_equal(posterior.log_masks, 0)
  assert posterior.grouping.seeds.shape == (BATCH, 0, 8)
  np.testing.assert_array_equal(posterior.prior_mean, 0)
  assert posterior.offset is None
  np.testing.assert_array_equal(posterior.latents, posterior.mean)
  np.testing.assert_array_equal(posterior.image, posterior.components[:, 0])
  assert posterior.image.max() > 1  # colours are not squashed
  assert sampled.image.shape == (3, SIDE, SIDE, 3)


def test_samples_are_scenes_of_any_number_of_slots(params):
  task = make_task(CONFIG)
  scene = jax.device_get(jax.jit(lambda p, k: task.sample(p, {}, k, 3))(params, KEY))
  assert scene.image.shape == (3, SIDE, SIDE, 3) and scene.latents.shape == (3, SLOTS, FEATURES)
  np.testing.assert_allclose(scene.masks.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose((scene.masks * scene.components).sum(1), scene.image, atol=1e-6)
  assert np.abs(scene.latents[0] - scene.latents[1]).max() > 0.1
  shapes = jax.eval_shape(
    lambda p: task.network.apply(
      {"params": p}, 3, True, 7, method=GenesisV2.generate, rngs={NOISE: KEY}
    ),
    params,
  )
  assert shapes.components.shape == (3, 7, SIDE, SIDE, 3)


def test_without_a_learned_prior_latents_are_standard_normal(params):
  options = {"autoregressive_prior": False}
  network = make_task(CONFIG | options).network
  noise = {"latent": jnp.asarray(draws()["latent"])}
  generated = jax.eval_shape(
    lambda p: network.apply({"params": p}, BATCH, noise, method=GenesisV2.generate), params
  )
  assert generated.latents.shape == (BATCH, SLOTS, FEATURES)
  task = make_task(CONFIG | options)
  shapes = jax.eval_shape(
    lambda p, x: task.posterior(p, {}, x, KEY), params, jnp.zeros((BATCH, SIDE, SIDE, 3))
  )
  assert shapes.prior_mean.shape == shapes.mean.shape


# Starting values and errors


def test_training_starts_from_the_published_values():
  task = make_task(CONFIG | {"kernel": "laplacian"})

  @jax.jit
  def some(key):  # all would take long to compile
    params, model_state = task.init(key, {"image": jnp.zeros((1, SIDE, SIDE, 3))})
    names = ("log_kernel_width", "embedding", "prior", "segmentation_head")
    return {name: params[name] for name in names}, model_state

  params, model_state = some(KEY)
  width = 1 / (np.sqrt(SLOTS) * np.log(2))
  assert float(params["log_kernel_width"]) == pytest.approx(np.log(width))
  assert float(params["embedding"]["gate"]) == 0.0
  assert float(model_state["geco"].multiplier) == 1.5
  assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
  np.testing.assert_array_equal(params["segmentation_head"]["norm"]["scale"], 1)
  np.testing.assert_array_equal(params["segmentation_head"]["norm"]["bias"], 0)
  for part, fan_in in (
    (params["embedding"]["conv"], FEATURES),
    ({"kernel": params["segmentation_head"]["conv"]["kernel"]}, 9 * FEATURES),
    (params["prior"]["lstm"], 4 * FEATURES),
    (params["prior"]["moments"], 4 * FEATURES),
  ):
    for name, leaf in part.items():
      assert 0.7 * fan_in**-0.5 < float(jnp.abs(leaf).max()) <= fan_in**-0.5, name


def test_embeddings_start_from_place_and_own_colours(image):
  module = PixelEmbedding(semiconvolutional=True, own_colours=3.0)
  features = np.random.default_rng(1).standard_normal((BATCH, SIDE, SIDE, 4)).astype(np.float32)
  params = module.init(KEY, features, image)
  embedding, offset = module.apply(params, features, image)
  np.testing.assert_array_equal(embedding[..., :3], 0)
  np.testing.assert_allclose(embedding[..., 3:6], 3 * image, rtol=1e-6)
  np.testing.assert_allclose(embedding[0, :, 5, 6], np.linspace(-1, 1, SIDE), atol=1e-6)
  np.testing.assert_allclose(embedding[0, 5, :, 7], np.linspace(-1, 1, SIDE), atol=1e-6)
  np.testing.assert_array_equal(offset, 0)
  params["params"]["gate"] = jnp.float32(0.5)
  opened, _ = module.apply(params, features, image)
  conv = jax.device_get(params["params"]["conv"])
  learned = features @ conv["kernel"][0, 0] + conv["bias"]
  np.testing.assert_allclose(opened - embedding, 0.5 * learned, atol=1e-5)


@pytest.mark.parametrize("first", [0.1, 2.0])
def test_the_first_deviation_of_the_posterior_is_what_was_asked_for(first):
  pooled = np.random.default_rng(1).standard_normal((7, 2 * FEATURES)).astype(np.float32)
  published, changed = PosteriorHead(), PosteriorHead(first)
  params = published.init(KEY, pooled)
  mean, _ = published.apply(params, pooled)
  same, deviation = changed.apply(params, pooled)
  np.testing.assert_array_equal(mean, same)
  assert float(deviation.mean()) == pytest.approx(first, rel=0.1)
  zeros = jax.tree.map(jnp.zeros_like, params)
  np.testing.assert_allclose(changed.apply(zeros, pooled)[1], first, rtol=1e-5)


def test_own_starts_change_no_other_parameter():
  flatten = partial(flax.traverse_util.flatten_dict, sep="/")
  options = {"encoder_coordinates": True, "own_colours": 2.0, "first_width": 3.0}
  ours, published = (flatten(shapes_of(CONFIG | given)[0]) for given in (options, {}))
  first = "encoder/down_0/conv/kernel"
  assert (ours[first].shape, published[first].shape) == ((3, 3, 5, 16), (3, 3, 3, 16))
  assert {n: x.shape for n, x in ours.items() if n != first} == {
    n: x.shape for n, x in published.items() if n != first
  }
  task = make_task(CONFIG | options)
  start = jax.jit(lambda key: task.init(key, {"image": jnp.zeros((1, SIDE, SIDE, 3))})[0])
  width = jax.jit(lambda key: start(key)["log_kernel_width"])(KEY)
  assert float(width) == pytest.approx(np.log(3.0))


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"own_colours": -1.0}, "config.model.own_colours is -1.0: 0 or a number above it"),
    ({"first_width": -1.0}, "config.model.first_width is -1.0: 0 or a number above it"),
    ({"first_deviation": -0.1}, "config.model.first_deviation is -0.1: 0 or a number above it"),
    ({"own_colours": 1.0, "semiconvolutional": False}, "own_colours is 1.0: .* semiconvolutional"),
    ({"side": 48}, "config.model.side is 48: .* power of two"),
    ({"slots": 0}, "config.model.slots is 0: at least 1"),
    ({"features": 12}, "config.model.features is 12: a multiple of norm_groups 8, up to 64"),
    ({"features": 72}, "config.model.features is 72: a multiple of norm_groups 8, up to 64"),
    ({"features": 0}, "config.model.features is 0: a multiple of norm_groups 8, up to 64"),
    ({"norm_groups": 0}, "config.model.features is 16: a multiple of norm_groups 0"),
    ({"norm_groups": 5}, "config.model.features is 16: a multiple of norm_groups 5"),
    ({"kernel": "cosine"}, "config.model.kernel is 'cosine': choose one of gaussian, laplacian,"),
    ({"dtype": "float16"}, "config.model.dtype is 'float16': choose float32 or bfloat16"),
    ({"pixel_deviation": 0.0}, "config.model.pixel_deviation is 0.0: a number above 0"),
    ({"slot": 3}, r"config.model.slot is not a field of this model \(did you mean slots\?\)"),
    ({"geco": {**CONFIG["geco"], "gaol": 1}}, "config.model.geco.gaol is not .* mean goal"),
    ({"geco": {"use": False}}, "config.model.geco lacks goal, rate, decay, start, minimum, speed"),
  ],
)
def test_unusable_settings_are_named(changes, message):
  with pytest.raises(InputError, match=message):
    make_task(CONFIG | changes)


def test_missing_settings_are_named():
  config = {name: value for name, value in CONFIG.items() if name not in ("kernel", "unroll")}
  with pytest.raises(InputError, match="config.model lacks kernel, unroll"):
    make_task(config)


def test_the_task_is_plain_data():
  task = make_task(CONFIG, axis_name="data")
  assert task.axis_name == "data" and list(task.losses) == ["elbo"]
  with pytest.raises(dataclasses.FrozenInstanceError):
    task.pixel_deviation = 1.0
