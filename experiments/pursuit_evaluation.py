"""Scores of a pursuit, on views that it was not shown, of seen and of unseen objects.

Object by object: region and boundary of its mask; whether it is recognised, and as what. Of objects
that never arrived: whether one of them is taken for a known one, and how well the bases express it.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.inner_trainings import SCORE, InnerTrainings, Views
from experiments.pursuit_stream import ObjectStream
from objectcentric_jax.input.arrays import Examples
from objectcentric_jax.models.object_pursuit.pursuit import (
  EXPRESS,
  EXPRESSED,
  RECOGNISED,
  REDUNDANT,
  UNQUALIFIED,
  UNUSABLE,
  Decision,
  Knowledge,
)

RESULT = "evaluation.json"


def evaluate(
  knowledge: Knowledge,
  decisions: Sequence[Decision],
  stream: ObjectStream,
  trainings: InnerTrainings,
  config,
  workdir: Path,
) -> dict[str, Any]:
  """Scores a pursuit, writes `evaluation.json` and prints the summary."""
  test, threshold = stream.test_views(), config.pursuit.threshold
  seen = seen_objects(knowledge, trainings, test, threshold)
  unseen = unseen_objects(knowledge, trainings, stream, test, threshold)
  summary = {
    **journal_counts(decisions),
    **_prefixed("seen", _means([entry["scores"] for entry in seen])),
    **identification(seen, unseen),
    **_prefixed("unseen_expressed", _means([e["scores"] for e in unseen if "scores" in e])),
  }
  if expressed := [e["scores"][SCORE] >= threshold for e in unseen if "scores" in e]:
    summary["unseen_expressed_rate"] = float(np.mean(expressed))
  about = {"dataset": config.data.name, "split": config.eval.test_split, "threshold": threshold}
  result = {"about": about, "summary": summary, "seen": seen, "unseen": unseen}
  (workdir / RESULT).write_text(json.dumps(result, indent=1))
  width = max(map(len, summary))
  print(f"{config.data.name} {config.eval.test_split}, threshold {threshold:g}")
  for name, value in summary.items():
    print(f"  {name:<{width}}  {value if isinstance(value, int) else format(value, '.4f')}")
  print(f"scores: {workdir / RESULT}")
  return result


def seen_objects(
  knowledge: Knowledge,
  trainings: InnerTrainings,
  test: Mapping[str, Examples],
  threshold: float,
) -> list[dict[str, Any]]:
  """Every learned object that has test views: its scores, and what its views are taken for."""
  found = []
  for number in knowledge.candidates:
    known = knowledge.objects[number]
    if known.name in test:
      latent, views = knowledge.memory.latents[number], test[known.name]
      scores = trainings.scores(knowledge.networks, latent, views)
      taken = taken_for(knowledge, trainings, views, threshold)
      correct = taken["object"] is not None and taken["name"] == known.name
      found.append(
        {"object": number, "name": known.name, "scores": scores, "taken": taken, "correct": correct}
      )
  return found


def unseen_objects(
  knowledge: Knowledge,
  trainings: InnerTrainings,
  stream: ObjectStream,
  test: Mapping[str, Examples],
  threshold: float,
) -> list[dict[str, Any]]:
  """Every object that did not arrive: what it is taken for, and how well the bases express it."""
  found = []
  for name in stream.unseen:
    if name in test:
      entry = {"name": name, "taken": taken_for(knowledge, trainings, test[name], threshold)}
      views = stream.views_of(name)
      if knowledge.base_count and trainings.usable(views):
        fitted = trainings.express(knowledge, views, EXPRESS)
        entry["scores"] = trainings.scores(knowledge.networks, fitted.latent, test[name])
      found.append(entry)
  return found


def taken_for(
  knowledge: Knowledge, trainings: InnerTrainings, views: Examples, threshold: float
) -> dict[str, Any]:
  """The known object that segments views best; none where it does so no better than needed."""
  similar = trainings.similarities(knowledge, Views("", 0, views, views))
  best = int(np.argmax(similar)) if similar else None
  if best is None or similar[best] <= threshold:
    return {"object": None, "name": None, "similarity": max(similar, default=0.0)}
  number = knowledge.candidates[best]
  name = knowledge.objects[number].name
  return {"object": number, "name": name, "similarity": similar[best]}


def identification(
  seen: Sequence[Mapping[str, Any]], unseen: Sequence[Mapping[str, Any]]
) -> dict[str, float]:
  """Recall: share of the learned objects that are recognised as something; precision: share of
  these that are recognised as what they are (evaluation/seen_obj.py of the published code); and the
  share of unseen objects that are taken for a known one.
  """
  scores = {}
  recognised = [entry for entry in seen if entry["taken"]["object"] is not None]
  if seen:
    scores["identification_recall"] = len(recognised) / len(seen)
  if recognised:
    scores["identification_precision"] = float(np.mean([e["correct"] for e in recognised]))
  if unseen:
    claimed = [entry["taken"]["object"] is not None for entry in unseen]
    scores["unseen_taken_for_known"] = float(np.mean(claimed))
  return scores


def journal_counts(decisions: Sequence[Decision]) -> dict[str, float]:
  """What the stream came to: counts, and shares of the different objects in it."""
  usable = [d for d in decisions if d.outcome != UNUSABLE]
  different = len({d.name for d in usable})
  learned = {d.object: d.name for d in usable if d.object is not None and d.outcome != RECOGNISED}
  known_before, again, right, claimed = set(), 0, 0, 0
  for d in usable:
    again += d.name in known_before
    if d.outcome == RECOGNISED:
      claimed += 1
      right += learned[d.object] == d.name
    elif d.object is not None:
      known_before.add(d.name)
  counts = {
    "arrivals": len(decisions),
    "different_objects": different,
    "known_objects": len(learned),
    "bases": decisions[-1].bases if decisions else 0,
    "visits_of_known_objects": again,
    "visits_recognised": claimed,
    "visits_recognised_rightly": right,
  }
  if not different:
    return counts
  outcomes = [d.outcome for d in usable]
  return {
    **counts,
    "bases_per_object": counts["bases"] / different,
    "known_per_object": len(learned) / different,
    "expressed_per_object": outcomes.count(EXPRESSED) / different,
    "redundant_or_unqualified_per_object": (
      (outcomes.count(REDUNDANT) + outcomes.count(UNQUALIFIED)) / different
    ),
  }


def _means(scores: Sequence[Mapping[str, float]]) -> dict[str, float]:
  names = scores[0] if scores else ()
  return {name: float(np.mean([entry[name] for entry in scores])) for name in names}


def _prefixed(prefix: str, scores: Mapping[str, float]) -> dict[str, float]:
  return {f"{prefix}_{name}": value for name, value in scores.items()}
