"""Losses of adversarial training against their formulas, and the discriminator's passes."""

from functools import partial

import jax
import numpy as np
import pytest

from objectcentric_jax.losses.adversarial import discriminator_loss, generator_loss
from objectcentric_jax.models.scalor.discriminator import DROPPED, Discriminator

LOGITS = np.asarray([-300.0, -2.0, 0.0, 3.0, 300.0])


def test_losses():
  """Logarithms stop at -100."""
  log_real = np.maximum(-np.logaddexp(0, -LOGITS), -100)
  log_fake = np.maximum(-np.logaddexp(0, LOGITS), -100)
  np.testing.assert_allclose(generator_loss(LOGITS), -log_real, rtol=1e-6, atol=1e-30)
  real, fake = LOGITS, LOGITS[::-1].copy()
  found = discriminator_loss(real, fake)
  np.testing.assert_allclose(found, -(log_real + log_fake[::-1]) / 2, rtol=1e-6, atol=1e-30)


@pytest.fixture(scope="module")
def judge():
  """The discriminator, its variables and two videos [B, T, S, S, 3]."""
  discriminator, rng = Discriminator(), np.random.default_rng(0)
  videos = rng.uniform(size=(2, 3, 4, 32, 32, 3)).astype(np.float32)
  init = jax.jit(partial(discriminator.init, method="once"))
  return discriminator, init(jax.random.key(0), videos[0][:, 0]), videos


def test_statistics_are_those_of_a_frame_and_move_on_from_frame_to_frame(judge):
  discriminator, variables, (video, _) = judge

  @jax.jit
  def apply(variables, video):
    return discriminator.apply(variables, video, sample=False, mutable=["batch_stats"])

  logits, after = apply(variables, video)
  assert logits.shape == (3, 4, 1)
  step, found = variables, []
  for t in range(4):
    alone, changed = apply(step, video[:, t : t + 1])
    found.append(alone)
    step = {**variables, **changed}
  np.testing.assert_allclose(np.concatenate(found, 1), logits, atol=1e-5)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6),
    after["batch_stats"],
    step["batch_stats"],
  )


def test_whole_feature_maps_are_dropped_in_training_alone(judge):
  discriminator, variables, (video, _) = judge

  def logits(key, **options):
    return discriminator.apply(variables, video, rngs={"noise": key}, **options)

  first, second = (logits(jax.random.key(i), mutable=["batch_stats"])[0] for i in range(2))
  assert np.abs(first - second).max() > 1e-4
  kept = [logits(jax.random.key(i)) for i in range(2)]
  np.testing.assert_array_equal(*kept)
  assert 0 < DROPPED < 1
