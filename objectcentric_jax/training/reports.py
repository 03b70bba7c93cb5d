"""Where scalars and pictures of a run go. Writers have the method names of clu's `MetricWriter`."""

import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from objectcentric_jax.errors import InputError

METRICS = "metrics.jsonl"


class JsonLinesWriter:
  """One plain JSON line a report in `metrics.jsonl`: {"step": ..., name: value, ...}.

  Warnings are lines of their own, whose values are texts.
  """

  def __init__(self, workdir: Path, resume_step: int):
    path = workdir / METRICS
    if path.exists():
      _keep_until(path, resume_step)
    self._file = path.open("a")

  def write_scalars(self, step: int, scalars: Mapping[str, float]):
    self._write({"step": step, **{name: _plain(value) for name, value in scalars.items()}})

  def write_texts(self, step: int, texts: Mapping[str, str]):
    self._write({"step": step, **texts})

  def write_images(self, step: int, images: Mapping[str, np.ndarray]):
    """Pictures are kept in `images/` by the loop."""

  def _write(self, line: Mapping[str, Any]):
    self._file.write(json.dumps(line) + "\n")
    self._file.flush()

  def close(self):
    self._file.close()


class TensorBoardWriter:
  """Event files for TensorBoard, through tensorboardX."""

  def __init__(self, workdir: Path, resume_step: int):
    try:
      import tensorboardX
    except ImportError:
      raise InputError(
        "config.train.tensorboard needs the package tensorboardX: pip install tensorboardX"
      ) from None
    self._writer = tensorboardX.SummaryWriter(str(workdir / "events"), purge_step=resume_step + 1)

  def write_scalars(self, step: int, scalars: Mapping[str, float]):
    for name, value in scalars.items():
      self._writer.add_scalar(name, float(value), step)

  def write_texts(self, step: int, texts: Mapping[str, str]):
    for name, text in texts.items():
      self._writer.add_text(name, text, step)

  def write_images(self, step: int, images: Mapping[str, np.ndarray]):
    for name, image in images.items():
      self._writer.add_image(name, image, step, dataformats="HWC")

  def close(self):
    self._writer.close()


class MultiWriter:
  """Hands everything to several writers."""

  def __init__(self, writers: Sequence[Any]):
    self._writers = writers

  def write_scalars(self, step: int, scalars: Mapping[str, float]):
    for writer in self._writers:
      writer.write_scalars(step, scalars)

  def write_texts(self, step: int, texts: Mapping[str, str]):
    for writer in self._writers:
      writer.write_texts(step, texts)

  def write_images(self, step: int, images: Mapping[str, np.ndarray]):
    for writer in self._writers:
      writer.write_images(step, images)

  def close(self):
    for writer in self._writers:
      writer.close()


def make_writer(workdir: Path, resume_step: int, tensorboard: bool) -> MultiWriter:
  """Writers of a run; what was written after `resume_step` is forgotten."""
  kinds = [TensorBoardWriter, JsonLinesWriter] if tensorboard else [JsonLinesWriter]
  return MultiWriter([kind(workdir, resume_step) for kind in kinds])


def read_metrics(workdir: Path) -> list[dict[str, Any]]:
  """All reports of a run; a line cut off by a kill is left out."""
  return _whole_lines(workdir / METRICS)


def _whole_lines(path: Path) -> list[dict[str, Any]]:
  lines = []
  for line in path.read_text().splitlines():
    try:
      lines.append(json.loads(line))
    except ValueError:
      break
  return lines


def _keep_until(path: Path, step: int):
  kept = [line for line in _whole_lines(path) if line["step"] <= step]
  temporary = path.with_name(f".{path.name}.{os.getpid()}")
  temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
  temporary.rename(path)


def _plain(value: Any) -> float | str:
  value = float(value)
  return value if math.isfinite(value) else str(value)


class Progress:
  """Console lines: step, loss terms, examples per second, time spent waiting for data, ETA."""

  def __init__(self, steps: int, batch_size: int, stream=None):
    self.steps, self.batch_size, self.stream = steps, batch_size, stream or sys.stderr
    self._start: tuple[int, float] | None = None
    self._last: tuple[int, float, float] | None = None

  def begin(self, step: int, waited: float):
    """Starts the clock after the first step, which compiles."""
    now = time.perf_counter()
    self._start, self._last = (step, now), (step, now, waited)

  def speed(self, step: int, waited: float) -> dict[str, float]:
    """Examples per second and share of time spent waiting for data since the last call."""
    now = time.perf_counter()
    if self._last is None or step == self._last[0]:
      return {}
    last_step, last_time, last_waited = self._last
    seconds = max(now - last_time, 1e-9)
    self._last = (step, now, waited)
    return {
      "examples_per_second": (step - last_step) * self.batch_size / seconds,
      "waiting_for_data": min((waited - last_waited) / seconds, 1.0),
    }

  def line(self, step: int, scalars: Mapping[str, float]):
    """Prints one report."""
    parts = [f"step {step}/{self.steps}"]
    parts += [f"{name} {value:.4g}" for name, value in scalars.items()]
    if self._start is not None and step > self._start[0]:
      pace = (time.perf_counter() - self._start[1]) / (step - self._start[0])
      parts.append(f"ETA {duration(pace * (self.steps - step))}")
    print("  ".join(parts), file=self.stream, flush=True)

  def warn(self, step: int, text: str):
    """Prints one warning."""
    print(f"warning: step {step}: {text}", file=self.stream, flush=True)


def duration(seconds: float) -> str:
  """Such as 4s, 3m20s or 5h02m."""
  seconds = int(round(seconds))
  if seconds < 60:
    return f"{seconds}s"
  if seconds < 3600:
    return f"{seconds // 60}m{seconds % 60:02d}s"
  return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
