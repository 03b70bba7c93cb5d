"""Golden cases of SCALOR: the network on videos, perceptual loss, discriminator, one GAN step."""

import dataclasses
import operator
import pathlib
import tempfile
import types
from collections.abc import Callable, Mapping
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

from objectcentric_jax.checkpoint_import import scalor as importer
from objectcentric_jax.checkpoint_import import vgg
from objectcentric_jax.losses.adversarial import discriminator_loss, generator_loss
from objectcentric_jax.losses.perceptual import vgg_features
from objectcentric_jax.models.scalor.discriminator import Discriminator
from objectcentric_jax.models.scalor.objective import SCHEDULED, Perceptual, ScalorTask
from objectcentric_jax.models.scalor.scalor import Frames, Settings, tinted
from objectcentric_jax.models.scalor.task import make_task
from objectcentric_jax.training.optimizers import make_updates
from objectcentric_jax.training.schedules import make_schedules
from objectcentric_jax.training.state import state_from
from objectcentric_jax.training.step import make_train_step
from tests.checkpoint_import.torch_writer import save_zip
from tests.golden import case as golden
from tests.golden import elbo_training

SOURCE = "golden case"
TERMS = {
  "kl_z_what": "kl_what",
  "kl_z_where": "kl_where",
  "kl_z_depth": "kl_depth",
  "kl_z_pres": "kl_presence",
  "kl_z_bg": "kl_background",
}
FEATURES = {"features/relu1_2": 4, "features/relu2_2": 4, "features/relu3_3": 1}
RATE = 4e-5  # of both optimisers


def check(case: dict, arrays: dict) -> list[golden.Result]:
  """Compares in float64, and in float32 what has a tolerance for it.

  Rounding grows from frame to frame, by a thousand times in a few: most of the outputs of late
  frames, and the gradients, have none.
  """
  results = list(checked(case, arrays, np.float64))
  with jax.enable_x64(False):
    results += checked(case, arrays, np.float32)
  return results


def checked(case: dict, arrays: dict, dtype: type) -> list[golden.Result]:
  """All comparisons of what has a tolerance for this type."""
  arrays = {name: _cast(array, dtype) for name, array in arrays.items()}
  if "vgg_params" in case:
    kind = check_step
  elif "layers" in case["config"]:
    kind = check_perceptual
  elif "adversarial_weight" in case["config"]:
    kind = check_discriminator
  else:
    kind = check_video
  return kind(Run(case, arrays, dtype))


class Run:
  """A case in one of the two types.

  Attributes:
    case, arrays: as loaded, floating-point arrays of the type.
    dtype: the type.
    double: whether it is float64.
  """

  def __init__(self, case: dict, arrays: Mapping, dtype: type):
    self.case, self.arrays, self.dtype = case, arrays, dtype
    self.double = dtype == np.float64

  def weights(self, key: str = "params") -> dict[str, np.ndarray]:
    """Of a table of the case; its patterns are parts of names."""
    return golden.rebuild_weights(self.case, self.case["folder"], key, operator.contains)

  def cast(self, tree):
    """In the type of the run, by way of float32, as checkpoints hold weights."""
    return jax.tree.map(lambda x: _cast(np.asarray(x), self.dtype), tree)

  def videos(self, *names: str) -> list[np.ndarray]:
    """Inputs [B, T, C, H, W] as [B, T, H, W, C]."""
    return [np.moveaxis(self.arrays[f"inputs/{name}"], 2, -1) for name in names]

  def tolerance(self, about: Mapping, key: str = "tol") -> float | None:
    """None where nothing is to be compared."""
    return about[f"{key}64" if self.double else key]

  def compare(self, outputs: Mapping, real: Callable | None = None) -> list[golden.Result]:
    """Every output of the case that has a tolerance; `real` (name, array) drops what is padding."""
    results = []
    for name, about in self.case["outputs"].items():
      tolerance = self.tolerance(about)
      if outputs.get(name) is None:
        raise KeyError(f"the case has an output {name!r} that the runner does not compute")
      if tolerance is None:
        continue
      found = outputs[name]
      expected = self.arrays[f"outputs/{name}"]
      if real is not None:
        found, expected = real(name, found), real(name, expected)
      error = golden.relative_error(found, expected)
      results.append(golden.Result(self.label(name), error, tolerance))
    return results

  def label(self, name: str) -> str:
    return name if self.double else f"{name} in float32"

  def compare_norms(self, key: str, norms: Mapping) -> list[golden.Result]:
    """Norms by published name against those of the case under `key`."""
    tolerance = self.tolerance(self.case, f"{key}_tol")
    if tolerance is None:
      return []
    expected = self.case[key]
    largest = max(filter(None, expected.values()))
    results = []
    for name, value in expected.items():
      if not value:
        results.append(golden.Result(self.label(f"{key}/{name}"), float(norms[name]), 0.0))
        continue
      error = abs(norms[name] - value) / max(abs(value), 1e-9 * largest)
      results.append(golden.Result(self.label(f"{key}/{name}"), float(error), tolerance))
    return results


def _cast(array: np.ndarray, dtype: type) -> np.ndarray:
  if not np.issubdtype(array.dtype, np.floating):
    return array
  return array.astype(np.float32).astype(dtype)


# Videos


def check_video(run: Run) -> list[golden.Result]:
  """Outputs and gradients of every parameter."""
  case, config = run.case, run.case["config"]
  # Frames are computed again for the gradient: those of 128 pixels take gigabytes in float64.
  task = make_task(video_model(config) | {"rematerialise": True})
  (video,) = run.videos("x")
  params, names = imported(run, task, video)
  settings = settings_of(config["args"])
  palette = jnp.asarray(run.arrays["inputs/color_t"][: config["args"]["color_num"]])
  training = case["mode"] == "train"
  args = config["args"]
  fixed = run.arrays.get("inputs/video_embs")

  # Cases of one network differ in these alone, so that they are compiled once.
  given = video, task.start(len(video), training, run.dtype), settings, fixed, palette

  def explain(params, video, memory, settings, fixed, palette):
    frames, _ = task.network.apply(
      {"params": params},
      video,
      memory,
      settings,
      fixed,
      training=training,
      observed=args["observe_frames"] if args["phase_generate"] else None,
      palette=palette,
      sample=False,
    )
    terms = task.objective_terms(frames, video)
    return sum(terms.values()).mean(), (frames, terms)

  results = []
  if "grad_norms" in case and run.tolerance(case, "grad_norms_tol") is not None:
    differentiate = jax.jit(jax.value_and_grad(explain, has_aux=True))
    (loss, explained), gradients = jax.device_get(differentiate(params, *given))
    results += run.compare_norms("grad_norms", norms_of(case, names, gradients))
  else:
    loss, explained = jax.device_get(jax.jit(explain)(params, *given))
  frames, terms = explained
  actual = video_outputs(task, frames, terms, video, args) | {"total_loss": loss}
  lengths = {
    name.split("/")[0]: run.arrays[f"outputs/{name}"]
    for name in case["outputs"]
    if name.endswith("prop_lengths")
  }
  return run.compare(actual, partial(real_slots, lengths)) + results


def video_model(config: Mapping) -> dict:
  """`config.model` of a case."""
  model = importer.model_config(config["constants"], config["args"])
  if config.get("class") == "SCALORV2":
    model["background"]["kind"] = "fixed"
  return model


def settings_of(args: Mapping) -> Settings:
  """Values of the schedules at the step of the case; the temperature is recorded."""
  schedules = make_schedules(importer.schedules(args))
  step = jnp.asarray(args["global_step"] - 1)
  values = {name: schedules[name](step) for name in SCHEDULED}
  values["temperature"] = jnp.asarray(args["tau"])
  return Settings(**values)


def imported(run: Run, task: ScalorTask, video) -> tuple[dict, dict]:
  """Parameters from the state dict with all its aliases and buffers, and the table of names."""
  case, model = run.case, video_model(run.case["config"])
  weights = run.weights()
  published = dict(weights)
  published |= {alias: weights[name] for alias, name in case["aliases"].items()}
  published |= {name: np.zeros(about["shape"]) for name, about in case["buffers"].items()}
  shapes, _ = jax.eval_shape(task.init, elbo_training.KEY, {"video": video})
  params = importer.import_parameters(published, model, shapes, SOURCE)
  return run.cast(params), importer.table(model)


def norms_of(case: Mapping, names: Mapping, gradients) -> dict[str, float]:
  """By the names of the case, whichever infix they have; 0 for what the model does not hold."""
  norms = elbo_training.norms_by_published_name(gradients, names)
  return {name: norms.get(importer.plain(name), 0.0) for name in case["params"]}


def real_slots(lengths: Mapping, name: str, array) -> np.ndarray:
  """Of the objects carried into a frame the real ones, those of all videos in a row."""
  frame, _, quantity = name.partition("/")
  if not quantity.startswith("prop_") or quantity == "prop_lengths":
    return np.asarray(array)
  rows = [row[: int(count)] for row, count in zip(array, lengths[frame], strict=True)]
  return np.concatenate(rows)


def video_outputs(task: ScalorTask, frames: Frames, terms, video, args: Mapping) -> dict:
  """What the published model returns and logs, in its layout."""
  every_second = np.moveaxis(frames.image, -1, 2)[..., ::2, ::2]
  outputs = {
    "recon": every_second,
    "recon_sum": frames.image.sum((2, 3, 4)),
    "log_like": -terms["reconstruction"],
    **{published: terms[name] for published, name in TERMS.items()},
    "log_imp": frames.log_weight.sum(1) * args["phase_nll"],
    "counting": frames.objects.exists.sum(2),
  }
  for t in range(video.shape[1]):
    at = jax.tree.map(lambda x, t=t: x[:, t], frames)
    logged = frame_outputs(at, video[:, t], args, t)
    outputs |= {f"t{t}/{name}": value for name, value in logged.items()}
  return outputs


def frame_outputs(frames: Frames, frame, args: Mapping, t: int) -> dict:
  """What the published model logs of one frame."""
  grid = args["num_cell_h"]
  new, old, background = frames.proposals, frames.tracks, frames.background
  expected, objects, views = old.expected, old.objects, frames.views
  carried = old.exists[..., 0].sum(1)

  def cells(values):  # [B, G^2, D] to [B, D, G, G]
    return np.moveaxis(values.reshape(len(values), grid, grid, -1), -1, 1)

  def rows(values):  # [B, G^2, D] to [B G^2, D]
    return values.reshape(-1, values.shape[-1])

  def quarter(picture):
    return golden.nchw(picture)[..., ::4, ::4]

  prior = background.prior_mean, background.prior_deviation
  if not t:
    prior = tuple(moment[0, :1] for moment in prior)
  # New objects are numbered after the largest number that is carried into the frame.
  first = objects.identity.max(1)[:, None] + 1
  return {
    "alpha_map": quarter(frames.alpha),
    "bg": quarter(background.image),
    "recon_prop": quarter(views.tracked),
    "recon_disc": quarter(views.new),
    "x_mask_color": quarter(np.asarray(tinted(frame, frames.alpha, views.tint))),
    "z_bg_mean": background.posterior.mean,
    "z_bg_std": background.posterior.deviation,
    "p_bg_mean": prior[0],
    "p_bg_std": prior[1],
    "disc_z_pres": cells(new.presence),
    "disc_z_pres_logits": cells(new.logits),
    "disc_z_pres_y": cells(new.relaxed),
    "disc_z_where": rows(new.box),
    "disc_z_where_mean": cells(new.where.mean),
    "disc_z_where_std": cells(new.where.deviation),
    "disc_z_depth_mean": cells(new.depth.mean),
    "disc_z_depth_std": cells(new.depth.deviation),
    "disc_z_what_mean": rows(new.what.mean),
    "disc_z_what_std": rows(new.what.deviation),
    "disc_ids": first + np.arange(grid**2)[None],
    "disc_prior_z_pres": np.reshape(settings_of(args).presence_prior, 1),
    "disc_alpha_sum": rows(new.area)[:, 0],
    "prop_lengths": carried,
    "prop_ids": objects.identity,
    "prop_z_pres": objects.presence,
    "prop_z_pres_logits": old.logits,
    "prop_z_where": objects.box,
    "prop_z_where_bias": objects.motion,
    "prop_z_where_bias_std": old.motion.deviation,
    "prop_z_what": objects.what,
    "prop_z_what_std": old.what.deviation,
    "prop_z_depth": objects.depth,
    "prop_prior_z_pres": expected.presence,
    "prop_prior_what_mean": expected.what[0],
    "prop_prior_where_bias_mean": expected.motion[0],
    "prop_alpha_sum": views.area[..., 0],
  }


# Perceptual loss


def perceptual_of(about: Mapping) -> Perceptual:
  return Perceptual(
    weights="",
    layers=tuple(about["layers"]),
    deviation=about["feature_sigma"],
    weight=about["weight"],
  )


def check_perceptual(run: Run) -> list[golden.Result]:
  """Features, the loss, and its gradient with respect to the reconstruction."""
  video, image = run.videos("x", "y")
  perceptual = perceptual_of(run.case["config"])
  shown = {
    name.removeprefix("features/"): about
    for name, about in run.case["outputs"].items()
    if name.startswith("features/")
  }
  layers = tuple(shown) or perceptual.layers
  weights = run.cast(vgg.import_weights(run.weights(), layers, SOURCE))

  @jax.jit
  def content(image, weights, video):
    likelihood = perceptual.log_likelihood(weights, video, image)
    return -perceptual.weight * likelihood.mean(), likelihood

  differentiate = jax.value_and_grad(content, has_aux=True)
  (loss, likelihood), gradient = differentiate(image, weights, video)
  outputs = {
    "perc_log_like": likelihood,
    "content_loss": loss,
    "d_content_loss_d_y": np.moveaxis(gradient, -1, 2)[..., ::2, ::2],
    "d_content_loss_d_y_norm": np.sqrt((np.asarray(gradient) ** 2).sum()),
  }
  features = jax.jit(partial(vgg_features, layers=layers))(weights, video[:, 0])
  for layer, values in zip(layers, features, strict=True):
    step = 4 if layer.startswith(("relu1", "relu2")) else 1
    outputs[f"features/{layer}"] = golden.nchw(values)[:, ::8, ::step, ::step]
  return run.compare(outputs)


# Discriminator


def judged(run: Run, key: str, video) -> tuple[Discriminator, dict]:
  """The discriminator and its variables, from the weights under `key`."""
  discriminator = Discriminator()
  shapes = jax.eval_shape(
    partial(discriminator.init, method="once"), elbo_training.KEY, video[:, 0]
  )
  side = video.shape[2]
  variables = importer.import_discriminator(run.weights(key), side, shapes, SOURCE)
  return discriminator, run.cast(variables)


def check_discriminator(run: Run) -> list[golden.Result]:
  """Judgements, both losses and their gradients, running statistics after the published passes."""
  real, fake = run.videos("x", "y")
  discriminator, variables = judged(run, "params", real)
  params, statistics = variables["params"], variables["batch_stats"]
  weight = run.case["config"]["adversarial_weight"]

  def apply(params, statistics, *arguments, **options):
    changing = {"params": params, "batch_stats": statistics}
    return discriminator.apply(changing, *arguments, sample=False, **options)

  @jax.jit
  def judge(fake, params):
    logits, changed = apply(params, statistics, fake, mutable=["batch_stats"])
    loss = generator_loss(logits).mean((0, 2)).sum()
    return weight * loss, (loss, logits, changed["batch_stats"])

  (_, (adversarial, made, after)), gradient = jax.value_and_grad(judge, has_aux=True)(fake, params)

  @jax.jit
  def compare(params, real, fake):
    (of_real, of_fake), changed = apply(
      params, after, real, fake, mutable=["batch_stats"], method="compare"
    )
    loss = discriminator_loss(of_real, of_fake).mean((0, 2)).sum()
    return loss, (of_real, changed["batch_stats"])

  (loss, (of_real, after)), gradients = jax.value_and_grad(compare, has_aux=True)(
    params, real, fake
  )
  evaluate = partial(jax.jit(apply), params, statistics)
  outputs = {
    "eval/pred_fake": jax.nn.sigmoid(evaluate(fake)),
    "eval/pred_real": jax.nn.sigmoid(evaluate(real)),
    "train/pred_fake": jax.nn.sigmoid(made),
    "train/pred_real": jax.nn.sigmoid(of_real),
    "loss_adversarial": adversarial,
    "disc_loss": loss,
    "d_1000_adv_d_y_norm": np.sqrt((np.asarray(gradient) ** 2).sum()),
    "d_1000_adv_d_y": np.moveaxis(gradient, -1, 2)[..., ::4, ::4],
  }
  for name, target in importer.discriminator_statistics_table().items():
    outputs[f"after/{name}"] = leaf(after, target.path)
  results = run.compare(outputs)
  if "grad_norms" in run.case:
    table = importer.discriminator_table(real.shape[2])
    norms = elbo_training.norms_by_published_name(gradients, table)
    results += run.compare_norms("grad_norms", norms)
  return results


def leaf(tree, path: str):
  """Of nested dicts, by a path with slashes."""
  for part in path.split("/"):
    tree = tree[part]
  return tree


# One step of perceptual and adversarial training


def check_step(run: Run) -> list[golden.Result]:
  """Loss terms, gradients before clipping, and the first update, by the real train step."""
  case, args = run.case, run.case["config"]["args"]
  (video,) = run.videos("x")
  plain = make_task(video_model(case["config"]))
  params, names = imported(run, plain, video)
  discriminator, variables = judged(run, "discriminator_params", video)
  with tempfile.TemporaryDirectory() as folder:
    # As a user has them: in a file of torchvision's.
    path = pathlib.Path(folder) / "vgg16.pth"
    save_zip(path, run.weights("vgg_params"))
    perceptual = dataclasses.replace(perceptual_of(case["config"]["perceptual"]), weights=str(path))
    task = dataclasses.replace(plain, perceptual=perceptual, discriminator=discriminator)
    model_state = {
      "perceptual": run.cast(perceptual.start()),
      "batch_stats": {"discriminator": variables["batch_stats"]},
      "carry": {"image": jnp.zeros(video.shape, run.dtype)},
    }
    updates, step = recorded_step(task, case, args)
    params = {**params, "discriminator": variables["params"]}
    before = state_from(params, model_state, updates, elbo_training.KEY)
    after, report = jax.device_get(step(before, {"video": video}))
  image = after.model_state["carry"]["image"]
  apply = partial(
    discriminator.apply,
    {"params": variables["params"], "batch_stats": variables["batch_stats"]},
    sample=False,
    mutable=["batch_stats"],
  )
  fake, real = (jax.jit(apply)(judged)[0] for judged in (image, video))
  outputs = {
    "negative_elbo": report["elbo/elbo"],
    "content_loss": report["elbo/content"],
    "loss_adversarial": report["elbo/adversarial"] / case["config"]["adversarial_weight"],
    "total_loss": report["elbo/loss"],
    "disc_loss": report["discriminator/loss"],
    "counting": report["elbo/counting"],
    "recon": np.moveaxis(image, -1, 2)[..., ::4, ::4],
    "grad_norm_total": report["elbo/gradient_norm"],
    "pred_fake": jax.nn.sigmoid(fake),
    "pred_real": jax.nn.sigmoid(real),
  }
  moved = jax.tree.map(np.subtract, after.params, jax.device_get(params))
  of_model, of_judge = (optimizer[0] for optimizer in after.optimizers)
  table = importer.discriminator_table(video.shape[2])
  of_judge = elbo_training.norms_by_published_name(of_judge["discriminator"], table)
  moved_judge = elbo_training.norms_by_published_name(moved["discriminator"], table)
  return [
    *run.compare(outputs),
    *run.compare_norms("grad_norms", norms_of(case, names, of_model)),
    *run.compare_norms("update_norms", norms_of(case, names, moved)),
    *run.compare_norms("discriminator_grad_norms", of_judge),
    *run.compare_norms("discriminator_update_norms", moved_judge),
  ]


def recorded_step(task: ScalorTask, case: Mapping, args: Mapping):
  """The updates of a step and the step, without noise; they keep the gradients before clipping."""

  def elbo(params, model_state, batch, now, rng):
    frames, model_state = task.training_frames(params, model_state, batch, now, rng, sample=False)
    loss, (model_state, report) = task.objective(
      params, frames, model_state, batch["video"], now, rng, sample=False
    )
    return loss, (model_state, report | {"counting": frames.objects.exists.sum(2)})

  losses = {"elbo": elbo, "discriminator": partial(task.judge, sample=False)}
  rmsprop, frozen = {"name": "rmsprop", "rate": RATE}, {"name": "frozen"}
  judge, others = "^discriminator/", "^(?!discriminator/)"
  configs = (
    {"loss": "elbo", "clip": 1.0, "groups": {others: rmsprop, judge: frozen}},
    {
      "loss": "discriminator",
      "clip": 0.0,
      "groups": {others: frozen, judge: rmsprop},
      "when": "adversarial_weight",
    },
  )
  recording = optax.GradientTransformation(lambda params: params, lambda g, *_: (g, g))
  updates = tuple(
    dataclasses.replace(update, transformation=optax.chain(recording, update.transformation))
    for update in make_updates(configs, list(losses))
  )
  settings = settings_of(args)
  schedules = {name: _constant(getattr(settings, name)) for name in SCHEDULED}
  schedules |= {
    "mask_penalty": _constant(0.0),
    "adversarial_weight": _constant(case["config"]["adversarial_weight"]),
  }
  step = make_train_step(types.SimpleNamespace(losses=losses), updates, schedules)
  return updates, jax.jit(step)


def _constant(value):
  return lambda step: jnp.asarray(value)
