"""The number of devices changes nothing: losses, gradients, state and scores."""

import pickle

import numpy as np
import pytest

from tests import conftest

NAMES = {
  1: ("toy/jit", "toy/quiet", "carrying/jit", "normalised/jit", "genesis/jit", "evaluation/5"),
  8: (
    *("toy/jit", "toy/pmap", "normalised/jit", "normalised/pmap"),
    *("carrying/jit", "carrying/pmap", "genesis/jit", "genesis/pmap", "evaluation/16"),
  ),
}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
  """Arrays by path, by name, by number of devices."""
  return compute(tmp_path_factory.mktemp("devices"), NAMES)


def compute(folder, wanted):
  found = {}
  for devices, names in wanted.items():
    out = folder / str(devices)
    conftest.run("tests.training.device_results", out, *names, devices=devices, JAX_ENABLE_X64="1")
    count, found[devices] = pickle.loads(out.read_bytes())
    assert count == devices
  return found


def assert_close(found, expected, tolerance):
  """Every array's distance is within the tolerance, relative to its norm.

  The gradients of biases in front of a normalisation are zero in truth and rounding in practice;
  a gradient counts as no smaller than a thousandth of the whole.
  """
  assert set(found) == set(expected)
  norms = {path: np.linalg.norm(value) for path, value in expected.items()}
  whole = np.linalg.norm([norm for path, norm in norms.items() if is_gradient(path)])
  for path, value in expected.items():
    distance = np.linalg.norm(found[path].astype(np.float64) - value)  # flags are bool
    norm = max(norms[path], whole / 1000 if is_gradient(path) else 0)
    assert distance <= tolerance * norm, (path, distance, norms[path])


def is_gradient(path):
  return path.startswith("['gradient']")


@pytest.mark.parametrize(
  ("eight", "one"),
  [
    ("toy/jit", "toy/jit"),
    ("toy/pmap", "toy/quiet"),
    ("carrying/jit", "carrying/jit"),
    ("carrying/pmap", "carrying/jit"),
    ("normalised/jit", "normalised/jit"),  # batch statistics
    ("normalised/pmap", "normalised/jit"),
    ("genesis/jit", "genesis/jit"),
    ("genesis/pmap", "genesis/jit"),
  ],
)
def test_training_is_the_same_on_one_and_eight_devices(results, eight, one):
  found, expected = results[8][eight], results[1][one]
  gradients = [path for path in expected if is_gradient(path)]
  assert gradients and all(np.linalg.norm(expected[path]) > 0 for path in gradients)
  for part in ("report0", "report2", "params", "model_state"):
    assert any(path.startswith(f"['{part}']") for path in expected)
  assert_close(found, expected, 1e-8)


def test_scores_depend_neither_on_devices_nor_on_the_batch_size(results):
  expected = results[1]["evaluation/5"]
  assert {"['fg_ari']", "['msc']", "['elbo']", "['mse']"} <= set(expected)
  assert_close(results[8]["evaluation/16"], expected, 1e-6)


@pytest.mark.slow
def test_videos_in_chunks_are_the_same_on_one_and_eight_devices(tmp_path):
  """The whole of Loci-Segmented, before and in its videos; what it carries lives on its device."""
  results = compute(tmp_path, {1: ("loci/jit",), 8: ("loci/jit",)})
  found, expected = results[8]["loci/jit"], results[1]["loci/jit"]
  carried = [path for path in expected if "carry" in path]
  assert len(carried) > 20
  assert_close(found, expected, 1e-6)
