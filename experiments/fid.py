"""Frechet Inception distance between a dataset and what a generative model draws from its prior.

python -m experiments.fid --workdir DIR --inception FILE.pth [--images 10000] [--split test]
    [--best] [--seed N] [--batch_size N] [--out FILE.json]

By the published protocol: the first images of the split, as many drawn from the prior, both
truncated to 8 bits, and the features of the Inception-v3 of 2015. FILE.pth holds its weights:
https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth
"""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags

from data.building.progress import Progress
from experiments import build, command
from objectcentric_jax.checkpoint_import import inception
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import Examples
from objectcentric_jax.input.pipeline import describe, evaluation_batches
from objectcentric_jax.metrics.frechet import (
  FeatureStatistics,
  feature_statistics,
  frechet_distance,
  merge,
)
from objectcentric_jax.metrics.inception import FEATURES, inception_features
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.task import Batch, ModelState, Params, Task

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "folder of the run", required=True)
flags.DEFINE_string("inception", None, "file with the network's published weights")
flags.DEFINE_integer("images", 10_000, "how many of each; all of a smaller split", lower_bound=2)
flags.DEFINE_string("split", None, "split to compare with; the config's test split by default")
flags.DEFINE_integer("seed", None, "of the draws")
flags.DEFINE_integer("batch_size", None, "images at a time; does not change the distance")
flags.DEFINE_bool("best", False, "the best checkpoint instead of the last")
flags.DEFINE_string("out", None, "JSON file; in the workdir by default")


def main(_):
  variables, network = read_network(FLAGS.inception)
  workdir, devices = Path(FLAGS.workdir), Devices()
  given = {name: getattr(FLAGS, name) for name in ("seed", "batch_size")}
  overrides = {f"eval.{name}": value for name, value in given.items() if value is not None}
  restored = build.Restored(workdir, devices, FLAGS.best, overrides)
  config, settings = restored.config, restored.config.eval
  devices.check_batch("config.eval.batch_size", settings.batch_size)
  draw = make_draw(restored.task, restored.params, restored.model_state, settings.seed, devices)
  examples = build.open_examples(config, FLAGS.split or settings.test_split)
  counts = {"real": min(FLAGS.images, len(examples)), "generated": FLAGS.images}
  about = {
    "images": counts,
    "dataset": describe(examples),
    "seed": settings.seed,
    "training_seed": config.seed,
    "step": restored.step,
    "checkpoint": "best" if FLAGS.best else "last",
    "inception": network,
  }
  is_main = jax.process_index() == 0
  for note in notes(about) if is_main else ():
    print(f"note: {note}", flush=True)

  stored = real_batches(examples, counts["real"], settings.batch_size, devices)
  drawn = map(draw, position_batches(counts["generated"], settings.batch_size, devices))
  features = make_features(inception_features, variables, devices)
  progress = Progress(sum(counts.values()) if is_main else 0)
  real = accumulate("real", stored, features, progress)
  generated = accumulate("generated", drawn, features, progress)
  progress.end()
  if not is_main:
    return
  found = frechet_distance(real, generated)
  ranks = dict(zip(counts, found.ranks, strict=True))
  result = {"scores": {"fid": found.distance}, **about, "ranks": ranks}
  out = Path(FLAGS.out) if FLAGS.out else workdir / f"fid-{about['dataset']['split']}.json"
  out.parent.mkdir(parents=True, exist_ok=True)
  out.write_text(json.dumps(result, indent=2))
  print(table(result))
  print(f"scores: {out}")


def read_network(path: str | None) -> tuple[Any, dict[str, Any]]:
  """The network's variables, and which file they are from.

  Raises:
    InputError: there is no such file; says where to get it.
  """
  if not path or not Path(path).is_file():
    found = f"--inception {path}: no such file" if path else "--inception is not given"
    raise InputError(
      f"{found}; download the network's weights from {inception.URL} and pass their path"
    )
  checksum = inception.checksum(path)
  about = {"file": str(path), "sha256": checksum}
  return inception.read(path), about | {"published": checksum.startswith(inception.CHECKSUM)}


def notes(about: dict[str, Any]) -> list[str]:
  """What keeps the distance from being comparable with others."""
  dataset, counts, network = about["dataset"], about["images"], about["inception"]
  found = []
  if counts["real"] < counts["generated"]:
    found.append(
      f"{dataset['name']} {dataset['split']} has {counts['real']} images, not the "
      f"{counts['generated']} of --images: all of them are used"
    )
  if min(counts.values()) <= FEATURES:
    found.append(
      f"a covariance of {FEATURES} features needs more images than that; fewer make the distance "
      "larger: compare it with those of as many images alone"
    )
  if not network["published"]:
    found.append(
      f"{network['file']} is not the published file {inception.FILE} (SHA-256 "
      f"{network['sha256'][:8]}...): compare the distance with those of the same file alone"
    )
  return found


def real_batches(examples: Examples, count: int, size: int, devices: Devices) -> Iterator[Batch]:
  """The first images of a split on the devices, as evaluation batches.

  Raises:
    InputError: the examples have no images, or fewer than `count`.
  """
  process, processes = jax.process_index(), jax.process_count()
  for batch in evaluation_batches(examples, size, count, process, processes):
    if "image" not in batch:
      found = ", ".join(sorted(batch))
      raise InputError(
        f"the examples have {found}: add image to config.data.fields to compare them"
      )
    yield devices.put({name: batch[name] for name in ("image", "index", "valid")})


def position_batches(count: int, size: int, devices: Devices) -> Iterator[Batch]:
  """Batches of the positions 0 to count - 1, `index` and `valid` as in evaluation batches."""
  share = size // jax.process_count()
  first = share * jax.process_index()
  for start in range(first, first + count, size):
    index = np.arange(start, start + share, dtype=np.int32)
    yield devices.put({"index": index, "valid": index < count})


def make_draw(
  task: Task, params: Params, model_state: ModelState, seed: int, devices: Devices
) -> Callable[[Batch], Batch]:
  """Compiled positions -> positions with an image of the model each.

  Every position has a draw of its own, so that the images depend neither on the batch size nor on
  the number of devices.

  Raises:
    InputError: the model does not draw images.
  """
  name = type(task).__name__
  if not hasattr(task, "sample"):
    raise InputError(f"{name} is not a generative model: it draws no images")

  def one(params, model_state, rng):
    return task.sample(params, model_state, rng, 1).image[0]

  def draw(params, model_state, positions):
    key = jax.random.key(seed)
    keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(positions["index"])
    return {**positions, "image": jax.vmap(one, (None, None, 0))(params, model_state, keys)}

  shape = jax.eval_shape(one, params, model_state, jax.random.key(seed)).shape
  if len(shape) != 3 or shape[-1] != 3:
    raise InputError(f"{name} draws arrays {shape}: only images [H, W, 3] can be compared")
  compiled = jax.jit(draw, out_shardings=devices.sharded)
  return lambda positions: compiled(params, model_state, positions)


def make_features(function: Callable, variables: Any, devices: Devices) -> Callable:
  """Compiled batch -> what `accumulate` takes, on every device; function(variables, images)."""

  def features(variables, batch):
    return function(variables, batch["image"]), batch["index"], batch["valid"]

  compiled = jax.jit(features, out_shardings=devices.replicated)
  variables = devices.place(lambda tree: tree, variables)
  return lambda batch: compiled(variables, batch)


def accumulate(
  name: str, batches: Iterable[Batch], features: Callable, progress: Progress
) -> FeatureStatistics:
  """Statistics of the features of all valid images.

  Args:
    name: of the images, for messages.
    batches: with `image`, `index`, `valid`, sharded over the devices.
    features: batch -> (features [B, D], index [B], valid [B]).
    progress: told of every batch.

  Raises:
    InputError: the features of an image are not finite; names it.
  """
  total = None
  for computed in _one_ahead(map(features, batches)):
    rows, index, valid = jax.device_get(computed)
    rows, index = rows[valid], index[valid]
    finite = np.isfinite(rows).all(1)
    if not finite.all():
      raise InputError(
        f"{name} image {index[~finite][0]} has features that are not finite: look at the image, "
        "the checkpoint and the weights of the network"
      )
    part = feature_statistics(rows)
    total = part if total is None else merge(total, part)
    progress.advance(len(rows))
  return total


def _one_ahead(results: Iterable[Any]) -> Iterator[Any]:
  """The same items, each given after the next is asked for: devices and host work together."""
  waiting = []
  for result in results:
    waiting.append(result)
    if len(waiting) > 1:
      yield waiting.pop(0)
  yield from waiting


def table(result: dict[str, Any]) -> str:
  """The distance as text: what was compared, then the number."""
  dataset, counts, ranks = result["dataset"], result["images"], result["ranks"]
  head = (
    f"{dataset['name']} {dataset['split']}, first {counts['real']} of {dataset['count']} images, "
    f"against {counts['generated']} drawn, seed {result['seed']}; step {result['step']} "
    f"({result['checkpoint']} checkpoint)"
  )
  spans = f"covariances of rank {ranks['real']} and {ranks['generated']}, {FEATURES} features"
  return f"{head}\n  fid  {result['scores']['fid']:.4f}  ({spans})"


if __name__ == "__main__":
  command.run(main, __doc__)
