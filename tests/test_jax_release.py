"""The installed jax mixes masks and components correctly; release 0.10.2 does not on the CPU."""

import importlib
import importlib.metadata
import warnings

import jax
import numpy as np
import pytest

import objectcentric_jax


def test_masked_components_are_summed_correctly():
  """jax-ml/jax#39103: a broadcast product followed by a sum, wrong by more than 1 when compiled."""
  rng = np.random.default_rng(0)
  masks = rng.uniform(size=(2, 5, 1, 128, 128)).astype(np.float32)
  components = rng.uniform(size=(2, 5, 3, 128, 128)).astype(np.float32)
  found = jax.jit(lambda m, c: (m * c).sum(1))(masks, components)
  np.testing.assert_allclose(found, np.einsum("bkohw,bkchw->bchw", masks, components), atol=1e-5)
  last = jax.jit(lambda m, c: (m * c).sum(1))(
    np.moveaxis(masks, 2, -1), np.moveaxis(components, 2, -1)
  )
  np.testing.assert_allclose(np.moveaxis(last, -1, 1), found, atol=1e-5)


def test_the_wrong_release_is_announced(monkeypatch):
  monkeypatch.setattr(importlib.metadata, "version", lambda package: "0.10.2")
  with pytest.warns(UserWarning, match="jax 0.10.2 computes wrong sums"):
    importlib.reload(objectcentric_jax)
  monkeypatch.undo()
  with warnings.catch_warnings():
    warnings.simplefilter("error")
    importlib.reload(objectcentric_jax)
