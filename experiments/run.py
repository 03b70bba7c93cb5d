"""One training from its config to its scores and picture; what pipelines call for every stage."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import jax

from experiments import build
from experiments.pictures import draw_reconstruction
from objectcentric_jax.input.pipeline import train_batches
from objectcentric_jax.plots.grid import save
from objectcentric_jax.training.devices import Devices, without_carry
from objectcentric_jax.training.loop import fit
from objectcentric_jax.training.state import TrainState


def train(
  config,
  workdir: Path,
  *,
  devices: Devices | None = None,
  state: TrainState | None = None,
  stop: Callable[[Mapping[str, float]], bool] | None = None,
) -> TrainState:
  """Trains the model of a config, scores it on the test split and draws its scenes.

  Args:
    config: an ml_collections.ConfigDict with the sections of `configs.sections`.
    workdir: folder of the run; one that was begun is resumed.
    devices: where to compute; all by default.
    state: what to start from in a fresh workdir, instead of an initialised one.
    stop: ends the training early when it returns True for the scores of an evaluation.

  Returns:
    The last state.
  """
  devices = devices or Devices()
  is_main = jax.process_index() == 0
  task = build.make_task(config)
  build.prepare_data(config)
  examples = build.open_examples(config, config.data.split, training=True)
  held_out = build.open_examples(config, config.eval.split)
  if is_main:
    kind = jax.local_devices()[0].device_kind
    print(f"{devices.count} x {kind}, {len(examples)} training examples, seed {config.seed}")
    build.check_slots(config, examples)
  batches = train_batches(
    examples,
    config.data.batch_size,
    config.seed,
    jax.process_index(),
    jax.process_count(),
    config.data.workers,
    config.data.threads,
    config.data.chunk,
    config.data.by_object.balanced,
    config.data.lead,
  )
  evaluator = build.make_evaluator(config, task, held_out, devices)

  def evaluate(state):
    model_state = without_carry(state.model_state)
    return build.score(evaluator, config, held_out, state.params, model_state)

  state = fit(
    task,
    batches,
    config.to_dict(),
    workdir,
    devices=devices,
    state=state,
    evaluate=evaluate,
    stop=stop,
  )
  finish(config, task, evaluator, state, workdir)
  return state


def finish(config, task, evaluator, state: TrainState, workdir: Path):
  """Scores the final state on the test split and draws its scenes."""
  test = build.open_examples(config, config.eval.test_split)
  model = (state.params, without_carry(state.model_state))
  scores = build.score(evaluator, config, test, *model)
  if jax.process_index():
    return
  result = build.results(config, test, scores, int(state.step), "last")
  out = workdir / f"evaluation-{config.eval.test_split}.json"
  out.write_text(json.dumps(result, indent=2))
  print(build.table(result))
  picture = workdir / "images" / "reconstruction.png"
  model = jax.device_get(model)  # on this process alone
  save(picture, draw_reconstruction(task, *model, test, config))
  print(f"scores: {out}\npicture: {picture}")
