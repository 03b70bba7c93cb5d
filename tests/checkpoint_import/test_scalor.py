"""Published SCALOR checkpoints under the names that users have, without running the network."""

import jax
import numpy as np
import pytest

from objectcentric_jax.checkpoint_import import scalor as importer
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.scalor.task import make_task
from tests.golden import case as golden

KEY = jax.random.key(0)


class Published:
  """A golden case as a checkpoint: its config under our names, state dict, template."""

  def __init__(self, name: str):
    self.case, _ = golden.load(golden.PUBLIC / "scalor" / name)
    config = self.case["config"]
    self.model = importer.model_config(config["constants"], config["args"])
    side = self.model["side"]
    video = jax.ShapeDtypeStruct((1, 1, side, side, 3), np.float32)
    self.task = make_task(self.model)
    self.template, self.state = jax.eval_shape(self.task.init, KEY, {"video": video})
    self.weights = self.case["state_dict"]

  def read(self, state_dict):
    return importer.import_parameters(state_dict, self.model, self.template, "file.pth")


@pytest.fixture(scope="module")
def published():
  return Published("small_64_sbd")


def with_aliases(published) -> dict[str, np.ndarray]:
  case, weights = published.case, published.weights
  buffers = {name: np.zeros(about["shape"]) for name, about in case["buffers"].items()}
  return weights | {a: weights[name] for a, name in case["aliases"].items()} | buffers


def parallel(name: str) -> str:
  """As DataParallel writes it."""
  first, _, rest = name.partition(".")
  wrapped = ("image_enc", "propagate_cell", "bg_enc", "bg_dec", "proposal_rejection_cell")
  return f"{first}.module.{rest}" if first in wrapped and rest else name


def test_the_whole_state_dict_with_and_without_infix(published):
  found = published.read(with_aliases(published))
  again = published.read({parallel(n): v for n, v in with_aliases(published).items()})
  jax.tree.map(np.testing.assert_array_equal, found, again)
  alone = published.read(published.weights)
  jax.tree.map(np.testing.assert_array_equal, found, alone)
  weights = published.weights
  kernel = found["propagation"]["where_network"]["hidden"]["kernel"]
  name = "propagate_cell.z_where_transit_bias_net.0.weight"
  np.testing.assert_array_equal(kernel, weights[name].T)
  # Coordinates of rows and columns come first in the file and last here.
  kernel = found["background"]["decode"]["stack"]["layer_0"]["conv"]["kernel"]
  first = weights["bg_dec.dec.0.weight"]
  np.testing.assert_array_equal(kernel[..., -2:, :].transpose(3, 2, 0, 1), first[:, :2])
  assert importer.import_model_state({}, {}, published.model, published.state, "file.pth") == {}


def test_what_does_not_fit_is_named(published):
  weights = published.weights
  unknown = weights | {"bg_enc.extra.weight": np.zeros(3, np.float32)}
  with pytest.raises(InputError, match="1 unused: bg_enc.extra.weight"):
    published.read(unknown)
  missing = {name: value for name, value in weights.items() if name != "bg_prior_net.bias"}
  with pytest.raises(InputError, match="1 missing: bg_prior_net.bias"):
    published.read(missing)
  offset = {"proposal_rejection_cell.module.ProposalNet.offset": np.zeros((2, 8, 8))}
  with pytest.raises(InputError, match="has a grid of 8: config.model.grid is 4"):
    published.read(weights | offset)
  with pytest.raises(InputError, match="keeps perceptual beside them"):
    importer.import_model_state({}, {}, {}, {"perceptual": {}, "carry": {}}, "file.pth")


def test_a_fixed_background_needs_no_inference(published):
  model = published.model | {"background": published.model["background"] | {"kind": "fixed"}}
  names = importer.table(model)
  assert "bg_dec.dec.0.weight" in names and "bg_prior_net.bias" not in names
  assert importer.is_ignored("bg_prior_net.bias", model)
  assert not importer.is_ignored("bg_prior_net.bias", published.model)


def test_settings_under_our_names(published):
  case = published.case["config"]
  assert published.model["background"]["decoder"] == "broadcast"
  assert published.model["recurrent"] == () and published.model["slots"] == 9
  assert published.model["reuse_identities"]
  with pytest.raises(InputError, match="num_cell_h and num_cell_w are 4 and 8"):
    importer.model_config(case["constants"], case["args"] | {"num_cell_w": 8})
