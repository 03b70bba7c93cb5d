"""MONet: what its masks decide, its divergences, and its options.

Sizes differ for every axis: B 2, K 4, H = W 32, C 3, D 5.
"""

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.losses.gaussian import normal_kl
from objectcentric_jax.losses.masks import mask_kl, stick_breaking
from objectcentric_jax.models.monet import Monet, make_task
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

BATCH, SLOTS, SIDE, LATENTS = 2, 4, 32, 5
CONFIG = {
  "side": SIDE,
  "slots": SLOTS,
  "attention_features": 4,
  "mask_decoder": "softmax",
  "component_latents": LATENTS,
  "component_encoder_features": 6,
  "component_decoder_features": 8,
  "component_decoder_layers": 2,
  "bounded_pixels": True,
  "pixel_deviation": 0.7,
  "first_pixel_deviation": 0.5,
  "analytic_kl": False,
  "geco": GECO,
  "unroll": 0,
  "dtype": "float32",
}
PUBLISHED = CONFIG | {
  "attention_features": 32,
  "component_latents": 16,
  "component_encoder_features": 32,
  "component_decoder_features": 32,
  "component_decoder_layers": 4,
}


def draws(seed: int = 5):
  rng = np.random.default_rng(seed)
  return {"latent": rng.standard_normal((BATCH, SLOTS, LATENTS)).astype(np.float32)}


@pytest.fixture(scope="module")
def model():
  """Parameters and model state, with masks that are not all the same."""
  params, model_state = random_model(make_task(CONFIG), SIDE)
  params["attention"]["logit"]["kernel"] *= 5
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


# What comes out


def test_scene_has_the_shapes_it_promises(explained):
  posterior, terms, scene = explained
  masks = (BATCH, SLOTS, SIDE, SIDE, 1)
  assert scene.image.shape == (BATCH, SIDE, SIDE, 3)
  assert scene.components.shape == (*masks[:-1], 3)
  assert scene.masks.shape == posterior.log_scope.shape == masks
  assert {name: m.shape for name, m in scene.other_masks.items()} == {"decoded": masks}
  assert scene.latents.shape == (BATCH, SLOTS, LATENTS)
  for name in ("reconstruction", "kl_mask", "kl_latent"):
    assert terms[name].shape == (BATCH,), name


def test_masks_sum_to_one_and_mix_the_components(explained):
  _, _, scene = explained
  for masks in (scene.masks, scene.other_masks["decoded"]):
    np.testing.assert_allclose(masks.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose((scene.masks * scene.components).sum(1), scene.image, atol=1e-6)
  assert scene.components.min() >= 0 and scene.components.max() <= 1
  assert scene.masks.std() > 0.1  # so that the comparisons below say something


def test_each_mask_is_a_share_of_what_was_left(model, image, explained):
  """The same network looks at the image and the scope at every step."""
  posterior = explained[0]
  np.testing.assert_array_equal(posterior.log_scope[:, 0], 0)
  np.testing.assert_array_equal(posterior.log_masks[:, -1], posterior.log_scope[:, -1])
  network = make_task(CONFIG).network

  def logit(network, image, log_scope):
    attention = network.attention
    return attention.logit(attention.encoder(jnp.concatenate([image, log_scope], axis=-1)))

  look = jax.jit(lambda params, *a: network.apply({"params": params}, *a, method=logit))
  for k in range(SLOTS - 1):
    share = jax.nn.sigmoid(look(model[0], image, posterior.log_scope[:, k]))
    left = np.exp(posterior.log_scope[:, k])
    np.testing.assert_allclose(np.exp(posterior.log_masks[:, k]), left * share, atol=1e-5)
    np.testing.assert_allclose(np.exp(posterior.log_scope[:, k + 1]), left * (1 - share), atol=1e-5)


def test_latents_are_drawn_around_the_posterior_means(explained):
  posterior, _, scene = explained
  expected = posterior.mean + draws()["latent"] * posterior.deviation
  np.testing.assert_allclose(posterior.latents, expected, atol=1e-6)
  np.testing.assert_array_equal(scene.latents, posterior.mean)


def test_scenes_of_the_latents_are_mixed_by_the_decoded_masks(model, explained_with):
  """Without an image there is no attention: generation takes the masks of the components."""
  posterior, _, scene = explained_with({})
  decoded = jax.device_get(jax.jit(make_task(CONFIG).decode)(*model, scene.latents))
  np.testing.assert_allclose(decoded.components, scene.components, atol=2e-5)
  np.testing.assert_allclose(decoded.masks, scene.other_masks["decoded"], atol=2e-5)
  mixed = (scene.other_masks["decoded"] * scene.components).sum(1)
  np.testing.assert_allclose(decoded.image, mixed, atol=2e-5)
  assert decoded.other_masks == {} and posterior.image.shape == decoded.image.shape


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
  for name, tolerance in (("reconstruction", 0.01), ("kl_latent", 0.1), ("kl_mask", 0.1)):
    np.testing.assert_allclose(terms[name], explained[1][name], rtol=tolerance, err_msg=name)


# The objective


def objective(config, posterior, image):
  return make_task(CONFIG | config).objective_terms(posterior, image)


def test_divergences_are_those_of_their_formulas(explained, image):
  posterior, terms, scene = explained
  expected = mask_kl(jnp.asarray(scene.masks), jnp.asarray(scene.other_masks["decoded"]))
  np.testing.assert_allclose(terms["kl_mask"], expected, rtol=1e-4)
  analytic = objective({"analytic_kl": True}, posterior, image)["kl_latent"]
  assert analytic.shape == (BATCH, SLOTS)
  np.testing.assert_allclose(analytic, normal_kl(posterior.mean, posterior.deviation), rtol=1e-5)


def test_the_sampled_divergence_is_the_analytic_one_on_average(explained, image):
  posterior = explained[0]
  shape = (20_000, BATCH, SLOTS, LATENTS)
  noise = np.random.default_rng(3).standard_normal(shape).astype(np.float32)

  @jax.jit
  def sampled(noise):
    def one(noise):
      drawn = posterior.replace(latents=posterior.mean + noise * posterior.deviation)
      return objective({}, drawn, image)["kl_latent"]

    return jax.lax.map(one, noise).mean(0)

  analytic = objective({"analytic_kl": True}, posterior, image)["kl_latent"]
  assert (np.asarray(analytic) > 0.05).all()
  np.testing.assert_allclose(sampled(noise), analytic, atol=0.04)


def test_every_parameter_has_a_gradient_and_the_error_none_through_decoded_masks(model, image):
  """The error mixes by attention masks; the decoded ones learn from the mask divergence alone."""
  task = make_task(CONFIG)

  @jax.jit
  def gradients(params, weight):
    def loss(params):
      posterior, _ = task.training_posterior(params, {}, image, KEY, draws())
      terms = task.objective_terms(posterior, image)
      divergence = terms["kl_mask"].mean() + terms["kl_latent"].sum(1).mean()
      return terms["reconstruction"].mean() + weight * divergence

    return jax.grad(loss)(params)

  whole, error = (jax.device_get(gradients(model[0], weight)) for weight in (1.0, 0.0))
  norms = flax.traverse_util.flatten_dict(whole, sep="/")
  norms = {name: float(np.linalg.norm(gradient)) for name, gradient in norms.items()}
  assert [name for name, norm in norms.items() if not norm > 1e-6] == []
  mask_logit = 3  # the channel behind the colours
  output = error["component"]["decoder"]["output"]
  np.testing.assert_array_equal(output["kernel"][..., mask_logit], 0)
  np.testing.assert_array_equal(output["bias"][mask_logit], 0)
  assert np.abs(output["bias"][:mask_logit]).min() > 0
  assert np.abs(whole["component"]["decoder"]["output"]["bias"][mask_logit]) > 0


def test_the_first_slot_has_a_deviation_of_its_own(explained, image):
  posterior, terms, _ = explained
  same = objective({"first_pixel_deviation": 0.7}, posterior, image)["reconstruction"]
  assert (np.abs(same - terms["reconstruction"]) > 1).all()


# Options


def test_masks_are_decoded_by_softmax_or_by_stick_breaking(model):
  noise = draws(7)["latent"]
  logits = make_task(CONFIG).network.apply(
    {"params": model[0]}, noise.reshape(-1, LATENTS), method=lambda n, z: n.component.decode(z)
  )
  logits = logits.reshape(BATCH, SLOTS, SIDE, SIDE, 4)[..., 3:]
  for kind, expected in (
    ("softmax", jax.nn.softmax(logits, axis=1)),
    ("stick_breaking", jnp.exp(stick_breaking(logits)[0])),
  ):
    scene = make_task(CONFIG | {"mask_decoder": kind}).decode(*model, noise)
    np.testing.assert_allclose(scene.masks, expected, atol=1e-5)


def test_samples_are_standard_normal_scenes_of_any_number_of_slots(model):
  task, noise = make_task(CONFIG), np.ones((3, 7, LATENTS), np.float32)
  scene = jax.device_get(jax.jit(task.sample, static_argnums=3)(*model, KEY, 3))
  assert scene.image.shape == (3, SIDE, SIDE, 3) and scene.latents.shape == (3, SLOTS, LATENTS)
  np.testing.assert_allclose(scene.masks.sum(1), 1, atol=1e-5)
  np.testing.assert_allclose((scene.masks * scene.components).sum(1), scene.image, atol=1e-6)
  assert np.abs(scene.latents[0] - scene.latents[1]).max() > 0.1
  shapes = jax.eval_shape(
    lambda p: task.network.apply(
      {"params": p}, 3, True, 7, method=Monet.generate, rngs={NOISE: KEY}
    ),
    model[0],
  )
  assert shapes.components.shape == (3, 7, SIDE, SIDE, 3) and shapes.latents.shape == noise.shape


def test_colours_can_be_left_unbounded(model):
  noise = draws(7)["latent"]
  bounded, free = (
    make_task(CONFIG | {"bounded_pixels": bound}).decode(*model, noise) for bound in (True, False)
  )
  np.testing.assert_allclose(bounded.components, jax.nn.sigmoid(free.components), atol=1e-6)
  np.testing.assert_array_equal(bounded.masks, free.masks)


def test_options_without_parameters_add_none():
  everything = shapes_of(make_task(CONFIG), SIDE)[0]
  for options in ({"mask_decoder": "stick_breaking"}, {"analytic_kl": True}, {"slots": 2}):
    assert shapes_of(make_task(CONFIG | options), SIDE)[0] == everything


def test_parameter_count_is_the_published_one():
  assert count_parameters(make_task(PUBLISHED | {"side": 64, "slots": 5}), 64) == 974_085


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"side": 48}, "config.model.side is 48: .* power of two"),
    ({"slots": 1}, "config.model.slots is 1: at least 2 are needed"),
    ({"mask_decoder": "scope"}, "mask_decoder is 'scope': choose softmax or stick_breaking"),
    ({"dtype": "float16"}, "config.model.dtype is 'float16': choose float32 or bfloat16"),
    ({"component_latents": 0}, "config.model.component_latents is 0: at least 1 is needed"),
    ({"pixel_deviation": 0.0}, "config.model.pixel_deviation is 0.0: a number above 0"),
    ({"latents": 3}, "config.model.latents is not a field of this model"),
  ],
)
def test_unusable_settings_are_named(changes, message):
  with pytest.raises(InputError, match=message) as caught:
    make_task(CONFIG | changes)
  assert len(str(caught.value).splitlines()) == 1
