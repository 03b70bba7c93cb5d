"""Published names of the parts of Loci-Segmented that work in time.

In checkpoints of CognitiveModeling/Loci-Segmented: `net.predictor`, `net.update_gate` and
`net.object_discovery`.
"""

from objectcentric_jax.checkpoint_import.names import Target, layer, linear, same

PARTS = {  # of a cell: published letter, ours
  "g": "gate",
  "r": "candidate",
  "p": "value",
  "o": "output_gate",
}


def mlp(published: str, ours: str, positions: tuple[str, ...]) -> dict[str, Target]:
  """The dense layers of an `Mlp`; `positions` are those in the published sequence."""
  names = {}
  for i, position in enumerate(positions):
    names |= layer(f"{published}.{position}", f"{ours}/layer_{i}", linear)
  return names


def attention(published: str, ours: str) -> dict[str, Target]:
  """PyTorch's multi-head attention as our `Attention`."""
  return {
    f"{published}.in_proj_weight": Target(f"{ours}/kernel", linear),
    f"{published}.in_proj_bias": Target(f"{ours}/bias", same),
    **layer(f"{published}.out_proj", f"{ours}/output", linear),
  }


def predictor_table(published: str, ours: str, layers: int) -> dict[str, Target]:
  """Published name -> our parameter, of the predictor; prefixes end in their separator."""
  theirs = f"{published}predictor"
  names = mlp(f"{published}gestalt_bottleneck.0.layers", f"{ours}change", ("0", "2"))
  for side in ("input", "output"):
    part, name = f"{side}_embeding", f"{side}_embedding"
    names |= mlp(f"{theirs}.{part}.embeding", f"{ours}{name}/residual", ("0", "2"))
    names[f"{theirs}.{part}.alpha"] = Target(f"{ours}{name}/alpha", same)
  for name in ("exchange_gate", "exchange_code"):
    names |= layer(f"{theirs}.input_embeding.{name}.0", f"{ours}input_embedding/{name}", linear)
  for i in range(layers):
    names[f"{theirs}.attention.{i}.alpha"] = Target(f"{ours}attention_{i}/alpha", same)
    names |= attention(f"{theirs}.attention.{i}.attention", f"{ours}attention_{i}/attention")
  for i in range(layers + 1):
    names[f"{theirs}.l0rds.{i}.alpha"] = Target(f"{ours}cell_{i}_alpha", same)
    for letter, part in PARTS.items():
      cell, name = f"{theirs}.l0rds.{i}.l0rd", f"{ours}cell_{i}/{part}"
      names[f"{cell}.w_{letter}x"] = Target(f"{name}_input", linear)
      names[f"{cell}.w_{letter}h"] = Target(f"{name}_state", linear)
      names[f"{cell}.b_{letter}"] = Target(f"{name}_bias", same)
  return names


def gate_table(published: str, ours: str, layers: int) -> dict[str, Target]:
  """Published name -> our parameter, of the update gate; prefixes end in their separator."""
  between = tuple(f"{i}.1" for i in range(1, layers - 1))
  return mlp(f"{published}layers", f"{ours}network", ("0", *between, str(layers)))


def discovery_table(published: str, ours: str) -> dict[str, Target]:
  """Published name -> our parameter, of object discovery; prefixes end in their separator."""
  return {
    f"{published}std": Target(f"{ours}size", same),
    f"{published}depth": Target(f"{ours}depth", same),
  }
