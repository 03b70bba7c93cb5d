"""The pickles inside PyTorch checkpoints, read as data.

A pickle is a program. `Interpreter` runs it opcode by opcode: it knows the opcodes `torch.save`
emits, and a pickle may name only what `GLOBALS` lists at the end of this file (tensors, numbers
from numpy, a few containers). It calls nothing else and looks up no attribute that the file names,
so a file cannot run code.
"""

import dataclasses
import pickletools
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np

from objectcentric_jax.errors import InputError

AGAIN = "the file is damaged or incomplete: download or copy it again"
RESAVE = "with PyTorch, save its state dict alone: torch.save(model.state_dict(), FILE)"

# Tensors


@dataclasses.dataclass(frozen=True)
class _StorageKind:
  """What `torch.FloatStorage` and its like stand for: the dtype of the elements."""

  dtype: np.dtype


@dataclasses.dataclass(frozen=True)
class _Storage:
  """Memory that tensors are views of: its bytes, uint8, and the dtype of its elements."""

  contents: np.ndarray
  dtype: np.dtype


def _tensor(storage: _Storage, offset, size, stride, dtype: np.dtype | None = None) -> np.ndarray:
  """The view [*size] of `storage`; offset and strides count elements."""
  if not isinstance(storage, _Storage):
    raise InputError(f"a tensor is made from {type(storage).__name__}, not a storage; {AGAIN}")
  dtype = dtype or storage.dtype
  numbers = [offset, *_items(size), *_items(stride)]
  if any(type(number) is not int or number < 0 for number in numbers) or len(size) != len(stride):
    raise InputError(f"a tensor has offset {offset!r}, size {size}, strides {stride}; {AGAIN}")
  if 0 in size:
    return np.empty(size, dtype)
  last = offset + sum((count - 1) * step for count, step in zip(size, stride, strict=True))
  available = storage.contents.nbytes // dtype.itemsize
  if last >= available:
    raise InputError(
      f"a tensor of size {size}, strides {stride}, offset {offset} reaches beyond its storage of "
      f"{available} {dtype}; {AGAIN}"
    )
  strides = [step * dtype.itemsize for step in stride]
  return np.ndarray(size, dtype, storage.contents, offset * dtype.itemsize, strides)


def _tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata=None):
  return _tensor_v3(storage, offset, size, stride, requires_grad, hooks, None, metadata)


def _tensor_v3(storage, offset, size, stride, _requires_grad, _hooks, dtype, metadata=None):
  if metadata:
    raise InputError(f"holds a tensor that is a lazy view ({metadata!r}); {RESAVE}")
  return _tensor(storage, offset, size, stride, dtype)


def _parameter(tensor: np.ndarray, *_flags) -> np.ndarray:
  """Without what autograd keeps: whether it requires gradients, hooks, attributes."""
  if not isinstance(tensor, np.ndarray):
    raise InputError(f"a parameter is made from {type(tensor).__name__}; {AGAIN}")
  return tensor


# Values from numpy


@dataclasses.dataclass
class _UnfilledArray:
  """A numpy array between its creation in a pickle and the BUILD that says what is in it."""

  memo_key: int | None = None

  def filled(self, state) -> np.ndarray:
    _version, shape, dtype, column_major, contents = state
    array = np.frombuffer(_plain_bytes(contents), _number_dtype(dtype))
    return array.reshape(shape, order="F" if column_major else "C").copy()


def _plain_bytes(contents) -> bytes:
  if type(contents) is not bytes:
    raise InputError(f"a numpy value holds {type(contents).__name__}, not numbers; {RESAVE}")
  return contents


def _number_dtype(name) -> np.dtype:
  is_code = type(name) is str and re.fullmatch("[biufc][0-9]{1,2}", name)
  dtype = np.dtype(name) if is_code else name
  if not isinstance(dtype, np.dtype) or dtype.kind not in "biufc":
    raise InputError(f"a numpy value is of {dtype!r}, not a number; {RESAVE}")
  return dtype


def _scalar(dtype, contents) -> np.generic:
  (value,) = np.frombuffer(_plain_bytes(contents), _number_dtype(dtype))
  return value


def _encode(text: str, encoding: str) -> bytes:
  """How protocol 2, which has no bytes, writes them."""
  if encoding != "latin1":
    raise InputError(f"bytes are encoded as {encoding!r}; {AGAIN}")
  return text.encode(encoding)


# Pickle


@dataclasses.dataclass(frozen=True)
class _Function:
  """What a pickle may call. Other values, callable or not, are never called."""

  call: Callable


class Interpreter:
  """Runs pickles over a stack, with the globals of `GLOBALS` and nothing else.

  Args:
    storage: (key, dtype, element count) -> the uint8 contents; called once for each key.
  """

  def __init__(self, storage: Callable[[str, np.dtype, int], np.ndarray]):
    self._load_storage = storage
    self._storages: dict[str, _Storage] = {}

  def run(self, stream) -> Any:
    """The value of the pickle that starts at the stream's position; stops right behind it."""
    self._stack, self._marks, self._memo = [], [], {}
    for opcode, argument, _position in pickletools.genops(stream):
      self._step(opcode.name, argument)
    return self._stack.pop()

  def _step(self, opcode: str, argument: Any):
    stack, memo = self._stack, self._memo
    if opcode in LITERALS:
      stack.append(argument)
      return
    match opcode:
      case "PROTO" | "FRAME" | "STOP":
        pass
      case "NONE" | "NEWTRUE" | "NEWFALSE":
        stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[opcode])
      case "EMPTY_TUPLE" | "EMPTY_LIST" | "EMPTY_DICT" | "EMPTY_SET":
        stack.append({"TUPLE": tuple, "LIST": list, "DICT": dict, "SET": set}[opcode[6:]]())
      case "MARK":
        self._marks.append(len(stack))
      case "POP":
        stack.pop()
      case "TUPLE":
        stack.append(tuple(self._pop_to_mark()))
      case "TUPLE1" | "TUPLE2" | "TUPLE3":
        items = [stack.pop() for _ in range(int(opcode[-1]))]
        stack.append(tuple(reversed(items)))
      case "APPEND" | "APPENDS":
        items = [stack.pop()] if opcode == "APPEND" else self._pop_to_mark()
        self._top(list).extend(items)
      case "SETITEM" | "SETITEMS":
        items = [stack.pop(), stack.pop()][::-1] if opcode == "SETITEM" else self._pop_to_mark()
        self._top(dict).update(
          (_plain_key(k), v) for k, v in zip(items[::2], items[1::2], strict=True)
        )
      case "ADDITEMS":
        items = self._pop_to_mark()
        self._top(set).update(map(_plain_key, items))
      case "BINGET" | "LONG_BINGET":
        stack.append(memo[argument])
      case "BINPUT" | "LONG_BINPUT" | "MEMOIZE":
        key = len(memo) if opcode == "MEMOIZE" else argument
        memo[key] = stack[-1]
        if isinstance(stack[-1], _UnfilledArray):
          stack[-1].memo_key = key
      case "GLOBAL":
        stack.append(_find_global(*argument.split(" ", 1)))
      case "STACK_GLOBAL":
        name, module = stack.pop(), stack.pop()
        stack.append(_find_global(module, name))
      case "REDUCE" | "NEWOBJ":
        arguments = stack.pop()
        stack.append(self._call(stack.pop(), arguments))
      case "BUILD":
        self._build(stack.pop())
      case "BINPERSID":
        stack.append(self._storage(stack.pop()))
      case _:
        raise InputError(
          f"its pickle uses the opcode {opcode}, which torch.save never writes; {RESAVE}"
        )

  def _pop_to_mark(self) -> list:
    start = self._marks.pop()
    items = self._stack[start:]
    del self._stack[start:]
    return items

  def _top(self, kind: type) -> Any:
    if not isinstance(self._stack[-1], kind):
      raise InputError(
        f"its pickle treats {type(self._stack[-1]).__name__} as {kind.__name__}; {AGAIN}"
      )
    return self._stack[-1]

  def _call(self, function: Any, arguments: Any) -> Any:
    if not isinstance(function, _Function) or type(arguments) is not tuple:
      raise InputError(f"its pickle calls a value of type {type(function).__name__}; {RESAVE}")
    return function.call(*arguments)

  def _build(self, state: Any):
    """Gives the object on the stack its state; only numpy arrays have one worth keeping.

    An OrderedDict of PyTorch brings module versions, a parameter its flags, a dtype its byte order.
    """
    instance = self._stack[-1]
    if isinstance(instance, _UnfilledArray):
      self._stack[-1] = instance.filled(state)
      if instance.memo_key is not None:
        self._memo[instance.memo_key] = self._stack[-1]
    elif isinstance(instance, np.dtype):
      if state[1] == ">":
        raise InputError(f"holds big-endian numpy values; {RESAVE}")
    elif not isinstance(instance, OrderedDict | np.ndarray):
      raise InputError(f"its pickle sets the state of {type(instance).__name__}; {RESAVE}")

  def _storage(self, identity: Any) -> _Storage:
    """From ("storage", kind, key, device, element count[, (view key, offset, count) or None])."""
    if type(identity) is not tuple or len(identity) not in (5, 6) or identity[0] != "storage":
      raise InputError(f"holds a whole pickled module; {RESAVE}")
    _, kind, key, _device, count, *view = identity
    if not isinstance(kind, _StorageKind) or type(key) is not str or type(count) is not int:
      raise InputError(f"describes a storage in an unknown way; {AGAIN}")
    if key not in self._storages:
      self._storages[key] = _Storage(self._load_storage(key, kind.dtype, count), kind.dtype)
    if self._storages[key].contents.nbytes != count * kind.dtype.itemsize:
      raise InputError(f"describes storage {key} in two ways; {AGAIN}")
    if view in ([], [None]):
      return self._storages[key]
    (_view_key, start, count) = view[0]  # a slice of a storage: PyTorch before 0.4
    first, last = start * kind.dtype.itemsize, (start + count) * kind.dtype.itemsize
    return _Storage(self._storages[key].contents[first:last], kind.dtype)


def _plain_key(key: Any) -> Any:
  """Only keys that hash without surprises; deeply nested tuples could exhaust the C stack."""
  parts = key if type(key) is tuple else (key,)
  if any(not isinstance(part, str | bytes | int | float | complex | None) for part in parts):
    raise InputError(f"a dict has a key of type {type(key).__name__}; {RESAVE}")
  return key


def _items(sequence: Any) -> tuple | list:
  """Only what the file holds item by item; a tensor may pretend to more items than memory has."""
  if not isinstance(sequence, tuple | list):
    raise InputError(f"its pickle treats {type(sequence).__name__} as a sequence; {AGAIN}")
  return sequence


def _size(sizes=()) -> tuple:
  return tuple(_items(sizes))


def _ordered_dict(items=()) -> OrderedDict:
  pairs = items.items() if isinstance(items, dict) else map(_items, _items(items))
  return OrderedDict((_plain_key(key), value) for key, value in pairs)


def _set(items=()) -> set:
  return set(map(_plain_key, _items(items)))


def _find_global(module: Any, name: Any) -> Any:
  if type(module) is not str or type(name) is not str:
    raise InputError(f"its pickle names a global by a {type(module).__name__}; {AGAIN}")
  known = f"{module}.{name}"
  if known in UNSUPPORTED:
    raise InputError(f"holds {UNSUPPORTED[known]}, which has no numpy equivalent; {RESAVE}")
  if known not in GLOBALS:
    raise InputError(f"refers to {known}, which is not plain data and could run code; {RESAVE}")
  return GLOBALS[known]


LITERALS = frozenset(
  """BININT BININT1 BININT2 LONG1 LONG4 BINFLOAT BINUNICODE SHORT_BINUNICODE BINUNICODE8
  BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8""".split()
)

DTYPES = {
  "float64": ("Double", np.float64),
  "float32": ("Float", np.float32),
  "float16": ("Half", np.float16),
  "bfloat16": ("BFloat16", ml_dtypes.bfloat16),
  "int64": ("Long", np.int64),
  "int32": ("Int", np.int32),
  "int16": ("Short", np.int16),
  "int8": ("Char", np.int8),
  "uint8": ("Byte", np.uint8),
  "bool": ("Bool", np.bool_),
  "complex64": ("ComplexFloat", np.complex64),
  "complex128": ("ComplexDouble", np.complex128),
}
UNSIGNED = ("uint16", "uint32", "uint64")  # have no storage class of their own

# Every name a checkpoint may refer to, and what it becomes.
GLOBALS: dict[str, Any] = {
  **{f"torch.{name}": np.dtype(dtype) for name, (_, dtype) in DTYPES.items()},
  **{f"torch.{name}": np.dtype(name) for name in UNSIGNED},
  **{f"torch.{kind}Storage": _StorageKind(np.dtype(dtype)) for kind, dtype in DTYPES.values()},
  "torch.storage.UntypedStorage": _StorageKind(np.dtype(np.uint8)),
  "torch._utils._rebuild_tensor": _Function(_tensor),
  "torch._utils._rebuild_tensor_v2": _Function(_tensor_v2),
  "torch._utils._rebuild_tensor_v3": _Function(_tensor_v3),
  "torch._utils._rebuild_parameter": _Function(_parameter),
  "torch._utils._rebuild_parameter_with_state": _Function(_parameter),
  "torch.nn.parameter.Parameter": _Function(_parameter),  # before 0.4
  "torch.Size": _Function(_size),
  "torch.device": _Function(lambda kind, *index: ":".join(map(str, (kind, *index)))),
  "collections.OrderedDict": _Function(_ordered_dict),
  "collections.Counter": _Function(_ordered_dict),  # of learning-rate schedules
  "_codecs.encode": _Function(_encode),
  **{
    f"{builtins}.{name}": _Function(call)
    for builtins in ("builtins", "__builtin__")  # the latter in protocol 2
    for name, call in [("set", _set), ("complex", complex), ("bytes", lambda: b"")]
  },
  "numpy.dtype": _Function(lambda name, *_flags: _number_dtype(name)),
  "numpy.ndarray": np.ndarray,  # an argument of the next, never called
  **{
    f"numpy.{core}.multiarray.{name}": _Function(call)
    for core in ("core", "_core")
    for name, call in [("_reconstruct", lambda *_: _UnfilledArray()), ("scalar", _scalar)]
  },
}

# What to say about names that PyTorch itself writes and that have no numpy equivalent.
UNSUPPORTED = {
  **{f"torch.{kind}Storage": "a quantised tensor" for kind in ("QInt8", "QUInt8", "QInt32")},
  "torch._utils._rebuild_qtensor": "a quantised tensor",
  "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
  "torch.serialization._get_layout": "a sparse tensor",
  "torch._utils._rebuild_nested_tensor": "a nested tensor",
  "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without values",
}
