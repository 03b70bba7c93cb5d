"""The published Inception-v3 of 2015 once more: its tensors by name, its features by `lax` alone.

Written down from the published weights and the layout of PyTorch (NCHW, OIHW), so that it shares
nothing with the library.
"""

import jax.numpy as jnp
import numpy as np
from jax import lax

# A line is a branch of a block; a step is name:OUTPUTSxHEIGHTxWIDTH or a pool. Convolutions are
# padded by half their kernel, unless "/STRIDE" is added.
STEM = """
Conv2d_1a_3x3:32x3x3/2 Conv2d_2a_3x3:32x3x3/1 Conv2d_2b_3x3:64x3x3 shrink \
Conv2d_3b_1x1:80x1x1 Conv2d_4a_3x3:192x3x3/1 shrink
"""
A = """
branch1x1:64x1x1
branch5x5_1:48x1x1 branch5x5_2:64x5x5
branch3x3dbl_1:64x1x1 branch3x3dbl_2:96x3x3 branch3x3dbl_3:96x3x3
average branch_pool:{0}x1x1
"""
B = """
branch3x3:384x3x3/2
branch3x3dbl_1:64x1x1 branch3x3dbl_2:96x3x3 branch3x3dbl_3:96x3x3/2
shrink
"""
C = """
branch1x1:192x1x1
branch7x7_1:{0}x1x1 branch7x7_2:{0}x1x7 branch7x7_3:192x7x1
branch7x7dbl_1:{0}x1x1 branch7x7dbl_2:{0}x7x1 branch7x7dbl_3:{0}x1x7 branch7x7dbl_4:{0}x7x1 \
branch7x7dbl_5:192x1x7
average branch_pool:192x1x1
"""
D = """
branch3x3_1:192x1x1 branch3x3_2:320x3x3/2
branch7x7x3_1:192x1x1 branch7x7x3_2:192x1x7 branch7x7x3_3:192x7x1 branch7x7x3_4:192x3x3/2
shrink
"""
E = """
branch1x1:320x1x1
branch3x3_1:384x1x1 branch3x3_2a:384x1x3
branch3x3_1:384x1x1 branch3x3_2b:384x3x1
branch3x3dbl_1:448x1x1 branch3x3dbl_2:384x3x3 branch3x3dbl_3a:384x1x3
branch3x3dbl_1:448x1x1 branch3x3dbl_2:384x3x3 branch3x3dbl_3b:384x3x1
{0} branch_pool:192x1x1
"""
NETWORK = {
  "": STEM,
  "Mixed_5b.": A.format(32),
  "Mixed_5c.": A.format(64),
  "Mixed_5d.": A.format(64),
  "Mixed_6a.": B,
  "Mixed_6b.": C.format(128),
  "Mixed_6c.": C.format(160),
  "Mixed_6d.": C.format(160),
  "Mixed_6e.": C.format(192),
  "Mixed_7a.": D,
  "Mixed_7b.": E.format("average"),
  "Mixed_7c.": E.format("maximum"),
}


def walk(x, convolve, pool, join):
  """Follows the network with `convolve(x, name, outputs, kernel, stride)`, stride 0 if padded."""
  for block, lines in NETWORK.items():
    branches = []
    for line in lines.strip().splitlines():
      y = x
      for step in line.split():
        name, _, about = step.partition(":")
        if about:
          sizes, _, stride = about.partition("/")
          outputs, *kernel = map(int, sizes.split("x"))
          y = convolve(y, block + name, outputs, tuple(kernel), int(stride or 0))
        else:
          y = pool(y, name)
      branches.append(y)
    x = join(branches)
  return x


def state_dict(seed: int = 0, classes: int = 1008) -> dict[str, np.ndarray]:
  """Random weights under the published names, sized so that activations neither vanish nor grow."""
  rng, tensors = np.random.default_rng(seed), {}

  def normal(*shape):
    return rng.standard_normal(shape, np.float32)

  def convolve(channels, name, outputs, kernel, _stride):
    if f"{name}.conv.weight" not in tensors:
      weight = normal(outputs, channels, *kernel) * np.sqrt(2 / (channels * np.prod(kernel)))
      tensors[f"{name}.conv.weight"] = weight.astype(np.float32)
      tensors[f"{name}.bn.weight"] = 1 + 0.1 * normal(outputs)
      tensors[f"{name}.bn.bias"] = 0.1 * normal(outputs)
      tensors[f"{name}.bn.running_mean"] = 0.1 * normal(outputs)
      tensors[f"{name}.bn.running_var"] = rng.uniform(0.8, 1.5, outputs).astype(np.float32)
      tensors[f"{name}.bn.num_batches_tracked"] = np.array(7)
    return outputs

  features = walk(3, convolve, lambda channels, _: channels, sum)
  tensors["fc.weight"] = np.zeros((classes, features), np.float32)
  tensors["fc.bias"] = np.zeros(classes, np.float32)
  return tensors


def features(tensors, image):
  """[N, 2048] of images [N, 3, H, W] in [-1, 1], from tensors under the published names."""

  def convolve(x, name, _outputs, kernel, stride):
    padding = [(0, 0) if stride else (size // 2, size // 2) for size in kernel]
    x = lax.conv_general_dilated(x, tensors[f"{name}.conv.weight"], (stride or 1,) * 2, padding)
    scale, shift, mean, variance = (
      tensors[f"{name}.bn.{part}"].reshape(1, -1, 1, 1)
      for part in ("weight", "bias", "running_mean", "running_var")
    )
    return jnp.maximum((x - mean) / jnp.sqrt(variance + 1e-3) * scale + shift, 0)

  def pool(x, name):
    window, around = (1, 1, 3, 3), ((0, 0), (0, 0), (1, 1), (1, 1))
    if name == "shrink":
      return lax.reduce_window(x, -jnp.inf, lax.max, window, (1, 1, 2, 2), "VALID")
    if name == "maximum":
      return lax.reduce_window(x, -jnp.inf, lax.max, window, (1, 1, 1, 1), around)
    total, count = (
      lax.reduce_window(y, 0.0, lax.add, window, (1, 1, 1, 1), around)
      for y in (x, jnp.ones((1, 1, *x.shape[2:]), x.dtype))
    )
    return total / count

  return walk(image, convolve, pool, lambda parts: jnp.concatenate(parts, 1)).mean((2, 3))
