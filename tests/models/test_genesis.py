"""GENESIS: what its latents decide, which numbers depend on what, and its options.

Sizes differ for every axis: B 2, K 3, H = W 32, C 3, mask latents 7, component latents 5.
"""

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.genesis import Genesis, GenesisTask, make_task
from objectcentric_jax.nn.convolution import ConvTranspose
from objectcentric_jax.nn.gated import GatedConvTranspose
from objectcentric_jax.nn.noise import NOISE
from tests.models.elbo_models import (
  GECO,
  KEY,
  assert_close,
  count_parameters,
  explain,
  in_double,
  random_model,
  rectangles,
  shapes_of,
  types_of_samples,
)

BATCH, SLOTS, SIDE, MASK, PART = 2, 3, 32, 7, 5
CONFIG = {
  "side": SIDE,
  "slots": SLOTS,
  "two_stage": True,
  "autoregressive_prior": True,
  "component_prior": True,
  "mask_latents": MASK,
  "encoder_norm": "batch",
  "decoder_norm": "batch",
  "component_latents": PART,
  "component_encoder_features": 6,
  "component_decoder_features": 8,
  "component_decoder_layers": 2,
  "symmetric_components": False,
  "bounded_pixels": True,
  "squash_sampled_means": True,
  "pixel_deviation": 0.7,
  "first_pixel_deviation": 0.5,
  "geco": GECO,
  "unroll": 0,
  "dtype": "float32",
}
PUBLISHED = CONFIG | {
  "mask_latents": 64,
  "component_latents": 16,
  "component_encoder_features": 32,
  "component_decoder_features": 32,
  "component_decoder_layers": 4,
}


def draws(seed: int = 5, count: int = BATCH):
  rng = np.random.default_rng(seed)
  return {
    "mask_latent": rng.standard_normal((count, SLOTS, MASK)).astype(np.float32),
    "component_latent": rng.standard_normal((count, SLOTS, PART)).astype(np.float32),
  }


@pytest.fixture(scope="module")
def model():
  """Parameters and model state, with masks that are not all the same."""
  params, model_state = random_model(make_task(CONFIG), SIDE)
  params["mask_decoder"]["output"]["kernel"] *= 20
  return params, model_state


@pytest.fixture(scope="module")
def image():
  return rectangles(BATCH, SIDE)


@pytest.fixture(scope="module")
def explained_with(model, image):
  """Compiled draws -> (posterior, terms per image, scene) of the default model."""
  compiled = explain(make_task(CONFIG))
  return lambda given: jax.device_get(compiled(*model, image, given))


@pytest.fixture(scope="module")
def explained(explained_with):
  return explained_with(draws())


@pytest.fixture(scope="module")
def decode(model):
  """Compiled latents [2, K, D] -> scene."""
  compiled = jax.jit(make_task(CONFIG).decode)
  return lambda latents: jax.device_get(compiled(*model, latents))


# What comes out


def test_scene_has_the_shapes_it_promises(explained):
  posterior, terms, scene = explained
  pixels = (SIDE, SIDE)
  assert scene.image.shape == (BATCH, *pixels, 3)
  assert scene.masks.shape == (BATCH, SLOTS, *pixels, 1)
  assert scene.components.shape == (BATCH, SLOTS, *pixels, 3)
  assert scene.latents.shape == (BATCH, SLOTS, MASK + PART)
  assert posterior.log_scope.shape == (BATCH, SLOTS + 1, *pixels, 1)
  assert {name: value.shape for name, value in terms.items()} == {
    "reconstruction": (BATCH,),
    "kl_mask": (BATCH,),
    "kl_latent": (BATCH,),
  }


def test_masks_break_a_stick_and_mix_the_components(explained):
  posterior, _, scene = explained
  np.testing.assert_allclose(scene.masks.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose((scene.masks * scene.components).sum(1), scene.image, atol=1e-6)
  np.testing.assert_array_equal(posterior.log_scope[:, 0], 0)
  np.testing.assert_array_equal(posterior.log_masks[:, -1], posterior.log_scope[:, -2])
  assert scene.components.min() >= 0 and scene.components.max() <= 1
  assert scene.masks.std() > 0.1  # so that the comparisons below say something


def test_latents_are_drawn_around_the_posterior_means(explained):
  posterior, _, scene = explained
  for moments, name in ((posterior.masks, "mask_latent"), (posterior.parts, "component_latent")):
    expected = moments.mean + draws()[name] * moments.deviation
    np.testing.assert_allclose(moments.latents, expected, atol=1e-6)
    assert moments.deviation.min() > 0
  means = np.concatenate([posterior.masks.mean, posterior.parts.mean], axis=-1)
  np.testing.assert_array_equal(scene.latents, means)


def test_each_posterior_is_given_the_latents_before_it(explained, explained_with):
  """q(z_k | x, z_<k): another draw of slot 2 changes the posterior of slot 3 alone."""
  given = draws()
  given["mask_latent"][:, 1] += 1
  changed, before = explained_with(given)[0].masks, explained[0].masks
  np.testing.assert_array_equal(changed.mean[:, :2], before.mean[:, :2])
  assert (changed.mean[:, 2] != before.mean[:, 2]).all()


def test_the_last_mask_latent_changes_divergences_and_no_mask(explained, explained_with):
  """Its logit is not used; yet it has a KL, and the last component's prior depends on it."""
  given = draws()
  given["mask_latent"][:, -1] += 2
  changed, before = explained_with(given)[0], explained[0]
  np.testing.assert_array_equal(changed.log_masks, before.log_masks)
  np.testing.assert_array_equal(changed.image, before.image)
  assert (changed.log_scope[:, -1] != before.log_scope[:, -1]).any()
  for moments in ("masks", "parts"):
    difference = np.asarray(getattr(changed, moments).kl() - getattr(before, moments).kl())
    np.testing.assert_allclose(difference[:, :-1], 0, atol=1e-5)
    assert (np.abs(difference[:, -1]) > 1e-3).all(), moments


def test_scenes_of_the_latents_are_consistent(explained_with, decode):
  """Decoding the latents that a scene holds gives that scene, where the draws are the means."""
  posterior, _, scene = explained_with({})
  np.testing.assert_array_equal(posterior.masks.latents, posterior.masks.mean)
  decoded = decode(scene.latents)
  for name in ("image", "masks", "components"):
    found, expected = getattr(decoded, name), getattr(scene, name)
    np.testing.assert_allclose(found, expected, atol=2e-5, err_msg=name)


# The same numbers however they are computed


def test_rolled_loops_equal_unrolled_ones(model, image, explained):
  assert make_task(CONFIG).network.unroll == SLOTS
  rolled = explain(make_task(CONFIG | {"unroll": 1}))(*model, image, draws())
  assert_close(rolled, explained, 2e-5)


def test_float64_in_gives_float64_out(model, image, explained):
  task = make_task(CONFIG)
  with jax.enable_x64(True):
    found = jax.device_get(explain(task)(*in_double((*model, image, draws()))))
  assert {part.dtype for part in jax.tree.leaves(found)} == {np.dtype(np.float64)}
  assert types_of_samples(task, model) == {np.dtype(np.float64)}
  assert_close(explained, found, 5e-5)


def test_bfloat16_keeps_losses_in_float32_and_near(model, image, explained):
  task = make_task(CONFIG | {"dtype": "bfloat16"})
  terms = jax.jit(task.terms)(*model, {"image": image}, KEY, draws())
  for name, value in terms.items():
    assert value.dtype == jnp.float32 and np.isfinite(value).all(), name
    np.testing.assert_allclose(value, explained[1][name], rtol=0.1, err_msg=name)
  error = explained[1]["reconstruction"]
  np.testing.assert_allclose(terms["reconstruction"], error, rtol=0.01)


# Training


@pytest.fixture(scope="module")
def trained(model, image):
  """((loss, (model state, report)), gradients) of one step with given draws."""
  task = make_task(CONFIG)

  def loss(params, model_state):
    return task.elbo(params, model_state, {"image": image}, {}, KEY, draws())

  return jax.device_get(jax.jit(jax.value_and_grad(loss, has_aux=True))(*model))


def test_every_parameter_has_a_gradient(trained):
  """But biases in front of a batch norm, which takes them away."""
  gradients = flax.traverse_util.flatten_dict(trained[1], sep="/")
  norms = {name: float(np.linalg.norm(gradient)) for name, gradient in gradients.items()}
  assert np.isfinite(list(norms.values())).all()
  normalised = {n for n in norms if n.endswith("value_norm/scale")}
  shifts = {n.replace("value_norm/scale", "conv/bias") for n in normalised}
  assert len(shifts) == 10
  for name in shifts:
    assert norms.pop(name) < 1e-4 * norms[name.replace("bias", "kernel")], name
  assert [name for name, norm in norms.items() if norm < 1e-6] == []


def test_batch_statistics_are_over_all_slots_of_all_images(model, image, trained):
  """The masks of all slots are decoded as one batch, as published checkpoints were trained."""
  params, before = model[0]["mask_decoder"], model[1]["batch_stats"]["mask_decoder"]
  task = make_task(CONFIG)

  def latents(params, model_state):
    return task.training_posterior(params, model_state, image, KEY, draws())[0].masks.latents

  flat = jax.jit(latents)(*model).reshape(-1, 1, 1, MASK)
  start = GatedConvTranspose(64, 8).apply({"params": params["start"]}, flat)
  layer = ConvTranspose(128, 5, 1, 2, 0)
  values = np.asarray(layer.apply({"params": params["conv_0"]["conv"]}, start), np.float64)
  assert values.shape == (BATCH * SLOTS, 8, 8, 128)
  columns = values[..., :64].reshape(-1, 64)
  after = trained[0][1][0]["batch_stats"]["mask_decoder"]["conv_0"]["value_norm"]
  old = before["conv_0"]["value_norm"]
  expected = 0.9 * old["mean"] + 0.1 * columns.mean(0)
  np.testing.assert_allclose(after["mean"], expected, atol=1e-5)
  expected = 0.9 * old["variance"] + 0.1 * columns.var(0, ddof=1)
  np.testing.assert_allclose(after["variance"], expected, rtol=1e-5)


def test_geco_weighs_both_divergences(trained):
  (loss, (model_state, report)), _ = trained
  divergence = report["kl_mask"] + report["kl_latent"]
  assert float(loss) == pytest.approx(float(report["reconstruction"] + 1.5 * divergence), rel=1e-6)
  for name in ("kl_mask", "kl_latent"):
    parts = sum(report[f"{name}/{k}"] for k in range(1, SLOTS + 1))
    assert float(parts) == pytest.approx(float(report[name]), rel=1e-4)
  assert float(model_state["geco"].error_average) == pytest.approx(float(report["reconstruction"]))
  assert 1 <= report["active_components"] <= SLOTS


def test_the_first_slot_has_a_deviation_of_its_own(explained, image):
  posterior, terms, _ = explained
  same = GenesisTask(Genesis(SIDE, SLOTS), 0.7, None, None, 0.7).objective_terms(posterior, image)
  assert (np.abs(same["reconstruction"] - terms["reconstruction"]) > 1).all()
  alone = posterior.replace(log_masks=np.log([1, 1e-30, 1e-30]).reshape(1, 3, 1, 1, 1))
  error = make_task(CONFIG).objective_terms(alone, image)["reconstruction"]
  distance = (posterior.components[:, 0] - image) / 0.5
  density = 0.5 * distance**2 + 0.5 * np.log(2 * np.pi) + np.log(0.5)
  np.testing.assert_allclose(error, density.sum((1, 2, 3)), rtol=1e-5)


# The priors


def drawn(config, params, count: int = BATCH, **given):
  """Latents that `generate` draws, uncompiled parts left out."""
  network = make_task(config).network

  def latents(variables):
    scene = network.apply(variables, count, given or True, method="generate", rngs={NOISE: KEY})
    return scene.latents

  return np.asarray(jax.jit(latents)(params))


def test_scenes_are_drawn_from_the_priors_of_training(model):
  params, model_state = model
  variables = {"params": params, "batch_stats": model_state["batch_stats"]}
  noise = draws(7)
  latents = drawn(CONFIG, variables, **noise)
  masks, parts = latents[..., :MASK], latents[..., MASK:]
  network = make_task(CONFIG).network

  def priors(network, masks):
    return network.mask_prior(masks), network.component_prior_network(masks)

  moments = network.apply(variables, masks, method=priors)
  for found, (mean, deviation), name in zip((masks, parts), moments, noise, strict=True):
    np.testing.assert_allclose(found, mean + deviation * noise[name], atol=1e-5)
    assert np.abs(mean).max() < 1
  published = drawn(CONFIG | {"squash_sampled_means": False}, variables, **noise)
  np.testing.assert_array_equal(published[:, 0], latents[:, 0])
  assert (published[:, 1:, :MASK] != masks[:, 1:]).any()
  unsquashed = network.apply(
    variables, noise["mask_latent"], method=lambda n, z: n.mask_prior.draw(z, False)
  )
  np.testing.assert_allclose(published[..., :MASK], unsquashed, atol=1e-5)


def test_samples_are_scenes(model):
  task = make_task(CONFIG)
  scene = jax.device_get(jax.jit(task.sample, static_argnums=3)(*model, KEY, 4))
  assert scene.image.shape == (4, SIDE, SIDE, 3) and scene.latents.shape == (4, SLOTS, MASK + PART)
  np.testing.assert_allclose(scene.masks.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose((scene.masks * scene.components).sum(1), scene.image, atol=1e-6)
  assert np.abs(scene.image[0] - scene.image[1]).max() > 1e-3


PLAIN = {"autoregressive_prior": False, "component_prior": False}


def test_without_learned_priors_latents_are_standard_normal(image):
  """Where the published code fails."""
  config = CONFIG | PLAIN | {"encoder_norm": "none", "decoder_norm": "instance"}
  task = make_task(config)
  params, model_state = random_model(task, SIDE)
  assert "batch_stats" not in model_state

  @jax.jit
  def moments(params):
    posterior = task.posterior(params, {}, image, KEY, draws())
    return posterior.masks, posterior.parts

  for part in jax.device_get(moments(params)):
    np.testing.assert_array_equal(part.prior_mean, 0)
    np.testing.assert_array_equal(part.prior_deviation, 1)
  noise = draws(7)
  latents = drawn(config, {"params": params}, **noise)
  np.testing.assert_array_equal(latents, np.concatenate(list(noise.values()), axis=-1))


# One slot, one stage, and other options


def test_one_slot_explains_the_whole_image():
  config = CONFIG | {"slots": 1, "bounded_pixels": False, "pixel_deviation": 0.3}
  task, image = make_task(config), rectangles(BATCH, SIDE)
  params, model_state = random_model(task, SIDE)
  assert set(params) == {"component"} and set(model_state) == {"geco"}
  params["component"]["decoder"]["output"]["bias"] += 3

  @jax.jit
  def everything(params):
    posterior = task.posterior(params, {}, image, KEY, {})
    scene = task.scene_of(posterior)
    terms = task.objective_terms(posterior, image)
    decoded, sampled = task.decode(params, {}, scene.latents), task.sample(params, {}, KEY, 4)
    return posterior, scene, terms, decoded, sampled

  posterior, scene, terms, decoded, sampled = jax.device_get(everything(params))
  assert posterior.masks is None and posterior.log_scope is None
  assert set(terms) == {"reconstruction", "kl_latent"}
  np.testing.assert_array_equal(scene.masks, np.ones((BATCH, 1, SIDE, SIDE, 1)))
  np.testing.assert_array_equal(scene.image, scene.components[:, 0])
  assert scene.image.max() > 1  # colours are not squashed
  np.testing.assert_array_equal(scene.latents, posterior.parts.mean)
  np.testing.assert_array_equal(posterior.parts.prior_mean, 0)
  np.testing.assert_allclose(decoded.image, scene.image, atol=1e-5)
  assert sampled.image.shape == (4, SIDE, SIDE, 3) and sampled.latents.shape == (4, 1, PART)
  # The only slot is the first, with its deviation.
  density = 0.5 * ((scene.image - image) / 0.5) ** 2 + 0.5 * np.log(2 * np.pi) + np.log(0.5)
  np.testing.assert_allclose(terms["reconstruction"], density.sum((1, 2, 3)), rtol=1e-5)


def test_one_stage_decodes_colours_from_mask_latents(image):
  config = CONFIG | {"two_stage": False, "encoder_norm": "none", "decoder_norm": "none"}
  task = make_task(config)
  params, _ = random_model(task, SIDE)
  assert set(params) == {"mask_posterior", "mask_decoder", "mask_prior", "decoder"}

  @jax.jit
  def everything(params):
    posterior = task.posterior(params, {}, image, KEY, {})
    scene = task.scene_of(posterior)
    return posterior, scene, task.decode(params, {}, scene.latents)

  posterior, scene, decoded = jax.device_get(everything(params))
  assert posterior.parts is None
  assert set(task.objective_terms(posterior, image)) == {"reconstruction", "kl_mask"}
  np.testing.assert_array_equal(scene.latents, posterior.masks.mean)
  np.testing.assert_allclose(decoded.image, scene.image, atol=2e-5)
  # The last latent has no mask, but it does have colours.
  gradient = jax.grad(lambda latents: task.decode(params, {}, latents).components[:, -1].sum())(
    scene.latents
  )
  assert np.abs(gradient[:, -1]).max() > 0 and np.abs(gradient[:, :-1]).max() == 0


def names(**options):
  shapes = shapes_of(make_task(CONFIG | options), SIDE)[0]
  return set(flax.traverse_util.flatten_dict(shapes, sep="/"))


def parts(found):
  return {name.split("/")[0] for name in found}


def test_options_change_the_parameters_they_should():
  everything = names()
  assert parts(everything - names(autoregressive_prior=False)) == {"mask_prior"}
  assert parts(everything - names(component_prior=False)) == {"component_prior_network"}
  assert parts(everything ^ names(symmetric_components=True)) == {"component"}
  assert names(encoder_norm="instance", decoder_norm="instance") == everything
  without = everything - names(encoder_norm="none")
  assert len(without) == 5 * 2 * 2 and all("mask_posterior/encoder/" in name for name in without)
  without = everything - names(decoder_norm="none")
  assert len(without) == 5 * 2 * 2 and all(name.startswith("mask_decoder/") for name in without)
  for options in ({"squash_sampled_means": False}, {"bounded_pixels": False}, {"slots": 4}):
    assert names(**options) == everything
  statistics = shapes_of(make_task(CONFIG | {"symmetric_components": True}), SIDE)[1]["batch_stats"]
  assert {part: set(of) for part, of in statistics["component"].items()} == {
    part: {f"conv_{i}" for i in range(5)} for part in ("encoder", "decoder")
  }


@pytest.mark.parametrize("side, count", [(32, 4_559_620), (64, 12_620_548), (128, 13_406_980)])
def test_parameter_count_is_the_published_one(side, count):
  assert count_parameters(make_task(PUBLISHED | {"side": side, "slots": 5}), side) == count


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"side": 48}, "config.model.side is 48: gated convolutions are for sides 32, 64, 128, 256"),
    ({"slots": 0}, "config.model.slots is 0: at least 1 is needed"),
    ({"mask_latents": -3}, "config.model.mask_latents is -3: at least 1 is needed"),
    ({"slots": 1, "two_stage": False}, "slots is 1: one stage .* needs at least 2"),
    (
      {"side": 128, "symmetric_components": True},
      "config.model.symmetric_components is for images of side 32 or 64, not 128",
    ),
    ({"encoder_norm": "bn"}, "encoder_norm is 'bn': choose one of batch, instance, none"),
    ({"decoder_norm": "group"}, "decoder_norm is 'group': choose one of batch, instance, none"),
    ({"dtype": "float16"}, "config.model.dtype is 'float16': choose float32 or bfloat16"),
    ({"first_pixel_deviation": 0.0}, "first_pixel_deviation is 0.0: a number above 0"),
    ({"slot": 3}, r"config.model.slot is not a field of this model \(did you mean slots\?\)"),
    ({"geco": {**GECO, "gaol": 1}}, "config.model.geco.gaol is not .* mean goal"),
  ],
)
def test_unusable_settings_are_named(changes, message):
  with pytest.raises(InputError, match=message) as caught:
    make_task(CONFIG | changes)
  assert len(str(caught.value).splitlines()) == 1
