"""How every command here reads its flags and reports errors."""

from collections.abc import Callable, Sequence

from absl import flags, logging
from ml_collections import config_flags

from objectcentric_jax.errors import DEBUG_FLAG, InputError, run_command

flags.DEFINE_bool("compilation_cache", True, "keep compiled programs between runs")


def define_config(required: bool = True):
  """The flag --config FILE.py[:variant] with --config.field=value for every field."""
  flag = config_flags.DEFINE_config_file("config", None, "experiment", lock_config=True)
  if required:
    flags.mark_flag_as_required("config")
  return flag


def run(
  main: Callable[[Sequence[str]], int | None],
  usage: str,
  completed: Callable[[Sequence[str]], Sequence[str]] = list,
):
  """Parses the flags, then runs main(positional arguments); errors are one line.

  `completed` adds to the arguments what they leave to be guessed.
  """

  def command(arguments: Sequence[str]):
    if "--help" in arguments or "-h" in arguments:
      shared = flags.FLAGS.module_help(__name__) + f"\n  {DEBUG_FLAG}: show where an error is from"
      print("\n".join([usage.strip(), flags.FLAGS.main_module_help(), shared]))
      return 0
    logging.set_verbosity(logging.ERROR)
    remaining = _parse(completed(arguments))
    if flags.FLAGS.compilation_cache:
      from objectcentric_jax.training.devices import enable_compilation_cache

      enable_compilation_cache()
    return main(remaining)

  run_command(command)


def _parse(arguments: Sequence[str]) -> list[str]:
  try:
    remaining = flags.FLAGS(["command", *arguments])[1:]
    if "config" in flags.FLAGS and flags.FLAGS.config is not None:
      flags.FLAGS.config.lock()  # raises what kept its file from being read
    return remaining
  except flags.Error as error:
    raise InputError(_line(error)) from error
  except (AttributeError, KeyError) as error:
    raise InputError(f"--config has no field {_line(error)}") from error
  except (TypeError, ValueError, OSError, ImportError) as error:  # what a config file raises
    raise InputError(f"--config: {_line(error)}") from error


def _line(error: Exception) -> str:
  """The message on one line, without the tracebacks that ml_collections puts into it."""
  message = error
  while isinstance(message, AttributeError | KeyError) and message.args:
    message = message.args[0]
  first, *others = str(message).splitlines()
  return " ".join([first, *others[-1:]]).replace("  ", "").strip()
