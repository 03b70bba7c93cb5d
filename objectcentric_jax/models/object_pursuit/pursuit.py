"""The pursuit: what is done with objects that arrive one by one, their identity unknown.

Pan et al., 2022, section 3 and Algorithm 1; `object_pursuit/pursuit.py` of pptrick/Object-Pursuit.
Control flow alone: an arrival goes through inner trainings and tests, which `Trainings` carries
out, and their scores decide. What is known is never changed in place: an object that fails leaves
behind exactly what was there before it came.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from objectcentric_jax.models.object_pursuit.memory import (
  Memory,
  add_base,
  add_known,
  grown,
  remove_bases,
)

Array = jax.Array

# What can become of an arrival.
RECOGNISED = "recognised"  # known already: nothing is learned
EXPRESSED = "expressed"  # a new object, but a combination of the bases
NEW_BASE = "new base"
REDUNDANT = "redundant"  # learned, and then a combination of the bases after all
UNQUALIFIED = "unqualified"  # even a latent of its own does not reach the threshold
UNUSABLE = "unusable"  # too few views
OUTCOMES = (RECOGNISED, EXPRESSED, NEW_BASE, REDUNDANT, UNQUALIFIED, UNUSABLE)

# The inner trainings, in their order; the last is not part of the pursuit itself.
EXPRESS, LEARN, CHECK, SIMPLIFY = ("express", "learn", "check", "simplify")


@dataclasses.dataclass(frozen=True)
class Rules:
  """How scores decide.

  Attributes:
    threshold: tau, a mean Dice coefficient. A known object is recognised above it; an object is
      expressed, or qualifies as a base, from it on.
    failed_start_stays: as published, an object that fails before any was accepted leaves the
      networks as it has trained them, and the backbone fixed.
  """

  threshold: float = 0.6
  failed_start_stays: bool = False


class Known(NamedTuple):
  """A known object; its latent is the row of this number in the memory.

  Attributes:
    name: of the arrival that it was learned from; empty for what was given at the start.
    round: of this arrival; 0 for what was given.
    base: number of the base that it is, None for a combination of bases.
    score: what its inner training reached.
  """

  name: str
  round: int
  base: int | None
  score: float


@dataclasses.dataclass(frozen=True)
class Knowledge:
  """What is known between two arrivals.

  Attributes:
    memory: the bases, and latents of the known objects with what was generated from them when
      they were learned.
    networks: hypernetwork and backbone, as the trainings want them.
    objects: the known objects, by number.
    given: how many of them were given at the start; they are not candidates in re-identification.
    backbone_fixed: whether the backbone is not trained any more. It is trained at most with the
      first base.
  """

  memory: Memory
  networks: Any
  objects: tuple[Known, ...] = ()
  given: int = 0
  backbone_fixed: bool = False

  @property
  def base_count(self) -> int:
    return int(self.memory.count)

  @property
  def candidates(self) -> range:
    """Numbers of the objects that an arrival may turn out to be."""
    return range(self.given, len(self.objects))

  def latent(self, number: int) -> np.ndarray:
    """The latent of a known object, [D]."""
    return np.asarray(self.memory.latents[number])


class Fitted(NamedTuple):
  """What an inner training reached.

  Attributes:
    score: mean Dice coefficient of the views that are held out.
    latent: of the object, [D].
    networks: with those that were trained along.
    coefficients: of the bases, one each; none where the latent is free.
    epochs: how many it took.
  """

  score: float
  latent: Array
  networks: Any
  coefficients: tuple[float, ...] = ()
  epochs: int = 0


class Trainings(Protocol):
  """The inner trainings and tests of a pursuit."""

  def usable(self, views: Any) -> bool:
    """Whether there are enough views to learn from."""
    ...

  def similarities(self, knowledge: Knowledge, views: Any) -> Sequence[float]:
    """How well each candidate of `knowledge` segments these views, as it is: mean Dice."""
    ...

  def express(self, knowledge: Knowledge, views: Any, stage: str) -> Fitted:
    """The best combination of the bases, all networks as they are.

    `stage` is EXPRESS, CHECK or SIMPLIFY.
    """
    ...

  def learn(self, knowledge: Knowledge, views: Any) -> Fitted:
    """A latent of its own, with a hypernetwork that is held to what it generated before.

    The backbone is trained along where `knowledge.backbone_fixed` is not set.
    """
    ...

  def generated(self, networks: Any, latent: Array) -> Mapping:
    """What the hypernetwork generates now, for `memory.add_known`."""
    ...


@dataclasses.dataclass(frozen=True)
class Decision:
  """What became of an arrival, and why.

  Attributes:
    round, name, visit: the arrival.
    outcome: one of OUTCOMES.
    similarities: score of every candidate by its number.
    scores: what the inner trainings reached, by stage, of those that were needed.
    epochs: how many these took.
    coefficients: of the bases, where the object is a combination of them.
    object: number of the known object that it was taken for or has become; None where it is lost.
    base: number of the new base.
    bases: how many there are now.
    retained: where the networks have changed, what every object that was learned scores now on the
      views that were held out when it was, by its number.
  """

  round: int
  name: str
  visit: int
  outcome: str
  similarities: Mapping[int, float] = dataclasses.field(default_factory=dict)
  scores: Mapping[str, float] = dataclasses.field(default_factory=dict)
  epochs: Mapping[str, int] = dataclasses.field(default_factory=dict)
  coefficients: tuple[float, ...] = ()
  object: int | None = None
  base: int | None = None
  bases: int = 0
  retained: Mapping[int, float] = dataclasses.field(default_factory=dict)

  @property
  def nearest(self) -> int | None:
    """The candidate with the highest similarity, the earlier of two alike; None without any."""
    return max(self.similarities, key=lambda n: (self.similarities[n], -n), default=None)


def meet(
  knowledge: Knowledge, arrival: Any, views: Any, trainings: Trainings, rules: Rules
) -> tuple[Knowledge, Decision]:
  """Takes in one arrival.

  Args:
    knowledge: before it.
    arrival: `round`, `name` and `visit`, which only the decision repeats.
    views: of the object, for the trainings.
    trainings: carries out what is to be trained and tested.
    rules: by which scores decide.

  Returns:
    The knowledge after it, and what was decided.
  """
  about = Decision(arrival.round, arrival.name, arrival.visit, UNUSABLE, bases=knowledge.base_count)
  if not trainings.usable(views):
    return knowledge, about

  # Is it a known object?
  found = [float(score) for score in trainings.similarities(knowledge, views)]
  about = _with(about, similarities=dict(zip(knowledge.candidates, found, strict=True)))
  if max(found, default=0.0) > rules.threshold:
    return knowledge, _with(about, outcome=RECOGNISED, object=about.nearest)

  # Is it a combination of the bases?
  if knowledge.base_count:
    knowledge = dataclasses.replace(knowledge, backbone_fixed=True)
    fitted = trainings.express(knowledge, views, EXPRESS)
    about = _scored(about, EXPRESS, fitted)
    if fitted.score >= rules.threshold:
      return accept(knowledge, fitted, _with(about, outcome=EXPRESSED), trainings)

  # Can it be learned?
  fitted = trainings.learn(knowledge, views)
  about = _scored(about, LEARN, fitted)
  if fitted.score < rules.threshold:
    return _failed(knowledge, fitted, rules), _with(about, outcome=UNQUALIFIED)

  # Is it a combination of the bases for the hypernetwork as it is now?
  learned = dataclasses.replace(knowledge, networks=fitted.networks)
  if knowledge.base_count:
    checked = trainings.express(learned, views, CHECK)
    about = _scored(about, CHECK, checked)
    if checked.score >= rules.threshold:
      return accept(learned, checked, _with(about, outcome=REDUNDANT), trainings)
  return accept(learned, fitted, _with(about, outcome=NEW_BASE), trainings)


def accept(
  knowledge: Knowledge, fitted: Fitted, about: Decision, trainings: Trainings
) -> tuple[Knowledge, Decision]:
  """Adds a known object, and the base that it is where that is the outcome."""
  memory, number = with_room(knowledge.memory), len(knowledge.objects)
  base = knowledge.base_count if about.outcome == NEW_BASE else None
  if base is not None:
    memory = add_base(memory, fitted.latent)
  memory = add_known(memory, fitted.latent, trainings.generated(fitted.networks, fitted.latent))
  known = Known(about.name, about.round, base, fitted.score)
  after = dataclasses.replace(
    knowledge,
    memory=memory,
    networks=fitted.networks,
    objects=(*knowledge.objects, known),
    backbone_fixed=True,
  )
  return after, _with(
    about, coefficients=fitted.coefficients, object=number, base=base, bases=after.base_count
  )


def give(
  knowledge: Knowledge,
  trainings: Trainings,
  bases: Sequence[Array],
  objects: Sequence[Array] | None = None,
) -> Knowledge:
  """The knowledge with bases and objects that are known from elsewhere.

  For the start of a pursuit: what is given later would be taken for learned.

  Args:
    knowledge: of nothing.
    trainings: for what the hypernetwork generates.
    bases: latents [D].
    objects: latents [D] that the hypernetwork is to be held to; the bases where None.
  """
  memory, known = knowledge.memory, []
  for latent in bases:
    memory = add_base(with_room(memory), latent)
  for number, latent in enumerate(bases if objects is None else objects):
    memory = add_known(with_room(memory), latent, trainings.generated(knowledge.networks, latent))
    known.append(Known("", 0, number if objects is None else None, 1.0))
  return dataclasses.replace(knowledge, memory=memory, objects=tuple(known), given=len(known))


def with_room(memory: Memory) -> Memory:
  """The memory with room for one more base and object: where it is full, twice as much."""
  bases, objects = memory.capacity, memory.objects_capacity
  return grown(
    memory,
    max(2 * bases, 1) if int(memory.count) == bases else bases,
    max(2 * objects, 1) if int(memory.known) == objects else objects,
  )


def remove_redundant(
  knowledge: Knowledge, views: Mapping[int, Any], trainings: Trainings, threshold: float
) -> tuple[Knowledge, dict[int, float]]:
  """Drops bases that the others can express, the least accurate first.

  `object_pursuit/rm_redundency.py`: objects keep their latents, those of dropped bases included.

  Args:
    knowledge: after a pursuit.
    views: of the objects whose bases may be dropped, by the number of the base.
    trainings: of which `express` is used.
    threshold: a base is dropped where the others express its object with a higher score; so is
      one whose own score is not higher.

  Returns:
    The knowledge with the bases that are left, renumbered in their order; and what the others
    reached for each that was tried.
  """
  own = {known.base: known.score for known in knowledge.objects if known.base is not None}
  keep = np.ones(knowledge.memory.capacity, bool)
  reached = {}
  for base in sorted(views, key=lambda base: own[base]):
    if own[base] > threshold:
      others = keep & (np.arange(len(keep)) != base)
      memory = remove_bases(knowledge.memory, others)
      if not int(memory.count):
        continue
      without = dataclasses.replace(knowledge, memory=memory)
      fitted = trainings.express(without, views[base], SIMPLIFY)
      reached[base] = fitted.score
      if fitted.score <= threshold:
        continue
    keep[base] = False
  places = np.cumsum(keep) - 1
  objects = tuple(
    known._replace(
      base=int(places[known.base]) if known.base is not None and keep[known.base] else None
    )
    for known in knowledge.objects
  )
  memory = remove_bases(knowledge.memory, keep)
  return dataclasses.replace(knowledge, memory=memory, objects=objects), reached


def _failed(knowledge: Knowledge, fitted: Fitted, rules: Rules) -> Knowledge:
  """What is known after an object that could not be learned: as before."""
  accepted = len(knowledge.objects) > knowledge.given
  if not rules.failed_start_stays or accepted:
    return knowledge
  return dataclasses.replace(knowledge, networks=fitted.networks, backbone_fixed=True)


def _scored(about: Decision, stage: str, fitted: Fitted) -> Decision:
  return _with(
    about,
    scores={**about.scores, stage: float(fitted.score)},
    epochs={**about.epochs, stage: fitted.epochs},
  )


def _with(about: Decision, **changes) -> Decision:
  return dataclasses.replace(about, **changes)
