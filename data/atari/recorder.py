"""Pictures of Atari games in play, recorded from the Arcade Learning Environment.

ale-py, an extra, is imported only where a game is played; it brings the games with it. No jax and
no tensorflow_datasets, so that worker processes can import it.
"""

import importlib.util
import io
from typing import NamedTuple

import numpy as np
from PIL import Image

from data.atari.games import GAMES
from data.atari.tree import SPLITS
from objectcentric_jax.errors import InputError

SIDE = 128  # of the pictures, as the published loader resizes them
FRAME_SKIP = 4  # frames of a decision
STICKY = 0.25  # how likely the last action is repeated
TITLE = 50  # first decisions of a game, in which it shows its title or nothing
LONGEST = 2000  # decisions after which a game is given up: some do not end by themselves


class Game(NamedTuple):
  """One game to be played, by chance that no other game shares."""

  name: str
  split: str
  number: int
  every: int
  seed: int


def check_installed() -> None:
  """InputError, with the command that installs it, unless ale-py is there."""
  if importlib.util.find_spec("ale_py") is None:
    raise InputError(
      "atari pictures are recorded with ale-py (GPL-2.0): install it with: pip install ale-py, "
      "or give the published pictures, --from RAW"
    )


def play(game: Game) -> list[bytes]:
  """Plays a game by random actions.

  Args:
    game: which.

  Returns:
    every `every`-th picture behind the first TITLE decisions, as PNG files of SIDE x SIDE.
  """
  import ale_py
  import ale_py.roms

  chance = np.random.default_rng(
    [game.seed, SPLITS.index(game.split), GAMES.index(game.name), game.number]
  )
  ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)
  ale = ale_py.ALEInterface()
  ale.setInt("random_seed", int(chance.integers(2**31)))
  ale.setInt("frame_skip", FRAME_SKIP)
  ale.setFloat("repeat_action_probability", STICKY)
  ale.loadROM(ale_py.roms.get_rom_path(game.name))
  actions = ale.getMinimalActionSet()
  files = []
  for decision in range(LONGEST):
    if ale.game_over():
      break
    ale.act(actions[chance.integers(len(actions))])
    if decision >= TITLE and (decision - TITLE) % game.every == 0:
      files.append(_png(ale.getScreenRGB()))
  return files


def _png(screen: np.ndarray) -> bytes:
  resized = Image.fromarray(screen).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
  file = io.BytesIO()
  resized.save(file, "PNG")
  return file.getvalue()
