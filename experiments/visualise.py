"""Draws what a trained or imported model makes of its data.

python -m experiments.visualise --workdir DIR --what data|reconstruction|samples|traversal|video|...
    [--out DIR] [--images 8] [--split test] [--best] [--separate] [--component K]
    [--animation gif|mp4]

data            a sheet of examples with their labels
reconstruction  an overview, and for each image its components, masks and composition
samples         the same of scenes drawn from the prior, which its last row puts together
traversal       how each image changes with the latent of one of its components
video           an animation and a strip of frames for each video, with boxes coloured by track

Models may offer further kinds; an unknown one lists them.
"""

from pathlib import Path

from absl import flags

from experiments import build, command, pictures
from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.grid import save
from objectcentric_jax.training.devices import Devices

FLAGS = flags.FLAGS
INSEPARABLE = ("data", "traversal", "video")
flags.DEFINE_string("workdir", None, "folder of the run", required=True)
flags.DEFINE_string("what", None, f"what to draw: {', '.join(pictures.KINDS)} ...", required=True)
flags.DEFINE_string("out", None, "folder for the pictures; the workdir's images/ by default")
flags.DEFINE_string("split", None, "split to draw; the config's test split by default")
flags.DEFINE_integer("images", pictures.PER_ROW, "how many", lower_bound=1)
flags.DEFINE_bool("best", False, "the best checkpoint instead of the last")
flags.DEFINE_bool("separate", False, "a file for each picture, too")
flags.DEFINE_enum("animation", "gif", ("gif", "mp4"), "kind of file of --what video")
flags.DEFINE_integer(
  "component", None, "of a traversal, from 1; the largest that is not background by default", 1
)


def main(_):
  what, count = FLAGS.what, FLAGS.images
  if FLAGS.separate and what in INSEPARABLE:
    raise InputError(f"--separate is for other kinds than --what {', '.join(INSEPARABLE)}")
  if FLAGS.component is not None and what != "traversal":
    raise InputError(f"--component is for --what traversal, not {what}")
  workdir = Path(FLAGS.workdir)
  config = build.stored_config(workdir)
  split = FLAGS.split or config["eval"]["test_split"]
  if what == "data":
    files = pictures.draw_data(build.open_examples(config, split), count)
  else:
    restored = build.Restored(workdir, Devices(), FLAGS.best)
    model = (restored.task, restored.params, restored.model_state)
    if what == "samples":
      files = pictures.draw_samples(*model, config["eval"]["seed"], count, FLAGS.separate)
    else:
      model = (*model, build.open_examples(config, split), config, count)
      if what == "reconstruction":
        files = pictures.draw_reconstructions(*model, FLAGS.separate)
      elif what == "traversal":
        files = pictures.draw_traversals(*model, FLAGS.component)
      elif what == "video":
        files = pictures.draw_videos(*model, FLAGS.animation)
      else:
        files = pictures.draw_panels(*model, what, FLAGS.separate)
  folder = Path(FLAGS.out or workdir / "images")
  for name, picture in files.items():
    save(folder / name, picture)
  first, *others = files
  more = f" and {len(others)} more there" if others else ""
  print(f"picture: {folder / first}{more}")


if __name__ == "__main__":
  command.run(main, __doc__)
