"""The layers of the segmentation network, by the names that published checkpoints know them by.

A table holds the kernel of every layer, (outputs, inputs, height, width), in the order in which the
hypernetwork generates them. Names are those of the PyTorch modules; for the parts of parameter
paths `part_name` writes them with dashes.
"""

from collections.abc import Mapping

from objectcentric_jax.errors import InputError

Kernel = tuple[int, int, int, int]  # outputs, inputs, height, width
Table = Mapping[str, Kernel]

BACKBONE, ASPP, DECODER = "backbone", "aspp", "decoder"
# Of the residual network: channels in multiples of its width, stride, and the dilations of its
# blocks (ResNet-18 with a third block and dilations in place of strides in the last stage:
# "resnetsub" of the published code).
STAGES = ((1, 1, (1, 1)), (2, 2, (1, 1)), (4, 2, (1, 1)), (8, 1, (2, 4, 8)))
WIDTH = 64  # of the published residual network
# Of the four branches over the backbone's map, at output stride 16: kernel size and dilation.
BRANCHES = ((1, 1), (3, 6), (3, 12), (3, 18))
MASK_LAYER = "decoder.last_conv.8"  # gives the logits: a bias and no normalisation


def head_table(
  aspp: int = 256, low: int = 48, decoder: int = 256, outputs: int = 1, backbone: int = WIDTH
) -> Table:
  """The ten layers of the segmentation head.

  Args:
    aspp: channels of the branches and of what joins them.
    low: channels that the low-level map is narrowed to.
    decoder: channels of the decoder.
    outputs: masks.
    backbone: width of the residual network.
  """
  channels = STAGES[-1][0] * backbone
  table = {
    f"aspp.aspp{number}.atrous_conv": (aspp, channels, size, size)
    for number, (size, _) in enumerate(BRANCHES, start=1)
  }
  return table | {
    "aspp.global_avg_pool.1": (aspp, channels, 1, 1),
    "aspp.conv1": (aspp, 5 * aspp, 1, 1),
    "decoder.conv1": (low, STAGES[0][0] * backbone, 1, 1),
    "decoder.last_conv.0": (decoder, aspp + low, 3, 3),
    "decoder.last_conv.4": (decoder, decoder, 3, 3),
    MASK_LAYER: (outputs, decoder, 1, 1),
  }


def backbone_table(width: int = WIDTH) -> Table:
  """The layers of the residual network of this width, named with its prefix."""
  table: dict[str, Kernel] = {f"{BACKBONE}.conv1": (width, 3, 7, 7)}
  inputs = width
  for number, (factor, _, dilations) in enumerate(STAGES, start=1):
    outputs = factor * width
    for block in range(len(dilations)):
      name = f"{BACKBONE}.layer{number}.{block}"
      table[f"{name}.conv1"] = (outputs, inputs, 3, 3)
      table[f"{name}.conv2"] = (outputs, outputs, 3, 3)
      if block == 0 and number > 1:
        table[f"{name}.downsample.0"] = (outputs, inputs, 1, 1)
      inputs = outputs
  return table


def whole_table(head: Table, width: int = WIDTH) -> Table:
  """The layers of the whole network: a backbone of this width first, then this head."""
  return {**backbone_table(width), **head}


def normalisation(layer: str) -> str:
  """The published name of the batch normalisation behind a layer."""
  if layer.endswith("atrous_conv"):
    return layer.removesuffix("atrous_conv") + "bn"
  stem, _, last = layer.rpartition(".")
  if last.isdigit():
    return f"{stem}.{int(last) + 1}"
  return f"{stem}.{last.replace('conv', 'bn')}"


def part_name(layer: str) -> str:
  """A layer's name in parameter paths, and in the published hypernetwork."""
  return layer.replace(".", "-")


def check_table(table: Table, expected: Table):
  """Raises InputError unless a table has the layers of another one, whatever their widths."""
  missing = [name for name in expected if name not in table]
  unknown = [name for name in table if name not in expected]
  if missing or unknown:
    raise InputError(
      f"the table of generated layers lacks {', '.join(missing) or 'nothing'} and has "
      f"{', '.join(unknown) or 'nothing'} besides"
    )
