"""Chunks of clips: what a training step sees of a clip that takes several steps."""

from collections.abc import Mapping

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.fields import is_framed

TIME = "time"


def chunks_in(frames: int, length: int, lead: int = 0) -> int:
  """How many chunks of `length` frames a clip of `frames` has, with `lead` frames before it.

  Raises:
    InputError: they do not come out even.
  """
  if length < 0 or frames < 1 or (length and frames % length):
    raise InputError(
      f"config.data.chunk is {length}: config.data.frames, {frames}, must be a multiple of it"
    )
  if lead < 0 or (lead and (not length or lead % length)):
    raise InputError(
      f"config.data.lead is {lead}: a multiple of config.data.chunk, {length}, is needed"
    )
  return (frames + lead) // length if length else 1


def chunk(
  batch: Mapping[str, np.ndarray], number: int, length: int, lead: int = 0
) -> dict[str, np.ndarray]:
  """One chunk of a batch of clips.

  Args:
    batch: fields [B, T, ...]; those without an axis of time stay as they are.
    number: which, from 0.
    length: its frames.
    lead: how often the first frame is shown before the clip begins, a multiple of `length`: the
      first chunks hold nothing else, at negative times.

  Returns:
    The fields [B, length, ...], and `time` [B] int32: the first frame's place in the clip.
  """
  clips, time = batch["video"], number * length - lead
  window = slice(time, time + length) if time >= 0 else np.zeros(length, int)
  chunk = {
    name: array[:, window] if is_framed(name, array.shape[1:], clips.shape[1]) else array
    for name, array in batch.items()
  }
  return {**chunk, TIME: np.full(len(clips), time, np.int32)}
