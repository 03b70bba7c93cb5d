"""Writes files laid out as PyTorch's `torch.save` lays them out, without PyTorch.

`save_zip` writes the archive of PyTorch 1.6 and later, `save_legacy` the row of pickles of earlier
versions. The object is made of plain containers; each numpy array in it becomes a tensor. The
wrappers below stand for the other things that checkpoints hold.
"""

import dataclasses
import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
MACHINE = {
  "protocol_version": PROTOCOL,
  "little_endian": True,
  "type_sizes": {"short": 2, "int": 4, "long": 4},
}
STORAGES = {
  "float64": "DoubleStorage",
  "float32": "FloatStorage",
  "float16": "HalfStorage",
  "bfloat16": "BFloat16Storage",
  "int64": "LongStorage",
  "int32": "IntStorage",
  "int16": "ShortStorage",
  "int8": "CharStorage",
  "uint8": "ByteStorage",
  "bool": "BoolStorage",
  "complex64": "ComplexFloatStorage",
  "complex128": "ComplexDoubleStorage",
}


@dataclasses.dataclass(frozen=True)
class Global:
  """A reference to `module.name`, which need not exist here."""

  module: str
  name: str

  def __call__(self, *arguments):
    raise NotImplementedError("stands for something in the file only")


@dataclasses.dataclass(frozen=True)
class Call:
  """`function(*arguments)` when the file is loaded, then given `state` unless that is None."""

  function: Global
  arguments: tuple
  state: Any = None


@dataclasses.dataclass(frozen=True, eq=False)
class Storage:
  """Memory of tensors: a contiguous array [count]."""

  elements: np.ndarray


@dataclasses.dataclass(frozen=True)
class NumpyArray:
  """An array that is saved as numpy's own and not as a tensor."""

  array: np.ndarray


def tensor(storage: Storage, offset: int, size: tuple, strides: tuple) -> Call:
  """A tensor as `_rebuild_tensor_v2` makes it, right or wrong; offset and strides in elements."""
  arguments = (storage, offset, size, strides, False, OrderedDict())
  return Call(Global("torch._utils", "_rebuild_tensor_v2"), arguments)


def parameter(array: np.ndarray) -> Call:
  """An `nn.Parameter`."""
  return Call(Global("torch._utils", "_rebuild_parameter"), (array, True, OrderedDict()))


def size(*sizes: int) -> Call:
  """A `torch.Size`."""
  return Call(Global("torch", "Size"), (sizes,))


class _Pickler(pickle._Pickler):
  """Saves arrays as tensors. Python's own pickler, since the C one wants every global to exist."""

  def __init__(self, file, views: bool, legacy: bool, protocol: int):
    super().__init__(file, protocol)
    self.views, self.legacy = views, legacy
    self.keys: dict[Storage, str] = {}
    self.owners: dict[int, tuple[np.ndarray, Storage]] = {}

  def persistent_id(self, obj):
    if not isinstance(obj, Storage):
      return None
    number = len(self.keys) + (94185564951824 if self.legacy else 0)
    key = self.keys.setdefault(obj, str(number))
    kind = Global("torch", STORAGES[obj.elements.dtype.name])
    identity = ("storage", kind, key, "cpu", obj.elements.size)
    return (*identity, None) if self.legacy else identity

  def reducer_override(self, obj):
    if isinstance(obj, Call):
      return obj.function, obj.arguments, obj.state
    if isinstance(obj, NumpyArray):
      return obj.array.__reduce__()
    if isinstance(obj, np.ndarray):
      call = self._as_tensor(obj)
      return call.function, call.arguments
    return NotImplemented

  def _as_tensor(self, array: np.ndarray) -> Call:
    owner = array
    while self.views and isinstance(owner.base, np.ndarray):
      owner = owner.base
    if not (self.views and owner.flags.forc and owner.dtype == array.dtype):
      owner = array = np.array(array, order="C")
    _, storage = self.owners.setdefault(id(owner), (owner, Storage(owner.ravel(order="K"))))
    offset = (array.ctypes.data - owner.ctypes.data) // array.itemsize
    strides = tuple(step // array.itemsize for step in array.strides)
    return tensor(storage, offset, array.shape, strides)

  def save_reference(self, obj: Global):
    if self.proto >= 4:
      self.save(obj.module)
      self.save(obj.name)
      self.write(pickle.STACK_GLOBAL)
    else:
      self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
    self.memoize(obj)

  dispatch = {**pickle._Pickler.dispatch, Global: save_reference}


def save_zip(path: str | Path, obj: Any, *, views: bool = False, protocol: int = 2):
  """Writes `obj` as PyTorch 1.6 and later do.

  Args:
    path: of the new file.
    obj: containers, numbers and strings; arrays become tensors.
    views: keep arrays that view one array as tensors that share one storage, with their strides,
      as PyTorch does; otherwise every array is saved on its own and contiguous.
    protocol: of the pickle.
  """
  pickled = io.BytesIO()
  pickler = _Pickler(pickled, views, legacy=False, protocol=protocol)
  pickler.dump(obj)
  members = {"data.pkl": pickled.getvalue(), "byteorder": b"little"}
  for storage, key in pickler.keys.items():
    members[f"data/{key}"] = storage.elements.tobytes()
  write_members(path, {**members, "version": b"3\n"})


def write_members(path: str | Path, members: dict[str, bytes], **options):
  """A zip archive whose members, stored, begin at multiples of 64 bytes."""
  with zipfile.ZipFile(path, "w", **options) as archive:
    for name, contents in members.items():
      entry = zipfile.ZipInfo(f"{Path(path).stem}/{name}")
      entry.compress_type = archive.compression
      unpadded = archive.fp.tell() + 30 + len(entry.filename.encode()) + 4
      padding = -unpadded % 64
      entry.extra = b"FB" + padding.to_bytes(2, "little") + b"Z" * padding
      archive.writestr(entry, contents)


def save_legacy(path: str | Path, obj: Any, *, views: bool = False, protocol: int = 2):
  """Writes `obj` as PyTorch before 1.6 did; the arguments are those of `save_zip`."""
  with Path(path).open("wb") as file:
    for preamble in (MAGIC, PROTOCOL, MACHINE):
      pickle.dump(preamble, file, protocol)
    pickler = _Pickler(file, views, legacy=True, protocol=protocol)
    pickler.dump(obj)
    pickle.dump(sorted(pickler.keys.values()), file, protocol)
    for storage, _ in sorted(pickler.keys.items(), key=lambda item: item[1]):
      file.write(storage.elements.size.to_bytes(8, "little"))
      file.write(storage.elements.tobytes())
