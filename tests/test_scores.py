"""Which scores a model and its data have, and that they come out of an evaluation."""

import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import sections
from experiments import build, scores
from objectcentric_jax.errors import InputError
from objectcentric_jax.input.generated import made_up
from objectcentric_jax.scene import Scene
from objectcentric_jax.training.devices import Devices

SIDE, FRAMES, OBJECTS = 16, 4, 3
FIELDS = ("video", "segmentation", "num_objects", "bboxes")


@dataclasses.dataclass
class Oracle:
  """Sees what is true; every box twice if `doubled`, under a new name each frame if `forgetful`."""

  doubled: bool = False
  forgetful: bool = False

  def init(self, rng, batch):
    return {}, {}

  def terms(self, params, model_state, batch, rng, sample=True):
    return {}

  def scene(self, params, model_state, batch, rng, sample=True):
    low, high = jnp.split(batch["bboxes"], 2, axis=-1)
    boxes = jnp.concatenate([(low + high) / 2, high - low], axis=-1)
    presence = (boxes[..., 2] > 0).astype(jnp.float32)
    identity = jnp.broadcast_to(jnp.arange(OBJECTS), presence.shape)
    if self.doubled:
      boxes, identity = jnp.tile(boxes, (1, 1, 2, 1)), jnp.tile(identity, (1, 1, 2))
      identity = identity + jnp.repeat(jnp.array([0, 9]), OBJECTS)[None, None]
      presence = jnp.concatenate([presence, 0.9 * presence], axis=-1)
    if self.forgetful:
      identity = identity + 20 * jnp.arange(FRAMES)[None, :, None]
    masks = jax.nn.one_hot(batch["segmentation"][..., 0], OBJECTS + 1)
    return Scene(
      image=batch["video"],
      masks=jnp.moveaxis(masks, -1, 2)[..., None],
      boxes=boxes,
      presence=presence,
      identity=identity,
    )


def config(**changes):
  whole = sections.base()
  whole.data.update(name="generated", side=SIDE, frames=FRAMES, objects=OBJECTS, fields=FIELDS)
  whole.data.batch_size = whole.eval.batch_size = whole.eval.images = 8
  whole.eval.update(changes)
  return whole


def evaluate(task, **changes):
  settings = config(**changes)
  examples = made_up(settings.data, "test")
  evaluator = build.make_evaluator(settings, task, examples, Devices())
  return build.score(evaluator, settings, examples, {}, {})


def test_what_is_true_scores_best():
  found = evaluate(Oracle(), tracking=("boxes", "masks"))
  best = ("mota", "motp", "idf1", "mostly_tracked", "mask_mota", "mask_idf1", "fg_ari", "mbo")
  for name in (*best, "frame_mbo", "frame_fg_ari", "ap", "ap_95", "count_accuracy"):
    assert found[name] == pytest.approx(1.0), name
  assert found["id_switches"] == found["mask_id_switches"] == found["mse"] == 0
  truth = made_up(config().data, "test").read(np.arange(8))["num_objects"].sum()
  assert found["true_tracks"] == truth
  assert all(isinstance(value, float) for value in found.values())


def test_duplicates_can_be_left_out():
  found = evaluate(Oracle(doubled=True))
  assert found["mota"] == pytest.approx(0.0) and found["false_positive_rate"] == 1.0
  assert "mask_mota" not in found and found["overcount"] == 8 * FRAMES
  found = evaluate(Oracle(doubled=True), suppress_overlap=0.8)
  assert found["mota"] == 1.0 and found["count_accuracy"] == 1.0


def test_switches_are_warned_of_below_the_table():
  found = evaluate(Oracle(forgetful=True))
  assert found["id_switches"] == (FRAMES - 1) * found["true_tracks"]
  result = build.results(config(), made_up(config().data, "test"), found, 0, "last")
  *_, last = build.table(result).splitlines()
  assert last.startswith("warning: id_switches is ") and "not followed" in last
  result["scores"] = evaluate(Oracle(), tracking=())
  assert "mota" not in result["scores"] and "warning" not in build.table(result)


def test_bad_settings_are_named_before_anything_is_computed(monkeypatch):
  with pytest.raises(InputError, match="config.eval.tracking names 'faces'"):
    evaluate(Oracle(), tracking=("faces",))
  with pytest.raises(InputError, match="config.eval.suppress_overlap is 1.5"):
    scores.prepared({"suppress_overlap": 1.5})
  monkeypatch.setitem(sys.modules, "motmetrics", None)
  settings = config()
  with pytest.raises(InputError, match=r"objectcentric_jax\[tracking\]"):
    build.make_evaluator(settings, Oracle(), made_up(settings.data, "test"), Devices())


def test_images_have_no_tracks():
  scene = Scene(image=jnp.zeros((1, 4, 4, 3)), masks=jnp.zeros((1, 2, 4, 4, 1)))
  batch, about = {"image": scene.image}, {"labels": 2, "background_ids": [0]}
  settings = config(tracking=("boxes", "masks")).eval

  def count(scene):
    return len(scores.fitting_metrics(lambda: scene, batch, about, settings))

  assert count(None) == 2  # what the model says is not asked for
  batch |= {"bboxes": jnp.zeros((1, 3, 4)), "num_objects": jnp.zeros(1)}
  assert count(scene) == 2
  assert count(scene.replace(boxes=jnp.zeros((1, 3, 4)), presence=jnp.zeros((1, 3)))) == 3
