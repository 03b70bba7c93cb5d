"""Which scenarios and pictures of ShapeStacks are there, and to which split they belong."""

import re
from collections.abc import Iterator
from pathlib import Path

from data.raw.frames import Like
from data.raw.raw_images import read_bytes
from data.shapestacks.names import Options
from data.shapestacks.views import Scenario, View
from objectcentric_jax.errors import InputError

LISTS = {"train": "train.txt", "validation": "eval.txt", "test": "test.txt"}
RECORDINGS, MASKS = "recordings", "iseg"
_SCENARIO = re.compile(r"env_[a-z]+-[a-z]+-h=([0-9]+)-vcom=([0-9]+)-vpsf=([0-9]+)-v=[0-9]+")
_PICTURE = re.compile(r"rgb-w=([0-9]+)-f=([0-9]+)-l=([0-9]+)-c=([a-z]+)-cam_([0-9]+)-mono-0\.png")


def find(raw: Path, options: Options) -> tuple[dict[str, list[Scenario]], dict[str, int]]:
  """The scenarios of every split that are there, and how many its list names.

  Raises:
    InputError: a folder or the lists are missing, or name something else; none is there.
  """
  if not (raw / RECORDINGS).is_dir():
    raise InputError(f"--from {raw} is not ShapeStacks: it has no folder {RECORDINGS}")
  if not options.images and not (raw / MASKS).is_dir():
    raise InputError(
      f"--from {raw} has no folder {MASKS} of instance masks; unpack them there, or convert the "
      f"pictures alone: shapestacks/{options.lists}_images"
    )
  listed = _lists(raw, options.lists)
  found = {
    split: [_scenario(name) for name in names if (raw / RECORDINGS / name).is_dir()]
    for split, names in listed.items()
  }
  if not any(found.values()):
    raise InputError(f"--from {raw} has none of the listed scenarios in {raw / RECORDINGS}")
  counts = {split: len(names) for split, names in listed.items()}
  return {split: scenarios for split, scenarios in found.items() if scenarios}, counts


def views(raw: Path, scenario: Scenario, options: Options, like: Like | None = None) -> list[View]:
  """The pictures of a scenario in the order of their names, and the masks of their cameras.

  Args:
    raw: the folder with all.
    scenario: which.
    options: say whether masks are wanted.
    like: gives the size of all pictures.

  Raises:
    InputError: a picture whose name does not say what it shows.
  """
  found = []
  for path in sorted((raw / RECORDINGS / scenario.name).iterdir()):
    if path.name.startswith("rgb-") and path.name.endswith("-mono-0.png"):
      name = _PICTURE.fullmatch(path.name)
      if not name:
        raise InputError(f"{path} is not named rgb-w=N-f=N-l=N-c=NAME-cam_N-mono-0.png")
      walls, floor, lighting, _, camera = name.groups()
      # One for all walls, floors and lights: the towers stand still.
      mask = raw / MASKS / scenario.name / f"iseg-w=0-f=0-l=0-c=original-cam_{camera}-mono-0.map"
      found.append(
        View(
          key=f"{scenario.name}/{path.stem}",
          scenario=scenario,
          image=path,
          mask=None if options.images else mask,
          camera=int(camera),
          walls=int(walls),
          floor=int(floor),
          lighting=int(lighting),
          colours=name[4],
          like=like,
        )
      )
  return found


def _lists(raw: Path, lists: str) -> dict[str, list[str]]:
  """The names in every list that is there."""
  paths = {split: raw / "splits" / lists / name for split, name in LISTS.items()}
  if not any(path.is_file() for path in paths.values()):
    raise InputError(f"--from {raw} has no list of scenarios, such as {paths['train']}")
  found, of = {}, {}
  for split, path in paths.items():
    if path.is_file():
      found[split] = list(dict.fromkeys(_names(path)))
      for scenario in found[split]:
        if of.setdefault(scenario, path) != path:
          raise InputError(f"{path} lists {scenario}, which is also in {of[scenario]}")
  return found


def _names(path: Path) -> Iterator[str]:
  for line in read_bytes(path).decode(errors="replace").split("\n"):
    if line.strip():
      if not _SCENARIO.fullmatch(line.strip()):
        raise InputError(f"{path} lists {line.strip()!r}, not a scenario env_...-h=N-vcom=N-...")
      yield line.strip()


def _scenario(name: str) -> Scenario:
  height, centre_violated, footing_violated = map(int, _SCENARIO.fullmatch(name).groups())
  return Scenario(name, height, stable=not centre_violated and not footing_violated)
