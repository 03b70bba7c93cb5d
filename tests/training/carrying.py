"""A model that carries a number for each example from one chunk of its clip to the next."""

import dataclasses

import jax
import jax.numpy as jnp

from objectcentric_jax.training.devices import CARRY


@dataclasses.dataclass(frozen=True)
class CarryingTask:
  """Predicts each frame's mean colour from a decaying sum of those before it."""

  @property
  def losses(self):
    return {"error": self.error}

  def init(self, rng, batch):
    carry = {"sum": jnp.zeros((len(batch["video"]), 3), batch["video"].dtype)}
    return {"mix": {"kernel": jax.random.normal(rng, (3, 3))}}, {
      "seen": jnp.zeros(()),
      CARRY: carry,
    }

  def error(self, params, model_state, batch, now, rng):
    begins = batch["time"][:, None] == 0
    total = jnp.where(begins, 0, model_state[CARRY]["sum"])
    loss = 0.0
    for frame in jnp.moveaxis(batch["video"], 1, 0):
      colour = frame.mean((1, 2))
      loss += ((total @ params["mix"]["kernel"] - colour) ** 2).mean()
      total = 0.5 * total + colour
    seen = model_state["seen"] + loss
    return loss, ({"seen": seen, CARRY: {"sum": jax.lax.stop_gradient(total)}}, {})
