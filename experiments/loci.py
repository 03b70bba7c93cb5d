"""Trains Loci-Segmented from nothing: all of its stages in order, or some of them.

python -m experiments.loci --family movi|movi_depth|generated --workdir DIR
    [--stages mask,depth,...] [--given STAGE=DIR] [--set STAGE.FIELD=VALUE] [--best] [--smoke]

Every stage is a training of its own in DIR/STAGE, by the config of its family, and takes what the
stages before it learned: the decoders (mask, depth, rgb) go into encoder and decoders together
(stage1), these get their hyper-networks (stage2), and both they and the background go into Loci
itself (loci). The proposal network stands alone; only the mode "segmentation" uses it.

Started again with the same folder it goes on where it stopped, within a stage too; a finished stage
is left as it is. A stage that is not run here can be given from elsewhere, such as an imported
checkpoint: --given stage2=runs/imported.
"""

from pathlib import Path

from absl import flags

from experiments import command, run
from experiments.loci_stages import FAMILIES, STAGES, is_finished, pair, stage_config
from objectcentric_jax.errors import InputError, closest

FLAGS = flags.FLAGS
flags.DEFINE_enum("family", "generated", FAMILIES, "which configs")
flags.DEFINE_string("workdir", None, "folder of the stages", required=True)
flags.DEFINE_list("stages", list(STAGES), "what to run, in this order")
flags.DEFINE_multi_string("given", [], "STAGE=DIR: a run elsewhere that stands for a stage")
flags.DEFINE_multi_string("set", [], "STAGE.FIELD=VALUE: a field of a stage's config")
flags.DEFINE_bool("best", False, "start from the best checkpoints instead of the last ones")
flags.DEFINE_bool("smoke", False, "two steps of each stage on made-up scenes")


def main(_):
  folder = Path(FLAGS.workdir)
  given = dict(pair("--given", text) for text in FLAGS.given)
  changes = [pair("--set", text) for text in FLAGS.set]
  for name in (*FLAGS.stages, *given, *(field.split(".")[0] for field, _ in changes)):
    if name not in STAGES:
      raise InputError(f"no stage {name!r}{closest(name, STAGES)}; there are: {', '.join(STAGES)}")
  for name in FLAGS.stages:
    if name in given:
      raise InputError(
        f"--given {name}={given[name]} stands for a stage that --stages runs as well"
      )
  for name in FLAGS.stages:
    config = stage_config(name, folder, FLAGS.family, given, changes, FLAGS.smoke, FLAGS.best)
    workdir = folder / name
    if is_finished(workdir, config):
      print(f"{name}: finished, in {workdir}")
      continue
    print(f"{name}: {config.train.steps:,} steps, in {workdir}", flush=True)
    run.train(config, workdir)


if __name__ == "__main__":
  command.run(main, __doc__)
