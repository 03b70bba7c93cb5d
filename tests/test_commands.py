"""Commands: bad input is one line on standard error and a failed exit; good input works."""

import concurrent.futures
import json
import shutil

import numpy as np
import pytest

from tests import conftest

TRAIN, EVALUATE, VISUALISE, EXPORT = (
  f"experiments.{name}" for name in ("train", "evaluate", "visualise", "export")
)
SET = f"--config.data.name=multi_dsprites/{conftest.SMALL_SET}"
DIVERGING = "({'loss':'elbo','clip':0.0,'groups':{'':{'name':'adam','rate':1e999}}},)"

# Name: the command, its arguments, and words of the one line. {run} is a finished run, {set} the
# folder of a prepared set, {folder} a place for files of the case's own.
BAD = {
  "unknown field": (TRAIN, ["--config.model.slotz=3"], ["slotz", 'Did you mean "slots"']),
  "unknown section": (TRAIN, ["--config.modle.slots=3"], ["modle", 'Did you mean "model"']),
  "wrong type": (TRAIN, ["--config.model.slots=three"], ["--config.model.slots=three"]),
  "missing config": (TRAIN, ["--config=configs/nosuch.py"], ["configs/nosuch.py"]),
  "unknown variant": (TRAIN, ["--config=configs/quickstart.py:huge"], ["'huge'", "smoke"]),
  "no workdir": (EVALUATE, [], ["--workdir"]),
  "unknown flag": (TRAIN, ["--wrokdir=x"], ["wrokdir"]),
  "indivisible batch": (
    TRAIN,
    ["--config.data.batch_size=12", "devices=8"],
    ["config.data.batch_size is 12", "8 devices"],
  ),
  "indivisible evaluation": (
    TRAIN,
    ["--config.eval.batch_size=4", "devices=8"],
    ["config.eval.batch_size is 4", "8 devices"],
  ),
  "empty batch": (TRAIN, ["--config.data.batch_size=0"], ["config.data.batch_size"]),
  "unknown dataset": (
    TRAIN,
    ["--config.data.name=multi_dspritez"],
    ["'multi_dspritez'", "did you mean multi_dsprites"],
  ),
  "unknown dataset variant": (TRAIN, ["--config.data.name=multi_dsprites/foo"], ["'foo'"]),
  "unprepared dataset": (
    EVALUATE,
    ["--workdir={folder}/unprepared"],
    ["is not at", "python -m data.prepare multi_dsprites/"],
  ),
  "truncated shard": (
    TRAIN,
    [SET, "--config.data.directory={folder}/truncated"],
    ["truncated", "array_record", "--overwrite"],
  ),
  "altered shard": (
    EVALUATE,
    ["--workdir={folder}/on_altered"],
    ["altered", "array_record", "--overwrite"],
  ),
  "missing shard": (
    TRAIN,
    [SET, "--config.data.directory={folder}/missing"],
    ["lacks", "array_record", "--overwrite"],
  ),
  "unknown split": (
    TRAIN,
    [SET, "--config.data.directory={set}", "--config.eval.split=tset"],
    ["'tset'", "train, validation"],
  ),
  "too many images": (EVALUATE, ["--workdir={run}", "--images=100"], ["100", "64"]),
  "another config": (
    TRAIN,
    ["--workdir={run}", "--config.model.features=16"],
    ["config.model.features was 8, now 16", "{run}"],
  ),
  "video of images": (
    VISUALISE,
    ["--workdir={run}", "--what=video"],
    ["--what video", "dataset generated has still images"],
  ),
  "no such component": (
    VISUALISE,
    ["--workdir={run}", "--what=traversal", "--component=4"],
    ["--component is 4", "3 components"],
  ),
  "component of samples": (
    VISUALISE,
    ["--workdir={run}", "--what=samples", "--component=1"],
    ["--component is for --what traversal, not samples"],
  ),
  "separate data": (
    VISUALISE,
    ["--workdir={run}", "--what=data", "--separate"],
    ["--separate is for other kinds than --what data, traversal, video"],
  ),
  "unknown picture": (VISUALISE, ["--workdir={run}", "--what=latents"], ["latents", "traversal"]),
  "no boxes": (EXPORT, ["--workdir={run}", "--what=boxes"], ["--what boxes", "has no boxes"]),
  "no run": (EVALUATE, ["--workdir={folder}"], ["{folder} is not a workdir"]),
  "damaged config": (EVALUATE, ["--workdir={folder}/damaged"], ["config.json is damaged"]),
  "another model": (
    EVALUATE,
    ["--workdir={folder}/other"],
    ["of another model", "params/decoder", "(5, 5, 10, 8)", "(5, 5, 18, 16)"],
  ),
  "no checkpoint": (EVALUATE, ["--workdir={folder}/empty"], ["no finished checkpoint"]),
  "unknown parallel": (TRAIN, ["--config.train.parallel=nonsense"], ["'nonsense'", "jit, pmap"]),
  "unknown task": (TRAIN, ["--config.task=objectcentric_jax.models.nosuch"], ["nosuch"]),
  "wrong process": (TRAIN, ["--processes=2", "--process=2"], ["--process is 2"]),
  "no coordinator": (TRAIN, ["--processes=2"], ["--coordinator"]),
  "divergence": (
    TRAIN,
    [f"--config.train.updates={DIVERGING}"],
    ["step 1: parameter_norm is nan", "last good checkpoint"],
  ),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory, small_set):
  """A finished run with fewer slots than its scenes ask for, and damaged copies of things."""
  folder = tmp_path_factory.mktemp("commands")
  run = folder / "run"
  out = conftest.run(TRAIN, *conftest.TINY, "--workdir", run)
  warnings = [line for line in out.splitlines() if line.startswith("warning:")]
  assert len(warnings) == 1 and "config.model.slots is 3" in warnings[0]
  assert "up to 4 objects" in warnings[0] and "done in" in out
  for name in ("damaged", "other", "empty", "unprepared", "on_altered"):
    shutil.copytree(run, folder / name)
  (folder / "damaged" / "config.json").write_text('{"seed": 0, ')
  edit(folder / "other", "model", features=16)
  shutil.rmtree(folder / "empty" / "checkpoints" / "2")
  edit(folder / "unprepared", "data", name="multi_dsprites/64px_1-2", directory=str(folder))
  altered = {"name": f"multi_dsprites/{conftest.SMALL_SET}", "directory": str(folder / "altered")}
  edit(folder / "on_altered", "data", **altered)
  for name in ("truncated", "altered", "missing"):
    shutil.copytree(small_set, folder / name)
    shard = next((folder / name).rglob("*test.array_record-00000*"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    if name == "missing":
      shard.unlink()
    else:
      shard.write_bytes(content[:-100] if name == "truncated" else content)
  return {"run": str(run), "set": str(small_set), "folder": str(folder)}


def edit(workdir, section, **fields):
  config = json.loads((workdir / "config.json").read_text())
  config[section] |= fields
  (workdir / "config.json").write_text(json.dumps(config))


@pytest.fixture(scope="module")
def outcomes(places, tmp_path_factory):
  """Status, output and errors of every bad command, two at a time."""

  def outcome(name):
    module, arguments, _ = BAD[name]
    words = [argument.format(**places) if "={" in argument else argument for argument in arguments]
    devices = 8 if "devices=8" in words else 1
    words = [word for word in words if word != "devices=8"]
    if module == TRAIN:
      default = [*conftest.TINY, f"--workdir={tmp_path_factory.mktemp('bad') / 'run'}"]
      words = [*default, *words]
    return conftest.finish(conftest.start(module, *words, devices=devices))

  with concurrent.futures.ThreadPoolExecutor(2) as pool:
    return dict(zip(BAD, pool.map(outcome, BAD), strict=True))


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line(outcomes, places, name):
  status, _, errors = outcomes[name]
  assert status == 1, errors
  assert errors.count("\n") == 1 and errors.startswith("error: "), errors
  for word in BAD[name][2]:
    assert word.format(**places) in errors


def test_debug_shows_where_an_error_is_from(places):
  arguments = ("--workdir", places["folder"], "--debug")
  status, _, errors = conftest.finish(conftest.start(EVALUATE, *arguments))
  assert status == 1
  assert errors.startswith("Traceback") and "read_config" in errors
  assert "InputError: " in errors.splitlines()[-1]


@pytest.mark.parametrize(
  "module",
  [
    "train",
    "evaluate",
    "visualise",
    "export",
    "fid",
    "import_checkpoint",
    "speed",
    "suggest",
    "convolution_speed",
  ],
)
def test_help(module):
  out = conftest.run(f"experiments.{module}", "--help")
  assert f"python -m experiments.{module}" in out
  for flag in ("--[no]compilation_cache:", "--debug:"):
    assert flag in out


def test_evaluation_of_a_run(places, tmp_path):
  out = tmp_path / "deep" / "scores.json"
  text = conftest.run(EVALUATE, "--workdir", places["run"], "--images", 6, "--out", out)
  result = json.loads(out.read_text())
  assert {"ari", "fg_ari", "msc", "elbo", "mse"} <= set(result["scores"])
  assert result["images"] == 6 and result["step"] == 2 and result["checkpoint"] == "last"
  assert result["dataset"]["split"] == "test" and result["dataset"]["background_ids"] == [0]
  assert result["seed"] == 0 and str(out) in text
  for name, value in result["scores"].items():
    assert f"{name} " in text and f"{value:.4f}" in text


def test_pictures_of_a_run(places, tmp_path):
  names = []
  for what in ("data", "reconstruction", "samples", "traversal"):
    separate = ["--separate"] if what in ("reconstruction", "samples") else []
    arguments = ("--workdir", places["run"], "--what", what, "--out", tmp_path, "--images", 2)
    out = conftest.run(VISUALISE, *arguments, *separate)
    assert f"picture: {tmp_path / what}" in out
    names += [what, f"{what}-000", f"{what}-001"]
  whole = {"image": 5, "sample": 2}  # input, labels, reconstruction and two segmentations
  parts = {"image": 6, "sample": 5}  # masked, component, mask, (attention,) scope, step
  found = {path.stem for path in tmp_path.iterdir() if path.suffix == ".png"}
  assert set(names) - found == {"traversal", "data-000", "data-001"}
  for kind in whole:
    single = [name for name in found if name.startswith(f"{kind}-001_")]
    assert len(single) == whole[kind] + 3 * parts[kind]
  assert {"image-000_component-3", "sample-001_step-2"} <= found


def test_export_of_a_run(places, tmp_path):
  arguments = ("--workdir", places["run"], "--what", "latents", "--out", tmp_path, "--images", 5)
  out = conftest.run(EXPORT, *arguments)
  assert f"latents of 5 examples: {tmp_path}/latents.csv and 1 more" in out
  with np.load(tmp_path / "latents.npz") as arrays:
    assert arrays["latents"].shape[:2] == (5, 3) and arrays["index"].tolist() == list(range(5))
    last = arrays["latents"][4, 2]
  header, *lines = (tmp_path / "latents.csv").read_text().splitlines()
  assert header.startswith("example,component,latent_0,latent_1,") and len(lines) == 5 * 3
  example, component, *values = lines[-1].split(",")
  assert (example, component) == ("4", "2")
  np.testing.assert_array_equal(np.array(values, np.float32), last)
