"""Every config fits together and says how it is run; the smallest of each model is run.

To run all of them would take an hour: each has a network of its own shape to compile. The whole
train step of every config is traced instead, which finds all but wrong numbers. What is marked slow
is run on demand.
"""

import functools
import importlib
import json
import pathlib
import re

import jax
import pytest

from configs import genesis_repository, published, sections, variants
from data import prepare
from experiments import build
from objectcentric_jax.input.pipeline import train_batches
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.schedules import make_schedules
from objectcentric_jax.training.state import init_state
from objectcentric_jax.training.step import make_train_step
from tests.conftest import ROOT, finish, run, start

SHARED = {"__init__", "_base", "_generated", "_pursuit", "datasets", "genesis_repository"}
SHARED |= {"published", "sections", "variants"}
CONFIGS = sorted(
  path.relative_to(ROOT)
  for path in (ROOT / "configs").rglob("*.py")
  if path.stem not in SHARED and not path.stem.startswith("_")
)
every_config = pytest.mark.parametrize("path", CONFIGS, ids=str)


def load(path):
  return importlib.import_module(".".join(pathlib.Path(path).with_suffix("").parts))


def is_pursuit(path) -> bool:
  """Whether a config is of many trainings, which `experiments.pursuit` does."""
  return path.stem.startswith("pursuit_")


def variants_of(path) -> list[str]:
  """The names that an unknown variant's error offers."""
  with pytest.raises(ValueError, match="unknown variant 'smok'; there are: smoke") as caught:
    load(path).get_config("smok")
  return str(caught.value).partition("there are: ")[2].split(", ")


def sides(model) -> set[int]:
  """The sizes of pictures that a model is told."""
  return {model[name] for name in ("side", "height", "width") if name in model}


def smallest_of_each_task() -> list[pathlib.Path]:
  def pixels(path):
    config = load(path).get_config()
    return config.data.side**2 * config.model.get("slots", 1)

  by_task = {load(path).get_config().task: path for path in sorted(CONFIGS, key=pixels)[::-1]}
  return sorted(by_task.values())


def test_all_configs_are_found():
  for path in ("quickstart", "genesis_v2/multi_dsprites", "genesis/gqn", "monet/clevr", "vae/gqn"):
    assert pathlib.Path(f"configs/{path}.py") in CONFIGS


@every_config
def test_header_holds_the_commands(path):
  """How to train it, in a line that can be pasted."""
  header, command = load(path).__doc__, "pursuit" if is_pursuit(path) else "train"
  line = rf"^python -m experiments\.{command} --config {path} --workdir \S+$"
  assert re.search(line, header, re.M)
  first = header.splitlines()[0]
  assert first.endswith(".") and len(first) > 20


@every_config
def test_has_the_sections_of_the_package(path):
  config, base = load(path).get_config(), sections.base()
  assert set(config) == set(base) | ({"pursuit"} if is_pursuit(path) else set())
  for section in ("data", "train", "eval"):
    assert set(config[section]) == set(base[section]), section
  assert importlib.util.find_spec(config.task)
  assert sides(config.model) <= {config.data.side}
  config.data.side = 2 * config.data.side
  assert sides(config.model) <= {config.data.side}  # one setting, not two
  assert config.eval.best.lstrip("-") and config.data.name and config.train.updates
  json.dumps(config.to_dict())  # is stored in the workdir


@every_config
def test_fields_and_types_are_locked(path):
  config = load(path).get_config().lock()
  with pytest.raises(AttributeError):
    config.train.step = 3
  with pytest.raises(TypeError):
    config.train.steps = "many"
  with pytest.raises(TypeError):
    config.data.side = 64.5


@every_config
def test_smoke_changes_how_much_and_not_what(path):
  config, smoke = load(path).get_config(), load(path).get_config("smoke")
  assert smoke.model.to_dict() == config.model.to_dict()
  assert smoke.train.updates == config.train.updates
  assert (smoke.train.steps, smoke.data.name) == (2, "generated")
  assert smoke.data.preprocess == config.data.preprocess


@every_config
def test_its_dataset_can_be_prepared_and_its_header_says_how(path):
  data = load(path).get_config().data
  commands = re.findall(r"^python -m data\.prepare (\S+) --from RAW$", load(path).__doc__, re.M)
  for name in data.name.split("+") + [part["name"] for part in data.mixture]:
    dataset, _, variant = name.partition("/")
    assert dataset in prepare.dataset_names()
    builder = importlib.import_module(f"data.{dataset}.{dataset}_dataset_builder").Builder
    assert builder.config_named(variant or builder.DEFAULT_CONFIG).name == variant
    if not prepare.can_generate(name):
      asked = [command.partition("/") for command in commands]
      assert (dataset, variant) in [(a[0], a[2] or builder.DEFAULT_CONFIG) for a in asked]


def program(config) -> str:
  """What the train step depends on: configs that differ in their data alone have the same one."""
  fields = config.to_dict()
  for name in ("name", "directory", "by_object"):
    del fields["data"][name]
  return json.dumps([fields[section] for section in ("task", "model", "data", "train")])


def paths_and_variants() -> list[tuple[pathlib.Path, str]]:
  """Every config that has a program of its own, and every variant that a task has once."""
  found, programs = {}, {}
  for path in CONFIGS:
    programs.setdefault(program(load(path).get_config("smoke")), (path, ""))
    for variant in sorted(set(variants_of(path)) - {"smoke"}):
      found.setdefault((load(path).get_config().task, variant), (path, variant))
  return [*programs.values(), *found.values()]


# Tracing a loop over frames of a hundred layers takes a quarter of a minute.
SLOW_TO_TRACE = ("configs/scalor/*", "configs/loci/*")
# All but two of the families need a minute to compile what trains, scores and draws.
QUICK_TO_TRAIN = ("configs/quickstart.py", "configs/vae/*")


def matches(path, patterns) -> bool:
  return any(path.match(pattern) for pattern in patterns)


def slow_if(slow: bool, *values) -> pytest.param:
  """The values as parameters of a test that is marked slow, or not."""
  return pytest.param(*values, marks=[pytest.mark.slow] * slow)


@pytest.mark.parametrize(
  ("path", "variant"),
  [slow_if(matches(path, SLOW_TO_TRACE), path, name) for path, name in paths_and_variants()],
  ids=str,
)
def test_its_train_step_fits_its_data(path, variant):
  """Traced at the size of the smoke variant."""
  config = load(path).get_config(variant)
  variants.smoke(config)
  reports = traced_reports(config.to_dict())
  assert set(config.train.headline) <= set(reports)
  assert {report.shape for report in reports.values()} == {()}


def traced_reports(config):
  """Shapes of what the first step would report."""
  data, train = config["data"], config["train"]
  task = build.make_task(config)
  examples = build.open_examples(config, "train", training=True)
  batch = next(train_batches(examples, data["batch_size"], seed=0, chunk=data["chunk"]))
  shape = (data["batch_size"], data["side"], data["side"], 3)
  pictures = [batch[name] for name in ("image", "video") if name in batch]
  assert pictures and all(picture.shape[:1] + picture.shape[-3:] == shape for picture in pictures)
  if data["chunk"] or data["frames"]:
    assert batch["video"].shape[1] == (data["chunk"] or data["frames"])
  updates = make_updates(train["updates"], list(task.losses))
  step = make_train_step(task, updates, make_schedules(train["schedules"]))
  state = jax.eval_shape(functools.partial(init_state, task, updates), jax.random.key(0), batch)
  after, reports = jax.eval_shape(step, state, batch)
  assert jax.tree.map(as_type, after) == jax.tree.map(as_type, state)
  return reports


def as_type(leaf):
  return (leaf.shape, leaf.dtype)


@pytest.mark.parametrize(
  "path",
  [slow_if(not matches(path, QUICK_TO_TRAIN), path) for path in smallest_of_each_task()],
  ids=str,
)
def test_trains_two_steps_and_is_scored(path, tmp_path):
  workdir, model = tmp_path / "run", load(path).get_config().model
  rolled = ["--config.model.unroll=1"] * ("unroll" in model)  # compiles in less time
  run("experiments.train", "--config", f"{path}:smoke", "--workdir", workdir, *rolled)
  reports = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
  assert {report["step"] for report in reports} == {1, 2}
  result = json.loads((workdir / "evaluation-test.json").read_text())
  assert result["step"] == 2 and result["images"] == 8
  config = load(path).get_config("smoke")
  assert config.eval.best.lstrip("-") in result["scores"]
  assert set(config.eval.headline) <= set(result["scores"])
  assert set(config.train.headline) <= set().union(*reports)
  assert (workdir / "images" / "reconstruction.png").stat().st_size > 0


def test_unknown_variants_and_fields_are_one_line_errors(tmp_path):
  config = "configs/genesis_v2/multi_dsprites.py"
  for arguments, message in (
    ([f"--config={config}:smok"], "unknown variant 'smok'; there are: smoke"),
    ([f"--config={config}", "--config.model.slot=3"], "slot"),
    ([f"--config={config}", "--config.model.slots=some"], "slots"),
  ):
    arguments = ("experiments.train", "--workdir", tmp_path / "x", *arguments)
    status, _, errors = finish(start(*arguments))
    assert status == 1 and errors.startswith("error: ") and message in errors, errors
    assert len(errors.splitlines()) == 1
  assert not (tmp_path / "x").exists()


def test_variants_of_a_config_are_offered_beside_smoke():
  def laptop(config):
    config.train.steps = 7

  assert variants.apply(sections.base(), "laptop", laptop=laptop).train.steps == 7
  with pytest.raises(ValueError, match="there are: smoke, laptop"):
    variants.apply(sections.base(), "huge", laptop=laptop)


# The settings of applied-ai-lab/genesis


@pytest.mark.parametrize("model", published.CHECKPOINTS)
def test_published_checkpoints_have_a_config_of_their_model(model):
  importer = importlib.import_module(f"objectcentric_jax.checkpoint_import.{model}")
  for name, config in published.CHECKPOINTS[model].items():
    path, _, variant = config.partition(":")
    assert load(path).get_config(variant).task == importer.MODULE
    for file in (f"somewhere/{name}.pth", f"{name}/model_000160001.pth"):
      assert published.config_of(model, file) == config
  assert published.config_of(model, "other.pth") is None


def schedules_of(config):
  return make_schedules(config.train.schedules.to_dict())


SLOTS = {
  "multi_dsprites": (64, 5),
  "gqn": (64, 7),
  "shapestacks": (64, 9),
  "objects_room": (64, 7),
  "colored_sprites": (64, 5),
  "clevr": (128, 11),
  "tetrominoes": (32, 4),
  "sketchy": (128, 10),
  "apc": (128, 10),
}
FAMILY = [path for path in CONFIGS if path.parent.name in ("genesis", "genesis_v2", "monet", "vae")]


@pytest.mark.parametrize("path", FAMILY, ids=str)
def test_sizes_and_goals_are_the_published_ones(path):
  config = load(path).get_config()
  side, slots = SLOTS[path.stem]
  assert config.data.side == side and config.model.get("slots", slots) == slots
  assert (config.train.steps, config.data.batch_size) == (500_001, 32)
  special = path == pathlib.Path("configs/genesis_v2/sketchy.py")
  assert config.model.geco.goal == (0.5645 if special else 0.5655)
  has_labels = any(name.startswith("segmentation") for name in config.data.fields)
  assert has_labels == (path.parent.name != "vae" and path.stem not in ("gqn", "sketchy"))
  assert has_labels == (config.eval.best != "-elbo")


def test_published_variants():
  burgess = load("configs/monet/objects_room.py").get_config("burgess")
  assert (burgess.train.steps, burgess.data.batch_size) == (1_000_001, 64)
  assert (burgess.model.first_pixel_deviation, burgess.model.pixel_deviation) == (0.09, 0.11)
  assert not burgess.model.geco.use and burgess.train.schedules.beta == 0.5
  (update,) = burgess.train.updates
  assert update["groups"][""] == {"name": "rmsprop", "rate": 1e-4}
  rooms = load("configs/genesis/objects_room.py")
  assert rooms.get_config("symmetric").model.symmetric_components
  assert not rooms.get_config("one_stage").model.two_stage
  assert not rooms.get_config("independent").model.component_prior
  assert load("configs/vae/gqn.py").get_config("broadcast").model.decoder_kind == "broadcast"


def test_the_weight_of_the_divergence_can_rise_as_published():
  """beta t / (0.2 steps), at most beta; the published count of steps is one less than ours."""
  config = load("configs/genesis/gqn.py").get_config("beta_warmup")
  assert not config.model.geco.use
  weight = schedules_of(config)["beta"]
  for step, expected in ((0, 0.0), (30_000, 0.15), (100_000, 0.5), (500_000, 0.5)):
    assert float(weight(step)) == pytest.approx(expected)
  config = genesis_repository.base()
  config.train.steps, config.train.schedules.beta = 1001, 2.0
  genesis_repository.beta_warmup(config)
  assert float(schedules_of(config)["beta"](150)) == pytest.approx(1.5)
