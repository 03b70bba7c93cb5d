"""Object Pursuit over a stream of objects; starting again with the same workdir resumes.

python -m experiments.pursuit --config configs/object_pursuit/pursuit_DATA.py[:variant]
    --workdir DIR [--config.field=value ...]
python -m experiments.pursuit --workdir DIR --eval       scores of a pursuit, in evaluation.json
python -m experiments.pursuit --workdir DIR --simplify   drops bases that the others can express
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from experiments import build, command
from experiments.pursuit_evaluation import evaluate
from experiments.pursuit_run import Pursuit
from objectcentric_jax.errors import InputError
from objectcentric_jax.training.checkpoints import write_config

FLAGS = flags.FLAGS
CONFIG = command.define_config(required=False)
flags.DEFINE_string("workdir", None, "folder of the pursuit", required=True)
flags.DEFINE_bool("eval", False, "score a pursuit on seen and unseen objects")
flags.DEFINE_bool("simplify", False, "drop redundant bases of a finished pursuit")


def main(_: Sequence[str]):
  workdir = Path(FLAGS.workdir)
  if FLAGS.eval and FLAGS.simplify:
    raise InputError("--eval and --simplify are two commands: give one of them")
  if FLAGS.eval or FLAGS.simplify:
    if CONFIG.value is not None:
      raise InputError("--config belongs to a new pursuit: that of the workdir holds here")
    pursuit = Pursuit(build.stored_config(workdir), workdir)
    if FLAGS.simplify:
      pursuit.simplify()
    else:
      evaluate(*pursuit.restored(), pursuit.stream, pursuit.trainings, pursuit.config, workdir)
    return
  if CONFIG.value is None:
    raise InputError("--config FILE.py is needed to begin a pursuit")
  write_config(workdir, CONFIG.value.to_dict())
  Pursuit(CONFIG.value, workdir).run()


if __name__ == "__main__":
  command.run(main, __doc__)
