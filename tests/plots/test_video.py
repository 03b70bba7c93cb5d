"""Pictures of videos: which frames are shown, and where."""

import numpy as np

from objectcentric_jax.plots.boxes import track_colours
from objectcentric_jax.plots.scene import PALETTE, scene_pictures
from objectcentric_jax.plots.video import (
  frames,
  spaced,
  video_animation,
  video_pictures,
  video_strip,
)
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


def tracked():
  """The bar with a box, whose track is 5 and 9 in turn, and an absent box; and what is true."""
  scene = moving_bar()
  places = np.zeros((BATCH, TIME, 2, 4))
  for t in range(TIME):
    places[:, t, 0] = (2 * t + 4) / HEIGHT, 0.5, 8 / HEIGHT, 1.0
  centre, size = np.split(places, 2, -1)
  identity = np.where(np.arange(TIME) % 2 == 0, 5, 9)[None, :, None]
  scene = scene.replace(
    boxes=places,
    presence=np.broadcast_to([1.0, 0.3], (BATCH, TIME, 2)),
    identity=np.broadcast_to(identity, (BATCH, TIME, 2)),
  )
  truth = np.concatenate([centre - size / 2, centre + size / 2], -1)
  return scene, {"video": scene.image, "bboxes": truth}


def test_boxes_have_the_colour_of_their_track():
  scene, batch = tracked()
  whole = video_pictures(scene, 1, batch).whole
  assert list(whole) == [
    *("input", "true boxes", "boxes", "reconstruction", "segments"),
    *("background", "foreground share"),
  ]
  assert {stack.shape for stack in whole.values()} == {(TIME, 6 * HEIGHT, 6 * WIDTH, 3)}
  for t, track in ((0, 5), (1, 9), (2, 5)):
    edge, inside = (6 * 2 * t + 2, 100), (6 * 2 * t + 24, 100)
    colour = track_colours(np.array(track)).tolist()
    np.testing.assert_allclose(whole["boxes"][t][edge], colour, atol=1)
    np.testing.assert_allclose(whole["true boxes"][t][edge], track_colours(np.array(0)), atol=1)
    assert whole["segments"][t][inside].tolist() == colour
    assert whole["input"][t][inside].tolist() == [204] * 3
    below = 6 * (2 * t + 8) + 5, 100
    assert (whole["boxes"][t][below] == 0).all() and (whole["segments"][t][below] == 0).all()
    assert whole["foreground share"][t][inside].tolist() == [255] * 3
    assert whole["foreground share"][t][below].tolist() == [0] * 3


def test_true_segments_have_the_colours_of_true_boxes():
  scene, batch = tracked()
  batch["segmentation"] = 2 * scene.masks[:, :, 1].astype(np.uint8)
  batch["segmentation"][:, 0, -1] = 7
  segments = video_pictures(scene, 0, batch, background_ids=(0, 7)).whole["true segments"]
  assert segments[0, 0, 100].tolist() == track_colours(np.array(1)).tolist()
  assert (segments[0, 6 * 8 :] == 0).all()


def test_one_background_is_shown_behind_the_foreground_too():
  scene, batch = tracked()
  scene.components[:, :, 0] = 0.2
  scene = scene.replace(background=np.array([[False] * 3, [True, False, False]]))
  whole = video_pictures(scene, 1, batch).whole
  assert (whole["background"] == 51).all()


def test_several_backgrounds_are_mixed():
  scene, batch = tracked()
  scene.components[:, :, 0], scene.components[:, :, 2] = 0.2, 0.6
  scene.masks[:, :, 2] = scene.masks[:, :, 0] = 0.5 * scene.masks[:, :, 0]
  scene = scene.replace(background=np.array([True, False, True]))
  whole = video_pictures(scene, 0, batch).whole
  assert whole["background"][0][-1, -1].tolist() == [102] * 3
  # Two boxes, but one component of an object: the segments have the colours of components.
  assert whole["segments"][0][0, 100].tolist() == PALETTE[1].tolist()


def test_pictures_without_boxes_stay_as_they_are():
  scene = moving_bar()
  whole = video_pictures(scene.replace(background=None), 0, {"video": scene.image}).whole
  assert list(whole) == ["input", "reconstruction", "segments"]
  assert whole["input"].shape == (TIME, HEIGHT, WIDTH, 3)


def test_an_animation_of_many_pictures_has_two_rows():
  scene, batch = tracked()
  animation = video_animation(video_pictures(scene, 0, batch))
  assert len(animation) == TIME
  assert len(cells(animation[0], 6 * HEIGHT, 6 * WIDTH)) == 4 + 3
