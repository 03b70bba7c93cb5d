"""`config.data.preprocess`: the named steps between a stored example and a batch.

  config.data.preprocess = (
    dict(name="centre_crop", height=192, width=192),
    dict(name="resize", side=128, method="nearest"),
  )

Steps are applied in order to all pictures of an example alike; their names are the keys of `STEPS`,
their arguments the fields of the classes, which say what they do. The first may choose clips,
frames or views instead (`objectcentric_jax.input.clips`). Without any step pictures are resized to
`config.data.side` by their nearest pixel. Random steps draw in training and do the one thing their
class names in evaluation.
"""

import contextlib
import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from objectcentric_jax.errors import InputError, closest
from objectcentric_jax.input import crops, one_object, values
from objectcentric_jax.input.clips import SELECTIONS
from objectcentric_jax.input.step import Arrays, Rng, Step

STEPS: Mapping[str, type[Step]] = {
  "centre_crop": crops.CentreCrop,
  "crop": crops.Crop,
  "crop_each": crops.CropEach,
  "square_crop": crops.SquareCrop,
  "scale_crop_flip": crops.ScaleCropFlip,
  "resize": crops.Resize,
  "grey_to_rgb": values.GreyToRgb,
  "channel_order": values.ChannelOrder,
  "merge_background": values.MergeBackground,
  "relabel": values.Relabel,
  "object_masks": values.ObjectMasks,
  "one_object": one_object.OneObject,
  "foreground_mask": one_object.ForegroundMask,
  "object_crop": one_object.ObjectCrop,
  "scale_depth": one_object.ScaleDepth,
  "object_boxes": values.ObjectBoxes,
}
WHERE = "config.data.preprocess"


@dataclasses.dataclass(frozen=True)
class Preprocess:
  """The steps of a config.

  Attributes:
    selection: the step that chooses frames, if any.
    steps: the others, each with the name it has in messages.
  """

  selection: Any
  steps: tuple[tuple[str, Step], ...]

  @property
  def random(self) -> bool:
    """Whether a step draws in training."""
    return any(step.random for _, step in self.steps)

  @property
  def batched(self) -> bool:
    """Whether a stacked batch can pass all steps at once when nothing is drawn."""
    return all(step.batched for _, step in self.steps)

  def adapted(self, about: Mapping[str, Any]) -> tuple["Preprocess", Mapping[str, Any]]:
    """The steps as a set needs them, and how the set is described behind them."""
    steps = []
    for name, step in self.steps:
      with _named(name):
        step, about = step.adapted(about)
      steps.append((name, step))
    return dataclasses.replace(self, steps=tuple(steps)), about

  def variants(self) -> list["Preprocess"]:
    """Preprocessings that each make an example of every stored one."""
    choices = [[(name, variant) for variant in step.variants()] for name, step in self.steps]
    return [dataclasses.replace(self, steps=steps) for steps in itertools.product(*choices)]

  def split(self) -> tuple["Preprocess", "Preprocess"]:
    """What comes before the first random step, and the rest."""
    first = next((i for i, (_, step) in enumerate(self.steps) if step.random), len(self.steps))
    return (
      dataclasses.replace(self, steps=self.steps[:first]),
      Preprocess(None, self.steps[first:]),
    )

  def without_windows(self) -> "Preprocess":
    """The steps that need not know the size of what is stored."""
    return Preprocess(None, tuple((name, step) for name, step in self.steps if not step.window))

  def __call__(self, arrays: Arrays, rng: Rng | None = None) -> Arrays:
    """Takes arrays through the steps.

    Args:
      arrays: of one example; or, where `batched` and without drawing, of a batch.
      rng: of this example, in training.

    Raises:
      InputError: a step cannot use them.
    """
    for name, step in self.steps:
      with _named(name):
        arrays = step(arrays, rng)
    return arrays


def parse(steps: Sequence[Mapping[str, Any]], side: int, frames: int) -> Preprocess:
  """The steps that a config describes.

  Args:
    steps: `config.data.preprocess`.
    side: `config.data.side`, for steps that are given no size; 0 for none.
    frames: `config.data.frames`, for a clip that is given no length; 0 for none.

  Raises:
    InputError: an unknown step or argument, or a value that cannot be used; names it.
  """
  if isinstance(steps, str | Mapping) or not all(isinstance(s, Mapping) for s in steps):
    raise InputError(f"{WHERE} is {steps!r}: a tuple of steps is needed, each dict(name=..., ...)")
  if not steps and side:
    steps = ({"name": "resize"},)
  selection, made = None, []
  for number, described in enumerate(steps):
    arguments = dict(described)
    name = arguments.pop("name", None)
    if name in SELECTIONS:
      if number:
        raise InputError(f"{WHERE}: {name} chooses what is read and is to be the first step")
      if name == "clip" and frames:
        arguments.setdefault("length", frames)
      selection = _make(name, SELECTIONS[name], arguments)
    elif name in STEPS:
      step = _make(name, STEPS[name], arguments)
      with _named(name):
        made.append((name, step.with_side(side)))
    else:
      known = (*SELECTIONS, *STEPS)
      hint = closest(str(name), known)
      raise InputError(f"{WHERE} has no step {name!r}{hint}; there are: {', '.join(known)}")
  return Preprocess(selection, tuple(made))


def _make(name: str, kind: type, arguments: Mapping[str, Any]) -> Any:
  declared = {field.name: field for field in dataclasses.fields(kind)}
  for argument in arguments:
    if argument not in declared:
      hint = closest(argument, declared)
      takes = ", ".join(declared) or "nothing"
      raise InputError(f"{WHERE}: {name} takes no {argument!r}{hint}; it takes: {takes}")
  for argument, field in declared.items():
    if argument not in arguments and field.default is dataclasses.MISSING:
      raise InputError(f"{WHERE}: {name} needs {argument}")
  with _named(name):
    for argument, value in arguments.items():
      _check_type(argument, value, declared[argument].type)
    return kind(**arguments)


def _check_type(argument: str, value: Any, declared: Any) -> None:
  """ValueError where a number or text is declared and something else is given."""
  allowed = {int: (int,), float: (int, float), str: (str,)}.get(declared)
  if allowed and (not isinstance(value, allowed) or isinstance(value, bool)):
    raise ValueError(f"{argument} is {value!r}, not of type {declared.__name__}")


@contextlib.contextmanager
def _named(step: str) -> Iterator[None]:
  """Names the step in whatever is wrong with it."""
  try:
    yield
  except InputError:
    raise
  except ValueError as error:
    raise InputError(f"{WHERE}: {step}: {error}") from error
