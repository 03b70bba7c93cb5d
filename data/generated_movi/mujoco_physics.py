"""MuJoCo's physics in place of the built-in (`physics.py`), for configs that ask for it.

Contacts of MuJoCo are springs: each pair of solids gets one of its own, with the product of the
frictions, and damped so that an impact leaves about the product of the restitutions of the speed.

MuJoCo is imported when it is used; no jax and no tensorflow_datasets, since the processes that
draw scenes import this module.
"""

import importlib
import os
from collections.abc import Sequence

import numpy as np

from data.generated_movi.physics import GRAVITY, Body, Floor, Motion
from data.raycast.motion import matrix
from objectcentric_jax.errors import InputError

STEPS = 80  # in a frame of 1/12 s: 1/960 s each
STIFFNESS_TIME = 0.004  # seconds, of the springs
ROUNDS = 50  # of the solver
LEAST_RESTITUTION = 0.01


def simulate(
  bodies: Sequence[Body], start: Motion, frames: int, frame_time: float, floor: Floor
) -> Motion:
  """Moves bodies, see `physics.simulate`; InputError without MuJoCo."""
  mujoco = import_mujoco()
  model = mujoco.MjModel.from_xml_string(_world(bodies, floor, frame_time / STEPS))
  state = mujoco.MjData(model)
  places = state.qpos.reshape(-1, 7)  # views of MuJoCo's own arrays
  speeds = state.qvel.reshape(-1, 6)
  places[:] = np.concatenate([start.position, start.quaternion], axis=1)
  speeds[:, :3] = start.velocity
  speeds[:, 3:] = _turned(places[:, 3:], start.angular_velocity, -1)
  motions = []
  for frame in range(frames):
    if frame:
      mujoco.mj_step(model, state, nstep=STEPS)
    position, quaternion = places[:, :3].copy(), places[:, 3:].copy()
    spin = _turned(quaternion, speeds[:, 3:], 1)
    motions.append(Motion(position, quaternion, speeds[:, :3].copy(), spin))
  return Motion(*(np.stack(values) for values in zip(*motions, strict=True)))


def import_mujoco():
  """The module; InputError, with the command to install it, where it is missing."""
  os.environ.setdefault("MUJOCO_GL", "egl")  # read on import; needs no display
  try:
    return importlib.import_module("mujoco")
  except ModuleNotFoundError as error:
    if error.name == "mujoco":
      raise InputError(
        "this config needs MuJoCo, which is not installed: pip install mujoco "
        "(the extra objectcentric_jax[sim])"
      ) from None
  except (ImportError, AttributeError, RuntimeError):  # as its OpenGL libraries fail to load
    pass
  os.environ["MUJOCO_GL"] = "disabled"  # physics needs none, and drawing says so
  return importlib.import_module("mujoco")


def _turned(quaternion: np.ndarray, spin: np.ndarray, sign: int) -> np.ndarray:
  """Angular velocities from the bodies' axes, as MuJoCo has them, to the world's, or (-1) back."""
  turns = matrix(quaternion)
  return np.einsum("nij,nj->ni" if sign > 0 else "nji,nj->ni", turns, spin)


def _world(bodies: Sequence[Body], floor: Floor, step: float) -> str:
  """The world as MuJoCo's XML."""
  solids, pairs = [], []
  for number, body in enumerate(bodies):
    solids.append(
      f'<body name="b{number}"><freejoint/><geom name="g{number}" type="{body.shape}"'
      f' size="{size(body)}" mass="{body.mass}" contype="0" conaffinity="0"/></body>'
    )
    pairs.append(_pair("floor", floor, f"g{number}", body))
    pairs += [_pair(f"g{other}", bodies[other], f"g{number}", body) for other in range(number)]
  return f"""
    <mujoco>
      <option timestep="{step}" gravity="0 0 {-GRAVITY}" integrator="implicitfast" cone="elliptic"
              iterations="{ROUNDS}"/>
      <worldbody>
        <geom name="floor" type="plane" size="0 0 1" contype="0" conaffinity="0"/>
        {"".join(solids)}
      </worldbody>
      <contact>{"".join(pairs)}</contact>
    </mujoco>"""


def size(body: Body) -> str:
  """The half extents of a body as MuJoCo's XML has them."""
  a, b, c = body.half
  return {"sphere": f"{a}", "box": f"{a} {b} {c}", "cylinder": f"{a} {c}"}[body.shape]


def _pair(name: str, one: Body | Floor, other_name: str, other: Body) -> str:
  friction = one.friction * other.friction
  decay = np.log(max(one.restitution * other.restitution, LEAST_RESTITUTION))
  damping = -decay / np.hypot(np.pi, decay)
  return (
    f'<pair geom1="{name}" geom2="{other_name}" condim="4"'
    f' friction="{friction} {friction} 0.005 0.0001 0.0001"'
    f' solref="{STIFFNESS_TIME} {damping}"/>'
  )
