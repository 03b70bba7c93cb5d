"""Damaged raw files: found when they are read, named, and left out where that is asked for."""

import io
import json
import pickle

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from data import prepare
from data.building import schema
from data.building.builder import RecordsBuilder
from data.building.png import encode_png
from data.raw import raw_images
from data.raw.damage import Attempt, Damaged
from objectcentric_jax import records
from objectcentric_jax.errors import InputError

NOISE = np.random.default_rng(0).integers(0, 256, (23, 31, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str) -> bytes:
  target = io.BytesIO()
  image.save(target, kind)
  return target.getvalue()


FILES = {
  "flat.png": encode_png(NOISE),
  "filtered.png": encoded(Image.fromarray(NOISE), "PNG"),
  "photo.jpg": encoded(Image.fromarray(NOISE), "JPEG"),
}


def write(folder, name, content):
  path = folder / name
  path.write_bytes(content)
  return path


def message(path, function):
  """The one line that is said about the file."""
  with pytest.raises(Damaged) as caught:
    function()
  text = str(caught.value)
  assert text.startswith(str(path)) and "\n" not in text and "--skip-damaged" in text
  assert caught.value.path == path
  return text


# Pictures


@pytest.mark.parametrize("name", FILES)
def test_whole_pictures_are_taken_as_they_are(tmp_path, name):
  content = FILES[name]
  path = write(tmp_path, name, content)
  assert raw_images.read_image(path) == content
  pixels = raw_images.decode(content, path)
  assert pixels.shape == NOISE.shape and pixels.dtype == np.uint8
  if not name.endswith("jpg"):
    np.testing.assert_array_equal(pixels, NOISE)
  assert raw_images.image_size(content, path) == (23, 31)


@pytest.mark.parametrize("name", FILES)
def test_truncated_pictures_are_named_wherever_they_end(tmp_path, name):
  content = FILES[name]
  for length in (1, 7, 20, 40, len(content) // 3, len(content) // 2, len(content) * 9 // 10):
    path = write(tmp_path, name, content[:length])
    message(path, lambda path=path: raw_images.read_image(path))


@pytest.mark.parametrize("name", ["flat.png", "filtered.png"])
def test_altered_pixels_of_a_png_are_noticed(tmp_path, name):
  for place in (60, len(FILES[name]) // 2, len(FILES[name]) - 30):
    content = bytearray(FILES[name])
    content[place] ^= 0x55
    path = write(tmp_path, name, bytes(content))
    message(path, lambda path=path: raw_images.read_image(path))


@pytest.mark.parametrize(
  "content, words",
  [
    (b"", "is empty"),
    (b"<html>404 Not Found</html>", "another kind of file"),
    (encoded(Image.fromarray(NOISE), "GIF"), "PNG or JPEG"),
    (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PNG or JPEG"),
    (pickle.dumps([1, 2]), "another kind of file"),
  ],
)
def test_other_files_are_no_pictures(tmp_path, content, words):
  path = write(tmp_path, "x.png", content)
  assert words in message(path, lambda: raw_images.read_image(path))


def test_missing_pictures_are_named(tmp_path):
  path = tmp_path / "x.png"
  assert "does not exist" in message(path, lambda: raw_images.read_image(path))


def test_pictures_that_would_fill_the_memory_are_refused(tmp_path):
  """A file of a hundred bytes that says it has a million by a million pixels."""
  content = bytearray(FILES["flat.png"])
  content[16:24] = (10**6).to_bytes(4, "big") * 2
  path = write(tmp_path, "x.png", bytes(content))
  message(path, lambda: raw_images.read_image(path))


def test_pictures_of_every_kind_become_colours(tmp_path):
  grey = NOISE[..., :1]
  path = tmp_path / "x.png"
  palette = Image.fromarray(NOISE).convert("P", palette=Image.Palette.ADAPTIVE)
  clear = np.concatenate([NOISE, grey], -1)
  cases = [
    (encode_png(grey), 1, np.repeat(grey, 3, -1)),
    (encoded(palette, "PNG"), 3, np.asarray(palette.convert("RGB"))),
    (encoded(Image.fromarray(clear), "PNG"), 4, NOISE),
    (encoded(Image.fromarray(NOISE[..., 0] > 99), "PNG"), 1, None),
  ]
  for content, channels, colours in cases:
    assert raw_images.decode(content, path).shape == (23, 31, channels)
    found = raw_images.decode_rgb(content, path)
    assert found.shape == (23, 31, 3)
    if colours is not None:
      np.testing.assert_array_equal(found, colours)
  wide = encoded(Image.fromarray(NOISE[..., 0].astype(np.uint16) * 200), "PNG")
  assert raw_images.decode(wide, path).dtype == np.uint16
  assert "16-bit" in message(path, lambda: raw_images.decode_rgb(wide, path))
  numbers = encoded(Image.fromarray(NOISE[..., 0].astype(np.float32)), "TIFF")
  assert "mode F" in message(path, lambda: raw_images.decode(numbers, path))


# Masks


def test_masks_give_their_ids(tmp_path):
  path = tmp_path / "x.png"
  ids = NOISE[..., 0] % 5
  palette = Image.fromarray(ids, "P")
  palette.putpalette([value for i in range(5) for value in (9 * i, 250 - i, 7)])
  wide = ids.astype(np.uint16) * 300
  for image, expected in (
    (Image.fromarray(ids), ids),
    (palette, ids),
    (Image.fromarray(ids > 2), ids > 2),
    (Image.fromarray(wide), wide),
  ):
    found = raw_images.decode_mask(encoded(image, "PNG"), path)
    assert found.shape == (23, 31, 1)
    np.testing.assert_array_equal(found[..., 0], expected)
  assert found.dtype == np.uint16


def test_masks_in_colours_and_blurred_masks_are_refused(tmp_path):
  path = tmp_path / "x.png"
  colours = encoded(Image.fromarray(NOISE), "PNG")
  assert "mask in colours" in message(path, lambda: raw_images.decode_mask(colours, path))
  blurred = encoded(Image.fromarray(NOISE[..., 0]), "JPEG")
  assert "cannot be read as PNG" in message(path, lambda: raw_images.decode_mask(blurred, path))


def test_masks_of_another_size_are_named_with_their_picture(tmp_path):
  content, path = encode_png(NOISE[:20, :, :1]), tmp_path / "mask.png"
  raw_images.check_size(content, path, (20, 31), "image.png")
  text = message(path, lambda: raw_images.check_size(content, path, (23, 31), "image.png"))
  assert "has 20x31 pixels, but image.png has 23x31" in text


# Going on without


def test_damage_survives_the_way_from_a_worker():
  damaged = pickle.loads(pickle.dumps(Damaged("x.png", "is\n  empty")))
  assert isinstance(damaged, InputError)
  assert str(damaged) == str(Damaged("x.png", "is empty")) and damaged.reason == "is empty"


def test_attempts_give_results_or_damage():
  found = Attempt(reciprocal)
  assert found(4) == (0.25, None)
  result, damaged = found(0)
  assert result is None and damaged.path == "0"
  with pytest.raises(TypeError):
    found("x")


def reciprocal(number):
  if number == 0:
    raise Damaged("0", "has no reciprocal")
  return 1 / number


class Builder(RecordsBuilder):
  """The pictures of a folder, in splits train (a*) and test (b*)."""

  name = "test_damage"
  VERSION = tfds.core.Version("1.0.0")
  DEFAULT_CONFIG = "only"
  SOURCE = LICENCE = "a test"
  GENERATED = False

  @classmethod
  def config_named(cls, name):
    return tfds.core.BuilderConfig(name=name)

  @classmethod
  def source_of(cls, raw, config):
    return "pictures"

  def estimate(self):
    return 4, 1000

  def _info(self):
    return self.dataset_info_from_configs(
      features=tfds.features.FeaturesDict(
        {"image": schema.picture(encoding=None), "metadata": schema.key()}
      ),
      metadata=tfds.core.MetadataDict(source=self.source),
    )

  def _split_generators(self, dl_manager):
    return {"train": self._generate_examples("a*"), "test": self._generate_examples("b*")}

  def _generate_examples(self, pattern):
    paths = sorted(self.raw.glob(pattern))
    for path, content in self.guarded(paths, raw_images.read_image, self.processes):
      yield path.name, {"image": content, "metadata": {"key": path.name}}


@pytest.fixture
def raw(tmp_path, monkeypatch):
  """Pictures a0 to a4 and b0, of which a1 is cut short and a3 is empty."""
  monkeypatch.setattr(prepare, "_builder_class", lambda name: Builder)
  folder = tmp_path / "raw"
  folder.mkdir()
  for name in ("a0", "a1", "a2", "a3", "a4", "b0"):
    write(folder, name, FILES["flat.png"])
  write(folder, "a1", FILES["flat.png"][:-900])
  write(folder, "a3", b"")
  return folder


@pytest.mark.parametrize("processes", [1, 2])
def test_damage_stops_a_build_and_leaves_nothing_behind(tmp_path, raw, processes):
  with pytest.raises(Damaged, match="raw/a1 cannot be read as PNG or JPEG"):
    prepare.prepare("test_damage", tmp_path / "sets", raw, processes)
  left = [path.name for path in (tmp_path / "sets").rglob("*") if path.is_file()]
  assert left == [".only.lock"]


@pytest.mark.parametrize("processes", [1, 2])
def test_damaged_examples_are_left_out_counted_and_listed(tmp_path, raw, processes, capsys):
  directory = prepare.prepare("test_damage", tmp_path / "sets", raw, processes, skip_damaged=True)
  lines = capsys.readouterr().out.splitlines()
  place = lines.index("left out 2 damaged (listed in the set's damaged.txt):")
  assert lines[place + 1].startswith(f"  {raw / 'a1'} cannot be read as PNG or JPEG")
  assert lines[place + 2] == f"  {raw / 'a3'} is empty"
  assert "  made: 3 train, 1 test" in lines
  listed = (directory / "damaged.txt").read_text().splitlines()
  assert [line.split()[0] for line in listed] == [str(raw / "a1"), str(raw / "a3")]
  records.verify(directory)
  assert records.metadata(directory)["skipped"] == 2
  source = tfds.builder_from_directory(directory).as_data_source("train")
  keys = {example["metadata"]["key"].decode() for example in source}
  assert keys == {"a0", "a2", "a4"}
  assert "damaged.txt" in json.loads((directory / records.MANIFEST).read_text())["files"]


def test_a_split_without_whole_examples_is_an_error(tmp_path, raw):
  write(raw, "b0", b"")
  with pytest.raises(InputError, match="no example for one of the splits; 3 are damaged"):
    prepare.prepare("test_damage", tmp_path / "sets", raw, 1, skip_damaged=True)


def test_a_source_that_ends_early_keeps_what_came_before(raw):
  def numbers():
    yield 2
    yield 4
    raise Damaged("numbers", "end early")

  builder = Builder(raw=raw, data_dir=raw, skip_damaged=True)
  assert list(builder.guarded(numbers(), reciprocal)) == [(2, 0.5), (4, 0.25)]
  assert [damaged.path for damaged in builder.damaged] == ["numbers"]
  builder = Builder(raw=raw, data_dir=raw)
  with pytest.raises(Damaged, match="numbers end early"):
    list(builder.guarded(numbers(), reciprocal))


# Arrays


class Hostile:
  """Runs code when it is unpickled."""

  def __reduce__(self):
    return (exec, ("raise SystemExit('unpickled')",))


@pytest.mark.parametrize("name", ["training_images_rand4.npy", "sprites.npz"])
def test_pickles_in_arrays_are_never_loaded(tmp_path, name):
  """As a published array of scenes, and as the array `imgs` of the published sprites."""
  hostile = np.array([Hostile()], object)
  raw = tmp_path / name
  if name.endswith("npz"):
    np.savez(raw, imgs=hostile)
  else:
    raw = tmp_path / "arrays"
    raw.mkdir()
    np.save(raw / name, hostile)
  with pytest.raises(InputError, match="imgs|training_images_rand4.npy") as caught:
    prepare.prepare("multi_dsprites", tmp_path / "sets", raw, 1)
  assert "\n" not in str(caught.value)
