"""MOVi: published records in our schema, and whatever may be wrong with them."""

import io

import numpy as np
import pytest
from PIL import Image

from configs import sections
from data.movi.movi_dataset_builder import Builder
from data.movi.names import NAMES, Options
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.examples import open_split
from tests.data import raw_records, raw_trees

SIDE, FRAMES = 12, 5
INSTANCES = {3: 2, 21: 3, 8: 1, 4: 2}  # by the number in the name of the video
FILES = {"train": {0: (3, 21), 2: (8,)}, "validation": {0: (4,)}}  # two of three are there


def png(pixels):
  file = io.BytesIO()
  Image.fromarray(pixels).save(file, "PNG")
  return file.getvalue()


def arrays(number):
  """What is known of a video, as our schema has it."""
  rng = np.random.default_rng(number)
  count = INSTANCES[number]
  visible = rng.uniform(size=(FRAMES, count)) < 0.7
  boxes = np.sort(rng.uniform(size=(FRAMES, count, 2, 2)), axis=2).reshape(FRAMES, count, 4)

  def of_instances(*shape):
    return rng.normal(size=(count, *shape)).astype(np.float32)

  return {
    "video": rng.integers(0, 256, (FRAMES, SIDE, SIDE, 3), np.uint8),
    "segmentation": rng.integers(0, count + 1, (FRAMES, SIDE, SIDE, 1), np.uint8),
    "depth levels": rng.integers(0, 65536, (FRAMES, SIDE, SIDE, 1)).astype(np.uint16),
    "forward_flow levels": rng.integers(0, 65536, (FRAMES, SIDE, SIDE, 2)),
    "backward_flow levels": rng.integers(0, 65536, (FRAMES, SIDE, SIDE, 2)),
    "bboxes": np.where(visible[..., None], boxes, 0).astype(np.float32),
    "visibility": (visible * rng.integers(1, 90, (FRAMES, count))).astype(np.uint16),
    "factors": {
      "mass": of_instances(),
      "friction": of_instances(),
      "restitution": of_instances(),
      "positions": of_instances(FRAMES, 3),
      "quaternions": of_instances(FRAMES, 4),
      "velocities": of_instances(FRAMES, 3),
      "angular_velocities": of_instances(FRAMES, 3),
      "bboxes_3d": of_instances(FRAMES, 8, 3),
      "image_positions": of_instances(FRAMES, 2),
      "scale": of_instances(),
      "category": rng.integers(0, 17, count).astype(np.int32),
      "is_dynamic": rng.uniform(size=count) < 0.5,
    },
    "camera": {
      "focal_length": np.float32(35),
      "sensor_width": np.float32(32),
      "field_of_view": np.float32(0.85),
      "positions": rng.normal(size=(FRAMES, 3)).astype(np.float32),
      "quaternions": rng.normal(size=(FRAMES, 4)).astype(np.float32),
    },
  }


def published(number, **changes):
  """The features of the published record; those that are changed to None are left out."""
  known, count = arrays(number), INSTANCES[number]
  seen = known["bboxes"].any(-1)
  features = {
    "video": [png(frame) for frame in known["video"]],
    "segmentations": [png(frame[..., 0]) for frame in known["segmentation"]],
    "depth": [png(frame[..., 0]) for frame in known["depth levels"]],
    "forward_flow": known["forward_flow levels"],
    "backward_flow": known["backward_flow levels"],
    "normal": [b"not read"],
    "background": [b"a_garden"],
    "metadata/video_name": [str(number).encode()],
    "metadata/num_frames": np.array([FRAMES]),
    "metadata/num_instances": np.array([count]),
    "metadata/depth_range": np.array([2, 9.5], np.float32),
    "metadata/forward_flow_range": np.array([-3, 4], np.float32),
    "metadata/backward_flow_range": np.array([-1, 7], np.float32),
    "instances/visibility": known["visibility"].T,
    "instances/bboxes/ragged_flat_values": known["bboxes"].swapaxes(0, 1)[seen.T],
    "instances/bboxes/ragged_row_lengths_0": seen.sum(0),
    "instances/bbox_frames/ragged_flat_values": np.nonzero(seen.T)[1],
    "instances/bbox_frames/ragged_row_lengths_0": seen.sum(0),
    "instances/asset_id": [b"shoe"] * count,
  }
  for name, values in known["factors"].items():
    whole = values.dtype == bool or values.dtype == np.int32
    features[f"instances/{name}"] = values.astype(np.int64) if whole else values
  features |= {f"camera/{name}": np.float32(values) for name, values in known["camera"].items()}
  features = {name: value for name, value in (features | changes).items() if value is not None}
  flat = {n: v if isinstance(v, list) else np.asarray(v).ravel() for n, v in features.items()}
  return raw_records.example(flat)


def file_of(root, split, place):
  folder = root / "movi_e" / f"{SIDE}x{SIDE}" / "1.0.0"
  return folder / f"movi_e-{split}.tfrecord-{place:05d}-of-00003"


def save_tree(root):
  for split, files in FILES.items():
    for place, numbers in files.items():
      raw_records.save_records(file_of(root, split, place), map(published, numbers))
  names = file_of(root, "train", 0).with_name("instances-category.labels.txt")
  names.write_text("".join(f"kind {number}\n" for number in range(17)))
  return root


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
  return save_tree(tmp_path_factory.mktemp("raw"))


def compare(found, expected):
  for name, values in expected.items():
    if isinstance(values, dict):
      assert set(found[name]) == set(values)
      compare(found[name], values)
    elif " levels" not in name:
      np.testing.assert_array_equal(found[name], values)
      if isinstance(found[name], np.ndarray):  # single numbers and pictures are given otherwise
        assert found[name].dtype == values.dtype


@pytest.mark.parametrize("processes", [1, 2])
def test_videos_in_our_schema(tmp_path, raw, processes):
  directory = prepare("movi/e_12px_depth_flow", tmp_path, raw, processes=processes)
  splits = raw_trees.read(directory)
  assert sorted(splits["train"]) == ["train/000003", "train/000008", "train/000021"]
  assert sorted(splits["validation"]) == ["validation/000004"]
  for found in splits.values():
    for key, example in found.items():
      expected = arrays(int(key[-6:]))
      compare(example, expected)
      assert example["num_objects"] == INSTANCES[int(key[-6:])]
      for name, least, most in (
        ("depth", 2, 9.5),
        ("forward_flow", -3, 4),
        ("backward_flow", -1, 7),
      ):
        numbers = expected[f"{name} levels"] / 65535 * (most - least) + least
        np.testing.assert_allclose(example[name], numbers, rtol=0, atol=2e-6)
        assert example[name].dtype == np.float32
  described = records.metadata(directory)
  assert described["labels"] == 24 and described["depth"] == "distance"
  assert described["classes"] == {"category": [f"kind {number}" for number in range(17)]}
  assert described["source"] == "MOVi-E, files: 2 of 3 train, 1 of 3 validation"


def test_only_what_is_asked_for_and_the_folder_itself(tmp_path, raw):
  folder = file_of(raw, "train", 0).parent
  directory = prepare("movi/e_12px", tmp_path, folder, processes=1)
  example = raw_trees.read(directory)["train"]["train/000021"]
  assert not {"depth", "forward_flow", "backward_flow"} & set(example)
  assert "depth" not in records.metadata(directory)
  config = sections.base().data
  config.update(name="movi/e_12px", directory=str(tmp_path), side=SIDE)
  config.update(fields=("video", "bboxes", "visibility", "factors/mass"))
  found = open_split(config, "validation").read(np.array([0]))
  assert found["bboxes"].shape == (1, FRAMES, 23, 4)  # filled up to the most of MOVi-E
  np.testing.assert_array_equal(found["bboxes"][0, :, :2], arrays(4)["bboxes"])
  np.testing.assert_array_equal(found["visibility"][0, :, :2], arrays(4)["visibility"])
  assert not found["bboxes"][0, :, 2:].any() and found["factors/mass"].shape == (1, 23)


def change_record(**changes):
  def damage(raw):
    path = file_of(raw, "train", 2)
    raw_records.save_records(path, [published(8), published(8, **changes)])

  return damage


@pytest.mark.parametrize(
  "damage, words",
  [
    (lambda raw: raw_trees.cut_short(file_of(raw, "train", 2)), "-00002-of-00003 is cut short"),
    (lambda raw: file_of(raw, "train", 0).write_bytes(b""), "-00000-of-00003 is empty"),
    (lambda raw: file_of(raw, "train", 2).write_bytes(bytes(99)), "-00002-of-00003 is not a TFR"),
    (change_record(segmentations=None), r"no video of MOVi at byte \d+ \(KeyError: 'segmentat"),
    (change_record(**{"metadata/num_frames": None}), r"has no metadata/num_frames at byte \d+"),
    (
      change_record(**{"metadata/num_frames": np.array([4])}),
      r"\(video 8\) has 4 frames, others 5",
    ),
    (
      change_record(**{"metadata/num_instances": np.array([24])}),
      r"\(video 8\) has 24 instances, MOVi-E at most 23",
    ),
    (change_record(video=[png(np.zeros((8, 9, 3), np.uint8))] * 5), "pictures of 8x9, the config"),
    (change_record(video=[png(np.zeros((12, 12, 3), np.uint8))]), "has 1 pictures for 5 frames"),
    (change_record(depth=[b"\x89PNG and more"] * 5), r"\(video 8\) cannot be read as a picture"),
    (
      change_record(**{"instances/mass": np.ones(2, np.float32)}),
      r"no video of MOVi at byte \d+ \(ValueError: cannot reshape",
    ),
  ],
)
def test_damage_is_one_line_that_names_the_file(tmp_path, damage, words):
  raw = save_tree(tmp_path / "raw")
  damage(raw)
  with pytest.raises(InputError, match=words) as caught:
    prepare("movi/e_12px_depth", tmp_path / "data", raw, processes=1)
  assert "\n" not in str(caught.value) and str(raw) in str(caught.value)


def test_damaged_records_can_be_left_out(tmp_path):
  raw = save_tree(tmp_path / "raw")
  file_of(raw, "train", 0).write_bytes(b"")
  change_record(segmentations=None)(raw)
  directory = prepare("movi/e_12px", tmp_path / "data", raw, processes=1, skip_damaged=True)
  assert [*raw_trees.read(directory)["train"]] == ["train/000008"]
  assert records.metadata(directory)["skipped"] == 2


@pytest.mark.parametrize("name", ["movi/e_24px", "movi/c_12px"])
def test_files_that_are_not_there(tmp_path, raw, name):
  folder = f"{name[:6].replace('/', '_')}/{name[7:9]}x{name[7:9]}"
  with pytest.raises(InputError, match=f"holds no files .*, nor does {folder}/<version> in it"):
    prepare(name, tmp_path, raw, processes=1)


def test_names():
  assert NAMES.parse("f_512px_depth") == Options("f", 512, depth=True)
  for options in (Options(), Options("d", 128, flow=True), Options("b", 256, True, True)):
    assert NAMES.parse(NAMES.spell(options)) == options
  for name in ("g_256px", "a", "a_256", "a_256px_flow_depth"):
    with pytest.raises(InputError, match="LETTER"):
      Builder.config_named(name)
