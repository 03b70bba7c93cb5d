"""Errors that users can cause or must know of, and how commands report them."""

import difflib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

DEBUG_FLAG = "--debug"


class InputError(ValueError):
  """A file, field or flag that cannot be used.

  The message is one line: it names the thing, the value found and what to do about it.
  """


class Diverged(RuntimeError):
  """Training produced a number that is not finite; the message names the first one."""


def run_command(main: Callable[[Sequence[str]], int | None], argv: Sequence[str] | None = None):
  """Runs `main(arguments)` and exits: 0 when it returns, 1 with one line for an expected error.

  Args:
    main: takes the arguments without the program name; returns an exit status, or None for 0.
    argv: the arguments; those of the process when None. `--debug` among them is removed and makes
      errors show their traceback.
  """
  arguments = list(sys.argv[1:] if argv is None else argv)
  debug = DEBUG_FLAG in arguments
  arguments = [a for a in arguments if a != DEBUG_FLAG]
  try:
    status = main(arguments)
  except (InputError, Diverged, OSError) as error:
    if debug:
      raise
    print(f"error: {error}", file=sys.stderr)
    status = 1
  except KeyboardInterrupt:
    print("stopped", file=sys.stderr)
    status = 130
  sys.exit(status or 0)


def closest(name: str, known: Iterable[str]) -> str:
  """A hint such as ' (did you mean x?)', or nothing when no known name is near."""
  near = difflib.get_close_matches(name, list(known), n=1)
  return f" (did you mean {near[0]}?)" if near else ""


def check_fields(where: str, found: Iterable[str], expected: Sequence[str]):
  """Raises InputError unless the section `where` of a config has exactly the expected fields."""
  found = list(found)
  for name in found:
    if name not in expected:
      raise InputError(f"{where}.{name} is not a field of this model{closest(name, expected)}")
  missing = [name for name in expected if name not in found]
  if missing:
    raise InputError(f"{where} lacks {', '.join(missing)}")


def check_positive(where: str, section: Mapping[str, int], names: Iterable[str]):
  """Raises InputError unless these fields of the section `where` of a config are at least 1."""
  for name in names:
    if section[name] < 1:
      raise InputError(f"{where}.{name} is {section[name]}: at least 1 is needed")
