"""What a model finds in its data, as tables and arrays. Each kind gives its files by name."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from objectcentric_jax.batch import as_float
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.arrays import Examples
from objectcentric_jax.input.pipeline import evaluation_batches
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.task import Task

Arrays = dict[str, np.ndarray]
Files = dict[str, Any]

BOX_COLUMNS = ("centre_y", "centre_x", "height", "width")


def boxes_of(scene: Scene) -> dict[str, jax.Array]:
  """Boxes, their presence and, of videos, their identity.

  Raises:
    InputError: the model has no boxes.
  """
  if scene.boxes is None or scene.presence is None:
    raise InputError("--what boxes: this model has no boxes")
  found = {"boxes": scene.boxes, "presence": scene.presence}
  return found if scene.identity is None else {**found, "identity": scene.identity}


def tracks_of(scene: Scene) -> dict[str, jax.Array]:
  """Boxes, presence and identity of a video, and its size in pixels.

  Raises:
    InputError: the model has no boxes that keep an identity from frame to frame.
  """
  if scene.boxes is None or scene.presence is None or scene.identity is None:
    raise InputError("--what tracks: this model has no boxes that keep an identity in a video")
  size = jnp.asarray(scene.image.shape[-3:-1], jnp.int32)
  return {**boxes_of(scene), "size": jnp.broadcast_to(size, (len(scene.boxes), 2))}


def latents_of(scene: Scene) -> dict[str, jax.Array]:
  """Latents, which of them are of the background, and the boxes.

  Raises:
    InputError: the model has no latents.
  """
  if scene.latents is None:
    raise InputError("--what latents: this model has no latents of components")
  found = {"latents": scene.latents}
  shape = len(scene.latents), scene.latents.shape[-2]
  if scene.background is not None and scene.background.shape[-1] == shape[1]:
    found["background"] = jnp.broadcast_to(scene.background, shape)
  return found if scene.boxes is None else {**found, **boxes_of(scene)}


def observed(
  task: Task,
  params: Any,
  model_state: Any,
  examples: Examples,
  settings: Mapping[str, Any],
  observe: Callable[[Scene], Mapping[str, jax.Array]],
) -> Arrays:
  """Parts of the scenes of the first examples, drawn as they are for the scores.

  Args:
    task, params, model_state: the model.
    examples: of which the first `settings["images"]` are seen.
    settings: `config.eval`.
    observe: scene -> arrays [B, ...] by name.

  Returns:
    Those arrays for all N examples, [N, ...], and "index" [N], the position in the split.
  """

  def one(params, model_state, example, key):
    batch = as_float({name: value[None] for name, value in example.items()})
    scene = task.scene(params, model_state, batch, key, settings["sample"])
    return {name: value[0] for name, value in observe(scene).items()}

  @jax.jit
  def all_of(params, model_state, batch):
    key = jax.random.key(settings["seed"])
    keys = jax.vmap(lambda index: jax.random.fold_in(key, index))(batch["index"])
    return jax.vmap(one, (None, None, 0, 0))(params, model_state, batch, keys)

  parts = []
  for batch in evaluation_batches(examples, settings["batch_size"], settings["images"]):
    found = jax.device_get(all_of(params, model_state, batch)) | {"index": batch["index"]}
    parts.append({name: rows[batch["valid"]] for name, rows in found.items()})
  return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def box_files(found: Arrays, least: float) -> Files:
  """All boxes as arrays, and a table of those present by more than `least`.

  Args:
    found: of `boxes_of`: boxes [N, (T), K, 4], presence and identity [N, (T), K].
    least: presence, in [0, 1].

  Returns:
    "boxes.npz" and "boxes.csv", whose lines are ordered by example, frame and box; all are counted
    from 0, places are shares of the picture.
  """
  where = np.argwhere(found["presence"] > least)
  table = _table("box", found["index"], where, _box_columns(found, where))
  return {"boxes.csv": table, "boxes.npz": found}


def latent_files(found: Arrays) -> Files:
  """All latents as arrays and as a table.

  Args:
    found: of `latents_of`: latents [N, (T), K, D], background [N, K], and the boxes.

  Returns:
    "latents.npz" and "latents.csv", a line a component; otherwise as for `box_files`. Where each
    component that is not background is that of a box, the table has these alone, each with
    identity, presence and box.
  """
  latents = found["latents"]
  behind = found.get("background", np.zeros((1, latents.shape[-2]), bool))
  objects = np.flatnonzero(~behind[0])
  of_boxes = "boxes" in found and found["boxes"].shape[-2] == len(objects)
  of_boxes = of_boxes and bool((behind == behind[0]).all())
  if of_boxes:
    latents = latents[..., objects, :]
  where = np.argwhere(np.ones(latents.shape[:-1], bool))
  columns = _box_columns(found, where) if of_boxes else {}
  columns |= {f"latent_{i}": latents[..., i][tuple(where.T)] for i in range(latents.shape[-1])}
  table = _table("box" if of_boxes else "component", found["index"], where, columns)
  return {"latents.csv": table, "latents.npz": found}


def track_files(found: Arrays, least: float) -> Files:
  """A text file a video in the format of MOTChallenge, "tracks/00000.txt" and so on.

  A line is `frame,id,left,top,width,height,confidence,-1,-1,-1`: boxes present by more than `least`
  in pixels of the video, presence as the confidence. As the format wants it, frames, ids and pixels
  count from 1: the id is the identity of the scene and 1.

  Args:
    found: of `tracks_of`: boxes [N, T, K, 4], presence and identity [N, T, K], size [N, 2].
    least: presence, in [0, 1].
  """
  return {
    f"tracks/{found['index'][n]:05}.txt": _motchallenge(
      *(found[name][n] for name in ("boxes", "presence", "identity", "size")), least
    )
    for n in range(len(found["index"]))
  }


def _motchallenge(boxes, presence, identity, size, least) -> str:
  frame, box = np.nonzero(presence > least)
  order = np.lexsort((identity[frame, box], frame))
  frame, box = frame[order], box[order]
  centre, extent = np.split(boxes[frame, box] * np.tile(size, 2), 2, axis=-1)
  top, left = (centre - extent / 2 + 1).T
  height, width = extent.T
  columns = (frame + 1, identity[frame, box] + 1, left, top, width, height, presence[frame, box])
  return "".join(
    f"{int(t)},{int(i)},{x:.3f},{y:.3f},{w:.3f},{h:.3f},{confidence:.4f},-1,-1,-1\n"
    for t, i, x, y, w, h, confidence in zip(*columns, strict=True)
  )


def _box_columns(found: Arrays, where: np.ndarray) -> Arrays:
  """What is known of the boxes at these places [R, 2 or 3], by column."""
  chosen = tuple(where.T)
  columns = {name: found[name][chosen] for name in ("identity", "presence") if name in found}
  return columns | dict(zip(BOX_COLUMNS, found["boxes"][chosen].T, strict=True))


def _table(last: str, index: np.ndarray, where: np.ndarray, columns: Arrays) -> str:
  """Comma-separated values, a line a place; floating point is read back as the same float32.

  Args:
    last: what the last axis of `where` counts.
    index: [N] the example of each position.
    where: [R, 2 or 3] position, frame (of videos), and box or component.
    columns: [R] each.
  """
  places = [index[where[:, 0]], *where[:, 1:].T]
  header = ["example", *(["frame"] if where.shape[1] == 3 else []), last, *columns]
  rows = zip(*places, *columns.values(), strict=True)
  return "\n".join([",".join(header), *(",".join(map(_number, row)) for row in rows), ""])


def _number(value: np.generic) -> str:
  return f"{value:.9g}" if np.issubdtype(value.dtype, np.floating) else str(value)
