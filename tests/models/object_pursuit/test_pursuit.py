"""The control flow of the pursuit, with inner trainings that need no network."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.models.object_pursuit import pursuit
from objectcentric_jax.models.object_pursuit.journal import (
  from_line,
  names_by_object,
  sentences,
  to_line,
)
from objectcentric_jax.models.object_pursuit.pursuit import Fitted, Known, Rules, meet
from objectcentric_jax.models.object_pursuit.stream import arrivals
from tests.models.object_pursuit.toy_trainings import ToyTrainings, start, views

ORDER = ("a", "b", "a", "d", "shuffled", "c", "few", "b")
RULES = Rules(threshold=0.8)


def pursue(order=ORDER, rules=RULES, knowledge=None, trainings=None):
  trainings, knowledge = trainings or ToyTrainings(), knowledge or start()
  steps = []
  for arrival in arrivals(order):
    knowledge, decision = meet(knowledge, arrival, views(arrival.name), trainings, rules)
    steps.append((knowledge, decision))
  return steps, trainings


def test_what_becomes_of_each_arrival():
  steps, trainings = pursue()
  decisions = [decision for _, decision in steps]
  assert [(d.outcome, d.object, d.base, d.bases) for d in decisions] == [
    (pursuit.NEW_BASE, 0, 0, 1),
    (pursuit.NEW_BASE, 1, 1, 2),
    (pursuit.RECOGNISED, 0, None, 2),
    (pursuit.EXPRESSED, 2, None, 2),
    (pursuit.UNQUALIFIED, None, None, 2),
    (pursuit.NEW_BASE, 3, 2, 3),
    (pursuit.UNUSABLE, None, None, 3),
    (pursuit.RECOGNISED, 1, None, 3),
  ]
  last = steps[-1][0]
  assert last.objects == (
    Known("a", 1, 0, pytest.approx(0.9)),
    Known("b", 2, 1, pytest.approx(0.9)),
    Known("d", 4, None, pytest.approx(0.999)),
    Known("c", 6, 2, pytest.approx(0.9)),
  )
  np.testing.assert_allclose(last.memory.bases[:3], np.eye(4)[:3], atol=1e-6)
  np.testing.assert_allclose(last.latent(2), np.array([1, 1, 0, 0]) / np.sqrt(2), atol=1e-6)
  assert trainings.calls == [
    *("similarities", "learn"),
    *("similarities", "express", "learn", "check"),
    "similarities",
    *("similarities", "express"),
    *("similarities", "express", "learn"),
    *("similarities", "express", "learn", "check"),
    "similarities",
  ]


def test_decisions_tell_why():
  steps, _ = pursue()
  third, fourth, fifth = (steps[i][1] for i in (2, 3, 4))
  assert third.similarities == {0: pytest.approx(1.0), 1: pytest.approx(0.0)}
  assert third.nearest == 0 and third.scores == {} and third.visit == 1
  assert fourth.scores == {"express": pytest.approx(0.999)} and fourth.epochs == {"express": 3}
  assert fourth.coefficients == pytest.approx((0.5**0.5, 0.5**0.5))
  assert set(fifth.scores) == {"express", "learn"} and fifth.coefficients == ()


def test_what_fails_leaves_no_trace():
  steps, _ = pursue()
  (before, _), (after, _) = steps[3], steps[4]
  assert after.networks is before.networks and after.memory is before.memory
  assert after.objects == before.objects
  (before, _), (after, _) = steps[5], steps[6]
  assert after is before


def test_what_is_known_keeps_what_was_generated_for_it():
  steps, _ = pursue()
  memory, networks = steps[-1][0].memory, steps[-1][0].networks
  # Three successful learnings, each after the objects known then; the failed one does not count.
  assert float(networks["gain"]) == 4 and int(networks["held"]) == 3
  gains = np.asarray(memory.generated["weights"]).sum(1) / np.asarray(memory.latents).sum(1)
  np.testing.assert_allclose(gains[:4], [2, 3, 3, 4], rtol=1e-6)
  assert int(memory.known) == 4 and int(memory.count) == 3
  assert memory.capacity == 4 and memory.objects_capacity == 4  # grown by doubling


class Fixed(ToyTrainings):
  """Every score is the same one, but for the second check of an object."""

  def __init__(self, score, check=0.0):
    super().__init__()
    self.score, self.check, self.backbones = score, check, []

  def similarities(self, knowledge, views):
    return [self.score for _ in knowledge.candidates]

  def express(self, knowledge, views, stage):
    score = self.check if stage == pursuit.CHECK else 0.0
    return super().express(knowledge, views, stage)._replace(score=score)

  def learn(self, knowledge, views):
    self.backbones.append(not knowledge.backbone_fixed)
    return super().learn(knowledge, views)._replace(score=self.score)


def outcomes(steps):
  return [decision.outcome for _, decision in steps]


def test_the_threshold_itself_qualifies_but_does_not_recognise():
  steps, _ = pursue("aa", trainings=Fixed(0.8))
  assert outcomes(steps) == [pursuit.NEW_BASE, pursuit.NEW_BASE]
  steps, _ = pursue("aa", trainings=Fixed(np.nextafter(0.8, 1)))
  assert outcomes(steps) == [pursuit.NEW_BASE, pursuit.RECOGNISED]
  steps, _ = pursue("aa", trainings=Fixed(np.nextafter(0.8, 0)))
  assert outcomes(steps) == [pursuit.UNQUALIFIED, pursuit.UNQUALIFIED]


def test_a_redundant_object_keeps_the_new_hypernetwork_and_adds_no_base():
  steps, _ = pursue("ab", trainings=Fixed(0.8, check=0.8))
  knowledge, decision = steps[1]
  assert decision.outcome == pursuit.REDUNDANT and decision.base is None
  assert knowledge.base_count == 1 and len(knowledge.objects) == 2
  assert float(knowledge.networks["gain"]) == 3
  assert set(decision.scores) == {"learn", "express", "check"} and len(decision.coefficients) == 1
  assert float(knowledge.memory.generated["weights"][1].sum()) == pytest.approx(
    3 * float(knowledge.memory.latents[1].sum())
  )


def test_the_backbone_is_trained_with_the_first_base_alone():
  _, trainings = pursue("abc", trainings=Fixed(0.8))
  assert trainings.backbones == [True, False, False]
  fixed = dataclasses.replace(start(), backbone_fixed=True)
  _, trainings = pursue("a", trainings=Fixed(0.8), knowledge=fixed)
  assert trainings.backbones == [False]


@pytest.mark.parametrize("stays", [False, True])
def test_an_object_that_fails_before_all_others(stays):
  rules = dataclasses.replace(RULES, failed_start_stays=stays)
  trainings = Fixed(0.1)
  steps, _ = pursue("ab", rules=rules, trainings=trainings)
  assert trainings.backbones == [True, not stays]
  assert float(steps[0][0].networks["gain"]) == (2 if stays else 1)
  assert steps[1][0].objects == ()


def test_given_bases_are_objects_but_no_candidates():
  trainings = ToyTrainings()
  given = pursuit.give(start(), trainings, [jnp.asarray(views("a")), jnp.asarray(views("b"))])
  assert given.base_count == given.given == len(given.objects) == 2
  steps, _ = pursue(("a", "c", "c"), knowledge=given)
  assert outcomes(steps) == [pursuit.EXPRESSED, pursuit.NEW_BASE, pursuit.RECOGNISED]
  assert steps[0][1].similarities == {} and steps[0][1].object == 2
  assert list(steps[1][1].similarities) == [2] and steps[2][1].object == 3
  others = pursuit.give(start(), trainings, [jnp.asarray(views("a"))], [jnp.asarray(views("c"))])
  assert others.base_count == 1 and others.objects[0].base is None
  np.testing.assert_array_equal(others.latent(0), views("c"))


def test_redundant_bases_are_removed():
  steps, trainings = pursue(("d", "a", "b", "c"), rules=Rules(0.89))
  knowledge = steps[-1][0]
  # "b" is a combination of "d" and "a" and was expressed; make it a base as if it were not.
  assert outcomes(steps)[:3] == [pursuit.NEW_BASE, pursuit.NEW_BASE, pursuit.EXPRESSED]
  accept = dataclasses.replace(steps[-1][1], outcome=pursuit.NEW_BASE, name="b")
  fitted = Fitted(0.85, jnp.asarray(views("b"), jnp.float32), knowledge.networks)
  knowledge, _ = pursuit.accept(knowledge, fitted, accept, trainings)
  bases = {known.base: known.name for known in knowledge.objects if known.base is not None}
  assert bases == {0: "d", 1: "a", 2: "c", 3: "b"}
  data = {base: views(name) for base, name in bases.items()}
  after, reached = pursuit.remove_redundant(knowledge, data, trainings, 0.8)
  # The least accurate first: without "b" no other can be missed.
  assert reached[3] > 0.9 and all(reached[base] < 0.8 for base in (0, 1, 2))
  assert after.base_count == 3
  np.testing.assert_array_equal(after.memory.bases[:3], knowledge.memory.bases[:3])
  assert [known.base for known in after.objects] == [0, 1, None, 2, None]
  np.testing.assert_array_equal(after.memory.latents, knowledge.memory.latents)
  after, reached = pursuit.remove_redundant(knowledge, data, trainings, 0.95)
  assert reached == {} and after.base_count == 0  # none was learned so well


def test_the_journal_reads_as_sentences_and_comes_back():
  steps, _ = pursue()
  decisions = [decision for _, decision in steps]
  assert [from_line(to_line(decision)) for decision in decisions] == decisions
  names = names_by_object(decisions)
  assert names == {0: "a", 1: "b", 2: "d", 3: "c"}
  told = [sentences(decision, 0.8, names) for decision in decisions]
  assert told[0] == (
    "Arrival 1: a. No object is known that it could be. With a latent of its own it reaches 0.900, "
    "at least 0.8. Object 0 and base 0, now 1 base."
  )
  assert told[2] == (
    "Arrival 3: a, visit 2. Of 2 known objects, object 0 (a) segments it best: 1.000, above 0.8. "
    "Recognised as object 0; nothing is learned."
  )
  assert "As a combination of the bases it reaches 0.999, at least 0.8. Object 2, expr" in told[3]
  assert told[4].endswith("Unqualified: it is given up, and the networks are as before.")
  assert "as a combination of the old bases" in told[5].lower()
  assert told[6] == "Arrival 7: few. It has too few views to learn from and is passed over."
