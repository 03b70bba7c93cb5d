"""Who may import whom, and that shared code knows no model by name."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = "objectcentric_jax"
TOP_LEVEL = (LIBRARY, "data", "configs", "experiments")
SHARED = tuple(
  f"{LIBRARY}/{part}" for part in ("nn", "losses", "metrics", "plots", "training", "input")
)
# What trains and is evaluated: runs wherever JAX does.
CORE = (
  *(f"{LIBRARY}/{part}" for part in ("models", "nn", "losses", "metrics", "scene.py")),
  *(
    f"{LIBRARY}/training/{name}.py"
    for name in ("step", "task", "state", "optimizers", "schedules", "devices")
  ),
)
CORE_LIBRARIES = {"jax", "flax", "optax", "numpy", "orbax", "ml_dtypes"}  # the last is JAX's own
# Extras, imported when what needs them is asked for.
CORE_EXTRAS = {(f"{LIBRARY}/metrics/tracking.py", "motmetrics")}
ABSENT_FOR_MODELS = ("motmetrics", "tensorflow_datasets", "grain", "ml_collections", "clu", "PIL")
NEVER = ("tensorflow", "torch", "torchvision")

# (files or folders, what they must not import)
FORBIDDEN = [
  (TOP_LEVEL, NEVER),
  ((LIBRARY,), ("data", "configs", "experiments", "tests")),
  (("data",), (f"{LIBRARY}.input", "experiments", "tests")),
  (SHARED, (f"{LIBRARY}.models", f"{LIBRARY}.checkpoint_import")),
  (
    (f"{LIBRARY}/nn", f"{LIBRARY}/losses"),
    tuple(f"{LIBRARY}.{part}" for part in ("training", "metrics", "plots", "input")),
  ),
]

# "space" and "loci" are also parts of ordinary words (linspace, depth_to_space, velocity).
MODEL_NAME = re.compile(
  r"vae|monet|genesis|scalor|pursuit|(?<![a-z])(?-i:loci|Loci|LOCI)(?-i:(?![a-z]))"
  r"|(?<![^./])space(?![^./])",
  re.IGNORECASE,
)


def sources(*places: str) -> list[Path]:
  """The Python files at or under the places, relative to the repository root."""
  found = [
    file
    for place in places
    for file in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))
    if file.exists()
  ]
  return sorted({file.relative_to(ROOT) for file in found})


def imports(source: str, package: str) -> set[str]:
  """The dotted names that a module of `package` imports anywhere in its text.

  `from a import b` gives both a and a.b, since b may be a module. Calls of `import_module` with a
  literal count.
  """
  found = set()
  for node in ast.walk(ast.parse(source)):
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
      module = ".".join([*above, *([node.module] if node.module else [])])
      found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
      if ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
        found.add(str(node.args[0].value))
  return found


def imports_of(file: Path) -> set[str]:
  return imports((ROOT / file).read_text(), ".".join(file.parent.parts))


def within(name: str, package: str) -> bool:
  return name == package or name.startswith(f"{package}.")


def reachable(files: list[Path]) -> set[Path]:
  """The files of the library that importing `files` runs, themselves included."""
  known, waiting = set(), list(files)
  while waiting:
    file = waiting.pop()
    if file in known:
      continue
    known.add(file)
    for name in imports_of(file):
      parts = name.split(".")
      if parts[0] == LIBRARY:
        folders = [Path(*parts[: i + 1]) for i in range(len(parts))]
        candidates = [folder / "__init__.py" for folder in folders] + [
          Path(*parts[:-1], f"{parts[-1]}.py")
        ]
        waiting += [candidate for candidate in candidates if (ROOT / candidate).exists()]
  return known


def model_names(source: str) -> set[str]:
  """Identifiers and strings of the source that name a model; docstrings and comments may."""
  tree = ast.parse(source)
  docstrings = {
    id(node.value)
    for node in ast.walk(tree)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
  }
  words = set()
  for node in ast.walk(tree):
    if (
      isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ):
      words.add(node.value)
    for field in ("id", "attr", "name", "arg", "asname", "module"):
      if isinstance(word := getattr(node, field, None), str):
        words.add(word)
  return {word for word in words if MODEL_NAME.search(word)}


@pytest.mark.parametrize("places, forbidden", FORBIDDEN, ids=lambda value: " ".join(value))
def test_forbidden_imports(places, forbidden):
  broken = [
    f"{file} imports {name}"
    for file in sources(*places)
    for name in sorted(imports_of(file))
    if any(within(name, package) for package in forbidden)
  ]
  assert broken == []


def test_core_needs_only_jax_and_its_kin():
  files = sources(*CORE)
  assert len(files) > 10
  allowed = CORE_LIBRARIES | {LIBRARY} | sys.stdlib_module_names
  broken = [
    f"{file} imports {name}"
    for file in sorted(reachable(files))
    for name in sorted(imports_of(file))
    if name.split(".")[0] not in allowed and (str(file), name) not in CORE_EXTRAS
  ]
  assert broken == []


def test_configs_are_plain_data():
  allowed = {"ml_collections", "configs"} | sys.stdlib_module_names
  broken = [
    f"{file} imports {name}"
    for file in sources("configs")
    for name in sorted(imports_of(file))
    if name.split(".")[0] not in allowed and (str(file), name) not in CORE_EXTRAS
  ]
  assert broken == []


def test_shared_code_names_no_model():
  files = [
    file for file in sources(LIBRARY) if file.parts[1] not in ("models", "checkpoint_import")
  ]
  assert len(files) > 10
  broken = {
    str(file): sorted(names) for file in files if (names := model_names((ROOT / file).read_text()))
  }
  assert broken == {}


def dotted(file: Path) -> str:
  parts = file.with_suffix("").parts
  return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODELS = [dotted(file) for file in sources(f"{LIBRARY}/models")]

# Imports every module named in its arguments while some packages cannot be found. One process for
# all of them, as importing JAX takes most of the time; a failed import is not remembered.
IMPORT_WITHOUT = """
import importlib, json, sys, traceback

class Absent:
  def find_spec(name, path=None, target=None):
    if name.split(".")[0] in absent:
      raise ModuleNotFoundError(f"{name} is made absent by this test")

absent, names = json.loads(sys.argv[1]), json.loads(sys.argv[2])
sys.meta_path.insert(0, Absent)
failures = {}
for name in names:
  try:
    importlib.import_module(name)
  except ImportError:
    failures[name] = traceback.format_exc()
print(json.dumps(failures))
"""


def failed_imports(names, absent) -> dict[str, str]:
  arguments = [json.dumps(list(absent)), json.dumps(list(names))]
  process = subprocess.run(
    [sys.executable, "-c", IMPORT_WITHOUT, *arguments],
    cwd=ROOT,
    capture_output=True,
    text=True,
    check=True,
  )
  return json.loads(process.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def failures():
  return failed_imports(MODELS, (*ABSENT_FOR_MODELS, *NEVER))


@pytest.mark.parametrize("module", MODELS)
def test_models_import_without_data_and_config_libraries(module, failures):
  assert module not in failures, failures[module]


# The checks themselves


def test_absent_packages_are_seen():
  names = ["json", "xml.dom", "csv"]
  assert set(failed_imports(names, ["xml", "_csv"])) == {"xml.dom", "csv"}


def test_imports_are_found_wherever_they_stand():
  source = """
import a.b, c as d
from .sibling import thing
from ..uncle import other
from . import near
def f():
  from e import g
  importlib.import_module("h.i")
  importlib.import_module(name)
"""
  assert imports(source, "pack.inner") == {
    *("a.b", "c", "pack.inner.sibling", "pack.inner.sibling.thing", "pack.uncle"),
    *("pack.uncle.other", "pack.inner", "pack.inner.near", "e", "e.g", "h.i"),
  }
  assert within("data.png", "data") and not within("database", "data")


def test_model_names_are_told_from_ordinary_words():
  source = '''
"""SPACE (Lin et al., 2020) and GENESIS."""
def velocity(linspace, depth_to_space, colour_space):
  """As in Loci."""
  raise ValueError("no space left at this location")  # MONet
'''
  assert model_names(source) == set()
  for name in ("GenesisV2", "vae", "MONet", "is_scalor", "ObjectPursuit", "LociTask", "loci_step"):
    assert model_names(f"{name} = 1") == {name}
    assert model_names(f"f({name}=1)") == {name}
  for word in ("space", "SPACE", "models.space", "configs/space/atari.py", "a Loci model"):
    assert model_names(f"x = {word!r}") == {word}
