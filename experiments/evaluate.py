"""Scores a trained or imported model.

python -m experiments.evaluate --workdir DIR [--split test] [--images N] [--best] [--out FILE.json]
"""

import json
from pathlib import Path

import jax
from absl import flags

from experiments import build, command
from objectcentric_jax.training.devices import Devices

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "folder of the run", required=True)
flags.DEFINE_string("split", None, "split to score; the config's test split by default")
flags.DEFINE_integer("images", None, "how many images, the first ones; 0 for all", lower_bound=0)
flags.DEFINE_integer("seed", None, "of the draws")
flags.DEFINE_integer("batch_size", None, "images at a time; does not change the scores")
flags.DEFINE_bool("best", False, "the best checkpoint instead of the last")
flags.DEFINE_string("out", None, "JSON file; in the workdir by default")


def main(_):
  workdir, devices = Path(FLAGS.workdir), Devices()
  given = {name: getattr(FLAGS, name) for name in ("images", "seed", "batch_size")}
  overrides = {f"eval.{name}": value for name, value in given.items() if value is not None}
  restored = build.Restored(workdir, devices, FLAGS.best, overrides)
  config = restored.config
  examples = build.open_examples(config, FLAGS.split or config.eval.test_split)
  build.check_slots(config, examples)
  evaluator = build.make_evaluator(config, restored.task, examples, devices)
  scores = build.score(evaluator, config, examples, restored.params, restored.model_state)
  checkpoint = "best" if FLAGS.best else "last"
  result = build.results(config, examples, scores, restored.step, checkpoint)
  if jax.process_index():
    return
  default = workdir / f"evaluation-{FLAGS.split or config.eval.test_split}.json"
  out = Path(FLAGS.out) if FLAGS.out else default
  out.parent.mkdir(parents=True, exist_ok=True)
  out.write_text(json.dumps(result, indent=2))
  print(build.table(result))
  print(f"scores: {out}")


if __name__ == "__main__":
  command.run(main, __doc__)
