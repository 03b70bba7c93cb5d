"""Prior over a sequence of slot latents, each given the slots before it."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.nn.linear import Linear
from objectcentric_jax.nn.moments import prior_moments
from objectcentric_jax.nn.recurrent import LSTM, State, scan_slots

Array = jax.Array


class AutoregressivePrior(nn.Module):
  """p(z_k | z_1 .. z_{k-1}) of latents of size D; the first slot's prior is the standard normal.

  An LSTM with `hidden` units reads the slots (GENESIS, paper section 3.1; GENESIS-V2). Means are
  squashed by tanh.
  """

  size: int
  hidden: int
  unroll: int = 1
  dtype: jnp.dtype | None = None

  def setup(self):
    self.lstm = LSTM(self.hidden, self.unroll, self.dtype)
    self.moments = Linear(2 * self.size, self.dtype)

  def __call__(self, latents: Array) -> tuple[Array, Array]:
    """Mean and deviation of every slot's prior given the slots before it, each [B, K, D]."""
    start_mean = jnp.zeros_like(latents[:, :1])
    start_deviation = jnp.ones_like(latents[:, :1])
    if latents.shape[1] == 1:
      return start_mean, start_deviation
    hidden, _ = self.lstm(latents[:, :-1])
    mean, deviation = prior_moments(self.moments(hidden))
    return (
      jnp.concatenate([start_mean, mean], axis=1),
      jnp.concatenate([start_deviation, deviation], axis=1),
    )

  def draw(self, noise: Array, squash: bool = True) -> Array:
    """Latents [B, K, D] drawn slot by slot from standard normal noise of that shape.

    `squash` False leaves tanh out of the means, see `prior_moments`.
    """

    def step(prior: "AutoregressivePrior", carry: tuple[Array, State], noise: Array):
      latent, state = carry
      hidden, state = prior.lstm(latent[:, None], state)
      mean, deviation = prior_moments(prior.moments(hidden[:, 0]), squash)
      latent = mean + noise * deviation
      return (latent, state), latent

    first = noise[:, 0]
    if noise.shape[1] == 1:
      return first[:, None]
    zeros = jnp.zeros((noise.shape[0], self.hidden), noise.dtype)
    scan = scan_slots(step, self.unroll)
    _, following = scan(self, (first, (zeros, zeros)), noise[:, 1:])
    return jnp.concatenate([first[:, None], following], axis=1)
