"""Pictures of scenes: colours, labels, depth, and whole shapes behind what hides them."""

import dataclasses

import numpy as np

from data.raycast.camera import Camera
from data.raycast.scene import Scene
from data.raycast.shading import shade
from data.raycast.solids import dot
from data.raycast.tracing import Hits, trace

CONTRAST = 0.03  # pixels that differ more from a neighbour are drawn from several rays


@dataclasses.dataclass(frozen=True)
class Picture:
  """A drawn scene.

  Attributes:
    image: uint8 [H, W, 3].
    segmentation: uint8 [H, W, 1], labels of what is at the centres of the pixels.
    distance: float32 [H, W, 1], from the camera's centre to what is there.
    z: float32 [H, W, 1], the same along the camera's axis.
    amodal_masks: uint8 0 or 255 [K, H, W, 1], the whole shapes of labels 1 to K, hidden parts too.
    hits: what the rays through the pixels' centres meet, row by row.
  """

  image: np.ndarray
  segmentation: np.ndarray
  distance: np.ndarray
  z: np.ndarray
  amodal_masks: np.ndarray
  hits: Hits


def render(scene: Scene, camera: Camera, samples: int = 1, amodal: int = 0) -> Picture:
  """Draws a scene.

  Args:
    scene: what is drawn.
    camera: from where, and how large.
    samples: a pixel on an edge takes the mean of samples x samples rays; 1 leaves edges jagged.
    amodal: K, how many whole shapes are wanted.
  """
  rows, columns = camera.pixel_centres()
  hits, whole = trace(scene, camera, rows, columns, amodal)
  colours = shade(scene, hits)
  if samples > 1:
    edge = np.flatnonzero(_edges(colours.reshape(3, camera.height, camera.width)))
    colours[:, edge] = _mean_colours(scene, camera, rows[edge], columns[edge], samples)
  shape = (camera.height, camera.width, 1)
  labels = np.array([*(solid.label for solid in scene.solids), scene.sky_label], np.uint8)
  along_axis = dot(np.asarray(camera.axes[2], np.float32), hits.direction)
  return Picture(
    image=np.rint(colours * 255).astype(np.uint8).T.reshape(*shape[:2], 3),
    segmentation=labels[hits.which].reshape(shape),  # the sky's -1 is the last
    distance=hits.distance.reshape(shape),
    z=(hits.distance * along_axis).reshape(shape),
    amodal_masks=np.where(whole, np.uint8(255), np.uint8(0)).reshape(amodal, *shape),
    hits=hits,
  )


def _edges(colours: np.ndarray) -> np.ndarray:
  """Which pixels differ from one beside, above or below, bool [H * W], from [3, H, W]."""
  edge = np.zeros(colours.shape[1:], bool)
  down = np.abs(np.diff(colours, axis=1)).max(axis=0) > CONTRAST
  across = np.abs(np.diff(colours, axis=2)).max(axis=0) > CONTRAST
  edge[1:] |= down
  edge[:-1] |= down
  edge[:, 1:] |= across
  edge[:, :-1] |= across
  return edge.ravel()


def _mean_colours(scene, camera, rows, columns, samples):
  """The mean colours of pixels with these centres, float32 [3, N]."""
  offsets = ((np.arange(samples) + 0.5) / samples - 0.5).astype(np.float32)
  down, across = (grid.reshape(-1, 1) for grid in np.meshgrid(offsets, offsets))
  hits, _ = trace(scene, camera, (rows + down).ravel(), (columns + across).ravel())
  return shade(scene, hits).reshape(3, samples * samples, -1).mean(axis=1)
