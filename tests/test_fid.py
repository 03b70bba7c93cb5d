"""The Frechet Inception distance of a run: its path from images to the number, and the command."""

import dataclasses
import json
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import build
from objectcentric_jax.checkpoint_import import inception
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import ArrayExamples
from objectcentric_jax.input.generated import generated
from objectcentric_jax.metrics.frechet import frechet_distance
from objectcentric_jax.metrics.inception import inception_features
from objectcentric_jax.training.checkpoints import Checkpoints, write_config
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.state import state_from
from tests import conftest
from tests.checkpoint_import import inception_network, torch_writer
from tests.metrics.test_frechet import by_definition, from_rows
from tests.parameters import random_parameters
from tests.training.device_results import genesis_config

pytestmark = pytest.mark.usefixtures("optimised")

fid = conftest.functions_of("fid")

EXAMPLES = generated(8, 3, "test")  # 64 of them
QUIET = fid.Progress()


@dataclasses.dataclass
class Blots:
  """Draws images of one colour around `shade`."""

  def sample(self, params, model_state, rng, count):
    colour = params["shade"] + model_state["spread"] * jax.random.normal(rng, (count, 1, 1, 3))
    return types.SimpleNamespace(image=jnp.broadcast_to(colour, (count, 8, 8, 3)))


MODEL = {"shade": jnp.float32(0.4)}, {"spread": jnp.float32(0.2)}


def small_features(variables, image):
  """Five features in place of 2048."""
  return jnp.tanh(image.reshape(len(image), -1).astype(jnp.float32) @ variables)


def small_path(devices):
  weights = np.random.default_rng(0).standard_normal((8 * 8 * 3, 5)).astype(np.float32)
  return fid.make_features(small_features, weights / 500, devices)


def drawn_images(task, count, size, seed=0):
  devices = Devices()
  draw = fid.make_draw(task, *MODEL, seed, devices)
  return [draw(positions) for positions in fid.position_batches(count, size, devices)]


# The path


@pytest.mark.parametrize("size", [1, 7, 64])
def test_statistics_are_of_the_images_asked_for(size):
  """Whatever the batches, and without the rows that fill up the last one."""
  devices, count = Devices(), 37
  batches = fid.real_batches(EXAMPLES, count, size, devices)
  path = small_path(devices)
  found = fid.accumulate("real", batches, path, QUIET)
  images = {"image": EXAMPLES.arrays["image"][:count], "index": 0, "valid": True}
  rows = np.asarray(path(images)[0], np.float64)
  assert found.count == count
  np.testing.assert_allclose(found.mean, rows.mean(0), rtol=1e-6)
  np.testing.assert_allclose(found.covariance, np.cov(rows, rowvar=False), rtol=1e-4, atol=1e-9)


def test_examples_without_images():
  labels = ArrayExamples({"label": np.zeros(4, np.int32)}, {"name": "made up", "split": "test"})
  with pytest.raises(InputError, match="the examples have index, label, valid: add image to"):
    next(fid.real_batches(labels, 4, 2, Devices()))


def test_draws_depend_on_their_position_alone():
  by_four = drawn_images(Blots(), 10, 4)
  assert [list(batch["valid"]) for batch in by_four] == [[True] * 4] * 2 + [
    [True] * 2 + [False] * 2
  ]
  images = np.concatenate([batch["image"] for batch in by_four])[:10]
  assert len(np.unique(images[:, 0, 0, 0])) == 10
  by_five = np.concatenate([batch["image"] for batch in drawn_images(Blots(), 10, 5)])
  np.testing.assert_array_equal(by_five, images)
  assert (drawn_images(Blots(), 5, 5, seed=1)[0]["image"] != images[:5]).all()


def test_distance_of_two_sets():
  """Made-up scenes against draws, to the digits of the same computation done in one go."""
  devices = Devices()
  path, collected = small_path(devices), {"real": [], "generated": []}

  def recording(name):
    def features(batch):
      computed = path(batch)
      rows, _, valid = jax.device_get(computed)
      collected[name].append(rows[valid])
      return computed

    return features

  real = fid.real_batches(EXAMPLES, 50, 8, devices)
  statistics = [
    fid.accumulate("real", real, recording("real"), QUIET),
    fid.accumulate("generated", drawn_images(Blots(), 61, 8), recording("generated"), QUIET),
  ]
  rows = [np.concatenate(parts).astype(np.float64) for parts in collected.values()]
  assert [len(part) for part in rows] == [50, 61]
  found = frechet_distance(*statistics)
  assert found.ranks == (5, 5)
  np.testing.assert_allclose(found.distance, by_definition(*rows), rtol=1e-10)


def test_what_is_not_finite_is_named():
  class Sometimes(Blots):
    def sample(self, params, model_state, rng, count):
      scene = super().sample(params, model_state, rng, count)
      return types.SimpleNamespace(image=jnp.where(scene.image > 0.7, jnp.nan, scene.image))

  images = np.concatenate([batch["image"] for batch in drawn_images(Sometimes(), 16, 8)])
  first = int(np.argmax(np.isnan(images).any((1, 2, 3))))
  assert 0 < first < 16
  with pytest.raises(
    InputError, match=f"^generated image {first} has features that are not finite"
  ):
    batches = drawn_images(Sometimes(), 16, 8)
    fid.accumulate("generated", batches, small_path(Devices()), QUIET)


def test_models_that_draw_no_images():
  with pytest.raises(InputError, match="object is not a generative model"):
    fid.make_draw(object(), *MODEL, 0, Devices())

  class Video(Blots):
    def sample(self, params, model_state, rng, count):
      return types.SimpleNamespace(image=jnp.zeros((count, 6, 8, 8, 3)))

  with pytest.raises(InputError, match=r"Video draws arrays \(6, 8, 8, 3\): only images"):
    fid.make_draw(Video(), *MODEL, 0, Devices())


# The command


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
  """An untrained GENESIS-V2 for made-up scenes, as a run leaves it."""
  folder, config = tmp_path_factory.mktemp("fid") / "run", genesis_config()
  config.train.steps = 3
  task = build.make_task(config)
  image = {"image": jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)}
  params, model_state = jax.eval_shape(task.init, jax.random.key(0), image)
  state = jax.jit(
    lambda params: state_from(
      params,
      jax.tree.map(lambda leaf: jnp.ones(leaf.shape, leaf.dtype), model_state),
      make_updates(config.train.updates, list(task.losses)),
      jax.random.key(0),
      3,
    )
  )(random_parameters(params))
  write_config(folder, config.to_dict())
  checkpoints = Checkpoints(folder, config.to_dict(), config.eval.best)
  checkpoints.save(state, iterator=None)
  checkpoints.close()
  return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
  """A file laid out as the published one, with random numbers in it."""
  path = tmp_path_factory.mktemp("weights") / "random.pth"
  torch_writer.save_zip(path, inception_network.state_dict())
  return path


def test_the_command_on_two_devices(workdir, weights):
  """With the whole network; the number is that of one device and of the direct computation."""
  out = workdir / "deep" / "fid.json"
  arguments = ("--workdir", workdir, "--inception", weights, "--images", 6, "--out", out)
  quick = {"OPENBLAS_NUM_THREADS": "1"}  # more of them wait busily for cores that others use
  text = conftest.run("experiments.fid", *arguments, "--batch_size", 4, devices=2, **quick)
  result = json.loads(out.read_text())
  assert result["images"] == {"real": 6, "generated": 6}
  assert result["ranks"] == {"real": 5, "generated": 5}
  assert result["dataset"]["name"] == "generated" and result["dataset"]["split"] == "test"
  assert (result["seed"], result["step"], result["checkpoint"]) == (0, 3, "last")
  assert result["inception"]["file"] == str(weights) and not result["inception"]["published"]
  distance = result["scores"]["fid"]
  for words in (
    f"  fid  {distance:.4f}  (covariances of rank 5 and 5, 2048 features)",
    "generated test, first 6 of 64 images, against 6 drawn, seed 0; step 3 (last checkpoint)",
    f"note: {weights} is not the published file",
    "note: a covariance of 2048 features needs more images than that",
    f"scores: {out}",
  ):
    assert words in text

  devices = Devices()
  restored, variables = build.Restored(workdir, devices), inception.read(weights)
  features = fid.make_features(inception_features, variables, devices)
  draw = fid.make_draw(restored.task, restored.params, restored.model_state, 0, devices)
  (positions,) = fid.position_batches(6, 6, devices)
  drawn = draw(positions)
  (stored,) = fid.real_batches(build.open_examples(restored.config, "test"), 6, 6, devices)
  rows = [np.asarray(features(batch)[0], np.float64) for batch in (stored, drawn)]
  assert rows[0].shape == (6, 2048)
  # The last digit of a drawn colour, rounded elsewhere, can decide which of 256 levels it gets.
  np.testing.assert_allclose(distance, from_rows(*rows), rtol=1e-4)


@pytest.mark.parametrize("path", [None, "absent.pth"])
def test_where_to_get_the_weights(path):
  with pytest.raises(InputError) as caught:
    fid.read_network(path)
  message = str(caught.value)
  assert "--inception" in message and inception.URL in message and "\n" not in message
  assert (path or "not given") in message


def test_the_command_asks_for_the_weights_first(tmp_path):
  process = conftest.start("experiments.fid", "--workdir", tmp_path / "absent")
  status, _, errors = conftest.finish(process)
  assert status == 1 and errors.startswith("error: --inception is not given; download")
  assert len(errors.splitlines()) == 1


def test_notes_say_what_cannot_be_compared():
  about = {
    "dataset": {"name": "sprites", "split": "test"},
    "images": {"real": 3000, "generated": 3000},
    "inception": {"file": "published.pth", "sha256": inception.CHECKSUM + "00", "published": True},
  }
  assert fid.notes(about) == []
  (note,) = fid.notes(about | {"images": {"real": 2500, "generated": 3000}})
  assert "sprites test has 2500 images, not the 3000 of --images" in note
  (note,) = fid.notes(about | {"images": {"real": 2048, "generated": 2048}})
  assert "2048 features needs more images" in note
