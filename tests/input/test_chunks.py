"""Chunks of clips: consecutive batches, from any position on."""

import itertools

import numpy as np
import pytest

from objectcentric_jax.errors import InputError
from objectcentric_jax.input.generated import generated
from objectcentric_jax.input.pipeline import train_batches

FIELDS = ("video", "segmentation", "bboxes", "num_objects")
CLIPS = generated(8, 2, "train", count=10, names=FIELDS, frames=6)


def first(batches, count):
  return list(itertools.islice(batches, count))


def test_chunks_make_up_the_clips():
  whole = first(train_batches(CLIPS, 4, seed=1), 3)
  chunks = first(train_batches(CLIPS, 4, seed=1, chunk=2), 9)
  assert [batch["time"].tolist() for batch in chunks] == [[0] * 4, [2] * 4, [4] * 4] * 3
  for clip, parts in zip(whole, [chunks[i : i + 3] for i in (0, 3, 6)], strict=True):
    for name in ("video", "segmentation", "bboxes"):
      joined = np.concatenate([part[name] for part in parts], axis=1)
      np.testing.assert_array_equal(joined, clip[name])
    for part in parts:
      np.testing.assert_array_equal(part["num_objects"], clip["num_objects"])


def test_goes_on_in_the_middle_of_a_clip():
  batches = train_batches(CLIPS, 4, seed=1, chunk=2)
  first(batches, 4)
  position = batches.get_state()
  expected = first(batches, 5)
  again = train_batches(CLIPS, 4, seed=1, chunk=2)
  again.set_state(position)
  for found, batch in zip(first(again, 5), expected, strict=True):
    for name, array in batch.items():
      np.testing.assert_array_equal(found[name], array)


def test_the_first_frame_comes_before_the_clip():
  clip = first(train_batches(CLIPS, 4, seed=1), 1)[0]
  chunks = first(train_batches(CLIPS, 4, seed=1, chunk=2, lead=4), 10)
  assert [batch["time"][0] for batch in chunks] == [-4, -2, 0, 2, 4] * 2
  for part in chunks[:2]:
    np.testing.assert_array_equal(part["video"], clip["video"][:, [0, 0]])
    np.testing.assert_array_equal(part["bboxes"], clip["bboxes"][:, [0, 0]])
  np.testing.assert_array_equal(chunks[3]["video"], clip["video"][:, 2:4])


@pytest.mark.parametrize(("chunk", "lead"), [(2, 3), (2, -2), (0, 2)])
def test_the_lead_is_a_number_of_chunks(chunk, lead):
  with pytest.raises(InputError, match=f"config.data.lead is {lead}"):
    train_batches(CLIPS, 4, seed=0, chunk=chunk, lead=lead)


@pytest.mark.parametrize("length", [4, 7, -2])
def test_clips_must_come_out_even(length):
  with pytest.raises(InputError, match=f"config.data.chunk is {length}"):
    train_batches(CLIPS, 4, seed=0, chunk=length)


def test_stills_have_no_chunks():
  with pytest.raises(InputError, match="no video"):
    train_batches(generated(8, 2, "train"), 4, seed=0, chunk=2)
