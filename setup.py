"""Packaging; the tools are configured in pyproject.toml."""

import pathlib
import re

from setuptools import find_packages, setup

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
  r'__version__ = "(.+)"', (HERE / "objectcentric_jax" / "__init__.py").read_text()
).group(1)

# 0.10.2 computes wrong numbers on the CPU (jax-ml/jax#39103).
JAX = ">=0.10,!=0.10.2"

setup(
  name="objectcentric_jax",
  version=VERSION,
  description="Object-centric models in JAX: training, evaluation, published checkpoints, data",
  long_description=(HERE / "README.md").read_text(),
  long_description_content_type="text/markdown",
  license="Apache-2.0",
  python_requires=">=3.11",
  packages=find_packages(include=["objectcentric_jax", "objectcentric_jax.*"]),
  install_requires=[
    f"jax{JAX}",
    "flax>=0.12.8",
    "optax>=0.2.8",
    "orbax-checkpoint>=0.12.8",
    "numpy>=2.0",
    "ml_dtypes",
    "absl-py",
    "ml_collections>=1.1",
    "clu>=0.0.12",
    "grain>=0.2.18",
    "array_record>=0.8.1",
    "tensorflow-datasets>=4.9.10",
    "importlib_resources",  # needed by tensorflow-datasets, which does not declare it
    "pillow",
    "matplotlib",
  ],
  extras_require={
    "dev": [
      "pytest-xdist",
      "pytest",
      "ruff",
      "scikit-learn",
      "h5py",
      "av",
      "motmetrics>=1.4",
      "pycocotools",
    ],
    "fast": ["opencv-python-headless"],
    # Of data.prepare: raw files in HDF5 and mp4, simulated and recorded scenes, several machines.
    "hdf5": ["h5py"],
    "video": ["av"],
    "sim": ["mujoco"],
    "atari": ["ale-py"],
    "beam": ["apache-beam>=2.77"],
    "tracking": ["motmetrics>=1.4"],  # scores of tracks
    "tensorboard": ["tensorboardX>=2.6.5"],
    "cuda12": [f"jax[cuda12]{JAX}"],
    "cuda13": [f"jax[cuda13]{JAX}"],
    "tpu": [f"jax[tpu]{JAX}"],
  },
)
