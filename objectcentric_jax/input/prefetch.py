"""Moves batches to the devices ahead of the step that needs them."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any


class Prefetch:
  """Iterates over `put(batch)`, keeping up to `depth` results ready by a background thread.

  Attributes:
    state: position of the source after the last batch handed out, for the checkpoint.
    waited: seconds spent waiting for batches so far.
  """

  def __init__(self, source: Iterator[Any], put: Callable[[Any], Any], depth: int = 2):
    self.state, self.waited = source.get_state(), 0.0
    self._source, self._put = source, put
    self._ready: queue.Queue = queue.Queue(depth)
    self._stopped = threading.Event()
    self._thread = threading.Thread(target=self._fill, name="prefetch", daemon=True)
    self._thread.start()

  def _fill(self):
    try:
      while not self._stopped.is_set():
        batch = self._put(next(self._source))
        self._offer((batch, self._source.get_state(), None))
    except BaseException as error:  # handed to the consumer, who raises it
      self._offer((None, None, error))

  def _offer(self, item):
    while not self._stopped.is_set():
      try:
        return self._ready.put(item, timeout=0.1)
      except queue.Full:
        continue

  def __iter__(self):
    return self

  def __next__(self):
    start = time.perf_counter()
    batch, state, error = self._ready.get()
    self.waited += time.perf_counter() - start
    if error is not None:
      self._ready.put((None, None, error))  # the thread has ended; who asks again is told again
      raise error
    self.state = state
    return batch

  def close(self):
    """Ends the thread and the source."""
    self._stopped.set()
    self._thread.join()
    close = getattr(self._source, "close", None)
    if close is not None:
      close()
