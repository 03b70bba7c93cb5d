"""The prior over slot latents, each given the slots before it."""

import jax
import numpy as np

from objectcentric_jax.nn.autoregressive_prior import AutoregressivePrior
from tests.parameters import random_parameters


def test_drawing_slot_by_slot_equals_the_prior_of_the_draws():
  """The moments of whole sequences, which training uses, describe what `draw` draws."""
  prior = AutoregressivePrior(6, hidden=24)
  noise = np.random.default_rng(0).standard_normal((2, 4, 6)).astype(np.float32)
  params = random_parameters(jax.eval_shape(prior.init, jax.random.key(0), noise)["params"])
  latents = prior.apply({"params": params}, noise, method=AutoregressivePrior.draw)
  mean, deviation = prior.apply({"params": params}, latents)
  assert latents.shape == mean.shape == deviation.shape == (2, 4, 6)
  np.testing.assert_allclose(latents, mean + deviation * noise, atol=1e-6)
  np.testing.assert_array_equal(latents[:, 0], noise[:, 0])
  assert np.abs(mean).max() < 1 and np.abs(mean[:, 1:]).min() > 0
  # Slot k depends on the slots before it alone.
  changed = prior.apply({"params": params}, latents.at[:, 2].add(1.0))[0]
  np.testing.assert_array_equal(changed[:, :3], mean[:, :3])
  assert (np.asarray(changed[:, 3]) != np.asarray(mean[:, 3])).any()
