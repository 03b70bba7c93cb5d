"""Decisions of a pursuit as lines that can be read back, and as sentences."""

import dataclasses
import json
from collections.abc import Mapping, Sequence

from objectcentric_jax.models.object_pursuit.pursuit import (
  CHECK,
  EXPRESS,
  EXPRESSED,
  LEARN,
  NEW_BASE,
  RECOGNISED,
  REDUNDANT,
  UNUSABLE,
  Decision,
)


def to_line(decision: Decision) -> str:
  """A decision as one line of JSON."""
  return json.dumps(dataclasses.asdict(decision))


def from_line(line: str) -> Decision:
  """The decision of a line; ValueError or TypeError where it is none."""
  found = json.loads(line)
  for name in ("similarities", "retained"):
    found[name] = {int(number): score for number, score in found[name].items()}
  found["coefficients"] = tuple(found["coefficients"])
  return Decision(**found)


def names_by_object(decisions: Sequence[Decision]) -> dict[int, str]:
  """Which arrival each known object was learned from."""
  return {d.object: d.name for d in decisions if d.object is not None and d.outcome != RECOGNISED}


def sentences(decision: Decision, threshold: float, names: Mapping[int, str]) -> str:
  """What was decided and why, as a paragraph.

  Args:
    decision: what to tell.
    threshold: by which it was decided.
    names: of the objects that were known before, as in `names_by_object`.
  """
  again = f", visit {decision.visit + 1}" if decision.visit else ""
  head = f"Arrival {decision.round}: {decision.name}{again}."
  if decision.outcome == UNUSABLE:
    return f"{head} It has too few views to learn from and is passed over."
  return " ".join([head, *_steps(decision, threshold, names)])


def _steps(d: Decision, threshold: float, names: Mapping[int, str]) -> list[str]:
  """A sentence for each score that was asked for."""
  said = [_recognition(d, threshold, names)]
  if EXPRESS in d.scores:
    reached = _against(d.scores[EXPRESS], threshold)
    said.append(f"As a combination of the bases it reaches {reached}.")
  if LEARN in d.scores:
    reached = _against(d.scores[LEARN], threshold)
    said.append(f"With a latent of its own it reaches {reached}.")
  if CHECK in d.scores:
    reached = _against(d.scores[CHECK], threshold)
    said.append(f"As a combination of the old bases it now reaches {reached}.")
  said.append(_end(d))
  if d.retained:
    scores = ", ".join(f"object {n} {score:.3f}" for n, score in d.retained.items())
    said.append(f"What is known scores now: {scores}.")
  return said


def _recognition(d: Decision, threshold: float, names: Mapping[int, str]) -> str:
  if d.nearest is None:
    return "No object is known that it could be."
  score, name = d.similarities[d.nearest], names.get(d.nearest, "")
  side = "above" if score > threshold else "not above"
  known = len(d.similarities)
  return (
    f"Of {known} known object{'s' if known != 1 else ''}, object {d.nearest} ({name}) segments it "
    f"best: {score:.3f}, {side} {threshold:g}."
  )


def _against(score: float, threshold: float) -> str:
  return f"{score:.3f}, {'at least' if score >= threshold else 'below'} {threshold:g}"


def _end(d: Decision) -> str:
  bases = f"{d.bases} base{'s' if d.bases != 1 else ''}"
  if d.outcome == RECOGNISED:
    return f"Recognised as object {d.object}; nothing is learned."
  if d.outcome == EXPRESSED:
    return f"Object {d.object}, expressed by {bases}; no new base."
  if d.outcome == REDUNDANT:
    return f"Object {d.object}; its own latent is redundant, still {bases}."
  if d.outcome == NEW_BASE:
    return f"Object {d.object} and base {d.base}, now {bases}."
  return "Unqualified: it is given up, and the networks are as before."
