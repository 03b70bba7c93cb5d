"""The Multi-Object Datasets: sprites, rooms, solids and blocks with masks, as TFDS records."""

import functools
import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.multi_objects import files
from data.multi_objects.layouts import LAYOUTS
from data.multi_objects.names import NAMES
from data.multi_objects.scenes import Record, read_scene
from data.raw.damage import Damaged
from data.raw.tfrecord import read_records
from objectcentric_jax.errors import InputError

AHEAD = 2  # records of a thread that are read before they are needed


class Builder(DownloadedBuilder, skip_registration=True):
  """One file, whose records go to the test split, then to that for validation, then to training.

  A compressed file can only be read from its beginning: this process reads it, and threads turn
  records into pictures, most of whose time is spent in zlib.
  """

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(NAMES, *LAYOUTS)
  DEFAULT_CONFIG = "multi_dsprites_colored_on_colored"
  SOURCE = "Multi-Object Datasets, deepmind/multi_object_datasets"
  LICENCE = "Apache-2.0"
  SIZE = "0.3 to 10.5 GB a file"
  HOMEPAGE = "https://github.com/google-deepmind/multi_object_datasets"

  make = staticmethod(read_scene)
  streamed = True

  @classmethod
  def describe(cls, raw, options):
    path = files.find(raw, options.layout)
    return f"{path.name} of {path.stat().st_size} bytes"

  @functools.cached_property
  def path(self):
    """The file."""
    return files.find(self.raw, self.options.layout)

  @functools.cached_property
  def sample(self):
    """The first records."""
    return files.first_records(self.path)

  def items(self):
    records = enumerate(read_records(self.path, "gzip"))
    return {
      split: self._scenes(split, itertools.islice(records, count))
      for split, count in self._counts().items()
    }

  def _scenes(self, split, records: Iterable[tuple[int, bytes]]) -> Iterator[Record]:
    for index, content in records:
      yield self._record(f"{split}-{index:08d}", content)

  def made(self, items):
    return (scenes for _, scenes in self.guarded(self._ahead(items), Future.result))

  def _counts(self) -> dict[str, int]:
    """Records of the splits that have any, in the order of the file, as far as that is known."""
    wanted = self.options.counts
    if not any(wanted.values()):
      raise InputError(f"multi_objects/{self.builder_config.name}: every split is empty")
    begins = dict(zip(wanted, itertools.accumulate(wanted.values(), initial=0), strict=False))
    last = max(begin for split, begin in begins.items() if wanted[split])
    there = files.estimated_count(self.path, self.sample)
    # To know for sure takes as long as reading the file; near the end of the splits it is worth it.
    if len(self.sample) == files.SAMPLE and last and there < 2 * last:
      there = files.count(self.path, last + 1)
    return {split: n for split, n in wanted.items() if n and begins[split] < there}

  def _ahead(self, records: Iterable[Record]) -> Iterator[Future]:
    """What becomes of records, as many of them under way as there are to be processes."""
    waiting, damage = deque(), None
    with ThreadPoolExecutor(self.processes) as threads:
      try:
        for record in records:
          waiting.append(threads.submit(self.make, record))
          if len(waiting) > AHEAD * self.processes:
            yield waiting.popleft()
      except Damaged as damaged:  # what was read before it is whole
        damage = damaged
      yield from waiting
    if damage is not None:
      raise damage

  def _record(self, key: str, content: bytes) -> Record:
    return Record(key, content, self.path, self.options.layout)

  def estimate(self):
    there = files.estimated_count(self.path, self.sample)
    count = min(there, sum(self.options.counts.values()))
    sample = (self._record("", content) for content in self.sample)
    return count, round(count * self.mean_size(sample))

  def _features(self):
    layout = self.options.layout
    size = layout.height, layout.width
    factors = {
      name: schema.numbers(
        (layout.entities, *([width] if width > 1 else [])), np.uint8 if is_code else np.float32
      )
      for name, (width, is_code) in layout.factors.items()
    }
    return {
      "image": schema.picture(*size, layout.channels),
      "segmentation": schema.picture(*size, 1),
      "num_objects": np.int32,
      **({"factors": factors} if factors else {}),
      "metadata": schema.key(),
    }

  def _metadata(self):
    layout = self.options.layout
    return {
      "labels": layout.entities,
      "background_ids": list(range(layout.backgrounds)),
      "max_objects": layout.entities - layout.backgrounds,
    }
