"""What the models trained on an evidence lower bound share, on a network of a few numbers.

Sizes differ for every axis: B 4, K 3, H = W 5, C 3.
"""

import dataclasses

import flax.linen as nn
import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.elbo_task import ElboTask, check_objective, first_deviates, total
from objectcentric_jax.nn.noise import draw_normal
from objectcentric_jax.scene import Scene
from tests.models.elbo_models import GECO, KEY

BATCH, SLOTS, SIDE = 4, 3, 5
NOW = {"beta": jnp.asarray(0.25)}


@flax.struct.dataclass
class Result:
  image: jax.Array
  masks: jax.Array | None
  latents: jax.Array


class Toy(nn.Module):
  """Mean colour of the image per slot, with a counter that only training moves."""

  masks: bool = True

  @nn.compact
  def __call__(self, image, sample=True):
    scale = self.param("scale", nn.initializers.constant(0.5), (SLOTS,))
    passes = self.variable("batch_stats", "passes", jnp.zeros, ())
    if self.is_mutable_collection("batch_stats") and not self.is_initializing():
      passes.value = passes.value + 1
    noise = draw_normal(self, sample, "latent", (len(image), SLOTS), image.dtype)
    latents = image.mean((1, 2, 3))[:, None] * scale[None] + noise
    return self.decode(latents[..., None])

  def generate(self, count, sample=True):
    return self.decode(draw_normal(self, sample, "latent", (count, SLOTS, 1)))

  def decode(self, latents):
    image = jnp.broadcast_to(latents.mean(1)[:, None, None], (len(latents), SIDE, SIDE, 3))
    masks = None
    if self.masks:
      masks = jnp.full((len(latents), SLOTS, SIDE, SIDE, 1), 1 / SLOTS)
    return Result(image, masks, latents)


@dataclasses.dataclass(frozen=True)
class ToyTask(ElboTask):
  def objective_terms(self, posterior, image):
    return {
      "reconstruction": 100 * ((posterior.image - image) ** 2).sum((1, 2, 3)),
      "kl_latent": posterior.latents[..., 0] ** 2,  # per component
      "kl_mask": jnp.abs(posterior.latents).sum((1, 2)),  # per image
    }

  def scene_of(self, result):
    return Scene(image=result.image, masks=result.masks, latents=result.latents)


@pytest.fixture(scope="module")
def batch():
  return {"image": np.random.default_rng(0).uniform(size=(BATCH, SIDE, SIDE, 3)).astype("float32")}


def started(batch, **options):
  task = ToyTask(Toy(), **options)
  return task, *task.init(KEY, batch)


def by_hand(task, params, batch, noise):
  """Batch means of the terms."""
  latents = batch["image"].mean((1, 2, 3))[:, None] * np.asarray(params["scale"]) + noise
  error = 100 * ((latents.mean(1)[:, None, None, None] - batch["image"]) ** 2).sum((1, 2, 3))
  return error.mean(), (latents**2).mean(0), np.abs(latents).sum(1).mean()


def test_terms_are_reported_in_total_and_by_component(batch):
  task, params, model_state = started(batch)
  noise = np.random.default_rng(1).standard_normal((BATCH, SLOTS)).astype("float32")
  loss, (_, report) = task.elbo(params, model_state, batch, NOW, KEY, {"latent": noise})
  error, latent, mask = by_hand(task, params, batch, noise)
  assert float(report["reconstruction"]) == pytest.approx(float(error), rel=1e-5)
  assert float(report["kl_latent"]) == pytest.approx(float(latent.sum()), rel=1e-5)
  for k in range(SLOTS):
    assert float(report[f"kl_latent/{k + 1}"]) == pytest.approx(float(latent[k]), rel=1e-5)
  assert float(report["kl_mask"]) == pytest.approx(float(mask), rel=1e-5)
  assert "kl_mask/1" not in report
  divergence = latent.sum() + mask
  assert float(report["elbo"]) == pytest.approx(float(error + divergence), rel=1e-5)
  assert float(loss) == pytest.approx(float(error + 0.25 * divergence), rel=1e-5)
  assert float(report["multiplier"]) == 0.25
  values = SIDE * SIDE * 3
  assert float(report["reconstruction_per_value"]) == pytest.approx(error / values, rel=1e-5)
  assert float(report["mse"]) == pytest.approx(error / 100 / values, rel=1e-5)
  assert float(report["largest_share"]) == pytest.approx(1 / SLOTS)


def test_a_model_without_masks_reports_none(batch):
  task = ToyTask(Toy(masks=False))
  _, (_, report) = task.elbo(*task.init(KEY, batch), batch, NOW, KEY)
  assert "largest_share" not in report and not any(name.startswith("share/") for name in report)


def test_training_changes_the_statistics_and_evaluation_does_not(batch):
  task, params, model_state = started(batch, geco=GECO)
  before = model_state["batch_stats"]["passes"]
  assert float(before) == 0 and float(model_state["geco"].multiplier) == 1.5
  _, (after, _) = task.elbo(params, model_state, batch, {}, KEY)
  assert float(after["batch_stats"]["passes"]) == 1
  assert set(after) == {"batch_stats", "geco"} and int(after["geco"].updates) == 1
  posterior = task.posterior(params, after, batch["image"], KEY)
  assert posterior.image.shape == batch["image"].shape  # without anything changed on the way


def test_the_multiplier_of_geco_gets_no_gradient(batch):
  """Its state is no parameter, and what moves it is cut off from the loss."""
  task, params, model_state = started(batch, geco=GECO)

  def loss(params, multiplier):
    state = model_state | {"geco": model_state["geco"].replace(multiplier=multiplier)}
    value, (after, _) = task.elbo(params, state, batch, {}, KEY, False)
    return value, after["geco"]

  def only_geco(params):
    return loss(params, jnp.asarray(1.5))[1].multiplier

  for leaf in jax.tree.leaves(jax.grad(only_geco)(params)):
    np.testing.assert_array_equal(leaf, 0)
  error = [float(loss(params, jnp.asarray(m))[0]) for m in (0.0, 1.0, 2.0)]
  assert error[2] - error[1] == pytest.approx(error[1] - error[0], rel=1e-4)


def test_terms_in_evaluation_are_per_image(batch):
  task, params, model_state = started(batch)
  terms = task.terms(params, model_state, batch, KEY, False)
  assert {name: value.shape for name, value in terms.items()} == dict.fromkeys(terms, (BATCH,))
  _, (_, report) = task.elbo(params, model_state, batch, NOW, KEY, False)
  for name, value in terms.items():
    assert float(value.mean()) == pytest.approx(float(report[name]), rel=1e-6)


def test_sampled_terms_differ_from_those_at_the_means(batch):
  task, params, model_state = started(batch)
  means, drawn, again, other = (
    task.terms(params, model_state, batch, jax.random.key(seed), sample)["kl_latent"]
    for seed, sample in ((1, False), (1, True), (1, True), (2, True))
  )
  np.testing.assert_array_equal(drawn, again)
  assert (drawn != other).all() and (drawn != means).all()


def test_scenes_are_drawn_and_decoded(batch):
  task, params, model_state = started(batch)
  drawn = task.sample(params, model_state, KEY, 7)
  assert drawn.latents.shape == (7, SLOTS, 1) and drawn.image.shape == (7, SIDE, SIDE, 3)
  decoded = task.decode(params, model_state, drawn.latents)
  np.testing.assert_array_equal(decoded.image, drawn.image)


def test_total_sums_over_components_alone():
  np.testing.assert_array_equal(total(jnp.ones((4, 3))), np.full(4, 3))
  np.testing.assert_array_equal(total(jnp.ones(4)), np.ones(4))


def test_the_first_component_can_deviate():
  found = first_deviates(4, 0.1, 0.5)
  assert found.shape == (1, 4, 1, 1, 1)
  np.testing.assert_allclose(found.ravel(), [0.1, 0.5, 0.5, 0.5], rtol=1e-6)
  assert first_deviates(1, 0.1, 0.5).shape == (1, 1, 1, 1, 1)


def test_the_objective_is_checked():
  assert check_objective({"geco": GECO}) == {n: v for n, v in GECO.items() if n != "use"}
  assert check_objective({"geco": GECO | {"use": False}, "pixel_deviation": 0.1}) is None
  for name in ("pixel_deviation", "first_pixel_deviation"):
    with pytest.raises(InputError, match=f"config.model.{name} is -1: a number above 0"):
      check_objective({"geco": GECO, name: -1})
  with pytest.raises(InputError, match="config.model.geco lacks goal"):
    check_objective({"geco": {n: v for n, v in GECO.items() if n != "goal"}})
