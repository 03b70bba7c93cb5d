"""Loci-Segmented as a task: losses of chunks of videos, and scenes of whole videos and of images.

Traub et al., Loci-Segmented: Improving Scene Segmentation Learning (arXiv 2310.10410). The network
is in `loop`; published training code: model/lightning/loci.py of CognitiveModeling/Loci-Segmented.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from objectcentric_jax.errors import InputError, check_fields
from objectcentric_jax.losses.ssim import l1_ssim
from objectcentric_jax.models.loci.background import BACKGROUND_FIELDS, make_background
from objectcentric_jax.models.loci.decoders import make_slot_decoder
from objectcentric_jax.models.loci.encoder import make_encoder
from objectcentric_jax.models.loci.loop import (
  SEGMENTATION,
  Carry,
  LociNetwork,
  Seen,
  Step,
  begin_anew,
  check_mode,
  new_carry,
)
from objectcentric_jax.models.loci.object_discovery import ObjectDiscovery
from objectcentric_jax.models.loci.objects import NO_DEPTH, RGB_LOSSES, check_rgb_loss
from objectcentric_jax.models.loci.pictures import frame_rows, slot_rows
from objectcentric_jax.models.loci.predictor import Predictor
from objectcentric_jax.models.loci.proposal import PROPOSAL_FIELDS, make_proposal
from objectcentric_jax.models.loci.scores import sure_mask_metric
from objectcentric_jax.models.loci.update_gate import UpdateGate
from objectcentric_jax.nn.compute import compute_dtype
from objectcentric_jax.nn.noise import NOISE, Sample
from objectcentric_jax.scene import Scene

Array = jax.Array

WEIGHTS = ("reconstruction", "position", "appearance")


@dataclasses.dataclass(frozen=True)
class LociTask:
  """The network with its losses, as `objectcentric_jax.training.task.Task`; draws no new scenes.

  Training goes through clips chunk by chunk (`config.data.chunk`), each chunk with its own step of
  the optimiser; what happened before it is not differentiated. The first frame of a clip is shown
  `config.data.lead` times before, at negative times. A batch of images is one chunk: the picture is
  looked at `teacher_forcing` times, then predicted `free_steps` times.

  Attributes:
    network: the model.
    rgb_loss: name in RGB_LOSSES.
    weights: of the terms WEIGHTS, against 1 for predictions.
    teacher_forcing: how often the first frame is looked at before a whole clip begins, less one.
    free_steps: steps on a single image after that.
    permanence_start: logit of the belief in permanence before training.
    mutual_information: whether the (slow) scores of mutual information are computed.
  """

  network: LociNetwork
  rgb_loss: str
  weights: Mapping[str, float]
  teacher_forcing: int
  free_steps: int
  permanence_start: float
  mutual_information: bool

  @property
  def losses(self):
    return {"prediction": self.prediction}

  @property
  def metrics(self):
    return (sure_mask_metric(self.mutual_information),)

  def init(self, rng, batch):
    carry, steps = self.chunk(self.new_carry(batch), batch)
    one = jax.tree.map(lambda x: x[:1], steps)
    arguments = (carry, self.permanence, one, True, True, lambda seen, step: ())
    variables = self.network.init({"params": rng, NOISE: rng}, *arguments)
    state = {"discovery": {"permanence": self.permanence}, "carry": self.new_carry(batch)}
    return variables["params"], state

  @property
  def permanence(self) -> Array:
    """The logit of the belief in permanence before training."""
    return jnp.asarray(self.permanence_start, jnp.float32)

  def new_carry(self, batch) -> Carry:
    """That of sequences which have not begun."""
    picture = batch["image"] if "image" in batch else batch["video"][:, 0]
    return new_carry(self.network, *picture.shape[:3], picture.dtype)

  def prediction(self, params, model_state, batch, now, rng, sample: Sample = True):
    """Errors of predicted and reconstructed frames, and what keeps slots as they are."""
    del now
    carry, steps = self.chunk(model_state["carry"], batch)
    permanence = model_state["discovery"]["permanence"]
    carry, permanence, terms = self.run(
      params, carry, permanence, steps, True, rng, sample, self.terms_of_step
    )
    loss, report = self.loss_of(terms, len(steps.time) + 1)
    state = {"discovery": {"permanence": permanence}, "carry": lax.stop_gradient(carry)}
    return loss, (model_state | state, report)

  def loss_of(self, terms: Mapping[str, Any], frames: int) -> tuple[Array, dict[str, Array]]:
    """The loss of a chunk and what to report, from `terms_of_step` with a leading axis of steps.

    `frames` are those of the chunk, the last one of the chunk before included.
    """
    sums = {name: value.sum(0) / frames for name, value in terms["summed"].items()}
    loss = sums["prediction_rgb"] + sums["prediction_depth"]
    seen = sums["reconstruction_rgb"] + sums["reconstruction_depth"]
    loss += self.weights["reconstruction"] * seen
    loss += self.weights["position"] * sums["position"]
    loss += self.weights["appearance"] * sums["appearance"]
    return loss, sums | {name: value[-1] for name, value in terms["last"].items()}

  def run(
    self,
    params,
    carry: Carry,
    permanence: Array,
    steps: Step,
    train: bool,
    rng: Array,
    sample: Sample,
    observe: Callable[[Seen, Step], Any],
  ):
    """Carry, permanence and observations after these steps; see `LociNetwork`."""
    variables, rngs = {"params": params}, {NOISE: rng}
    return self.network.apply(
      variables, carry, permanence, steps, train, sample, observe, rngs=rngs
    )

  def chunk(self, carry: Carry, batch) -> tuple[Carry, Step]:
    """The steps of a training batch, and the carry they begin with."""
    if "video" not in batch:
      return self.new_carry(batch), self._looks(batch)
    video, depth, time = batch["video"], self._depth(batch), batch["time"]
    # Chunks of a clip come in order: time goes back where another clip begins.
    begins = ~carry.begun | (time <= carry.time)
    carry = begin_anew(carry, begins).replace(time=time)
    first = begins.reshape(-1, 1, 1, 1)
    video, depth = (
      jnp.concatenate([jnp.where(first, frames[:, 0], last)[:, None], frames], axis=1)
      for frames, last in ((video, carry.frame), (depth, carry.frame_depth))
    )
    video, depth = (frames.swapaxes(0, 1) for frames in (video, depth))
    length = len(video) - 1
    # All clips of a batch are at the same place.
    return carry, _steps(video, depth, time.max() - 1 + jnp.arange(length, dtype=jnp.int32))

  def _looks(self, batch) -> Step:
    """The steps on single images: teacher-forced ones, then free ones."""
    image, depth = batch["image"], self._depth(batch)
    times = jnp.arange(-self.teacher_forcing, self.free_steps, dtype=jnp.int32)
    video, depth = (jnp.broadcast_to(x[None], (len(times) + 1, *x.shape)) for x in (image, depth))
    return _steps(video, depth, times)

  def _whole(self, batch) -> Step:
    """The steps on whole clips: teacher-forced ones on the first frame, then one a frame."""
    video, depth = (frames.swapaxes(0, 1) for frames in (batch["video"], self._depth(batch)))
    times = np.arange(-self.teacher_forcing - 1, len(video), dtype=np.int32)
    shown = np.clip(np.append(times, len(video)), 0, len(video) - 1)
    return _steps(video[shown], depth[shown], jnp.asarray(times))

  def _depth(self, batch) -> Array:
    """The depth of a batch, [B, (T), H, W, 1]; unknown where it has none.

    Raises:
      InputError: the model needs it and there is none.
    """
    if "depth" in batch:
      return batch["depth"]
    if self.network.input_depth:
      raise InputError("config.data.fields lacks depth, which config.model.input_depth asks for")
    picture = batch["image"] if "image" in batch else batch["video"]
    return jnp.full_like(picture[..., :1], NO_DEPTH)

  def terms_of_step(self, seen: Seen, step: Step) -> dict[str, dict[str, Array]]:
    """Scalars of a step: those that are added over a chunk, and those of interest at its end."""
    is_free = step.time >= 0

    def errors(name, view, image, depth, counts):
      rgb = RGB_LOSSES[self.rgb_loss](view.image, image, jnp.ones_like(image[..., :1]))
      of_depth = l1_ssim(view.depth, depth, (depth > 0).astype(depth.dtype))
      parts = {}
      for of, (whole, first, second) in {"rgb": rgb, "depth": of_depth}.items():
        parts |= {f"{name}_{of}": whole, f"{name}_{of}_l1": first, f"{name}_{of}_ssim": second}
      return {n: jnp.where(counts, value.mean(), 0.0) for n, value in parts.items()}

    summed = {
      **errors("reconstruction", seen.reconstruction, step.image, step.depth, True),
      **errors("prediction", seen.prediction, step.next_image, step.next_depth, is_free),
      "position": seen.position_loss,
      "appearance": seen.appearance_loss,
    }
    last = {
      "uncertainty_error": seen.uncertainty_error.mean(),
      **_code_report("reconstruction", seen.latents.gestalt, seen.reconstruction.masks),
      **_code_report("prediction", seen.predicted.gestalt, seen.prediction.masks),
      "openings": seen.openings.sum() / self.network.predictor.layers,
    }
    for name in ("position_gate", "gestalt_gate"):
      gate = getattr(seen, name)
      last |= {name: gate.mean(), f"{name}_openings": (gate > 0).astype(gate.dtype).mean()}
    return {"summed": summed, "last": last}

  def watch(self, params, model_state, batch, rng, sample: Sample, observe) -> Any:
    """What `observe` keeps of every step on whole clips or on images, in evaluation mode.

    Returns:
      times [S], and the observations with a leading axis of steps.
    """
    steps = self._whole(batch) if "video" in batch else self._looks(batch)
    permanence = model_state["discovery"]["permanence"]
    carry = self.new_carry(batch)
    observed = self.run(params, carry, permanence, steps, False, rng, sample, observe)[2]
    return steps.time, observed

  def scene(self, params, model_state, batch, rng, sample: Sample = True):
    """Reconstructions of all frames; the masks "prediction" are those expected one frame before.

    Those expected in the first frame are what the slots showed before the video began. Of a single
    image both are those of the last step. Latents are position, gestalt and priority of each slot,
    as in `Latents.packed`; the background, which comes last, has none: zeros.
    """

    def keep(seen, step):
      latents = jnp.pad(seen.latents.packed(), ((0, 0), (0, 1), (0, 0)))
      return seen.reconstruction, latents, seen.prediction.masks

    watched = self.watch(params, model_state, batch, rng, sample, keep)[1]
    view, latents, expected = watched
    if "video" in batch:
      frames = batch["video"].shape[1]
      expected = expected[-frames - 1 : -1].swapaxes(0, 1)
      view, latents = jax.tree.map(lambda x: x[-frames:].swapaxes(0, 1), (view, latents))
    else:
      view, latents, expected = jax.tree.map(lambda x: x[-1], watched)
    return Scene(
      image=view.image,
      masks=view.masks,
      components=view.components,
      latents=latents,
      depth=view.depth,
      other_masks={"prediction": expected},
      background=jnp.arange(self.network.slots + 1) == self.network.slots,
    )

  @property
  def panels(self):
    return {"frames": self.frames, "slots": self.slots}

  def frames(self, params, model_state, batch, rng) -> dict[str, Array]:
    """Frames of the videos with what was seen in and expected of them: rows [B, T, H, W, 3]."""

    def draw(seen, step):
      return frame_rows(step.image, step.depth, seen)

    return self._pictures(params, model_state, batch, rng, draw)

  def slots(self, params, model_state, batch, rng) -> dict[str, Array]:
    """Slots of the frame in the middle of the videos: rows [B, K, H, W, 3]."""

    def draw(seen, step):
      latents = seen.latents
      rows = slot_rows(seen.reconstruction, latents.position, latents.gestalt)
      ahead = slot_rows(seen.prediction, seen.predicted.position, seen.predicted.gestalt)
      return rows | {f"expected {name}": row for name, row in ahead.items()}

    rows = self._pictures(params, model_state, batch, rng, draw)
    if "video" not in batch:
      return rows
    return {name: row[:, row.shape[1] // 2] for name, row in rows.items()}

  def _pictures(self, params, model_state, batch, rng, draw) -> dict[str, Array]:
    """`draw` of the steps of the videos, [B, T, ...], or of the last step on images, [B, ...]."""
    rows = self.watch(params, model_state, batch, rng, True, draw)[1]
    if "video" not in batch:
      return {name: row[-1] for name, row in rows.items()}
    frames = batch["video"].shape[1]
    return {name: row[-frames:].swapaxes(0, 1) for name, row in rows.items()}

  def terms(self, params, model_state, batch, rng, sample: Sample = True):
    """None: the errors of training are of chunks; see `metrics` for what is scored."""
    return {}


def _steps(video: Array, depth: Array, times: Array) -> Step:
  """Steps at these times; frames [S + 1, B, H, W, C], the last one only to be expected."""
  length = len(times)
  return Step(
    image=video[:-1],
    depth=depth[:-1],
    next_image=video[1:],
    next_depth=depth[1:],
    time=times,
    first=jnp.arange(length) == 0,
    draws={},
  )


def _code_report(name: str, gestalt: Array, masks: Array) -> dict[str, Array]:
  """How far codes of used slots are from zeros and ones, the mean code, and used slots an image."""
  used = (masks[:, :-1].max((2, 3, 4)) > 0.8).astype(gestalt.dtype)[..., None]
  used = jnp.broadcast_to(used, gestalt.shape)
  distance = jnp.minimum(jnp.abs(gestalt), jnp.abs(1 - gestalt))
  count = used.sum() + 1e-8
  mean, square = (distance * used).sum() / count, (distance**2 * used).sum() / count
  report = {
    f"{name}_code_distance": mean,
    f"{name}_code_distance_deviation": jnp.sqrt(jnp.maximum(square - mean**2, 0)),
    f"{name}_code": jnp.clip(gestalt, 0, 1).mean(),
    f"{name}_slots": used[..., 0].sum(1).mean(),
  }
  return lax.stop_gradient(report)


NETWORK_FIELDS = ("slots", "mode", "input_depth", "teacher_forcing", "drop_over_batch")
TASK_FIELDS = (
  "rgb_loss",
  "teacher_forcing",
  "free_steps",
  "permanence_start",
  "mutual_information",
)
PREDICTOR_FIELDS = ("channels", "layers", "heads", "opening_cost")
GATE_FIELDS = ("channels", "layers", "noise", "opening_cost")
PARTS = {
  "embedding": ("mask", "depth", "rgb"),
  "encoder": ("channels", "blocks", "hyper_channels"),
  "decoder": ("depth", "rgb"),
  "background": BACKGROUND_FIELDS,
  "predictor": PREDICTOR_FIELDS,
  "update_gate": GATE_FIELDS,
  "proposal": PROPOSAL_FIELDS,
  "weights": WEIGHTS,
}
SIZES = ("height", "width", "gestalt", "squashed_deviation", "permanence_strength")
COMPUTE = ("rematerialise", "dtype")


def make_task(config: Mapping[str, Any], axis_name: str | None = None) -> LociTask:
  """Builds the task from `config.model`.

  Fields: those of NETWORK_FIELDS and TASK_FIELDS as in `LociNetwork` and `LociTask`; SIZES and
  COMPUTE; sections with those of PARTS.

  Raises:
    InputError: a field is missing, unknown, or has a value the model cannot use.
  """
  del axis_name  # nothing is averaged over the batch but losses
  fields = dict.fromkeys((*NETWORK_FIELDS, *TASK_FIELDS, *SIZES, *COMPUTE, *PARTS))
  check_fields("config.model", config, tuple(fields))
  for name, expected in PARTS.items():
    check_fields(f"config.model.{name}", config[name], expected)
  check_mode(config["mode"])
  check_rgb_loss(config["rgb_loss"])
  _check_sizes(config)
  network = make_network(config)
  return LociTask(
    network=network,
    weights={name: config["weights"][name] for name in WEIGHTS},
    **{name: config[name] for name in TASK_FIELDS},
  )


def make_network(config: Mapping[str, Any]) -> LociNetwork:
  """The network of `config.model`."""
  dtype = compute_dtype(config["dtype"])
  predictor, gate = config["predictor"], config["update_gate"]
  return LociNetwork(
    encoder=make_encoder(config, dtype),
    decoder=make_slot_decoder(config, dtype),
    predictor=Predictor(
      predictor["channels"],
      predictor["layers"],
      predictor["heads"],
      predictor["opening_cost"],
      dtype,
    ),
    update_gate=UpdateGate(
      gate["channels"], gate["layers"], gate["noise"], gate["opening_cost"], dtype
    ),
    discovery=ObjectDiscovery(config["permanence_strength"]),
    background=make_background(config, dtype),
    proposal=make_proposal(config["proposal"], dtype) if config["mode"] == SEGMENTATION else None,
    rematerialise=config["rematerialise"],
    **{name: config[name] for name in NETWORK_FIELDS},
  )


def _check_sizes(config: Mapping[str, Any]):
  slot = 3 * config["gestalt"] + 6
  if config["predictor"]["channels"] < slot:
    raise InputError(
      f"config.model.predictor.channels is {config['predictor']['channels']}: at least {slot}, the "
      "size of a slot (3 gestalt + 6), is needed"
    )
  for name in ("height", "width"):
    if config[name] % 32:
      raise InputError(f"config.model.{name} is {config[name]}: a multiple of 32 is needed")
  for name in ("slots", "free_steps", "teacher_forcing"):
    if config[name] < 1:
      raise InputError(f"config.model.{name} is {config[name]}: at least 1 is needed")
