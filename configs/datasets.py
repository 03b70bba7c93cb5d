"""The datasets of the GENESIS papers as their configs use them.

Each function completes the config of a model: where pictures come from and what happens to them,
their size, and the number of slots, where the model has slots. All are read as published; the
READMEs below data/ say where to get them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict


def multi_dsprites(config: ConfigDict):
  """Multi-dSprites of the GENESIS authors: 1 to 4 sprites, each in one of 125 colours."""
  _set(config, "multi_dsprites/64px_1-4", side=64, slots=5, objects=4)


def small_multi_dsprites(config: ConfigDict):
  """Multi-dSprites for a laptop: 1 to 3 sprites on 32x32 pixels, 20,000 scenes to train with."""
  _set(config, "multi_dsprites/32px_1-3_train20000", side=32, slots=4, objects=3)


def gqn(config: ConfigDict):
  """GQN rooms_ring_camera, one view of a scene; it has no labels."""
  _set(config, "gqn/rooms_ring_camera", side=64, slots=7, objects=3, steps=[dict(name="view")])
  config.data.fields = ("views",)
  without_labels(config)


def shapestacks(config: ConfigDict):
  """ShapeStacks: towers of 2 to 6 blocks, 196 of 224 pixels, the middle."""
  steps = [dict(name="centre_crop", height=196, width=196)]
  steps += [dict(name="resize", method="pillow_bilinear")]
  _set(config, "shapestacks/default", side=64, slots=9, objects=6, steps=steps)


def objects_room(config: ConfigDict):
  """Objects Room of the Multi-Object Datasets: 1 to 3 objects; sky, floor and walls are one."""
  steps = [dict(name="merge_background")]
  _set(config, "multi_objects/objects_room", side=64, slots=7, objects=3, steps=steps)


def colored_sprites(config: ConfigDict):
  """Multi-dSprites of the Multi-Object Datasets: 1 to 4 sprites of any colour."""
  _set(config, "multi_objects/multi_dsprites_colored_on_colored", side=64, slots=5, objects=4)


def clevr(config: ConfigDict):
  """CLEVR of the Multi-Object Datasets: 3 to 10 objects; 192 of 240x320 pixels, the middle."""
  steps = [dict(name="centre_crop", height=192, width=192)]
  _set(config, "multi_objects/clevr_with_masks", side=128, slots=11, objects=10, steps=steps)


def tetrominoes(config: ConfigDict):
  """Tetrominoes of the Multi-Object Datasets: 3 of them, 35 pixels wide pictures made 32."""
  _set(config, "multi_objects/tetrominoes", side=32, slots=4, objects=3)


def sketchy(config: ConfigDict):
  """Sketchy: a robot arm and blocks, seven crops of each of two cameras; it has no labels."""
  _set(config, "sketchy/128px_all", side=128, slots=10, objects=4)
  without_labels(config)


def apc(config: ConfigDict):
  """Amazon Picking Challenge 2016: one labelled object in a shelf or tote."""
  _set(config, "apc/128px", side=128, slots=10, objects=1)


def without_labels(config: ConfigDict):
  """Reads the pictures alone; the best checkpoint is that of the smallest negative ELBO."""
  config.data.fields = config.data.fields[:1]  # pictures come first
  config.eval.best = "-elbo"
  config.eval.headline = ("elbo", "reconstruction", "mse")


def _set(
  config: ConfigDict,
  name: str,
  side: int,
  slots: int,
  objects: int,
  steps: Sequence[Mapping[str, Any]] = (),
):
  config.data.name = name
  config.data.side = side
  config.data.objects = objects  # of the made-up scenes of the smoke variant
  needs_resize = steps and steps[-1]["name"] != "resize"
  config.data.preprocess = (*steps, *([dict(name="resize")] if needs_resize else []))
  if "slots" in config.model:
    config.model.slots = slots
