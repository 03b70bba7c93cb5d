"""What is known and what was decided, on disk: after every arrival, whole or not at all.

Folder of a pursuit:

  knowledge/<n>   orbax checkpoints: what was known before arrival n, and all decisions up to there
  journal.jsonl   the decisions, one a line
  journal.txt     the same in sentences
  objects.json    the known objects: which arrival each was learned from, which base it is, its
                  score, and the arrivals that were taken for it
"""

import dataclasses
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.object_pursuit.journal import (
  from_line,
  names_by_object,
  sentences,
  to_line,
)
from objectcentric_jax.models.object_pursuit.memory import grown
from objectcentric_jax.models.object_pursuit.pursuit import (
  RECOGNISED,
  Decision,
  Knowledge,
  Known,
)

KNOWLEDGE = "knowledge"
JOURNAL = "journal.jsonl"
TEXT = "journal.txt"
OBJECTS = "objects.json"


class Store:
  """The folder of a pursuit.

  Args:
    workdir: the folder.
    threshold: by which is decided; for the journal.
    snapshot_every: what was known before every so many arrivals is kept for good; 0 for none.
      What was known before the next arrival, and before the last one, always is.
  """

  def __init__(self, workdir: Path, threshold: float, snapshot_every: int = 0):
    self.workdir, self._threshold = Path(workdir), threshold
    options = ocp.CheckpointManagerOptions(max_to_keep=2, keep_period=snapshot_every or None)
    self._manager = ocp.CheckpointManager(
      Path(os.path.abspath(workdir)) / KNOWLEDGE, options=options
    )

  @property
  def begun(self) -> bool:
    """Whether anything is saved."""
    return self._manager.latest_step() is not None

  def save(self, knowledge: Knowledge, decisions: Sequence[Decision]):
    """Writes what is known after these decisions; returns when it is on disk."""
    memory = knowledge.memory
    notes = {
      "capacities": [memory.capacity, memory.objects_capacity],
      "objects": [list(known) for known in knowledge.objects],
      "given": knowledge.given,
      "backbone_fixed": knowledge.backbone_fixed,
      "decisions": [to_line(decision) for decision in decisions],
    }
    arguments = ocp.args.Composite(
      arrays=ocp.args.StandardSave(_arrays(knowledge)), notes=ocp.args.JsonSave(notes)
    )
    self._manager.save(len(decisions) + 1, args=arguments)
    self._manager.wait_until_finished()
    self.write_journal(knowledge, decisions)

  def restore(
    self, like: Knowledge, before: int | None = None
  ) -> tuple[Knowledge, list[Decision]] | None:
    """What is known, and the decisions up to there; None where nothing was saved.

    Args:
      like: knowledge of the same networks, for shapes and types.
      before: number of the arrival; the next one that was not decided where None.

    Raises:
      InputError: what was known before this arrival is not kept.
    """
    step = self._manager.latest_step() if before is None else before
    if step is None:
      return None
    if step not in self._manager.all_steps():
      kept = ", ".join(map(str, sorted(self._manager.all_steps())))
      raise InputError(f"{self.workdir}: no snapshot before arrival {step}; there are: {kept}")
    notes = self._manager.restore(step, args=ocp.args.Composite(notes=ocp.args.JsonRestore()))
    notes = notes["notes"]
    like = dataclasses.replace(like, memory=grown(like.memory, *notes["capacities"]))
    shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, _arrays(like))
    restored = self._manager.restore(
      step, args=ocp.args.Composite(arrays=ocp.args.StandardRestore(shapes))
    )["arrays"]
    knowledge = Knowledge(
      memory=restored["memory"],
      networks=restored["networks"],
      objects=tuple(Known(*known) for known in notes["objects"]),
      given=notes["given"],
      backbone_fixed=notes["backbone_fixed"],
    )
    return knowledge, [from_line(line) for line in notes["decisions"]]

  def write_journal(self, knowledge: Knowledge, decisions: Sequence[Decision]):
    """Writes the journal and the list of objects, which follow from what is saved."""
    _write(self.workdir / JOURNAL, "".join(f"{to_line(d)}\n" for d in decisions))
    names = names_by_object(decisions)
    told = [sentences(d, self._threshold, names) for d in decisions]
    _write(self.workdir / TEXT, "".join(f"{text}\n" for text in told))
    _write(self.workdir / OBJECTS, json.dumps(object_records(knowledge, decisions), indent=1))

  def close(self):
    """Lets go of the folder."""
    self._manager.close()


def object_records(knowledge: Knowledge, decisions: Sequence[Decision]) -> list[dict[str, Any]]:
  """The known objects as plain data, in the order of their numbers."""
  taken = [(d.object, d.round) for d in decisions if d.outcome == RECOGNISED]
  return [
    {
      "object": number,
      **known._asdict(),
      "recognised": [arrival for found, arrival in taken if found == number],
    }
    for number, known in enumerate(knowledge.objects)
  ]


def read_journal(workdir: Path) -> list[Decision]:
  """The decisions of a pursuit.

  Raises:
    InputError: there is no journal, or a line of it cannot be read.
  """
  path = Path(workdir) / JOURNAL
  if not path.exists():
    raise InputError(f"{path} does not exist: no pursuit was begun in this workdir")
  try:
    return [from_line(line) for line in path.read_text().splitlines()]
  except (ValueError, TypeError, KeyError) as error:
    raise InputError(f"{path} is damaged ({error})") from None


def _arrays(knowledge: Knowledge) -> dict[str, Any]:
  return {"memory": knowledge.memory, "networks": knowledge.networks}


def _write(path: Path, text: str):
  temporary = path.with_name(f".{path.name}.{os.getpid()}")
  temporary.write_text(text)
  temporary.rename(path)
