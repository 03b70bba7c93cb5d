"""Multi-dSprites: coloured dSprites over each other on a coloured background, as TFDS records."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds

from data.building.builder import RecordsBuilder
from data.building.workers import ordered_map
from data.multi_dsprites import drawing, names, raw
from data.multi_dsprites.scenes import SPLITS, Options, published_recipes
from data.multi_dsprites.sprites import SHAPES, SPRITE_COUNT
from objectcentric_jax.errors import InputError

BATCH = 128  # scenes of one task of a worker
SAMPLE = 32  # scenes drawn for the estimate of the size
BYTES_BESIDE_PICTURES = 340  # of a record: factors, key and names


@dataclasses.dataclass(eq=False)
class Config(tfds.core.BuilderConfig):
  """A TFDS config that carries the options its name spells."""

  options: Options = Options()


def _config(options: Options) -> Config:
  return Config(name=names.spell(options), options=options)


class Builder(RecordsBuilder):
  """Multi-dSprites of any legal config, drawn by formula, from published sprites, or converted."""

  VERSION = tfds.core.Version("1.0.0")
  BUILDER_CONFIGS = [
    _config(Options()),
    _config(Options(unique=True)),
    _config(Options(published=True)),
    _config(Options(unique=True, published=True)),
  ]
  DEFAULT_CONFIG = BUILDER_CONFIGS[0].name
  SOURCE = "generated after applied-ai-lab/genesis and deepmind/dsprites-dataset"
  LICENCE = "generated: that of this library; published sprites: Apache-2.0"
  SIZE = "54 MB"
  GENERATED = True

  @classmethod
  def config_named(cls, name):
    options = names.parse(name)
    known = {config.name: config for config in cls.BUILDER_CONFIGS}
    return known.get(name) or Config(name=name, options=options)

  @property
  def options(self) -> Options:
    return self.builder_config.options

  @classmethod
  def source_of(cls, raw_files, config):
    return raw.raw_format(raw_files, config.options) if raw_files else "generated"

  def estimate(self):
    options = self.options
    count = sum(options.count(split) for split in SPLITS)
    sample = drawing.draw(drawing.Drawing(options, "train", 0, SAMPLE))
    pictures = np.mean([len(e["image"]) + len(e["segmentation"]) for e in sample])
    return count, round(count * (pictures + BYTES_BESIDE_PICTURES))

  def scratch_bytes(self):
    return raw.PACKED_BYTES if self.source == "npz" else 0

  def _info(self):
    options = self.options
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict(
        {
          "image": tfds.features.Image(
            shape=(options.size, options.size, 3), encoding_format="png"
          ),
          "segmentation": tfds.features.Image(
            shape=(options.size, options.size, 1), dtype=np.uint8, encoding_format="png"
          ),
          "num_objects": np.int32,
          "factors": self._factor_features(),
          "metadata": {"key": tfds.features.Text()},
        }
      ),
      homepage="https://github.com/applied-ai-lab/genesis",
      license=self.LICENCE,
      metadata=tfds.core.MetadataDict(
        labels=options.max_objects + 1,
        background_ids=[0],
        max_objects=options.max_objects,
        seed=options.seed,
        source=self.source,
        shapes=list(SHAPES),
      ),
    )

  def _factor_features(self):
    rows = self.options.max_objects

    def per_object(dtype, *shape):
      return tfds.features.Tensor(shape=(rows, *shape), dtype=dtype)

    features = {"visible_pixels": per_object(np.int32)}
    if self.source != "npy":  # the published arrays do not say what they were drawn from
      features |= {name: per_object(np.float32) for name in ("scale", "orientation", "x", "y")}
      features |= {"shape": per_object(np.int32), "colour": per_object(np.uint8, 3)}
      features |= {"background_colour": tfds.features.Tensor(shape=(3,), dtype=np.uint8)}
    return features

  def _split_generators(self, dl_manager):
    del dl_manager  # nothing is downloaded
    if self.source == "npy":
      raw.check_arrays(self.raw, self.options)
    packed = None
    if self.source == "npz":
      packed = Path(self.data_dir).parents[2] / "sprites.npy"
      raw.pack_sprites(self.raw, packed, self.progress.note)
    return {split: self._generate_examples(split, packed) for split in SPLITS}

  def _generate_examples(self, split, packed):
    if self.source == "npy":
      batches = ordered_map(drawing.convert, self._conversions(split), self.processes)
    else:
      batches = ordered_map(drawing.draw, self._drawings(split, packed), self.processes)
    index = 0
    try:
      for batch in batches:
        for example in batch:
          key = f"{split}-{index:08d}"
          yield key, {**example, "metadata": {"key": key}}
          index += 1
        self.progress.advance(len(batch))
    except drawing.UnusableArrays as error:
      raise InputError(str(error)) from None

  def _ranges(self, split) -> Iterator[tuple[int, int]]:
    count = self.options.count(split)
    return ((start, min(count, start + BATCH)) for start in range(0, count, BATCH))

  def _conversions(self, split):
    files = raw.array_files(self.raw, split, self.options)
    for start, stop in self._ranges(split):
      yield drawing.Conversion(*files, start, stop, self.options.max_objects)

  def _drawings(self, split, packed):
    count = len(np.load(packed, mmap_mode="r")) if packed else SPRITE_COUNT
    stream = published_recipes(self.options, split, count)
    for start, stop in self._ranges(split):
      recipes = tuple(itertools.islice(stream, stop - start)) if self.options.published else None
      yield drawing.Drawing(self.options, split, start, stop, recipes, packed)
