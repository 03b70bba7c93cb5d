"""Which frames make an example: clips of videos and long sequences, single frames, views."""

import itertools

import numpy as np
import pytest

from data.building import schema
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import ArrayExamples
from objectcentric_jax.input.clips import Clip, joined, videos
from objectcentric_jax.input.examples import open_split
from tests.input import sets

HEIGHT, WIDTH = 4, 6


def of_lengths(*lengths):
  return videos(np.arange(len(lengths)), np.array(lengths))


def frames_of(selection, index, rng=None):
  """(record, frame) of every frame of an example."""
  return [
    (cut.record, int(frame)) for cut in selection.cuts(index, rng) for frame in cut.frames(1 << 30)
  ]


# Where clips begin


def starts(clip, lengths, training=False):
  selection = clip.select(of_lengths(*lengths), training)
  return [frames_of(selection, i)[0] for i in range(selection.count)]


def test_all_starts_leave_room_for_the_clip():
  clip = Clip(length=3, stride=2, starts="all")
  assert clip.span == 5
  assert starts(clip, [7, 4, 5]) == [(0, 0), (0, 1), (0, 2), (2, 0)]
  selection = clip.select(of_lengths(7), False)
  assert frames_of(selection, 2) == [(0, 2), (0, 4), (0, 6)]


def test_the_published_enumeration_of_long_films():
  """Ten frames at stride eight of N frames begin at 0 to N - 73; every block holds each frame."""
  everything = Clip(length=10, stride=8, starts="all")
  assert len(starts(everything, [90])) == 90 - 72
  cover = Clip(length=10, stride=8, starts="cover").select(of_lengths(245), False)
  # A block of 80 frames, eight phases: start = block * 80 + phase.
  assert [frames_of(cover, i)[0][1] for i in (0, 7, 8, 9, 23)] == [0, 7, 80, 81, 167]
  seen = [frame for i in range(cover.count) for _, frame in frames_of(cover, i)]
  assert sorted(seen) == list(range(240))


def test_slots_have_one_clip_each_at_a_random_place_in_training():
  clip = Clip(length=10, stride=5, slot=50)
  assert starts(clip, [100, 30, 149]) == [(0, 0), (0, 50), (2, 0), (2, 50), (2, 100)]
  selection = clip.select(of_lengths(100, 30, 149), True)
  assert selection.random
  drawn = {
    frames_of(selection, i, np.random.default_rng(seed))[0]
    for i, seed in itertools.product(range(5), range(60))
  }
  offsets = [(0, 0), (0, 50), (2, 0), (2, 50)]
  expected = {(record, start + late) for record, start in offsets for late in range(5)}
  # The last slot is cut off: of its 49 frames a clip takes 46.
  assert drawn == expected | {(2, 100 + late) for late in range(4)}


def test_a_slot_of_its_own_length_needs_no_drawing():
  selection = Clip(length=3, slot=3).select(of_lengths(9), True)
  assert not selection.random and selection.count == 3


def test_training_and_evaluation_may_begin_elsewhere():
  clip = Clip(length=2, starts="all", evaluation="cover")
  assert len(starts(clip, [5], training=True)) == 4
  assert starts(clip, [5]) == [(0, 0), (0, 2)]


@pytest.mark.parametrize(
  "arguments, words",
  [
    (dict(length=0), "at least 1"),
    (dict(length=3, stride=0), "at least 1"),
    (dict(length=3, starts="every"), "starts is 'every'; choose one of slots, all, cover"),
    (dict(length=3, evaluation="first"), "starts is 'first'"),
    (dict(length=3, stride=4, slot=8), "spans 9 frames, more than a slot of 8"),
  ],
)
def test_unusable_clips_are_said(arguments, words):
  with pytest.raises(ValueError, match=words):
    Clip(**arguments)


# Long sequences in the records of a split


@pytest.mark.parametrize("per_record", [1, 4, 100])
@pytest.mark.parametrize("start, stop", [(0, None), (2, None), (1, 5)])
def test_joined_sequences_are_found_in_their_records(per_record, start, stop):
  lengths = [9, 3, 8]
  # Where each frame is, as the records were written one after the other.
  records, table = 0, []
  for number, length in enumerate(lengths):
    rows = [(records + f // per_record, f % per_record, number, f) for f in range(length)]
    records += -(-length // per_record)
    table.append(rows)
  stop = records if stop is None else stop
  kept = [[row for row in rows if start <= row[0] < stop] for rows in table]
  kept = [rows for rows in kept if rows]
  sequences = joined(lengths, per_record, start, stop)
  assert sequences.length.tolist() == [len(rows) for rows in kept]
  for number, rows in enumerate(kept):
    cuts = sequences.cuts(number, np.arange(len(rows)))
    found = [(c.record + start, int(f)) for c in cuts for f in c.frames(per_record)]
    assert found == [row[:2] for row in rows]


def films_in_order(tmp_path, per_record):
  """Two sequences of 9 and 6 frames; frame f of sequence s begins with s, f."""
  pictures = []
  for number, length in enumerate((9, 6)):
    film = np.zeros((length, HEIGHT, WIDTH, 3), np.uint8)
    film[:, 0, 0, 0], film[:, 0, 0, 1] = number, np.arange(length)
    pictures.append(film)
  if per_record == 1:
    features = {"image": schema.picture(HEIGHT, WIDTH), "num_objects": np.int32}
    made = [
      {"image": png, "num_objects": i} for film in pictures for i, png in enumerate(sets.pngs(film))
    ]
  else:
    features = {"video": schema.pictures(None, HEIGHT, WIDTH)}
    made = [
      {"video": sets.pngs(film[i : i + per_record])}
      for film in pictures
      for i in range(0, len(film), per_record)
    ]
  metadata = {"sequences": {"train": [9, 6]}, "frames_per_record": per_record}
  return sets.write(tmp_path, features, {"train": made}, ordered=True, **metadata)


@pytest.mark.parametrize("per_record", [1, 4])
@pytest.mark.parametrize("memory", [0.0, 1.0])
def test_clips_are_cut_from_sequences_across_records(tmp_path, per_record, memory):
  name = films_in_order(tmp_path, per_record)
  fields = ("image", "num_objects") if per_record == 1 else ("video",)
  steps = (dict(name="clip", stride=3, starts="all", numbered=True),)
  config = sets.config(
    tmp_path, name, side=0, frames=2, fields=fields, preprocess=steps, memory=memory
  )
  examples = open_split(config, "train", training=True)
  assert isinstance(examples, ArrayExamples) == bool(memory)
  read = examples.read(np.arange(len(examples)))
  assert read["video"].shape == (6 + 3, 2, HEIGHT, WIDTH, 3)
  begins = [(0, f) for f in range(6)] + [(1, f) for f in range(3)]
  expected = [[(s, f), (s, f + 3)] for s, f in begins]
  assert read["video"][:, :, 0, 0, :2].tolist() == [[list(p) for p in pair] for pair in expected]
  if per_record == 1:
    assert read["num_objects"].tolist() == [[f, f + 3] for _, f in begins]
  assert read["sequence"].tolist() == [0] * 6 + [1] * 3
  assert "sequences" not in examples.about


def test_part_of_a_split_of_sequences(tmp_path):
  name = films_in_order(tmp_path, 4)  # records of frames 0-3, 4-7, 8 and 0-3, 4-5
  steps = (dict(name="clip", starts="cover"),)
  config = sets.config(tmp_path, name, side=0, frames=2, fields=("video",), preprocess=steps)
  read = open_split(config, "train[1:4]").read(np.arange(4))
  assert read["video"][:, 0, 0, 0, :2].tolist() == [[0, 4], [0, 6], [1, 0], [1, 2]]
  with pytest.raises(InputError, match="long sequences: they are read from one split"):
    open_split(config, "train[:1]+train[2:]")


def test_frames_of_sequences_are_examples_without_a_clip(tmp_path):
  name = films_in_order(tmp_path, 1)
  examples = open_split(sets.config(tmp_path, name, side=0), "train")
  assert len(examples) == 15
  assert examples.read(np.array([10]))["image"][0, 0, 0, :2].tolist() == [1, 1]


# Videos that are a record each


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  root = tmp_path_factory.mktemp("sets")
  for config, frames in (("fixed", sets.FRAMES), ("ragged", None)):
    made = [sets.stored(film) for film in sets.films(4, frames)]
    features = sets.film_features(frames)
    sets.write(root, features, {"train": made}, ordered=True, config=config, max_objects=3)
  return root


FRAMED = (
  *("video", "segmentation", "depth", "forward_flow", "bboxes", "visibility"),
  *("camera/position", "factors/shape"),
)


@pytest.mark.parametrize("kind", ["fixed", "ragged"])
@pytest.mark.parametrize("training", [False, True])
def test_every_field_of_a_clip_is_cut_alike(root, kind, training):
  films = sets.films(4, sets.FRAMES if kind == "fixed" else None)
  steps = (dict(name="clip", length=3, stride=2),)
  config = sets.config(root, f"given/{kind}", side=0, fields=FRAMED, preprocess=steps)
  examples = open_split(config, "train", training)
  assert examples.random == training and len(examples) == 4
  drawn = set()
  for seed in range(40 if training else 1):
    rngs = [np.random.default_rng([seed, i]) for i in range(4)] if training else None
    read = examples.read(np.arange(4), rngs)
    for number, film in enumerate(films):
      start = int(read["video"][number, 0, 0, 0, 1])
      drawn.add((number, start))
      for name, value in film.items():
        if name == "factors/shape":
          np.testing.assert_array_equal(read[name][number], value)
        elif name != "num_objects":
          np.testing.assert_array_equal(read[name][number], value[start : start + 5 : 2])
  lengths = [len(film["video"]) for film in films]
  room = [length - 4 if training else 1 for length in lengths]
  assert drawn == {(n, start) for n in range(4) for start in range(room[n])}


@pytest.mark.parametrize("kind", ["fixed", "ragged"])
def test_all_clips_of_videos(root, kind):
  steps = (dict(name="clip", length=6, starts="all"),)
  config = sets.config(root, f"given/{kind}", side=0, fields=("video",), preprocess=steps)
  examples = open_split(config, "train")
  lengths = [sets.FRAMES + n * (kind == "ragged") for n in range(4)]
  expected = [[n, start] for n in range(4) for start in range(lengths[n] - 5)]
  read = examples.read(np.arange(len(examples)))
  assert read["video"][:, 0, 0, 0, :2].tolist() == expected


@pytest.mark.parametrize("kind", ["fixed", "ragged"])
def test_clips_longer_than_every_video_are_refused(root, kind):
  for starts_ in ("slots", "all"):
    steps = (dict(name="clip", length=11, starts=starts_),)
    config = sets.config(root, f"given/{kind}", side=0, fields=("video",), preprocess=steps)
    with pytest.raises(InputError, match="a clip spans 11 frames, "):
      open_split(config, "train")


def test_stills_are_the_frames_of_videos(root):
  steps = (dict(name="stills", every=3),)
  fields = ("video", "segmentation", "bboxes", "num_objects")
  config = sets.config(root, "given/ragged", side=0, fields=fields, preprocess=steps)
  examples = open_split(config, "train", training=True)
  assert not examples.random
  read = examples.read(np.arange(len(examples)))
  films = sets.films(4, None)
  expected = [(n, f) for n, film in enumerate(films) for f in range(0, len(film["video"]), 3)]
  assert set(read) == {"image", "segmentation", "bboxes", "num_objects"}
  assert read["image"][:, 0, 0, :2].tolist() == [list(place) for place in expected]
  for index, (number, frame) in enumerate(expected):
    for name in ("segmentation", "bboxes"):
      np.testing.assert_array_equal(read[name][index], films[number][name][frame])
    assert read["num_objects"][index] == films[number]["num_objects"]


def test_one_view_of_a_scene_is_drawn_in_training(tmp_path):
  rng = np.random.default_rng(0)
  views = rng.integers(0, 256, (5, 3, HEIGHT, WIDTH, 3), dtype=np.uint8)
  camera = rng.normal(size=(5, 3, 7)).astype(np.float32)
  features = {"views": schema.pictures(3, HEIGHT, WIDTH), "camera": schema.numbers((3, 7))}
  made = [{"views": sets.pngs(v), "camera": c} for v, c in zip(views, camera, strict=True)]
  name = sets.write(tmp_path, features, {"train": made}, ordered=True)
  fields, steps = ("views", "camera"), (dict(name="view"),)
  config = sets.config(tmp_path, name, side=0, fields=fields, preprocess=steps)
  first = open_split(config, "train").read(np.arange(5))
  assert set(first) == {"image", "camera"}
  np.testing.assert_array_equal(first["image"], views[:, 0])
  np.testing.assert_array_equal(first["camera"], camera[:, 0])
  drawing = open_split(config, "train", training=True)
  seen = set()
  for seed in range(30):
    read = drawing.read(np.array([2]), [np.random.default_rng(seed)])
    view = next(v for v in range(3) if (read["camera"][0] == camera[2, v]).all())
    np.testing.assert_array_equal(read["image"][0], views[2, view])
    seen.add(view)
  assert seen == {0, 1, 2}
  whole = open_split({**config, "preprocess": ()}, "train").read(np.arange(5))
  np.testing.assert_array_equal(whole["views"], views)


def test_a_set_of_stills_has_no_clips(tmp_path):
  made = [{"image": png} for png in sets.pngs(np.zeros((2, 4, 4, 3), np.uint8))]
  name = sets.write(tmp_path, {"image": schema.picture(4, 4)}, {"train": made})
  config = sets.config(tmp_path, name, side=0, preprocess=(dict(name="clip", length=2),))
  with pytest.raises(InputError, match="has no video or views"):
    open_split(config, "train")
