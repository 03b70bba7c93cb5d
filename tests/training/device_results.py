"""What a few steps and evaluations give on this process's devices, as arrays by name.

python -m tests.training.device_results OUT.pickle NAME...

In double precision (JAX_ENABLE_X64), so that what differs is not rounding.
"""

import dataclasses
import pickle
import sys

import jax
import numpy as np

from configs.genesis_v2 import multi_dsprites
from configs.loci import generated_loci
from experiments import build
from objectcentric_jax.input.chunks import chunk
from objectcentric_jax.input.generated import generated
from objectcentric_jax.training.devices import AXIS, Devices
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.schedules import make_schedules
from objectcentric_jax.training.state import state_from
from objectcentric_jax.training.step import make_train_step
from tests.training import carrying, normalised, toy

BATCH, STEPS = 8, 3
# The velocity after one step is the gradient. Not Adam: it turns rounding into full-size steps
# where a gradient is zero in truth.
SGD = [{"loss": "", "clip": 0.0, "groups": {"": {"name": "sgd", "rate": 1e-4, "momentum": 0.9}}}]


def genesis_config(parallel: str = "jit"):
  """The smallest GENESIS-V2."""
  config = multi_dsprites.get_config("smoke")
  config.data.side, config.data.batch_size = 32, BATCH
  config.model.features, config.model.slots = 8, 3
  config.model.unroll = 1  # compiles in less time
  config.train.parallel = parallel
  return config


@dataclasses.dataclass(frozen=True)
class GivenDraws:
  """GENESIS-V2 with draws that are part of the batch, since those of pmap depend on the devices."""

  task: object

  @property
  def losses(self):
    return {"elbo": self.elbo}

  def init(self, rng, batch):
    return self.task.init(rng, batch)

  def elbo(self, params, model_state, batch, now, rng):
    draws = {"latent": batch["latent"], "field": batch["field"]}
    return self.task.elbo(params, model_state, batch, now, rng, draws)


def start(task, batch):
  """Parameters and model state to start from, with nothing to compile."""
  rng = np.random.default_rng(0)

  def draw(leaf):
    return rng.standard_normal(leaf.shape) / np.sqrt(np.prod(leaf.shape[:-1]))

  def ones(leaf):
    is_number = np.issubdtype(leaf.dtype, np.floating)
    return np.ones(leaf.shape, np.float64 if is_number else leaf.dtype)

  params, model_state = jax.eval_shape(task.init, jax.random.key(0), batch)
  return jax.tree.map(draw, params), jax.tree.map(ones, model_state)


def steps(task, loss, batches, parallel):
  """Reports of the steps, gradients of the first, and the state after the last."""
  devices = Devices()
  updates = make_updates([SGD[0] | {"loss": loss}], list(task.losses))
  axis_name = AXIS if parallel == "pmap" else None
  step = make_train_step(task, updates, make_schedules({"beta": 0.5}), axis_name)
  model = start(task, batches[0])
  state = devices.place(lambda *m: state_from(*m, updates, jax.random.key(1)), *model)
  compiled = devices.compile_step(step, parallel, state)
  results = {}
  for i, batch in enumerate(batches):
    state, results[f"report{i}"] = compiled(state, devices.put(batch))
    if i == 0:
      results["gradient"] = jax.device_get(state.optimizers)
  results["params"], results["model_state"] = state.params, state.model_state
  return results


def batches_of(examples):
  """The first batches, in double precision."""
  batches = [examples.read(np.arange(i * BATCH, (i + 1) * BATCH)) for i in range(STEPS)]
  return [{**batch, "image": batch["image"] / 255.0} for batch in batches]


def toy_batches():
  return batches_of(generated(toy.SIDE, 2, "train"))


def genesis_batches():
  batches, rng = batches_of(generated(32, 4, "train")), np.random.default_rng(0)
  for batch in batches:
    batch["latent"] = rng.standard_normal((BATCH, 3, 8))
    batch["field"] = rng.random((BATCH, 32, 32, 1))
  return batches


def genesis(parallel):
  task = GivenDraws(build.make_task(genesis_config(parallel)))
  return steps(task, "elbo", genesis_batches(), parallel)


def evaluation(batch_size):
  """Scores of 19 scenes by an untrained model."""
  config, devices = genesis_config(), Devices()
  config.eval.images, config.eval.batch_size = 19, batch_size
  task, examples = build.make_task(config), generated(32, 4, "test")
  evaluator = build.make_evaluator(config, task, examples, devices)
  model = start(task, examples.read(np.arange(1)))
  return build.score(evaluator, config, examples, *model)


def carrying_steps(parallel):
  """Three chunks of two frames, the last of them of new clips."""
  made = generated(toy.SIDE, 2, "train", names=("video",), frames=4).read(np.arange(BATCH))
  clips = {"video": made["video"] / 255.0}
  batches = [chunk(clips, number, 2) for number in (0, 1, 0)]
  return steps(carrying.CarryingTask(), "error", batches, parallel)


def loci_config():
  """The smallest Loci-Segmented over time."""
  config = generated_loci.get_config("smoke")
  config.data.batch_size, config.data.frames, config.data.lead = BATCH, 4, 2
  model = config.model
  model.teacher_forcing, model.slots, model.gestalt = 2, 3, 16
  model.encoder = dict(channels=16, blocks=(1, 1, 1, 1), hyper_channels=8)
  model.background = dict(latents=32, layers=1, context=32, threshold=0.5)
  model.predictor.channels, model.predictor.layers = 56, 1
  return config


def loci_steps():
  """Chunks before, at the start and in the middle of clips, and the start of others."""
  config = loci_config()
  task = build.make_task(config)
  made = generated(64, 2, "train", names=("video", "depth"), frames=4).read(np.arange(BATCH))
  clips = {"video": made["video"] / 255.0, "depth": made["depth"] / 3.0}
  batches = [chunk(clips, number, 2, lead=2) for number in (0, 1, 2, 0)]
  return steps(task, "prediction", batches, "jit")


RESULTS = {
  "loci/jit": loci_steps,
  "toy/jit": lambda: steps(toy.task("jit", 1.0), "error", toy_batches(), "jit"),
  "toy/pmap": lambda: steps(toy.task("pmap", 0.0), "error", toy_batches(), "pmap"),
  "toy/quiet": lambda: steps(toy.task("jit", 0.0), "error", toy_batches(), "jit"),
  "carrying/jit": lambda: carrying_steps("jit"),
  "carrying/pmap": lambda: carrying_steps("pmap"),
  "normalised/jit": lambda: steps(normalised.task("jit"), "elbo", toy_batches(), "jit"),
  "normalised/pmap": lambda: steps(normalised.task("pmap"), "elbo", toy_batches(), "pmap"),
  "genesis/jit": lambda: genesis("jit"),
  "genesis/pmap": lambda: genesis("pmap"),
  "evaluation/8": lambda: evaluation(8),
  "evaluation/16": lambda: evaluation(16),
  "evaluation/5": lambda: evaluation(5),
}


def compute(name: str) -> dict[str, np.ndarray]:
  """The arrays of one of `RESULTS` by their path."""
  flat = jax.tree_util.tree_flatten_with_path(RESULTS[name]())[0]
  return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in flat}


if __name__ == "__main__":
  out, *names = sys.argv[1:]
  results = {name: compute(name) for name in names}
  with open(out, "wb") as file:
    pickle.dump((jax.device_count(), results), file)
