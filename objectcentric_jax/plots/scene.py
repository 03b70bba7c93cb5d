"""Pictures of scenes: what a model made of an image, taken apart, as arrays and as figures."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from objectcentric_jax.errors import InputError
from objectcentric_jax.plots.grid import below, enlarge, grid
from objectcentric_jax.scene import Scene

# The colours of the figures in Engelcke et al. (2020, 2021).
PALETTE = np.array(
  [
    (204, 78, 51),
    (82, 180, 78),
    (125, 102, 215),
    (151, 177, 49),
    (193, 91, 184),
    (217, 149, 40),
    (121, 125, 196),
    (182, 136, 63),
    (76, 170, 212),
    (208, 67, 130),
    (74, 170, 134),
    (202, 86, 102),
    (117, 145, 74),
    (187, 109, 153),
    (188, 120, 88),
  ],
  np.uint8,
)
COLUMNS = 16  # components that a figure shows


class ScenePictures(NamedTuple):
  """Pictures of N scenes, uint8, by name; dictionaries are in the order in which they are shown.

  Attributes:
    whole: [N, H, W, 3] each.
    parts: [N, K, H, W, 3] each, a picture a component; empty where the model has no components.
  """

  whole: dict[str, np.ndarray]
  parts: dict[str, np.ndarray]


def colour_labels(labels: np.ndarray, background_ids: Sequence[int] = ()) -> np.ndarray:
  """Gives each label a colour.

  Label i has colour i of `PALETTE`; labels beyond it start over, darker, then lighter, then darker
  still, so that they differ. Negative labels are black.

  Args:
    labels: [...] integer.
    background_ids: labels that are black too, such as those a dataset declares to be background.

  Returns:
    [..., 3] uint8.
  """
  labels = np.asarray(labels)
  known = np.unique(labels)
  rounds = np.maximum(known, 0) // len(PALETTE)
  fading = (0.6 ** ((rounds + 1) // 2))[:, None]
  base = PALETTE[known % len(PALETTE)].astype(np.float64)
  # The first round is the palette; odd rounds fade to black, even ones to white.
  extreme = np.where(rounds % 2 == 0, 255.0, 0.0)[:, None]
  colours = np.where(rounds[:, None] == 0, base, extreme + fading * (base - extreme))
  colours[(known < 0) | np.isin(known, list(background_ids))] = 0
  return np.round(colours).astype(np.uint8)[np.searchsorted(known, labels)]


def to_uint8(image: np.ndarray) -> np.ndarray:
  """Converts colours [..., C] in [0, 1] to [..., 3] uint8, rounded; NaN is black.

  A single channel is repeated to grey; uint8 arrays keep their values.
  """
  image = np.asarray(image)
  if image.dtype != np.uint8:
    shares = np.nan_to_num(image.astype(np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    image = np.round(np.clip(shares, 0, 1) * 255).astype(np.uint8)
  return np.repeat(image, 3, axis=-1) if image.shape[-1] == 1 else image


def scene_pictures(
  scene: Scene,
  image: np.ndarray | None = None,
  segmentation: np.ndarray | None = None,
  background_ids: Sequence[int] = (0,),
) -> ScenePictures:
  """All pictures of N scenes. What is None in a scene has no picture.

  Whole pictures: "input", "true segments", "reconstruction" (of a generated scene, without an
  input: "scene"), "segments" and "segments (name)" for each of `scene.other_masks`.

  Parts, a picture for every component: "masked" (component times mask, over black), "component",
  "mask", "mask (name)" for each of `scene.other_masks` with as many masks, "scope" (how much of
  each pixel the components before it left), "step" (it and all before it together, over black; the
  last step is the whole scene).

  Args:
    scene: of images, [N, ...]. Of a video take the frames of one example, see `plots.video`.
    image: [N, H, W, C] in [0, 1], what the scenes explain; None for generated scenes.
    segmentation: [N, H, W, 1] integer true labels; negative is ignored, shown black.
    background_ids: true labels shown black.
  """
  whole = {}
  if image is not None:
    whole["input"] = to_uint8(image)
  if segmentation is not None:
    whole["true segments"] = colour_labels(np.asarray(segmentation)[..., 0], background_ids)
  if scene.image is not None:
    whole["scene" if image is None else "reconstruction"] = to_uint8(scene.image)
  if scene.masks is None:
    return ScenePictures(whole, {})
  others = {f" ({name})": np.asarray(masks) for name, masks in scene.other_masks.items()}
  masks = np.asarray(scene.masks)
  for suffix, stack in {"": masks, **others}.items():
    whole[f"segments{suffix}"] = colour_labels(stack.argmax(1)[..., 0])
  aligned = {n: stack for n, stack in others.items() if stack.shape[1] == masks.shape[1]}
  shares = {"mask": masks, **{f"mask{suffix}": stack for suffix, stack in aligned.items()}}
  shares["scope"] = 1 - (np.cumsum(masks, axis=1) - masks)
  parts = {name: to_uint8(stack) for name, stack in shares.items()}
  if scene.components is not None:
    components = np.asarray(scene.components)
    masked = masks * components
    steps = to_uint8(np.cumsum(masked, axis=1))
    parts = {"masked": to_uint8(masked), "component": to_uint8(components), **parts, "step": steps}
  return ScenePictures(whole, parts)


def scene_figure(pictures: ScenePictures) -> np.ndarray:
  """Overview of several scenes, [h, w, 3] uint8: a row each, the masked components at its end.

  Of many components those are shown that cover most of all scenes together.
  """
  columns = dict(pictures.whole)
  if "masked" in pictures.parts:
    masked = pictures.parts["masked"]
    shown = _largest(pictures.parts["mask"].sum((0, 2, 3, 4), dtype=np.int64))
    columns |= {f"masked {k + 1}": masked[:, k] for k in shown}
  rows = list(zip(*columns.values(), strict=True))
  return grid(rows, column_labels=list(columns), breaks=(len(pictures.whole),))


def component_figure(pictures: ScenePictures, index: int) -> np.ndarray:
  """One scene taken apart, [h, w, 3] uint8: a column a component, whole pictures on the left.

  The layout of the published figures, with a row for each of `pictures.parts`. Of many components
  those are shown that cover most.

  Raises:
    InputError: the model has no components.
  """
  if not pictures.parts:
    raise InputError("component figure: this model has no components; draw the scene figure alone")
  height = max(len(pictures.whole), len(pictures.parts))

  def filled(rows, labels):
    missing = height - len(rows)
    return rows + [[None]] * missing, labels + [""] * missing

  whole = filled([[stack[index]] for stack in pictures.whole.values()], list(pictures.whole))
  shown = _largest(pictures.parts["mask"][index].sum((1, 2, 3), dtype=np.int64))
  stacks = [list(stack[index][shown]) for stack in pictures.parts.values()]
  parts = filled(stacks, list(pictures.parts))
  titles = [str(k + 1) for k in shown]
  return np.concatenate([grid(*whole, [""]), grid(*parts, titles)], axis=1)


def _largest(sizes: np.ndarray) -> np.ndarray:
  """Which components [K] to show, in their order, by how much each covers."""
  return np.sort(np.argsort(-sizes, kind="stable")[:COLUMNS])


def panel_figure(rows: Mapping[str, np.ndarray]) -> np.ndarray:
  """Named rows of pictures [N, H, W, 1 or 3] uint8, those of one size in one grid: [h, w, 3]."""
  rows = {name: np.broadcast_to(p, (*p.shape[:3], 3)) for name, p in rows.items()}
  groups = itertools.groupby(rows, key=lambda name: rows[name].shape[1:3])
  named = [list(names) for _, names in groups]
  return below([grid([list(rows[name]) for name in names], names) for names in named])


def separate_pictures(pictures: ScenePictures, index: int) -> dict[str, np.ndarray]:
  """Every picture of one scene by a name fit for a file, such as "segments-attention", "mask-3".

  Enlarged like the cells of a figure, [h, w, 3] uint8; components count from 1.
  """
  single = {file_name(name): stack[index] for name, stack in pictures.whole.items()}
  for name, stack in pictures.parts.items():
    single |= {f"{file_name(name)}-{k + 1}": part for k, part in enumerate(stack[index])}
  return {name: enlarge(picture) for name, picture in single.items()}


def file_name(name: str) -> str:
  """The name as part of a file's name."""
  return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
