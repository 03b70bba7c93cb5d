"""Warnings of collapse: when each fires, when it does not, and where it is seen."""

import numpy as np
import pytest

from configs.genesis_v2 import multi_dsprites
from objectcentric_jax.models import genesis_v2
from objectcentric_jax.training.devices import Devices
from objectcentric_jax.training.diagnostics import (
  HISTORY,
  PATIENCE,
  SETTLED,
  Diagnostics,
  empty_foreground,
  foreground_everywhere,
  found_anew,
  gradient_explosion,
  multiplier_at_bound,
  one_component,
  posterior_collapse,
  score_warnings,
)
from objectcentric_jax.training.loop import fit
from objectcentric_jax.training.reports import read_metrics
from tests.training import toy

GECO = {"use": True, "minimum": 1e-6, "goal": 0.57}


def shares(*values, largest=None):
  report = {f"share/{k + 1}": value for k, value in enumerate(values)}
  return report | {"largest_share": max(values) if largest is None else largest}


def test_one_component_takes_everything():
  everything = shares(0.01, 0.97, 0.02)
  assert one_component([everything] * (PATIENCE - 1)) is None
  message = one_component([everything] * PATIENCE)
  assert message.startswith("component 2 explains 97% of the image: ")
  for field in ("config.seed", "config.train.updates", "config.model.geco.start"):
    assert field in message
  assert one_component([everything] * PATIENCE + [shares(0.1, 0.9, 0.0)]) is None
  assert one_component([shares(0.04, 0.94, 0.02)] * PATIENCE) is None


def test_it_need_not_be_the_same_component_in_every_image():
  message = one_component([shares(0.5, 0.48, 0.02, largest=0.96)] * PATIENCE)
  assert message.startswith("a single component explains 96% of each image: ")


def test_a_model_of_one_component_is_not_warned_of_it():
  assert one_component([shares(1.0)] * PATIENCE) is None
  assert one_component([{"reconstruction": 1.0}] * PATIENCE) is None


def foreground(objects, share, alpha=-1.0, presence=-1.0):
  given = {"fixed_alpha": alpha, "fixed_presence": presence}
  return {"objects": objects, "foreground_share": share, **given}


@pytest.mark.parametrize(
  ("report", "words"),
  [
    (foreground(0.1, 0.02), "the foreground is empty: 0.1 objects are found an image"),
    (foreground(5.0, 0.0001), "the foreground explains 0.01% of the image"),
    ({"foreground_share": 0.0}, "the foreground explains 0.00% of the image"),
    (foreground(5.0, 0.02), None),
    (foreground(0.0, 0.0, alpha=0.1), None),  # it is not yet asked what is there
    (foreground(0.0, 0.0, presence=1.0), None),
    ({"reconstruction": 1.0}, None),
  ],
)
def test_a_foreground_that_stays_empty(report, words):
  message = empty_foreground([report] * PATIENCE)
  assert empty_foreground([report] * (PATIENCE - 1)) is None
  if words is None:
    assert message is None
  else:
    assert message.startswith(f"{words}, and the background takes everything")
    assert "config.train.schedules.fixed_alpha" in message and "presence_prior" in message
    assert empty_foreground([report] * PATIENCE + [foreground(3.0, 0.1)]) is None


def test_a_foreground_that_takes_everything():
  message = foreground_everywhere([foreground(9.0, 0.97)] * PATIENCE)
  assert message.startswith("the foreground explains 97% of the image and the background is not")
  assert "config.model.background_deviation" in message
  assert foreground_everywhere([foreground(9.0, 0.97)] * (PATIENCE - 1)) is None
  assert foreground_everywhere([foreground(9.0, 0.9)] * PATIENCE) is None
  assert foreground_everywhere([foreground(9.0, 0.97, alpha=0.1)] * PATIENCE) is None
  assert foreground_everywhere([foreground(9.0, 0.97, presence=1.0)] * PATIENCE) is None
  assert foreground_everywhere([foreground(9.0, 0.97) | {"object_alpha": 0.9}] * PATIENCE) is None
  assert foreground_everywhere([{}] * PATIENCE) is None
  video = foreground_everywhere([foreground(9.0, 0.97) | {"tracked": 0.0}] * PATIENCE)
  assert "anchors" in video and "scale_prior_mean" not in video


@pytest.mark.parametrize(
  ("divergences", "collapsed"),
  [
    ({"kl_latent": 0.06, "kl_latent/1": 0.05, "kl_latent/2": 0.01}, True),
    ({"kl_latent": 3.05, "kl_latent/1": 0.05, "kl_latent/2": 3.0}, False),
    # What is not of latents counts only where nothing is said of components.
    ({"kl_mask": 9.0, "kl_latent/1": 0.05, "kl_latent/2": 0.01}, True),
    ({"kl_latent": 0.05}, True),
    ({"kl_latent": 0.5}, False),
    ({"reconstruction": 1.0}, False),
  ],
)
def test_latents_that_say_nothing(divergences, collapsed):
  message = posterior_collapse([divergences] * PATIENCE)
  assert (message is not None) == collapsed
  if collapsed:
    assert "posterior collapse" in message and "config.train.schedules.beta" in message
  assert posterior_collapse([divergences] * (PATIENCE - 1)) is None


def test_advice_for_an_empty_foreground_of_videos():
  message = empty_foreground(
    [{"objects": 0.02, "tracked": 0.0, "foreground_share": 0.0}] * PATIENCE
  )
  assert message.startswith("the foreground is empty: 0.02 objects are found an image")
  for advice in ("a grid of more cells", "room for more objects", "weaker decoder"):
    assert advice in message
  assert "config.train.schedules.fixed_alpha" not in message


def test_objects_are_found_anew_in_every_frame():
  anew = {"objects": 6.0, "tracked": 0.5, "new": 5.5}
  message = found_anew([anew] * SETTLED)
  assert message.startswith("of 6 objects in a frame only 0.5 are those of the frame before")
  assert "smaller prior of presence for new objects" in message and "adversarial" in message
  assert found_anew([anew] * (SETTLED - 1)) is None
  assert found_anew([anew] * SETTLED + [{**anew, "tracked": 5.0}]) is None
  assert found_anew([{"objects": 0.05, "tracked": 0.0}] * SETTLED) is None
  assert found_anew([{"objects": 6.0}] * SETTLED) is None


def test_both_are_told_of_once():
  diagnostics = Diagnostics({})
  dead = {"objects": 0.0, "tracked": 0.0, "foreground_share": 0.0, "gradient_norm": 1.0}
  anew = {**dead, "objects": 5.0, "foreground_share": 0.2}
  told = [set(diagnostics.update(report)) for report in [dead] * 5 + [anew] * (SETTLED + 2)]
  expected = [set()] * len(told)
  expected[PATIENCE - 1] = {"empty_foreground"}
  expected[5 + SETTLED - 1] = {"found_anew"}
  assert told == expected


def test_identities_that_switch_more_often_than_there_are_objects():
  scores = {
    "id_switches": 12.0,
    "true_tracks": 12.0,
    "mask_id_switches": 30,
    "mask_true_tracks": 12,
  }
  warnings = score_warnings(scores)
  assert list(warnings) == ["mask_id_switches"]
  assert warnings["mask_id_switches"].startswith("mask_id_switches is 30 for 12 true objects: ")
  assert score_warnings({"fg_ari": 0.3, "id_switches": 4.0}) == {}


@pytest.mark.parametrize(("value", "bound"), [(1e-6, "lower"), (1e10, "upper")])
def test_a_multiplier_that_stays_is_at_a_bound(value, bound):
  def check(values):
    return multiplier_at_bound([{"multiplier": v} for v in values], minimum=1e-6, goal=0.57)

  message = check([value] * HISTORY)
  assert f"at its {bound} bound" in message and "goal of 0.57" in message
  assert "config.model.geco.goal" in message
  assert check([value] * (HISTORY - 1)) is None
  assert check([value * 1.0001] + [value] * (HISTORY - 1)) is None
  assert multiplier_at_bound([{}] * HISTORY, minimum=1e-6, goal=0.57) is None


def norms(encoder, decoder):
  whole = (encoder**2 + decoder**2) ** 0.5
  return {
    "gradient_norm/encoder": encoder,
    "gradient_norm/decoder": decoder,
    "gradient_norm": whole,
  }


def test_a_gradient_that_explodes():
  usual = [norms(0.5 + i % 3, 4.0) for i in range(SETTLED)]
  message = gradient_explosion([*usual, norms(2.0, 60.0)])
  assert message.startswith(
    "the norm of the gradient is 60, 14 times its median over the 10 reports"
  )
  assert "most of all in decoder" in message and "config.train.updates" in message
  assert gradient_explosion([*usual, norms(2.0, 30.0)]) is None
  assert gradient_explosion([*usual[1:], norms(2.0, 60.0)]) is None
  # A part that hardly had a gradient, such as one that begins to be used, is no explosion.
  assert gradient_explosion([*[norms(1e-9, 4.0)] * SETTLED, norms(1.0, 4.0)]) is None
  assert gradient_explosion([*[norms(0.0, 0.0)] * SETTLED, norms(1.0, 4.0)]) is None


GOOD = {"gradient_norm": 1.0, **shares(0.5, 0.5)}
BAD = {"gradient_norm": 1.0, **shares(0.99, 0.01)}


def test_a_warning_is_given_when_it_begins_and_after_it_was_over():
  diagnostics = Diagnostics({})
  reports = [GOOD] + [BAD] * 7 + [GOOD] + [BAD] * 5
  given = [list(diagnostics.update(report)) for report in reports]
  expected = [[] for _ in reports]
  expected[PATIENCE] = expected[8 + PATIENCE] = ["one_component"]
  assert given == expected


def test_reports_of_a_resumed_training_count():
  told = [{"step": i, **BAD} for i in range(PATIENCE)]
  others = [{"step": 3, "warning/one_component": "..."}, {"step": 3, "eval/elbo": "nan"}]
  assert Diagnostics({}, told + others).update(BAD) == {}
  assert list(Diagnostics({}, told[1:] + others).update(BAD)) == ["one_component"]


def test_a_multiplier_is_checked_where_there_is_a_constraint():
  report = {"gradient_norm": 1.0, "multiplier": 1e-6}
  for model, expected in (({"geco": GECO}, 1), ({"geco": GECO | {"use": False}}, 0), ({}, 0)):
    diagnostics = Diagnostics(model)
    given = [name for _ in range(HISTORY + 5) for name in diagnostics.update(report)]
    assert given == ["multiplier_at_bound"] * expected


def test_every_update_is_looked_at_by_itself():
  part = {"gradient_norm": 1.0, "gradient_norm/a": 1.0}
  report = {f"second/{name}": value for name, value in (part | BAD).items()}
  report |= {f"first/{name}": value for name, value in (part | GOOD).items()}
  diagnostics = Diagnostics({})
  given = [diagnostics.update({"parameter_norm": 2.0, **report}) for _ in range(PATIENCE + 2)]
  warnings = {name: text for each in given for name, text in each.items()}
  assert list(warnings) == ["second/one_component"]
  assert warnings["second/one_component"].startswith("second: component 1 explains 99%")


class SameBatch:
  """One batch over and over: squares of one colour on another."""

  def __init__(self, side):
    rng = np.random.default_rng(0)
    self._image = np.zeros((8, side, side, 3), np.uint8)
    self._image[:] = rng.integers(0, 256, (8, 1, 1, 3))
    for image, (y, x) in zip(self._image, rng.integers(0, side // 2, (8, 2)), strict=True):
      image[y : y + side // 3, x : x + side // 3] = rng.integers(0, 256, 3)

  def get_state(self):
    return {}

  def set_state(self, state):
    pass

  def __next__(self):
    return {"image": self._image}


def train_small_model(workdir, start):
  """A hundred steps from this multiplier of the KL."""
  config = multi_dsprites.get_config("smoke")
  config.data.side = 32
  config.model.features, config.model.slots, config.model.unroll = 8, 3, 1
  config.model.geco.start = start
  config.model.geco.minimum = 1e-6
  config.train.steps, config.train.report_every, config.train.checkpoint_every = 100, 20, 100
  groups = {"": dict(name="adam", rate=1e-2)}
  config.train.updates = (dict(loss="elbo", clip=0.0, groups=groups),)
  task = genesis_v2.make_task(config.model.to_dict())
  fit(task, SameBatch(32), config.to_dict(), workdir, devices=Devices())


def warnings_of(workdir):
  return [
    {name: value for name, value in line.items() if name.startswith("warning/")}
    for line in read_metrics(workdir)
    if any(name.startswith("warning/") for name in line)
  ]


@pytest.mark.slow
def test_a_training_says_that_its_latents_collapse(tmp_path, capsys):
  """The KL weighs so much that the latents say nothing; from a small weight they are used."""
  train_small_model(tmp_path / "sabotaged", start=100.0)
  (warning,) = warnings_of(tmp_path / "sabotaged")
  (text,) = warning.values()
  assert list(warning) == ["warning/posterior_collapse"]
  lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: ")]
  assert len(lines) == 1 and lines[0].endswith(text) and lines[0].startswith("warning: step ")

  train_small_model(tmp_path / "healthy", start=1e-6)
  assert warnings_of(tmp_path / "healthy") == []
  assert "warning: " not in capsys.readouterr().err
  line = read_metrics(tmp_path / "healthy")[-1]
  expected = {"active_components", "largest_share", "multiplier", "gradient_norm"}
  expected |= {f"{name}/{k}" for name in ("share", "kl_latent") for k in (1, 2, 3)}
  assert expected | {"gradient_norm/decoder"} <= set(line)
  assert sum(line[f"share/{k}"] for k in (1, 2, 3)) == pytest.approx(1, rel=1e-5)
  assert sum(line[f"kl_latent/{k}"] for k in (1, 2, 3)) == pytest.approx(line["kl_latent"])


def test_a_resumed_training_gives_the_same_warnings(tmp_path, monkeypatch, capsys):
  """As if the checks of a toy found something in every report from the second on."""

  def found(reports):
    return "it goes on" if len(reports) > 1 else None

  monkeypatch.setattr("objectcentric_jax.training.diagnostics.one_component", found)
  config = toy.config(steps=6, checkpoint_every=4)

  class Ends(Exception):
    pass

  class BatchesThatEnd:
    def __init__(self, count):
      self._batches, self._left = toy.batches(), count + 1  # `fit` looks at one first

    def get_state(self):
      return self._batches.get_state()

    def set_state(self, state):
      self._batches.set_state(state)

    def __next__(self):
      self._left -= 1
      if self._left < 0:
        raise Ends
      return next(self._batches)

  with pytest.raises(Ends):
    fit(toy.task(), BatchesThatEnd(5), config, tmp_path, devices=Devices())
  fit(toy.task(), toy.batches(), config, tmp_path, devices=Devices())
  assert [line["step"] for line in read_metrics(tmp_path) if "warning/one_component" in line] == [2]
  assert capsys.readouterr().err.count("warning: step 2: it goes on") == 1
