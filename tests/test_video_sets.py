"""Configs of videos: the sets they name can be made, and batches have all that scores need."""

import numpy as np
import pytest

from configs import datasets, sections
from data.folder import names as folder
from data.generated_moving_sprites.names import DENSITIES
from data.generated_moving_sprites.names import NAMES as SPRITES
from data.motsynth.names import NAMES as MOTSYNTH
from objectcentric_jax.input.generated import made_up

TRUE = {"segmentation", "num_objects", "bboxes"}


def completed(function, *arguments):
  config = sections.base()
  function(config, *arguments)
  return config


def made(config, objects=4):
  """Two made-up examples; few objects are as good as many."""
  config.data.objects = objects
  return made_up(config.data, "train", count=2).read(np.arange(2))


@pytest.mark.parametrize(
  "arguments, name",
  [
    ((), "128px_low_frames10"),
    (("very_high", "digits", "texture"), "128px_very_high_digits_texture_frames10"),
    (("3-5", "dsprites", "gradient", 64), "64px_3-5_gradient_frames10"),
  ],
)
def test_moving_sprites(arguments, name):
  config = completed(datasets.moving_sprites, *arguments)
  assert config.data.name == f"generated_moving_sprites/{name}"
  options = SPRITES.parse(name)
  assert SPRITES.spell(options) == name and options.frames == config.data.frames
  assert options.max_objects == config.data.objects
  batch = made(config)
  side = config.data.side
  assert set(batch) == {"video", "visibility", *TRUE}
  assert batch["video"].shape == (2, 10, side, side, 3)
  assert batch["bboxes"].shape == (2, 10, 4, 4)


def test_densities_are_those_of_the_set():
  assert datasets.DENSITIES == {name: most for name, (_, most) in DENSITIES.items()}


@pytest.mark.parametrize("variant", ["original_multi8", "black", "gradient", "image", "blurred"])
def test_motsynth(variant):
  config = completed(datasets.motsynth, variant)
  MOTSYNTH.parse(config.data.name.removeprefix("motsynth/"))
  batch = made(config)
  assert set(batch) == {"video", "visibility", *TRUE}
  assert batch["bboxes"].shape == (2, 10, datasets.PEOPLE, 4)
  shown = (batch["bboxes"][..., 2] > 0).any(1).sum(-1)
  np.testing.assert_array_equal(batch["num_objects"], shown)


@pytest.mark.parametrize("function", [datasets.grand_central, datasets.own_videos])
def test_videos_without_labels(function):
  config = completed(function)
  batch = made(config)
  assert set(batch) == {"video"} and batch["video"].shape == (2, 10, 128, 128, 3)
  assert config.eval.best == "-elbo"


def test_the_station_is_cut_as_published():
  config = completed(datasets.grand_central)
  (clip, crops, _) = config.data.preprocess
  assert (clip["length"], clip["stride"]) == (10, 8)
  r = 240  # half of the height; left, top of each square as published
  published = [(r // 2, 0), (r // 2 + r, 0), (0, r), (r, r), (2 * r, r)]
  published += [(0, r // 2), (r, r // 2), (2 * r, r // 2)]
  assert [tuple(corner) for corner in crops["corners"]] == [(top, left) for left, top in published]


def test_own_videos_are_all_for_both_splits():
  config = completed(datasets.own_videos, "holiday")
  options = folder.parse(config.data.name.removeprefix("folder/"))
  assert (options.validation, options.test, options.frames, options.size) == (0, 0, 10, 128)
  assert config.eval.split == config.eval.test_split == config.data.split == "train"
