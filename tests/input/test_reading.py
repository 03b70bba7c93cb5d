"""Reading prepared sets: every kind of field, only what is asked for, ragged sizes, choices."""

import io
import pickle

import numpy as np
import pytest
from PIL import Image

from data.building import schema
from objectcentric_jax.errors import InputError
from objectcentric_jax.input import decoding
from objectcentric_jax.input.arrays import ArrayExamples
from objectcentric_jax.input.examples import open_split
from tests.input import sets

ALL = (
  *("video", "segmentation", "depth", "forward_flow", "bboxes", "visibility"),
  *("camera/position", "factors/shape", "num_objects"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  """Videos of one length under given/fixed, of several under given/ragged; splits of 5 and 3."""
  root = tmp_path_factory.mktemp("sets")
  for config, frames in (("fixed", sets.FRAMES), ("ragged", None)):
    made = [sets.stored(film) for film in sets.films(5, frames)]
    sets.write(
      root,
      sets.film_features(frames),
      {"train": made, "test": made[:3]},
      config=config,
      labels=sets.OBJECTS + 1,
      background_ids=[0],
      max_objects=sets.OBJECTS,
    )
  return root


def whole(root, config, **changes):
  return sets.config(root, f"given/{config}", **{"side": 0, "fields": ALL} | changes)


def by_number(examples):
  """What is read of each film, by the number in its first pixel."""
  read = [examples.read(np.array([i])) for i in range(len(examples))]
  return {int(e["video"][0, 0, 0, 0, 0]): {n: a[0] for n, a in e.items()} for e in read}


@pytest.mark.parametrize(
  "config, frames, memory",
  [("fixed", sets.FRAMES, 0.0), ("fixed", sets.FRAMES, 1.0), ("ragged", None, 0.0)],
)
def test_every_field_is_read_as_it_was_made(root, config, frames, memory):
  examples = open_split(whole(root, config, memory=memory), "train")
  assert isinstance(examples, ArrayExamples) == bool(memory)
  found = by_number(examples)
  assert sorted(found) == list(range(5))
  for number, film in enumerate(sets.films(5, frames)):
    assert set(found[number]) == set(ALL)
    for name, value in film.items():
      np.testing.assert_array_equal(found[number][name], value)
      assert found[number][name].dtype == value.dtype, name


def test_fields_are_those_of_the_config(root):
  read = open_split(whole(root, "fixed", fields=("video", "depth?", "label?")), "test").read
  assert set(read(np.arange(3))) == {"video", "depth"}
  for names, words in (
    (
      ("video", "dept"),
      ["'dept', which is not in dataset", "(did you mean depth?)", "num_objects"],
    ),
    (("label?",), ["none of config.data.fields"]),
    ((), ["config.data.fields is ()"]),
    ("video", ["config.data.fields is 'video'"]),
    (("metadata/key",), ["metadata/key is text"]),
  ):
    with pytest.raises(InputError) as caught:
      open_split(whole(root, "fixed", fields=names), "test")
    assert all(word in str(caught.value) for word in words), caught.value


def test_labels_are_declared_only_with_a_segmentation(root):
  assert open_split(whole(root, "fixed"), "test").about["labels"] == 4
  about = open_split(whole(root, "fixed", fields=("video",)), "test").about
  assert "labels" not in about and "background_ids" not in about


def test_videos_of_several_lengths_need_a_clip(root):
  examples = open_split(whole(root, "ragged"), "test")
  with pytest.raises(InputError, match="leaves video of different shapes.*a clip"):
    examples.read(np.arange(3))


def test_splits_can_be_parts_and_joined(root):
  config = whole(root, "fixed", fields=("num_objects", "video"))
  assert len(open_split(config, "train+test")) == 8
  assert len(open_split(config, "train[1:3]+test[:1]")) == 3
  first, second = (open_split(config, split) for split in ("train[3:]", "train"))
  expected = second.read(np.array([3, 4]))
  np.testing.assert_array_equal(first.read(np.arange(2))["video"], expected["video"])


@pytest.mark.parametrize("least, most, kept", [(2, 0, {2, 3}), (0, 2, {1, 2}), (2, 2, {2})])
def test_scenes_are_chosen_by_their_objects(root, least, most, kept):
  fields = ("num_objects", "video")
  for memory in (0.0, 1.0):
    config = whole(root, "fixed", fields=fields, min_objects=least, max_objects=most, memory=memory)
    examples = open_split(config, "train")
    expected = [n for n in range(5) if 1 + n % 3 in kept]
    assert len(examples) == examples.about["count"] == len(expected)
    assert sorted(by_number(examples)) == expected
    assert examples.about["objects"] == f"{least} to {most or 'any'}"
    assert examples.about["max_objects"] == (most or 3)
  assert "objects" not in open_split(whole(root, "fixed"), "train").about


def test_no_scene_left_is_an_error(root):
  config = whole(root, "fixed", min_objects=4)
  with pytest.raises(InputError, match="min_objects 4 and max_objects 0: .* has scenes of 1 to 3"):
    open_split(config, "train")


def test_a_set_without_counts_cannot_be_chosen_from(tmp_path):
  picture = sets.pngs(np.zeros((2, 4, 4, 3), np.uint8))
  features = {"image": schema.picture(4, 4)}
  name = sets.write(tmp_path, features, {"train": [{"image": p} for p in picture]})
  config = sets.config(tmp_path, name, side=0, max_objects=3)
  with pytest.raises(InputError, match="max_objects 3: .* has no num_objects"):
    open_split(config, "train")


def test_objects_are_filled_up_to_the_most_there_can_be(tmp_path):
  rng = np.random.default_rng(0)
  boxes = [rng.uniform(size=(count, 4)).astype(np.float32) for count in (2, 0, 3)]
  shapes = [rng.integers(0, 255, (count, 5, 6, 1)).astype(np.uint8) for count in (2, 0, 3)]
  features = {
    "bboxes": schema.numbers((None, 4)),
    "amodal_masks": schema.array((None, 5, 6, 1), np.uint8),
  }
  made = [{"bboxes": b, "amodal_masks": m} for b, m in zip(boxes, shapes, strict=True)]
  fields = ("bboxes", "amodal_masks")
  sets.write(tmp_path, features, {"train": made}, ordered=True, max_objects=4)
  config = sets.config(tmp_path, "given/only", side=0, fields=fields)
  read = open_split(config, "train").read(np.arange(3))
  for name, values in (("bboxes", boxes), ("amodal_masks", shapes)):
    for found, value in zip(read[name], values, strict=True):
      assert len(found) == 4
      np.testing.assert_array_equal(found[: len(value)], value)
      assert not found[len(value) :].any()
  sets.write(tmp_path, features, {"train": made}, config="two", max_objects=2)
  config |= {"name": "given/two"}
  with pytest.raises(InputError, match="has 3 objects in .*, its set declares at most 2"):
    open_split(config, "train").read(np.arange(3))
  sets.write(tmp_path, features, {"train": made}, config="unknown")
  with pytest.raises(InputError, match="bboxes, and the set does not say how many"):
    open_split(config | {"name": "given/unknown"}, "train")


def encoded(image: Image.Image, kind: str, **options) -> bytes:
  target = io.BytesIO()
  image.save(target, kind, **options)
  return target.getvalue()


def test_pictures_of_every_kind_are_decoded():
  rng = np.random.default_rng(0)
  colours = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
  grey = colours[..., 0]
  wide = rng.integers(0, 60000, (5, 7), dtype=np.uint16)
  palette = Image.fromarray(grey % 4, "P")
  palette.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 1, 2, 3])
  cases = [
    (encoded(Image.fromarray(colours), "PNG"), 3, np.uint8, colours),
    (sets.pngs(colours[None])[0], 3, np.uint8, colours),
    (sets.pngs(grey[None, ..., None])[0], 1, np.uint8, grey[..., None]),
    (encoded(Image.fromarray(grey), "PNG"), 3, np.uint8, np.repeat(grey[..., None], 3, -1)),
    (encoded(palette, "PNG"), 1, np.uint8, grey[..., None] % 4),
    (encoded(palette, "PNG"), 3, np.uint8, np.asarray(palette.convert("RGB"))),
    (encoded(Image.fromarray(wide), "PNG"), 1, np.uint16, wide[..., None]),
    (encoded(Image.fromarray(colours).convert("RGBA"), "PNG"), 3, np.uint8, colours),
  ]
  for content, channels, dtype, expected in cases:
    found = decoding.decode_picture(content, channels, dtype)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)
  jpeg = encoded(Image.fromarray(colours), "JPEG", quality=95)
  expected = np.asarray(Image.open(io.BytesIO(jpeg)))
  np.testing.assert_array_equal(decoding.decode_picture(jpeg, 3), expected)


@pytest.mark.parametrize("filtered", [False, True])
def test_flat_png_files_are_read_like_any_other(filtered):
  """Rows with and without PNG's filters, whatever the size; large ones take the other way."""
  rng = np.random.default_rng(0)
  for height, width in ((1, 1), (3, 260), (64, 64), (300, 300)):
    picture = np.zeros((height, width, 3), np.uint8)
    picture[:] = rng.integers(0, 256, 3)
    if filtered:
      picture = np.cumsum(picture, 1).astype(np.uint8)
    content = encoded(Image.fromarray(picture), "PNG")
    np.testing.assert_array_equal(decoding.decode_picture(content, 3), picture)


def test_grey_and_wide_ids_come_through(tmp_path):
  rng = np.random.default_rng(1)
  images = rng.integers(0, 256, (3, 6, 8, 1), dtype=np.uint8)
  ids = rng.integers(0, 999, (3, 6, 8, 1), dtype=np.uint16)
  features = {
    "image": schema.picture(6, 8, 1),
    "segmentation": schema.picture(6, 8, 1, dtype=np.uint16),
  }
  made = [
    {"image": png, "segmentation": encoded(Image.fromarray(i[..., 0]), "PNG")}
    for png, i in zip(sets.pngs(images), ids, strict=True)
  ]
  sets.write(tmp_path, features, {"train": made}, ordered=True, labels=999, background_ids=[0])
  steps = (dict(name="grey_to_rgb"), dict(name="resize", height=3, width=4))
  config = sets.config(tmp_path, "given/only", side=0, preprocess=steps)
  read = open_split(config, "train").read(np.arange(3))
  np.testing.assert_array_equal(read["image"], np.repeat(images[:, ::2, ::2], 3, -1))
  np.testing.assert_array_equal(read["segmentation"], ids[:, ::2, ::2])
  assert read["segmentation"].dtype == np.uint16


def test_pictures_of_several_sizes_are_resized_to_one(tmp_path):
  rng = np.random.default_rng(2)
  images = [rng.integers(0, 256, (4 + i, 9 - i, 3), dtype=np.uint8) for i in range(4)]
  made = [{"image": sets.pngs(image[None])[0]} for image in images]
  sets.write(tmp_path, {"image": schema.picture()}, {"train": made}, ordered=True)
  for memory in (0.0, 1.0):
    config = sets.config(tmp_path, "given/only", side=3, memory=memory)
    examples = open_split(config, "train")
    assert isinstance(examples, ArrayExamples) == bool(memory)
    for found, image in zip(examples.read(np.arange(4))["image"], images, strict=True):
      rows, columns = (np.arange(3) * size // 3 for size in image.shape[:2])
      np.testing.assert_array_equal(found, image[rows[:, None], columns])
  crop = (dict(name="crop", top=0, left=0, height=4, width=3),)
  config = sets.config(tmp_path, "given/only", side=3, preprocess=crop)
  with pytest.raises(InputError, match="leaves image of 4x3 pixels, but config.data.side is 3"):
    open_split(config, "train")


def test_examples_can_be_sent_to_other_processes(root):
  steps = (dict(name="clip", length=3, stride=2, starts="all"), dict(name="resize", side=5))
  config = whole(root, "fixed", preprocess=steps, memory=0.0)
  examples = open_split(config, "train", training=True)
  again = pickle.loads(pickle.dumps(examples))
  assert len(again) == len(examples) and again.about == examples.about
  for name, value in examples.read(np.array([4, 0, 7])).items():
    np.testing.assert_array_equal(again.read(np.array([4, 0, 7]))[name], value)
