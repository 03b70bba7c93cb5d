"""Examples of sets of single pictures: what is stored of a scene with K objects.

Standard library and numpy only: the processes that draw scenes import this module.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from data.building.boxes import boxes, visible_pixels
from data.building.generated import Splits, padded
from data.building.png import encode_png
from data.raycast.camera import Camera
from data.raycast.motion import quaternion_of
from data.raycast.render import render
from data.raycast.scene import Scene, Solid

SHAPES = ("box", "sphere", "cylinder", "capsule")  # numbers of `factors/shape`


@dataclasses.dataclass(frozen=True)
class StillOptions(Splits):
  """What sets of single pictures are made of, besides what is in them."""

  size: int = 64  # pixels of a side
  samples: int = 2  # rays along a side of a pixel where there is an edge
  depth: bool = False
  amodal: bool = False


def example(
  scene: Scene, camera: Camera, objects: Sequence[Solid], max_objects: int, options: StillOptions
) -> dict[str, Any]:
  """A scene as it is stored, without its key.

  Args:
    scene: what is drawn.
    camera: from where.
    objects: the solids of the scene that are objects, their labels being consecutive.
    max_objects: K, the rows of what is stored of each object.
    options: what is stored.
  """
  first = objects[0].label if objects else 1
  whole = first + len(objects) - 1 if options.amodal else 0
  picture = render(scene, camera, options.samples, whole)
  stored = {
    "image": encode_png(picture.image),
    "segmentation": encode_png(picture.segmentation),
    "num_objects": len(objects),
    "bboxes": padded(boxes(picture.segmentation, len(objects), first), max_objects, np.float32),
    "visibility": padded(
      visible_pixels(picture.segmentation, len(objects), first), max_objects, np.uint16
    ),
    "camera": {
      "position": np.asarray(camera.position, np.float32),
      "axes": camera.axes.astype(np.float32),
    },
    "factors": factors(objects, max_objects),
  }
  if options.depth:
    stored["depth"] = picture.distance
  if options.amodal:
    stored["amodal_masks"] = padded(picture.amodal_masks[first - 1 :], max_objects, np.uint8)
  return stored


def factors(objects: Sequence[Solid], max_objects: int) -> dict[str, np.ndarray]:
  """What is known of each object, [K, ...], padded with zeros."""

  def rows(values, dtype, *shape):
    return padded(np.reshape(values, (len(objects), *shape)), max_objects, dtype)

  return {
    "shape": rows([SHAPES.index(solid.shape) for solid in objects], np.int32),
    "half_size": rows([solid.half for solid in objects], np.float32, 3),
    "position": rows([solid.position for solid in objects], np.float32, 3),
    "quaternion": rows([quaternion_of(solid.rotation) for solid in objects], np.float32, 4),
    "colour": rows(
      np.rint([np.multiply(solid.material.colour, 255) for solid in objects]), np.uint8, 3
    ),
  }
