"""Reading checkpoints of PyTorch: what is in them, and that nothing in them runs."""

import io
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from objectcentric_jax.checkpoint_import.torch_file import read, state_dict
from objectcentric_jax.checkpoint_import.torch_pickle import Interpreter
from objectcentric_jax.errors import InputError
from tests.checkpoint_import import torch_writer
from tests.checkpoint_import.torch_writer import Call, Global, NumpyArray, Storage

FIXTURES = Path(__file__).parent / "fixtures"
SAVE = {"zip": torch_writer.save_zip, "legacy": torch_writer.save_legacy}
both = pytest.mark.parametrize("save", SAVE.values(), ids=SAVE)


def failure(path) -> str:
  """The message of the one-line error that reading the file gives."""
  with pytest.raises(InputError) as caught:
    read(path)
  message = str(caught.value)
  assert message.startswith(f"{path}: ") and "\n" not in message
  return message


def assert_same(found: np.ndarray, expected):
  expected = np.asarray(expected)
  assert type(found) is np.ndarray and found.dtype == expected.dtype
  assert found.shape == expected.shape and found.tobytes() == expected.tobytes()


# What real PyTorch wrote


@pytest.mark.parametrize("name", ["zip", "legacy"])
def test_reads_files_of_pytorch_itself(name):
  """fixtures/*.pth were written by torch.save of PyTorch 2.13, both layouts from one object."""
  found = read(FIXTURES / f"{name}.pth")
  base = np.arange(6, dtype=np.int32).reshape(2, 3)
  weights = found.pop("model_state_dict")
  assert type(weights) is OrderedDict
  assert list(weights) == [
    *("0.weight", "0.bias"),
    *("1.running_mean", "1.running_var", "1.num_batches_tracked"),
  ]
  assert_same(weights["0.weight"], np.arange(6, dtype=np.float32).reshape(2, 3))
  assert_same(weights["0.bias"], np.array([0.5, -0.25], np.float32))
  assert_same(weights["1.num_batches_tracked"], np.array(0, np.int64))
  assert (found.pop("iter_idx"), found.pop("size")) == (7, (2, 3))
  for key, expected in {
    "beta": np.array(1.5),
    "parameter": np.array([1, -2], ml_dtypes.bfloat16),
    "base": base,
    "transposed": base.T,
    "last_column": base[:, 2],
    "flags": np.array([True, False]),
  }.items():
    assert_same(found[key], expected)
  assert found["transposed"].strides == (4, 12)
  assert np.shares_memory(found["last_column"], found["base"])


# Round trips


@both
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("dtype", torch_writer.STORAGES)
def test_every_dtype_and_shape_comes_back(tmp_path, save, protocol, dtype):
  dtype = np.dtype(getattr(ml_dtypes, dtype, dtype))
  tensors = {
    "matrix": np.arange(6).reshape(2, 3).astype(dtype),
    "zero_dimensional": np.array(1).astype(dtype),
    "empty": np.zeros((0, 3), dtype),
  }
  save(tmp_path / "a.pth", tensors, protocol=protocol)
  found = read(tmp_path / "a.pth")
  assert list(found) == list(tensors)
  for name, tensor in tensors.items():
    assert_same(found[name], tensor)


@both
@pytest.mark.parametrize("protocol", [2, 4])
def test_plain_containers_come_back(tmp_path, save, protocol):
  plain = {
    "config": {"lr": 1e-4, "layers": [1, 2, (3, 4, 5, 6)], "on": True, "off": False, "name": None},
    "counts": (0, -1, 255, 65536, 2**40, -(2**80)),
    "text": ["", "é" * 300],
    "bytes": [b"", b"\x00\xff"],
    "set": {1, "a"},
    "complex": 1 - 2j,
    "size": (2, 3),
    3: {(1, "key"): OrderedDict(b=1, a=2)},
  }
  save(tmp_path / "a.pth", plain | {"size": torch_writer.size(2, 3)}, protocol=protocol)
  found = read(tmp_path / "a.pth")
  assert found == plain
  assert list(found[3][1, "key"]) == ["b", "a"] and type(found[3][1, "key"]) is OrderedDict


@both
def test_numpy_values_come_back(tmp_path, save):
  matrix = np.asfortranarray(np.arange(6.0).reshape(2, 3))
  values = [NumpyArray(matrix), NumpyArray(np.zeros((0, 2), np.uint8))]
  scalars = [np.float64(2.5), np.float64(3.5), np.bool_(True)]
  save(tmp_path / "a.pth", [values, values, scalars])
  arrays, again, numbers = read(tmp_path / "a.pth")
  assert_same(arrays[0], matrix)
  assert_same(arrays[1], np.zeros((0, 2), np.uint8))
  assert again[0] is arrays[0]
  assert numbers == scalars and [type(n) for n in numbers] == [type(n) for n in scalars]


@both
def test_views_keep_their_strides_and_their_shared_memory(tmp_path, save):
  base = np.arange(24, dtype=np.float32).reshape(4, 6)
  views = {"base": base, "again": base, "transposed": base.T, "part": base[1:3, ::2]}
  save(tmp_path / "a.pth", views, views=True)
  found = read(tmp_path / "a.pth")
  for name, view in views.items():
    assert_same(found[name], view)
    assert found[name].strides == view.strides
  assert found["again"] is found["base"]
  found["base"][1, 2] = -1
  assert found["part"][0, 1] == -1 and found["transposed"][2, 1] == -1
  assert read(tmp_path / "a.pth")["base"][1, 2] == 8, "writing to an array changed the file"


@both
def test_what_pytorch_adds_to_a_state_dict_is_dropped(tmp_path, save):
  weights = OrderedDict(weight=torch_writer.parameter(np.ones(2, np.float32)))
  weights._metadata = OrderedDict({"": {"version": 1}})
  save(tmp_path / "a.pth", weights)
  found = read(tmp_path / "a.pth")
  assert list(found) == ["weight"] and not vars(found)
  assert_same(found["weight"], np.ones(2, np.float32))


def test_parameters_of_the_first_releases(tmp_path):
  """Before 0.4 a parameter was made by its class and then given flags."""
  storage = Storage(np.arange(5, dtype=np.float32))
  tensor = Call(Global("torch._utils", "_rebuild_tensor"), (storage, 1, (2,), (2,)))
  kind = Global("torch.nn.parameter", "Parameter")
  torch_writer.save_legacy(tmp_path / "a.pth", [Call(kind, (tensor,), (True, False, {}))])
  assert_same(read(tmp_path / "a.pth")[0], np.array([1, 3], np.float32))


def test_storage_views_of_the_first_releases():
  """Before 0.4 a tensor could use a slice of a storage: here elements 2, 3, 4 of six."""
  program = (
    b"ctorch._utils\n_rebuild_tensor\n((U\x07storagectorch\nFloatStorage\nU\x01kU\x03cpuK\x06"
    b"(U\x01vK\x02K\x03ttQK\x01K\x02\x85K\x01\x85tR."
  )
  interpreter = Interpreter(lambda key, dtype, count: np.arange(count, dtype=dtype).view(np.uint8))
  assert_same(interpreter.run(io.BytesIO(program)), np.array([3, 4], np.float32))


def test_dtypes_without_a_storage_class(tmp_path):
  storage = Storage(np.arange(4, dtype=np.uint8))
  function, dtype = Global("torch._utils", "_rebuild_tensor_v3"), Global("torch", "uint16")
  arguments = (storage, 1, (1,), (1,), False, OrderedDict(), dtype)
  torch_writer.save_zip(tmp_path / "a.pth", [Call(function, arguments)])
  assert_same(read(tmp_path / "a.pth")[0], np.array([2 + 3 * 256], np.uint16))


def test_devices_and_dtypes(tmp_path):
  values = [Call(Global("torch", "device"), ("cuda", 1)), Global("torch", "float16")]
  torch_writer.save_zip(tmp_path / "a.pth", values)
  assert read(tmp_path / "a.pth") == ["cuda:1", np.float16]


# Nothing runs


@both
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
  "module, name",
  [
    ("os", "system"),
    ("posix", "system"),
    ("subprocess", "check_call"),
    ("builtins", "eval"),
    ("__builtin__", "eval"),
    ("builtins", "getattr"),
    ("builtins", "bytes.fromhex"),
    ("importlib", "import_module"),
    ("torch.serialization", "load"),
    ("torch._utils", "_rebuild_tensor_v2.__globals__"),
    ("collections", "OrderedDict.__init__"),
    ("numpy", "load"),
    ("numpy._core.multiarray", "_reconstruct.__globals__"),
    ("argparse", "Namespace"),
    ("objectcentric_jax.checkpoint_import.torch_pickle", "Interpreter"),
  ],
)
def test_other_globals_are_refused_by_name(tmp_path, save, protocol, module, name):
  marker = tmp_path / "ran"
  call = Call(Global(module, name), (f"touch {marker}",))
  save(tmp_path / "a.pth", {"model": np.ones(2), "x": call}, protocol=protocol)
  assert f"refers to {module}.{name}," in failure(tmp_path / "a.pth")
  assert not marker.exists()


def test_the_attack_used_here_is_one(tmp_path):
  """The same kind of pickle does run when Python's own unpickler reads it."""

  class Attack:
    def __reduce__(self):
      return os.mkdir, (str(tmp_path / "ran"),)

  pickle.loads(pickle.dumps(Attack()))
  assert (tmp_path / "ran").exists()
  (tmp_path / "ran").rmdir()
  members = {"data.pkl": pickle.dumps({"a": Attack()}), "version": b"3\n"}
  torch_writer.write_members(tmp_path / "a.pth", members)
  assert f"refers to {os.mkdir.__module__}.mkdir," in failure(tmp_path / "a.pth")
  assert not (tmp_path / "ran").exists()


ORDERED = b"ccollections\nOrderedDict\n"


@pytest.mark.parametrize(
  "program, reason",
  [
    (b"\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.", "refers to os.system"),
    (b"(cos\nsystem\nX\x04\x00\x00\x00trueo.", "refers to os.system"),
    (b"(X\x04\x00\x00\x00trueios\nsystem\n.", "opcode INST"),
    (b"\x82\x01.", "opcode EXT1"),
    (b"}\x8c\x04true\x85R.", "calls a value of type dict"),
    (b"cnumpy\nndarray\n)\x81.", "calls a value of type type"),
    (b"ctorch\nFloatStorage\n)R.", "calls a value of type _StorageKind"),
    (ORDERED + b"}R.", "calls a value of type _Function"),
    (ORDERED + b"}X\x0c\x00\x00\x00__setstate__K\x01sb.", "sets the state of _Function"),
    (b"ctorch\nFloatStorage\n}X\x05\x00\x00\x00dtypeK\x01sb.", "sets the state of _StorageKind"),
    (b"}}b.", "sets the state of dict"),
    (b"cnumpy\nndarray\n}b.", "sets the state of type"),
    (b"}]K\x01s.", "a dict has a key of type list"),
    (ORDERED + b")R]\x94K\x01a.", None),
    (b"X\x01\x00\x00\x00a]K\x01s.", "treats str as dict"),
    (b"\x8c\x06module\x85Q.", "whole pickled module"),
    (b"h\x05.", "cannot be read"),
    (b".", "cannot be read"),
    (b"u.", "cannot be read"),
    (b"cnumpy\ndtype\n\x8c\x01O\x85R.", "not a number"),
    (b"\x8c\x05os\nrm\x8c\x07a\x1b[31mb\x93.", "refers to os rm.a [31mb,"),
  ],
)
def test_hostile_programs(tmp_path, program, reason):
  torch_writer.write_members(tmp_path / "a.pth", {"data.pkl": b"\x80\x02" + program})
  if reason is None:
    assert read(tmp_path / "a.pth") == [1]
  else:
    assert reason in failure(tmp_path / "a.pth")


@pytest.mark.parametrize(
  "use", [b"}%sK\x01s.", b"%sX\x01\x00\x00\x00a\x93.", b"ctorch\nSize\n%sR."]
)
def test_deep_nesting_does_not_exhaust_the_stack(tmp_path, use):
  nested = b")" + b"\x85" * 200_000
  program = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n0" + use % nested
  torch_writer.write_members(tmp_path / "a.pth", {"data.pkl": program})
  if use.endswith(b"R."):
    assert len(read(tmp_path / "a.pth")) == 1
  else:
    failure(tmp_path / "a.pth")


# Tensors that do not fit


@both
@pytest.mark.parametrize(
  "offset, size, strides",
  [
    (0, (7,), (1,)),
    (6, (1,), (1,)),
    (0, (2, 3), (4, 1)),
    (1, (2, 3), (3, 1)),
    (-1, (2,), (1,)),
    (0, (2,), (-1,)),
    (0, (-2,), (1,)),
    (0, (2, 2), (1,)),
    (0, (2.0,), (1,)),
    (0, (True,), (1,)),
    (2**62, (2,), (2**62,)),
    (0, (2**62, 2**62), (0, 0)),
  ],
)
def test_tensors_must_lie_inside_their_storage(tmp_path, save, offset, size, strides):
  storage = Storage(np.arange(6, dtype=np.float32))
  save(tmp_path / "a.pth", [torch_writer.tensor(storage, offset, size, strides)])
  assert "damaged" in failure(tmp_path / "a.pth")


@both
def test_a_storage_may_not_be_larger_than_its_data(tmp_path, save):
  class Larger(np.ndarray):
    size = 1_000_000_000_000

  elements = np.arange(6, dtype=np.float32).view(Larger)
  save(tmp_path / "a.pth", [torch_writer.tensor(Storage(elements), 0, (6,), (1,))])
  assert f" {Larger.size} " in failure(tmp_path / "a.pth")


@both
def test_a_conjugate_view_is_refused(tmp_path, save):
  plain = torch_writer.tensor(Storage(np.ones(2, np.complex64)), 0, (2,), (1,))
  lazy = Call(plain.function, (*plain.arguments, {"conj": True}))
  save(tmp_path / "a.pth", [lazy])
  assert "lazy view" in failure(tmp_path / "a.pth")


@pytest.mark.parametrize(
  "module, name, what",
  [
    ("torch._utils", "_rebuild_qtensor", "a quantised tensor"),
    ("torch", "QInt8Storage", "a quantised tensor"),
    ("torch._utils", "_rebuild_sparse_tensor", "a sparse tensor"),
  ],
)
def test_tensors_without_a_numpy_equivalent_are_refused(tmp_path, module, name, what):
  torch_writer.save_zip(tmp_path / "a.pth", [Global(module, name)])
  assert f"holds {what}," in failure(tmp_path / "a.pth")


# Files that are something else, or damaged


@pytest.mark.parametrize(
  "contents, reason",
  [
    (b"", "empty"),
    (b"<!DOCTYPE html><html><title>Quota exceeded</title></html>", "web page"),
    (b"\n <html>", "web page"),
    (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
    (b"\x89HDF\r\n\x1a\n" + b"0" * 100, "which torch.save never writes"),
    (pickle.dumps({"a": 1}, 2), "torch.save did not write"),
    (b"PK\x03\x04 cut off", "cannot be read"),
  ],
)
def test_other_files_are_recognised(tmp_path, contents, reason):
  (tmp_path / "a.pth").write_bytes(contents)
  assert reason in failure(tmp_path / "a.pth")


def test_missing_files_and_directories(tmp_path):
  assert "no such file" in failure(tmp_path / "a.pth")
  assert "directory" in failure(tmp_path)


def test_other_archives_are_recognised(tmp_path):
  with zipfile.ZipFile(tmp_path / "models.zip", "w") as archive:
    archive.writestr("room.pth", b"1")
  message = failure(tmp_path / "models.zip")
  assert "data.pkl" in message and "room.pth" in message
  with tarfile.open(tmp_path / "old.tar", "w") as archive:
    archive.addfile(tarfile.TarInfo("sys_info"), io.BytesIO())
  assert "tar archive" in failure(tmp_path / "old.tar")
  members = {"data.pkl": b"\x80\x02}.", "constants.pkl": b"\x80\x02).", "code/a.py": b""}
  torch_writer.write_members(tmp_path / "script.pt", members)
  assert "TorchScript" in failure(tmp_path / "script.pt")
  members = {"data.pkl": b"\x80\x02}.", "byteorder": b"big"}
  torch_writer.write_members(tmp_path / "big.pt", members)
  assert "big-endian" in failure(tmp_path / "big.pt")
  options = {"compression": zipfile.ZIP_DEFLATED}
  torch_writer.write_members(tmp_path / "bomb.pt", {"data.pkl": b"\x80\x02}."}, **options)
  assert "compressed" in failure(tmp_path / "bomb.pt")


@both
def test_every_truncation_is_noticed(tmp_path, save):
  save(tmp_path / "whole.pth", {"a": np.arange(5, dtype=np.float32), "b": np.ones(2)})
  whole = (tmp_path / "whole.pth").read_bytes()
  for length in range(0, len(whole) - 1, 7):
    (tmp_path / "cut.pth").write_bytes(whole[:length])
    failure(tmp_path / "cut.pth")


def test_changed_bytes_in_an_archive_are_noticed(tmp_path):
  values = np.arange(5, dtype=np.float32)
  torch_writer.save_zip(tmp_path / "a.pth", {"a": values})
  whole = (tmp_path / "a.pth").read_bytes()
  changed = whole.replace(values.tobytes(), (values + 1).tobytes())
  assert changed != whole
  (tmp_path / "a.pth").write_bytes(changed)
  assert "checksum of its member a/data/0" in failure(tmp_path / "a.pth")


def test_a_missing_storage_is_named(tmp_path):
  torch_writer.save_zip(tmp_path / "a.pth", {"a": np.ones(3, np.float32)})
  with zipfile.ZipFile(tmp_path / "a.pth") as archive:
    members = {name[2:]: archive.read(name) for name in archive.namelist()}
  del members["data/0"]
  torch_writer.write_members(tmp_path / "a.pth", members)
  assert "lacks its member a/data/0" in failure(tmp_path / "a.pth")


# State dicts


def test_state_dict_is_found_at_the_top_or_under_a_known_key():
  weights = {"a.weight": np.ones(2), "a.bias": np.zeros(2)}
  other = {"c": np.ones(1)}
  assert state_dict(weights, "f") == weights
  assert state_dict({"epoch": 1, "state_dict": weights}, "f") == weights
  assert state_dict({"model": other, "model_state_dict": weights}, "f") == weights
  assert state_dict({"model": other, "mine": weights}, "f", prefixes=("mine", "model")) == weights
  assert list(state_dict(OrderedDict(weights), "f")) == ["a.weight", "a.bias"]


def test_data_parallel_prefix_is_removed_only_from_all():
  one, two = np.ones(1), np.ones(2)
  assert list(state_dict({"module.a": one, "module.module.b": two}, "f")) == ["a", "module.b"]
  assert list(state_dict({"module.a": one, "b": two}, "f")) == ["module.a", "b"]


@pytest.mark.parametrize(
  "obj, listed",
  [
    ({"weights": {"a": np.ones(1)}, "epoch": 3}, "'weights', 'epoch'"),
    ({"state_dict": {"a": 1.0}}, "'state_dict'"),
    ({"state_dict": {}}, "'state_dict'"),
    ([np.ones(1)], "this list"),
  ],
)
def test_state_dict_lists_the_keys_when_none_fits(obj, listed):
  with pytest.raises(InputError, match="^a.pth: no mapping") as caught:
    state_dict(obj, "a.pth")
  assert listed in str(caught.value)
