"""What is in generated objects rooms."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data.building.generated import source_of_chance
from data.generated_objects_room import scenes
from data.generated_objects_room.generated_objects_room_dataset_builder import Builder
from data.prepare import prepare
from data.raycast import rooms
from data.raycast.render import render


def compositions(variant: str, count: int = 12, **options):
  options = scenes.Options(variant=variant, size=32, samples=1, **options)
  return [scenes.compose(options, source_of_chance(0, "train", index)) for index in range(count)]


@pytest.mark.parametrize("variant, counts", scenes.OBJECTS.items())
def test_variants_have_their_numbers_of_objects_and_labels(variant, counts):
  found = set()
  for scene, camera, objects in compositions(variant):
    found.add(len(objects))
    assert [solid.label for solid in objects] == list(range(4, 4 + len(objects)))
    labels = set(np.unique(render(scene, camera).segmentation))
    assert {0, 1} < labels <= {0, 1, 2, 3} | {solid.label for solid in objects}
    assert labels & {2, 3}
  assert found == set(range(counts[0], counts[1] + 1))


def test_the_names_are_those_of_the_public_set():
  assert [config.name for config in Builder.BUILDER_CONFIGS] == [
    "64px", "64px_six_objects", "64px_identical_color", "64px_empty_room",
  ]  # fmt: skip
  assert Builder.config_named("64px_identical_color").options.max_objects == 6


def test_objects_stand_apart_on_the_floor_in_the_picture():
  for _, camera, objects in compositions("six_objects"):
    for number, solid in enumerate(objects):
      np.testing.assert_allclose(solid.position[2], solid.half[2])
      rows, columns, ahead = camera.project(np.array(solid.position)[:, None])
      assert ahead[0] > 0 and 0 < columns[0] < 32 and 0 < rows[0] < 32
      reach = rooms.footprint(solid.shape, solid.half[0])
      for other in objects[:number]:
        between = np.hypot(*np.subtract(solid.position, other.position)[:2])
        least = rooms.footprint(other.shape, other.half[0]) if other.shape != "capsule" else 0
        assert between > (reach if solid.shape != "capsule" else 0) + least


def test_colours():
  for _, _, objects in compositions("identical_color"):
    assert len({solid.material.colour for solid in objects}) == 1
  for _, _, objects in compositions("six_objects"):
    assert len({solid.material.colour for solid in objects}) == len(objects)


def test_opposite_walls_share_colour_and_label():
  for scene, _, _ in compositions("empty_room", 3):
    _, *walls = scene.solids
    assert [wall.label for wall in walls] == [2, 3, 2, 3]
    assert walls[0].material == walls[2].material != walls[1].material == walls[3].material


def test_amodal_masks_hold_what_is_seen_and_more():
  options = scenes.Options(variant="six_objects", size=32, amodal=True)
  hidden = 0
  for index in range(6):
    example = scenes.draw(options, "test", index)
    segmentation = np.asarray(Image.open(io.BytesIO(example["segmentation"])))
    assert example["amodal_masks"].shape == (6, 32, 32, 1)
    for number, whole in enumerate(example["amodal_masks"][..., 0] == 255):
      seen = segmentation == 4 + number
      assert (whole | ~seen).all()
      hidden += (whole & ~seen).sum()
    assert not example["amodal_masks"][example["num_objects"] :].any()
  assert hidden > 40


def test_discs_that_do_not_fit_become_smaller():
  rng = np.random.default_rng(0)
  everywhere = lambda places: np.ones(len(places), bool)  # noqa: E731
  centres, scale = rooms.spread(rng, [0.5] * 9, (0.6, 0.6), 0.05, everywhere)
  assert scale < 0.8 and np.abs(centres).max() <= 0.6
  apart = np.linalg.norm(centres[:, None] - centres, axis=-1)[~np.eye(9, dtype=bool)]
  assert apart.min() > scale + 0.05


def test_an_empty_room_is_stored_with_no_rows(tmp_path):
  directory = prepare("generated_objects_room/24px_empty_room_amodal_train2", tmp_path, processes=1)
  for example in tfds.builder_from_directory(directory).as_data_source("train"):
    assert example["num_objects"] == 0
    assert example["bboxes"].shape == (0, 4)
    assert example["amodal_masks"].shape == (0, 24, 24, 1)
    assert example["image"].shape == (24, 24, 3)
