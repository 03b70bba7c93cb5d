"""Atari: the published tree, and pictures recorded from an emulator (here one made up)."""

import importlib.machinery
import io
import sys
import types

import numpy as np
import pytest
from PIL import Image

from data.atari import recorder
from data.atari.atari_dataset_builder import FRUITLESS, Builder
from data.atari.games import FOLDERS, GAMES, NAMES, Options
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

HEIGHT, WIDTH = 21, 16
SPLITS = {"train": 3, "validation": 2, "test": 1}


def save_tree(root, games=("qbert", "ms_pacman"), heights=(HEIGHT, HEIGHT)):
  for game, height in zip(games, heights, strict=True):
    for split, count in SPLITS.items():
      for number in range(count):
        pixels = raw_trees.pixels(10 * number + len(split), height, WIDTH)
        raw_trees.save(root / FOLDERS[game] / split / f"{number:05d}.png", pixels)
  return root


# Published pictures


@pytest.mark.parametrize("heights", [(HEIGHT, HEIGHT), (HEIGHT, HEIGHT + 1)])
def test_published_pictures_stay_as_they_are(tmp_path, heights):
  raw = save_tree(tmp_path / "raw" / "ATARI", heights=heights).parent
  directory = prepare("atari/joint", tmp_path / "data", raw, processes=1)
  splits = raw_trees.read(directory)
  assert {split: len(found) for split, found in splits.items()} == {
    split: 2 * count for split, count in SPLITS.items()
  }
  for split, found in splits.items():
    for key, example in found.items():
      pixels = np.asarray(Image.open(raw / "ATARI" / f"{key}.png"))
      np.testing.assert_array_equal(example["image"], pixels)
      game = "ms_pacman" if key.startswith("MsPacman-v0") else "qbert"
      assert example["label"] == GAMES.index(game) and key.split("/")[1] == split
  described = records.metadata(directory)
  assert described["bgr"] is True and described["games"] == list(GAMES)
  counts = "6 train, 4 validation, 2 test"
  assert described["source"] == f"ATARI, 2 of 10 games: {counts}"


def test_joint_training_is_without_river_raid(tmp_path):
  raw = save_tree(tmp_path / "raw", ("riverraid", "qbert"))
  assert len(GAMES) == 11 and len(Options("joint").chosen) == 10
  for name, games in (("joint", 1), ("all", 2), ("riverraid", 1)):
    found = Builder.source_of(raw, Builder.config_named(name))
    assert found.startswith(f"ATARI, {games} of {len(Options(name).chosen)} games: {3 * games} ")


@pytest.mark.parametrize(
  "config, damage, words",
  [
    ("pooyan", lambda raw: None, "none of the folders Pooyan-v0, nor has ATARI in it"),
    ("joint_train5", lambda raw: None, "all pictures that are there are converted; name .* joint$"),
    (
      "qbert",
      lambda raw: raw_trees.cut_short(raw / "Qbert-v0/train/00001.png"),
      "00001.png cannot",
    ),
    (
      "qbert",
      lambda raw: raw_trees.save(raw / "Qbert-v0/test/00003.png", raw_trees.pixels(0, 5, 5)),
      "00003.png has 5x5 pixels, but .*test/00000.png has 21x16",
    ),
    (
      "qbert",
      lambda raw: (raw / "Qbert-v0/test/00000.png").unlink(),
      "Qbert-v0/test holds no picture",
    ),
    (
      "qbert",
      lambda raw: [p.rename(p.with_name(f"my {p.name}")) for p in [*raw.glob("Qbert-v0/*")]],
      "Qbert-v0 has no folder train, validation, test",
    ),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, config, damage, words):
  raw = save_tree(tmp_path / "raw")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare(f"atari/{config}", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)


# Recorded pictures


class Emulator:
  """Stands in for ale-py's: its screens tell the chance and the decision."""

  length = 150
  same = False  # whether all screens are alike
  made = []

  def __init__(self):
    self.settings, self.decision, self.actions = {}, 0, []
    self.made.append(self)

  @staticmethod
  def setLoggerMode(mode):
    assert mode == "error"

  def setInt(self, name, value):
    self.settings[name] = value

  setFloat = setInt

  def loadROM(self, path):
    self.rom = path

  def getMinimalActionSet(self):
    return ["noop", "fire", "left"]

  def game_over(self):
    return self.decision == self.length

  def act(self, action):
    self.actions.append(action)
    self.decision += 1

  def getScreenRGB(self):
    # The same for ten decisions.
    seed = [0] if self.same else [self.settings["random_seed"], self.decision // 10]
    coarse = np.random.default_rng(seed).integers(0, 256, (21, 16, 3), np.uint8)
    return coarse.repeat(10, axis=0).repeat(10, axis=1)


@pytest.fixture
def emulator(monkeypatch):
  """The class of emulators; `made` are all there were."""
  library = types.ModuleType("ale_py")
  library.__spec__ = importlib.machinery.ModuleSpec("ale_py", None)
  library.LoggerMode = types.SimpleNamespace(Error="error")
  library.roms = types.ModuleType("ale_py.roms")
  library.roms.get_rom_path = "roms/{}.bin".format
  library.ALEInterface = type("ALEInterface", (Emulator,), {"made": []})
  monkeypatch.setitem(sys.modules, "ale_py", library)
  monkeypatch.setitem(sys.modules, "ale_py.roms", library.roms)
  return library.ALEInterface


def test_a_game_is_played_by_chance(emulator):
  files = recorder.play(recorder.Game("ms_pacman", "validation", 4, 7, 1))
  (ale,) = emulator.made
  assert ale.rom == "roms/ms_pacman.bin" and len(ale.actions) == ale.length
  assert ale.settings["frame_skip"] == 4 and ale.settings["repeat_action_probability"] == 0.25
  assert set(ale.actions) == {"noop", "fire", "left"}
  # The pictures after decisions 51, 58, ...: the first 50 show the title.
  assert len(files) == 15
  ale.decision = 58
  expected = Image.fromarray(ale.getScreenRGB()).resize((128, 128), Image.Resampling.BILINEAR)
  found = Image.open(io.BytesIO(files[1]))
  np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_chance_differs_by_game_split_number_and_seed(emulator):
  first = recorder.Game("qbert", "train", 0, 10, 0)
  others = [first._replace(name="pooyan"), first._replace(split="test")]
  others += [first._replace(number=1), first._replace(seed=1)]
  for game in (first, *others, first):
    recorder.play(game)
  drawn = [(ale.settings["random_seed"], tuple(ale.actions)) for ale in emulator.made]
  assert len(set(drawn)) == 5 and drawn[0] == drawn[-1]


def test_recorded_pictures_are_all_different(tmp_path, emulator):
  name = "atari/joint_every5_train12_validation4_test3_seed2"
  directory = prepare(name, tmp_path / "data", processes=1)
  splits = raw_trees.read(directory)
  assert {s: len(found) for s, found in splits.items()} == {
    "train": 120,
    "validation": 40,
    "test": 30,
  }
  pictures = [example["image"].tobytes() for found in splits.values() for example in found.values()]
  assert len(set(pictures)) == len(pictures)
  first = splits["test"]["qbert/test/000000"]
  assert first["image"].shape == (128, 128, 3) and first["label"] == GAMES.index("qbert")
  described = records.metadata(directory)
  assert described["bgr"] is False and described["seed"] == 2
  assert described["source"] == "recorded with ale-py"


def test_a_game_without_more_pictures_is_an_error(tmp_path, emulator):
  emulator.same = True
  emulator.length = recorder.TITLE + 1
  with pytest.raises(InputError, match="random play of qbert leads to no more pictures"):
    prepare("atari/qbert_train2", tmp_path / "data", processes=1)
  assert len(emulator.made) <= FRUITLESS + 2


def test_without_the_emulator_the_command_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "ale_py", None)
  with pytest.raises(InputError, match="pip install ale-py, or give .*, --from RAW"):
    prepare("atari", tmp_path)


def test_names():
  assert NAMES.parse("double_dunk_every20_train50") == Options("double_dunk", 20, 50, 5, 5)
  for options in (Options(), Options("all", seed=3), Options("ms_pacman", 12, 40, 4, 4)):
    assert NAMES.parse(NAMES.spell(options)) == options
  for name in ("pong", "joint_every0", "joint_train0", "qbert_seed1_every3"):
    with pytest.raises(InputError, match=r"joint\|all\|GAME"):
      NAMES.parse(name)
