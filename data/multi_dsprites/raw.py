"""Downloaded files of dSprites and Multi-dSprites: what they are, and whether they can be used."""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from data.multi_dsprites.scenes import SPLITS, Options
from data.multi_dsprites.sprites import FRAME, SPRITE_COUNT
from objectcentric_jax.errors import InputError

SPRITES_FILE = "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz"
SPRITES_MEMBER = "imgs.npy"
ARRAY_PREFIXES = dict(zip(SPLITS, ("training", "validation", "test"), strict=True))
PACKED_BYTES = SPRITE_COUNT * FRAME * FRAME // 8
BLOCK = 1024  # sprites read at a time


def raw_format(raw: Path, options: Options) -> str:
  """ "npz" for the published sprites, "npy" for the published scenes; InputError for neither."""
  if not raw.exists():
    raise InputError(f"--from {raw} does not exist")
  if raw.is_file() or (raw / SPRITES_FILE).is_file():
    return "npz"
  if any(raw.glob("*_images_rand*.npy")):
    return "npy"
  images, _ = array_files(raw, "train", options)
  raise InputError(f"--from {raw} holds neither {SPRITES_FILE} nor {images.name} and its like")


def array_files(raw: Path, split: str, options: Options) -> tuple[Path, Path]:
  """The published images and masks of a split."""
  end = f"rand{options.max_objects}{'_unique' if options.unique else ''}.npy"
  prefix = ARRAY_PREFIXES[split]
  return raw / f"{prefix}_images_{end}", raw / f"{prefix}_masks_{end}"


def check_arrays(raw: Path, options: Options) -> None:
  """InputError unless the published arrays are there and are what the options say."""
  for split in SPLITS:
    shape = (options.count(split), options.size, options.size)
    for path, channels in zip(array_files(raw, split, options), (3, 1), strict=True):
      if not path.is_file():
        raise InputError(f"--from {raw} lacks {path.name}")
      try:
        found = np.load(path, mmap_mode="r", allow_pickle=False).shape
      except (ValueError, OSError) as error:
        raise InputError(f"{path} is damaged ({error}); download it again") from None
      if found != (*shape, channels):
        raise InputError(
          f"{path} has shape {found}, the config says {(*shape, channels)}; "
          "name the config for what the files hold (size, trainN, validationN, testN)"
        )


def pack_sprites(raw: Path, target: Path, report: Callable[[str], None]) -> None:
  """Streams the published sprites into an npy file of bits, uint8 [N, 512]; 370 MB for all.

  Only the member `imgs` is read and nothing in the file is unpickled. The zip's own checksum is
  checked on the way.
  """
  path = raw / SPRITES_FILE if raw.is_dir() else raw
  try:
    with zipfile.ZipFile(path) as archive, archive.open(SPRITES_MEMBER) as member:
      count = _sprite_count(path, member)
      packed = np.lib.format.open_memmap(target, "w+", np.uint8, (count, FRAME * FRAME // 8))
      for start in range(0, count, BLOCK):
        stop = min(count, start + BLOCK)
        packed[start:stop] = _bits(path, member, stop - start)
        report(f"reading {path.name}: {stop / count:4.0%}")
      if member.read(1):
        raise InputError(f"{path} holds more than its {count} sprites; download it again")
      packed.flush()
  except KeyError:
    raise InputError(f"{path} has no array `imgs`; is it {SPRITES_FILE}?") from None
  except (zipfile.BadZipFile, zlib.error, EOFError) as error:
    raise InputError(f"{path} is damaged ({error}); download it again") from None


def _sprite_count(path: Path, member) -> int:
  try:
    version = np.lib.format.read_magic(member)
    read = {
      (1, 0): np.lib.format.read_array_header_1_0,
      (2, 0): np.lib.format.read_array_header_2_0,
    }
    shape, columns_first, dtype = read[version](member)
  except (ValueError, KeyError) as error:
    raise InputError(f"{path} is damaged (imgs: {error}); download it again") from None
  right = len(shape) == 3 and shape[1:] == (FRAME, FRAME) and 1 <= shape[0] <= SPRITE_COUNT
  if not right or columns_first or dtype != np.uint8:
    raise InputError(f"{path} has imgs {dtype} {shape}, not uint8 ({SPRITE_COUNT}, 64, 64)")
  return shape[0]


def _bits(path: Path, member, count: int) -> np.ndarray:
  """The next sprites as bits, uint8 [count, 512]."""
  content = member.read(count * FRAME * FRAME)
  if len(content) != count * FRAME * FRAME:
    raise InputError(f"{path} is truncated; download it again")
  pixels = np.frombuffer(content, np.uint8).reshape(count, -1)
  if pixels.max() > 1:
    raise InputError(f"{path} has imgs values up to {pixels.max()}, not 0 and 1")
  return np.packbits(pixels, axis=1)
