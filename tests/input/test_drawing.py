"""What is drawn for an example follows from the seed and its place in the sequence alone."""

import itertools
import json

import numpy as np
import pytest

from data.building import schema
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import ArrayExamples, ConcatenatedExamples
from objectcentric_jax.input.examples import open_split
from objectcentric_jax.input.pipeline import evaluation_batches, train_batches
from tests.input import sets

STEPS = (
  dict(name="clip", length=3),
  dict(name="scale_crop_flip"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  """given/films: 12 videos; given/stills: 12 pictures of 8x13, whose first row counts them."""
  root = tmp_path_factory.mktemp("sets")
  made = [sets.stored(film) for film in sets.films(12)]
  sets.write(root, sets.film_features(), {"train": made}, config="films", max_objects=3)
  pictures = np.random.default_rng(0).integers(0, 256, (12, 8, 13, 3), dtype=np.uint8)
  pictures[:, :, :, 0] = np.arange(12)[:, None, None]
  stills = [{"image": png} for png in sets.pngs(pictures)]
  sets.write(root, {"image": schema.picture(8, 13)}, {"train": stills}, config="stills")
  return root


def films(root, memory=0.0, training=True):
  config = sets.config(root, "given/films", side=6, frames=3, preprocess=STEPS, memory=memory)
  return open_split({**config, "fields": ("video", "segmentation")}, "train", training)


def stills(root, memory, training=True):
  steps = (dict(name="square_crop"), dict(name="resize", side=5))
  config = sets.config(root, "given/stills", side=5, preprocess=steps, memory=memory)
  return open_split(config, "train", training)


def videos(batches, count):
  return [batch["video"] for batch in itertools.islice(batches, count)]


def assert_equal(found, expected):
  for one, other in zip(found, expected, strict=True):
    np.testing.assert_array_equal(one, other)


def test_the_seed_alone_decides(root):
  first = videos(train_batches(films(root), 4, seed=0), 9)
  assert_equal(videos(train_batches(films(root), 4, seed=0, threads=5), 9), first)
  other = videos(train_batches(films(root), 4, seed=1), 9)
  assert all((one != two).any() for one, two in zip(first, other, strict=True))
  # Batches of another size hold the same examples, drawn alike.
  assert_equal(
    np.concatenate(videos(train_batches(films(root), 6, seed=0), 6)), np.concatenate(first)
  )


def test_every_epoch_draws_anew(root):
  batches = train_batches(stills(root, 1.0), 12, seed=0)
  epochs = [batch["image"] for batch in itertools.islice(batches, 6)]
  for epoch in epochs:
    assert sorted(epoch[:, 0, 0, 0]) == list(range(12))
  third = [epoch[epoch[:, 0, 0, 0] == 3][0] for epoch in epochs]
  assert len({picture.tobytes() for picture in third}) > 2


def test_memory_and_records_draw_alike(root):
  held, streamed = stills(root, 1.0), stills(root, 0.0)
  assert isinstance(held, ArrayExamples) and not isinstance(streamed, ArrayExamples)
  assert held.arrays["image"].shape == (12, 8, 13, 3)  # as stored: what follows is drawn
  pairs = [train_batches(examples, 4, seed=2) for examples in (held, streamed)]
  for one, other, _ in zip(*pairs, range(7), strict=False):
    np.testing.assert_array_equal(one["image"], other["image"])


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_share_what_is_drawn(root, processes):
  whole = videos(train_batches(films(root), 6, seed=3), 5)
  parts = [
    videos(train_batches(films(root), 6, 3, process, processes), 5) for process in range(processes)
  ]
  assert_equal([np.concatenate(rows) for rows in zip(*parts, strict=True)], whole)


@pytest.mark.parametrize("workers", [0, 2])
def test_goes_on_from_a_position(root, workers):
  expected = videos(train_batches(films(root), 4, seed=0), 8)
  batches = train_batches(films(root), 4, seed=0, workers=workers)
  try:
    assert_equal(videos(batches, 3), expected[:3])
    position = json.loads(json.dumps(batches.get_state()))
    assert_equal(videos(batches, 5), expected[3:])
    batches.set_state(position)
    assert_equal(videos(batches, 5), expected[3:])
  finally:
    batches.close()


def test_evaluation_draws_nothing(root):
  for memory in (0.0, 1.0):
    examples = films(root, memory, training=False)
    assert not examples.random
    first, again = (
      [batch["video"] for batch in evaluation_batches(examples, 4, 0)] for _ in range(2)
    )
    assert_equal(first, again)
  config = sets.config(root, "given/films", side=0, fields=("video",), preprocess=STEPS[:1])
  plain = open_split(config, "train").read(np.arange(12))["video"]
  assert plain[:, :, 0, 0, 1].tolist() == [[0, 1, 2]] * 12


def test_each_corner_is_a_set_of_examples(root):
  corners = ((0, 0), (3, 5), (1, 2))
  steps = (dict(name="crop_each", corners=corners, height=5, width=5),)
  config = sets.config(root, "given/stills", side=5, preprocess=steps)
  whole = open_split({**config, "preprocess": (), "side": 0}, "train").read(np.arange(12))["image"]
  for memory in (0.0, 1.0):
    examples = open_split({**config, "memory": memory}, "train", training=True)
    assert isinstance(examples, ConcatenatedExamples)
    assert len(examples) == examples.about["count"] == 36 and not examples.random
    indices = np.array([25, 3, 12, 35, 3])
    found = examples.read(indices)["image"]
    for picture, index in zip(found, indices, strict=True):
      top, left = corners[index // 12]
      np.testing.assert_array_equal(picture, whole[index % 12, top : top + 5, left : left + 5])
    batches = train_batches(examples, 9, seed=0)
    epoch = np.concatenate([batch["image"] for batch in itertools.islice(batches, 4)])
    assert sorted(epoch[:, 0, 0, 0]) == sorted(list(range(12)) * 3)


def test_a_config_says_what_sizes_come_out(root):
  config = sets.config(root, "given/films", side=6, frames=4, preprocess=STEPS)
  with pytest.raises(InputError, match="leaves videos of 3 frames, but config.data.frames is 4"):
    open_split({**config, "fields": ("video",)}, "train", training=True)


def test_results_say_how_examples_were_made(root):
  about = films(root).about
  assert about["preprocess"] == [dict(step) for step in STEPS] and about["side"] == 6
  json.dumps(about)
