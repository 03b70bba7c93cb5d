"""Layout of pictures: images in labelled rows and columns, and the files they are written to."""

import fractions
import os
import pathlib
import textwrap
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from objectcentric_jax.errors import InputError

MINIMUM_CELL = 96  # pixels; smaller images are enlarged
FONT_SIZE = 13
LINE_HEIGHT = 18
PADDING = 4
INK = (40, 40, 40)
OUTLINE = (190, 190, 190)  # shows where a white image ends
MP4_QUALITY = "18"  # of H.264: 0 is lossless, about 18 looks so
FRAME_MILLISECONDS = 150  # of animations: slow enough to follow an object


def enlarge(image: np.ndarray, scale: int | None = None) -> np.ndarray:
  """Repeats the pixels of an image [H, W, 3] by a whole factor.

  Without `scale` it is the smallest that makes both sides at least `MINIMUM_CELL` pixels.
  """
  scale = scale or max(1, -(-MINIMUM_CELL // min(image.shape[:2])))
  return image.repeat(scale, axis=0).repeat(scale, axis=1)


def grid(
  rows: Sequence[Sequence[np.ndarray | None]],
  row_labels: Sequence[str] = (),
  column_labels: Sequence[str] = (),
  scale: int | None = None,
  padding: int = PADDING,
  breaks: Sequence[int] = (),
  row_breaks: Sequence[int] = (),
) -> np.ndarray:
  """Lays images out in rows and columns on white.

  Args:
    rows: images [H, W, 3] uint8, all of one size; None leaves a cell empty. Rows may be shorter
      than the longest.
    row_labels: one text a row, or none.
    column_labels: one text a column, or none; long lines are wrapped to the width of the column.
    scale: whole factor by which images are enlarged, as in `enlarge`.
    padding: pixels between cells and around the whole.
    breaks: columns that start a new group, set off by a wider gap.
    row_breaks: rows that do.

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
  cells = [[None if cell is None else enlarge(cell, scale) for cell in row] for row in rows]
  height, width, _ = next(cell.shape for row in cells for cell in row if cell is not None)

  font = ImageFont.load_default(FONT_SIZE)
  lines = [line for text in row_labels for line in text.splitlines()]
  left = padding + max((_text_width(font, line) + 2 * padding for line in lines), default=0)
  titles = [_wrap(font, text, width) for text in column_labels]
  top = padding + LINE_HEIGHT * max((title.count("\n") + 1 for title in titles), default=0)
  x = _edges(left, columns, width, padding, breaks)
  y = _edges(top, len(rows), height, padding, row_breaks)

  canvas = Image.new("RGB", (x[-1] + width + padding, y[-1] + height + padding), "white")
  draw = ImageDraw.Draw(canvas)
  placed = [
    (x[column], y[row], cell)
    for row, images in enumerate(cells)
    for column, cell in enumerate(images)
    if cell is not None
  ]
  for left_edge, upper_edge, _ in placed:
    box = (left_edge - 1, upper_edge - 1, left_edge + width, upper_edge + height)
    draw.rectangle(box, outline=OUTLINE)
  for left_edge, upper_edge, cell in placed:
    canvas.paste(Image.fromarray(cell), (left_edge, upper_edge))
  for column, title in enumerate(titles):
    middle, bottom = x[column] + width / 2, top - padding / 2
    draw.multiline_text(
      (middle, bottom), title, INK, font, anchor="md", align="center", spacing=padding
    )
  for row, text in enumerate(row_labels):
    middle = y[row] + height / 2
    draw.multiline_text(
      (left - 2 * padding, middle), text, INK, font, anchor="rm", align="right", spacing=padding
    )
  return np.asarray(canvas)


def below(figures: Sequence[np.ndarray]) -> np.ndarray:
  """Figures [h, w, 3] uint8 one below the other, flush left, on white."""
  width = max(figure.shape[1] for figure in figures)
  widened = [
    np.pad(figure, ((0, 0), (0, width - figure.shape[1]), (0, 0)), constant_values=255)
    for figure in figures
  ]
  return np.concatenate(widened)


def save(path: str | os.PathLike, array: np.ndarray) -> None:
  """Writes a picture, whole or not at all; makes its folder if needed.

  Args:
    path: ends in .png, or in .gif or .mp4 for an animation.
    array: [H, W, 3] uint8; [T, H, W, 3] for an animation. A GIF file repeats for ever and has at
      most 256 colours a frame, an mp4 file plays once.

  Raises:
    InputError: the name ends otherwise, or PyAV, which writes mp4 files, is not installed.
  """
  path = pathlib.Path(path)
  if path.suffix.lower() == ".png":
    picture = Image.fromarray(array)
    _replace(path, lambda to: picture.save(to, format="PNG"))
  elif path.suffix.lower() == ".gif":
    first, *others = [Image.fromarray(frame) for frame in array]
    options = {"save_all": True, "append_images": others, "duration": FRAME_MILLISECONDS, "loop": 0}
    _replace(path, lambda to: first.save(to, format="GIF", **options))
  elif path.suffix.lower() == ".mp4":
    _replace(path, lambda to: _write_mp4(to, array))
  else:
    raise InputError(
      f"picture {path}: pictures are PNG files, animations GIF or mp4 files; let the name end so"
    )


def _write_mp4(path: pathlib.Path, frames: np.ndarray):
  """Frames [T, H, W, 3] uint8 as H.264, filled up with white where a side is odd."""
  try:
    import av
  except ImportError:
    raise InputError(
      "mp4 files need the package av: pip install 'objectcentric_jax[video]', or pip install av; "
      "GIF files do without"
    ) from None
  rows, columns = (side % 2 for side in frames.shape[1:3])
  filled = np.pad(frames, ((0, 0), (0, rows), (0, columns), (0, 0)), constant_values=255)
  rate = fractions.Fraction(1000, FRAME_MILLISECONDS)
  with av.open(str(path), "w", format="mp4") as file:
    stream = file.add_stream("libx264", rate=rate, options={"crf": MP4_QUALITY})
    stream.height, stream.width = filled.shape[1:3]
    stream.pix_fmt = "yuv420p"  # what browsers and presentations play
    for frame in filled:
      file.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
    file.mux(stream.encode())


def _replace(path: pathlib.Path, write: Callable[[pathlib.Path], None]):
  path.parent.mkdir(parents=True, exist_ok=True)
  unfinished = path.with_name(f".{path.name}.{os.getpid()}")
  try:
    write(unfinished)
    os.replace(unfinished, path)
  finally:
    unfinished.unlink(missing_ok=True)


def _edges(first, count, size, padding, breaks):
  """Where each of `count` cells in a line begins."""
  gaps = np.cumsum([3 * padding * (index in breaks) for index in range(count)])
  return [first + index * (size + padding) + int(gaps[index]) for index in range(count)]


def _text_width(font, text):
  return int(np.ceil(font.getlength(text)))


def _wrap(font, text, width):
  """Breaks lines between words until they fit `width` pixels, as far as words allow it."""
  return "\n".join(_wrap_line(font, line, width) for line in text.splitlines())


def _wrap_line(font, line, width):
  for letters in range(len(line), 1, -1):
    parts = textwrap.wrap(line, letters, break_long_words=False)
    if all(_text_width(font, part) <= width for part in parts):
      return "\n".join(parts)
  return "\n".join(line.split())
