"""Segments a learned object in new images: a folder of pictures in, masks and overlays out.

python -m experiments.segment --workdir RUN --images FOLDER --out FOLDER [--object NAME_OR_NUMBER]

RUN is the workdir of a joint pretraining, a pursuit, an import, or one training of
experiments.oneshot --keep. Joint models and pursuits know several objects: name one, or give its
number. Pictures should show the same object, since what is said of one depends on the others that
are looked at with it. Masks have the size of their pictures, 255 where the object is; overlays show
it in red.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from absl import flags
from PIL import Image

from experiments import build, command
from experiments.pursuit_start import nothing_known
from objectcentric_jax.batch import as_float
from objectcentric_jax.errors import InputError, closest
from objectcentric_jax.input import resizing
from objectcentric_jax.models.object_pursuit.object_pursuit import OBJECT
from objectcentric_jax.models.object_pursuit.store import KNOWLEDGE, Store
from objectcentric_jax.training.devices import Devices

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "folder of the run", required=True)
flags.DEFINE_string("images", None, "folder of pictures (png, jpg)", required=True)
flags.DEFINE_string("out", None, "folder for masks/ and overlays/", required=True)
flags.DEFINE_string("object", None, "name or number, where several are known")
flags.DEFINE_bool("best", False, "the best checkpoint instead of the last")

SUFFIXES = (".png", ".jpg", ".jpeg")
RED = 255


class Learned:
  """A model that knows one object.

  Attributes:
    config, task, params, model_state: of the run.
    number: which of the joint model's objects.
  """

  def __init__(self, workdir: Path, asked: str | None, best: bool):
    self.number = 0
    if (workdir / KNOWLEDGE).is_dir():
      self._pursued(workdir, asked)
      return
    restored = build.Restored(workdir, Devices(), best)
    self.config, self.task = restored.config, restored.task
    self.params, self.model_state = restored.params, restored.model_state
    if "latents" in self.params:
      names = list(self.config.data.by_object.only)
      self.number = number_of(asked, names, len(self.params["latents"]))
    elif asked is not None:
      raise InputError(f"--object {asked}: {workdir} knows one object only; leave it out")

  def _pursued(self, workdir: Path, asked: str | None):
    self.config = build.stored_config(workdir)
    self.config.model.kind = "base"
    self.task = build.make_task(self.config)
    store = Store(workdir, 0.0)
    knowledge, _ = store.restore(nothing_known(self.config, self.task, initialised=False))
    store.close()
    names = [known.name for known in knowledge.objects]
    number = number_of(asked, names, len(names))
    networks = knowledge.networks
    self.params = {**networks["params"], "latent": knowledge.memory.latents[number]}
    self.model_state = {**networks["model_state"], "memory": knowledge.memory}

  def masks(self, images: np.ndarray) -> np.ndarray:
    """Where the object is in pictures uint8 [N, S, S, 3]: probabilities [N, S, S, 1]."""

    @jax.jit
    def segment(params, model_state, batch):
      scene = self.task.scene(params, model_state, as_float(batch), jax.random.key(0), False)
      return scene.masks[:, 1]

    found, size = [], self.config.eval.batch_size
    for start in range(0, len(images), size):
      chosen = np.arange(start, start + size)
      batch = {"image": images[chosen % len(images)], OBJECT: np.full(size, self.number, np.int32)}
      masks = np.asarray(segment(self.params, self.model_state, batch))
      found.append(masks[chosen < len(images)])
    return np.concatenate(found)


def number_of(asked: str | None, names: Sequence[str | None], count: int) -> int:
  """The number of an object that is given by name or number.

  Raises:
    InputError: there is no such object, or none is given where there are several.
  """
  if asked is None and count == 1:
    return 0
  known = ", ".join(f"{i} {name or ''}".strip() for i, name in enumerate(names[:count]))
  listed = known or f"0 to {count - 1}"
  if asked is None:
    raise InputError(f"--object is needed, since several are known: {listed}")
  if asked in names:
    return list(names).index(asked)
  if asked.isdigit() and int(asked) < count:
    return int(asked)
  hint = closest(asked, [name for name in names if name])
  raise InputError(f"--object {asked} is not known{hint}; there are: {listed}")


def pictures(folder: Path) -> list[Path]:
  """The pictures of a folder by name; InputError where there are none."""
  found = sorted(
    path
    for path in (folder.iterdir() if folder.is_dir() else ())
    if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
  )
  if not found:
    raise InputError(f"--images {folder} holds no pictures that end in {', '.join(SUFFIXES)}")
  return found


def read(path: Path) -> np.ndarray:
  """A picture, uint8 [H, W, 3]; InputError where it cannot be read."""
  try:
    with Image.open(path) as image:
      return np.asarray(image.convert("RGB"))
  except OSError as error:
    raise InputError(f"{path} cannot be read as a picture ({error})") from None


def drawn(image: np.ndarray, probability: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Mask uint8 [H, W] and overlay uint8 [H, W, 3] in the size of the picture."""
  height, width = image.shape[:2]
  fitted = resizing.bilinear(probability.astype(np.float32), height, width)[..., 0]
  inside = fitted > 0.5
  overlay = image.copy()
  overlay[inside, 0] = RED
  return np.where(inside, np.uint8(255), np.uint8(0)), overlay


def segmented(learned: Learned, paths: Sequence[Path]) -> Iterator[tuple[Path, Any, Any]]:
  """Each picture with its mask and overlay."""
  images, side = [read(path) for path in paths], learned.config.data.side
  small = np.stack([resizing.resize(image, side, side, "pillow_bicubic") for image in images])
  for path, image, mask in zip(paths, images, learned.masks(small), strict=True):
    yield path, *drawn(image, mask)


def main(_):
  paths, out = pictures(Path(FLAGS.images)), Path(FLAGS.out)
  learned = Learned(Path(FLAGS.workdir), FLAGS.object, FLAGS.best)
  folders = {name: out / name for name in ("masks", "overlays")}
  for folder in folders.values():
    folder.mkdir(parents=True, exist_ok=True)
  shares = []
  for path, mask, overlay in segmented(learned, paths):
    Image.fromarray(mask).save(folders["masks"] / f"{path.stem}.png")
    Image.fromarray(overlay).save(folders["overlays"] / f"{path.stem}.png")
    shares.append(mask.mean() / 255)
  print(f"{len(paths)} pictures, {np.mean(shares):.1%} of them object: {out}")


if __name__ == "__main__":
  command.run(main, __doc__)
