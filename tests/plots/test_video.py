"""Pictures of videos: which frames are shown, and where."""

import numpy as np

from objectcentric_jax.plots.scene import PALETTE, scene_pictures
from objectcentric_jax.plots.video import frames, spaced, video_animation, video_strip
from objectcentric_jax.scene import Scene
from tests.plots.cells import cells

BATCH, TIME, SLOTS, HEIGHT, WIDTH = 2, 13, 3, 32, 48


def moving_bar():
  """Videos in which component 1 is a bright bar over component 0, further down in each frame."""
  masks = np.zeros((BATCH, TIME, SLOTS, HEIGHT, WIDTH, 1), np.float32)
  for t in range(TIME):
    masks[:, t, 1, 2 * t : 2 * t + 8] = 1
  masks[:, :, 0] = 1 - masks[:, :, 1]
  components = np.zeros((BATCH, TIME, SLOTS, HEIGHT, WIDTH, 3), np.float32)
  components[:, :, 1] = np.array([0.4, 0.8]).reshape(BATCH, 1, 1, 1, 1)
  scene = Scene(
    image=(masks * components).sum(2),
    masks=masks,
    components=components,
    background=np.array([True, False, False]),
    identity=np.arange(BATCH * TIME).reshape(BATCH, TIME, 1),
  )
  return scene


def test_frames_are_those_of_one_video():
  scene = moving_bar()
  one = frames(scene, 1)
  np.testing.assert_array_equal(one.masks, scene.masks[1])
  np.testing.assert_array_equal(one.identity, scene.identity[1])
  assert one.background is None and one.latents is None


def test_spaced_frames():
  assert spaced(13, 4).tolist() == [0, 4, 8, 12]
  assert spaced(13, 5).tolist() == [0, 3, 6, 9, 12]
  assert spaced(3, 10).tolist() == [0, 1, 2]
  assert spaced(9, 1).tolist() == [0]


def pictures():
  scene = moving_bar()
  one = frames(scene, 1)
  return scene_pictures(one, one.image, np.argmax(one.masks, axis=1))


def test_strip_has_a_row_for_every_quantity():
  figure = video_strip(pictures(), 5)  # bars of 8 rows from row 0, 6, 12, 18 and 24 of 32
  bright, black = (204,) * 3, (0,) * 3
  back, bar = (tuple(PALETTE[k].tolist()) for k in (0, 1))

  def row(off, on):  # looked at in rows 7 and 23
    return [(on, off), (on, off), (off, off), (off, on), (off, off)]

  expected = row(black, bright) + row(black, bar) + row(black, bright) + row(back, bar)
  assert cells(figure, 96, 144) == expected


def test_animation_shows_the_same_frame_by_frame():
  animation = video_animation(pictures())
  assert animation.shape[0] == TIME and animation.dtype == np.uint8
  single = [cells(frame, 96, 144) for frame in animation]
  assert all(len(found) == 4 for found in single)
  on = [t for t, found in enumerate(single) if found[0][0] == (204,) * 3]
  assert on == [0, 1, 2, 3]  # those whose bar covers row 7
