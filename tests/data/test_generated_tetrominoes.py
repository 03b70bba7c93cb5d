"""Tetrominoes: which there are, where they lie, and what is stored of them."""

import io

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data import prepare
from data.generated_tetrominoes import scenes
from data.generated_tetrominoes.generated_tetrominoes_dataset_builder import NAMES, Builder
from objectcentric_jax import records
from objectcentric_jax.errors import InputError

BUILT = "2-3_train140_validation5_test4_seed3"  # more scenes than one task of a worker


def decode(png: bytes) -> np.ndarray:
  return np.asarray(Image.open(io.BytesIO(png)))


def cells_of(mask: np.ndarray) -> frozenset:
  """The cells of a mask, moved to the corner; fails unless cells are filled or empty."""
  blocks = mask.reshape(7, 5, 7, 5).mean(axis=(1, 3))
  assert set(np.unique(blocks)) <= {0, 1}
  rows, columns = np.nonzero(blocks)
  return frozenset(zip(rows - rows.min(), columns - columns.min(), strict=True))


def fixed_polyominoes(cells: int) -> set[frozenset]:
  """All connected sets of cells but for translation, grown cell by cell."""
  found = {frozenset({(0, 0)})}
  for _ in range(cells - 1):
    grown = set()
    for known in found:
      for row, column in known:
        for cell in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
          if cell not in known:
            rows, columns = zip(*known, cell, strict=True)
            grown.add(frozenset((r - min(rows), c - min(columns)) for r, c in (*known, cell)))
    found = grown
  return found


def test_these_are_the_19_fixed_tetrominoes():
  ours = {
    name: frozenset(zip(*np.nonzero(cells), strict=True))
    for name, cells in scenes.TETROMINOES.items()
  }
  assert len(ours) == 19 and set(ours.values()) == fixed_polyominoes(4)
  turns = {letter: sum(name[0] == letter for name in ours) for letter in "IOTSZJL"}
  assert turns == dict(I=2, O=1, T=4, S=2, Z=2, J=4, L=4)
  assert ours["T90"] == {(0, 1), (1, 0), (1, 1), (2, 1)}  # the stem of T0, below, turns to the left


@pytest.mark.parametrize("name", ["3-3", "1-4_unique"])
def test_a_picture_shows_what_its_factors_say(name):
  options = NAMES.parse(name)
  counts, lowest = set(), []
  for index in range(60):
    example = scenes.draw(options, "validation", index)
    image, segmentation = decode(example["image"]), decode(example["segmentation"])
    assert image.shape == (35, 35, 3) and segmentation.shape == (35, 35)
    count = example["num_objects"]
    counts.add(count)
    assert set(np.unique(segmentation)) == set(range(count + 1))
    assert not image[segmentation == 0].any()
    factors = example["factors"]
    for number in range(count):
      mask = segmentation == number + 1
      tetromino = scenes.TETROMINOES[scenes.SHAPES[factors["shape"][number]]]
      assert cells_of(mask) == frozenset(zip(*np.nonzero(tetromino), strict=True))
      assert mask.sum() == 100 == example["visibility"][number]
      assert (image[mask] == factors["colour"][number]).all()
      rows, columns = np.nonzero(mask)
      box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
      lowest.append(box[2])
      np.testing.assert_allclose(example["bboxes"][number] * 35, box, atol=1e-5)
      middle = (factors["y"][number], factors["x"][number])
      np.testing.assert_allclose(middle, (np.add(box[:2], box[2:])) / 2)
    for values in (example["bboxes"], example["visibility"], *factors.values()):
      assert len(values) == options.max_objects and not values[count:].any()
    colours = {tuple(colour) for colour in factors["colour"][:count]}
    assert colours <= set(scenes.COLOURS)
    assert len(colours) == count or not options.unique
  assert counts == set(range(options.min_objects, options.max_objects + 1))
  assert max(lowest) == 35  # pieces reach the edge


def test_all_shapes_colours_and_places_are_as_likely():
  options = NAMES.parse("1-1")
  pieces = [scenes.compose(options, np.random.default_rng([5, index]))[0] for index in range(4000)]
  for values, kinds in (([p.shape for p in pieces], 19), ([p.colour for p in pieces], 6)):
    counts = np.bincount(values, minlength=kinds)
    assert np.abs(counts - 4000 / kinds).max() < 5 * np.sqrt(4000 / kinds)
  upright = [p for p in pieces if scenes.SHAPES[p.shape] == "I90"]
  assert {(p.row, p.column) for p in upright} == {(r, c) for r in range(4) for c in range(7)}


def test_pieces_may_touch_and_all_places_that_leave_them_whole_are_as_likely():
  options = NAMES.parse("2-2")
  gaps = []
  for index in range(9000):
    pieces = scenes.compose(options, np.random.default_rng([7, index]))
    if [scenes.SHAPES[piece.shape] for piece in pieces] == ["O0", "O0"]:
      first, second = ((piece.row, piece.column) for piece in pieces)
      gaps.append(np.abs(np.subtract(first, second)).max())
  places = [(row, column) for row in range(6) for column in range(6)]
  every = np.array([max(abs(r - s), abs(c - d)) for r, c in places for s, d in places])
  assert min(gaps) == 2 and max(gaps) == 5
  expected = len(gaps) * np.mean(every[every >= 2] == 2)
  assert abs(np.sum(np.array(gaps) == 2) - expected) < 3 * np.sqrt(expected)


@pytest.mark.parametrize(
  "name, options",
  [
    ("3-3", scenes.Options()),
    ("3-3_unique", scenes.Options(unique=True)),
    (
      "1-4_train70_test9_seed2",
      scenes.Options(min_objects=1, max_objects=4, train=70, validation=7, test=9, seed=2),
    ),
  ],
)
def test_names(name, options):
  assert NAMES.parse(name) == options and NAMES.spell(options) == name
  assert Builder.config_named(name).options == options


@pytest.mark.parametrize("name", ["", "3", "3-5", "0-3", "3-2", "3-3_uniq", "35px_3-3", "3-3_"])
def test_other_names_show_the_grammar(name):
  with pytest.raises(InputError, match=r"MIN-MAX\[_unique\].*1-4_unique"):
    Builder.config_named(name)


def test_records_are_the_same_with_any_number_of_processes_and_each_can_be_drawn_alone(tmp_path):
  one, two = (
    prepare.prepare(f"generated_tetrominoes/{BUILT}", tmp_path / str(processes), None, processes)
    for processes in (1, 2)
  )
  shards = [{f.name: f.read_bytes() for f in d.glob("*.array_record-*")} for d in (one, two)]
  assert len(shards[0]) == 3 and shards[0] == shards[1]
  options = NAMES.parse(BUILT)
  for split, count in (("train", 140), ("validation", 5), ("test", 4)):
    source = tfds.builder_from_directory(one).as_data_source(split)
    assert len(source) == count
    for stored in list(source)[:20]:
      index = int(stored["metadata"]["key"].decode().removeprefix(f"{split}-"))
      drawn = scenes.draw(options, split, index)
      np.testing.assert_array_equal(stored["image"], decode(drawn["image"]))
      np.testing.assert_array_equal(stored["segmentation"][..., 0], decode(drawn["segmentation"]))
      assert stored["num_objects"] == drawn["num_objects"]
      for key in ("bboxes", "visibility"):
        np.testing.assert_array_equal(stored[key], drawn[key])
      for key, values in drawn["factors"].items():
        np.testing.assert_array_equal(stored["factors"][key], values)
        assert stored["factors"][key].dtype == values.dtype
  described = records.metadata(one)
  assert (described["labels"], described["max_objects"], described["seed"]) == (4, 3, 3)
  assert described["background_ids"] == [0] and described["source"] == "generated"
  assert described["shapes"][:3] == ["I0", "I90", "O0"]


def test_seed_split_and_index_all_matter():
  plain, seeded = NAMES.parse("3-3"), NAMES.parse("3-3_seed1")
  drawn = [
    scenes.draw(*arguments)["image"]
    for arguments in (
      (plain, "train", 0), (plain, "train", 1), (plain, "test", 0), (seeded, "train", 0),
    )
  ]  # fmt: skip
  assert len(set(drawn)) == 4


def test_it_takes_no_files(tmp_path):
  with pytest.raises(InputError, match="generated_tetrominoes is drawn"):
    prepare.prepare("generated_tetrominoes", tmp_path, raw=tmp_path)
