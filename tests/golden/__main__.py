"""python -m tests.golden [ROOT] [--only SYSTEM]: every case of every known system below ROOT."""

import argparse
import importlib
import pathlib
import time
import traceback

import jax

from tests.golden import case as golden


def systems() -> list[str]:
  """Systems with a runner: one module each beside this file."""
  here = pathlib.Path(__file__).parent
  shared = {"__init__", "__main__", "case", "elbo_training", "loci_sequence", "pursuit_flow"}
  return sorted(path.stem for path in here.glob("*.py") if path.stem not in shared)


def find_cases(root: pathlib.Path, only: str | None = None) -> list[pathlib.Path]:
  """Folders of the cases whose system has a runner."""
  known = systems() if only is None else [only]
  return [path.parent for name in known for path in sorted((root / name).glob("*/case.json"))]


def run_case(folder: pathlib.Path) -> list[golden.Result]:
  """All comparisons of one case."""
  case, arrays = golden.load(folder)
  module = importlib.import_module(f"tests.golden.{folder.parent.name}")
  with jax.enable_x64(golden.in_float64(case)):
    results = [golden.Result(*result) for result in module.check(case, arrays)]
  if not results:
    raise ValueError("the case has nothing to compare")
  return results


def report(folder: pathlib.Path) -> bool:
  """Runs a case and prints its line; true when everything is within tolerance."""
  name, start = f"{folder.parent.name}/{folder.name}", time.perf_counter()
  try:
    results = run_case(folder)
  except Exception as error:
    traceback.print_exc()
    print(f"{name:<48} failed: {type(error).__name__}: {error}", flush=True)
    return False
  worst = max(results, key=lambda result: result.share)
  passed = all(result.passed for result in results)
  print(
    f"{name:<48} {len(results):4d} compared, worst {worst.name} {worst.error:.2e} "
    f"(tolerance {worst.tolerance:.0e}) {'ok' if passed else 'FAILED'} "
    f"{time.perf_counter() - start:.0f} s",
    flush=True,
  )
  if not passed:
    for result in results:
      if not result.passed:
        print(f"    {result.name} {result.error:.3e} > {result.tolerance:.1e}")
  return passed


def main():
  parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
  parser.add_argument("root", nargs="?", type=pathlib.Path, default=golden.PUBLIC)
  parser.add_argument("--only", metavar="SYSTEM", help="run the cases of one system")
  arguments = parser.parse_args()
  if arguments.only and arguments.only not in systems():
    parser.error(f"no runner for system {arguments.only!r}; there are {', '.join(systems())}")
  cases = find_cases(arguments.root, arguments.only)
  if not cases:
    parser.error(f"no case of a known system below {arguments.root}")
  found = {path.name for path in arguments.root.iterdir() if path.is_dir()}
  unknown = sorted(found - set(systems()) - {"__pycache__"})
  if unknown and not arguments.only:
    print(f"no runner yet for: {', '.join(unknown)}")
  passed = sum(report(folder) for folder in cases)
  print(f"{passed} passed, {len(cases) - passed} failed")
  raise SystemExit(passed < len(cases))


if __name__ == "__main__":
  main()
