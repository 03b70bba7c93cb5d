"""Makes datasets: generates them or converts downloaded files, and checks what is there.

python -m data.prepare NAME[/variant] [--from RAW] [--data-dir DIR] [--processes N] [--overwrite]
    [--skip-damaged] [--beam[=OPTIONS]]
python -m data.prepare --list [--data-dir DIR]
"""

import argparse
import contextlib
import difflib
import fcntl
import importlib
import io
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import tensorflow_datasets as tfds

from data.building import beam
from data.building.builder import RecordsBuilder, quiet_tfds
from data.building.downloaded_builder import DownloadedBuilder
from data.building.progress import Progress
from data.raw import archives
from objectcentric_jax import records
from objectcentric_jax.errors import InputError, run_command

SHARD_BYTES = (100 << 20, 200 << 20)  # least (but for the last) and most of a shard
DAMAGED = "damaged.txt"  # what --skip-damaged left out of a set
SHOWN_DAMAGED = 20
MAX_PROCESSES = 8  # by default: one process writes what the others make


def dataset_names() -> list[str]:
  """The datasets that can be made: the folders here with a builder."""
  folders = Path(__file__).resolve().parent.glob("*/")
  return sorted(f.name for f in folders if (f / f"{f.name}_dataset_builder.py").is_file())


def can_generate(name: str) -> bool:
  """Whether `name` (a dataset, with or without a variant) can be made without raw files."""
  return _builder_class(name.partition("/")[0]).GENERATED


def prepare(
  name: str,
  data_dir: str | os.PathLike | None = None,
  raw: str | os.PathLike | None = None,
  processes: int | None = None,
  overwrite: bool = False,
  skip_damaged: bool = False,
  beam_options: str | None = None,
) -> Path:
  """Makes a dataset unless it is there and whole.

  Args:
    name: "multi_dsprites" for the default config, or "multi_dsprites/<config>".
    data_dir: folder of prepared sets, see `objectcentric_jax.records.data_root`.
    raw: downloaded file or folder to convert, or a zip or tar archive of it.
    processes: that make examples; by default one a core, at most MAX_PROCESSES. The data do not
      depend on it.
    overwrite: makes it again, replacing what is there.
    skip_damaged: leaves damaged examples of raw files out and says which.
    beam_options: runs the builder on Apache Beam with these options, see `data.building.beam`.

  Returns:
    The version directory of the set.

  Raises:
    InputError: an unknown name, unusable raw files, too little space, or a damaged set there.
  """
  dataset, _, config = name.partition("/")
  builder_class = _builder_class(dataset)
  config = builder_class.config_named(config or builder_class.DEFAULT_CONFIG).name
  if raw is None and not builder_class.GENERATED:
    raise InputError(f"{dataset} is not generated: give the downloaded files, --from RAW")
  if processes is not None and processes < 1:
    raise InputError(f"--processes {processes}: at least 1 is needed")
  if beam_options is not None and (
    not issubclass(builder_class, DownloadedBuilder) or builder_class.ORDERED
  ):
    raise InputError(f"--beam: {dataset} is not made item by item; leave it out")
  raw = None if raw is None else Path(raw).expanduser().absolute()
  root = records.data_root(data_dir).absolute()
  target = root / dataset / config / str(builder_class.VERSION)
  target.parent.mkdir(parents=True, exist_ok=True)
  with _locked(root / dataset / f".{config}.lock", f"{dataset}/{config}"):
    if target.exists() and not overwrite:
      records.verify(target)
      _check_source(target, builder_class, raw)
      print(f"{dataset}/{config} is ready and whole: {target}")
      return target
    with _workshop(root / dataset / f".{config}.building") as workshop, quiet_tfds():
      if raw is not None and archives.is_archive(raw):
        raw = _unpacked(raw, workshop / "raw", builder_class, config)
      processes = processes or min(MAX_PROCESSES, os.cpu_count() or 1)
      builder = builder_class(
        config=config, data_dir=workshop, raw=raw, processes=processes, skip_damaged=skip_damaged
      )
      total = _announce(builder, target)
      if beam_options is None:
        builder.progress = Progress(total)
      else:
        builder.beam_notes = workshop / "damage"
      _build(builder, beam_options)
      records.note_default_config(root / dataset, builder_class.DEFAULT_CONFIG)
      if target.exists():
        target.rename(workshop / "replaced")
      Path(builder.data_dir).rename(target)
  print(f"{dataset}/{config} is ready: {target}")
  return target


def _builder_class(dataset: str) -> type[RecordsBuilder]:
  known = dataset_names()
  if dataset not in known:
    close = difflib.get_close_matches(dataset, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise InputError(f"no dataset is called {dataset!r}; {hint}there are: {', '.join(known)}")
  return importlib.import_module(f"data.{dataset}.{dataset}_dataset_builder").Builder


def _check_source(target: Path, builder_class: type[RecordsBuilder], raw: Path | None) -> None:
  """InputError when the set was made from something else than what was asked for now."""
  if raw is not None and archives.is_archive(raw):
    print(f"what is in {raw} is not compared with the set; --overwrite makes it again")
    return
  config = builder_class.config_named(target.parent.name)
  found, wanted = records.metadata(target)["source"], builder_class.source_of(raw, config)
  if raw is not None and found != wanted:
    raise InputError(f"{target} was made from {found}, not {wanted}; replace it with --overwrite")


def _unpacked(
  archive: Path, folder: Path, builder_class: type[RecordsBuilder], config: str
) -> Path:
  """Unpacks an archive; the folder in it that the builder can use."""
  print(f"unpacking {archive}", flush=True)
  archives.unpack(archive, folder)
  inside = list(folder.iterdir())
  if len(inside) == 1 and inside[0].is_dir():  # many archives hold one folder with all the rest
    try:
      builder_class.source_of(folder, builder_class.config_named(config))
    except InputError:
      return inside[0]
  return folder


@contextlib.contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
  """Lets one process at a time make a set; the system frees the lock of one that is killed."""
  with path.open("w") as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
      print(f"another process is preparing {name}; waiting for it", flush=True)
      fcntl.flock(file, fcntl.LOCK_EX)
    yield


@contextlib.contextmanager
def _workshop(path: Path) -> Iterator[Path]:
  """An empty folder beside the sets, for a build; what a killed build left in it is removed."""
  if path.exists():
    print(f"removing what an unfinished build left in {path}", flush=True)
    shutil.rmtree(path)
  path.mkdir()
  try:
    yield path
  finally:
    shutil.rmtree(path)


def _announce(builder: RecordsBuilder, target: Path) -> int:
  """Says what will be made, returns how many scenes; InputError when it does not fit the disk."""
  count, size = builder.estimate()
  print(f"{builder.name}/{builder.builder_config.name}: {count:,} scenes, about {_megabytes(size)}")
  print(f"  source: {builder.source} ({builder.SOURCE})\n  licence: {builder.LICENCE}")
  print(f"  into: {target}", flush=True)
  free = shutil.disk_usage(target.parent).free
  needed = 2 * size + builder.scratch_bytes()  # twice, since TFDS shuffles through files
  if free < needed:
    raise InputError(
      f"{target.parent} has {_megabytes(free)} free, {_megabytes(needed)} are needed; "
      "choose another place with --data-dir"
    )
  return count


def _build(builder: RecordsBuilder, beam_options: str | None) -> None:
  least, most = SHARD_BYTES
  sharding = {"min_shard_size": least, "max_shard_size": most}
  if beam_options is None:
    config, watched = tfds.download.DownloadConfig(**sharding), contextlib.nullcontext()
  else:
    config = beam.download_config(beam_options, **sharding)
    watched = beam.damage_reported(builder.beam_notes, builder.damaged)
  try:
    with watched, contextlib.redirect_stdout(io.StringIO()):  # TFDS prints temporary paths
      builder.download_and_prepare(download_config=config)
  except AssertionError as error:
    if "No examples were yielded" not in str(error):
      raise
    left_out = f"; {len(builder.damaged)} are damaged" if builder.damaged else ""
    raise InputError(f"--from {builder.raw}: no example for one of the splits{left_out}") from None
  finally:
    builder.progress.end()
  directory = Path(builder.data_dir)
  if builder.damaged:
    _list_damaged(builder, directory)
  counts = {name: split.num_examples for name, split in builder.info.splits.items()}
  print("  made: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
  records.write_manifest(directory)


def _list_damaged(builder: RecordsBuilder, directory: Path) -> None:
  """Says what was left out, and keeps the list with the set."""
  lines = [f"{damaged.path} {damaged.reason}" for damaged in builder.damaged]
  (directory / DAMAGED).write_text("\n".join(lines) + "\n")
  records.add_metadata(directory, skipped=len(lines))
  print(f"left out {len(lines)} damaged (listed in the set's {DAMAGED}):")
  for line in lines[:SHOWN_DAMAGED]:
    print(f"  {line}")
  if len(lines) > SHOWN_DAMAGED:
    print(f"  and {len(lines) - SHOWN_DAMAGED} more")


def _megabytes(size: int) -> str:
  return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def table(root: Path) -> str:
  """Every dataset and its prepared configs under `root`, one line each, with their state."""
  rows = [("NAME", "STATE", "SIZE", "MADE FROM", "LICENCE")]
  for dataset in dataset_names():
    builder_class = _builder_class(dataset)
    configs = records.prepared_configs(dataset, root)
    default = builder_class.DEFAULT_CONFIG
    if default not in configs:
      origin = builder_class.SOURCE
      if not builder_class.GENERATED:
        origin = f"--from RAW: {origin}"
      state = ("not prepared", builder_class.SIZE, origin)
      rows.append((f"{dataset}/{default}", *state, builder_class.LICENCE))
    for config in configs:
      state = _state(records.find(f"{dataset}/{config}", root))
      rows.append((f"{dataset}/{config}", *state, builder_class.LICENCE))
    for workshop in sorted(root.joinpath(dataset).glob(".*.building")):
      config = workshop.name[1:].removesuffix(".building")
      state = ("unfinished", "-", "being made, or left by a killed build")
      rows.append((f"{dataset}/{config}", *state, "-"))
  widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
  lines = [[*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]] for row in rows]
  return "\n".join("  ".join(line) for line in lines)


def _state(directory: Path) -> tuple[str, str, str]:
  size = _megabytes(sum(p.stat().st_size for p in directory.rglob("*") if p.is_file()))
  try:
    records.verify(directory)
    about = records.metadata(directory)
  except InputError as error:
    return "damaged", size, str(error)
  skipped = about.get("skipped", 0)
  return f"ready, {skipped} left out" if skipped else "ready", size, about["source"]


def main(arguments: Sequence[str]) -> None:
  parser = argparse.ArgumentParser(
    prog="python -m data.prepare", description=__doc__.splitlines()[0], allow_abbrev=False
  )
  parser.add_argument("name", nargs="?", metavar="NAME[/variant]")
  parser.add_argument("--from", dest="raw", help="downloaded file, folder or archive to convert")
  parser.add_argument("--data-dir", help="folder of prepared sets")
  parser.add_argument("--processes", type=int, help="processes that make examples")
  parser.add_argument("--overwrite", action="store_true", help="make it again")
  parser.add_argument("--skip-damaged", action="store_true", help="leave damaged examples out")
  parser.add_argument(
    "--beam", nargs="?", const="", metavar="OPTIONS", help="on Apache Beam, for sets of many files"
  )
  parser.add_argument("--list", action="store_true", help="show all datasets and their state")
  flags = parser.parse_args(arguments)
  if flags.list:
    print(table(records.data_root(flags.data_dir)))
  elif flags.name is None:
    raise InputError("name a dataset, or see them with: python -m data.prepare --list")
  else:
    prepare(
      flags.name,
      flags.data_dir,
      flags.raw,
      flags.processes,
      flags.overwrite,
      flags.skip_damaged,
      flags.beam,
    )


if __name__ == "__main__":
  run_command(main)
