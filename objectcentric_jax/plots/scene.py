"""Pictures of scenes: overviews with segmentations and components, as arrays and PNG files."""

import os
import pathlib
import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from objectcentric_jax.errors import InputError
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

MINIMUM_CELL = 96  # pixels; smaller images are enlarged
FONT_SIZE = 13
LINE_HEIGHT = 18
INK = (40, 40, 40)
OUTLINE = (190, 190, 190)  # shows where a white image ends


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


def grid(
  rows: Sequence[Sequence[np.ndarray | None]],
  row_labels: Sequence[str] = (),
  column_labels: Sequence[str] = (),
  scale: int | None = None,
  padding: int = 4,
  breaks: Sequence[int] = (),
) -> np.ndarray:
  """Lays images out in rows and columns on white.

  Args:
    rows: images [H, W, 3] uint8, all of one size; None leaves a cell empty. Rows may be shorter
      than the longest.
    row_labels: one text a row, or none.
    column_labels: one text a column, or none; long ones are wrapped to the width of the column.
    scale: whole factor by which images are enlarged; the smallest that makes both sides of a cell
      at least `MINIMUM_CELL` pixels when None.
    padding: pixels between cells and around the whole.
    breaks: columns that start a new group, set off by a wider gap.

  Returns:
    [h, w, 3] uint8.

  Raises:
    ValueError: there is no image, they differ in size, or labels and cells differ in number.
  """
  sizes = {cell.shape for row in rows for cell in row if cell is not None}
  columns = max((len(row) for row in rows), default=0)
  if len(sizes) != 1:
    raise ValueError(f"a grid needs images of one size, got {sorted(sizes)}")
  if len(row_labels) not in (0, len(rows)) or len(column_labels) not in (0, columns):
    raise ValueError(
      f"{len(row_labels)} row and {len(column_labels)} column labels for {len(rows)} x {columns}"
    )
  height, width, _ = sizes.pop()
  scale = scale or max(1, -(-MINIMUM_CELL // min(height, width)))
  height, width = height * scale, width * scale

  font = ImageFont.load_default(FONT_SIZE)
  left = padding + max((_text_width(font, text) + 2 * padding for text in row_labels), default=0)
  titles = [_wrap(font, text, width) for text in column_labels]
  top = padding + LINE_HEIGHT * max((title.count("\n") + 1 for title in titles), default=0)
  gaps = np.cumsum([3 * padding * (column in breaks) for column in range(columns)])
  x = [left + column * (width + padding) + int(gaps[column]) for column in range(columns)]
  y = [top + row * (height + padding) for row in range(len(rows))]

  canvas = Image.new("RGB", (x[-1] + width + padding, y[-1] + height + padding), "white")
  draw = ImageDraw.Draw(canvas)
  cells = [
    (x[column], y[row], cell)
    for row, images in enumerate(rows)
    for column, cell in enumerate(images)
    if cell is not None
  ]
  for left_edge, upper_edge, _ in cells:
    box = (left_edge - 1, upper_edge - 1, left_edge + width, upper_edge + height)
    draw.rectangle(box, outline=OUTLINE)
  for left_edge, upper_edge, cell in cells:
    enlarged = cell.repeat(scale, axis=0).repeat(scale, axis=1)
    canvas.paste(Image.fromarray(enlarged), (left_edge, upper_edge))
  for column, title in enumerate(titles):
    middle, bottom = x[column] + width / 2, top - padding / 2
    draw.multiline_text(
      (middle, bottom), title, INK, font, anchor="md", align="center", spacing=padding
    )
  for row, text in enumerate(row_labels):
    draw.text((left - 2 * padding, y[row] + height / 2), text, INK, font, anchor="rm")
  return np.asarray(canvas)


def scene_figure(
  image: np.ndarray,
  scene: Scene,
  segmentation: np.ndarray | None = None,
  max_images: int = 8,
  background_ids: Sequence[int] = (0,),
) -> np.ndarray:
  """Overview of several images: a row each, what the model made of it in columns.

  Columns: image, true segmentation, reconstruction, predicted segmentation (and one for each of
  `scene.other_masks`), then each component times its mask, over black. What is None has no column.
  For a video pass the frames of one example: `jax.tree.map(lambda x: x[0], scene)`.

  Args:
    image: [N, H, W, C] in [0, 1].
    scene: of the same N images.
    segmentation: [N, H, W, 1] integer true labels; negative is ignored, shown black.
    max_images: number of rows at most.
    background_ids: true labels shown black.

  Returns:
    [h, w, 3] uint8.
  """
  shown = slice(max_images)
  columns = {"image": to_uint8(image[shown])}
  if segmentation is not None:
    truth = np.asarray(segmentation[shown])[..., 0]
    columns["true segments"] = colour_labels(truth, background_ids)
  columns["reconstruction"] = to_uint8(scene.image[shown])
  if scene.masks is not None:
    columns["segments"] = _colour_masks(scene.masks[shown])
  for name, masks in scene.other_masks.items():
    columns[f"segments ({name})"] = _colour_masks(masks[shown])
  overview = len(columns)
  if scene.masks is not None and scene.components is not None:
    masked = to_uint8(np.asarray(scene.masks[shown]) * np.asarray(scene.components[shown]))
    columns |= {str(k + 1): masked[:, k] for k in range(masked.shape[1])}
  rows = list(zip(*columns.values(), strict=True))
  return grid(rows, column_labels=list(columns), breaks=(overview,))


def component_figure(
  image: np.ndarray, scene: Scene, index: int, scope: np.ndarray | None = None
) -> np.ndarray:
  """One image taken apart: each component with its mask, without, and the mask, a column each.

  Args:
    image: [N, H, W, C] in [0, 1].
    scene: of the same N images, with masks and components.
    index: which of the images.
    scope: [N, K, H, W, 1] in [0, 1], what was left of the image for each component, where the model
      explains one after the other; a fourth row.

  Returns:
    [h, w, 3] uint8.

  Raises:
    InputError: the scene has no masks or no components.
  """
  if scene.masks is None or scene.components is None:
    raise InputError("component figure: this model has no components; draw the scene figure alone")
  masks, components = np.asarray(scene.masks[index]), np.asarray(scene.components[index])
  stacks = {"masked colour": masks * components, "colour": components, "mask": masks}
  if scope is not None:
    stacks["scope"] = np.asarray(scope[index])
  rows = [list(to_uint8(stack)) for stack in stacks.values()]
  titles = [str(k + 1) for k in range(len(masks))]
  whole = [[to_uint8(image[index])], [to_uint8(scene.image[index])]]
  whole += [[None]] * (len(rows) - len(whole))
  names = ["image", "reconstruction"] + [""] * (len(rows) - 2)
  return np.concatenate(
    [grid(whole, row_labels=names, column_labels=[""]), grid(rows, list(stacks), titles)], axis=1
  )


def save(path: str | os.PathLike, array: np.ndarray) -> None:
  """Writes [H, W, 3] uint8 as a PNG file, whole or not at all; makes its folder if needed.

  Raises:
    InputError: the name does not end in .png.
  """
  path = pathlib.Path(path)
  if path.suffix.lower() != ".png":
    raise InputError(f"picture {path}: pictures are PNG files; let the name end in .png")
  path.parent.mkdir(parents=True, exist_ok=True)
  unfinished = path.with_name(f".{path.name}.{os.getpid()}")
  try:
    Image.fromarray(array).save(unfinished, format="PNG")
    os.replace(unfinished, path)
  finally:
    unfinished.unlink(missing_ok=True)


def _colour_masks(masks):
  """Colours each pixel by the component that explains it, [N, H, W, 3]."""
  return colour_labels(np.argmax(np.asarray(masks), axis=-4)[..., 0])


def _text_width(font, text):
  return int(np.ceil(font.getlength(text)))


def _wrap(font, text, width):
  """Breaks `text` between words so that its lines fit `width` pixels, where words allow it."""
  letters = len(text)
  while letters > 1:
    lines = textwrap.wrap(text, letters, break_long_words=False)
    if all(_text_width(font, line) <= width for line in lines):
      return "\n".join(lines)
    letters -= 1
  return "\n".join(text.split())
