"""What is in generated 3D rooms."""

import io

import numpy as np
import pytest
from PIL import Image

from data.building.generated import source_of_chance
from data.generated_rooms3d import scenes


@pytest.mark.parametrize("least, most", [(4, 8), (18, 24)])
def test_rooms_have_few_or_many_small_objects_on_the_floor(least, most):
  options = scenes.Options(min_objects=least, max_objects=most, size=48)
  counts = set()
  for index in range(30):
    scene, camera, objects = scenes.compose(options, source_of_chance(0, "train", index))
    counts.add(len(objects))
    assert [solid.label for solid in objects] == list(range(1, len(objects) + 1))
    assert {s.label for s in scene.solids if s.shape == "plane"} == {0}
    places = np.array([solid.position for solid in objects])
    halves = np.array([solid.half for solid in objects])
    np.testing.assert_allclose(places[:, 2], halves[:, 2])
    assert halves.max() <= scenes.SIZE[1]
    apart = np.linalg.norm(places[:, None, :2] - places[:, :2], axis=-1)
    assert (apart - halves[:, 0] - halves[:, None, 0])[~np.eye(len(objects), dtype=bool)].min() > 0
    rows, columns, _ = camera.project(places.T)
    assert 0 < min(rows.min(), columns.min()) and max(rows.max(), columns.max()) < 48
  assert least in counts and most in counts and counts <= set(range(least, most + 1))


def test_the_room_is_grey_and_objects_are_not():
  options = scenes.Options(size=48)
  for index in range(4):
    example = scenes.draw(options, "train", index)
    image = np.asarray(Image.open(io.BytesIO(example["image"]))).astype(int)
    segmentation = np.asarray(Image.open(io.BytesIO(example["segmentation"])))
    coloured = np.ptp(image, axis=-1)
    # Edges mix the colours of both sides.
    inner = np.ones((48, 48), bool)
    for down in (-1, 0, 1):
      for right in (-1, 0, 1):
        inner &= np.roll(segmentation, (down, right), (0, 1)) == segmentation
    assert coloured[inner & (segmentation == 0)].max() < 12
    assert np.median(coloured[inner & (segmentation > 0)]) > 60
