"""Runs a function over tasks in several processes and gives the results in order.

Plain child processes that read tasks from a pipe rather than `multiprocessing`: they import the
function's module and nothing of the parent's (no jax, no tensorflow_datasets), and they end by
themselves when the parent is killed, because their pipe closes.
"""

import contextlib
import os
import pathlib
import pickle
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

# Tasks waiting at a process: one to work on, one so that it never waits for the parent. Two tasks
# must fit the pipe (64 kB), so they are to be small: ranges and recipes, not pictures.
AHEAD = 2


def ordered_map(function: Callable, tasks: Iterable, processes: int) -> Iterator[Any]:
  """Yields `function(task)` for each task, in the order of the tasks.

  Args:
    function: of the top level of an importable module; an exception in it is raised here.
    tasks: picklable and small.
    processes: 1 runs everything in this process.
  """
  if processes == 1:
    yield from map(function, tasks)
    return
  workers = []
  try:
    waiting = deque()
    for number, task in enumerate(tasks):
      if len(workers) < processes:
        workers.append(_start())
      if len(waiting) == AHEAD * processes:
        yield _receive(waiting.popleft())
      worker = workers[number % processes]
      _send(worker, (function, task))
      waiting.append(worker)
    while waiting:
      yield _receive(waiting.popleft())
  finally:
    for worker in workers:
      worker.kill()
      worker.wait()
      worker.stdout.close()
      with contextlib.suppress(BrokenPipeError):
        worker.stdin.close()


def _start() -> subprocess.Popen:
  root = str(pathlib.Path(__file__).resolve().parents[2])
  path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
  return subprocess.Popen(
    [
      sys.executable,
      "-P",
      "-m",
      "data.building.workers",
    ],  # -P: no `data` of the folder one works in
    stdin=subprocess.PIPE,
    stdout=subprocess.PIPE,
    env={**os.environ, "PYTHONPATH": path},
  )


def _send(worker: subprocess.Popen, message) -> None:
  try:
    pickle.dump(message, worker.stdin)
    worker.stdin.flush()
  except BrokenPipeError:
    raise _ended(worker) from None


def _receive(worker: subprocess.Popen):
  try:
    result, error = pickle.load(worker.stdout)
  except (EOFError, pickle.UnpicklingError):
    raise _ended(worker) from None
  if error is not None:
    raise error
  return result


def _ended(worker: subprocess.Popen) -> ChildProcessError:
  return ChildProcessError(f"a worker process ended with status {worker.wait()}; is memory short?")


def _serve() -> None:
  """Answers tasks until the parent closes the pipes."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and ends this
  tasks, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
  os.dup2(2, 1)  # what the function prints must not mix with the results
  while True:
    try:
      function, task = pickle.load(tasks)
    except EOFError:
      return
    try:
      answer = (function(task), None)
    except Exception as error:
      answer = (None, error)
    try:
      pickle.dump(answer, results)
      results.flush()
    except BrokenPipeError:
      os._exit(0)  # the parent is gone; closing `results` would complain


if __name__ == "__main__":
  _serve()
