"""Golden cases of the pursuit's control flow and of the order of its stream.

The recorded scores of a case stand in for the inner trainings. Their settings (epochs, rates,
penalties) come from the configs of the real command in their variant `published`. The published
code's folders are its own; what lies in them follows from the decisions.
"""

import importlib
import re

import numpy as np

from objectcentric_jax.models.object_pursuit import pursuit
from objectcentric_jax.models.object_pursuit.memory import (
  combined,
  empty_memory,
  initial_coefficients,
)
from objectcentric_jax.models.object_pursuit.stream import stream
from tests.golden.case import Result, elementwise_error

CONFIGS = {"iThor": "pursuit_ithor", "CO3D": "pursuit_co3d", "DAVIS": "pursuit_davis"}
STAGES = {
  pursuit.EXPRESS: ("coeff", "coeff_pursuit"),
  pursuit.LEARN: ("base", "base_update"),
  pursuit.CHECK: ("check", "check_express"),
}
TOLERANCE = 1e-6  # of stored latents, in float32


def check_flow(case: dict, arrays: dict) -> list[Result]:
  """Compares the stream of a case, or the events and records of its pursuit."""
  del arrays  # these cases have none
  if "script" in case["config"]:
    return _check_pursuit(case)
  return _check_order(case)


def _equal(name: str, found, expected) -> Result:
  return Result(name, float(found != expected), 0.0)


# The order of the stream


def _check_order(case: dict) -> list[Result]:
  config, results = case["config"], []
  for key, expected in case["expected"].items():
    if limited := re.fullmatch(r"limit_(\d+)_of_(\d+)", key):
      limit, count = map(int, limited.groups())
      found = _names(count, config["shuffle_seed"], config["interval"], limit)
      results.append(_equal(key, found, expected))
      continue
    seed, plain = re.fullmatch(r"seed_(\d+)(_plain)?", key).groups()
    every = config["interval"] if config["insert_seen"] and not plain else 0
    for count, names in expected.items():
      found = _names(int(count), int(seed), every)
      expected_names = _mended(int(count), int(seed), every) if isinstance(names, str) else names
      results.append(_equal(f"{key}/{count}", found, expected_names))
  return results


def _names(count: int, seed: int, every: int, limit: int = 0) -> list[str]:
  names = [f"o{number:03d}" for number in range(count)]
  return [arrival.name for arrival in stream(names, "sequence", seed, every, limit)]


def _mended(count: int, seed: int, every: int) -> list[str]:
  """The stream where the published code fails, at the visit that ends it.

  One object more than there are in the shuffle lets the published rule end; that one is left out.
  """
  plain = _names(count, seed, 0)
  expected, again = [], plain[0]
  for number, name in enumerate([*plain, "one more"]):
    if number == count:
      break
    expected.append(name)
    if (number + 1) % every == 0:
      expected.append(again)
      again = [*plain, "one more"][number + 1]
  return expected


# The decisions


class Scripted:
  """Inner trainings that reach the scores of a script; what is asked of them is recorded.

  `networks` are the arrivals that they have been trained with.
  """

  def __init__(self, case: dict, config):
    self.case, self.settings = case["config"], config.pursuit
    self.batch_size = config.data.batch_size
    self.events, self.stages, self.step = [], {}, -1

  def begin(self, step: int, number: int):
    """The next arrival, which would become the object of this number."""
    self.step, self.number, self.folder = step, number, f"explored_objects/obj_{number}"
    self.scores = self.case["script"][step]

  def usable(self, views):
    return True

  def similarities(self, knowledge, views):
    score = self.scores.get("seen", 0.0)
    candidates = list(knowledge.candidates)
    self.events.append(
      {
        "call": "have_seen",
        "object": views,
        "candidates": [_z_file(number) for number in candidates],
        "test_percent": self.settings.held_out,
        "threshold": self.settings.threshold,
        "acc": score if candidates else 0.0,
        "seen": bool(candidates) and score > self.settings.threshold,
      }
    )
    return [score for _ in candidates]

  def express(self, knowledge, views, stage):
    assert knowledge.backbone_fixed
    count = knowledge.base_count
    self._train(knowledge, stage, bases_given=count, mem_loss_coeff=None, memory_files=None)
    coefficients = initial_coefficients(knowledge.memory)
    latent = combined(knowledge.memory, coefficients)
    score = self.scores[STAGES[stage][0]]
    chosen = tuple(map(float, coefficients[:count]))
    return pursuit.Fitted(score, latent, knowledge.networks, chosen)

  def learn(self, knowledge, views):
    files = [_z_file(number) for number in range(len(knowledge.objects))]
    memory = self.settings.learn.memory
    self._train(
      knowledge, pursuit.LEARN, bases_given=None, mem_loss_coeff=memory, memory_files=files
    )
    latent = np.full(self.case["z_dim"], 100.0 + self.step, np.float32)
    return pursuit.Fitted(self.scores["base"], latent, (*knowledge.networks, views))

  def generated(self, networks, latent):
    return {}

  def _train(self, knowledge, stage, **told):
    settings, (name, folder) = self.settings[stage], STAGES[stage]
    learns, has_backbone = stage == pursuit.LEARN, self.case["use_backbone"]
    moves_backbone = learns and not knowledge.backbone_fixed
    self.stages.setdefault(self.number, []).append(folder)
    self.events.append(
      {
        "call": "train",
        "step": self.step,
        "stage": name,
        "net_type": "singlenet" if learns else "coeffnet",
        "base_num": knowledge.base_count,
        "hypernet_trainable": learns,
        "backbone_trainable": moves_backbone if has_backbone else None,
        "batch_size": self.batch_size,
        "val_percent": self.settings.held_out,
        "max_epochs": settings.epochs,
        "wait_epochs": settings.patience,
        "lr": settings.rate,
        "l1_loss_coeff": settings.penalty,
        "acc_threshold": settings.enough,
        "save_dir": f"{self.folder}/{folder}",
        "acc": self.scores[name],
        **told,
      }
    )


def _check_pursuit(case: dict) -> list[Result]:
  config, expected = case["config"], case["expected"]
  module = importlib.import_module(f"configs.object_pursuit.{CONFIGS[config['dataset']]}")
  published = module.get_config("published")
  settings = published.pursuit
  settings.threshold = config["threshold"]
  rules = pursuit.Rules(settings.threshold, settings.failed_start_stays)
  trainings = Scripted(case, published)
  knowledge = pursuit.Knowledge(empty_memory(1, config["z_dim"], 1, {}), networks=())
  given = [np.full(config["z_dim"], i + 1.0, np.float32) for i in range(config["initial_bases"])]
  knowledge = pursuit.give(knowledge, trainings, given)
  decisions, snapshots = [], {}
  order = stream(
    config["objects"], settings.order, settings.seed, settings.repeat_every, settings.limit
  )
  for arrival in order[: len(config["script"])]:
    if config["save_interval"] and arrival.round % config["save_interval"] == 0:
      snapshots[arrival.round] = knowledge
    trainings.begin(arrival.round - 1, len(knowledge.objects))
    before = knowledge
    knowledge, decision = pursuit.meet(knowledge, arrival, arrival.name, trainings, rules)
    decisions.append(decision)
    if decision.outcome == pursuit.UNQUALIFIED:
      trainings.events += _restored(before, config)
      trainings.stages.pop(trainings.number)
  return [
    _equal("visit_order", [arrival.name for arrival in order], expected["visit_order"]),
    *_compare_events(trainings.events, expected["events"]),
    _equal("z_info", _object_records(knowledge), expected["z_info"]),
    _equal("base_info", _base_records(knowledge), expected["base_info"]),
    *_compare_first_elements(knowledge, expected),
    _equal("files", sorted(_files(knowledge, snapshots, config)), expected["files"]),
    _equal("dirs", sorted(_folders(trainings.stages, snapshots)), expected["dirs"]),
  ]


def _restored(before: pursuit.Knowledge, config: dict) -> list[dict]:
  """What the published code reads back after an object that failed."""
  parts = ["backbone", "hypernet"] if config["use_backbone"] else ["hypernet"]
  accepted = len(before.objects) > before.given
  return [
    {
      "call": f"restore_{part}",
      "file": f"checkpoint/{part}.pth",
      "exists": accepted,
      "then_frozen": True,
    }
    for part in parts
  ]


def _compare_events(found: list[dict], expected: list[dict]) -> list[Result]:
  results = [_equal("number of events", len(found), len(expected))]
  for number, (event, wanted) in enumerate(zip(found, expected, strict=False)):
    name = f"{number} {wanted['call']}"
    results.append(_equal(f"{name}: fields", set(event), set(wanted)))
    results += [_equal(f"{name}: {key}", event.get(key), wanted[key]) for key in wanted]
  return results


def _compare_first_elements(knowledge: pursuit.Knowledge, expected: dict) -> list[Result]:
  memory = knowledge.memory
  found = {
    "z": {_z_file(n): float(knowledge.latent(n)[0]) for n in range(len(knowledge.objects))},
    "base": {_base_file(n): float(memory.bases[n, 0]) for n in range(knowledge.base_count)},
  }
  results = []
  for kind, latents in found.items():
    wanted = expected[f"{kind}_first_element"]
    results.append(_equal(f"{kind} names", list(latents), list(wanted)))
    if list(latents) == list(wanted):
      error = elementwise_error([*latents.values()], [*wanted.values()]) if wanted else 0.0
      results.append(Result(f"{kind} first elements", error, TOLERANCE))
  return results


def _z_file(number: int) -> str:
  return f"z_{number:04d}.json"


def _base_file(number: int) -> str:
  return f"base_{number:04d}.json"


def _object_records(knowledge: pursuit.Knowledge) -> list[dict]:
  return [
    {"index": n, "data_dir": knowledge.objects[n].name, "z_file": _z_file(n)}
    for n in knowledge.candidates
  ]


def _base_records(knowledge: pursuit.Knowledge) -> list[dict]:
  return [
    {
      "index": n,
      "data_dir": knowledge.objects[n].name,
      "base_file": _base_file(knowledge.objects[n].base),
      "z_file": _z_file(n),
    }
    for n in knowledge.candidates
    if knowledge.objects[n].base is not None
  ]


def _latent_files(knowledge: pursuit.Knowledge, folder: str = "") -> list[str]:
  zs = [f"{folder}zs/{_z_file(n)}" for n in range(len(knowledge.objects))]
  return [*zs, *(f"{folder}Bases/{_base_file(n)}" for n in range(knowledge.base_count))]


def _files(knowledge: pursuit.Knowledge, snapshots: dict, config: dict) -> list[str]:
  """The files that the published code would have written."""
  files = ["pursuit_log.txt", *_latent_files(knowledge)]
  if knowledge.candidates:
    files += ["z_info.json", "base_info.json", "checkpoint/hypernet.pth"]
    files += ["checkpoint/backbone.pth"] if config["use_backbone"] else []
  for number, snapshot in snapshots.items():
    folder = f"checkpoint/checkpoint_round_{number}/"
    files += [f"{folder}hypernet.pth", *_latent_files(snapshot, folder)]
  return files


def _folders(stages: dict[int, list[str]], snapshots: dict) -> list[str]:
  folders = ["Bases", "zs", "checkpoint", "explored_objects"]
  for number, names in stages.items():
    folder = f"explored_objects/obj_{number}"
    folders += [folder, *(f"{folder}/{name}" for name in names)]
  for number in snapshots:
    folder = f"checkpoint/checkpoint_round_{number}"
    folders += [folder, f"{folder}/Bases", f"{folder}/zs"]
  return folders
