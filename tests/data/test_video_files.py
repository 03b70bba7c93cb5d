"""Frames of mp4 files, GIFs and frame folders, and files that are cut short."""

import sys

import av
import numpy as np
import pytest
from PIL import Image

from data.raw import video_files
from data.raw.damage import Damaged
from objectcentric_jax.errors import InputError
from tests.data import raw_trees

FRAMES, HEIGHT, WIDTH = 7, 32, 48


def film() -> list[np.ndarray]:
  return [raw_trees.pixels(seed, HEIGHT, WIDTH) for seed in range(FRAMES)]


def save_mp4(path, frames, **options):
  """Writes mpeg4, which every build of PyAV can."""
  with av.open(str(path), "w", options=options) as container:
    stream = container.add_stream("mpeg4", rate=10)
    stream.height, stream.width = frames[0].shape[:2]
    stream.pix_fmt, stream.bit_rate = "yuv420p", 10**7
    for pixels in frames:
      container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
    container.mux(stream.encode())
  return path


def turn(path, quarters):
  """Notes in an mp4 file by how many quarters, counter-clockwise, its frames are to be turned."""
  content = bytearray(path.read_bytes())
  sine, cosine = round(np.sin(quarters * np.pi / 2)), round(np.cos(quarters * np.pi / 2))
  one = 1 << 16
  matrix = [cosine * one, -sine * one, 0, sine * one, cosine * one, 0, 0, 0, 1 << 30]
  start = content.index(b"tkhd") + 44
  content[start : start + 36] = np.array(matrix, ">i4").tobytes()
  path.write_bytes(content)


def difference(found, expected) -> float:
  """Mean difference in grey levels."""
  return float(np.abs(np.array(found, int) - np.array(expected, int)).mean())


def save_gif(path, frames):
  first, *others = (Image.fromarray(pixels) for pixels in frames)
  first.save(path, save_all=True, append_images=others, duration=50)
  return path


@pytest.mark.parametrize("suffix", [".mp4", ".MOV"])
def test_mp4(tmp_path, suffix):
  path = save_mp4(tmp_path / f"film{suffix}", film())
  found = list(video_files.frames(path))
  assert len(found) == FRAMES == video_files.frame_count(path)
  assert difference(found, film()) < 5
  assert difference(found, film()[::-1]) > 30  # so that 5 tells frames, rows and channels apart
  assert difference([frame[..., ::-1] for frame in found], film()) > 30


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_an_mp4_of_a_turned_camera(tmp_path, quarters):
  path = save_mp4(tmp_path / "film.mp4", film())
  turn(path, quarters)
  expected = [np.rot90(pixels, quarters) for pixels in film()]
  found = list(video_files.frames(path))
  assert found[0].shape == expected[0].shape and difference(found, expected) < 5


def test_gif(tmp_path):
  path = save_gif(tmp_path / "film.gif", film())
  assert video_files.is_animated(path) and video_files.frame_count(path) == FRAMES
  found = list(video_files.frames(path))
  with Image.open(path) as image:
    for number, pixels in enumerate(found):
      image.seek(number)
      np.testing.assert_array_equal(pixels, np.asarray(image.convert("RGB")))
  still = raw_trees.save(tmp_path / "still.gif", film()[0][..., 0])
  assert not video_files.is_animated(still)


def test_frame_folder(tmp_path):
  paths = [raw_trees.save(tmp_path / f"{i}.png", pixels) for i, pixels in enumerate(film())]
  np.testing.assert_array_equal(list(video_files.folder_frames(paths)), film())
  raw_trees.save(paths[2], raw_trees.pixels(0, HEIGHT, WIDTH + 1))
  frames = video_files.folder_frames(paths)
  next(frames), next(frames)
  with pytest.raises(Damaged, match=r"2.png has \(32, 49\) pixels, but 0.png has \(32, 48\)"):
    next(frames)


def test_names_are_sorted_as_people_count():
  names = ["a10", "a9", "b1", "a010", "a", "10", "9b2", "9b10"]
  ordered = ["9b2", "9b10", "10", "a", "a9", "a010", "a10", "b1"]
  assert sorted(names, key=video_files.natural_key) == ordered


@pytest.mark.parametrize("faststart", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_an_mp4_cut_short(tmp_path, faststart, share):
  options = {"movflags": "faststart"} if faststart else {}
  path = save_mp4(tmp_path / "film.mp4", film(), **options)
  raw_trees.cut_short(path, share)
  with pytest.raises(Damaged, match=f"{path} is cut short or no mp4 file"):
    list(video_files.frames(path))


@pytest.mark.parametrize("share", [0.02, 0.5, 0.995])
def test_a_gif_cut_short(tmp_path, share):
  path = save_gif(tmp_path / "film.gif", film())
  raw_trees.cut_short(path, share)
  with pytest.raises(Damaged, match=f"{path} is cut short"):
    list(video_files.frames(path))


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
@pytest.mark.parametrize("content", [b"", b"something else;", bytes(8)])
def test_what_is_no_video(tmp_path, name, content):
  path = tmp_path / name
  path.write_bytes(content)
  with pytest.raises(Damaged, match=str(path)):
    list(video_files.frames(path))
  assert video_files.frame_count(path) == 0


def test_damage_inside_an_mp4(tmp_path):
  path = save_mp4(tmp_path / "film.mp4", film())
  content = bytearray(path.read_bytes())
  start = content.index(b"mdat") + 4
  content[start : start + 400] = b"\xff" * 400
  path.write_bytes(content)
  with pytest.raises(Damaged, match=f"{path} (cannot be decoded|has a frame that cannot)"):
    list(video_files.frames(path))


def test_without_pyav_the_command_is_named(tmp_path, monkeypatch):
  path = save_mp4(tmp_path / "film.mp4", film())
  monkeypatch.setitem(sys.modules, "av", None)
  for use in (lambda: next(video_files.frames(path)), lambda: video_files.frame_count(path)):
    with pytest.raises(InputError, match=f"{path}: .*pip install av$"):
      use()
