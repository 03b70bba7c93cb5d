"""Pictures of any task: which files there are, and what is on them."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import pictures
from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.scene import PALETTE
from objectcentric_jax.scene import Scene
from tests.plots.cells import cells

SIDE, SLOTS, SIZE = 32, 3, 5
CONFIG = {"eval": {"seed": 0, "sample": False}}
MODEL = ({}, {})  # parameters and model state: these models have none


def paint(latents):
  """Scenes of latents [B, K, D]: a dark ground, a disc by the second component, the third unused.

  Numbers 0 and 1 of a latent are the centre as a share of the image, number 2 is the brightness.
  """
  places = (jnp.arange(SIDE) + 0.5) / SIDE
  centre = latents[:, 1, :2].reshape(-1, 2, 1)
  across, down = jnp.moveaxis((places.reshape(1, 1, -1) - centre) ** 2, 1, 0)  # [B, S] each
  distance = across.reshape(-1, 1, SIDE) + down.reshape(-1, SIDE, 1)
  disc = (distance < 0.2**2).astype(jnp.float32)  # [B, S, S]
  masks = jnp.stack([1 - disc, disc, jnp.zeros_like(disc)], axis=1)[..., None]
  colour = latents[:, :, 2].reshape(-1, SLOTS, 1, 1, 1)
  components = jnp.broadcast_to(colour, (*masks.shape[:-1], 3))
  return Scene((masks * components).sum(1), masks, components, latents)


class DiscTask:
  """Knows the latents of its examples."""

  def scene(self, params, model_state, batch, rng, sample=True):
    return paint(batch["latents"])

  def decode(self, params, model_state, latents):
    return paint(latents)

  def sample(self, params, model_state, rng, count):
    return paint(jax.random.uniform(rng, (count, SLOTS, SIZE)))


class DiscVideoTask:
  """The same for every frame."""

  def scene(self, params, model_state, batch, rng, sample=True):
    return jax.vmap(paint)(batch["latents"])


class DiscExamples:
  """Scenes of discs at random places, as images or as videos of `frames` frames."""

  groups = None

  def __init__(self, count, frames=None):
    shape = (count, frames or 1, SLOTS, SIZE)
    latents = np.random.default_rng(0).uniform(0.2, 0.8, shape).astype(np.float32)
    latents[:, :, 0, 2], latents[:, :, 1, 2] = 0.2, 0.8
    latents[:, :, 1, 1] = 0.5 + 0.5 * (latents[:, :, 1, 1] - 0.5)  # varies less than the other
    scene = jax.vmap(paint)(latents)
    image = np.round(np.asarray(scene.image) * 255).astype(np.uint8)
    labels = 3 * np.asarray(scene.masks[:, :, 1]).astype(np.uint8)
    self._arrays = {"video": image, "segmentation": labels, "latents": latents}
    if frames is None:
      self._arrays = {name: array[:, 0] for name, array in self._arrays.items()}
      self._arrays["image"] = self._arrays.pop("video")
    self.about = {"name": "discs", "background_ids": [0]}

  def __len__(self):
    return len(self._arrays["latents"])

  def read(self, indices):
    return {name: array[indices] for name, array in self._arrays.items()}


def numbered(name, count):
  return [f"{name}-{i:03}.png" for i in range(count)]


def without(task, *names):
  """The task as one that does not offer these."""
  offered = {name: getattr(task, name) for name in dir(task) if not name.startswith("_")}
  return types.SimpleNamespace(**{n: v for n, v in offered.items() if n not in names})


def test_data_are_shown_above_their_labels():
  sheet = pictures.draw_data(DiscExamples(11), 10)["data.png"]
  drawn = cells(sheet, 96, 96)
  assert len(drawn) == 2 * 10
  label = tuple(PALETTE[3].tolist())
  assert {colour for pair in drawn[:8] for colour in pair} <= {(51,) * 3, (204,) * 3}
  assert {colour for pair in drawn[8:16] for colour in pair} == {(0, 0, 0), label}


def test_a_video_fills_a_row_of_the_sheet():
  sheet = pictures.draw_data(DiscExamples(2, frames=13), 5)["data.png"]
  assert len(cells(sheet, 96, 96)) == 2 * 2 * 8


def test_reconstructions():
  files = pictures.draw_reconstructions(DiscTask(), *MODEL, DiscExamples(5), CONFIG, 3)
  assert list(files) == ["reconstruction.png", *numbered("reconstruction", 3)]
  whole, parts = 4, 5  # input, labels, reconstruction, segments; masked, component, mask, ...
  assert len(cells(files["reconstruction.png"], 96, 96)) == 3 * (whole + SLOTS)
  assert len(cells(files["reconstruction-002.png"], 96, 96)) == whole + parts * SLOTS
  overview = pictures.draw_reconstruction(DiscTask(), *MODEL, DiscExamples(5), CONFIG, 3)
  np.testing.assert_array_equal(files["reconstruction.png"], overview)


def test_a_file_for_every_picture_on_request():
  examples = DiscExamples(2)
  files = pictures.draw_reconstructions(DiscTask(), *MODEL, examples, CONFIG, 8, separate=True)
  single = [name for name in files if name.startswith("image-001_")]
  parts = ("masked", "component", "mask", "scope", "step")
  expected = ["input", "true-segments", "reconstruction", "segments"]
  expected += [f"{part}-{k}" for part in parts for k in (1, 2, 3)]
  assert single == [f"image-001_{name}.png" for name in expected]
  assert sum(name.startswith("image-") for name in files) == 2 * len(single)
  stored = examples.read([1])["image"][0]
  np.testing.assert_array_equal(files["image-001_input.png"][::3, 1::3], stored)
  np.testing.assert_array_equal(files["image-001_step-3.png"], files["image-001_input.png"])


def test_samples_are_put_together_step_by_step():
  files = pictures.draw_samples(DiscTask(), *MODEL, 0, 2, separate=True)
  assert list(files)[:2] == ["samples.png", "samples-000.png"]
  steps = [files[f"sample-001_step-{k}.png"] for k in (1, 2, 3)]
  np.testing.assert_array_equal(steps[2], files["sample-001_scene.png"])
  np.testing.assert_array_equal(steps[1], steps[2])  # the third component is not used
  np.testing.assert_array_equal(steps[0], files["sample-001_masked-1.png"])
  assert (steps[0] != steps[1]).any()
  again = pictures.draw_samples(DiscTask(), *MODEL, 1, 2)
  assert (again["samples.png"] != files["samples.png"]).any()
  with pytest.raises(InputError, match="no prior to draw scenes from"):
    pictures.draw_samples(without(DiscTask(), "sample"), *MODEL, 0, 2)


@pytest.fixture
def drawn(monkeypatch):
  """What the figures of traversals are made of, in turn."""
  figures = []

  def note(overview, rows, column_labels):
    figures.append((overview, rows, column_labels))
    return np.zeros((1, 1, 3), np.uint8)

  monkeypatch.setattr(pictures, "traversal_figure", note)
  return figures


def test_traversals_vary_what_differs_between_images(drawn):
  examples = DiscExamples(40)
  files = pictures.draw_traversals(DiscTask(), *MODEL, examples, CONFIG, 2)
  assert list(files) == numbered("traversal", 2)
  deviations = examples.read(np.arange(32))["latents"][:, 1].astype(np.float64).std(0)
  order = np.argsort(-deviations)
  labels = [f"dimension {d + 1}\ndeviation {deviations[d]:.2g}" for d in order]
  overview, rows, titles = drawn[1]
  assert list(rows) == labels
  assert list(overview) == ["input", "reconstruction", "segments", "component 2"]
  assert titles[0] == "-2\ndeviations" and titles[4] == "posterior\nmean" and len(titles) == 9
  across = rows[labels[order.tolist().index(0)]]
  for offset, picture in zip(pictures.OFFSETS, across, strict=True):
    latents = examples.read([1])["latents"]
    latents[0, 1, 0] += offset * deviations[0]
    expected = np.round(np.asarray(paint(latents).image[0]) * 255)
    np.testing.assert_array_equal(picture, expected)
  np.testing.assert_array_equal(across[4], overview["reconstruction"])
  unused = rows[labels[order.tolist().index(4)]]
  assert all((picture == unused[0]).all() for picture in unused)


def test_the_component_of_a_traversal_can_be_chosen(drawn):
  pictures.draw_traversals(DiscTask(), *MODEL, DiscExamples(40), CONFIG, 1, component=3)
  assert "component 3" in drawn[0][0]
  with pytest.raises(InputError, match="--component is 4: this model has 3 components"):
    pictures.draw_traversals(DiscTask(), *MODEL, DiscExamples(40), CONFIG, 1, component=4)


def test_traversals_need_a_model_that_decodes_latents_of_images():
  with pytest.raises(InputError, match="this model offers no decode"):
    task = without(DiscTask(), "decode")
    pictures.draw_traversals(task, *MODEL, DiscExamples(2), CONFIG, 1)
  task = DiscVideoTask()
  task.decode = paint
  with pytest.raises(InputError, match="no latents .* of still images"):
    pictures.draw_traversals(task, *MODEL, DiscExamples(2, frames=4), CONFIG, 1)


def test_videos():
  examples = DiscExamples(3, frames=13)
  files = pictures.draw_videos(DiscVideoTask(), *MODEL, examples, CONFIG, 2)
  assert list(files) == [f"video-{i:03}.{kind}" for i in (0, 1) for kind in ("gif", "png")]
  assert len(files["video-001.gif"]) == 13
  assert len(cells(files["video-001.gif"][7], 96, 96)) == 4
  assert len(cells(files["video-001.png"], 96, 96)) == 4 * 10


def test_a_video_is_also_drawn_as_a_scene_of_its_frames():
  examples = DiscExamples(3, frames=13)
  files = pictures.draw_reconstructions(DiscVideoTask(), *MODEL, examples, CONFIG, 4, separate=True)
  assert len(cells(files["reconstruction.png"], 96, 96)) == 4 * (4 + SLOTS)
  frame = examples.read([0])["video"][0, 8]  # the third of 0, 4, 8, 12
  np.testing.assert_array_equal(files["image-002_input.png"][::3, ::3], frame)


def test_videos_of_images_are_an_error():
  with pytest.raises(InputError, match="dataset discs has still images, no videos"):
    pictures.draw_videos(DiscTask(), *MODEL, DiscExamples(2), CONFIG, 1)
  first_frame = types.SimpleNamespace(scene=lambda p, s, batch, *_: paint(batch["latents"][:, 0]))
  with pytest.raises(InputError, match="this model explains still images"):
    pictures.draw_videos(first_frame, *MODEL, DiscExamples(2, frames=4), CONFIG, 1)


def test_examples_without_pictures_are_an_error():
  examples = DiscExamples(2)
  examples.read = lambda indices: {"depth": np.zeros((2, SIDE, SIDE, 1))}
  with pytest.raises(InputError, match="config.data.fields has depth, but no image or video"):
    pictures.draw_data(examples, 1)
