"""One golden case: its files, its weights, and the comparison of outputs."""

import fnmatch
import importlib.util
import json
import math
import os
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

# Where the cases are, unless OBJECTCENTRIC_GOLDEN says so: beside the checkout, not in it.
BESIDE = pathlib.Path(__file__).resolve().parents[3] / "shared" / "golden"
PUBLIC = pathlib.Path(os.environ.get("OBJECTCENTRIC_GOLDEN", BESIDE))


class Result(NamedTuple):
  """One compared quantity: its error must not exceed its tolerance."""

  name: str
  error: float
  tolerance: float

  @property
  def passed(self) -> bool:
    return bool(self.error <= self.tolerance)  # False for NaN

  @property
  def share(self) -> float:
    """How much of the tolerance the error takes; above 1 it failed."""
    if self.error == 0.0:
      return 0.0
    return math.inf if math.isnan(self.error) else self.error / max(self.tolerance, 1e-300)


def load(folder: pathlib.Path) -> tuple[dict, dict[str, np.ndarray]]:
  """The case (with its folder, and its rebuilt weights under "state_dict") and its arrays.

  Floating-point inputs have the precision that the case asks for.
  """
  case = json.loads((folder / "case.json").read_text())
  with np.load(folder / "arrays.npz", allow_pickle=False) as file:
    arrays = {name: file[name] for name in file.files}
  if in_float64(case):
    for name, array in arrays.items():
      if name.startswith("inputs/") and np.issubdtype(array.dtype, np.floating):
        arrays[name] = array.astype(np.float64)
  case["folder"] = folder
  case["state_dict"] = rebuild_weights(case, folder)
  return case, arrays


def in_float64(case: Mapping) -> bool:
  """Whether the case wants a float64 run: its `precision` speaks of one.

  Where float32 would do as well, as some of these notes say, float64 agrees more closely.
  """
  return "float64" in case.get("precision", "")


def parameter_dtype(case: Mapping) -> type:
  """Type of the imported parameters, which the model's computation follows."""
  return np.float64 if in_float64(case) else np.float32


def rebuild_weights(
  case: Mapping, folder: pathlib.Path, key: str = "params", matches: Callable = fnmatch.fnmatchcase
) -> dict[str, np.ndarray]:
  """The state dict the expected outputs were computed with.

  `key` is of the table of its names and shapes; `matches` (name, pattern) says which parameters a
  pattern of `scale` is for.
  """
  fill = _fill_module(folder)
  weights = fill.state_dict(case.get(key, {}))
  for name, weight in weights.items():
    for pattern, factor in case.get("scale", {}).items():
      if matches(name, pattern):
        weights[name] = weight = np.asarray(weight * factor, weight.dtype)
  for constants in (case.get("constants", {}), case.get("set", {})):
    for name, value in constants.items():
      weights[name] = np.broadcast_to(
        np.asarray(value, weights[name].dtype), weights[name].shape
      ).copy()
  return weights


def _fill_module(folder: pathlib.Path):
  for root in (folder.parent.parent, PUBLIC):
    if (root / "fill.py").exists():
      spec = importlib.util.spec_from_file_location("golden_fill", root / "fill.py")
      module = importlib.util.module_from_spec(spec)
      spec.loader.exec_module(module)
      return module
  raise FileNotFoundError(f"no fill.py beside the cases of {folder}")


def relative_error(actual, expected) -> float:
  """Largest absolute difference over the largest magnitude expected; infinite if shapes differ."""
  actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
  if actual.shape != expected.shape:
    return float("inf")
  if not expected.size:
    return 0.0
  largest = np.abs(expected).max()
  return float(np.abs(actual - expected).max() / (largest if largest > 0 else 1.0))


def elementwise_error(actual, expected) -> float:
  """Largest relative difference element by element."""
  actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
  if actual.shape != expected.shape:
    return float("inf")
  return float((np.abs(actual - expected) / np.maximum(np.abs(expected), 1e-300)).max())


def compare(case: Mapping, arrays: Mapping, actual: Mapping) -> list[Result]:
  """Every output of the case against `actual`, by the published names."""
  results = []
  for name, about in case["outputs"].items():
    if actual.get(name) is None:
      raise KeyError(f"the case has an output {name!r} that the runner does not compute")
    found = stored_part(np.asarray(actual[name]), about)
    error = relative_error(found, arrays[f"outputs/{name}"])
    results.append(Result(name, error, output_tolerance(case, about)))
  return results


def output_tolerance(case: Mapping, about: Mapping) -> float:
  """Of an output: `tolerance`, or `tol64` and `tol` for float64 and float32 runs."""
  if in_float64(case) and "tol64" in about:
    return about["tol64"]
  return about["tolerance"] if "tolerance" in about else about["tol"]


def stored_part(array: np.ndarray, about: Mapping) -> np.ndarray:
  """What the case stores of an output, by its description's `slice` or `stored`.

  `slice` begins with an index such as "[..., ::2, ::2]"; `stored` reads "every 2nd row and column"
  of the last two axes.
  """
  if "slice" in about:
    inside = re.match(r"\[([^]]*)\]", about["slice"]).group(1)
    return array[tuple(_index(part.strip()) for part in inside.split(","))]
  if "stored" in about:
    step = int(re.match(r"every (\d+)(?:nd|rd|th) row and column$", about["stored"]).group(1))
    return array[..., ::step, ::step]
  return array


def _index(text: str):
  if text == "...":
    return ...
  parts = [int(part) if part else None for part in text.split(":")]
  return slice(*parts) if len(parts) > 1 else parts[0]


def compare_gradient_norms(
  case: Mapping,
  norms: Mapping[str, float],
  key: str,
  expected: Mapping[str, float | None],
  tolerance: float,
  by_name: Mapping[str, float],
) -> list[Result]:
  """Gradient norms by published parameter name against the expected ones (golden README).

  `by_name` holds the parameters whose tolerance differs from `tolerance`. None as an expected norm,
  as well as a name under the case's `no_grad`, means that the parameter is not used.
  """
  used = [value for value in case["grad_norms"].values() if value is not None]
  floor = 1e-5 * case.get("grad_norm_total", math.hypot(*used))
  results = []
  for name, value in (expected | dict.fromkeys(case.get("no_grad", ()))).items():
    found = norms[name]
    if value is None or value == 0.0:
      # Unused, or zero in exact arithmetic: only rounding noise may be left.
      limit = 0.0 if value is None else floor
      results.append(Result(f"{key}/{name}", found, limit))
    else:
      error = abs(found - value) / max(abs(value), floor)
      results.append(Result(f"{key}/{name}", error, by_name.get(name, tolerance)))
  return results


def images(array) -> np.ndarray:
  """[B, C, H, W] to [B, H, W, C]."""
  return np.moveaxis(array, 1, -1)


def nchw(array) -> np.ndarray:
  """[B, H, W, C] to [B, C, H, W]."""
  return np.moveaxis(array, -1, 1)


def slots_first(array) -> np.ndarray:
  """[B, K, ...] to the published [K, B, ...]."""
  return np.moveaxis(array, 1, 0)


def slot_images(array) -> np.ndarray:
  """[B, K, H, W, C] to the published [K, B, C, H, W]."""
  return np.moveaxis(slots_first(array), -1, 2)
