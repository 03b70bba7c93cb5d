"""The baseline VAEs: image, latent and objective, with both decoders.

Sizes differ for every axis: B 2, H = W 32, C 3, D 7.
"""

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.vae import make_task
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

BATCH, SIDE, LATENTS = 2, 32, 7
CONFIG = {
  "side": SIDE,
  "latents": LATENTS,
  "decoder_kind": "transposed",
  "bounded_pixels": True,
  "pixel_deviation": 0.6,
  "geco": GECO,
  "dtype": "float32",
}
BROADCAST = CONFIG | {"decoder_kind": "broadcast", "bounded_pixels": False}


def draws(seed: int = 5):
  rng = np.random.default_rng(seed)
  return {"latent": rng.standard_normal((BATCH, LATENTS)).astype(np.float32)}


@pytest.fixture(scope="module")
def image():
  return rectangles(BATCH, SIDE)


@pytest.fixture(scope="module", params=[CONFIG, BROADCAST], ids=["transposed", "broadcast"])
def explained(request, image):
  """Task, model, and (posterior, terms per image, scene) with drawn latents and at their means."""
  task = make_task(request.param)
  model = random_model(task, SIDE)
  compiled = explain(task)
  return task, model, *(jax.device_get(compiled(*model, image, given)) for given in (draws(), {}))


def test_scene_is_an_image_with_one_latent(explained):
  posterior, terms, scene = explained[2]
  assert scene.image.shape == (BATCH, SIDE, SIDE, 3)
  assert scene.latents.shape == (BATCH, 1, LATENTS)
  assert scene.masks is None and scene.components is None
  np.testing.assert_array_equal(scene.latents[:, 0], posterior.mean)
  assert {name: value.shape for name, value in terms.items()} == {
    "reconstruction": (BATCH,),
    "kl_latent": (BATCH,),
  }


def test_terms_are_those_of_scipy(explained, image):
  task, _, (posterior, terms, _), _ = explained
  density = scipy.stats.norm.logpdf(image, posterior.image, task.pixel_deviation)
  np.testing.assert_allclose(terms["reconstruction"], -density.sum((1, 2, 3)), rtol=1e-5)
  log_q = scipy.stats.norm.logpdf(posterior.latents, posterior.mean, posterior.deviation)
  divergence = (log_q - scipy.stats.norm.logpdf(posterior.latents)).sum(-1)
  np.testing.assert_allclose(terms["kl_latent"], divergence, rtol=1e-4, atol=1e-4)
  expected = posterior.mean + draws()["latent"] * posterior.deviation
  np.testing.assert_allclose(posterior.latents, expected, atol=1e-6)


def test_decoding_the_latents_of_a_scene_gives_its_image(explained):
  """Also drawn from the prior: a sample shows its latents."""
  task, model, _, (_, _, scene) = explained

  @jax.jit
  def both(latents):
    return task.decode(*model, latents), task.sample(*model, KEY, 5)

  decoded, sampled = both(scene.latents)
  np.testing.assert_allclose(decoded.image, scene.image, atol=1e-5)
  assert sampled.image.shape == (5, SIDE, SIDE, 3) and sampled.latents.shape == (5, 1, LATENTS)
  shown = task.decode(*model, sampled.latents).image
  np.testing.assert_allclose(shown, sampled.image, atol=1e-5)
  bounded = float(jnp.abs(sampled.image).max()) <= 1 and float(sampled.image.min()) >= 0
  assert bounded == task.network.bounded_pixels


def test_drawn_latents_are_standard_normal():
  """As noise that is handed in is, and many draws are."""
  task = make_task(BROADCAST)
  params, _ = random_model(task, SIDE)

  def latents(count, given):
    return task.network.apply(
      {"params": params}, count, given, method="generate", rngs={"noise": KEY}
    ).latents

  many = np.asarray(jax.jit(latents, static_argnums=(0, 1))(3000, True))
  np.testing.assert_allclose(many.mean(0), 0, atol=0.08)
  np.testing.assert_allclose(many.std(0), 1, atol=0.06)
  np.testing.assert_array_equal(latents(BATCH, draws()), draws()["latent"])


def test_float64_in_gives_float64_out(image):
  task = make_task(BROADCAST)
  model = random_model(task, SIDE)
  single = explain(task)(*model, image, draws())
  with jax.enable_x64(True):
    found = jax.device_get(explain(task)(*in_double((*model, image, draws()))))
  assert {part.dtype for part in jax.tree.leaves(found)} == {np.dtype(np.float64)}
  assert types_of_samples(task, model) == {np.dtype(np.float64)}
  assert_close(single, found, 5e-5)


def test_bfloat16_keeps_losses_in_float32_and_near(image):
  task, low = make_task(BROADCAST), make_task(BROADCAST | {"dtype": "bfloat16"})
  model = random_model(task, SIDE)
  near, exact = (jax.jit(t.terms)(*model, {"image": image}, KEY, draws()) for t in (low, task))
  for name, value in near.items():
    assert value.dtype == jnp.float32, name
    np.testing.assert_allclose(value, exact[name], rtol=0.05, err_msg=name)


def test_every_parameter_has_a_gradient_and_nothing_is_said_of_masks(image):
  task = make_task(CONFIG)
  model = random_model(task, SIDE)

  def loss(params, model_state):
    return task.elbo(params, model_state, {"image": image}, {}, KEY, draws())

  differentiate = jax.jit(jax.value_and_grad(loss, has_aux=True))
  (value, (after, report)), gradients = jax.device_get(differentiate(*model))
  norms = flax.traverse_util.flatten_dict(gradients, sep="/")
  assert [name for name, part in norms.items() if not np.linalg.norm(part) > 1e-7] == []
  expected = report["reconstruction"] + 1.5 * report["kl_latent"]
  assert float(value) == pytest.approx(float(expected), rel=1e-6)
  assert int(after["geco"].updates) == 1 and set(after) == {"geco"}
  assert not {"largest_share", "active_components", "kl_latent/1"} & set(report)


def parts(**options):
  return shapes_of(make_task(CONFIG | options), SIDE)[0]


def test_decoders_share_the_encoder():
  deconvolution, broadcast = parts(), parts(decoder_kind="broadcast")
  assert deconvolution["encoder"] == broadcast["encoder"]
  assert set(broadcast["decoder"]) == {"broadcast", "output"}
  features = [broadcast["decoder"]["broadcast"][f"conv_{i}"]["kernel"].shape for i in range(4)]
  assert features == [(3, 3, LATENTS + 2, 64)] + [(3, 3, 64, 64)] * 3
  assert broadcast["decoder"]["broadcast"]["output"]["kernel"].shape == (1, 1, 64, 64)
  assert broadcast["decoder"]["output"]["kernel"].shape == (1, 1, 64, 3)


@pytest.mark.parametrize("side, count", [(32, 3_684_771), (64, 11_549_091), (128, 11_549_091)])
def test_parameter_count_is_the_published_one(side, count):
  assert count_parameters(make_task(CONFIG | {"side": side, "latents": 64}), side) == count


@pytest.mark.parametrize(
  "changes, message",
  [
    ({"side": 48}, "config.model.side is 48: gated convolutions are for sides 32, 64, 128, 256"),
    ({"latents": 0}, "config.model.latents is 0: at least 1 is needed"),
    ({"decoder_kind": "deconv"}, "decoder_kind is 'deconv': choose transposed or broadcast"),
    ({"dtype": "float16"}, "config.model.dtype is 'float16': choose float32 or bfloat16"),
    ({"pixel_deviation": -0.1}, "config.model.pixel_deviation is -0.1: a number above 0"),
    ({"slots": 3}, "config.model.slots is not a field of this model"),
  ],
)
def test_unusable_settings_are_named(changes, message):
  with pytest.raises(InputError, match=message) as caught:
    make_task(CONFIG | changes)
  assert len(str(caught.value).splitlines()) == 1
