"""What a worker process does: a clip's number to the stored example.

Standard library and numpy only, see `data.building.workers`; MuJoCo where a config asks for it.
"""

from typing import Any

import numpy as np

from data.building.boxes import boxes, visible_pixels
from data.building.generated import padded
from data.building.png import encode_png
from data.generated_movi import mujoco_physics, mujoco_render, physics
from data.generated_movi.scenes import COLOURS, FLOOR, FRAME_TIME, Clip, Options, clip, frame_scene
from data.raycast.motion import flow
from data.raycast.render import render


def draw(options: Options, split: str, index: int) -> dict[str, Any]:
  """Clip `index` of `split` as it is stored, without its key."""
  content = clip(options, split, index)
  simulate = mujoco_physics.simulate if options.mujoco else physics.simulate
  bodies = content.objects.bodies()
  motion = simulate(bodies, content.objects.start, options.frames, FRAME_TIME, FLOOR)
  return example(content, motion, options)


def example(content: Clip, motion: physics.Motion, options: Options) -> dict[str, Any]:
  """A clip that moves so, as it is stored; objects by how much of them is seen, most first."""
  count = len(content.objects.size)
  scenes = [frame_scene(content, motion, frame) for frame in range(options.frames)]
  pictures = [
    render(scene, camera, options.samples)
    for scene, camera in zip(scenes, content.cameras, strict=True)
  ]
  images = [picture.image for picture in pictures]
  if options.opengl:
    images = mujoco_render.images(content, motion)
  segmentation = np.stack([picture.segmentation for picture in pictures])
  seen = np.bincount(segmentation.ravel(), minlength=count + 1)[1:]
  order = np.argsort(-seen, kind="stable")
  order = order[seen[order] > 0]  # what is never seen is left out
  new_label = np.zeros(count + 1, np.uint8)
  new_label[order + 1] = np.arange(1, len(order) + 1)
  segmentation = new_label[segmentation]
  stored = {
    "video": [encode_png(image) for image in images],
    "segmentation": [encode_png(frame) for frame in segmentation],
    "num_objects": len(order),
    "bboxes": np.stack([boxes(frame, options.max_objects) for frame in segmentation]),
    "visibility": np.stack([visible_pixels(frame, options.max_objects) for frame in segmentation]),
    "camera": {
      "position": np.array([camera.position for camera in content.cameras], np.float32),
      "axes": np.array([camera.axes for camera in content.cameras], np.float32),
    },
    "factors": factors(content, motion, order, options.max_objects),
  }
  if options.depth:
    stored["depth"] = np.stack([picture.distance for picture in pictures])
  if options.flow:
    stored |= flows(pictures, scenes, content.cameras)
  return stored


def flows(pictures, scenes, cameras) -> dict[str, np.ndarray]:
  """Flow to the next and to the last frame; zeros where there is none."""
  frames = list(zip(scenes, cameras, strict=True))
  none = np.zeros((*pictures[0].image.shape[:2], 2), np.float32)
  pairs = list(zip(frames[:-1], frames[1:], strict=True))
  forward = [flow(p, *now, *then) for p, (now, then) in zip(pictures[:-1], pairs, strict=True)]
  backward = [flow(p, *then, *now) for p, (now, then) in zip(pictures[1:], pairs, strict=True)]
  return {
    "forward_flow": np.stack([*forward, none]),
    "backward_flow": np.stack([none, *backward]),
  }


def factors(
  content: Clip, motion: physics.Motion, order: np.ndarray, max_objects: int
) -> dict[str, np.ndarray]:
  """What is known of the objects in this order, [K, ...] or [K, T, ...], padded with zeros."""
  objects, bodies = content.objects, content.objects.bodies()

  def rows(values, dtype):
    return padded(np.asarray(values)[order], max_objects, dtype)

  known = {
    "shape": rows(objects.shape, np.int32),
    "size": rows(objects.size, np.float32),
    "colour": rows(np.array(COLOURS)[objects.colour], np.uint8),
    "material": rows(objects.stuff, np.int32),
    **{
      name: rows([getattr(body, name) for body in bodies], np.float32)
      for name in ("mass", "friction", "restitution")
    },
  }
  moving = {
    name: rows(values.swapaxes(0, 1), np.float32) for name, values in motion._asdict().items()
  }
  return known | moving
