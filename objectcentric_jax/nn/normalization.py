"""Normalisations with PyTorch's constants; statistics are in float32 at least."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

Array = jax.Array


def _group_means(values: Array) -> Array:
  """Of [N, H, W, groups, channels of a group]: [N, 1, 1, groups, 1].

  Neighbours are added first, then pairs of them, as accelerators do: running sums over an image,
  as XLA's CPU backend makes them, lose digits, and normalised maps that are nearly flat show it.
  """
  return lax.platform_dependent(
    values, cpu=_means_of_pairs, default=partial(jnp.mean, axis=(1, 2, 4), keepdims=True)
  )


def _means_of_pairs(values: Array) -> Array:
  values = values.mean(4, keepdims=True)
  for axis in (2, 1):
    while (size := values.shape[axis]) > 1:
      few = next(k for k in range(2, size + 1) if size % k == 0)
      shape = (*values.shape[:axis], size // few, few, *values.shape[axis + 1 :])
      # Means, since XLA would make one long sum of sums of sums.
      values = values.reshape(shape).mean(axis + 1)
  return values


class GroupNorm(nn.Module):
  """Normalises groups of channels of [N, H, W, C] per image (Wu and He, 2018).

  C is a multiple of `groups`; None makes a group of every channel. Statistics are taken in two
  passes.
  """

  groups: int | None = 8
  epsilon: float = 1e-5
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    channels = x.shape[-1]
    groups = self.groups or channels
    scale = self.param("scale", nn.initializers.ones, (channels,), jnp.float32)
    bias = self.param("bias", nn.initializers.zeros, (channels,), jnp.float32)
    statistics = jnp.promote_types(x.dtype, jnp.float32)
    x = x.astype(statistics)

    def average(values):  # [N, H, W, C] to the mean of each channel's group, [N, 1, 1, C]
      means = _group_means(values.reshape(*values.shape[:3], groups, -1))
      return jnp.repeat(means, channels // groups, axis=4).reshape(-1, 1, 1, channels)

    centred = x - average(x)
    normalised = centred * jax.lax.rsqrt(average(centred**2) + self.epsilon)
    y = normalised * scale.reshape(1, 1, 1, -1) + bias.reshape(1, 1, 1, -1)
    return y.astype(self.dtype or y.dtype)


InstanceNorm = partial(GroupNorm, groups=None)  # every channel of every image, no running average


def batch_average(values: Array, axis_name: str | None = None) -> Array:
  """Mean of each channel of [N, H, W, C], [1, 1, 1, C]; over all devices if there is an axis."""
  mean = values.mean(2, keepdims=True).mean(1, keepdims=True).mean(0, keepdims=True)
  return mean if axis_name is None else lax.pmean(mean, axis_name)


def normalise_batch(
  x: Array,
  scale: Array,
  bias: Array,
  epsilon: float = 1e-5,
  axis_name: str | None = None,
) -> Array:
  """Batch normalisation of [N, H, W, C] by the statistics of this batch, with scale and bias [C].

  A channel that has one value only becomes its bias. The result is in float32 at least. With an
  axis of devices the batch is that of all of them, and they have one scale and bias.
  """
  dtype = jnp.promote_types(jnp.result_type(x, scale, bias), jnp.float32)
  scale, bias = (array.astype(dtype).reshape(1, 1, 1, -1) for array in (scale, bias))
  return _normalised(x.astype(dtype), scale, bias, epsilon, axis_name)


@partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _normalised(
  x: Array, scale: Array, bias: Array, epsilon: float, axis_name: str | None
) -> Array:
  """With the gradient in closed form, in the order in which PyTorch computes it.

  Of the gradient of a channel with few values hardly more than rounding is left, and published
  networks have such channels: the pooled branch of a segmenter has one value for each image.
  """
  return _normalised_forward(x, scale, bias, epsilon, axis_name)[0]


def _normalised_forward(x, scale, bias, epsilon, axis_name):
  centred = x - batch_average(x, axis_name)
  inverse = lax.rsqrt(batch_average(centred**2, axis_name) + epsilon)
  return centred * inverse * scale + bias, (centred, inverse, scale)


def _normalised_backward(epsilon, axis_name, kept, cotangent):
  centred, inverse, scale = kept
  common = batch_average(cotangent, axis_name)
  slope = batch_average(centred * cotangent, axis_name) * inverse * inverse
  to_x = (cotangent - common - centred * slope) * (inverse * scale)
  # As of any parameter, this device's share: whoever averages gradients over devices does the rest.
  count = cotangent.size // cotangent.shape[-1]
  to_scale = count * batch_average(centred * cotangent) * inverse
  return to_x, to_scale, count * batch_average(cotangent)


_normalised.defvjp(_normalised_forward, _normalised_backward)


class LayerNorm(nn.Module):
  """Normalises the last axis of [..., C] (Ba et al., 2016)."""

  epsilon: float = 1e-5
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    channels = x.shape[-1]
    scale = self.param("scale", nn.initializers.ones, (channels,), jnp.float32)
    bias = self.param("bias", nn.initializers.zeros, (channels,), jnp.float32)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    centred = x - x.mean(-1, keepdims=True)
    normalised = centred * lax.rsqrt((centred**2).mean(-1, keepdims=True) + self.epsilon)
    shape = (1,) * (x.ndim - 1) + (-1,)
    y = normalised * scale.reshape(shape) + bias.reshape(shape)
    return y.astype(self.dtype or y.dtype)


class BatchNorm(nn.Module):
  """Normalises every channel of [N, H, W, C] over the whole batch (Ioffe and Szegedy, 2015).

  While the collection `batch_stats` may change, statistics are those of the batch and the running
  ones move towards them; else the running ones are used. The running variance takes the unbiased
  estimate, the normalisation the biased one. Under `pmap` with `axis_name` the batch is that of
  all devices.
  """

  momentum: float = 0.1
  epsilon: float = 1e-5
  axis_name: str | None = None
  dtype: jnp.dtype | None = None

  @nn.compact
  def __call__(self, x: Array) -> Array:
    channels = x.shape[-1]
    scale = self.param("scale", nn.initializers.ones, (channels,), jnp.float32)
    bias = self.param("bias", nn.initializers.zeros, (channels,), jnp.float32)
    running_mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,), jnp.float32)
    running_variance = self.variable("batch_stats", "variance", jnp.ones, (channels,), jnp.float32)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))

    # Initialisation runs outside of any device axis.
    axis_name = None if self.is_initializing() else self.axis_name

    def move(running, value):
      moved = (1 - self.momentum) * running.value + self.momentum * value.reshape(-1)
      running.value = moved.astype(running.value.dtype)

    if self.is_mutable_collection("batch_stats"):
      if not self.is_initializing():
        mean = batch_average(x, axis_name)
        variance = batch_average((x - mean) ** 2, axis_name)
        devices = 1 if axis_name is None else lax.axis_size(axis_name)
        count = devices * x.size // channels
        move(running_mean, mean)
        move(running_variance, variance * (count / max(count - 1, 1)))
      y = normalise_batch(x, scale, bias, self.epsilon, axis_name)
    else:
      centred = x - running_mean.value.reshape(1, 1, 1, -1)
      inverse = lax.rsqrt(running_variance.value + self.epsilon)
      normalised = centred * inverse.reshape(1, 1, 1, -1)
      y = normalised * scale.reshape(1, 1, 1, -1) + bias.reshape(1, 1, 1, -1)
    return y.astype(self.dtype or y.dtype)
