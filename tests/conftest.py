"""What every test runs under: set before jax is imported, inherited by commands it starts."""

import gc
import importlib
import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
SMALL_SET = "32px_1-3_train40_validation8_test8"
# The smallest GENESIS-V2, for `python -m experiments.train`.
TINY = (
  "--config=configs/genesis_v2/multi_dsprites.py:smoke",
  "--config.data.side=32",
  "--config.model.features=8",
  "--config.model.slots=3",
  "--config.model.unroll=1",
)

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
# Nearly all time of the tests goes into compiling what then runs for a moment.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# Simulated devices wait for each other in threads, of which XLA starts as many as this.
os.environ.setdefault("NPROC", "16")
# Compiled programs are kept, so that commands start quickly and a second run of the tests does.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(ROOT / ".xla_cache"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

import absl.logging  # noqa: E402, F401  its flags are not a command's, see `functions_of`
import jax  # noqa: E402
import pytest  # noqa: E402
from absl import flags  # noqa: E402

from tests.golden.case import PUBLIC  # noqa: E402

# Programs are graphs of millions of small objects, which Python else walks through again and again.
gc.set_threshold(200_000)

flags.FLAGS.mark_as_parsed()  # grain's worker processes read a flag


# A checkout without the golden cases, which are kept apart for their size, has all other tests.
if not PUBLIC.is_dir():
  tests = ROOT.joinpath("tests").rglob("test_*.py")
  collect_ignore = [str(path) for path in tests if "golden.PUBLIC" in path.read_text()]


def functions_of(command: str):
  """The module of a command, for what it computes apart from its flags.

  These are taken back, for many commands define flags of the same names.
  """
  before = set(flags.FLAGS)
  module = importlib.import_module(f"experiments.{command}")
  for name in set(flags.FLAGS) - before:
    delattr(flags.FLAGS, name)
  return module


def pytest_collection_finish():
  """What has been imported stays."""
  gc.collect()
  gc.freeze()


def pytest_report_header() -> str:
  """Says which golden cases are run."""
  if PUBLIC.is_dir():
    return f"golden cases: {PUBLIC}"
  return (
    f"no golden cases at {PUBLIC} (or OBJECTCENTRIC_GOLDEN): {len(collect_ignore)} files left out"
  )


@pytest.fixture(scope="module")
def optimised():
  """A module's programs are compiled as users have them, for numbers that are compared closely."""
  name = "jax_disable_most_optimizations"
  before = jax.config.read(name)
  jax.config.update(name, False)
  yield
  jax.config.update(name, before)


@pytest.fixture(scope="session")
def small_set(tmp_path_factory):
  """Folder of prepared sets that has multi_dsprites/SMALL_SET: 40, 8 and 8 scenes."""
  from data import prepare

  root = tmp_path_factory.mktemp("prepared")
  prepare.prepare(f"multi_dsprites/{SMALL_SET}", root, processes=1)
  return root


def start(module: str, *arguments, devices: int = 1, **environment: str) -> subprocess.Popen:
  """`python -m MODULE ARGUMENTS` with so many devices, in a process group of its own."""
  simulated = f"--xla_force_host_platform_device_count={devices}"
  return subprocess.Popen(
    [sys.executable, "-m", module, *map(str, arguments)],
    cwd=ROOT,
    env={**os.environ, "XLA_FLAGS": simulated, **environment},
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    start_new_session=True,
  )


def kill(process: subprocess.Popen):
  """kill -9 of the process and all that it started."""
  os.killpg(process.pid, signal.SIGKILL)
  process.communicate()


def finish(process: subprocess.Popen, seconds: float = 300) -> tuple[int, str, str]:
  """Exit status, output and errors; the process does not outlive its time."""
  try:
    out, errors = process.communicate(timeout=seconds)
  except subprocess.TimeoutExpired:
    kill(process)
    raise
  return process.returncode, out, errors


def run(module: str, *arguments, **options) -> str:
  """Output of a command that must succeed."""
  status, out, errors = finish(start(module, *arguments, **options))
  assert status == 0, f"{module} {arguments} ended with {status}:\n{out}\n{errors}"
  return out
