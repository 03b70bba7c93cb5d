"""The commands on sets that are converted from downloaded files, from raw files to a sheet."""

import numpy as np
import pytest
from PIL import Image

from data import prepare, show
from objectcentric_jax import records
from objectcentric_jax.errors import InputError
from tests.data import (
  raw_trees,
  test_apc,
  test_gqn,
  test_multi_objects,
  test_review,
  test_shapestacks,
  test_sketchy,
)

# Name, how its raw files are written, a split, and pictures of an example that the sheet shows.
SETS = [
  ("gqn/shepard_metzler_5_parts", test_gqn.save_tree, "validation", "views"),
  ("shapestacks/default", test_shapestacks.save_tree, "train", "image"),
  (
    "multi_objects/tetrominoes",
    lambda raw: test_multi_objects.save(raw / "tetrominoes_train.tfrecords", "tetrominoes", [1, 2]),
    "test",
    "image",
  ),
  ("sketchy/24px_full", lambda raw: test_sketchy.save_tree(raw, [1]), "train", "image"),
  ("apc/8px", test_apc.save_tree, "test", "image"),
  (
    "review/shapes",
    lambda raw: test_review.save_hdf5(raw / "shapes.h5"),
    "generalization",
    "image",
  ),
]


@pytest.mark.parametrize("name, save, split, kind", SETS, ids=[name for name, *_ in SETS])
def test_prepare_and_show(tmp_path, capsys, name, save, split, kind):
  raw, root, sheet = tmp_path / "raw", tmp_path / "data", tmp_path / "sheet.png"
  raw.mkdir()
  save(raw)
  command = [name, "--from", str(raw), "--data-dir", str(root), "--processes", "1"]
  prepare.main(command)
  said = capsys.readouterr().out
  assert f"{name} is ready: {root / name}" in said and "made: " in said and "licence: " in said
  prepare.main(command)  # the same files again
  assert f"{name} is ready and whole" in capsys.readouterr().out
  show.main([name, "--split", split, "--data-dir", str(root), "--out", str(sheet)])
  pictures = [
    picture
    for example in raw_trees.read(records.find(name, root))[split].values()
    for picture in (example[kind] if kind == "views" else [example[kind]])
  ]
  shown = {tuple(colour) for colour in np.asarray(Image.open(sheet)).reshape(-1, 3)}
  assert {tuple(colour) for colour in pictures[0].reshape(-1, 3)} <= shown


def test_other_raw_files_than_those_of_a_set_are_noticed(tmp_path):
  name = "gqn/shepard_metzler_5_parts"
  test_gqn.save_tree(tmp_path / "raw", {1: 1}, {})
  prepare.prepare(name, tmp_path / "data", tmp_path / "raw", processes=1)
  test_gqn.save_tree(tmp_path / "raw", {1: 1, 2: 1}, {})
  with pytest.raises(
    InputError, match="made from GQN .* 1 train, not GQN .* 2 train;.*--overwrite"
  ):
    prepare.prepare(name, tmp_path / "data", tmp_path / "raw", processes=1)
