"""Prepared datasets on disk: where they are, whether they are whole, what they say of themselves.

A prepared set is a TFDS version directory, `ROOT/<name>/<config>/<version>`, of ArrayRecord shards
with the standard TFDS metadata, and a manifest with the size and checksum of every file. The
manifest is written last, so that a directory without one is a build that did not end.

Standard library only. What makes datasets writes through this module and what reads them checks
through it.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from objectcentric_jax.errors import InputError

ENVIRONMENT_VARIABLE = "OBJECTCENTRIC_DATA"
MANIFEST = "manifest.json"
# Sizes and times at the last reading of all checksums; saves reading them again.
CHECKED = "manifest.checked.json"
METADATA = "metadata.json"  # the name TFDS gives to a MetadataDict
DEFAULT_CONFIG = ".config/metadata.json"  # where TFDS notes the default config of a dataset


def data_root(directory: str | os.PathLike | None = None) -> Path:
  """The folder of prepared sets: the argument, else $OBJECTCENTRIC_DATA, else one at home."""
  chosen = directory or os.environ.get(ENVIRONMENT_VARIABLE) or "~/objectcentric_data"
  return Path(chosen).expanduser()


def find(name: str, root: Path) -> Path:
  """The version directory of a prepared set.

  Args:
    name: "multi_dsprites" for the default config of a dataset or "multi_dsprites/<config>".
    root: the folder of prepared sets, see `data_root`.

  Raises:
    InputError: it is not there; names the place, the command, and the configs that are there.
  """
  dataset, _, config = name.partition("/")
  config = config or _default_config(root / dataset)
  place = root / dataset / config if config else root / dataset
  versions = _versions(place) if config else []
  if versions:
    return versions[-1]
  others = [] if not (root / dataset).is_dir() else prepared_configs(dataset, root)
  there = f" (prepared there: {', '.join(f'{dataset}/{c}' for c in others)})" if others else ""
  raise InputError(f"dataset {name} is not at {place}{there}; make it with: {command(name, root)}")


def prepared_configs(dataset: str, root: Path) -> list[str]:
  """The configs of a dataset that have a version directory under `root`, whole or not."""
  folders = sorted(root.joinpath(dataset).glob("*/"))
  return [f.name for f in folders if not f.name.startswith(".") and _versions(f)]


def command(name: str, root: Path, overwrite: bool = False) -> str:
  """The command that makes a set, as an error should quote it."""
  words = ["python -m data.prepare", name]
  if root.absolute() != data_root().absolute():
    words.append(f"--data-dir {root}")
  return " ".join([*words, "--overwrite"] if overwrite else words)


def metadata(directory: Path) -> dict[str, Any]:
  """What the set says of itself (its TFDS MetadataDict).

  Among it `labels` (segmentation ids including the background), `background_ids`, `max_objects`,
  `seed` and `source` ("generated", or the raw format it was converted from).
  """
  try:
    return json.loads((directory / METADATA).read_text())
  except (OSError, ValueError) as error:
    raise _damaged(directory, f"{METADATA} cannot be read ({error})") from None


def add_metadata(directory: Path, **values: Any) -> None:
  """Adds to what a set says of itself, before its manifest is written."""
  _write_whole(directory / METADATA, json.dumps({**metadata(directory), **values}))


def note_default_config(folder: Path, config: str) -> None:
  """Notes, as TFDS does, which config a dataset's name alone means.

  Args:
    folder: of the dataset, ROOT/<name>.
    config: its default config, prepared or not.
  """
  path = folder / DEFAULT_CONFIG
  path.parent.mkdir(exist_ok=True)
  _write_whole(path, json.dumps({"default_config_name": config}))


def write_manifest(directory: Path) -> None:
  """Notes the size and checksum of every file of a finished set; the last thing a build does."""
  paths = sorted(path for path in directory.rglob("*") if path.is_file())
  files = {
    path.relative_to(directory).as_posix(): {"size": path.stat().st_size, "sha256": _sha256(path)}
    for path in paths
    if path.name not in (MANIFEST, CHECKED)
  }
  _write_whole(directory / MANIFEST, json.dumps({"files": files}, indent=1))
  _note_checked(directory, files)


def verify(directory: Path) -> None:
  """Checks every file of a prepared set against its manifest.

  Sizes are always compared. Checksums are read again unless every file has the size and
  modification time it had when they were last read.

  Raises:
    InputError: names the first file that is missing, truncated or altered, and the command that
      rebuilds the set.
  """
  manifest = directory / MANIFEST
  if not manifest.is_file():
    raise _damaged(directory, f"has no {MANIFEST}, so its build did not end")
  try:
    files = dict(json.loads(manifest.read_text())["files"])
  except (ValueError, KeyError, TypeError):
    raise _damaged(directory, f"has an unreadable {MANIFEST}") from None
  for name, expected in files.items():
    path = directory / name
    if not path.is_file():
      raise _damaged(directory, f"lacks {name}")
    size = path.stat().st_size
    if size != expected["size"]:
      kind = "truncated" if size < expected["size"] else "altered"
      raise _damaged(directory, f"has {name} {kind}: {size} bytes instead of {expected['size']}")
  if _state(directory, files) == _last_checked(directory):
    return
  for name, expected in files.items():
    found = _sha256(directory / name)
    if found != expected["sha256"]:
      sums = f"sha256 {found[:12]}... instead of {expected['sha256'][:12]}..."
      raise _damaged(directory, f"has {name} altered: {sums}")
  _note_checked(directory, files)


def _damaged(directory: Path, what: str) -> InputError:
  dataset, config, _ = directory.absolute().parts[-3:]
  root = directory.absolute().parents[2]
  rebuild = command(f"{dataset}/{config}", root, overwrite=True)
  return InputError(f"dataset {directory} {what}; rebuild it with: {rebuild}")


def _default_config(folder: Path) -> str | None:
  try:
    return json.loads((folder / DEFAULT_CONFIG).read_text())["default_config_name"]
  except (OSError, ValueError, KeyError):
    return None


def _versions(place: Path) -> list[Path]:
  """Version directories, oldest version first."""

  def numbers(path):
    return tuple(int(n) for n in path.name.split("."))

  folders = [p for p in place.glob("*.*.*/") if all(n.isdigit() for n in p.name.split("."))]
  return sorted(folders, key=numbers)


def _state(directory: Path, files) -> dict:
  """What changes when a file does, short of reading it."""
  statuses = {name: (directory / name).stat() for name in files}
  state = {name: [status.st_size, status.st_mtime_ns] for name, status in statuses.items()}
  return {MANIFEST: _sha256(directory / MANIFEST), **state}


def _note_checked(directory: Path, files) -> None:
  try:
    _write_whole(directory / CHECKED, json.dumps(_state(directory, files), indent=1))
  except OSError:  # a folder one may only read is checked in full every time
    pass


def _last_checked(directory: Path) -> dict | None:
  try:
    return json.loads((directory / CHECKED).read_text())
  except (OSError, ValueError):
    return None


def _sha256(path: Path) -> str:
  with path.open("rb") as file:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _write_whole(path: Path, text: str) -> None:
  """Writes a file so that it is never seen half written."""
  temporary = path.with_name(f"{path.name}.{os.getpid()}")
  try:
    temporary.write_text(text)
    os.replace(temporary, path)
  finally:
    temporary.unlink(missing_ok=True)
