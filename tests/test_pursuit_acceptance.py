"""The algorithm as a whole, on objects that differ in their colours, with a network that tells them
apart: what comes again is recognised, bases grow slower than objects, what is known is kept.

The real network needs hours of one core for this; see experiments/results/object_pursuit_loop.md.
"""

import jax
import numpy as np
import pytest

from experiments import pursuit_stream
from experiments.pursuit_run import Pursuit
from objectcentric_jax.models.object_pursuit import pursuit
from objectcentric_jax.models.object_pursuit.store import read_journal
from tests import tiny_objects


def settings(memory: float):
  config = tiny_objects.config(count=7, repeat_every=3, threshold=0.7)
  config.model.bases = config.model.known = 8
  config.train.checkpoint_every = 100
  config.pursuit.learn.update(epochs=120, patience=40, rate=0.01, memory=memory, enough=0.9)
  for stage in ("express", "check"):
    config.pursuit[stage].update(epochs=25, patience=10, enough=0.9)
  return config


pytestmark = pytest.mark.slow  # half a minute


@pytest.fixture(scope="module")
def pursuits(tmp_path_factory):
  """Of the same stream, with the memory term and without it."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(pursuit_stream, "open_objects", tiny_objects.objects)
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
  assert len(names) == len(set(names)) >= 5  # nothing is learned twice


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
  assert (
    decisions[-1].name == tiny_objects.NONSENSE and decisions[-1].outcome == pursuit.UNQUALIFIED
  )
  template = pursuit.Knowledge(knowledge.memory, knowledge.networks)
  before, _ = run.store.restore(template, before=len(decisions))
  jax.tree.map(np.testing.assert_array_equal, before.networks, knowledge.networks)
  jax.tree.map(np.testing.assert_array_equal, before.memory, knowledge.memory)
  assert len(read_journal(run.workdir)) == len(decisions)
