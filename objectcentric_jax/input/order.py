"""The sequence of examples in training: its order and its draws, known for any place in it."""

import numpy as np

_ORDER, _DRAWS = 0, 1  # branches of the seed


def draws(seed: int, places: np.ndarray) -> list[np.random.Generator]:
  """What random steps draw from for the examples at these places of the sequence."""
  return [_generator(seed, _DRAWS, int(place)) for place in places]


def _generator(seed: int, *branch: int) -> np.random.Generator:
  return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=branch))


class ShuffledEpochs:
  """Epoch after epoch of the numbers below `count`, each in an order of its own from the seed."""

  def __init__(self, count: int, seed: int):
    self._count, self._seed = count, seed
    self._epochs: dict[int, np.ndarray] = {}

  def __call__(self, places: np.ndarray) -> np.ndarray:
    """The examples at places (from 0, without end) of the sequence of all epochs."""
    epochs, inside = np.divmod(places, self._count)
    indices = np.empty_like(places)
    for epoch in np.unique(epochs):
      within = epochs == epoch
      indices[within] = self._epoch(int(epoch))[inside[within]]
    return indices

  def _epoch(self, number: int) -> np.ndarray:
    known = self._epochs.get(number)
    if known is None:
      known = _generator(self._seed, _ORDER, number).permutation(self._count)
      # Batches need this epoch and the next; threads may still be in the one before.
      kept = {n: order for n, order in self._epochs.items() if abs(n - number) <= 1}
      self._epochs = {**kept, number: known}
    return known

  def __getstate__(self):
    return {**self.__dict__, "_epochs": {}}
