"""Draws what a trained or imported model makes of its data.

python -m experiments.visualise --workdir DIR --what data|reconstruction|samples [--out DIR]
    [--split test] [--images 8] [--best]
"""

from pathlib import Path

from absl import flags

from experiments import build, command, pictures
from objectcentric_jax.plots.scene import save
from objectcentric_jax.training.checkpoints import read_config
from objectcentric_jax.training.devices import Devices

FLAGS = flags.FLAGS
KINDS = ("data", "reconstruction", "samples")
flags.DEFINE_string("workdir", None, "folder of the run", required=True)
flags.DEFINE_enum("what", None, KINDS, "what to draw", required=True)
flags.DEFINE_string("out", None, "folder for the pictures; the workdir's images/ by default")
flags.DEFINE_string("split", None, "split to draw; the config's test split by default")
flags.DEFINE_integer("images", pictures.PER_ROW, "how many", lower_bound=1)
flags.DEFINE_bool("best", False, "the best checkpoint instead of the last")


def main(_):
  workdir = Path(FLAGS.workdir)
  config = read_config(workdir)
  split = FLAGS.split or config["eval"]["test_split"]
  if FLAGS.what == "data":
    picture = pictures.draw_data(build.open_examples(config, split), FLAGS.images)
  else:
    restored = build.Restored(workdir, Devices(), FLAGS.best)
    model = (restored.task, restored.params, restored.model_state)
    if FLAGS.what == "samples":
      picture = pictures.draw_samples(*model, config["eval"]["seed"], FLAGS.images)
    else:
      examples = build.open_examples(config, split)
      picture = pictures.draw_reconstruction(*model, examples, config, FLAGS.images)
  path = Path(FLAGS.out or workdir / "images") / f"{FLAGS.what}.png"
  save(path, picture)
  print(f"picture: {path}")


if __name__ == "__main__":
  command.run(main, __doc__)
