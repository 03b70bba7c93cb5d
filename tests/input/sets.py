"""Small prepared sets of any features, for tests of reading."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from configs import sections
from data.building import schema
from data.building.builder import RecordsBuilder, quiet_tfds
from data.building.png import encode_png
from objectcentric_jax import records

HEIGHT, WIDTH, FRAMES, OBJECTS = 12, 10, 7, 3


class Given(RecordsBuilder):
  """A set of examples that are at hand."""

  VERSION = tfds.core.Version("1.0.0")
  DEFAULT_CONFIG = "only"
  SOURCE = LICENCE = "a test"
  GENERATED = True

  def __init__(self, features, splits, metadata, ordered, **settings):
    self._given = features, splits, metadata, ordered
    super().__init__(**settings)

  @classmethod
  def config_named(cls, name):
    return tfds.core.BuilderConfig(name=name)

  @classmethod
  def source_of(cls, raw, config):
    return "a test"

  def estimate(self):
    return 1, 1

  def _info(self):
    features, _, metadata, ordered = self._given
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict({**features, "metadata": schema.key()}),
      metadata=tfds.core.MetadataDict(source="a test", **metadata),
      disable_shuffling=ordered,
    )

  def _split_generators(self, dl_manager):
    return {split: self._generate_examples(split) for split in self._given[1]}

  def _generate_examples(self, split):
    for index, example in enumerate(self._given[1][split]):
      key = f"{split}-{index:05d}"
      yield key, {**example, "metadata": {"key": key}}


def write(
  root: pathlib.Path,
  features: Mapping[str, Any],
  splits: Mapping[str, Sequence[Mapping[str, Any]]],
  ordered: bool = False,
  config: str = "only",
  **metadata: Any,
) -> str:
  """Prepares given/`config` below `root`; the name by which configs call it."""
  with quiet_tfds():
    builder = Given(features, splits, metadata, ordered, config=config, data_dir=root)
    builder.download_and_prepare()
  records.write_manifest(pathlib.Path(builder.data_dir))
  return f"given/{config}"


def config(root: pathlib.Path, name: str, **changes: Any) -> dict[str, Any]:
  """`config.data` for a set, with the package's defaults."""
  data = {**sections.base().data.to_dict(), "name": name, "directory": str(root)}
  assert set(changes) <= set(data)
  return {**data, **changes}


def pngs(frames: np.ndarray) -> list[bytes]:
  """A PNG file a frame of [T, H, W, C]."""
  return [encode_png(np.ascontiguousarray(frame)) for frame in frames]


def films(count: int, frames: int | None = FRAMES, seed: int = 0) -> list[dict[str, np.ndarray]]:
  """Random videos with everything the schema knows of them; frame t of film n begins with n, t.

  Where `frames` is None film n has FRAMES + n of them.
  """
  rng = np.random.default_rng(seed)
  made = []
  for number in range(count):
    length = FRAMES + number if frames is None else frames
    sizes = (length, HEIGHT, WIDTH)
    video = rng.integers(0, 256, (*sizes, 3), dtype=np.uint8)
    video[:, 0, 0] = np.stack([np.full(length, number), np.arange(length), np.zeros(length)], -1)
    low = rng.uniform(0, 0.5, (length, OBJECTS, 2))
    made.append(
      {
        "video": video,
        "segmentation": rng.integers(0, OBJECTS + 1, (*sizes, 1), dtype=np.uint8),
        "depth": rng.uniform(1, 9, (*sizes, 1)).astype(np.float32),
        "forward_flow": rng.normal(size=(*sizes, 2)).astype(np.float32),
        "bboxes": np.concatenate([low, low + 0.4], -1).astype(np.float32),
        "visibility": rng.integers(1, 90, (length, OBJECTS)).astype(np.uint16),
        "camera/position": rng.normal(size=(length, 3)).astype(np.float32),
        "factors/shape": rng.integers(0, 5, OBJECTS).astype(np.int32),
        "num_objects": np.int32(1 + number % OBJECTS),
      }
    )
  return made


def film_features(frames: int | None = FRAMES, height=HEIGHT, width=WIDTH) -> dict[str, Any]:
  """The features that hold `films`."""
  sizes = (frames, height, width)
  return {
    "video": schema.pictures(frames, height, width),
    "segmentation": schema.pictures(frames, height, width, 1),
    "depth": schema.array((*sizes, 1)),
    "forward_flow": schema.array((*sizes, 2)),
    "bboxes": schema.numbers((frames, OBJECTS, 4)),
    "visibility": schema.numbers((frames, OBJECTS), np.uint16),
    "camera": {"position": schema.numbers((frames, 3))},
    "factors": {"shape": schema.numbers((OBJECTS,), np.int32)},
    "num_objects": np.int32,
  }


def stored(film: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """A film as TFDS takes it."""
  example: dict[str, Any] = {}
  for name, value in film.items():
    outer, _, inner = name.partition("/")
    value = pngs(value) if name in ("video", "segmentation") else value
    if inner:
      example.setdefault(outer, {})[inner] = value
    else:
      example[outer] = value
  return example
