"""What all sets that are drawn have in common: builds, reading back, names, boxes."""

import importlib
import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data.building import boxes as box_module
from data.building.generated import SPLITS, Splits, padded, source_of_chance
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError

SETS = {
  "generated_objects_room": "24px_six_objects_depth_amodal_train5_validation3_test2_seed4",
  "generated_rooms3d": "28px_3-5_samples1_amodal_train5_validation3_test2",
  "generated_shapestacks": "24px_2-5_depth_train5_validation3_test2",
  "generated_movi": "20px_2-3_moving_camera_frames3_depth_flow_train5_validation3_test2",
}


def builder_class(dataset: str):
  return importlib.import_module(f"data.{dataset}.{dataset}_dataset_builder").Builder


def decoded(value):
  """What a drawn example is when it is read back."""
  if isinstance(value, dict):
    return {key: decoded(part) for key, part in value.items()}
  if isinstance(value, list):
    return np.stack([decoded(part) for part in value])
  if isinstance(value, bytes):
    pixels = np.asarray(Image.open(io.BytesIO(value)))
    return pixels if pixels.ndim == 3 else pixels[..., None]
  return np.asarray(value)


def assert_same(found, expected, path=""):
  if isinstance(expected, dict):
    assert set(found) == set(expected), path
    for key, value in expected.items():
      assert_same(found[key], value, f"{path}/{key}")
  else:
    np.testing.assert_array_equal(found, expected, err_msg=path)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
  root = tmp_path_factory.mktemp("data")
  for dataset, config in SETS.items():
    prepare(f"{dataset}/{config}", root, processes=2)
  return root


@pytest.fixture(params=SETS)
def dataset(request):
  return request.param


def directory_of(root, dataset):
  return records.find(f"{dataset}/{SETS[dataset]}", root)


def test_every_example_is_read_back_as_it_is_drawn_alone(root, dataset):
  builder = tfds.builder_from_directory(directory_of(root, dataset))
  drawn = builder_class(dataset)
  options = drawn.NAMES.parse(SETS[dataset])
  keys = set()
  for split in SPLITS:
    source = builder.as_data_source(split)
    assert len(source) == options.count(split)
    for example in source:
      key = example.pop("metadata")["key"].decode()
      keys.add(key)
      assert_same(example, decoded(drawn.DRAW(options, split, int(key[-8:]))))
  assert keys == {f"{s}-{i:08d}" for s in SPLITS for i in range(options.count(s))}


def test_shards_do_not_depend_on_processes(root, dataset, tmp_path):
  again = prepare(f"{dataset}/{SETS[dataset]}", tmp_path, processes=1)
  files = [path.name for path in again.glob("*.array_record-*")]
  assert len(files) == 3
  for name in files:
    assert (again / name).read_bytes() == (directory_of(root, dataset) / name).read_bytes()


def test_metadata_say_what_labels_mean(root, dataset):
  described = records.metadata(directory_of(root, dataset))
  assert described["source"] == "generated"
  assert described["labels"] == len(described["background_ids"]) + described["max_objects"]
  assert described["background_ids"][0] == 0
  assert ("depth" in described) == ("depth" in SETS[dataset].split("_"))
  assert described.get("depth", "distance") == "distance"
  assert described["seed"] == (4 if "seed4" in SETS[dataset] else 0)


def test_boxes_and_visibility_are_those_of_the_masks(root, dataset):
  directory = directory_of(root, dataset)
  described = records.metadata(directory)
  first = len(described["background_ids"])
  checked = 0
  for example in tfds.builder_from_directory(directory).as_data_source("train"):
    frames = "video" in example
    for number in range(described["max_objects"]):
      mask = (np.asarray(example["segmentation"]) == first + number)[..., 0]
      for one, box, seen in zip(
        mask if frames else [mask],
        example["bboxes"][:, number] if frames else [example["bboxes"][number]],
        example["visibility"][:, number] if frames else [example["visibility"][number]],
        strict=True,
      ):
        assert one.sum() == seen
        if not seen:
          np.testing.assert_array_equal(box, 0)
          continue
        rows, columns = np.nonzero(one)
        edges = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        np.testing.assert_allclose(box, np.divide(edges, one.shape[0]), rtol=1e-6)
        checked += 1
      if number >= example["num_objects"]:
        assert not mask.any()
  assert checked > 8


def test_configs_have_names_that_are_parsed_back(dataset):
  builder = builder_class(dataset)
  for config in builder.BUILDER_CONFIGS:
    assert builder.NAMES.parse(config.name) == config.options
    assert builder.NAMES.spell(config.options) == config.name
    assert builder.config_named(config.name) is config
  options = builder.NAMES.parse(SETS[dataset])
  assert builder.NAMES.spell(options) == SETS[dataset]
  tenth = builder.NAMES.parse(f"{builder.DEFAULT_CONFIG}_train30")
  assert (tenth.train, tenth.validation, tenth.test) == (30, 3, 3)


@pytest.mark.parametrize("end", ["_train0", "_sixobjects", "_depths", "_seed01", "_samples9", "_"])
def test_other_names_are_errors_with_an_example(dataset, end):
  builder = builder_class(dataset)
  with pytest.raises(InputError) as caught:
    builder.config_named(builder.DEFAULT_CONFIG + end)
  message = str(caught.value)
  assert dataset in message and "SIZEpx" in message and "for example" in message
  assert "\n" not in message


def test_files_are_not_taken(dataset, tmp_path):
  with pytest.raises(InputError, match=f"--from .*{dataset} is drawn"):
    prepare(dataset, tmp_path, raw=tmp_path)


def test_chance_depends_on_seed_split_and_index():
  assert Splits(train=7).count("train") == 7
  values = {
    source_of_chance(seed, split, index).integers(1 << 40)
    for seed in (0, 1)
    for split in SPLITS
    for index in range(5)
  }
  assert len(values) == 30
  again = source_of_chance(1, "test", 4).integers(1 << 40)
  assert again in values


def test_boxes_of_a_drawn_mask():
  segmentation = np.zeros((6, 10, 1), np.uint8)
  segmentation[2:5, 3:4] = 5
  segmentation[5, 9] = 7
  found = box_module.boxes(segmentation, 3, first=5)
  np.testing.assert_allclose(found, [[2 / 6, 0.3, 5 / 6, 0.4], [0] * 4, [5 / 6, 0.9, 1, 1]])
  assert found.dtype == np.float32
  np.testing.assert_array_equal(box_module.visible_pixels(segmentation, 3, first=5), [3, 0, 1])
  large = np.ones((300, 300, 1), np.uint8)
  np.testing.assert_array_equal(box_module.visible_pixels(large, 2), [65535, 0])


def test_rows_are_padded_with_zeros():
  np.testing.assert_array_equal(padded([[1, 2]], 3, np.int32), [[1, 2], [0, 0], [0, 0]])
  assert padded(np.zeros((0, 4)), 2, np.float32).shape == (2, 4)
