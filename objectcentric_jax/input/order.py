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
      known = self._ordered(_generator(self._seed, _ORDER, number))
      # Batches need this epoch and the next; threads may still be in the one before.
      kept = {n: order for n, order in self._epochs.items() if abs(n - number) <= 1}
      self._epochs = {**kept, number: known}
    return known

  def _ordered(self, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(self._count)

  def __getstate__(self):
    return {**self.__dict__, "_epochs": {}}


class GroupedEpochs(ShuffledEpochs):
  """Epochs of batches whose examples are of one group each.

  In an epoch the examples of every group are shuffled and cut into whole batches, what remains is
  left out, and then all batches are shuffled.
  """

  def __init__(self, groups: np.ndarray, batch_size: int, seed: int, balanced: bool = False):
    """Orders examples.

    Args:
      groups: [N], of each example.
      batch_size: of the global batch.
      seed: of the order.
      balanced: as many batches of each group as the smallest one has.

    Raises:
      ValueError: no group has examples for a batch.
    """
    self._groups = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    self._batch_size = batch_size
    counts = [len(group) // batch_size for group in self._groups]
    whole = [count for count in counts if count]
    if not whole:
      raise ValueError(f"of no group there are {batch_size} examples")
    self._most = min(whole) if balanced else max(whole)
    super().__init__(sum(min(c, self._most) for c in counts) * batch_size, seed)

  def _ordered(self, rng: np.random.Generator) -> np.ndarray:
    batches = []
    for group in self._groups:
      count = min(len(group) // self._batch_size, self._most)
      chosen = rng.permutation(group)[: count * self._batch_size]
      batches.append(chosen.reshape(count, self._batch_size))
    return rng.permutation(np.concatenate(batches)).ravel()
