"""Object-centric models in JAX: training, evaluation and published checkpoints of five families.

The models, losses, metrics and the train step need jax, flax, optax, numpy and orbax alone.
"""

import importlib.metadata
import warnings

__version__ = "0.1.0"

# jaxlib 0.10.2 miscompiles a broadcast product followed by a sum on the CPU (jax-ml/jax#39103),
# which is how masks and components are mixed here. Not imported to learn this: the processes that
# make data need the package's errors and not jax.
if importlib.metadata.version("jax") == "0.10.2":
  warnings.warn(
    "jax 0.10.2 computes wrong sums of masked components on the CPU; "
    'install another release: pip install "jax>=0.10,!=0.10.2"',
    stacklevel=2,
  )
