"""Atari: pictures of games in play, published ones or recorded here, as TFDS records."""

import hashlib
import itertools

import numpy as np

from data.atari import recorder, tree
from data.atari.games import GAMES, NAMES, Options
from data.building import schema
from data.building.downloaded_builder import DownloadedBuilder, named_configs
from data.building.workers import ordered_map
from objectcentric_jax.errors import InputError

SAMPLE = 32  # pictures read for the estimate of the size
BYTES_BESIDE_PICTURES = 120  # of a record
FRUITLESS = 100  # games in a row without a new picture, after which there are none to be had


class Builder(DownloadedBuilder, skip_registration=True):
  """The published pictures of some games, or without them new ones, of random play."""

  NAMES = NAMES
  BUILDER_CONFIGS = named_configs(NAMES, "joint", "space_invaders", "riverraid")
  DEFAULT_CONFIG = "joint"
  SOURCE = "recorded with ale-py, or pictures of zhixuan-lin/SPACE"
  LICENCE = "not stated by those who publish the pictures; ale-py, which records, is GPL-2.0"
  SIZE = "2.2 GB of all games"
  HOMEPAGE = "https://github.com/zhixuan-lin/SPACE"
  GENERATED = True

  make = staticmethod(tree.read_example)

  @classmethod
  def source_of(cls, raw, config):
    if raw is not None:
      return super().source_of(raw, config)
    recorder.check_installed()
    return "recorded with ale-py"

  @classmethod
  def describe(cls, raw, options):
    if options != Options(options.games):
      raise InputError(
        f"--from {raw}: all pictures that are there are converted; name the config {options.games}"
      )
    found = tree.pictures(raw, options.chosen)
    games = len({picture.game for part in found.values() for picture in part})
    counts = ", ".join(f"{len(part)} {split}" for split, part in found.items())
    return f"ATARI, {games} of {len(options.chosen)} games: {counts}"

  def items(self):
    return tree.pictures(self.raw, self.options.chosen)

  def estimate(self):
    if self.raw is not None:
      every = list(itertools.chain(*self._items.values()))
      return len(every), round(len(every) * self.mean_size(every[:: -(-len(every) // SAMPLE)]))
    count = len(self.options.chosen) * sum(map(self._count, tree.SPLITS))
    sizes = [len(file) for file in recorder.play(self._game(self.options.chosen[0], "train", 0))]
    return count, round(count * (float(np.mean(sizes)) + BYTES_BESIDE_PICTURES))

  def _features(self):
    side = recorder.SIDE
    size = (side, side) if self.raw is None else tree.common_size(self._items)
    return {
      "image": schema.picture(*size, encoding=None),
      "label": np.int32,
      "metadata": schema.key(),
    }

  def _metadata(self):
    if self.raw is not None:
      return {"bgr": True, "games": list(GAMES)}
    return {"bgr": False, "games": list(GAMES), "seed": self.options.seed}

  def _split_generators(self, dl_manager):
    if self.raw is not None:
      return super()._split_generators(dl_manager)
    # TFDS makes one split after the other, and a picture is to be in one of them only.
    seen = set()
    return {split: self._recorded(split, seen) for split in tree.SPLITS}

  def _recorded(self, split, seen):
    for game in self.options.chosen:
      files = self._new_pictures(game, split, seen)
      for index, file in enumerate(itertools.islice(files, self._count(split))):
        example = tree.example(f"{game}/{split}/{index:06d}", game, file)
        yield example["metadata"]["key"], example
        self.progress.advance(1)

  def _new_pictures(self, game, split, seen):
    """Pictures of a game that differ from all in `seen`; InputError where there are no more."""
    games = (self._game(game, split, number) for number in itertools.count())
    fruitless = 0
    for files in ordered_map(recorder.play, games, self.processes):
      fruitless += 1
      for file in files:
        digest = hashlib.sha256(file).digest()
        if digest not in seen:
          seen.add(digest)
          fruitless = 0
          yield file
      if fruitless == FRUITLESS:
        raise InputError(
          f"atari config {self.builder_config.name}: random play of {game} leads to no more "
          f"pictures; ask for fewer, or for more of each game with a lower `every`"
        )

  def _game(self, name, split, number) -> recorder.Game:
    return recorder.Game(name, split, number, self.options.every, self.options.seed)

  def _count(self, split) -> int:
    return getattr(self.options, split)
