"""The published Inception-v3's weights: every tensor finds its place, and nothing else is taken."""

import flax.traverse_util
import jax
import numpy as np
import pytest

from objectcentric_jax.checkpoint_import import inception
from objectcentric_jax.errors import InputError
from tests.checkpoint_import import inception_network, torch_writer


@pytest.fixture(scope="module")
def weights():
  return inception_network.state_dict()


def flat(variables):
  return flax.traverse_util.flatten_dict(variables, sep="/")


def failure(tensors) -> str:
  with pytest.raises(InputError) as caught:
    inception.import_variables(tensors, "file.pth")
  message = str(caught.value)
  assert message.startswith("file.pth") and "\n" not in message
  return message


def test_the_table_covers_the_published_names(weights):
  """94 convolutions with five tensors each, and their counters; the classifier is not needed."""
  table = inception.table(inception.template())
  counters = {name for name in weights if name.endswith("num_batches_tracked")}
  assert set(table) == set(weights) - counters - {"fc.weight", "fc.bias"}
  assert len(counters) == 94 and len(table) == 94 * 5
  parameters = jax.tree.leaves(inception.template()["params"])
  assert sum(leaf.size for leaf in parameters) == 21_785_568


@pytest.mark.parametrize("save", [torch_writer.save_zip, torch_writer.save_legacy])
def test_a_file_of_either_layout(tmp_path, weights, save):
  small = {name: value for name, value in weights.items() if not name.endswith("conv.weight")}
  whole = weights | {name: np.zeros_like(weights[name]) for name in weights if name not in small}
  save(tmp_path / "weights.pth", whole)
  found = flat(inception.read(tmp_path / "weights.pth"))
  mean = found["batch_stats/Mixed_6c/branch7x7dbl_3/bn/mean"]
  np.testing.assert_array_equal(mean, weights["Mixed_6c.branch7x7dbl_3.bn.running_mean"])
  assert all(value.dtype == np.float32 for value in found.values())


def test_values_are_rearranged_not_changed(weights):
  found = flat(inception.import_variables(weights, "file.pth"))
  assert len(found) == 94 * 5
  kernel = found["params/Mixed_7b/branch3x3_2a/conv/kernel"]
  published = weights["Mixed_7b.branch3x3_2a.conv.weight"]
  assert kernel.shape == (1, 3, 384, 384) and published.shape == (384, 384, 1, 3)
  assert kernel[0, 2, 5, 7] == published[7, 5, 0, 2]
  for ours, theirs in (
    ("params/Mixed_5d/branch_pool/bn/scale", "Mixed_5d.branch_pool.bn.weight"),
    ("params/Conv2d_4a_3x3/bn/bias", "Conv2d_4a_3x3.bn.bias"),
    ("batch_stats/Mixed_7a/branch7x7x3_4/bn/variance", "Mixed_7a.branch7x7x3_4.bn.running_var"),
  ):
    np.testing.assert_array_equal(found[ours], weights[theirs])
  double = inception.import_variables(weights, "file.pth", np.float64)
  assert all(leaf.dtype == np.float64 for leaf in jax.tree.leaves(double))


def test_counters_may_be_absent(weights):
  """PyTorch wrote none before 0.4.1."""
  old = {n: value for n, value in weights.items() if not n.endswith("num_batches_tracked")}
  inception.import_variables(old, "file.pth")


def test_nothing_is_left_over_on_either_side(weights):
  more = weights | {"AuxLogits.conv0.conv.weight": np.zeros((128, 768, 1, 1), np.float32)}
  del more["Mixed_5b.branch1x1.bn.running_var"]
  message = failure(more)
  assert f"does not match the network of {inception.FILE}" in message
  assert "1 unused: AuxLogits.conv0.conv.weight" in message
  assert "1 missing: Mixed_5b.branch1x1.bn.running_var" in message
  message = failure(weights | {"Mixed_6b.branch1x1.bn.bias": np.zeros(191, np.float32)})
  assert "Mixed_6b.branch1x1.bn.bias (191,)" in message and "(192,)" in message


def test_another_inception_is_refused(weights):
  """torchvision's has 1000 classes and other pools: its distances would be others."""
  for other in (
    weights | {"fc.weight": np.zeros((1000, 2048), np.float32)},
    {name: value for name, value in weights.items() if name != "fc.weight"},
  ):
    message = failure(other)
    assert "fc.weight is" in message and "(1008, 2048)" in message and inception.URL in message


def test_checksum(tmp_path):
  (tmp_path / "file").write_bytes(b"abc")
  expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # of FIPS 180-2
  assert inception.checksum(tmp_path / "file") == expected
  assert inception.FILE.endswith(f"-{inception.CHECKSUM}.pth") and inception.FILE in inception.URL
