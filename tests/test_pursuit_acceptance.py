"""The algorithm as a whole, on objects that differ in their colours, with a network that tells them
apart: what comes again is recognised, bases grow slower than objects, what is known is kept.

The real network needs hours of one core for this; see experiments/results/object_pursuit_loop.md.
"""

import jax
import numpy as np
import pytest

from experiments import pursuit_stream
from experiments.pursuit_run import Pursuit
from objectcentric_jax.input.arrays import ArrayExamples, SelectedExamples
from objectcentric_jax.models.object_pursuit import pursuit
from objectcentric_jax.models.object_pursuit.store import read_journal
from tests import tiny_objects

SIDE, VIEWS = 12, 60
COLOURS = {
  "a red": (1, 0, 0),
  "b green": (0, 1, 0),
  "c blue": (0, 0, 1),
  "d yellow": (1, 1, 0),
  "e cyan": (0, 1, 1),
  "f magenta": (1, 0, 1),
}
NONSENSE = "g nonsense"  # masks of other views


def draw(name: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
  """A view: squares of two other colours on grey, and before them that of the object."""
  image = np.empty((SIDE, SIDE, 3))
  image[:] = rng.uniform(0.3, 0.7) + rng.normal(0, 0.05, (SIDE, SIDE, 1))
  ids = np.zeros((SIDE, SIDE, 1), np.uint8)
  others = [other for other in COLOURS if other != name]
  for shown in [*rng.choice(others, 2, replace=False), name]:
    top, left = rng.integers(0, SIDE - 5, 2)
    place = np.s_[top : top + rng.integers(4, 6), left : left + rng.integers(4, 6)]
    image[place] = np.clip(COLOURS.get(shown, (0.5, 0.5, 0.5)) + rng.normal(0, 0.08, 3), 0, 1)
    ids[place] = shown == name
  return (255 * np.clip(image, 0, 1)).astype(np.uint8), ids


def objects(*_, **__) -> dict[str, SelectedExamples]:
  """Views of all objects by name, instead of `open_objects`."""
  found = {}
  for name in (*COLOURS, NONSENSE):
    rng = np.random.default_rng(list(name.encode()))
    images, ids = map(np.stack, zip(*(draw(name, rng) for _ in range(VIEWS)), strict=True))
    ids = rng.permutation(ids) if name == NONSENSE else ids
    views = ArrayExamples({"image": images, "segmentation": ids}, {"name": name, "split": "train"})
    found[name] = SelectedExamples(views, np.arange(VIEWS))
  return found


def settings(memory: float):
  config = tiny_objects.config(count=7, order="sorted", repeat_every=3, threshold=0.7, held_out=0.3)
  config.data.side = SIDE
  config.data.batch_size = 7
  config.eval.batch_size = 9
  config.model.latent_size = 4
  config.model.bases = config.model.known = 8
  config.train.checkpoint_every = 100
  config.pursuit.learn.update(epochs=60, patience=25, rate=0.03, memory=memory, enough=0.9)
  for stage in ("express", "check"):
    config.pursuit[stage].update(epochs=25, patience=10, rate=0.1, penalty=0.0, enough=0.9)
  return config


@pytest.fixture(scope="module")
def pursuits(tmp_path_factory):
  """Of the same stream, with the memory term and without it."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(pursuit_stream, "open_objects", objects)
    runs = {}
    for memory in (0.2, 0.0):
      run = Pursuit(settings(memory), tmp_path_factory.mktemp("pursuit"))
      run.run()
      runs[memory] = (*run.restored(), run)
    yield runs


def test_what_comes_again_is_recognised(pursuits):
  knowledge, decisions, _ = pursuits[0.2]
  assert [d.name[0] for d in decisions] == list("abcadefdg")
  again = [d for d in decisions if d.visit]
  assert [d.outcome for d in again] == [pursuit.RECOGNISED] * 2
  assert [knowledge.objects[d.object].name for d in again] == ["a red", "d yellow"]
  names = [known.name for known in knowledge.objects]
  assert len(names) == len(set(names)) == 6


def test_bases_grow_slower_than_objects(pursuits):
  knowledge, decisions, _ = pursuits[0.2]
  assert all(known.score >= 0.7 for known in knowledge.objects)
  counts = [d.bases for d in decisions]
  assert counts == sorted(counts) and knowledge.base_count < len(knowledge.objects)
  for known in knowledge.objects:
    if known.base is not None:
      number = knowledge.objects.index(known)
      np.testing.assert_array_equal(knowledge.memory.bases[known.base], knowledge.latent(number))


def test_what_is_known_is_kept_by_the_memory_term_alone(pursuits):
  def lost(memory):
    knowledge, _, run = pursuits[memory]
    now = run.retained(knowledge)
    return np.mean([knowledge.objects[n].score - now[n] for n in now])

  assert lost(0.2) < 0.1 < lost(0.0)


def test_the_backbone_stays_and_nonsense_leaves_no_trace(pursuits):
  knowledge, decisions, run = pursuits[0.2]
  assert decisions[-1].name == NONSENSE and decisions[-1].outcome == pursuit.UNQUALIFIED
  template = pursuit.Knowledge(knowledge.memory, knowledge.networks)
  before, _ = run.store.restore(template, before=len(decisions))
  jax.tree.map(np.testing.assert_array_equal, before.networks, knowledge.networks)
  jax.tree.map(np.testing.assert_array_equal, before.memory, knowledge.memory)
  assert len(read_journal(run.workdir)) == len(decisions)
