"""The line that says how far a build is."""

import sys
import time
from typing import TextIO

TERMINAL_SECONDS = 0.2  # between updates of the line
PLAIN_SECONDS = 10.0  # between lines where they cannot be overwritten


class Progress:
  """Counts examples and says so on standard error: one line rewritten, or a line now and then."""

  def __init__(self, total: int = 0, stream: TextIO | None = None):
    """Without a `total` nothing is said."""
    self._total = total
    self._stream = stream or sys.stderr
    self._rewrites = self._stream.isatty()
    self._done = 0
    self._began = self._last = time.monotonic()

  def advance(self, count: int) -> None:
    """Notes that `count` more examples were made."""
    self._done += count
    seconds = time.monotonic() - self._began
    rate = self._done / max(seconds, 1e-9)
    left = max(0, self._total - self._done) / rate
    self._say(
      f"{self._done:,} of {self._total:,} scenes ({self._done / max(1, self._total):.0%}), "
      f"{rate:,.0f} scenes/s, {_duration(left)} left"
    )

  def note(self, text: str) -> None:
    """Says what is done besides making examples."""
    self._say(text)

  def end(self) -> None:
    """Leaves the line free for what follows."""
    if self._total and self._rewrites:
      print("\r\033[K", end="", file=self._stream, flush=True)

  def _say(self, text: str) -> None:
    now = time.monotonic()
    interval = TERMINAL_SECONDS if self._rewrites else PLAIN_SECONDS
    if not self._total or now - self._last < interval:
      return
    self._last = now
    if self._rewrites:
      print(f"\r\033[K{text}", end="", file=self._stream, flush=True)
    else:
      print(text, file=self._stream, flush=True)


def _duration(seconds: float) -> str:
  minutes, seconds = divmod(round(seconds), 60)
  return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
