"""The steps between stored examples and batches, held against other ways to compute them."""

import jax
import numpy as np
import pytest
from PIL import Image

from data.building.boxes import boxes, visible_pixels
from objectcentric_jax.errors import InputError
from objectcentric_jax.input import crops, resizing
from objectcentric_jax.input.preprocess import STEPS, parse

HEIGHT, WIDTH = 11, 17


def step(name, data_side=0, **arguments):
  """The one step of that name, as a config gives it."""
  ((_, made),) = parse((dict(name=name, **arguments),), data_side, 0).steps
  return made


def places(height=HEIGHT, width=WIDTH, leading=()):
  """Every field of pictures, whose pixels say where they are: row, column and 99."""
  rows, columns = np.mgrid[:height, :width]
  where = np.stack([rows, columns, np.full_like(rows, 99)], -1)
  where = np.broadcast_to(where, (*leading, height, width, 3))
  return {
    "image": where.astype(np.uint8),
    "segmentation": where[..., :1].astype(np.uint8),
    "masks": np.stack([where[..., 1:2]] * 2, -4).astype(np.uint8),
    "depth": where[..., :1].astype(np.float32),
    "forward_flow": where[..., :2].astype(np.float32),
  }


def window(arrays):
  """(top, left, height, width) of what is left of `places`, after checking that all agree."""
  image = arrays["image"].reshape(-1, *arrays["image"].shape[-3:])[0]
  height, width = image.shape[:2]
  top, left = int(image[0, 0, 0]), int(image[0, 0, 1])
  expected = places()
  for name, array in arrays.items():
    cut = expected[name][..., top : top + height, left : left + width, :]
    np.testing.assert_array_equal(array, np.broadcast_to(cut, array.shape))
  return top, left, height, width


# Resizing


def noise(*shape, dtype=np.uint8):
  rng = np.random.default_rng(0)
  if dtype == np.float32:
    return rng.normal(size=shape).astype(np.float32)
  return rng.integers(0, np.iinfo(dtype).max + 1, shape, dtype)


@pytest.mark.parametrize("method", ["pillow_nearest", "pillow_bilinear", "pillow_bicubic"])
@pytest.mark.parametrize("height, width", [(5, 8), (23, 9), (11, 40)])
def test_pillow_methods_are_pillow(method, height, width):
  kind = getattr(Image.Resampling, method.removeprefix("pillow_").upper())
  colours, grey = noise(2, 3, HEIGHT, WIDTH, 3), noise(2, HEIGHT, WIDTH, 1)
  found = resizing.resize(colours, height, width, method)
  assert found.shape == (2, 3, height, width, 3) and found.dtype == np.uint8
  for place in np.ndindex(2, 3):
    expected = Image.fromarray(colours[place]).resize((width, height), kind)
    np.testing.assert_array_equal(found[place], np.asarray(expected))
  found = resizing.resize(grey, height, width, method)
  for picture, source in zip(found, grey, strict=True):
    expected = Image.fromarray(source[..., 0]).resize((width, height), kind)
    np.testing.assert_array_equal(picture[..., 0], np.asarray(expected))
  numbers = noise(HEIGHT, WIDTH, 2, dtype=np.float32)
  found = resizing.resize(numbers, height, width, method)
  for channel in range(2):
    plane = Image.fromarray(np.ascontiguousarray(numbers[..., channel]))
    expected = np.asarray(plane.resize((width, height), kind))
    np.testing.assert_array_equal(found[..., channel], expected)


def test_ids_of_sixteen_bits_take_pillows_nearest_pixel():
  ids = noise(10, 16, 1, dtype=np.uint16)
  found = resizing.resize(ids, 5, 8, "pillow_nearest")
  np.testing.assert_array_equal(found, ids[1::2, 1::2])
  np.testing.assert_array_equal(resizing.resize(ids, 5, 8, "nearest"), ids[::2, ::2])


def test_nearest_rounds_as_the_published_code_does():
  """In float32 27 * (224 / 96) is below 63: PyTorch's `interpolate` takes pixel 62."""
  row = np.arange(224, dtype=np.uint8).reshape(1, 224, 1)
  found = resizing.nearest(row, 1, 96)[0, :, 0]
  exact = np.arange(96) * 224 // 96
  early = np.flatnonzero(found != exact)
  assert early.tolist() == [27, 51, 54] and found[early].tolist() == [62, 118, 125]


@pytest.mark.parametrize("height, width", [(5, 8), (23, 9), (11, 17), (1, 60)])
def test_bilinear_interpolates_between_the_pixels_around(height, width):
  pictures = noise(2, HEIGHT, WIDTH, 3)
  shares = pictures.astype(np.float32) / 255
  expected = jax.image.resize(shares, (2, height, width, 3), "linear", antialias=False)
  found = resizing.resize(pictures, height, width, "bilinear")
  assert found.dtype == np.float32
  np.testing.assert_allclose(found, expected, atol=2e-6)
  numbers = noise(2, HEIGHT, WIDTH, 2, dtype=np.float32)
  expected = jax.image.resize(numbers, (2, height, width, 2), "linear", antialias=False)
  found = resizing.resize(numbers, height, width, "bilinear")
  np.testing.assert_allclose(found, expected, atol=5e-6)


def test_resize_treats_fields_as_what_they_are():
  arrays = {
    "video": noise(4, HEIGHT, WIDTH, 3),
    "segmentation": noise(4, HEIGHT, WIDTH, 1) % 4,
    "masks": noise(4, 2, HEIGHT, WIDTH, 1),
    "depth": noise(4, HEIGHT, WIDTH, 1, dtype=np.float32),
    "backward_flow": noise(4, HEIGHT, WIDTH, 2, dtype=np.float32),
    "num_objects": np.int32(3),
  }
  found = step("resize", height=5, width=34, method="pillow_bilinear")(arrays, None)
  for name in ("video", "masks", "depth"):
    expected = resizing.resize(arrays[name], 5, 34, "pillow_bilinear")
    np.testing.assert_array_equal(found[name], expected)
  np.testing.assert_array_equal(
    found["segmentation"], resizing.nearest(arrays["segmentation"], 5, 34)
  )
  flow = resizing.resize(arrays["backward_flow"], 5, 34, "pillow_bilinear")
  scaled = flow * np.array([5 / HEIGHT, 34 / WIDTH], np.float32)
  np.testing.assert_allclose(found["backward_flow"], scaled, rtol=1e-6)
  assert found["num_objects"] == 3
  other = step("resize", height=5, width=34, ids="pillow_nearest")(arrays, None)
  expected = resizing.resize(arrays["segmentation"], 5, 34, "pillow_nearest")
  np.testing.assert_array_equal(other["segmentation"], expected)
  assert (other["segmentation"] != found["segmentation"]).any()


@pytest.mark.parametrize(
  "arguments, shape",
  [
    (dict(side=6), (6, 6)),
    (dict(short_side=22), (22, 34)),
    (dict(short_side=4), (4, 6)),  # 4 * 17 / 11 = 6.2
    (dict(height=3, width=5), (3, 5)),
    ({}, (9, 9)),
  ],
)
def test_resize_takes_sizes_in_several_ways(arguments, shape):
  found = step("resize", data_side=9, **arguments)({"image": noise(HEIGHT, WIDTH, 3)}, None)
  assert found["image"].shape == (*shape, 3)


def test_the_published_crop_and_resize_of_clevr():
  """Rows 24 to 216 and columns 64 to 256 of 240x320, then the nearest pixel."""
  image = noise(240, 320, 3)
  steps = parse((dict(name="centre_crop", height=192, width=192), dict(name="resize")), 128, 0)
  rows = np.arange(128) * 192 // 128
  expected = image[24:216, 64:256][rows[:, None], rows]
  np.testing.assert_array_equal(steps({"image": image})["image"], expected)


# Cropping


@pytest.mark.parametrize("leading", [(), (2,), (3, 2)])
def test_fixed_crops(leading):
  found = step("centre_crop", height=4, width=6)(places(leading=leading), None)
  assert window(found) == (3, 5, 4, 6)
  found = step("crop", top=2, left=7, height=9, width=10)(places(leading=leading), None)
  assert window(found) == (2, 7, 9, 10)


def test_each_corner_makes_an_example_of_its_own():
  corners = ((0, 3), (5, 0))
  steps = parse((dict(name="crop_each", corners=corners, height=4, width=6),), 0, 0)
  assert [window(v(places())) for v in steps.variants()] == [(0, 3, 4, 6), (5, 0, 4, 6)]


@pytest.mark.parametrize("shape", [(11, 17), (17, 11), (9, 9)])
def test_square_crops_reach_from_end_to_end(shape):
  side, room = min(shape), max(shape) - min(shape)
  along = 0 if shape[0] > shape[1] else 1
  picture = {"image": places(*shape)["image"]}
  offsets = set()
  for seed in range(120):
    image = step("square_crop")(picture, np.random.default_rng(seed))["image"]
    assert image.shape == (side, side, 3) and image[0, 0, 1 - along] == 0
    offsets.add(int(image[0, 0, along]))
  assert offsets == set(range(room + 1))
  for evaluation, offset in (("centre", room // 2), ("start", 0)):
    image = step("square_crop", evaluation=evaluation)(picture, None)["image"]
    assert image[0, 0, along] == offset and image[0, 0, 1 - along] == 0


@pytest.mark.parametrize("leading", [(), (4,)])
def test_square_crops_are_shared_by_frames_and_fields(leading):
  for seed in range(5):
    found = step("square_crop")(places(leading=leading), np.random.default_rng(seed))
    top, _, height, width = window(found)
    assert (top, height, width) == (0, 11, 11)


def test_scale_crop_flip_draws_one_window_for_all(monkeypatch):
  """The windows as published; resizing is left out, so that the pixels still tell their place."""
  monkeypatch.setattr(crops, "resized", lambda arrays, *_: arrays)
  found, mirrored = set(), 0
  for seed in range(300):
    arrays = step("scale_crop_flip", side=8)(places(leading=(2,)), np.random.default_rng(seed))
    if arrays["image"][0, 0, 0, 1] > arrays["image"][0, 0, -1, 1]:
      mirrored += 1
      assert (arrays["forward_flow"][..., 1] <= 0).all()
      arrays = crops.mirror(arrays)
    top, left, height, width = window(arrays)
    assert height == width
    found.add((top, left, height))
  # The smallest window is max(8 / 11, 8 / 17) / 1.15 of 11 rows, rounded down; 11 needs s = 1.
  sides = {side for _, _, side in found}
  assert sides == {6, 7, 8, 9, 10}
  for side in (7, 8, 9, 10):
    assert {top for top, _, s in found if s == side} == set(range(11 - side))
    assert {left for _, left, s in found if s == side} == set(range(17 - side))
  assert 110 < mirrored < 190


def test_scale_crop_flip_ends_in_the_size_it_is_given():
  arrays = {"video": noise(3, HEIGHT, WIDTH, 3), "segmentation": noise(3, HEIGHT, WIDTH, 1)}
  drawn = step("scale_crop_flip", side=8)(arrays, np.random.default_rng(0))
  assert drawn["video"].shape == (3, 8, 8, 3) and drawn["video"].dtype == np.float32
  assert set(np.unique(drawn["segmentation"])) <= set(np.unique(arrays["segmentation"]))
  fixed = step("scale_crop_flip", side=8)(arrays, None)
  expected = resizing.resize(arrays["video"], 8, 8, "bilinear")
  np.testing.assert_array_equal(fixed["video"], expected)


def test_boxes_follow_crops_and_mirroring():
  """Against the extent of the boxes' pixels in the cut picture."""
  boxes = np.array([[2, 3, 8, 9], [0, 0, 11, 17], [9, 12, 11, 17], [0, 0, 0, 0]], np.float32)
  shares = boxes / np.array([11, 17, 11, 17], np.float32)
  arrays = {"image": noise(HEIGHT, WIDTH, 3), "bboxes": shares.astype(np.float32)}
  found = crops.cut(arrays, 1, 4, 7, 10)["bboxes"] * np.array([7, 10, 7, 10])
  # Rows 1 to 8 and columns 4 to 14 are left; the third box begins at row 9.
  expected = [[1, 0, 7, 5], [0, 0, 7, 10], [0, 0, 0, 0], [0, 0, 0, 0]]
  np.testing.assert_allclose(found, expected, atol=1e-5)
  found = crops.mirror(arrays)["bboxes"] * np.array([11, 17, 11, 17])
  expected = [[2, 8, 8, 14], [0, 0, 11, 17], [9, 0, 11, 5], [0, 0, 0, 0]]
  np.testing.assert_allclose(found, expected, atol=1e-5)
  video = {"video": noise(2, HEIGHT, WIDTH, 3), "bboxes": np.stack([arrays["bboxes"]] * 2)}
  again = crops.cut(video, 1, 4, 7, 10)["bboxes"]
  np.testing.assert_array_equal(again, np.stack([crops.cut(arrays, 1, 4, 7, 10)["bboxes"]] * 2))


def test_unusable_crops_name_the_step():
  steps = parse((dict(name="centre_crop", height=12, width=4),), 0, 0)
  with pytest.raises(InputError, match="centre_crop: a window of 12x4 .* pictures of 11x17"):
    steps(places())
  steps = parse((dict(name="square_crop"),), 0, 0)
  with pytest.raises(InputError, match="no picture among the fields num_objects"):
    steps({"num_objects": np.int32(1)})
  with pytest.raises(InputError, match="differ in size: image 11x17, depth 3x4"):
    steps({"image": noise(HEIGHT, WIDTH, 3), "depth": noise(3, 4, 1, dtype=np.float32)})


# Values


def test_grey_becomes_rgb_and_colours_stay():
  found = step("grey_to_rgb")({"image": noise(5, 4, 1), "video": noise(2, 5, 4, 3)}, None)
  np.testing.assert_array_equal(found["image"], np.repeat(noise(5, 4, 1), 3, -1))
  np.testing.assert_array_equal(found["video"], noise(2, 5, 4, 3))


@pytest.mark.parametrize("stored_bgr", [False, True])
@pytest.mark.parametrize("order", ["rgb", "bgr"])
def test_channels_come_in_the_order_asked_for(stored_bgr, order):
  rgb = noise(5, 4, 3)
  stored = rgb[..., ::-1] if stored_bgr else rgb
  steps, about = parse((dict(name="channel_order", order=order),), 0, 0).adapted(
    {"bgr": stored_bgr}
  )
  found = steps({"image": stored, "depth": noise(5, 4, 1)})
  np.testing.assert_array_equal(found["image"], rgb if order == "rgb" else rgb[..., ::-1])
  np.testing.assert_array_equal(found["depth"], noise(5, 4, 1))
  assert about["bgr"] == (order == "bgr")


def test_background_ids_are_merged():
  ids = np.array([[0, 1, 2, 3, 4, 5]], np.uint16)[..., None]
  described = {"background_ids": [0, 1, 3], "labels": 6}
  steps, about = parse((dict(name="merge_background"),), 0, 0).adapted(described)
  found = steps({"segmentation": ids})["segmentation"]
  assert found[..., 0].tolist() == [[0, 0, 2, 0, 4, 5]] and found.dtype == np.uint16
  assert about == {"background_ids": [0], "labels": 6}
  with pytest.raises(InputError, match="merge_background: the set has no segmentation"):
    parse((dict(name="merge_background"),), 0, 0).adapted({})


def test_ids_of_a_clip_are_numbered_anew():
  ids = np.array([[[700, 0], [31, 31]], [[0, 31], [5, 700]]], np.uint16)[..., None]
  steps, about = parse((dict(name="relabel", objects=3),), 0, 0).adapted({"labels": 900})
  found = steps({"segmentation": ids})["segmentation"]
  assert found.dtype == np.uint8
  assert found[..., 0].tolist() == [[[3, 0], [2, 2]], [[0, 2], [1, 3]]]
  assert about == {"labels": 4, "max_objects": 3}
  steps = parse((dict(name="relabel", objects=2),), 0, 0)
  with pytest.raises(InputError, match="an example shows 3 objects, relabel has objects=2"):
    steps({"segmentation": ids})
  assert not steps.batched  # examples are numbered each by itself


def test_masks_of_objects_can_be_interpolated():
  ids = noise(2, HEIGHT, WIDTH, 1) % 5
  arrays = {"video": noise(2, HEIGHT, WIDTH, 3), "segmentation": ids}
  found = step("object_masks", objects=4)(arrays, None)["masks"]
  assert found.shape == (2, 4, HEIGHT, WIDTH, 1) and found.dtype == np.uint8
  for k in range(4):
    np.testing.assert_array_equal(found[:, k], 255 * (ids == k + 1))
  described = (
    dict(name="object_masks", objects=4),
    dict(name="resize", side=5, method="pillow_bicubic"),
  )
  soft = parse(described, 0, 0)(arrays)["masks"]
  np.testing.assert_array_equal(soft, resizing.resize(found, 5, 5, "pillow_bicubic"))


def test_boxes_of_objects():
  rng = np.random.default_rng(3)
  ids = np.zeros((3, 13, 9, 1), np.uint16)
  for t in range(3):
    for number in (1, 2, 4):
      top, left = rng.integers(0, 8), rng.integers(0, 5)
      ids[t, top : top + rng.integers(1, 5), left : left + rng.integers(1, 4)] = number
  ids[1][ids[1] == 2] = 0
  found = step("object_boxes", objects=5)({"video": None, "segmentation": ids}, None)
  assert found["bboxes"].shape == (3, 5, 4) and found["bboxes"].dtype == np.float32
  for t in range(3):
    np.testing.assert_array_equal(found["bboxes"][t], boxes(ids[t], 5))
    np.testing.assert_array_equal(found["visibility"][t], visible_pixels(ids[t], 5))
  assert found["num_objects"] == 3 and found["num_objects"].dtype == np.int32
  assert (found["bboxes"][1, 1] == 0).all() and (found["bboxes"][:, [2, 4]] == 0).all()
  still = step("object_boxes", objects=5)({"segmentation": ids[0]}, None)
  np.testing.assert_array_equal(still["bboxes"], found["bboxes"][0])
  with pytest.raises(InputError, match="an example shows id 4, object_boxes has objects=3"):
    parse((dict(name="object_boxes", objects=3),), 0, 0)({"segmentation": ids})
  with pytest.raises(InputError, match="object_boxes: the set has no segmentation"):
    parse((dict(name="object_boxes", objects=3),), 0, 0).adapted({})


# Configs


@pytest.mark.parametrize(
  "steps, words",
  [
    ((dict(name="resise"),), ["no step 'resise' (did you mean resize?)", "centre_crop"]),
    ((dict(side=3),), ["no step None"]),
    (dict(name="resize"), ["a tuple of steps is needed"]),
    (("resize",), ["a tuple of steps is needed"]),
    ((dict(name="resize", sise=3),), ["resize takes no 'sise' (did you mean side?)"]),
    ((dict(name="grey_to_rgb", side=3),), ["grey_to_rgb takes no 'side'", "it takes: nothing"]),
    ((dict(name="centre_crop", height=3),), ["centre_crop needs width"]),
    ((dict(name="centre_crop", height=3, width="4"),), ["centre_crop: width is '4'", "int"]),
    ((dict(name="centre_crop", height=True, width=4),), ["height is True"]),
    ((dict(name="resize", method="area"),), ["resize: method is 'area'", "pillow_bicubic"]),
    ((dict(name="resize", side=3, short_side=4),), ["give side, short_side, or height and width"]),
    ((dict(name="resize", height=3),), ["give side, short_side, or height and width"]),
    ((dict(name="resize"),), ["resize: a side is needed"]),
    ((dict(name="square_crop", evaluation="end"),), ["evaluation is 'end'"]),
    ((dict(name="scale_crop_flip", side=4, flip=2.0),), ["flip between 0 and 1"]),
    ((dict(name="channel_order", order="gbr"),), ["order is 'gbr'"]),
    ((dict(name="relabel", objects=0),), ["relabel: objects is 0"]),
    ((dict(name="object_boxes", objects=0),), ["object_boxes: objects is 0"]),
    ((dict(name="resize", side=3), dict(name="clip", length=2)), ["clip", "the first step"]),
    ((dict(name="clip"),), ["clip needs length"]),
    ((dict(name="crop_each", corners=(1, 2), height=3, width=3),), ["crop_each: corners"]),
  ],
)
def test_mistakes_in_a_config_are_one_line(steps, words):
  with pytest.raises(InputError) as caught:
    parse(steps, 0, 0)
  message = str(caught.value)
  assert message.startswith("config.data.preprocess") and "\n" not in message
  for word in words:
    assert word in message


def test_sizes_come_from_the_config_where_steps_give_none():
  steps = (dict(name="clip"), dict(name="scale_crop_flip"), dict(name="resize"))
  parsed = parse(steps, 8, 5)
  assert parsed.selection.length == 5
  assert [made.side for _, made in parsed.steps] == [8, 8]
  assert [name for name, _ in parse((), 8, 0).steps] == ["resize"]
  assert parse((), 0, 0).steps == ()


def test_steps_are_split_before_the_first_random_one():
  names = ("centre_crop", "grey_to_rgb", "square_crop", "resize")
  described = [dict(name=name) for name in names]
  described[0] |= dict(height=3, width=4)
  before, after = parse(described, 2, 0).split()
  assert [name for name, _ in before.steps] == ["centre_crop", "grey_to_rgb"]
  assert [name for name, _ in after.steps] == ["square_crop", "resize"]
  assert after.random and not before.random


def test_every_step_is_described():
  for name, kind in STEPS.items():
    assert kind.__doc__.startswith(f"`{name}`: ")
