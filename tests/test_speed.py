"""The measuring command gives figures that agree with each other."""

import re

import pytest

from tests.conftest import SMALL_SET, TINY, finish, run, start


def figure(out: str, pattern: str) -> float:
  """The number that the pattern's group finds in the output."""
  return float(re.search(pattern, out).group(1).replace(",", ""))


def test_figures_agree(small_set):
  out = run(
    "experiments.speed",
    *TINY,
    f"--config.data.name=multi_dsprites/{SMALL_SET}",
    f"--config.data.directory={small_set}",
    *("--batch=4", "--steps=3", "--dtype=bfloat16", "--input"),
  )
  assert out.startswith("objectcentric_jax.models.genesis_v2, batch 4, bfloat16, 1 x cpu\n")
  parameters = figure(out, r"parameters +([\d,]+)\n")
  assert 50_000 < parameters < 200_000
  step = figure(out, r"step time +(\S+) s, median of 3")
  low, high = figure(out, r"\((\S+) to"), figure(out, r" to (\S+)\)")
  assert 0 < low <= step <= high
  assert figure(out, r"throughput +(\S+) images/s") == pytest.approx(4 / step, rel=0.2)
  # A convolution network's step: three passes of some hundred operations a parameter and image.
  operations = figure(out, r"arithmetic +(\S+) GFLOP a step") * 1e9
  assert 100 < operations / (4 * parameters) < 10_000
  speed = figure(out, r"GFLOP a step, (\S+) GFLOP/s") * 1e9
  assert speed == pytest.approx(operations / step, rel=0.3)
  rate = figure(out, r"matrix products +(\S+) GFLOP/s") * 1e9
  share = figure(out, r"reaches (\S+)% of it") / 100
  assert 0 < share < 1 and share == pytest.approx(speed / rate, rel=0.1, abs=0.005)
  assert figure(out, r"compile time +(\S+) s") > 0.5  # never served from the cache
  assert figure(out, r"input +(\d+) images/s") > 10
  assert figure(out, r"(\d+) MiB arguments") >= 1 and figure(out, r"(\d+) MiB in the process") > 100


@pytest.mark.parametrize(
  "arguments, devices, message",
  [
    (["--batch=3"], 2, "--batch is 3, which does not divide among 2 devices; use a multiple of 2"),
    (["--input"], 1, "--input measures a prepared dataset; this config has made-up scenes"),
    (
      ["--config.train.parallel=pmap"],
      1,
      "config.train.parallel is 'pmap': experiments.speed measures jit alone",
    ),
    (["--dtype=float16"], 1, "config.model.dtype is 'float16': choose float32 or bfloat16"),
  ],
)
def test_mistakes_are_one_line(arguments, devices, message):
  process = start("experiments.speed", *TINY, *arguments, devices=devices)
  status, _, errors = finish(process)
  assert status == 1 and errors.startswith("error: ") and len(errors.splitlines()) == 1, errors
  assert message in errors
