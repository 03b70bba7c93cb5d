"""Networks and tasks of Object Pursuit, at sizes that compile quickly."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs.object_pursuit import _base
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.object_pursuit import forgetting, memory
from objectcentric_jax.models.object_pursuit.hypernetwork import Hypernetwork, stages
from objectcentric_jax.models.object_pursuit.layers import (
  backbone_table,
  head_table,
  normalisation,
  whole_table,
)
from objectcentric_jax.models.object_pursuit.object_pursuit import OBJECT, make_task
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.state import state_from
from objectcentric_jax.training.step import make_train_step

KEY = jax.random.key(0)
SIZE = 4


def count(shapes) -> int:
  return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def config(kind, **fields):
  model = _base.get_config().model
  model.widths.update(backbone=1, aspp=2, low=2, decoder=2)
  model.update(kind=kind, latent_size=SIZE, unet_width=2, bases=3, objects=2, rematerialise=False)
  model.update(fields)
  return model


def batch(side=32, images=2):
  rng = np.random.default_rng(0)
  return {
    "image": jnp.asarray(rng.random((images, side, side, 3)), jnp.float32),
    "mask": jnp.asarray(rng.random((images, side, side, 1)) > 0.7, jnp.float32),
    OBJECT: jnp.ones(images, jnp.int32),
  }


# Sizes


def test_published_sizes():
  for table, parameters, kernels in (
    (head_table(), 3_990_683, 5_422_336),
    (whole_table(head_table()), 16_748_702, 21_307_840),
  ):
    network = Hypernetwork(tuple(table.items()))
    shapes = jax.eval_shape(network.init, KEY, jnp.zeros((1, 100)))
    assert count(shapes["params"]) == parameters
    assert sum(o * i * h * w for o, i, h, w in table.values()) == kernels
  assert (len(head_table()), len(backbone_table())) == (10, 22)


@pytest.mark.parametrize(
  ("kind", "parameters"), [("deeplab", 21_323_681), ("unet", 17_267_393), ("multinet", 19_887_935)]
)
def test_published_sizes_of_whole_models(kind, parameters):
  model = _base.get_config().model
  model.kind = kind
  params, _ = jax.eval_shape(make_task(model).init, KEY, batch())
  assert count(params) == parameters


@pytest.mark.parametrize(
  ("outputs", "inputs", "expected"),
  [
    (64, 3, [(True, False, 4, 5)]),
    (128, 64, [(True, True, 4, 3), (True, False, 8, 5)]),
    (48, 64, [(True, True, 4, 3)]),
    (1, 256, [(False, True, 4, 5), (False, True, 8, 5), (False, True, 16, 5)]),
    (20, 30, []),
  ],
)
def test_the_map_of_a_kernel_grows_as_published(outputs, inputs, expected):
  assert [tuple(stage) for stage in stages(outputs, inputs)] == expected


def test_names_of_normalisations():
  for layer, norm in (
    ("aspp.aspp2.atrous_conv", "aspp.aspp2.bn"),
    ("aspp.global_avg_pool.1", "aspp.global_avg_pool.2"),
    ("aspp.conv1", "aspp.bn1"),
    ("decoder.last_conv.4", "decoder.last_conv.5"),
    ("backbone.layer2.0.conv2", "backbone.layer2.0.bn2"),
    ("backbone.layer2.0.downsample.0", "backbone.layer2.0.downsample.1"),
  ):
    assert normalisation(layer) == norm


# The hypernetwork


def test_any_number_of_latents_and_the_layout_of_kernels():
  table = {"a": (3, 5, 3, 3), "b": (1, 40, 1, 1)}
  network = Hypernetwork(tuple(table.items()))
  latents = jax.random.normal(KEY, (3, SIZE))
  variables = jax.jit(network.init)(KEY, latents)
  together = jax.jit(network.apply)(variables, latents)
  assert together["a"].kernel.shape == (3, 3, 3, 5, 3) and together["b"].bias.shape == (3, 1)
  for number in range(3):
    alone = network.apply(variables, latents[number][None])
    for x, y in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
      np.testing.assert_allclose(x[number], y[0], atol=2e-6)


# Memory


def filled(bases=2, known=0, capacity=4):
  found = memory.empty_memory(3, SIZE, capacity, {"a": jnp.zeros(2)})
  for number in range(bases):
    found = memory.add_base(found, jnp.full(SIZE, number + 1.0))
  for number in range(known):
    found = memory.add_known(found, jnp.full(SIZE, 1.0 * number), {"a": jnp.full(2, 1.0 * number)})
  return found


def test_bases_are_added_removed_and_combined():
  found = filled(3)
  assert found.capacity == 3 and list(memory.valid(found)) == [True] * 3
  np.testing.assert_allclose(memory.initial_coefficients(found), [3**-0.5] * 3, rtol=1e-6)
  fewer = memory.remove_bases(found, jnp.asarray([True, False, True]))
  assert int(fewer.count) == 2
  np.testing.assert_array_equal(fewer.bases[:, 0], [1.0, 3.0, 0.0])
  np.testing.assert_allclose(memory.combined(fewer, jnp.asarray([1.0, 1.0, 9.0])), [4.0] * SIZE)
  with pytest.raises(InputError, match="holds 3 bases and is full"):
    memory.add_base(found, jnp.zeros(SIZE))
  assert memory.grown(found, 5, 7).bases.shape == (5, SIZE)


def test_a_base_more_compiles_nothing_again():
  traced = []

  @jax.jit
  def combine(found, coefficients):
    traced.append(1)
    return memory.combined(found, coefficients)

  for bases in range(3):
    combine(filled(bases), jnp.ones(3))
  assert len(traced) == 1


def test_a_latent_is_projected_on_bases():
  bases = jnp.asarray([[1.0, 0, 0], [1.0, 1.0, 0]])
  coefficients, projection, distance = memory.projected(bases, jnp.asarray([2.0, 3.0, 4.0]))
  np.testing.assert_allclose(coefficients, [-1.0, 3.0], atol=1e-5)
  np.testing.assert_allclose(projection, [2.0, 3.0, 0.0], atol=1e-5)
  assert float(distance) == pytest.approx(4 / 29**0.5)


@pytest.mark.parametrize(("known", "expected"), [(3, 3), (10, 10), (11, 2), (15, 3), (60, 12)])
def test_how_many_known_objects_count_in_a_step(known, expected):
  found = filled(0, 0, capacity=64).replace(known=jnp.asarray(known, jnp.int32))
  rows, used = forgetting.chosen(found, KEY)
  chosen = np.asarray(rows)[np.asarray(used)]
  assert len(set(chosen)) == expected and (chosen < known).all()
  drawn = [forgetting.chosen(found, jax.random.key(seed))[0][:2] for seed in range(5)]
  others = [tuple(np.asarray(rows).tolist()) for rows in drawn]
  assert len(set(others)) > 1


def test_the_memory_term_sums_distances_and_is_still_where_nothing_moved():
  found = filled(0, known=2)

  def term(shift):
    generate = lambda z: {"a": z[:, :2] + shift[None]}  # noqa: E731
    return forgetting.memory_term(generate, found, KEY)

  assert float(term(jnp.zeros(2))) == 0.0
  np.testing.assert_array_equal(jax.grad(term)(jnp.zeros(2)), [0.0, 0.0])
  assert float(term(jnp.asarray([3.0, 4.0]))) == pytest.approx(2 * 5.0)
  np.testing.assert_allclose(jax.grad(term)(jnp.asarray([3.0, 4.0])), [1.2, 1.6], rtol=1e-5)


# Tasks


def trained(model, learned, rate=1e-2, start=None, **state):
  """The state before and after a step; some parameters and model state may be given."""
  task = make_task(model)
  update = _base.update(learned, rate) if learned else _base.update_all(rate)
  updates = make_updates(update, list(task.losses))
  params, model_state = jax.jit(task.init)(KEY, batch())
  before = state_from(params | (start or {}), model_state | state, updates, KEY)
  after, report = jax.jit(make_train_step(task, updates, {}))(before, batch())
  return task, before, after, report


def moved(before, after):
  """The parts of the parameters that a step changed."""
  return {
    name
    for name in before.params
    if any(
      (a != b).any()
      for a, b in zip(
        jax.tree.leaves(before.params[name]), jax.tree.leaves(after.params[name]), strict=True
      )
    )
  }


@pytest.mark.slow
def test_over_bases_the_coefficients_of_those_that_are_there_move():
  found = memory.without_known(filled(2))
  model = config("coefficients", balanced=True, shrinkage=0.2, frozen_backbone=True)
  start = {"coefficients": memory.initial_coefficients(found)}
  task, before, after, report = trained(model, ("coefficients",), start=start, memory=found)
  assert moved(before, after) == {"coefficients"}
  after_step = np.asarray(after.params["coefficients"])
  assert after_step[2] == 0 and (after_step[:2] != 0).all()
  assert np.isfinite(float(report["loss"]))
  # What the latent is: base after base, and nothing of the row that holds none.
  latent = task.latent(after.params, after.model_state, None)
  np.testing.assert_allclose(latent, np.full(SIZE, after_step[0] + 2 * after_step[1]), rtol=1e-5)
  # Evaluation leaves the statistics alone and takes batches of one.
  scene = jax.jit(task.scene)(after.params, after.model_state, batch(images=1), KEY)
  assert scene.image is None and scene.masks.shape == (1, 2, 32, 32, 1)
  np.testing.assert_allclose(scene.masks.sum(1), np.ones((1, 32, 32, 1)), atol=1e-6)


@pytest.mark.slow
def test_joint_training_moves_everything_that_is_used():
  _, before, after, _ = trained(config("multinet"), ("latents", "hypernetwork", "backbone"))
  assert moved(before, after) == {"latents", "hypernetwork", "backbone"}
  unused = "decoder-last_conv-8"
  same = jax.tree.map(
    lambda a, b: bool((a == b).all()),
    before.params["hypernetwork"][unused]["scale"],
    after.params["hypernetwork"][unused]["scale"],
  )
  assert all(jax.tree.leaves(same))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["deeplab", "unet"])
def test_baselines_learn(kind):
  task, before, after, report = trained(config(kind, statistics="running"), ())
  assert moved(before, after) == set(before.params)
  assert np.isfinite(float(report["loss"]))
  assert task.metrics


@pytest.mark.parametrize(
  ("dropout", "drops"), [("never", False), ("training", False), ("always", True)]
)
def test_scores_of_one_object_drop_values_as_the_config_says(dropout, drops):
  class Network:
    def apply(self, variables, *arguments, rngs, method, mutable):
      assert method == "segment" and "noise" in rngs
      return arguments[-1], {}

  task = make_task(config("base", dropout=dropout))
  task = dataclasses.replace(task, network=Network())
  assert task.segment({"hypernetwork": {}}, {}, {}, None, KEY) is drops


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    (dict(kind="resnet"), "config.model.kind is 'resnet': choose one of multinet"),
    (dict(kind="base", dropout="sometimes"), "config.model.dropout is 'sometimes'"),
    (dict(kind="base", bases=0), "config.model.bases is 0"),
  ],
)
def test_settings_that_cannot_be_used(fields, message):
  with pytest.raises(InputError, match=message):
    make_task(config(**fields))
