"""Golden cases `seg_metrics`: adjusted Rand index and segmentation covering."""

import jax
import numpy as np

from objectcentric_jax.metrics.segmentation import segmentation_metrics
from objectcentric_jax.scene import Scene

NAMES = {
  "ari": "ari",
  "ari_fg": "fg_ari",
  "msc": "msc",
  "sc": "sc",
  "msc_fg": "fg_msc",
  "sc_fg": "fg_sc",
}


def check(case: dict, arrays: dict[str, np.ndarray]) -> list[tuple[str, float, float]]:
  """Scores the case's masks with the library.

  Args:
    case: the parsed `case.json`.
    arrays: the arrays of `arrays.npz`: "inputs/log_m_k" [K, B, 1, H, W], "inputs/instances"
      [B, 1, H, W], and "outputs/<name>".

  Returns:
    (output, worst error relative to the largest expected magnitude, tolerance), one an output.
  """
  log_masks = np.transpose(arrays["inputs/log_m_k"], (1, 0, 3, 4, 2))  # [B, K, H, W, 1]
  truth = np.transpose(arrays["inputs/instances"], (0, 2, 3, 1))  # [B, H, W, 1]
  labels = max(int(truth.max()) + 1, 1)
  # The scores depend on the order of the masks alone, which the logarithm keeps.
  scene = Scene(image=np.zeros(truth.shape, np.float32), masks=log_masks)
  score = jax.jit(segmentation_metrics, static_argnames=("labels", "background_ids"))
  scores = score(scene, {"segmentation": truth}, labels=labels)

  results = []
  for name, description in case["outputs"].items():
    per_image = np.asarray(scores[NAMES[name.removesuffix("_per_image")]], np.float64)
    found = per_image if name.endswith("_per_image") else per_image.mean()
    expected = np.asarray(arrays[f"outputs/{name}"], np.float64)
    if found.shape != expected.shape:
      raise ValueError(f"{name}: shape {found.shape}, expected {expected.shape}")
    scale = np.abs(expected).max() or 1.0
    results.append(
      (name, float(np.abs(found - expected).max() / scale), float(description["tolerance"]))
    )
  return results
