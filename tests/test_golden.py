"""The golden cases, and that their runner notices what is wrong."""

import json
import shutil
import sys
from fnmatch import fnmatch

import flax.traverse_util
import jax
import numpy as np
import pytest

from objectcentric_jax.checkpoint_import import genesis
from objectcentric_jax.checkpoint_import import genesis_v2 as importer
from objectcentric_jax.checkpoint_import import names as layouts
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.genesis_v2 import make_task
from tests.conftest import run
from tests.golden import __main__ as runner
from tests.golden import case as golden
from tests.golden import elbo_training
from tests.golden.genesisv2 import model_config

pytestmark = pytest.mark.usefixtures("optimised")

CASES = runner.find_cases(golden.PUBLIC)
# Gradients of a hundred layers, term by term, in float64 or over frames: up to two minutes each.
OBJECTS = (
  *("hypernet_*", "multinet_*", "*_baseline"),
  *("*_coefficients", "*_object", "*_base", "*_step"),
)
FRAMES = ("stage*", "background_*", "pretrain_[mdr]*", "proposal_[dr]*", "loci_*")
SLOW = ("space/*_train_*", "scalor/*")
SLOW += ("genesis/*_train", "genesisv2/laplacian_*", "monet/*_train", "vae/*_64_train")
SLOW += tuple(f"object_pursuit/{name}" for name in OBJECTS)
SLOW += tuple(f"loci_s/{name}" for name in FRAMES)


def marked(folder):
  """The case as a parameter of tests."""
  name = f"{folder.parent.name}/{folder.name}"
  marks = [pytest.mark.slow] * any(fnmatch(name, pattern) for pattern in SLOW)
  return pytest.param(folder, id=name, marks=marks)


@pytest.mark.parametrize("folder", [marked(folder) for folder in CASES])
def test_case(folder):
  results = runner.run_case(folder)
  failed = [f"{r.name}: {r.error:.2e} > {r.tolerance:.0e}" for r in results if not r.passed]
  assert not failed, f"{len(failed)} of {len(results)}: {'; '.join(failed[:20])}"


def test_every_system_has_cases():
  assert {folder.parent.name for folder in CASES} == set(runner.systems())
  for name in ("genesis", "genesisv2", "monet", "vae", "geco", "multid_generation", "seg_metrics"):
    assert name in runner.systems()


# The command


@pytest.fixture
def root(tmp_path):
  """A root with the two quick cases of GECO, and its own fill.py."""
  shutil.copytree(golden.PUBLIC / "geco", tmp_path / "geco")
  shutil.copy(golden.PUBLIC / "fill.py", tmp_path)
  return tmp_path


def change(folder, edit):
  """Applies `edit(case, arrays)` to a copied case."""
  case = json.loads((folder / "case.json").read_text())
  with np.load(folder / "arrays.npz") as file:
    arrays = {name: file[name] for name in file.files}
  edit(case, arrays)
  (folder / "case.json").write_text(json.dumps(case))
  np.savez(folder / "arrays.npz", **arrays)


def command(monkeypatch, capsys, *arguments):
  """Exit status and printed lines of `python -m tests.golden`."""
  monkeypatch.setattr(sys, "argv", ["tests.golden", *map(str, arguments)])
  with pytest.raises(SystemExit) as caught:
    runner.main()
  output = capsys.readouterr()
  return int(caught.value.code), output.out.splitlines(), output.err


def test_success_is_the_last_line_and_the_status(root):
  lines = run("tests.golden", root, "--only", "geco").splitlines()
  assert lines[-1] == "2 passed, 0 failed" and len(lines) == 3
  assert lines[0].startswith("geco/default_64") and " ok " in lines[0]


@pytest.mark.parametrize(
  "edit",
  [
    lambda case, arrays: arrays["outputs/beta_after"].__imul__(1.001),
    lambda case, arrays: arrays["outputs/beta_after"].__setitem__(3, np.nan),
    lambda case, arrays: arrays.update({"outputs/loss": arrays["outputs/loss"][:-1]}),
    lambda case, arrays: arrays.pop("outputs/loss"),
    lambda case, arrays: arrays["inputs/err"].__imul__(1.001),
    lambda case, arrays: case["outputs"]["err_ema"].update(tolerance=0.0),
    lambda case, arrays: case["outputs"]["err_ema"].pop("tolerance"),
    lambda case, arrays: case["outputs"].clear(),
    lambda case, arrays: case["outputs"].update(unheard=case["outputs"]["loss"]),
    lambda case, arrays: case["config"].update(g_alpha=0.98),
  ],
  ids=[
    *("number", "not a number", "shape", "array missing", "input", "tolerance of zero"),
    *("no tolerance", "nothing to compare", "unknown output", "config"),
  ],
)
def test_a_changed_case_fails(monkeypatch, capsys, root, edit):
  change(root / "geco" / "default_64", edit)
  status, lines, _ = command(monkeypatch, capsys, root)
  assert status == 1 and lines[-1] == "1 passed, 1 failed"
  assert any(line.startswith("geco/default_64") and "ailed" in line.lower() for line in lines)


def test_a_damaged_case_fails_and_the_others_run(monkeypatch, capsys, root):
  (root / "geco" / "default_64" / "arrays.npz").write_bytes(b"cut off")
  status, lines, _ = command(monkeypatch, capsys, root)
  assert status == 1 and lines[-1] == "1 passed, 1 failed"


def test_unknown_systems_are_named(monkeypatch, capsys, root):
  shutil.copytree(root / "geco" / "default_64", root / "brandnew" / "case")
  status, lines, _ = command(monkeypatch, capsys, root)
  assert status == 0 and "no runner yet for: brandnew" in lines
  assert lines[-1] == "2 passed, 0 failed"
  status, _, error = command(monkeypatch, capsys, root, "--only", "brandnew")
  known = ", ".join(runner.systems())
  assert status == 2 and f"no runner for system 'brandnew'; there are {known}" in error


@pytest.mark.parametrize("folder", ["empty", "absent"])
def test_a_root_without_cases_is_an_error(monkeypatch, capsys, tmp_path, folder):
  (tmp_path / "empty").mkdir()
  status, _, error = command(monkeypatch, capsys, tmp_path / folder)
  assert status == 2 and "no case of a known system below" in error


def test_weights_come_from_the_root(monkeypatch, capsys, root):
  """Another root brings its own rule for weights; without one the public rule is used."""
  (root / "fill.py").write_text("def state_dict(params): return {'from': 'here'}")
  assert golden.rebuild_weights({}, root / "geco" / "x") == {"from": "here"}
  (root / "fill.py").unlink()
  params = {"a.weight": {"shape": [2, 3]}, "b.bias": {"shape": [2]}, "c": {"shape": []}}
  case = {
    "params": params,
    "scale": {"*.weight": 2.0},
    "constants": {"c": 1.5},
    "set": {"b.bias": 3},
  }
  plain = golden.rebuild_weights({"params": params}, root / "geco" / "x")
  found = golden.rebuild_weights(case, root / "geco" / "x")
  np.testing.assert_array_equal(found["a.weight"], 2 * plain["a.weight"])
  np.testing.assert_array_equal(found["b.bias"], np.full(2, 3, np.float32))
  assert found["c"] == np.float32(1.5) and found["c"].dtype == np.float32


# What is compared


def test_errors_are_relative_to_the_largest_magnitude():
  assert golden.relative_error([1.0, -4.1], [1.0, -4.0]) == pytest.approx(0.1 / 4)
  assert golden.relative_error([0.5], [0.0]) == 0.5
  assert golden.relative_error([1.0], [1.0, 1.0]) == np.inf
  assert not golden.Result("x", golden.relative_error([np.nan], [1.0]), 1.0).passed
  assert golden.elementwise_error([1.0, -4.1], [2.0, -4.0]) == 0.5


@pytest.mark.parametrize(
  "about, shape",
  [
    ({"slice": "[..., ::2, ::2] of shape [2, 3, 8, 8]"}, (4, 3, 4, 4)),
    ({"slice": "[::2] along the leading B*G*G axis (index = b*G*G + cell)"}, (2, 3, 8, 8)),
    ({"slice": "[:, 1::2, 3::4, 0] of shape"}, (4, 1, 2)),
    ({"stored": "every 2nd row and column"}, (4, 3, 4, 4)),
    ({"stored": "every 4th row and column", "stored_shape": [4, 3, 2, 2]}, (4, 3, 2, 2)),
    ({}, (4, 3, 8, 8)),
  ],
)
def test_subsampled_outputs(about, shape):
  array = np.arange(4 * 3 * 8 * 8.0).reshape(4, 3, 8, 8)
  case = {"outputs": {"x": {"tolerance": 0.0, **about}}}
  part = golden.stored_part(array, about)
  assert part.shape == shape
  (result,) = golden.compare(case, {"outputs/x": part}, {"x": array})
  assert result.passed and result.error == 0


def test_every_description_of_a_subsampled_output_is_understood():
  """Of all systems, with a runner or not."""
  described = 0
  for path in golden.PUBLIC.glob("*/*/case.json"):
    case = json.loads(path.read_text())
    for name, about in case.get("outputs", {}).items():
      whole = [
        int(n) for n in about.get("slice", "").rpartition("[")[2].rstrip("]").split(",") if n
      ]
      whole = whole if "slice" in about else about.get("shape")
      if "slice" in about or "stored" in about:
        with np.load(path.parent / "arrays.npz") as arrays:
          stored = arrays[f"outputs/{name}"].shape
        found = golden.stored_part(np.broadcast_to(0, whole), about).shape
        assert found == stored, f"{path.parent}: {name}"
        described += 1
  assert described > 100


def test_unreadable_descriptions_are_errors():
  with pytest.raises(AttributeError):
    golden.stored_part(np.zeros((4, 4)), {"stored": "some rows"})
  with pytest.raises(ValueError):
    golden.stored_part(np.zeros((4, 4)), {"slice": "[every row]"})


def gradient_case(**more):
  norms = {"a": 3.0, "b": 4.0, "zero": 0.0, "unused": None}
  return {"grad_norms": norms, **more}


def gradient_errors(found, case, tolerance=1e-3, by_name=None):
  results = golden.compare_gradient_norms(
    case, found, "gradient", case["grad_norms"], tolerance, by_name or {}
  )
  return [result.name.removeprefix("gradient/") for result in results if not result.passed]


def test_gradient_norms():
  exact = {"a": 3.0, "b": 4.0, "zero": 0.0, "unused": 0.0}
  assert gradient_errors(exact, gradient_case()) == []
  assert gradient_errors(exact | {"a": 3.01}, gradient_case()) == ["a"]
  assert gradient_errors(exact | {"a": 3.01}, gradient_case(), by_name={"a": 0.01}) == []
  assert gradient_errors(exact | {"zero": 4e-5}, gradient_case()) == []  # total 5, floor 5e-5
  assert gradient_errors(exact | {"zero": 6e-5}, gradient_case()) == ["zero"]
  assert gradient_errors(exact | {"zero": 6e-5}, gradient_case(grad_norm_total=50)) == []
  assert gradient_errors(exact | {"unused": 1e-9}, gradient_case()) == ["unused"]
  assert gradient_errors(exact, gradient_case(no_grad=["b"])) == ["b"]
  with pytest.raises(KeyError, match="zero"):
    gradient_errors({"a": 3.0, "b": 4.0, "unused": 0.0}, gradient_case())


def test_float64_is_used_where_a_case_speaks_of_it(tmp_path):
  assert not golden.in_float64({}) and golden.parameter_dtype({}) is np.float32
  case = {"precision": "compare in float64 (jax_enable_x64): ...", "params": {}, "outputs": {}}
  assert golden.in_float64(case) and golden.parameter_dtype(case) is np.float64
  assert golden.output_tolerance(case, {"tol": 0.1, "tol64": 1e-5}) == 1e-5
  assert golden.output_tolerance({}, {"tol": 0.1, "tol64": 1e-5}) == 0.1
  assert golden.output_tolerance(case, {"tolerance": 0.2}) == 0.2
  folder = tmp_path / "geco" / "case"
  folder.mkdir(parents=True)
  (folder / "case.json").write_text(json.dumps(case))
  np.savez(
    folder / "arrays.npz", **{"inputs/x": np.ones(2, np.float32), "inputs/i": np.ones(2, int)}
  )
  arrays = golden.load(folder)[1]
  assert arrays["inputs/x"].dtype == np.float64 and arrays["inputs/i"].dtype == int


# Changed options are noticed

FORWARD = {  # a case of each system, without gradients, steps and samples
  "genesis": "default_32_k3_eval",
  "monet": "scope_burgess_32_k4_train",
  "vae": "deconv_32_noise_train",
}


@pytest.fixture
def forward(tmp_path):
  """Function from a system and an edit to the results of its changed case."""

  def results(system, edit=lambda case, arrays: None):
    folder = tmp_path / system / "case"
    shutil.copytree(golden.PUBLIC / system / FORWARD[system], folder)
    change(folder, lambda case, arrays: (only_forward(case), edit(case, arrays)))
    return runner.run_case(folder)

  return results


def only_forward(case):
  for name in [n for n in case if n.startswith(("grad_norm", "train_steps", "batch_norm"))]:
    del case[name]
  for name in [n for n in case["outputs"] if n.startswith("sample")]:
    del case["outputs"][name]


def setting(**flags):
  return lambda case, arrays: case["config"].update(flags)


@pytest.mark.parametrize(
  ("system", "edit", "expected"),
  [
    ("genesis", lambda case, arrays: case.update(mode="train"), {"mask_z_k", "recon", "err"}),
    ("monet", setting(prior_mode="softmax"), {"log_m_r_k", "kl_m", "loss"}),
    ("vae", setting(pixel_bound=False), {"recon", "err", "loss"}),
    ("vae", lambda case, arrays: arrays.pop("inputs/eps"), {"z", "recon", "kl_l"}),
  ],
  ids=["statistics of the batch", "mask decoder", "unbounded colours", "noise missing"],
)
def test_a_case_with_another_option_fails(forward, system, edit, expected):
  failed = {result.name for result in forward(system, edit) if not result.passed}
  assert expected <= failed


@pytest.mark.parametrize("system", FORWARD)
def test_the_same_case_unchanged_passes(forward, system):
  results = forward(system)
  assert len(results) >= 10 and all(result.passed for result in results)


@pytest.mark.parametrize(
  ("system", "flags", "message"),
  [
    ("genesis", {"autoreg_prior": False}, "6 unused: prior_linear.bias, .*"),
    ("genesis", {"comp_prior": False}, "6 unused: prior_mlp.0.bias"),
    ("genesis", {"enc_norm": "none"}, "unused: att_process.core.q_z_nn.0.g_norm.bias"),
    ("genesis", {"two_stage": False}, "missing: decoder.seq.1.bias"),
    ("genesis", {"K_steps": 4}, "std is .* but config.model has slots 4"),
    ("genesis", {"pixel_std1": 0.6}, "std is .* first_pixel_deviation 0.6"),
    ("genesis", {"comp_ldim": 15}, "comp_vae.encoder_module.module.11.bias"),
    ("genesis", {"montecarlo_kl": False}, "montecarlo_kl is False: this model needs it True"),
    ("monet", {"pixel_std2": 0.6}, "std is .* pixel_deviation 0.6"),
    ("monet", {"filter_start": 16}, "att_process.core.down.0.0.weight"),
    ("vae", {"broadcast_decoder": True}, "missing: vae.p_x_nn.1.seq.1.bias"),
    ("vae", {"latent_dimension": 5}, "vae.q_z_mean.weight"),
  ],
)
def test_weights_of_another_network_are_refused(forward, system, flags, message):
  with pytest.raises(InputError, match=message):
    forward(system, setting(**flags))


def test_running_statistics_are_compared():
  case, _ = golden.load(golden.PUBLIC / "genesis" / "default_32_k3_eval")
  model = genesis.model_config(elbo_training.published_flags(case))
  weights, found, norms = case["state_dict"], {}, {}
  for name, target in genesis.statistics_table(model).items():
    found[target.path] = weights[name]
    norms[name] = float(np.linalg.norm(weights[name].astype(np.float64)))
  found = flax.traverse_util.unflatten_dict(found, sep="/")

  def failed(norms):
    results = elbo_training.compare_statistics({"batch_norm_after": norms}, genesis, model, found)
    return [result.name for result in results if not result.passed]

  assert len(norms) == 40 and failed(norms) == []
  name = "att_process.core.p_x_nn.3.h_norm.running_var"
  assert failed(norms | {name: norms[name] * 1.001}) == [f"after/{name}"]


# GENESIS-V2 from any flags

FLAGS = {
  "feat_dim": 16,
  "kernel": "gaussian",
  "semiconv": True,
  "dynamic_K": False,
  "klm_loss": False,
  "detach_mr_in_klm": True,
  "autoreg_prior": True,
  "pixel_bound": True,
  "pixel_std1": 0.7,
  "pixel_std2": 0.7,
  "img_size": 32,
  "K_steps": 3,
  "beta": 1.0,
  "batch_size": 2,
}


def published_shape(target, shape):
  """Shape of a published tensor, from ours."""
  if target.rearrange is layouts.same:
    return shape
  order = {layouts.convolution: (3, 2, 0, 1), layouts.transposed_convolution: (2, 3, 0, 1)}
  return tuple(shape[i] for i in order.get(target.rearrange, range(len(shape))[::-1]))


def published_parameters(config):
  """`params` of a case for `config.model`."""
  image = jax.ShapeDtypeStruct((1, config["side"], config["side"], 3), np.float32)
  shapes = jax.eval_shape(make_task(config).init, jax.random.key(0), {"image": image})[0]
  flat = flax.traverse_util.flatten_dict(shapes, sep="/")
  return {
    name: {"shape": published_shape(target, flat[target.path].shape)}
    for name, target in importer.table(config).items()
  }


def make_case(root, flags, inputs, outputs, **more):
  """A case with expected outputs of zero; its results are far off but must be comparable."""
  case = {"config": FLAGS | flags, "outputs": {}, **more}
  case["params"] = published_parameters(model_config(case))
  arrays = {f"inputs/{name}": array for name, array in inputs.items()}
  for name, shape in outputs.items():
    case["outputs"][name] = {"shape": shape, "tolerance": 1e9}
    arrays[f"outputs/{name}"] = np.zeros(shape, np.float32)
  folder = root / "genesisv2" / "case"
  folder.mkdir(parents=True)
  (folder / "case.json").write_text(json.dumps(case))
  np.savez(folder / "arrays.npz", **arrays)
  return folder


def made_up_inputs(batch, side=32, slots=3, features=16, **eps):
  rng = np.random.default_rng(0)
  draws = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in eps.items()}
  return {
    "image": rng.uniform(size=(batch, 3, side, side)).astype(np.float32),
    "rand_pixel": rng.uniform(size=(batch, 1, side, side)).astype(np.float32),
    **draws,
  }


def assert_comparable(results, count):
  assert len(results) == count
  for result in results:
    assert np.isfinite(result.error), f"{result.name} has another shape or is not finite"


def test_a_case_of_plain_options_in_float64(tmp_path):
  """No gate, no learned prior, unbounded colours, undetached mask term, SGD, no samples."""
  flags = dict(semiconv=False, autoreg_prior=False, pixel_bound=False, klm_loss=True)
  flags |= dict(detach_mr_in_klm=False, pixel_std1=0.5, pixel_std2=0.5, kernel="epanechnikov")
  slots = {"log_m_k": 1, "m_k": 1, "log_s_k": 1, "x_r_k": 3, "log_m_r_k": 1}
  outputs = {name: (3, 2, channels, 32, 32) for name, channels in slots.items()}
  latents = ("mu", "sigma", "z", "pmu", "psigma")
  outputs |= {f"comp_{name}_k": (3, 2, 16) for name in latents}
  outputs |= {"recon": (2, 3, 32, 32), "colour": (2, 8, 32, 32), "seeds": (2, 2, 8)}
  outputs |= {"err": (2,), "kl_m": (2,), "kl_l_k": (3, 2)}
  outputs |= dict.fromkeys(("err_mean", "kl_m_mean", "kl_l_mean", "elbo", "loss", "mse"), ())
  folder = make_case(
    tmp_path,
    flags,
    made_up_inputs(2, eps=(3, 2, 16)),
    outputs,
    precision="compare in float64",
    train_steps=[{"err": 1.0, "kl_m": 1.0, "kl_l": 1.0, "beta": 1.0, "loss": 1.0, "err_ema": None}],
    train_steps_config={"optimiser": "sgd", "learning_rate": 1e-6, "geco": False},
    train_steps_tolerance=1e-4,
  )
  results = runner.run_case(folder)
  assert_comparable(results, len(outputs) + 5)
  errors = {result.name: result.error for result in results}
  assert errors["step 0 beta"] == 0
  # Relative to an expected 1 and an expected 0: the step's terms are those of the forward pass.
  for term in ("err", "kl_m", "kl_l"):
    assert errors[f"step 0 {term}"] == pytest.approx(abs(errors[f"{term}_mean"] - 1), rel=1e-6)


def test_a_single_image_that_needs_fewer_slots(tmp_path):
  """Its noise was recorded for the slots it needed; samples have slots of their own."""
  flags = dict(dynamic_K=True, batch_size=1, K_steps=6, kernel="laplacian")
  outputs = {"log_m_k": (2, 1, 1, 32, 32), "comp_z_k": (2, 1, 16), "seeds": (2, 1, 8)}
  outputs |= {"delta": (1, 2, 32, 32), "kl_l_k": (2, 1), "sample": (4, 3, 32, 32)}
  outputs |= {"sample_x_k": (5, 4, 3, 32, 32), "sample_log_m_k": (5, 4, 1, 32, 32)}
  folder = make_case(
    tmp_path,
    flags,
    made_up_inputs(1, eps=(2, 1, 16), sample_eps=(5, 4, 16)),
    outputs,
    constants={"att_process.log_sigma": 5.0, "att_process.colour_head.gate.gate": 0.0},
  )
  assert_comparable(runner.run_case(folder), len(outputs))


def test_one_slot(tmp_path):
  outputs = {"recon": (2, 3, 32, 32), "log_m_k": (1, 2, 1, 32, 32), "seeds": (0, 2, 8)}
  outputs |= {"sample": (2, 3, 32, 32)}
  folder = make_case(tmp_path, {"K_steps": 1, "feat_dim": 8}, made_up_inputs(2), outputs)
  assert_comparable(runner.run_case(folder), len(outputs))


def test_published_optimisers():
  """The published training script gives SGD a momentum, which PyTorch does not by default."""
  assert elbo_training.PUBLISHED_CONSTANTS == {"sgd": {"momentum": 0.9}}


def test_unequal_pixel_deviations_are_refused():
  with pytest.raises(InputError, match="pixel_std1 and pixel_std2 are 0.7 and 0.6"):
    model_config({"config": FLAGS | {"pixel_std2": 0.6}})
