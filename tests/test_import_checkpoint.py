"""A published checkpoint becomes a workdir that evaluates and draws like any other."""

import json
from collections import OrderedDict

import flax.traverse_util
import jax
import numpy as np
import pytest
from PIL import Image

from experiments import build
from objectcentric_jax.checkpoint_import import genesis_v2 as importer
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.genesis_v2 import make_task
from objectcentric_jax.training.checkpoints import read_config
from objectcentric_jax.training.devices import Devices
from tests.checkpoint_import import torch_writer
from tests.conftest import finish, run, start
from tests.golden import case as golden
from tests.golden.elbo_training import KEY
from tests.golden.genesisv2 import posterior_draws, slot_outputs

CONFIG = "--config=configs/genesis_v2/multi_dsprites.py"
GENERATED = [CONFIG, "--config.data.name=generated", "--config.eval.images=4"]
GENERATED += ["--config.eval.batch_size=4"]
LAPLACIAN = [
  *GENERATED,
  "--config.data.side=32",
  "--config.model.slots=4",
  "--config.model.features=32",
  "--config.model.kernel=laplacian",
  "--config.model.semiconvolutional=False",
  "--config.model.mask_kl=True",
  "--config.model.geco.use=False",
]


def load(name):
  return golden.load(golden.PUBLIC / "genesisv2" / name)


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


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
  """Workdir of the 32-pixel case, saved as a zip archive with a fixed weight of the KL."""
  folder = tmp_path_factory.mktemp("imported")
  case, _ = load("laplacian_klm_noise_32_k4_train")
  file = folder / "model.ckpt-FINAL"
  torch_writer.save_zip(file, wrapped(case["state_dict"], beta=0.5))
  out = run("experiments.import_checkpoint", "genesis_v2", file, folder / "run", *LAPLACIAN)
  count = sum(array.size for array in case["state_dict"].values())
  assert out == f"{folder / 'run'}: 71 tensors, {count:,} parameters, step 1234\n"
  return folder / "run"


def test_the_imported_model_computes_the_published_numbers(imported):
  case, arrays = load("laplacian_klm_noise_32_k4_train")
  restored = build.Restored(imported, Devices())
  assert restored.step == 1234 and restored.model_state == {}
  image = golden.images(arrays["inputs/image"])
  given = posterior_draws(arrays, 4)
  posterior = jax.jit(lambda p: restored.task.posterior(p, {}, image, KEY, given))(restored.params)
  terms = restored.task.objective_terms(posterior, image)
  actual = slot_outputs(*jax.device_get((posterior, terms)))
  compared = {name: case["outputs"][name] for name in actual if name in case["outputs"]}
  results = golden.compare(case | {"outputs": compared}, arrays, actual)
  assert len(results) >= 10
  assert [result for result in results if not result.passed] == []


def test_evaluate_takes_the_workdir(imported):
  run("experiments.evaluate", "--workdir", imported)
  result = json.loads((imported / "evaluation-test.json").read_text())
  assert (result["step"], result["images"], result["checkpoint"]) == (1234, 4, "last")
  scores = result["scores"]
  assert {"reconstruction", "kl_latent", "kl_mask", "elbo", "fg_ari/attention"} <= set(scores)
  assert np.isfinite(list(scores.values())).all() and scores["reconstruction"] > 0


@pytest.mark.parametrize("what", ["data", "reconstruction", "samples"])
def test_visualise_takes_the_workdir(imported, tmp_path, what):
  arguments = ("--workdir", imported, "--what", what, "--images", 4, "--out", tmp_path / "drawn")
  out = run("experiments.visualise", *arguments)
  path = tmp_path / "drawn" / f"{what}.png"
  assert out == f"picture: {path}\n"
  with Image.open(path) as picture:
    pixels = np.asarray(picture)
  assert pixels.ndim == 3 and min(pixels.shape[:2]) >= 2 * 32 and pixels.std() > 5


def test_old_files_and_geco(tmp_path):
  """The layout of PyTorch before 1.6, with the multiplier and the error's average as tensors."""
  case, _ = load("default_64_k5_train")
  file, workdir = tmp_path / "model.ckpt", tmp_path / "run"
  geco = {"beta": np.asarray(0.25, np.float32), "err_ema": np.asarray(6950.5, np.float32)}
  torch_writer.save_legacy(file, wrapped(case["state_dict"], **geco))
  run("experiments.import_checkpoint", "genesis_v2", file, workdir, *GENERATED)
  restored = build.Restored(workdir, Devices())
  state = restored.model_state["geco"]
  assert float(state.multiplier) == 0.25 and float(state.error_average) == 6950.5
  assert int(state.updates) > 0  # else the average would start anew
  flat = flax.traverse_util.flatten_dict(restored.params, sep="/")
  assert sum(array.size for array in flat.values()) == 2_729_422
  names = importer.table(read_config(workdir)["model"])
  assert set(names) == set(case["state_dict"]) and len(names) == len(flat)
  for name, weight in case["state_dict"].items():
    found = np.sort(np.asarray(flat[names[name].path]).ravel())
    np.testing.assert_array_equal(found, np.sort(weight.ravel().astype(np.float32)), err_msg=name)


# Mistakes


@pytest.fixture
def checkpoint(tmp_path):
  case, _ = load("laplacian_klm_noise_32_k4_train")
  torch_writer.save_zip(tmp_path / "file.pth", wrapped(case["state_dict"]))
  return tmp_path / "file.pth"


def test_another_network_is_named_tensor_by_tensor(checkpoint, tmp_path):
  arguments = ("genesis_v2", checkpoint, tmp_path / "run")
  message = error_of(*arguments, *LAPLACIAN, "--config.model.semiconvolutional=True")
  assert "2 unused: att_process.colour_head.bias, att_process.colour_head.weight" in message
  assert "3 missing: att_process.colour_head.conv.bias" in message and "file.pth" in message
  message = error_of(*arguments, *LAPLACIAN, "--config.model.features=16")
  assert "does not fit config.model" in message
  assert "seg_head.0.weight (32, 32, 3, 3) for segmentation_head/conv/kernel (3, 3, 16," in message
  assert not (tmp_path / "run").exists()


def test_mistakes_are_one_line(imported, checkpoint, tmp_path):
  page = tmp_path / "page.pth"
  page.write_text("<!DOCTYPE html><html><body>Quota exceeded</body></html>")
  target = tmp_path / "run"
  for arguments, message in (
    (("genesis_v2", page, target), f"error: {page}: is a web page, so the download failed"),
    (("genesis_v3", checkpoint, target), "no importer for 'genesis_v3' (did you mean genesis_v2?)"),
    (("names", checkpoint, target), "no importer for 'names'; there are: genesis, genesis_v2, "),
    (("genesis_v2", checkpoint), "give MODEL FILE.pth DIR; found 2 arguments"),
    (("genesis_v2", checkpoint, imported), f"{imported} already holds a run"),
  ):
    assert message in error_of(*arguments, *LAPLACIAN)
  assert not target.exists()


MODEL = importer.model_config(load("laplacian_klm_noise_32_k4_train")[0]["config"])


def converted(state_dict, **changes):
  """Runs the importer on the 32-pixel case with changed tensors; None removes one."""
  image = {"image": jax.ShapeDtypeStruct((1, 32, 32, 3), np.float32)}
  shapes = jax.eval_shape(make_task(MODEL).init, KEY, image)[0]
  changed = {n: v for n, v in (state_dict | changes).items() if v is not None}
  return importer.import_parameters(changed, MODEL, shapes, "file.pth")


def test_no_tensor_is_left_over_on_either_side():
  weights = load("laplacian_klm_noise_32_k4_train")[0]["state_dict"]
  converted(weights)
  with pytest.raises(InputError, match=r"1 unused: extra.weight; 1 missing: feat_head.1.bias$"):
    converted(weights, **{"extra.weight": np.zeros(3), "feat_head.1.bias": None})
  with pytest.raises(InputError, match=r"feat_head.1.bias \(3,\) for feature_projection/bias \(64"):
    converted(weights, **{"feat_head.1.bias": np.zeros(3)})


def model_state(checkpoint, config):
  return importer.import_model_state({}, checkpoint, config, {}, "file.pth")


def test_geco_state_of_a_checkpoint():
  config = MODEL | {"geco": MODEL["geco"] | {"use": True, "start": 2.0}}
  fresh = model_state({}, config)["geco"]
  assert (float(fresh.multiplier), int(fresh.updates)) == (2.0, 0)
  before = model_state({"beta": 0.5, "err_ema": None}, config)["geco"]
  assert (float(before.multiplier), int(before.updates)) == (0.5, 0)
  with pytest.raises(InputError, match=r"file.pth: err_ema has shape \(2,\), a number is expected"):
    model_state({"beta": 0.5, "err_ema": np.zeros(2)}, config)
  without = MODEL | {"geco": MODEL["geco"] | {"use": False}}
  assert model_state({"beta": 0.5}, without) == {}
