"""Writes what a trained or imported model finds in its data as tables and NumPy arrays.

python -m experiments.export --workdir DIR --what boxes|latents|tracks
    [--out DIR] [--split test] [--images N] [--presence 0.5] [--best]

boxes    boxes.csv, a line a box that is present, and boxes.npz, all boxes
latents  latents.csv, a line a component, and latents.npz
tracks   tracks/NNNNN.txt, a file a video in the format of MOTChallenge
"""

from pathlib import Path

import numpy as np
from absl import flags

from experiments import build, command, scores, tables
from objectcentric_jax.metrics.average_precision import PRESENT
from objectcentric_jax.training.devices import Devices

FLAGS = flags.FLAGS
KINDS = ("boxes", "latents", "tracks")
flags.DEFINE_string("workdir", None, "folder of the run", required=True)
flags.DEFINE_enum("what", None, KINDS, "what to write", required=True)
flags.DEFINE_string("out", None, "folder for the files; the workdir's export/ by default")
flags.DEFINE_string("split", None, "split to look at; the config's test split by default")
flags.DEFINE_integer("images", None, "how many images or videos, the first ones; 0 for all", 0)
flags.DEFINE_float("presence", PRESENT, "boxes less present are left out of tables", 0.0, 1.0)
flags.DEFINE_bool("best", False, "the best checkpoint instead of the last")


def main(_):
  workdir, what = Path(FLAGS.workdir), FLAGS.what
  overrides = {} if FLAGS.images is None else {"eval.images": FLAGS.images}
  restored = build.Restored(workdir, Devices(), FLAGS.best, overrides)
  config = restored.config
  examples = build.open_examples(config, FLAGS.split or config.eval.test_split)
  model = (restored.task, restored.params, restored.model_state)
  observe = {"boxes": tables.boxes_of, "latents": tables.latents_of, "tracks": tables.tracks_of}
  prepare = scores.prepared(config.eval)
  seen = lambda scene: observe[what](prepare(scene))  # noqa: E731
  found = tables.observed(*model, examples, config.eval, seen)
  if what == "boxes":
    files = tables.box_files(found, FLAGS.presence)
  elif what == "latents":
    files = tables.latent_files(found)
  else:
    files = tables.track_files(found, FLAGS.presence)
  folder = Path(FLAGS.out or workdir / "export")
  for name, content in files.items():
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
      (folder / name).write_text(content)
    else:
      np.savez(folder / name, **content)
  first, *others = files
  more = f" and {len(others)} more there" if others else ""
  print(f"{what} of {len(found['index'])} examples: {folder / first}{more}")


if __name__ == "__main__":
  command.run(main, __doc__)
