"""The evaluator: exact means over examples, whatever the batches."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.evaluation import Evaluator, SetMetric
from objectcentric_jax.input.generated import generated
from objectcentric_jax.input.pipeline import evaluation_batches
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.devices import Devices

EXAMPLES = generated(8, 3, "test")
COLOURS = EXAMPLES.arrays["image"] / np.float32(255)


@dataclasses.dataclass
class Blur:
  """Says every image is `shade` everywhere; its two terms are a mean colour and a draw."""

  def scene(self, params, model_state, batch, rng, sample=True):
    return Scene(image=jnp.full_like(batch["image"], params["shade"]))

  def terms(self, params, model_state, batch, rng, sample=True):
    draw = jax.random.normal(rng, (1,)) if sample else jnp.zeros((1,))
    return {"colour": batch["image"].mean((1, 2, 3)) * model_state["scale"], "draw": draw}


def distance(scene, batch):
  return {"distance": jnp.abs(scene.image - batch["image"]).mean((1, 2, 3))}


def objects(scene, batch):
  """Not a number where there are more than two objects."""
  return {"objects": jnp.where(batch["num_objects"] > 2, jnp.nan, batch["num_objects"])}


PARAMS, MODEL_STATE = {"shade": jnp.float32(0.25)}, {"scale": jnp.float32(2.0)}


def evaluate(batch_size, count, metrics=(distance,), seed=0, sample=True):
  evaluator = Evaluator(Blur(), metrics, Devices(), seed, sample)
  return evaluator(PARAMS, MODEL_STATE, evaluation_batches(EXAMPLES, batch_size, count))


@pytest.mark.parametrize("batch_size", [1, 5, 16, 50])
def test_means_are_over_examples(batch_size):
  scores = evaluate(batch_size, 37)
  colour = 2 * COLOURS[:37].mean((1, 2, 3), dtype=np.float64)
  key = jax.random.key(0)
  draws = [jax.random.normal(jax.random.fold_in(key, i), (1,))[0] for i in range(37)]
  expected = {
    "colour": colour.mean(),
    "draw": np.mean(draws, dtype=np.float64),
    "elbo": (colour + np.asarray(draws)).mean(),
    "distance": np.abs(COLOURS[:37] - np.float32(0.25)).mean(dtype=np.float64),
  }
  assert set(scores) == set(expected)
  for name, value in expected.items():
    assert isinstance(scores[name], float)
    np.testing.assert_allclose(scores[name], value, rtol=1e-6, err_msg=name)


def test_every_example_counts_alike():
  """A last batch of one, whose score is far from the others', weighs no more than its share."""
  parts = [evaluate(8, 8)["colour"], 2 * COLOURS[8].mean(dtype=np.float64)]
  np.testing.assert_allclose(evaluate(8, 9)["colour"], (8 * parts[0] + parts[1]) / 9, rtol=1e-6)


def test_the_seed_decides_the_draws():
  assert evaluate(8, 16) == evaluate(8, 16)
  assert evaluate(8, 16)["draw"] != evaluate(8, 16, seed=1)["draw"]
  assert evaluate(8, 16, sample=False)["draw"] == 0


def test_one_evaluator_for_several_seeds():
  batches = lambda: evaluation_batches(EXAMPLES, 16, 37)  # noqa: E731
  evaluator = Evaluator(Blur(), (distance,), Devices(), seed=0)
  assert evaluator(PARAMS, MODEL_STATE, batches(), seed=3) == evaluate(16, 37, seed=3)
  assert evaluator(PARAMS, MODEL_STATE, batches()) == evaluate(16, 37, seed=0)


def test_what_is_not_a_number_is_named_with_its_example():
  first = int(np.argmax(EXAMPLES.arrays["num_objects"] > 2))
  assert 0 < first < 64
  assert evaluate(1, first, [objects])["objects"] <= 2
  with pytest.raises(InputError, match=f"^objects is not a number for example {first}: ") as caught:
    evaluate(16, 0, [objects])
  assert "\n" not in str(caught.value)


def test_scores_of_sets_see_every_example_once_and_in_order():
  """Whatever the batches, and although the last one is filled up."""

  def observe(scene, batch):
    return {"number": batch["index"], "colours": (batch["image"][:, 0, 0], scene.image[:, 0, 0])}

  def summarise(seen):
    assert seen["number"].tolist() == list(range(37))
    np.testing.assert_allclose(seen["colours"][0], COLOURS[:37, 0, 0], rtol=1e-6)
    return {"median": float(np.median(seen["number"])), "shade": float(seen["colours"][1].min())}

  for batch_size in (5, 37):
    scores = evaluate(batch_size, 37, (distance, SetMetric(observe, summarise)))
    assert (scores["median"], scores["shade"]) == (18.0, 0.25)
    assert scores["distance"] == evaluate(5, 37)["distance"]
