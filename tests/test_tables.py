"""Tables of what a model finds: read back as numbers, and tracks by another library's reader."""

import csv
import io
import types

import jax
import jax.numpy as jnp
import motmetrics
import numpy as np
import pytest

from experiments import tables
from objectcentric_jax.errors import InputError
from objectcentric_jax.scene import Scene

COUNT, TIME, BOXES, SIZE = 5, 4, 3, 2
HEIGHT, WIDTH = 8, 12
SETTINGS = {"seed": 3, "sample": True, "batch_size": 2, "images": 0}


class Films:
  """Videos whose number is their colour."""

  groups = None
  about = {"name": "films", "split": "test"}

  def __init__(self, frames=TIME):
    self._frames = frames

  def __len__(self):
    return COUNT

  def read(self, indices):
    colour = np.asarray(indices, np.uint8).reshape(-1, 1, 1, 1, 1)
    video = np.broadcast_to(colour, (len(indices), TIME, HEIGHT, WIDTH, 3))
    return {"video": video} if self._frames else {"image": video[:, 0]}


def film_scene(params, model_state, batch, rng, sample):
  """Boxes drawn at random; presence tells the number of the video and of the box."""
  video = batch["video"]
  number = jnp.round(255 * video[:, 0, 0, 0, 0])[:, None, None]
  shape = (len(video), TIME, BOXES)
  box = jnp.arange(BOXES)[None, None]
  return Scene(
    image=video,
    boxes=jax.random.uniform(rng, (*shape, 4)),
    presence=jnp.broadcast_to(number / 10 + box / 4, shape),
    identity=jnp.broadcast_to(2 - box + jnp.arange(TIME)[None, :, None], shape),
    latents=jax.random.normal(rng, (*shape, SIZE)),
  )


TASK = types.SimpleNamespace(scene=film_scene)


def observed(observe, task=TASK, **settings):
  return tables.observed(task, {}, {}, Films(), {**SETTINGS, **settings}, observe)


def read(text):
  rows = list(csv.reader(io.StringIO(text)))
  return rows[0], np.array(rows[1:], float)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_each_example_has_its_own_draws_and_fills_no_batch(batch_size):
  found = observed(tables.boxes_of, batch_size=batch_size)
  assert found["index"].tolist() == list(range(COUNT))
  for index in range(COUNT):
    key = jax.random.fold_in(jax.random.key(3), index)
    expected = jax.random.uniform(key, (1, TIME, BOXES, 4))[0]
    np.testing.assert_array_equal(found["boxes"][index], expected)
  assert len(observed(tables.boxes_of, images=3)["boxes"]) == 3


def test_boxes():
  found = observed(tables.boxes_of)
  files = tables.box_files(found, 0.5)
  assert set(files["boxes.npz"]) == {"index", "boxes", "presence", "identity"}
  header, rows = read(files["boxes.csv"])
  assert header[:5] == ["example", "frame", "box", "identity", "presence"]
  assert header[5:] == ["centre_y", "centre_x", "height", "width"]
  assert len(rows) == (found["presence"] > 0.5).sum() > 0
  n, t, k = rows[:, :3].astype(int).T
  np.testing.assert_array_equal(rows[:, 3], found["identity"][n, t, k])
  np.testing.assert_array_equal(rows[:, 4].astype(np.float32), found["presence"][n, t, k])
  np.testing.assert_array_equal(rows[:, 5:].astype(np.float32), found["boxes"][n, t, k])


def test_boxes_of_images_have_no_frames():
  found = {"index": np.arange(2), "presence": np.array([[0.9, 0.1], [0.2, 0.8]])}
  found["boxes"] = np.arange(16.0).reshape(2, 2, 4)
  header, rows = read(tables.box_files(found, 0.5)["boxes.csv"])
  assert header[:3] == ["example", "box", "presence"]
  np.testing.assert_array_equal(rows, [[0, 0, 0.9, 0, 1, 2, 3], [1, 1, 0.8, 12, 13, 14, 15]])


def test_latents_of_boxes_come_with_their_boxes():
  found = observed(tables.latents_of)
  header, rows = read(tables.latent_files(found)["latents.csv"])
  assert header[:6] == ["example", "frame", "box", "identity", "presence", "centre_y"]
  assert header[-2:] == ["latent_0", "latent_1"] and len(rows) == COUNT * TIME * BOXES
  n, t, k = rows[:, :3].astype(int).T
  np.testing.assert_array_equal(rows[:, -2:].astype(np.float32), found["latents"][n, t, k])
  np.testing.assert_array_equal(rows[:, 5:9].astype(np.float32), found["boxes"][n, t, k])


def test_a_background_has_latents_but_no_box():
  scene = Scene(
    image=jnp.zeros((1, 4, 4, 3)),
    latents=jnp.arange(6.0).reshape(1, 3, 2),
    background=jnp.array([False, True, False]),
    boxes=jnp.zeros((1, 2, 4)),
    presence=jnp.array([[0.5, 0.25]]),
  )
  found = {**jax.device_get(tables.latents_of(scene)), "index": np.array([7])}
  files = tables.latent_files(found)
  lines = files["latents.csv"].splitlines()
  assert lines[0] == "example,box,presence,centre_y,centre_x,height,width,latent_0,latent_1"
  assert lines[1:] == ["7,0,0.5,0,0,0,0,0,1", "7,1,0.25,0,0,0,0,4,5"]
  assert files["latents.npz"]["latents"].shape == (1, 3, 2)
  assert files["latents.npz"]["background"].tolist() == [[False, True, False]]


def test_latents_of_components():
  scene = Scene(image=jnp.zeros((1, 4, 4, 3)), latents=jnp.arange(6.0).reshape(1, 2, 3))
  scene = scene.replace(boxes=jnp.zeros((1, 5, 4)), presence=jnp.ones((1, 5)))
  found = {**jax.device_get(tables.latents_of(scene)), "index": np.array([7])}
  text = tables.latent_files(found)["latents.csv"]
  assert text == "example,component,latent_0,latent_1,latent_2\n7,0,0,1,2\n7,1,3,4,5\n"


def test_tracks_are_read_back_by_motmetrics(tmp_path):
  found = observed(tables.tracks_of)
  files = tables.track_files(found, 0.5)
  assert list(files) == [f"tracks/{n:05}.txt" for n in range(COUNT)]
  assert files["tracks/00003.txt"].splitlines()[0].endswith(",-1,-1,-1")
  path = tmp_path / "track.txt"
  path.write_text(files["tracks/00003.txt"])  # presence 0.3, 0.55, 0.8
  frame = motmetrics.io.loadtxt(path, fmt="mot15-2D")
  assert len(frame) == 2 * TIME and frame.Confidence.max() == pytest.approx(0.8)
  for t in range(TIME):
    for k in (1, 2):
      row = frame.loc[(t + 1, found["identity"][3, t, k] + 1)]
      y, x, height, width = found["boxes"][3, t, k] * [HEIGHT, WIDTH, HEIGHT, WIDTH]
      assert [row.Width, row.Height] == pytest.approx([width, height], abs=1e-3)
      # The reader takes the 1 off with which pixels begin in files.
      assert [row.X, row.Y] == pytest.approx([x - width / 2, y - height / 2], abs=1e-3)
  assert list(frame.index) == sorted(frame.index)


def test_a_video_without_tracks_is_an_empty_file():
  found = observed(tables.tracks_of)
  assert set(tables.track_files(found, 1.0).values()) == {""}


def test_what_the_model_does_not_have_is_named():
  scene = Scene(image=jnp.zeros((1, 4, 4, 3)))
  with pytest.raises(InputError, match="--what boxes: this model has no boxes"):
    tables.boxes_of(scene)
  with pytest.raises(InputError, match="--what latents: this model has no latents"):
    tables.latents_of(scene)
  with_boxes = scene.replace(boxes=jnp.zeros((1, 2, 4)), presence=jnp.ones((1, 2)))
  with pytest.raises(InputError, match="--what tracks: .* keep an identity"):
    tables.tracks_of(with_boxes)
