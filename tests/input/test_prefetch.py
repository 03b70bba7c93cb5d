"""Prefetch: order, the position that belongs to a batch, errors and the end."""

import threading

import pytest

from objectcentric_jax.input.prefetch import Prefetch


class Counter:
  """Counts from `start`; its position is the next number. Waits for `allowed` where given."""

  def __init__(self, end=None, allowed=None):
    self.next, self.end, self.allowed, self.closed = 0, end, allowed, False

  def __iter__(self):
    return self

  def get_state(self):
    return {"next": self.next}

  def __next__(self):
    if self.allowed is not None:
      assert self.allowed.acquire(timeout=30)
    if self.next == self.end:
      raise OSError("the disk is gone")
    self.next += 1
    return self.next - 1

  def close(self):
    self.closed = True


def until(condition):
  """Waits for another thread to make the condition true."""
  for _ in range(3000):
    if condition():
      return
    threading.Event().wait(0.01)
  pytest.fail("it did not happen")


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_hands_out_in_order_with_the_position_after_each(depth):
  source = Counter()
  prefetch = Prefetch(source, lambda number: number * 10, depth)
  assert prefetch.state == {"next": 0}
  until(lambda: source.next > depth)  # it reads ahead
  assert prefetch.state == {"next": 0}
  for number in range(20):
    assert next(prefetch) == number * 10
    assert prefetch.state == {"next": number + 1}
  prefetch.close()
  assert source.next <= 20 + depth + 1


def test_an_error_of_the_source_arrives_after_the_batches_before_it():
  prefetch = Prefetch(Counter(end=3), lambda number: number)
  assert [next(prefetch) for _ in range(3)] == [0, 1, 2]
  for _ in range(2):  # and again, however often one asks
    with pytest.raises(OSError, match="the disk is gone"):
      next(prefetch)
  assert prefetch.state == {"next": 3}
  prefetch.close()


def test_an_error_of_moving_arrives_too():
  def put(number):
    raise ValueError(f"cannot move {number}")

  prefetch = Prefetch(Counter(), put)
  with pytest.raises(ValueError, match="cannot move 0"):
    next(prefetch)
  prefetch.close()


def test_the_end_of_the_source_is_the_end():
  class Three(Counter):
    def __next__(self):
      if self.next == 3:
        raise StopIteration
      return super().__next__()

  prefetch = Prefetch(Three(), lambda number: number)
  assert list(prefetch) == [0, 1, 2]
  prefetch.close()


@pytest.mark.parametrize("taken", [0, 1, 7])
def test_closing_while_full_ends_thread_and_source(taken):
  source = Counter()
  prefetch = Prefetch(source, lambda number: number, depth=1)
  for _ in range(taken):
    next(prefetch)
  until(lambda: source.next >= taken + 2)  # one ready and one that does not fit
  closing = threading.Thread(target=prefetch.close)
  closing.start()
  closing.join(30)
  assert not closing.is_alive() and source.closed
  assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_waiting_is_measured():
  allowed = threading.Semaphore(0)
  prefetch = Prefetch(Counter(allowed=allowed), lambda number: number)
  assert prefetch.waited == 0
  timer = threading.Timer(0.2, allowed.release)
  timer.start()
  next(prefetch)
  first = prefetch.waited
  assert first > 0.1
  allowed.release(2)
  until(lambda: prefetch._ready.qsize() == 2)
  next(prefetch)
  assert first <= prefetch.waited < first + 0.1
  allowed.release(5)
  prefetch.close()
