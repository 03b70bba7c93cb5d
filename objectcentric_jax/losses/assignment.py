"""The assignment problem: which column each row takes so that the costs add up to the least.

Shortest augmenting paths (Jonker and Volgenant, 1987; Crouse, 2016), as in scipy's
linear_sum_assignment and with its choices between equal costs, but compiled: no device waits for
the host. Costs are rounded to integers first, so that what is equal stays equal along a path.
"""

import flax.struct
import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array

RESOLUTION = 2**24  # steps of a cost between 0 and 1, as float32 has them just below 1
_FAR = jnp.iinfo(jnp.int32).max


def assign(cost: Array) -> Array:
  """For every row of each table the column that it takes: [..., R, C] to [..., R] int32.

  Args:
    cost: in [0, 1], at least as many columns as rows. Differences below 6e-8 are not seen. Not
      differentiable.

  Raises:
    ValueError: there are more rows than columns.
  """
  rows, columns = cost.shape[-2:]
  if rows > columns:
    raise ValueError(f"{rows} rows cannot each take one of {columns} columns: transpose the costs")
  steps = jnp.round(lax.stop_gradient(cost).astype(jnp.float32) * RESOLUTION).astype(jnp.int32)
  solve = _assign
  for _ in range(cost.ndim - 2):
    solve = jax.vmap(solve)
  return solve(steps)


@flax.struct.dataclass
class _Search:
  """A search for the shortest path from a row to a free column.

  Attributes:
    row: that is looked from.
    distance: of `row`.
    sink: the free column once it is found, else -1.
    remaining: [C] columns not reached yet, in the order of scipy; the first `count` hold.
    shortest: [C] distance of each column.
    previous: [C] row before each column on its path.
    seen_rows, seen_columns: [R] and [C] bool: reached.
  """

  row: Array
  distance: Array
  sink: Array
  remaining: Array
  count: Array
  shortest: Array
  previous: Array
  seen_rows: Array
  seen_columns: Array


def _assign(cost: Array) -> Array:
  rows, columns = cost.shape
  free = jnp.full((columns,), -1, jnp.int32)

  def add_row(start, carry):
    row_price, column_price, row_of, column_of = carry
    search = _search(cost, row_price, column_price, row_of, start)
    gained = search.distance
    others = search.seen_rows & (jnp.arange(rows) != start)
    reached = search.shortest[jnp.maximum(column_of, 0)]
    row_price = jnp.where(others, row_price + gained - reached, row_price)
    row_price = row_price.at[start].add(gained)
    column_price = jnp.where(
      search.seen_columns, column_price - (gained - search.shortest), column_price
    )

    def follow(state):
      column, row_of, column_of, _ = state
      row = search.previous[column]
      following = column_of[row]
      return following, row_of.at[column].set(row), column_of.at[row].set(column), row == start

    state = (search.sink, row_of, column_of, jnp.bool_(False))
    _, row_of, column_of, _ = lax.while_loop(lambda state: ~state[3], follow, state)
    return row_price, column_price, row_of, column_of

  prices = jnp.zeros((rows,), jnp.int32), jnp.zeros((columns,), jnp.int32)
  taken = jnp.full((rows,), -1, jnp.int32)
  return lax.fori_loop(0, rows, add_row, (*prices, free, taken))[3]


def _search(cost, row_price, column_price, row_of, start) -> _Search:
  rows, columns = cost.shape
  places = jnp.arange(columns, dtype=jnp.int32)

  def look(search: _Search) -> _Search:
    seen_rows = search.seen_rows.at[search.row].set(True)
    through = search.distance + cost[search.row] - row_price[search.row] - column_price
    is_open = ~search.seen_columns
    shorter = is_open & (through < search.shortest)
    shortest = jnp.where(shorter, through, search.shortest)
    previous = jnp.where(shorter, search.row, search.previous)
    listed = jnp.where(places < search.count, shortest[search.remaining], _FAR)
    lowest = listed.min()
    # Of equal ones the last that is free, else the first, in the order of the list.
    equal = (listed == lowest) & (places < search.count)
    is_free = equal & (row_of[search.remaining] < 0)
    last_free = columns - 1 - jnp.argmax(is_free[::-1])
    place = jnp.where(is_free.any(), last_free, jnp.argmax(equal)).astype(jnp.int32)
    column = search.remaining[place]
    found = row_of[column] < 0
    count = search.count - 1
    return _Search(
      row=jnp.where(found, search.row, row_of[column]),
      distance=lowest,
      sink=jnp.where(found, column, search.sink),
      remaining=search.remaining.at[place].set(search.remaining[count]),
      count=count,
      shortest=shortest,
      previous=previous,
      seen_rows=seen_rows,
      seen_columns=search.seen_columns.at[column].set(True),
    )

  begin = _Search(
    row=jnp.asarray(start, jnp.int32),
    distance=jnp.int32(0),
    sink=jnp.int32(-1),
    remaining=places[::-1],
    count=jnp.int32(columns),
    shortest=jnp.full((columns,), _FAR),
    previous=jnp.full((columns,), -1, jnp.int32),
    seen_rows=jnp.zeros((rows,), bool),
    seen_columns=jnp.zeros((columns,), bool),
  )
  return lax.while_loop(lambda search: search.sink < 0, look, begin)
