"""Stored examples to arrays: only the fields, and of videos only the frames, that are asked for.

The records are those TFDS writes (`tf.train.Example`, pictures as PNG or JPEG files). Its own
decoder reads whole examples and spends more time on their structure than on their pictures.
"""

import io
import struct
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from objectcentric_jax.errors import InputError
from objectcentric_jax.input import fields

Frames = Callable[[int], np.ndarray] | None  # number of frames -> the wanted ones; None: all
_PNG = b"\x89PNG\r\n\x1a\n"
_FLAT_COLOUR_TYPES = {0: 1, 2: 3}  # grey and RGB, and their channels
_FLAT_PIXELS = 1 << 16  # of larger files most are filtered, and a look at them costs more
_FORMATS = ("PNG", "JPEG")
# Pillow's modes for numbers of channels, the first being what others are turned into.
_MODES = {1: ("L", "P", "1", "I;16", "I;16B"), 2: ("LA",), 3: ("RGB",), 4: ("RGBA",)}


class Field(NamedTuple):
  """How one field is stored.

  Attributes:
    name: as the schema calls it, "camera/positions" for one inside another.
    shape: of its array; None where examples differ.
    framed: whether its first axis counts frames.
    decode: (features of a parsed example, wanted frames) -> array.
  """

  name: str
  shape: tuple[int | None, ...]
  framed: bool
  decode: Callable[[Mapping[str, Any], Frames], np.ndarray]


class Decoder:
  """Decodes the chosen fields of a set's records.

  Attributes:
    fields: the `Field` of each name.
  """

  def __init__(self, features: Mapping[str, Any], names: Sequence[str], max_objects: int | None):
    """Chooses fields.

    Args:
      features: of the set, see `flat`.
      names: the fields to decode.
      max_objects: rows to which fields of objects are filled up where examples differ in number.

    Raises:
      InputError: a field that batches cannot hold.
    """
    from tensorflow_datasets.proto import tf_example_pb2  # slow to import, and only needed here

    self._parse = tf_example_pb2.Example.FromString
    frames = frame_count(features)
    self.fields = {name: _field(name, features[name], frames, max_objects) for name in names}

  def __call__(self, record: bytes, frames: Frames = None) -> dict[str, np.ndarray]:
    """The chosen fields of a record; `frames` picks among those that have frames."""
    stored = self._parse(record).features.feature
    return {
      name: field.decode(stored, frames if field.framed else None)
      for name, field in self.fields.items()
    }

  def count(self, record: bytes, name: str) -> int:
    """Frames of a field of a record, whose pictures are not decoded for it."""
    counted = []

    def none_of(count):
      counted.append(count)
      return np.arange(min(count, 1))

    self.fields[name].decode(self._parse(record).features.feature, none_of)
    return counted[0]


def flat(features: Any) -> dict[str, Any]:
  """The features of a set by name, those inside others as "outer/inner"."""
  found = {}
  for name, feature in features.items():
    if hasattr(feature, "items"):
      found |= {f"{name}/{inner}": deeper for inner, deeper in flat(feature).items()}
    else:
      found[name] = feature
  return found


def frame_count(stored: Mapping[str, Any]) -> int | None:
  """Frames of every video of a set (or views of every scene); None where they differ or are not."""
  for name in ("video", "views"):
    if name in stored:
      return stored[name].shape[0]
  return None


def _field(name: str, feature: Any, frames: int | None, max_objects: int | None) -> Field:
  shape = tuple(feature.shape)
  if np.dtype(feature.np_dtype).kind not in "biuf":
    raise InputError(f"config.data.fields: {name} is text, which batches do not hold")
  decode = _decoder(name, feature)
  axis = fields.object_axis(name, len(shape))
  if axis is not None and shape[axis] is None:
    if max_objects is None:
      raise InputError(
        f"config.data.fields: examples differ in the length of {name}, and the set does not say "
        "how many objects there can be (max_objects)"
      )
    decode = _FilledUp(name, decode, axis, max_objects)
  return Field(name, shape, fields.is_framed(name, shape, frames), decode)


def _decoder(name: str, feature: Any):
  kind = type(feature).__name__
  shape, dtype = tuple(feature.shape), np.dtype(feature.np_dtype)
  if kind == "Image":
    return _Picture(name, shape[-1], dtype)
  if kind == "Sequence" and type(feature.feature).__name__ == "Image":
    return _Pictures(name, shape[-1], dtype)
  stored = feature.get_serialized_info()
  if not isinstance(stored, Mapping) and np.dtype(stored.np_dtype).kind in "biuf":
    return _Listed(name, shape, dtype)
  if kind == "Tensor":
    return _Packed(name, shape, dtype, feature.to_json_content().encoding)
  raise InputError(f"config.data.fields: {name} is stored as {feature!r}, which cannot be read")


class _Picture(NamedTuple):
  """A picture file."""

  name: str
  channels: int
  dtype: np.dtype

  def __call__(self, stored, frames):
    return decode_picture(stored[self.name].bytes_list.value[0], self.channels, self.dtype)


class _Pictures(NamedTuple):
  """A picture file a frame."""

  name: str
  channels: int
  dtype: np.dtype

  def __call__(self, stored, frames):
    files = stored[self.name].bytes_list.value
    wanted = range(len(files)) if frames is None else frames(len(files))
    return np.stack([decode_picture(files[i], self.channels, self.dtype) for i in wanted])


class _Packed(NamedTuple):
  """An array as its bytes, perhaps compressed, with its shape beside it where that varies."""

  name: str
  shape: tuple[int | None, ...]
  dtype: np.dtype
  encoding: str

  def __call__(self, stored, frames):
    shape = self.shape
    if shape.count(None) > 1:
      content = stored[f"{self.name}/value"].bytes_list.value[0]
      shape = tuple(stored[f"{self.name}/shape"].int64_list.value)
    else:
      content = stored[self.name].bytes_list.value[0]
    if self.encoding == "zlib":
      content = zlib.decompress(content)
    array = np.frombuffer(content, self.dtype)
    return _framed(array.reshape([-1 if side is None else side for side in shape]), frames)


class _Listed(NamedTuple):
  """Numbers one by one."""

  name: str
  shape: tuple[int | None, ...]
  dtype: np.dtype

  def __call__(self, stored, frames):
    feature = stored[self.name]
    kind = feature.WhichOneof("kind")
    values = [] if kind is None else getattr(feature, kind).value
    array = np.array(values, self.dtype)
    return _framed(array.reshape([-1 if side is None else side for side in self.shape]), frames)


class _FilledUp(NamedTuple):
  """Fills the axis of the objects up with zeros."""

  name: str
  decode: Callable
  axis: int
  rows: int

  def __call__(self, stored, frames):
    array = self.decode(stored, frames)
    missing = self.rows - array.shape[self.axis]
    if missing < 0:
      raise InputError(
        f"an example has {array.shape[self.axis]} objects in {self.name}, its set declares at "
        f"most {self.rows}; make the set again"
      )
    return np.pad(array, [(0, missing * (axis == self.axis)) for axis in range(array.ndim)])


def _framed(array: np.ndarray, frames: Frames) -> np.ndarray:
  return array if frames is None else array[frames(len(array))]


def decode_picture(content: bytes, channels: int, dtype: type = np.uint8) -> np.ndarray:
  """The pixels of a PNG or JPEG file, [H, W, channels] uint8 or uint16.

  Grey files are repeated to colours and palettes looked up where colours are asked for; with one
  channel a palette gives its indices.
  """
  flat_pixels = _flat_png(content, channels) if dtype == np.uint8 else None
  if flat_pixels is not None:
    return flat_pixels
  with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
    modes = _MODES[channels]
    if image.mode not in modes:
      image = image.convert(modes[0])
    pixels = np.asarray(image)
    return pixels.astype(dtype, copy=False).reshape(image.height, image.width, channels)


def _flat_png(content: bytes, channels: int) -> np.ndarray | None:
  """The pixels of a PNG file whose rows are not filtered, three times as fast as Pillow.

  None for all other files. So are most pictures of generated sets, see `data.building.png`.
  """
  if not content.startswith(_PNG):
    return None
  width, height, depth, colours, _, _, interlaced = struct.unpack_from(">IIBBBBB", content, 16)
  if depth != 8 or interlaced or _FLAT_COLOUR_TYPES.get(colours) != channels:
    return None
  if width * height > _FLAT_PIXELS:
    return None
  place, parts = 33, []  # behind the header
  while (kind := content[place + 4 : place + 8]) != b"IEND":
    (length,) = struct.unpack_from(">I", content, place)
    if kind == b"IDAT":
      parts.append(content[place + 8 : place + 8 + length])
    elif kind == b"tRNS":
      return None
    place += 12 + length
  rows = np.frombuffer(zlib.decompress(b"".join(parts)), np.uint8)
  rows = rows.reshape(height, 1 + width * channels)
  if rows[:, 0].any():  # the filter of each row
    return None
  return rows[:, 1:].reshape(height, width, channels)
