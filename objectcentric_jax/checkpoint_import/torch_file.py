"""Reads files written by PyTorch's `torch.save`, without PyTorch and without running their code.

`read` gives what was saved as plain containers and numpy arrays, from both layouts in circulation:

- the zip archive of PyTorch 1.6 and later: `<name>/data.pkl` and one member per storage,
- the row of pickles that earlier versions wrote: magic number, protocol, machine, the object, the
  storage keys, and then for each key an int64 element count and the elements.

The pickles are read by `torch_pickle`, which refuses whatever is not plain data.
"""

import io
import mmap
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from objectcentric_jax.checkpoint_import.torch_pickle import AGAIN, RESAVE, Interpreter
from objectcentric_jax.errors import InputError

# Keys under which a wrapper may hold the state dict, tried in this order.
STATE_DICTS = ("model_state_dict", "state_dict", "model")
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
UNREADABLE = (
  ValueError,
  TypeError,
  LookupError,
  OverflowError,
  RecursionError,
  NotImplementedError,
  zipfile.BadZipFile,
)


def read(path: str | Path) -> Any:
  """The object in a checkpoint file.

  Args:
    path: a file written by `torch.save`, whatever its extension.

  Returns:
    Nested dicts (an OrderedDict stays one), lists, tuples, sets, strings, bytes, numbers, None,
    and numpy arrays for tensors and parameters, with the dtype, shape and strides they had.
    Tensors that shared memory still do. A `torch.Size` is a tuple, a `torch.device` a string
    such as "cuda:0", a `torch.dtype` a numpy dtype. Arrays from a zip archive are private
    mappings of the file: they can be written to and the file stays as it is, but it must not
    shrink while they are in use.

  Raises:
    InputError: the file is missing, is something else (the message says what it looks like), is
      damaged, or holds objects that are not plain data (the message names the first).
  """
  path = Path(path)
  try:
    return _read_contents(path)
  except InputError as error:
    raise InputError(f"{path}: {_one_line(error)}") from None
  except UNREADABLE as error:
    reason = _one_line(error) or type(error).__name__
    raise InputError(f"{path}: cannot be read ({reason}); {AGAIN}") from error


def state_dict(
  obj: Any,
  path: str | Path,
  prefixes: tuple[str, ...] = STATE_DICTS,
) -> dict[str, np.ndarray]:
  """The flat mapping from parameter names to arrays in what `read` returned.

  Args:
    obj: the mapping itself, or a dict that holds it.
    path: of the file, for messages.
    prefixes: see STATE_DICTS.

  Returns:
    A new dict, in the order of the file. Where every name starts with `module.`
    (`DataParallel` adds it), that start is removed.

  Raises:
    InputError: no such mapping; the message lists the keys at the top.
  """
  wrapped = [obj[key] for key in prefixes if key in obj] if isinstance(obj, Mapping) else []
  found = next((candidate for candidate in [obj, *wrapped] if _is_state_dict(candidate)), None)
  if found is None:
    keys = ", ".join(map(repr, list(obj)[:20])) if isinstance(obj, Mapping) else "none"
    raise InputError(
      f"{path}: no mapping from names to tensors at the top or under "
      f"{', '.join(map(repr, prefixes))} of this {type(obj).__name__} (its keys: {keys}); "
      "give the checkpoint that holds the model's state dict"
    )
  whole = all(name.startswith("module.") for name in found)
  return {name.removeprefix("module.") if whole else name: value for name, value in found.items()}


def _one_line(error: Exception) -> str:
  """The message without what a hostile file could smuggle to the terminal through it."""
  message = "".join(c if c.isprintable() else " " for c in str(error))
  return message if len(message) <= 500 else f"{message[:250]} ... {message[-200:]}"


def _is_state_dict(candidate: Any) -> bool:
  return (
    isinstance(candidate, Mapping)
    and len(candidate) > 0
    and all(isinstance(k, str) and isinstance(v, np.ndarray) for k, v in candidate.items())
  )


# The two layouts


def _read_contents(path: Path) -> Any:
  if path.is_dir():
    raise InputError("is a directory; give the checkpoint file itself")
  if not path.exists():
    raise InputError("no such file; give the path of a checkpoint written by torch.save")
  if path.stat().st_size == 0:
    raise InputError("the file is empty; download or copy it again")
  with path.open("rb") as file:
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    if data[:4] == b"PK\x03\x04":
      return _read_zip(file, data)
  if data[:1] == b"\x80":
    return _read_legacy(data)
  raise InputError(_describe_foreign(data))


def _describe_foreign(data: mmap.mmap) -> str:
  start = data[:512].lstrip().lower()
  if start.startswith((b"<!doctype", b"<html", b"<?xml")):
    return "is a web page, so the download failed; open it to see why and download again"
  if start.startswith(b"version https://git-lfs"):
    return "is a git-lfs pointer, not the file it stands for; run `git lfs pull` where it is from"
  if data[257:262] == b"ustar":
    return (
      "is a tar archive: either a collection to unpack first, or the format of PyTorch 0.1, "
      "to be loaded and saved again with a later PyTorch"
    )
  return (
    f"starts with {data[:8]!r}, which torch.save never writes; give a checkpoint of PyTorch "
    "(unpack it first if it is compressed)"
  )


def _read_zip(file, data: mmap.mmap) -> Any:
  archive = zipfile.ZipFile(file)
  names = archive.namelist()
  if any(name.split("/")[1:2] == ["constants.pkl"] for name in names):
    raise InputError(f"is a TorchScript archive, which holds code; {RESAVE}")
  folders = [name.removesuffix("/data.pkl") for name in names if name.endswith("/data.pkl")]
  if len(folders) != 1:
    raise InputError(
      f"is a zip archive with {len(folders)} members data.pkl, not one as torch.save writes it "
      f"(it holds {', '.join(names[:5]) or 'nothing'}); unpack it and give the checkpoint inside"
    )
  (folder,) = folders

  def member(name: str) -> np.ndarray:
    return _stored_member(archive, data, f"{folder}/{name}")

  if f"{folder}/byteorder" in names and bytes(member("byteorder")) != b"little":
    raise InputError("was written on a big-endian machine; save it again on a little-endian one")

  def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
    contents = member(f"data/{key}")
    if contents.nbytes != count * dtype.itemsize:
      raise InputError(f"its member data/{key} is not {count} elements of {dtype} long; {AGAIN}")
    return contents

  return Interpreter(storage).run(io.BytesIO(member("data.pkl")))


def _stored_member(archive: zipfile.ZipFile, data: mmap.mmap, name: str) -> np.ndarray:
  """The bytes of a member, as a view of the file; `torch.save` never compresses them."""
  try:
    entry = archive.getinfo(name)
  except KeyError:
    raise InputError(f"the archive lacks its member {name}; {AGAIN}") from None
  if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
    raise InputError(f"its member {name} is compressed or encrypted; unpack it and pack it stored")
  header = data[entry.header_offset : entry.header_offset + 30]
  name_length, extra_length = (int.from_bytes(header[i : i + 2], "little") for i in (26, 28))
  start = entry.header_offset + 30 + name_length + extra_length
  if header[:4] != b"PK\x03\x04" or start + entry.file_size > len(data):
    raise InputError(f"its member {name} reaches beyond the file; {AGAIN}")
  contents = np.frombuffer(data, np.uint8, entry.file_size, start)
  if entry.CRC not in (0, zlib.crc32(contents)):  # 0: torch.save was told not to compute it
    raise InputError(f"the checksum of its member {name} differs; {AGAIN}")
  return contents


def _read_legacy(data: mmap.mmap) -> Any:
  rooms: dict[str, np.ndarray] = {}  # for storages, whose elements follow the last pickle

  def storage(key: str, dtype: np.dtype, count: int) -> np.ndarray:
    if count * dtype.itemsize > len(data) - sum(room.nbytes for room in rooms.values()):
      raise InputError(f"storage {key} of {count} {dtype} does not fit into the file; {AGAIN}")
    rooms[key] = np.empty(count, dtype)
    return rooms[key].view(np.uint8)

  interpreter = Interpreter(storage)
  if interpreter.run(data) != LEGACY_MAGIC:
    raise InputError("is a pickle that torch.save did not write; give a checkpoint of PyTorch")
  if (protocol := interpreter.run(data)) != LEGACY_PROTOCOL:
    raise InputError(f"has version {protocol!r} of the format, not {LEGACY_PROTOCOL}; {RESAVE}")
  interpreter.run(data)  # sizes of C types where it was written; elements are always little-endian
  result, keys = interpreter.run(data), interpreter.run(data)
  if type(keys) is not list or any(type(key) is not str for key in keys) or set(keys) != set(rooms):
    raise InputError(f"the list of its storages is not that of the {len(rooms)} in use; {AGAIN}")
  for key in keys:
    room = rooms[key]
    count = int.from_bytes(data.read(8), "little")
    start = data.tell()
    if count != room.size or start + room.nbytes > len(data):
      raise InputError(f"storage {key} of {room.size} {room.dtype} is cut off; {AGAIN}")
    room[:] = np.frombuffer(data, room.dtype, room.size, start)
    data.seek(start + room.nbytes)
  return result
