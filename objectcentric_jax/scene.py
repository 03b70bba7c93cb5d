"""Scene: what every model says about an image or a video."""

from collections.abc import Mapping

import flax.struct
import jax

Array = jax.Array


@flax.struct.dataclass
class Scene:
  """What a model says about images [B, H, W, C] or videos [B, T, H, W, C]; absent parts are None.

  B batch, T time (absent for images), K components, N boxes, D latent size. Colours are in [0, 1].

  Attributes:
    image: [B, (T), H, W, C] reconstruction: the sum over K of masks times components. None from
      models that segment and do not reconstruct.
    masks: [B, (T), K, H, W, 1] how the components are mixed; sum to one over K.
    components: [B, (T), K, H, W, C] what each component would show alone.
    latents: [B, (T), K, D] posterior means; [B, (T), N, D] of models that say what is in each box.
    depth: [B, (T), H, W, 1] reconstruction, in the units of the batch's depth.
    other_masks: further mask stacks shaped like `masks` but for K, by name, from models that
      segment the image in more than one way (such as "attention": how the encoder grouped the
      pixels).
    background: [K] or [B, K] bool: which components are background.
    boxes: [B, (T), N, 4] centre y, centre x, height, width, as shares of the image in [0, 1].
    presence: [B, (T), N] in [0, 1].
    identity: [B, T, N] integer track; the first N of K components, if there are so many, are those
      of the boxes.
  """

  image: Array | None
  masks: Array | None = None
  components: Array | None = None
  latents: Array | None = None
  depth: Array | None = None
  other_masks: Mapping[str, Array] = flax.struct.field(default_factory=dict)
  background: Array | None = None
  boxes: Array | None = None
  presence: Array | None = None
  identity: Array | None = None
