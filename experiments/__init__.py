"""What a person runs. Each module here with a docstring starting `python -m` is a command."""

import os

# XLA logs every program it loads from the compilation cache as an error; must be set before jax.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
