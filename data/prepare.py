"""Makes datasets: generates them or converts downloaded files, and checks what is there.

python -m data.prepare NAME[/variant] [--from RAW] [--data-dir DIR] [--processes N] [--overwrite]
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

from data.builder import RecordsBuilder, quiet_tfds
from data.progress import Progress
from objectcentric_jax import records
from objectcentric_jax.errors import InputError, run_command

SHARD_BYTES = (100 << 20, 200 << 20)  # least (but for the last) and most of a shard
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
) -> Path:
  """Makes a dataset unless it is there and whole.

  Args:
    name: "multi_dsprites" for the default config, or "multi_dsprites/<config>".
    data_dir: folder of prepared sets, see `objectcentric_jax.records.data_root`.
    raw: downloaded file or folder to convert.
    processes: that make examples; by default one a core, at most MAX_PROCESSES. The data do not
      depend on it.
    overwrite: makes it again, replacing what is there.

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
      processes = processes or min(MAX_PROCESSES, os.cpu_count() or 1)
      builder = builder_class(config=config, data_dir=workshop, raw=raw, processes=processes)
      builder.progress = Progress(total=_announce(builder, target))
      _build(builder)
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
  config = builder_class.config_named(target.parent.name)
  found, wanted = records.metadata(target)["source"], builder_class.source_of(raw, config)
  if raw is not None and found != wanted:
    raise InputError(f"{target} was made from {found}, not {wanted}; replace it with --overwrite")


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


def _build(builder: RecordsBuilder) -> None:
  least, most = SHARD_BYTES
  sharding = tfds.download.DownloadConfig(min_shard_size=least, max_shard_size=most)
  try:
    with contextlib.redirect_stdout(io.StringIO()):  # TFDS prints temporary paths
      builder.download_and_prepare(download_config=sharding)
  finally:
    builder.progress.end()
  records.write_manifest(Path(builder.data_dir))


def _megabytes(size: int) -> str:
  return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"


def table(root: Path) -> str:
  """Every dataset and its prepared configs under `root`, one line each, with their state."""
  rows = [("NAME", "STATE", "SIZE", "MADE FROM")]
  for dataset in dataset_names():
    builder_class = _builder_class(dataset)
    origin = "generated, or --from RAW" if builder_class.GENERATED else "--from RAW"
    configs = records.prepared_configs(dataset, root)
    default = builder_class.DEFAULT_CONFIG
    if default not in configs:
      rows.append((f"{dataset}/{default}", "not prepared", "-", origin))
    for config in configs:
      rows.append((f"{dataset}/{config}", *_state(records.find(f"{dataset}/{config}", root))))
    for workshop in sorted(root.joinpath(dataset).glob(".*.building")):
      config = workshop.name[1:].removesuffix(".building")
      rows.append(
        (f"{dataset}/{config}", "unfinished", "-", "being made, or left by a killed build")
      )
  widths = [max(len(row[column]) for row in rows) for column in range(3)]
  lines = [[*(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[-1]] for row in rows]
  return "\n".join("  ".join(line) for line in lines)


def _state(directory: Path) -> tuple[str, str, str]:
  size = _megabytes(sum(p.stat().st_size for p in directory.rglob("*") if p.is_file()))
  try:
    records.verify(directory)
    return "ready", size, records.metadata(directory)["source"]
  except InputError as error:
    return "damaged", size, str(error)


def main(arguments: Sequence[str]) -> None:
  parser = argparse.ArgumentParser(
    prog="python -m data.prepare", description=__doc__.splitlines()[0], allow_abbrev=False
  )
  parser.add_argument("name", nargs="?", metavar="NAME[/variant]")
  parser.add_argument("--from", dest="raw", help="downloaded file or folder to convert")
  parser.add_argument("--data-dir", help="folder of prepared sets")
  parser.add_argument("--processes", type=int, help="processes that make examples")
  parser.add_argument("--overwrite", action="store_true", help="make it again")
  parser.add_argument("--list", action="store_true", help="show all datasets and their state")
  flags = parser.parse_args(arguments)
  if flags.list:
    print(table(records.data_root(flags.data_dir)))
  elif flags.name is None:
    raise InputError("name a dataset, or see them with: python -m data.prepare --list")
  else:
    prepare(flags.name, flags.data_dir, flags.raw, flags.processes, flags.overwrite)


if __name__ == "__main__":
  run_command(main)
