"""TFRecord files: checksums, records, Examples, and whatever may be wrong with one."""

import gzip

import numpy as np
import pytest
from tensorflow_datasets.proto import tf_example_pb2

from data.raw import tfrecord
from data.raw.crc32c import ROW, crc32c
from data.raw.damage import Damaged
from tests.data.raw_records import example, field, framed, save_records, varint

RECORDS = [b"first", b"", bytes(range(256)) * 9, b"last one"]


def reference(message: bytes) -> int:
  """CRC-32C bit by bit."""
  register = 0xFFFFFFFF
  for byte in message:
    register ^= byte
    for _ in range(8):
      register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
  return register ^ 0xFFFFFFFF


def message(path, function) -> str:
  """The one line that is said about the file."""
  with pytest.raises(Damaged) as caught:
    function()
  assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))
  return str(caught.value)


def read(path, compression=""):
  return list(tfrecord.read_records(path, compression))


# Checksums


@pytest.mark.parametrize(
  "text, expected",
  [
    (b"", 0),
    (b"123456789", 0xE3069283),
    (bytes(32), 0x8A9136AA),  # this and the next two: RFC 3720, B.4
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(2 * ROW), 0),
  ],
)
def test_published_checksums(text, expected):
  assert crc32c(text) == (expected or reference(text))


@pytest.mark.parametrize("size", [1, 63, 64, 65, ROW - 1, ROW, ROW + 1, 33 * ROW + 7])
def test_checksums_of_all_sizes(size):
  text = np.random.default_rng(size).bytes(size)
  assert crc32c(text) == reference(text)


# Records


@pytest.mark.parametrize("compressed", [False, True])
def test_records_are_read_in_order(tmp_path, compressed):
  path = save_records(tmp_path / "file", RECORDS, compressed)
  assert read(path, "gzip" if compressed else "") == RECORDS


def test_gzip_in_several_parts(tmp_path):
  path = tmp_path / "file"
  path.write_bytes(b"".join(gzip.compress(framed(record)) for record in RECORDS))
  assert read(path, "gzip") == RECORDS


def test_records_are_read_by_their_places(tmp_path):
  path = save_records(tmp_path / "file", RECORDS)
  offsets = list(tfrecord.record_offsets(path))
  assert offsets == [0, 21, 37, 37 + 16 + 9 * 256]
  assert [tfrecord.read_record(path, offset) for offset in offsets] == RECORDS
  last = offsets[-1] + 16 + len(RECORDS[-1])
  assert "ends before" in message(path, lambda: tfrecord.read_record(path, last))


def test_counts_go_by_size(tmp_path):
  empty = save_records(tmp_path / "empty", [])
  first = save_records(tmp_path / "first", [bytes(84)] * 3)
  second = save_records(tmp_path / "second", [bytes(184)] * 3)
  assert tfrecord.estimated_count([empty, first, second]) == 9
  assert tfrecord.estimated_count([empty]) == tfrecord.estimated_count([]) == 0


@pytest.mark.parametrize("kept", range(1, 16 + 5))
def test_every_cut_is_seen(tmp_path, kept):
  path = tmp_path / "file"
  path.write_bytes((framed(b"whole") + framed(b"other"))[: 21 + kept])
  records = tfrecord.read_records(path)
  assert next(records) == b"whole"
  assert "cut short" in message(path, lambda: next(records))
  assert list(tfrecord.record_offsets(path)) == [0, 21]
  assert "cut short" in message(path, lambda: tfrecord.read_record(path, 21))


@pytest.mark.parametrize("place", range(16 + 5))
def test_every_altered_byte_is_seen(tmp_path, place):
  content = bytearray(framed(b"first") + framed(b"other"))
  content[21 + place] ^= 0x10
  path = tmp_path / "file"
  path.write_bytes(content)
  expected = "checksum of a length" if place < 12 else "checksum of the record"
  assert expected in message(path, lambda: read(path))
  assert expected in message(path, lambda: tfrecord.read_record(path, 21))
  assert tfrecord.read_record(path, 0) == b"first"


def test_compressed_files_that_were_not_fully_downloaded(tmp_path):
  records = [np.random.default_rng(n).bytes(3000) for n in range(9)]
  path = save_records(tmp_path / "file", records, compressed=True)
  content = path.read_bytes()
  for kept in (len(content) // 2, len(content) - 9, len(content) - 1):
    path.write_bytes(content[:kept])
    found = []
    said = message(path, lambda found=found: found.extend(tfrecord.read_records(path, "gzip")))
    assert "GZIP stream does not end; was it fully downloaded?" in said
    assert found == records[: len(found)]
    assert len(found) > 3


def test_altered_compressed_files(tmp_path):
  path = save_records(tmp_path / "file", [bytes(range(200)) * 40] * 3, compressed=True)
  content = bytearray(path.read_bytes())
  for place in (3, len(content) // 2, len(content) - 6):  # header, stream, its own checksum
    altered = bytearray(content)
    altered[place] ^= 0x41
    path.write_bytes(altered)
    said = message(path, lambda: read(path, "gzip"))
    assert "GZIP stream" in said or "checksum" in said


def test_other_kinds_of_files(tmp_path):
  plain = save_records(tmp_path / "plain", RECORDS)
  compressed = save_records(tmp_path / "compressed", RECORDS, compressed=True)
  page = tmp_path / "page"
  page.write_text("<html>404 not found</html>")
  empty = save_records(tmp_path / "empty", [])
  assert "not compressed with GZIP" in message(plain, lambda: read(plain, "gzip"))
  assert "published without" in message(compressed, lambda: read(compressed))
  assert "not compressed with GZIP" in message(page, lambda: read(page, "gzip"))
  assert "is not a TFRecord file" in message(page, lambda: read(page))
  assert list(tfrecord.record_offsets(page)) == list(tfrecord.record_offsets(empty)) == [0]


@pytest.mark.parametrize("kind", ["", "gzip"])
def test_files_that_are_empty_or_missing(tmp_path, kind):
  empty, missing = save_records(tmp_path / "empty", []), tmp_path / "missing"
  assert "is empty" in message(empty, lambda: read(empty, kind))
  assert "does not exist" in message(missing, lambda: read(missing, kind))
  assert "does not exist" in message(tmp_path, lambda: read(tmp_path, kind))


def test_declared_sizes_are_not_believed(tmp_path):
  length = (1 << 60).to_bytes(8, "little")
  path = save_records(tmp_path / "file", [length])
  header = length + path.read_bytes()[-4:]  # with its checksum
  path.write_bytes(header + b"short")
  assert f"declares a record of {1 << 60} bytes" in message(path, lambda: read(path))


# Examples

FEATURES = {
  "texts": [b"one", b"", b"three" * 100],
  "floats": np.array([0.5, -1e30, 3.25], np.float32),
  "integers": np.array([0, 1, 300, -1, 2**62, -(2**63)], np.int64),
  "bytes": np.array([0, 10, 1, 255], np.uint8),
}


def test_examples_are_what_tfds_reads():
  record = example(FEATURES)
  stored = tf_example_pb2.Example.FromString(record).features.feature
  found = tfrecord.parse_example(record, one_byte=["bytes"])
  assert set(found) == set(stored) == set(FEATURES)
  assert found["texts"] == list(stored["texts"].bytes_list.value) == FEATURES["texts"]
  for name, kind in (("floats", "float_list"), ("integers", "int64_list")):
    np.testing.assert_array_equal(found[name], FEATURES[name])
    np.testing.assert_array_equal(found[name], list(getattr(stored[name], kind).value))
    assert found[name].dtype == FEATURES[name].dtype
  np.testing.assert_array_equal(found["bytes"], FEATURES["bytes"])
  assert b"".join(stored["bytes"].bytes_list.value) == FEATURES["bytes"].tobytes()
  assert found["bytes"].dtype == np.uint8


def test_examples_that_tfds_writes():
  written = tf_example_pb2.Example()
  features = written.features.feature
  features["texts"].bytes_list.value.extend([b"a", b"bc"])
  features["floats"].float_list.value.extend([1.5, -2])
  features["integers"].int64_list.value.extend([7, -7])
  features["nothing"].SetInParent()
  features["no texts"].bytes_list.SetInParent()
  found = tfrecord.parse_example(written.SerializeToString())
  assert {n: list(values) for n, values in found.items()} == {
    **{"texts": [b"a", b"bc"], "floats": [1.5, -2.0], "integers": [7, -7]},
    **{"nothing": [], "no texts": []},
  }


def test_numbers_need_not_be_packed():
  floats = b"".join(varint(1 << 3 | 5) + np.float32(x).tobytes() for x in (1.5, 2.5))
  integers = b"".join(varint(1 << 3) + varint(x) for x in (3, 400))
  features = {"f": field(2, floats), "i": field(3, integers)}
  entries = (field(1, field(1, n.encode()) + field(2, f)) for n, f in features.items())
  found = tfrecord.parse_example(field(1, b"".join(entries)))
  assert {n: list(values) for n, values in found.items()} == {"f": [1.5, 2.5], "i": [3, 400]}


@pytest.mark.parametrize("texts", [[b"a", b"bc"], [b"abcd"], [b"", b"a"]])
def test_longer_texts_are_not_taken_for_single_bytes(tmp_path, texts):
  record = example({"image": texts})
  path = tmp_path / "file"
  said = message(path, lambda: tfrecord.parse_example(record, path, ["image"]))
  assert "no tf.train.Example (a text is not of one byte)" in said


def test_whatever_is_no_example_is_damage(tmp_path):
  record, path = example(FEATURES), tmp_path / "file"
  assert "cut short" in message(path, lambda: tfrecord.parse_example(record[:-1], path))
  rng = np.random.default_rng(0)
  for _ in range(3000):
    altered = bytearray(record[:300])
    for place in rng.integers(0, 60, 3):
      altered[place] = rng.integers(256)
    try:
      tfrecord.parse_example(bytes(altered), path, ["bytes"])
    except Damaged as damaged:
      assert damaged.path == path
