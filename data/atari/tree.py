"""The published Atari pictures: a folder a game with one a split.

No jax and no tensorflow_datasets, so that worker processes can import it.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from data.atari.games import FOLDERS, GAMES
from data.raw.frames import Like, first_size, read_picture
from objectcentric_jax.errors import InputError

SPLITS = ("train", "validation", "test")  # also the names of the folders
SUFFIXES = (".png", ".jpg")
ROOT = "ATARI"


class Picture(NamedTuple):
  """A picture of a game."""

  key: str
  game: str
  path: Path
  like: Like


def pictures(raw: Path, games: Iterable[str]) -> dict[str, list[Picture]]:
  """The pictures of every split that is there, games and their files in the order of their names.

  Args:
    raw: the folder of the games, or one that holds it as `ATARI`.
    games: whose pictures are wanted; some may not be there.

  Raises:
    InputError: none is there, or a folder without pictures.
  """
  games = list(games)
  for root in (raw, raw / ROOT):
    there = [game for game in games if (root / FOLDERS[game]).is_dir()]
    if there:
      break
  else:
    names = ", ".join(FOLDERS[game] for game in games)
    raise InputError(f"--from {raw} has none of the folders {names}, nor has {ROOT} in it")
  found = {split: [] for split in SPLITS}
  for game in sorted(there, key=FOLDERS.get):
    for split in SPLITS:
      if (root / FOLDERS[game] / split).is_dir():
        found[split] += _of_folder(root, game, split)
  if not any(found.values()):
    raise InputError(f"{root / FOLDERS[there[0]]} has no folder {', '.join(SPLITS)}")
  return {split: part for split, part in found.items() if part}


def common_size(found: dict[str, list[Picture]]) -> tuple[int | None, int | None]:
  """Height and width of all pictures; None where games differ."""
  sizes = {picture.like.size for part in found.values() for picture in part}
  return sizes.pop() if len(sizes) == 1 else (None, None)


def read_example(picture: Picture) -> list[dict[str, Any]]:
  """A picture as it is stored; Damaged as `data.raw.frames.read_picture`."""
  return [example(picture.key, picture.game, read_picture(picture.path, picture.like))]


def example(key: str, game: str, image: bytes) -> dict[str, Any]:
  """What is stored of every picture."""
  return {"image": image, "label": GAMES.index(game), "metadata": {"key": key}}


def _of_folder(root: Path, game: str, split: str) -> list[Picture]:
  folder = root / FOLDERS[game] / split
  paths = sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES and p.name[0] != ".")
  if not paths:
    raise InputError(f"{folder} holds no picture ({', '.join(SUFFIXES)})")
  like = first_size(paths)
  return [
    Picture(f"{path.relative_to(root).with_suffix('').as_posix()}", game, path, like)
    for path in paths
  ]
