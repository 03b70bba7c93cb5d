"""A published checkpoint becomes a workdir that evaluates and draws like any other."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import NamedTuple

import flax.traverse_util
import jax
import numpy as np
import pytest
from PIL import Image

from experiments import build
from objectcentric_jax.checkpoint_import import genesis, genesis_repository, genesis_v2, monet, vae
from objectcentric_jax.errors import InputError
from objectcentric_jax.training.checkpoints import read_config
from objectcentric_jax.training.devices import Devices
from tests.checkpoint_import import torch_writer
from tests.conftest import finish, run, start
from tests.golden import case as golden
from tests.golden import elbo_training
from tests.golden import genesis as genesis_case
from tests.golden import genesisv2 as genesis_v2_case
from tests.golden import monet as monet_case
from tests.golden import vae as vae_case
from tests.golden.elbo_training import KEY

GENERATED = ["--config.data.name=generated", "--config.eval.images=4", "--config.eval.batch_size=4"]


class Published(NamedTuple):
  """A model with published numbers at 32 pixels.

  Attributes:
    case: of the golden cases.
    config: that the import command is given, with overrides.
    importer: of the model.
    draws: arrays of the case -> noise under our names.
    outputs: (posterior, terms per image) -> published outputs.
    pictures: what is drawn.
  """

  case: str
  config: str
  importer: ModuleType
  draws: Callable[[Mapping], Mapping]
  outputs: Callable
  pictures: tuple[str, ...]


MODELS = {
  "genesis_v2": Published(
    "genesisv2/laplacian_klm_noise_32_k4_train",
    "configs/genesis_v2/multi_dsprites.py",
    genesis_v2,
    lambda arrays: genesis_v2_case.posterior_draws(arrays, 4),
    genesis_v2_case.slot_outputs,
    ("reconstruction", "samples"),
  ),
  "genesis": Published(
    "genesis/default_32_k3_eval",
    "configs/genesis/multi_dsprites.py",
    genesis,
    lambda arrays: elbo_training.slots_drawn(arrays, genesis_case.POSTERIOR_NOISE),
    genesis_case.outputs,
    ("samples",),
  ),
  "monet": Published(
    "monet/scope_burgess_32_k4_train",
    "configs/monet/objects_room.py",
    monet,
    lambda arrays: elbo_training.slots_drawn(arrays, {"inputs/eps_comp": "latent"}),
    monet_case.outputs,
    ("reconstruction",),
  ),
  "vae": Published(
    "vae/deconv_32_noise_train",
    "configs/vae/multi_dsprites.py",
    vae,
    lambda arrays: vae_case.noise(arrays, "inputs/eps"),
    vae_case.outputs,
    ("reconstruction",),
  ),
}
BATCH_NORM = "genesis"  # the one with running statistics


def load(name):
  return golden.load(golden.PUBLIC / name)


def model_of(name):
  """`config.model` of a published case."""
  published = MODELS[name]
  flags = elbo_training.published_flags(load(published.case)[0])
  return published.importer.model_config(flags)


def arguments_for(name, **changes):
  """The config of a published case as flags, with other values for some fields of its model."""
  model = model_of(name) | changes
  left = {"side", "geco", *getattr(MODELS[name].importer, "PUBLISHED", {})} - changes.keys()
  fields = {n: v for n, v in model.items() if n not in left}
  flags = [f"--config={MODELS[name].config}", f"--config.data.side={model['side']}", *GENERATED]
  flags += [f"--config.model.{field}={value}" for field, value in fields.items()]
  return [*flags, f"--config.model.geco.use={model['geco']['use']}"]


def wrapped(state_dict, **more):
  """What the published training script saves."""
  weights = OrderedDict(state_dict)
  optimiser = {"state": {0: {"step": 3, "exp_avg": np.zeros(2, np.float32)}}, "param_groups": []}
  return {"model_state_dict": weights, "optimiser_state_dict": optimiser, "iter_idx": 1234, **more}


def error_of(*arguments) -> str:
  """The one line that importing with these arguments prints."""
  status, _, errors = finish(start("experiments.import_checkpoint", *arguments))
  assert status == 1 and errors.startswith("error: ") and len(errors.splitlines()) == 1, errors
  return errors


def parameter_count(state_dict) -> int:
  """What the command counts: neither running statistics nor constants."""
  ends = ("running_mean", "running_var", "num_batches_tracked")
  kept = (v for n, v in state_dict.items() if n != "std" and not n.endswith(ends))
  return sum(value.size for value in kept)


@pytest.fixture(scope="module", params=MODELS)
def imported(request, tmp_path_factory):
  """Name of a model, and the workdir of its case, saved as a zip archive."""
  name = request.param
  folder = tmp_path_factory.mktemp(name)
  case, _ = load(MODELS[name].case)
  file, weights = folder / "model.ckpt-FINAL", dict(case["state_dict"])
  if name in ("genesis", "monet"):  # old checkpoints have the coordinates of the decoder
    for axis in ("g_1", "g_2"):
      coordinates = np.zeros((1, 1, 40, 40), np.float32)
      weights[f"comp_vae.decoder_module.seq.0.pixel_coords.{axis}"] = coordinates
  torch_writer.save_zip(file, wrapped(weights, beta=0.5))
  out = run("experiments.import_checkpoint", name, file, folder / "run", *arguments_for(name))
  count = f"{len(weights)} tensors, {parameter_count(case['state_dict']):,} parameters"
  assert out.splitlines()[-1] == f"{folder / 'run'}: {count}, step 1234"
  return name, folder / "run"


def test_the_imported_model_computes_the_published_numbers(imported):
  name, workdir = imported
  published = MODELS[name]
  case, arrays = load(published.case)
  restored = build.Restored(workdir, Devices())
  uses_geco = restored.config.model.geco.use
  assert restored.step == 1234 and ("geco" in restored.model_state) == uses_geco
  if uses_geco:
    assert float(restored.model_state["geco"].multiplier) == 0.5
  task = restored.task
  arguments = (restored.params, restored.model_state, golden.images(arrays["inputs/image"]))
  in_double = golden.in_float64(case)

  @jax.jit
  def explain(params, model_state, image, given):
    posterior = task.posterior(params, model_state, image, KEY, given)
    return posterior, task.objective_terms(posterior, image)

  with jax.enable_x64(in_double):
    arguments = jax.device_get((*arguments, published.draws(arrays)))
    arguments = elbo_training.in_float64(arguments) if in_double else arguments
    posterior, terms = jax.device_get(explain(*arguments))
  actual = published.outputs(posterior, terms)
  compared = {output: case["outputs"][output] for output in actual if output in case["outputs"]}
  results = golden.compare(case | {"outputs": compared}, arrays, actual)
  assert len(results) >= 6
  assert [result for result in results if not result.passed] == []


def test_the_imported_model_behaves_as_published(imported):
  name, workdir = imported
  config = read_config(workdir)["model"]
  fields = {
    "genesis": {"squash_sampled_means": False},
    "genesis_v2": {"decode_missing_slots": True},
  }
  assert fields.get(name, {}).items() <= config.items()
  published = model_of(name)
  geco = published.pop("geco")
  assert published.items() <= config.items() and config["geco"]["use"] == geco["use"]


def test_evaluate_takes_the_workdir(imported):
  name, workdir = imported
  run("experiments.evaluate", "--workdir", workdir)
  result = json.loads((workdir / "evaluation-test.json").read_text())
  assert (result["step"], result["images"], result["checkpoint"]) == (1234, 4, "last")
  scores = result["scores"]
  assert {"reconstruction", "kl_latent", "elbo", "mse"} <= set(scores)
  assert ("kl_mask" in scores, "fg_ari" in scores) == (name != "vae", name != "vae")
  assert np.isfinite(list(scores.values())).all() and scores["reconstruction"] > 0


def test_visualise_takes_the_workdir(imported, tmp_path):
  name, workdir = imported
  for what in MODELS[name].pictures:
    arguments = ("--workdir", workdir, "--what", what, "--images", 4, "--out", tmp_path / "drawn")
    out = run("experiments.visualise", *arguments)
    path = tmp_path / "drawn" / f"{what}.png"
    assert out.startswith(f"picture: {path}")
    with Image.open(path) as picture:
      pixels = np.asarray(picture)
    assert pixels.ndim == 3 and min(pixels.shape[:2]) >= 2 * 32 and pixels.std() > 5, what


def test_old_files_and_geco(tmp_path):
  """The layout of PyTorch before 1.6, with the multiplier and the error's average as tensors."""
  case, _ = load("genesisv2/default_64_k5_train")
  file, workdir = tmp_path / "model.ckpt", tmp_path / "run"
  kept = "--config.model.decode_missing_slots=False"
  geco = {"beta": np.asarray(0.25, np.float32), "err_ema": np.asarray(6950.5, np.float32)}
  torch_writer.save_legacy(file, wrapped(case["state_dict"], **geco))
  config = "--config=configs/genesis_v2/multi_dsprites.py"
  run("experiments.import_checkpoint", "genesis_v2", file, workdir, config, kept, *GENERATED)
  assert read_config(workdir)["model"]["decode_missing_slots"] is False  # what is said holds
  restored = build.Restored(workdir, Devices())
  state = restored.model_state["geco"]
  assert float(state.multiplier) == 0.25 and float(state.error_average) == 6950.5
  assert int(state.updates) > 0  # else the average would start anew
  flat = flax.traverse_util.flatten_dict(restored.params, sep="/")
  assert sum(array.size for array in flat.values()) == 2_729_422
  names = genesis_v2.table(read_config(workdir)["model"])
  assert set(names) == set(case["state_dict"]) and len(names) == len(flat)
  for name, weight in case["state_dict"].items():
    found = np.sort(np.asarray(flat[names[name].path]).ravel())
    np.testing.assert_array_equal(found, np.sort(weight.ravel().astype(np.float32)), err_msg=name)


# Mistakes


@pytest.fixture
def checkpoint(tmp_path):
  """Function from the name of a model to a file with the weights of its case."""

  def save(name):
    torch_writer.save_zip(tmp_path / "file.pth", wrapped(load(MODELS[name].case)[0]["state_dict"]))
    return tmp_path / "file.pth"

  return save


def test_another_network_is_named_tensor_by_tensor(checkpoint, tmp_path):
  arguments = ("genesis_v2", checkpoint("genesis_v2"), tmp_path / "run")
  message = error_of(*arguments, *arguments_for("genesis_v2", semiconvolutional=True))
  assert "2 unused: att_process.colour_head.bias, att_process.colour_head.weight" in message
  assert "3 missing: att_process.colour_head.conv.bias" in message and "file.pth" in message
  message = error_of(*arguments, *arguments_for("genesis_v2", features=16))
  assert "does not fit config.model" in message
  assert "seg_head.0.weight (32, 32, 3, 3) for segmentation_head/conv/kernel (3, 3, 16," in message
  assert not (tmp_path / "run").exists()


def test_pixel_deviations_and_slots_are_compared_with_the_file(checkpoint, tmp_path):
  """No other tensor of GENESIS shows how many slots it was trained with."""
  file, target = checkpoint("genesis"), tmp_path / "run"
  message = error_of("genesis", file, target, *arguments_for("genesis", slots=4))
  assert f"{file}: std is [0.69999" in message and "config.model has slots 4" in message
  assert not target.exists()


def test_mistakes_are_one_line(checkpoint, tmp_path):
  page, taken = tmp_path / "page.pth", tmp_path / "taken"
  page.write_text("<!DOCTYPE html><html><body>Quota exceeded</body></html>")
  taken.mkdir()
  (taken / "config.json").write_text("{}")
  file, target = checkpoint("genesis_v2"), tmp_path / "run"
  for arguments, message in (
    (("genesis_v2", page, target), f"error: {page}: is a web page, so the download failed"),
    (("genesis_v3", file, target), "no importer for 'genesis_v3' (did you mean genesis_v2?)"),
    (("names", file, target), "no importer for 'names'; there are: genesis, genesis_v2, "),
    (("monet", file, target), "--config is of objectcentric_jax.models.genesis_v2, the importer"),
    (("genesis_v2", file), "give MODEL FILE.pth DIR; found 2 arguments"),
    (("genesis_v2", file, taken), f"{taken} already holds a run"),
  ):
    assert message in error_of(*arguments, *arguments_for("genesis_v2"))
  assert not target.exists()


# The importers themselves


class Imports:
  """The importer of a model on its case, with changed tensors; None removes one."""

  def __init__(self, name):
    published = MODELS[name]
    self.importer, self.model = published.importer, model_of(name)
    self.weights = load(published.case)[0]["state_dict"]
    self.task = build.make_task(
      {"task": self.importer.MODULE, "model": self.model, "train": {"parallel": "jit"}}
    )
    image = {"image": jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)}
    self.shapes = jax.eval_shape(self.task.init, KEY, image)

  def changed(self, changes):
    return {n: v for n, v in (self.weights | changes).items() if v is not None}

  def parameters(self, changes=None, **model):
    weights = self.changed(changes or {})
    return self.importer.import_parameters(weights, self.model | model, self.shapes[0], "file.pth")

  def model_state(self, checkpoint, changes=None, **model):
    weights, config = self.changed(changes or {}), self.model | model
    return self.importer.import_model_state(weights, checkpoint, config, self.shapes[1], "file.pth")


@pytest.fixture(scope="module", params=MODELS)
def imports(request):
  return Imports(request.param)


def test_no_tensor_is_left_over_on_either_side(imports):
  found = jax.tree.map(np.shape, imports.parameters())
  assert found == jax.tree.map(lambda leaf: leaf.shape, imports.shapes[0])
  name, target = next(iter(imports.importer.table(imports.model).items()))
  with pytest.raises(InputError, match=f"1 unused: extra.weight; 1 missing: {name}$"):
    imports.parameters({"extra.weight": np.zeros(3), name: None})
  with pytest.raises(InputError, match=rf"{name} \(1, 2, 3, 4\) for {target.path} \("):
    imports.parameters({name: np.zeros((1, 2, 3, 4))})


def test_tensors_keep_their_numbers_and_none_is_used_twice(imports):
  table = imports.importer.table(imports.model)
  paths = [target.path for target in table.values()]
  assert len(set(paths)) == len(paths)
  flat = flax.traverse_util.flatten_dict(imports.parameters(), sep="/")
  for name, target in table.items():
    found, expected = (np.sort(np.ravel(a)) for a in (flat[target.path], imports.weights[name]))
    np.testing.assert_array_equal(found, expected.astype(np.float32), err_msg=name)


def test_geco_state_of_a_checkpoint(imports):
  settings = imports.model["geco"]
  geco = settings | {"use": True, "start": 2.0}
  fresh = imports.model_state({}, geco=geco)["geco"]
  assert (float(fresh.multiplier), int(fresh.updates)) == (2.0, 0)
  before = imports.model_state({"beta": 0.5, "err_ema": None}, geco=geco)["geco"]
  assert (float(before.multiplier), int(before.updates)) == (0.5, 0)
  after = imports.model_state({"beta": 0.5, "err_ema": np.asarray(7.0)}, geco=geco)["geco"]
  assert (float(after.error_average), int(after.updates)) == (7.0, 1)
  with pytest.raises(InputError, match=r"file.pth: err_ema has shape \(2,\), a number is expected"):
    imports.model_state({"beta": 0.5, "err_ema": np.zeros(2)}, geco=geco)
  assert "geco" not in imports.model_state({"beta": 0.5}, geco=settings | {"use": False})


def test_running_statistics_are_imported_without_loss():
  imports = Imports(BATCH_NORM)
  statistics = imports.importer.statistics_table(imports.model)
  assert len(statistics) == 2 * 2 * 10  # mean and variance, value and gate, of ten layers
  found = flax.traverse_util.flatten_dict(imports.model_state({})["batch_stats"], sep="/")
  assert len(found) == len(statistics)
  for name, target in statistics.items():
    np.testing.assert_array_equal(found[target.path], imports.weights[name], err_msg=name)
  name = next(iter(statistics))
  with pytest.raises(InputError, match=f"1 missing: {name}$"):
    imports.model_state({}, {name: None})
  with pytest.raises(InputError, match=rf"{name} \(5,\) for "):
    imports.model_state({}, {name: np.zeros(5)})


@pytest.mark.parametrize("name", ["genesis", "monet"])
def test_pixel_deviations_must_be_those_of_the_file(name):
  imports = Imports(name)
  message = r"file.pth: std is \[.*\], but config.model has slots"
  for changes in ({"first_pixel_deviation": 0.2}, {"pixel_deviation": 0.2}, {"slots": 2}):
    with pytest.raises(InputError, match=message):
      imports.parameters(**changes)
  with pytest.raises(InputError, match=r"std is \[\], but"):
    imports.parameters({"std": None})


def test_optimiser_settings_of_published_flags():
  flags = {"geco": False, "g_goal": 0.5645, "g_lr": 1e-6, "g_alpha": 0.9, "g_init": 2.0}
  found = genesis_repository.geco_config(flags | {"g_min": 1e-3, "g_speedup": None})
  assert found == {
    "use": False,
    "goal": 0.5645,
    "rate": 1e-6,
    "decay": 0.9,
    "start": 2.0,
    "minimum": 1e-3,
    "speedup": None,
  }
