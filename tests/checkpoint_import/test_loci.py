"""Names in published checkpoints of Loci-Segmented: whole pretrainers, flags, counters."""

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from objectcentric_jax.checkpoint_import import loci as importer
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.loci import encoder_decoder, pretraining

SIZES = {
  "height": 64,
  "width": 32,
  "gestalt": 16,
  "embedding": {part: dict(channels=4, expansion=2) for part in ("mask", "depth", "rgb")},
  "encoder": dict(channels=16, blocks=(1, 1, 3, 1), hyper_channels=8),
  "decoder": {
    part: dict(layers=1, encoder_blocks=(1, 2), encoder_channels=8)
    for part in ("mask", "depth", "rgb")
  },
  "rgb_loss": "ycbcr_l2_ssim",
  "squashed_deviation": False,
  "rematerialise": False,
  "dtype": "float32",
}
SLOTS = {
  **SIZES,
  "passes": 3,
  "input_depth": True,
  "initial_size": -1.0,
  "stretch": 2.0,
  "position_stretch": 2.0,
}
STAGES = {part: {"part": part, **SIZES} for part in pretraining.PARTS} | {"slots": SLOTS}
BATCH = {
  name: jax.ShapeDtypeStruct((1, 64, 32, channels), jnp.float32)
  for name, channels in (("image", 3), ("depth", 1), ("mask", 1))
}


def template(config):
  module = encoder_decoder if "passes" in config else pretraining
  return jax.eval_shape(module.make_task(config).init, jax.random.key(0), BATCH)


def published(config):
  """Numbers under the published names, all different, where square matrices say nothing of axes."""
  flat = flax.traverse_util.flatten_dict(template(config)[0], sep="/")
  rng = np.random.default_rng(0)
  weights = {}
  for name, target in importer.table(config).items():
    shape = flat[target.path].shape
    if len(shape) == 4:
      shape = shape[::-1]
    elif target.path.endswith("depthwise/kernel"):
      shape = (shape[2], 1, *shape[:2])
    elif target.path.endswith("kernel"):
      shape = shape[::-1]
    weights[name] = rng.standard_normal(shape).astype(np.float32)
  return weights


@pytest.fixture(scope="module")
def whole():
  """All that a stage of the published pretraining saves."""
  state = {}
  for config in STAGES.values():
    state |= published(config)
  state |= {name: np.ones((1, 49), np.float32) for name in importer.NEVER_USED}
  state |= {name: np.asarray(7.0) for name in importer.COUNTERS}
  state |= {
    "encoder.preprocess.legacy": np.asarray(0),
    "mask_pretrainer.pool.0.legacy": np.asarray(0),
  }
  return {importer.PREFIX + name: value for name, value in state.items()}


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_takes_its_part_of_a_whole_pretrainer(whole, stage):
  config = STAGES[stage]
  params = importer.import_parameters(whole, config, template(config)[0], "file")
  flat = flax.traverse_util.flatten_dict(params, sep="/")
  taken = [np.sort(np.ravel(value)) for value in flat.values()]
  names = importer.table(config)
  given = [np.sort(np.ravel(whole[importer.PREFIX + name])) for name in names]
  order = [list(flat).index(target.path) for target in names.values()]
  for name, value, place in zip(names, given, order, strict=True):
    np.testing.assert_array_equal(taken[place], value, err_msg=name)


def test_a_part_that_is_missing_or_too_much_is_named(whole):
  config = STAGES["mask"]
  shapes = template(config)[0]
  name = "net.mask_pretrainer.decoder.decoder.0.bias"
  less = {n: v for n, v in whole.items() if n != name}
  with pytest.raises(InputError, match="1 missing: mask_pretrainer.decoder.decoder.0.bias"):
    importer.import_parameters(less, config, shapes, "file")
  more = {**whole, "net.mask_pretrainer.extra": np.zeros(1)}
  with pytest.raises(InputError, match="1 unused: mask_pretrainer.extra"):
    importer.import_parameters(more, config, shapes, "file")


def test_the_flag_of_old_checkpoints_decides_a_field(whole):
  assert importer.fields_of(whole, "file") == {"squashed_deviation": False}
  old = {n: np.asarray(1) if n.endswith("legacy") else v for n, v in whole.items()}
  assert importer.fields_of(old, "file") == {"squashed_deviation": True}
  with pytest.raises(InputError, match="needs config.model.squashed_deviation True"):
    importer.import_parameters(old, STAGES["mask"], template(STAGES["mask"])[0], "file")
  mixed = {**whole, "net.encoder.preprocess.legacy": np.asarray(1)}
  with pytest.raises(InputError, match="some parts have the flag legacy and some have not"):
    importer.fields_of(mixed, "file")


def test_counters_go_on_or_begin_anew(whole):
  shapes = template(SLOTS)[1]
  counters = importer.import_model_state(whole, {}, SLOTS, shapes, "file")["counters"]
  assert {name: int(count) for name, count in counters.items()} == dict.fromkeys(counters, 7)
  fresh = importer.import_model_state({}, {}, SLOTS, shapes, "file")["counters"]
  assert {n: int(c) for n, c in fresh.items()} == dict(calls=-20, first=0, second=0, position=0)
  assert set(fresh) == set(shapes["counters"])
  assert importer.import_model_state(whole, {}, STAGES["mask"], {}, "file") == {}
