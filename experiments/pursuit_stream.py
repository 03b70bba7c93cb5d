"""The objects of a pursuit and what is seen of them, from its config."""

import numpy as np

from experiments.inner_trainings import Views
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import Examples
from objectcentric_jax.input.objects import held_out, open_objects, parts
from objectcentric_jax.models.object_pursuit.stream import Arrival, stream

_VISITS, _HELD_OUT, _USED = range(3)  # branches of the seed


class ObjectStream:
  """The arrivals of a pursuit, in their order, and the views of each.

  Attributes:
    arrivals: all of them.
    unseen: names of the objects of the set that do not arrive.
  """

  def __init__(self, config):
    settings, self._config = config.pursuit, config
    self._objects = open_objects(config.data, config.data.split, training=True)
    names = sorted(self._objects)
    first, count = settings.first, settings.count or len(names) - settings.first
    chosen = names[first : first + count]
    if settings.count < 0 or first < 0 or len(chosen) < max(count, 1):
      raise InputError(
        f"config.pursuit.first {first} and count {settings.count}: {config.data.name} "
        f"{config.data.split} has {len(names)} objects"
      )
    if not 0 < settings.held_out <= 1:
      raise InputError(f"config.pursuit.held_out is {settings.held_out}: a share is needed")
    self.arrivals = stream(
      chosen, settings.order, settings.seed, settings.repeat_every, settings.limit
    )
    arriving = {arrival.name for arrival in self.arrivals}
    self.unseen = [name for name in names[first:] if name not in arriving]

  def views(self, arrival: Arrival) -> Views:
    """What is seen of an arrival: with `fresh_visits`, views that no other visit shows."""
    shown: Examples = self._objects[arrival.name]
    if self._config.pursuit.fresh_visits:
      visits = sum(other.name == arrival.name for other in self.arrivals)
      seed = self._seed(arrival.name, _VISITS)
      shown = parts(shown, visits, seed)[arrival.visit]
    return self._views(f"{arrival.round:04d}-{_plain(arrival.name)}", arrival.round, shown)

  def views_of(self, name: str) -> Views:
    """All that is there of an object, for a training that is no arrival."""
    return self._views(_plain(name), len(self.arrivals) + 1, self._objects[name])

  def test_views(self) -> dict[str, Examples]:
    """The views that are scored after the pursuit, by object."""
    return dict(open_objects(self._config.data, self._config.eval.test_split))

  def _views(self, folder: str, number: int, shown: Examples) -> Views:
    settings = self._config.pursuit
    if len(shown) > settings.most_views:
      share = settings.most_views / len(shown)
      _, shown = held_out(shown, share, self._seed(folder, _USED))
    train, scored = held_out(shown, settings.held_out, self._seed(folder, _HELD_OUT))
    seed = int(np.random.SeedSequence([self._config.seed, number]).generate_state(1)[0] >> 1)
    return Views(folder, seed, train, scored)

  def _seed(self, name: str, branch: int) -> int:
    entropy = [self._config.seed, branch, *name.encode()]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def _plain(name: str) -> str:
  """A name as that of a folder."""
  return "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
