"""What SCALOR sees in each frame: features of a grid of cells, integrated over time.

Published code: module.py of JindongJiang/SCALOR; grids of 6 and 7 from its MOTSynth extension.
"""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from objectcentric_jax.errors import InputError
from objectcentric_jax.models.scalor.layers import Conv, Layer, Stack
from objectcentric_jax.nn.activations import tanh
from objectcentric_jax.nn.recurrent import scan_slots

Array = jax.Array
Recurrent = tuple[tuple[Array, Array], ...]  # hidden and cell state of every layer

LARGE = 128  # pictures from this side on have deeper heads and wider encoders
SIDES = (32, 64, 128, 256)
ODD_GRIDS = {6: 128, 7: 128}  # grids that do not divide the side they are made for


def check_grid(side: int, grid: int):
  """Raises InputError unless there are encoders from this side to this grid."""
  if side not in SIDES:
    known = ", ".join(map(str, SIDES))
    raise InputError(f"config.model.side is {side}: choose one of {known}")
  possible = [side // cell for cell in (32, 16, 8) if side // cell > 1]
  possible += [odd for odd, its_side in ODD_GRIDS.items() if its_side == side]
  if grid not in possible:
    known = ", ".join(map(str, sorted(possible)))
    raise InputError(f"config.model.grid is {grid}: images of side {side} need one of {known}")


def frame_layers(side: int, grid: int, features: int) -> tuple[Layer, ...]:
  """From frames of this side to the cells of the grid."""
  narrow = Layer(features, 1, 16)
  wide = Layer(128, 4, 16, 2, 1)
  halve = (Layer(64, 4, 8, 2, 1),)
  body = (
    Layer(16, 3, 4, 1, 1),
    Layer(32, 4, 8, 2, 1),
    Layer(32, 3, 8, 1, 1),
    Layer(64, 4, 8, 2, 1),
    Layer(64, 3, 8, 1, 1),
  )
  first = Layer(16, 4, 4, 2, 1)
  if grid in ODD_GRIDS:
    trimmed = (Layer(128, 4, 8, 1, 1),) if grid == 6 else ()
    return (Layer(16, 4, 0, 1, 1), first, *body, wide, *trimmed, narrow)
  deeper = {
    8: (),
    16: (wide,) if side >= LARGE else halve,
    32: (*halve, Layer(64, 3, 8, 1, 1), wide),
  }
  return (first, *body, *deeper[side // grid], narrow)


def mask_layers(side: int, grid: int, features: int) -> tuple[Layer, ...]:
  """From alpha maps of this side to the cells of the grid."""
  halve, refine = Layer(64, 4, 8, 2, 1), Layer(64, 3, 8, 1, 1)
  first = (Layer(16, 4, 4, 2, 1),)
  body = (Layer(32, 4, 8, 2, 1), Layer(32, 3, 8, 1, 1), halve, refine)
  narrow = Layer(features, 1, 8)
  if grid in ODD_GRIDS:
    trimmed = (Layer(64, 4, 8, 1, 1),) if grid == 6 else ()
    return (Layer(16, 5, 0, 1, 1), *first, *body, halve, *trimmed, narrow)
  deeper = {8: (), 16: (halve,), 32: (halve, refine, halve)}
  return (*first, *body, *deeper[side // grid], narrow)


class GridEncoder(nn.Module):
  """Frames [N, S, S, 3] to features of every cell [N, G, G, features]."""

  side: int
  grid: int
  features: int
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, frames: Array) -> Array:
    layers = frame_layers(self.side, self.grid, self.features)
    x = Stack(layers, self.dtype, name="reduce")(frames)
    refine = Layer(self.features, 3, 8, 1, 1)
    lateral = Stack((refine, refine), self.dtype, name="lateral")(x)
    joined = jnp.concatenate([x, lateral], axis=-1)
    return Stack((refine,), self.dtype, name="join")(joined)


class ConvLSTM(nn.Module):
  """A convolutional LSTM with peepholes (Shi et al., 2015), over time.

  All three peepholes look at the cell state before the step, as published.
  """

  grid: int
  features: int
  unroll: int = 1
  dtype: jnp.dtype | None = None

  def setup(self):
    gates, zeros = 4 * self.features, nn.initializers.zeros
    self.entering = Conv(gates, 3, padding=1, dtype=self.dtype)
    self.recurrent = Conv(gates, 3, padding=1, use_bias=False, dtype=self.dtype)
    shape = (self.grid, self.grid, self.features)
    self.enter_peephole = self.param("enter_peephole", zeros, shape, jnp.float32)
    self.forget_peephole = self.param("forget_peephole", zeros, shape, jnp.float32)
    self.leave_peephole = self.param("leave_peephole", zeros, shape, jnp.float32)

  def __call__(self, x: Array, state: tuple[Array, Array]) -> tuple[Array, tuple[Array, Array]]:
    """Hidden states [B, T, G, G, features] for [B, T, G, G, I], and the last (hidden, cell)."""
    projected = self.entering(x.reshape(-1, *x.shape[2:]))
    projected = projected.reshape(*x.shape[:-1], 4 * self.features)

    def step(lstm: "ConvLSTM", carry, projection):
      hidden, cell = carry
      peepholes = (lstm.enter_peephole, lstm.forget_peephole, lstm.leave_peephole)
      enter, forget, leave = (cell * peephole.astype(cell.dtype)[None] for peephole in peepholes)
      gates = jnp.split(projection + lstm.recurrent(hidden), 4, axis=-1)
      entered = nn.sigmoid(gates[0] + enter) * tanh(gates[3])
      cell = nn.sigmoid(gates[1] + forget) * cell + entered
      hidden = nn.sigmoid(gates[2] + leave) * tanh(cell)
      return (hidden, cell), hidden

    state = jax.tree.map(lambda part: part.astype(projected.dtype), state)
    state, hidden = scan_slots(step, self.unroll)(self, state, projected)
    return hidden, state


class FrameEncoder(nn.Module):
  """Videos [B, T, S, S, 3] to features [B, T, G, G, features]; a frame sees those before it.

  Attributes:
    side: S; grid: G.
    features: of a cell.
    recurrent: features of each layer of the convolutional LSTM; none leaves it out.
    unroll: loop steps over time to unroll.
    dtype: of the computation; None follows inputs and parameters.
  """

  side: int
  grid: int
  features: int = 64
  recurrent: Sequence[int] = (64, 64)
  unroll: int = 1
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, video: Array, state: Recurrent) -> tuple[Array, Recurrent]:
    """Features, and the recurrent state after the last frame."""
    batch, time = video.shape[:2]
    frames = video.reshape(-1, *video.shape[2:])
    encoder = GridEncoder(self.side, self.grid, self.features, self.dtype, name="grid")
    x = encoder(frames).reshape(batch, time, self.grid, self.grid, self.features)
    after = []
    for i, (features, before) in enumerate(zip(self.recurrent, state, strict=True)):
      lstm = ConvLSTM(self.grid, features, self.unroll, self.dtype, name=f"recurrent_{i}")
      x, last = lstm(x, before)
      after.append(last)
    return x, tuple(after)

  @nn.nowrap
  def start(self, batch: int, dtype: jnp.dtype) -> Recurrent:
    """The state before the first frame."""
    shapes = [(batch, self.grid, self.grid, features) for features in self.recurrent]
    return tuple((jnp.zeros(shape, dtype), jnp.zeros(shape, dtype)) for shape in shapes)
