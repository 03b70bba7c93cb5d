"""Inner trainings without a network: objects are directions, and a view is one of them."""

import jax.numpy as jnp
import numpy as np

from objectcentric_jax.models.object_pursuit import pursuit
from objectcentric_jax.models.object_pursuit.memory import empty_memory

SIZE = 4  # of latents
# A name to what its views show. "d" lies between "a" and "b"; "shuffled" is none.
OBJECTS = {
  "a": (1, 0, 0, 0),
  "b": (0, 1, 0, 0),
  "c": (0, 0, 1, 0),
  "d": (1, 1, 0, 0),
  "shuffled": (0, 0, 0, 0),
  "few": (),
}


class Killed(Exception):
  """As if the process had ended here."""


class ToyTrainings:
  """Scores are the share of a view's direction that is explained.

  `networks` are a gain, which every learning changes and which forgets what is not held: latents
  count times the gain they were learned with. `calls` are all that was asked for; the call
  numbered `killed_at` does not return.
  """

  def __init__(self, killed_at: int | None = None):
    self.calls, self.killed_at = [], killed_at

  def usable(self, views):
    return len(views) > 0

  def similarities(self, knowledge, views):
    self._called("similarities")
    latents = [knowledge.latent(number) for number in knowledge.candidates]
    return [max(0.0, float(_direction(latent) @ _direction(views))) for latent in latents]

  def express(self, knowledge, views, stage):
    self._called(stage)
    count = knowledge.base_count
    bases = np.asarray(knowledge.memory.bases[:count], np.float64)
    target = _direction(views)
    found = np.linalg.lstsq(bases.T, target, rcond=None)[0]
    latent = found @ bases
    score = float(np.linalg.norm(latent)) - 1e-3
    return pursuit.Fitted(score, jnp.asarray(latent, jnp.float32), knowledge.networks, (*found,), 3)

  def learn(self, knowledge, views):
    self._called("learn")
    networks = {"gain": knowledge.networks["gain"] + 1, "held": jnp.int32(len(knowledge.objects))}
    latent = jnp.asarray(_direction(views), jnp.float32)
    return pursuit.Fitted(0.9 * float(np.linalg.norm(latent)), latent, networks, epochs=7)

  def generated(self, networks, latent):
    return {"weights": networks["gain"] * latent}

  def _called(self, what):
    if len(self.calls) == self.killed_at:
      raise Killed
    self.calls.append(what)


def start() -> pursuit.Knowledge:
  """What is known before the first arrival: nothing, and room for little."""
  generated = {"weights": jnp.zeros(SIZE)}
  networks = {"gain": jnp.float32(1), "held": jnp.int32(0)}
  return pursuit.Knowledge(empty_memory(1, SIZE, 1, generated), networks)


def views(name: str) -> np.ndarray:
  """What an arrival shows."""
  return np.asarray(OBJECTS[name], np.float64)


def _direction(vector) -> np.ndarray:
  vector = np.asarray(vector, np.float64)
  return vector / max(np.linalg.norm(vector), 1e-9)
