"""Files of one's own: which there are, told apart from those that were there before.

Standard library only.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path


def walk(root: Path) -> Iterator[Path]:
  """All files under a folder, but for hidden ones and those in such; or the file given."""
  if root.is_file():
    yield root
  for place, folders, files in os.walk(root):
    folders[:] = sorted(f for f in folders if not f.startswith((".", "__MACOSX")))
    for name in sorted(files):
      if not name.startswith("."):
        yield Path(place, name)


def fingerprint(root: Path) -> str:
  """Says how many files there are and tells changed folders apart, by names and sizes.

  A set keeps this as its source, so that asking for it again with more files is noticed.
  """
  digest, count, total = hashlib.sha256(), 0, 0
  for path in walk(root):
    size = path.stat().st_size
    name = path.relative_to(root).as_posix() if path != root else path.name
    digest.update(os.fsencode(f"{name}\0{size}\0"))
    count, total = count + 1, total + size
  return f"{count} files of {total} bytes ({digest.hexdigest()[:8]})"
