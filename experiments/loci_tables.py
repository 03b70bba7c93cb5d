"""The tables of Loci-Segmented: scores over several seeds, means and deviations.

python -m experiments.loci_tables --table movi|review --workdir DIR [--proposal DIR]
    [--modes random,regularization,segmentation] [--sets c,d,e] [--seeds 1,2,3,4,5]
    [--images N] [--best] [--out FILE.json]

movi    validation videos of MOVi-C, D and E: overlap and clip-wise rand index of reconstructions
review  the review's single images, those of few and of many objects: scores of predictions

DIR is a trained or imported run of Loci; --proposal is a run of the proposal network, which the
mode segmentation needs. Where slots first look is drawn, so that scores depend on the seed. Each
score stands as published and, where its definition was corrected, beside it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags

from configs.loci import _base
from experiments import build, command
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.pipeline import evaluation_batches
from objectcentric_jax.training.devices import Devices

FLAGS = flags.FLAGS
MODES = ("random", "regularization", "segmentation")


class Row(NamedTuple):
  """What is evaluated.

  Attributes:
    name: of the row.
    split: of the dataset.
    overrides: fields of the run's config that it changes.
    letter: of the MOVi set that is read instead of the run's data.
  """

  name: str
  split: str
  overrides: Mapping[str, Any]
  letter: str = ""


MOVI_SCORES = ("iou", "fg_ari_clips")
REVIEW_SCORES = (
  "ami",
  "ari_frames",
  "fg_ami",
  "fg_ari_frames",
  "iou",
  "f1",
  "counting",
  "ordering",
)

flags.DEFINE_enum("table", None, ("movi", "review"), "which table", required=True)
flags.DEFINE_string("workdir", None, "folder of a run of Loci", required=True)
flags.DEFINE_string("proposal", None, "folder of a run of the proposal network")
flags.DEFINE_list("modes", list(MODES), "ways in which slots find their objects")
flags.DEFINE_list("sets", None, "c,d,e of MOVi, or few,many of the review; all by default")
flags.DEFINE_list("seeds", [1, 2, 3, 4, 5], "of the draws")
flags.DEFINE_integer("images", 0, "how many, the first ones; 0 for all", lower_bound=0)
flags.DEFINE_string("split", None, "split of all rows, in place of the published ones")
flags.DEFINE_bool("own_data", False, "score the run's own dataset instead")
flags.DEFINE_bool("best", False, "the best checkpoint instead of the last")
flags.DEFINE_string("out", None, "JSON file; in the workdir by default")


def main(_):
  workdir, devices = Path(FLAGS.workdir), Devices()
  scores = MOVI_SCORES if FLAGS.table == "movi" else REVIEW_SCORES
  prefix = "" if FLAGS.table == "movi" else "prediction/"
  found = {}
  for row in rows():
    for mode in FLAGS.modes:
      if mode not in MODES:
        raise InputError(f"--modes {mode}: choose of {', '.join(MODES)}")
      found[f"{row.name} {mode}"] = seeds_of(workdir, devices, row, mode)
  names = [f"{of}{prefix}{name}" for name in scores for of in ("published/", "")]
  if jax.process_index():
    return
  out = Path(FLAGS.out) if FLAGS.out else workdir / f"table-{FLAGS.table}.json"
  out.parent.mkdir(parents=True, exist_ok=True)
  out.write_text(json.dumps(found, indent=2))
  print(text(found, names))
  print(f"scores of every seed: {out}")


def rows() -> list[Row]:
  """What the table has rows for, without the modes."""
  if FLAGS.own_data:
    return [Row("own", FLAGS.split or "test", {})]
  if FLAGS.table == "movi":
    known = {letter: Row(f"movi-{letter}", "validation", {}, letter) for letter in "cde"}
  else:
    known = {
      "few": Row("test", "test", {"model.slots": 6}),
      "many": Row("generalization", "generalization", {"model.slots": 10}),
    }
  chosen = FLAGS.sets or list(known)
  for name in chosen:
    if name not in known:
      raise InputError(f"--sets {name}: choose of {', '.join(known)}")
  return [known[name]._replace(split=FLAGS.split or known[name].split) for name in chosen]


def seeds_of(workdir: Path, devices: Devices, row: Row, mode: str) -> list[dict[str, float]]:
  """The scores of a row, for each seed."""
  # The weights do not depend on the mode but for those of the proposal network.
  restored = build.Restored(workdir, devices, FLAGS.best, {"model.mode": "random", **row.overrides})
  config, params = restored.config, restored.params
  if row.letter:
    with config.ignore_type():
      config.data.mixture = ()
      _base.movi_videos(config, row.letter)
  config.model.mode = mode
  if mode == "segmentation":
    params = {**params, "proposal": proposal_of(config, devices)}
  task = build.make_task(config)
  examples = build.open_examples(config, row.split)
  evaluator = build.make_evaluator(config, task, examples, devices)
  scores = []
  for seed in map(int, FLAGS.seeds):
    process, processes = jax.process_index(), jax.process_count()
    size = config.eval.batch_size
    batches = evaluation_batches(examples, size, FLAGS.images, process, processes)
    scores.append(evaluator(params, restored.model_state, batches, seed))
    print(f"{row.name} {mode}, seed {seed}: done", flush=True)
  return scores


def proposal_of(config, devices: Devices):
  """The weights of the proposal network, which must be of the size that the config says.

  Raises:
    InputError: no run was given, or it is of another network.
  """
  if FLAGS.proposal is None:
    raise InputError("the mode segmentation needs --proposal, a run of the proposal network")
  restored = build.Restored(Path(FLAGS.proposal), devices, FLAGS.best)
  ours, theirs = config.model.proposal, restored.config.model.get("proposal")
  if theirs is None or ours.to_dict() != theirs.to_dict():
    raise InputError(
      f"--proposal {FLAGS.proposal} is of a network {theirs}, config.model.proposal is {ours}"
    )
  return restored.params["proposal"]


def text(found: Mapping[str, list[Mapping[str, float]]], names: list[str]) -> str:
  """The table: a row for each key, a column for each score, mean and deviation over the seeds."""
  wide = max(len(row) for row in found)
  lines = [" " * wide + "".join(f"  {name:>{len(name) + 6}}" for name in names)]
  for row, scores in found.items():
    cells = []
    for name in names:
      values = [score[name] for score in scores if name in score]
      cell = f"{np.mean(values):.3f} +-{np.std(values):.3f}" if values else "-"
      cells.append(f"  {cell:>{len(name) + 6}}")
    lines.append(f"{row:<{wide}}" + "".join(cells))
  return "\n".join(lines)


if __name__ == "__main__":
  command.run(main, __doc__)
