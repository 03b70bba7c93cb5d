"""Figures of a pursuit: how much is known, what is retained, and where objects lie."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from objectcentric_jax.models.object_pursuit.pursuit import UNUSABLE, Decision, Knowledge
from objectcentric_jax.plots.growth import growth_curve, point_map, score_matrix

IMAGES = "images"
LONGEST = 14  # of a name in a figure


def draw(knowledge: Knowledge, decisions: Sequence[Decision], workdir: Path):
  """Draws all figures that there is something for, into the folder `images`."""
  folder = workdir / IMAGES
  growth_curve(growth(decisions), folder / "growth.png", "arrival", "number")
  if any(d.retained for d in decisions):
    scores, rows = retained(knowledge, decisions)
    columns = [_label(knowledge, number) for number in knowledge.candidates]
    title = "Dice of known objects after each learning"
    score_matrix(scores, rows, columns, folder / "forgetting.png", title)
  if len(knowledge.objects) > 1:
    latents = np.asarray(knowledge.memory.latents)[: len(knowledge.objects)]
    numbers = range(len(knowledge.objects))
    labels = [_label(knowledge, number) for number in numbers]
    kinds = [_kind(knowledge, number) for number in numbers]
    point_map(latents, labels, kinds, folder / "space.png")


def growth(decisions: Sequence[Decision]) -> dict[str, list[int]]:
  """Counts after every arrival: of different objects that came, of known ones, and of bases."""
  usable = [d if d.outcome != UNUSABLE else None for d in decisions]
  came = [len({d.name for d in usable[: i + 1] if d}) for i in range(len(usable))]
  known, highest = [], -1
  for d in decisions:
    highest = max(highest, -1 if d.object is None else d.object)
    known.append(highest + 1)
  return {
    "different objects that came": came,
    "known objects": known,
    "bases": [d.bases for d in decisions],
  }


def retained(knowledge: Knowledge, decisions: Sequence[Decision]) -> tuple[np.ndarray, list[str]]:
  """What each learned object scored after each change of the networks: [R, C], and row labels."""
  changed = [d for d in decisions if d.retained]
  scores = [[d.retained.get(n, np.nan) for n in knowledge.candidates] for d in changed]
  return np.array(scores, float), [f"after arrival {d.round}" for d in changed]


def _label(knowledge: Knowledge, number: int) -> str:
  name = knowledge.objects[number].name or ""
  shown = name[-LONGEST:]
  if shown != name and "_" in shown:
    shown = shown.split("_", 1)[1]  # whole words alone
  return f"{number} {shown}".strip()


def _kind(knowledge: Knowledge, number: int) -> str:
  if number < knowledge.given:
    return "given"
  return "combination" if knowledge.objects[number].base is None else "base"
