"""Warnings in words when the reports of a training say that it collapses.

A check looks at the reports so far, the newest last, and says what is wrong, or None. It knows
quantities by the names that losses, schedules and the train step report (`share/K`,
`largest_share`, `foreground_share`, `objects` and, of videos, `tracked` of them from the frame
before, `fixed_alpha`, `fixed_presence`, `object_alpha`, `kl_.../K`, `multiplier`, `gradient_norm`,
`gradient_norm/PART`); where one is absent it is silent.
"""

import re
import statistics
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

Report = Mapping[str, Any]
Check = Callable[[Sequence[Report]], str | None]

HISTORY = 20  # reports that are remembered
# Reports in a row before a state counts: the first steps pass through many that mean nothing.
PATIENCE = 3
# Share of every image. The background of Multi-dSprites with one to three sprites covers 92 %.
EVERYTHING = 0.95
# Share of every image that the foreground has at least: a 64th of 64 cells that are each a 64th.
NOTHING = 0.0003
# Objects an image. Below, most images are said to be empty.
FEW = 0.2
# Nats a component. To tell two kinds of image apart takes ln 2 = 0.69.
NO_INFORMATION = 0.1
# Times the median. It stays below 2.1 in 2,500 healthy steps of configs/quickstart.py.
EXPLOSION = 10.0
HELP_IN_IMAGES = (
  " at first: more steps of config.train.schedules.fixed_alpha or, with objects that are small, of "
  "fixed_presence, a larger and longer config.train.schedules.presence_prior, a size prior "
  "(scale_prior_mean) that fits the objects, "
  "a config.model.foreground_deviation below that of the background, fewer "
  "config.model.background_components, or another config.seed"
)
HELP_IN_VIDEOS = (
  ": a grid of more cells where objects are dense, room for more objects at first, a weaker "
  "decoder of the background, a background that is hidden in the first steps, a larger prior of "
  "presence, or anchors that fit the size of the objects"
)
EVERYWHERE_IN_IMAGES = (
  "config.train.schedules.presence_prior or scale_prior_mean, or give the background the smaller "
  "deviation (config.model.background_deviation)"
)
EVERYWHERE_IN_VIDEOS = (
  "config.train.schedules.presence_prior or the size of config.model.anchors, or give the "
  "background the stronger decoder (config.model.background.decoder)"
)
# Schedules that give share or presence while they are not negative.
GIVEN = ("fixed_alpha", "fixed_presence", "object_alpha")
SETTLED = 10  # reports before there is a median to speak of
FOLLOWED = 0.25  # share of the objects; those of the first frame of a clip cannot be


def one_component(reports: Sequence[Report]) -> str | None:
  """One of several components explains nearly all of every image."""
  shares = {name: value for name, value in reports[-1].items() if name.startswith("share/")}
  if len(shares) < 2 or not _last(reports, lambda r: r.get("largest_share", 0.0) > EVERYTHING):
    return None
  largest = max(shares, key=shares.get)
  if shares[largest] > EVERYTHING:
    what = f"component {largest.removeprefix('share/')} explains {shares[largest]:.0%} of the image"
  else:
    what = f"a single component explains {reports[-1]['largest_share']:.0%} of each image"
  return (
    f"{what}: the others are not used and nothing is separated. Unless the objects are that small, "
    "try another config.seed, a smaller rate in config.train.updates, or less weight on the KL at "
    "first (config.model.geco.start or config.train.schedules.beta)"
  )


def _asked(report: Report) -> bool:
  """Whether share and presence are inferred; while they are given they say nothing of objects."""
  return all(report.get(name, -1.0) < 0 for name in GIVEN)


def empty_foreground(reports: Sequence[Report]) -> str | None:
  """No object is found, or those that are explain nothing: the background takes everything."""

  def absent(report):
    return report.get("objects", FEW) < FEW

  def unseen(report):
    return report.get("foreground_share", NOTHING) < NOTHING

  if not _last(reports, lambda report: _asked(report) and (absent(report) or unseen(report))):
    return None
  latest = reports[-1]
  if absent(latest):
    found = f"the foreground is empty: {latest['objects']:.2g} objects are found an image"
  else:
    found = f"the foreground explains {latest['foreground_share']:.2%} of the image"
  advice = HELP_IN_VIDEOS if "tracked" in latest else HELP_IN_IMAGES
  return f"{found}, and the background takes everything. If that lasts, help the foreground{advice}"


def foreground_everywhere(reports: Sequence[Report]) -> str | None:
  """The foreground explains nearly all of every image."""

  def everything(report):
    return _asked(report) and report.get("foreground_share", 0.0) > EVERYTHING

  if not _last(reports, everything):
    return None
  latest = reports[-1]
  advice = EVERYWHERE_IN_VIDEOS if "tracked" in latest else EVERYWHERE_IN_IMAGES
  return (
    f"the foreground explains {latest['foreground_share']:.0%} of the image and the background is "
    f"not used. Lower {advice}"
  )


def posterior_collapse(reports: Sequence[Report]) -> str | None:
  """No component's latent says anything about the image."""

  def collapsed(report):
    divergences = _divergences(report)
    return bool(divergences) and max(divergences) < NO_INFORMATION

  if not _last(reports, collapsed):
    return None
  return (
    f"the KL of every component is below {NO_INFORMATION:g} nats: the latents say nothing about "
    "the image (posterior collapse). If that does not pass early in the training, give the KL less "
    "weight: a smaller config.model.geco.start or config.model.geco.goal, or a smaller or slowly "
    "rising config.train.schedules.beta"
  )


def multiplier_at_bound(reports: Sequence[Report], minimum: float, goal: float) -> str | None:
  """The constraint on the error has not moved its multiplier for a long time.

  While it works it moves the multiplier in every step, so that one that stays is held by a bound.

  Args:
    reports: the newest last.
    minimum: lower bound of the multiplier.
    goal: of the error, nats a value.
  """
  values = [report["multiplier"] for report in reports if "multiplier" in report]
  if len(values) < HISTORY or max(values) - min(values) > 1e-6 * max(values):
    return None
  held = f"the multiplier of the KL has stayed at its {{}} bound for {HISTORY} reports"
  if values[-1] <= 1.01 * minimum:
    return (
      f"{held.format('lower')}: the error does not reach its goal of {goal:g} nats a value, so "
      "that latents are not held to the prior and samples will not look like the data. Train "
      "longer, or raise config.model.geco.goal to what the model can reach"
    )
  return (
    f"{held.format('upper')}: the error stays below its goal of {goal:g} nats a value whatever the "
    "latents say. Lower config.model.geco.goal"
  )


def gradient_explosion(reports: Sequence[Report]) -> str | None:
  """The gradient is many times larger than it used to be."""
  *earlier, latest = reports
  growth = {}
  for name, value in latest.items():
    if name.split("/")[0] == "gradient_norm" and len(earlier) >= SETTLED:
      usual = statistics.median(report.get(name, value) for report in earlier)
      growth[name] = value / usual if usual > 0 else 0.0
  if growth.get("gradient_norm", 0.0) <= EXPLOSION:
    return None
  parts = {name: factor for name, factor in growth.items() if "/" in name}
  where = f", most of all in {max(parts, key=parts.get).split('/', 1)[1]}" if parts else ""
  return (
    f"the norm of the gradient is {latest['gradient_norm']:.3g}, {growth['gradient_norm']:.0f} "
    f"times its median over the {len(earlier)} reports before{where}. Should it happen again, try "
    "a smaller rate or clipping (clip) in config.train.updates"
  )


def found_anew(reports: Sequence[Report]) -> str | None:
  """Objects are not followed: those of a frame are found anew in the next."""

  def anew(report):
    objects = report.get("objects", 0.0)
    tracked = report.get("tracked", objects)
    return objects > FEW and tracked < FOLLOWED * objects

  if len(reports) < SETTLED or not all(map(anew, reports[-SETTLED:])):
    return None
  latest = reports[-1]
  return (
    f"of {latest['objects']:.3g} objects in a frame only {latest['tracked']:.3g} are those of the "
    "frame before: objects are found anew in every frame instead of being followed. If that does "
    "not pass, try a smaller prior of presence for new objects, a smaller share of explained area "
    "at which proposals are rejected, or scales of boxes nearer to those of the objects; with a "
    "perceptual loss add the adversarial one, or blur the background"
  )


def score_warnings(scores: Mapping[str, float]) -> dict[str, str]:
  """Warnings in words about the scores of an evaluation, by name; tracks are looked at.

  Args:
    scores: by name; of those in `objectcentric_jax.metrics.tracking` "id_switches" and
      "true_tracks" count, with any prefix.
  """
  warnings = {}
  for name, switches in scores.items():
    prefix = name.removesuffix("id_switches")
    tracks = scores.get(f"{prefix}true_tracks")
    if prefix + "id_switches" == name and tracks is not None and switches > tracks:
      warnings[name] = (
        f"{name} is {switches:.0f} for {tracks:.0f} true objects: identities change more than once "
        "an object. Objects are found, but not followed; look at --what video"
      )
  return warnings


class Diagnostics:
  """The checks of one training, with what they remember of it.

  Nothing of it is checkpointed: a resumed training is told the reports it already wrote.

  Args:
    model: `config.model`; its section `geco`, where there is one, holds the bounds of a multiplier.
    earlier: reports from before, whose warnings were given then.
  """

  def __init__(self, model: Mapping[str, Any], earlier: Iterable[Report] = ()):
    self._checks: dict[str, Check] = {
      "one_component": one_component,
      "empty_foreground": empty_foreground,
      "foreground_everywhere": foreground_everywhere,
      "posterior_collapse": posterior_collapse,
      "gradient_explosion": gradient_explosion,
      "found_anew": found_anew,
    }
    geco = model.get("geco") or {}
    if geco.get("use"):
      bound = partial(multiplier_at_bound, minimum=geco["minimum"], goal=geco["goal"])
      self._checks["multiplier_at_bound"] = bound
    self._recent: dict[str, deque[Report]] = {}
    self._present: set[str] = set()
    for report in earlier:
      self.update(report)

  def update(self, report: Report) -> dict[str, str]:
    """Warnings that begin with this report, by name; none while a condition goes on."""
    warnings = {}
    for prefix, part in _by_update(report).items():
      recent = self._recent.setdefault(prefix, deque(maxlen=HISTORY))
      recent.append(part)
      for name, check in self._checks.items():
        message = check(list(recent))
        if message is None:
          self._present.discard(prefix + name)
        elif prefix + name not in self._present:
          self._present.add(prefix + name)
          warnings[prefix + name] = f"{prefix.rstrip('/')}: {message}" if prefix else message
    return warnings


def _last(reports: Sequence[Report], holds: Callable[[Report], bool]) -> bool:
  """Whether a condition holds in the last reports, enough of them."""
  return len(reports) >= PATIENCE and all(map(holds, reports[-PATIENCE:]))


def _divergences(report: Report) -> list[float]:
  """KL of each component's latents, or of all of a model without components."""
  for pattern in (r"kl_\w+/\d+", r"kl_\w+"):
    found = [value for name, value in report.items() if re.fullmatch(pattern, name)]
    if found:
      return found
  return []


def _by_update(report: Report) -> dict[str, dict[str, Any]]:
  """The report of each update, by the prefix of its names: "" where there is one update only.

  Every update reports its gradient's norm; a report without is not one of training steps.
  """
  ends = [name.removesuffix("gradient_norm") for name in report if name.endswith("gradient_norm")]
  prefixes = [end for end in ends if not end or end.endswith("/")]
  return {
    prefix: {name[len(prefix) :]: v for name, v in report.items() if name.startswith(prefix)}
    for prefix in prefixes
  }
