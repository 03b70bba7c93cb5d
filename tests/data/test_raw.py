"""Converting the published files: sprites (npz) and scenes (npy)."""

import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data.multi_dsprites import drawing, names, raw, scenes
from data.prepare import prepare
from objectcentric_jax import records
from objectcentric_jax.errors import InputError

CONFIG = "64px_1-3_published_train20"
NAME = f"multi_dsprites/{CONFIG}"
ARRAYS_CONFIG = "8px_1-2_unique_train20_validation3_test2"
ARRAYS_NAME = f"multi_dsprites/{ARRAYS_CONFIG}"


def fake_sprites(count=50) -> np.ndarray:
  rng = np.random.default_rng(0)
  return rng.integers(2, size=(count, 64, 64), dtype=np.uint8)


def save_sprites(path, images, compressed=True, **others):
  save = np.savez_compressed if compressed else np.savez
  save(path, imgs=images, metadata=np.array({"pickled": 1}, object), **others)
  return path


def save_arrays(folder):
  options = names.parse(ARRAYS_CONFIG)
  rng = np.random.default_rng(0)
  saved = {}
  for split in scenes.SPLITS:
    images_path, masks_path = raw.array_files(folder, split, options)
    pixels = rng.integers(256, size=(options.count(split), 8, 8, 3), dtype=np.uint8)
    ids = rng.integers(3, size=(options.count(split), 8, 8, 1)).astype(np.float64)
    np.save(images_path, pixels.astype(np.float32) / 255)
    np.save(masks_path, ids)
    saved[split] = pixels, ids
  return saved


@pytest.mark.parametrize("compressed", [True, False])
def test_sprites_come_from_the_file(tmp_path, compressed):
  sprites = fake_sprites()
  file = save_sprites(tmp_path / "some.npz", sprites, compressed)
  directory = prepare(NAME, tmp_path / "data", raw=file, processes=2)
  assert records.metadata(directory)["source"] == "npz"
  assert not list((tmp_path / "data").rglob("sprites.npy"))
  recipes = list(scenes.published_recipes(names.parse(CONFIG), "train", len(sprites)))
  source = tfds.builder_from_directory(directory).as_data_source("train")
  assert len(source) == 20
  for example in source:
    recipe = recipes[int(example["metadata"]["key"][-8:])]
    expected = np.zeros((64, 64), np.uint8)
    for number, index in enumerate(recipe.sprite_indices, start=1):
      expected[sprites[index] == 1] = number
    np.testing.assert_array_equal(example["segmentation"][..., 0], expected)
    np.testing.assert_array_equal(
      example["factors"]["colour"][: len(recipe.colours)], recipe.colours
    )


def test_stored_sprites_of_other_sizes_are_the_nearest_pixels():
  sprites = fake_sprites(3)
  packed = np.packbits(sprites.reshape(3, -1), axis=1)
  for size in (32, 48, 96):
    nearest = [int(np.floor(i * 64 / size)) for i in range(size)]
    patch = drawing.stored_patches(packed, size)(1)
    np.testing.assert_array_equal(patch.mask, sprites[1][nearest][:, nearest] == 1)


def test_a_folder_with_the_published_name_will_do(tmp_path):
  save_sprites(tmp_path / raw.SPRITES_FILE, fake_sprites(5))
  directory = prepare("multi_dsprites/16px_1-1_train3", tmp_path / "data", raw=tmp_path)
  assert records.metadata(directory)["source"] == "npz"
  with pytest.raises(InputError, match="made from npz, not npy; replace it with --overwrite"):
    arrays = tmp_path / "arrays"
    arrays.mkdir()
    np.save(arrays / "training_images_rand1.npy", np.zeros(1))
    prepare("multi_dsprites/16px_1-1_train3", tmp_path / "data", raw=arrays)


def damaged_sprites(kind, path):
  if kind == "no imgs":
    np.savez(path, pictures=np.zeros(3))
  elif kind == "not a zip":
    path.write_bytes(b"nothing of the kind")
  elif kind == "wrong shape":
    save_sprites(path, fake_sprites()[:, :32])
  elif kind == "wrong values":
    save_sprites(path, fake_sprites() * 255)
  elif kind == "short":
    with zipfile.ZipFile(path, "w") as archive, archive.open(raw.SPRITES_MEMBER, "w") as member:
      header = {"descr": "|u1", "fortran_order": False, "shape": (50, 64, 64)}
      np.lib.format.write_array_header_1_0(member, header)
      member.write(fake_sprites(49).tobytes())
  elif kind == "pickled":
    np.savez(path, imgs=np.array([{"a": 1}], object))
  else:
    save_sprites(path, fake_sprites(), compressed=kind != "flipped")
    content = bytearray(path.read_bytes())
    content[5000] ^= 0x01
    path.write_bytes(content if kind == "flipped" else content[: len(content) // 2])


@pytest.mark.parametrize(
  "kind, words",
  [
    ("no imgs", "has no array `imgs`"),
    ("not a zip", "is damaged .*download it again"),
    ("cut", "is damaged .*download it again"),
    ("flipped", "is damaged .*CRC.*download it again"),
    ("short", "is truncated; download it again"),
    ("wrong shape", r"has imgs uint8 \(50, 32, 64\), not uint8 \(737280, 64, 64\)"),
    ("wrong values", "has imgs values up to 255"),
    ("pickled", "has imgs object"),
  ],
)
def test_damaged_sprites_are_named(tmp_path, kind, words):
  path = tmp_path / "sprites.npz"
  damaged_sprites(kind, path)
  with pytest.raises(InputError, match=words) as caught:
    prepare(NAME, tmp_path / "data", raw=path)
  assert str(path) in str(caught.value) and "\n" not in str(caught.value)
  assert not list((tmp_path / "data").rglob("1.0.0"))


def test_published_scenes_are_converted_as_they_are(tmp_path):
  saved = save_arrays(tmp_path)
  directory = prepare(ARRAYS_NAME, tmp_path / "data", raw=tmp_path, processes=2)
  described = records.metadata(directory)
  assert described["source"] == "npy" and described["labels"] == 3
  builder = tfds.builder_from_directory(directory)
  for split, (pixels, ids) in saved.items():
    source = builder.as_data_source(split)
    assert len(source) == len(pixels)
    for example in source:
      index = int(example["metadata"]["key"][-8:])
      np.testing.assert_array_equal(example["image"], pixels[index])
      np.testing.assert_array_equal(example["segmentation"], ids[index])
      assert example["num_objects"] == ids[index].max()
      seen = [(ids[index] == n).sum() for n in (1, 2)]
      assert set(example["factors"]) == {"visible_pixels"}
      np.testing.assert_array_equal(example["factors"]["visible_pixels"], seen)


def overwrite_array(path, change):
  array = np.load(path)
  np.save(path, change(array))


@pytest.mark.parametrize(
  "file, change, words",
  [
    ("validation_masks", None, "lacks validation_masks_rand2_unique.npy"),
    ("test_images", lambda a: a[:1], r"shape \(1, 8, 8, 3\), the config says \(2, 8, 8, 3\)"),
    ("training_images", lambda a: a * 255, "not n/255"),
    ("training_images", lambda a: a * np.nan, "not n/255"),
    ("training_images", lambda a: a + np.float32(0.001), "not n/255"),
    ("test_masks", lambda a: a + 1, "not ids 0 to 2"),
    ("test_masks", lambda a: a + 0.5, "not ids 0 to 2"),
  ],
)
def test_unusable_scenes_are_named(tmp_path, file, change, words):
  save_arrays(tmp_path)
  path = tmp_path / f"{file}_rand2_unique.npy"
  if change is None:
    path.unlink()
  else:
    overwrite_array(path, change)
  with pytest.raises(InputError, match=words) as caught:
    prepare(ARRAYS_NAME, tmp_path / "data", raw=tmp_path, processes=1)
  assert path.name in str(caught.value)


def test_a_cut_array_is_damaged(tmp_path):
  save_arrays(tmp_path)
  path = tmp_path / "test_images_rand2_unique.npy"
  path.write_bytes(path.read_bytes()[:300])
  with pytest.raises(InputError, match="test_images.* is damaged .*download it again"):
    prepare(ARRAYS_NAME, tmp_path / "data", raw=tmp_path)


def test_a_folder_of_something_else(tmp_path):
  (tmp_path / "notes.txt").write_text("")
  with pytest.raises(InputError, match=f"neither {raw.SPRITES_FILE} nor training_images_rand3.npy"):
    prepare(NAME, tmp_path / "data", raw=tmp_path)
