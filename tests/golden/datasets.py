"""Golden cases `datasets`: raw files in the published layouts, and the arrays read from them.

One module a case, `dataset_cases/<folder of the case>.py`, with
`check(case, arrays, raw) -> [Result]`: it builds records from the folder `raw` as `data.prepare`
does, reads them back and compares them with the arrays.
"""

import importlib
import pathlib

import numpy as np

from tests.golden.case import Result

CASES = pathlib.Path(__file__).parent / "dataset_cases"


def check(case: dict, arrays: dict[str, np.ndarray]) -> list[Result]:
  """Compares what the builder of a case reads; the case's folder is under `case["folder"]`."""
  folder = pathlib.Path(case["folder"])
  if not (CASES / f"{folder.name}.py").is_file():
    known = ", ".join(sorted(path.stem for path in CASES.glob("[!_]*.py")))
    raise KeyError(f"no check for the raw format {folder.name!r}; there are: {known}")
  module = importlib.import_module(f"tests.golden.dataset_cases.{folder.name}")
  return module.check(case, arrays, folder / "raw")
