"""From workdirs back to configs."""

import json

from configs import quickstart, sections
from configs.object_pursuit import joint_ithor
from experiments import build


def test_a_config_of_before_has_the_defaults_of_what_came_later(tmp_path):
  config = quickstart.get_config().to_dict()
  del config["data"]["chunk"], config["eval"]["suppress_overlap"], config["train"]["start_from"]
  config["train"]["steps"] = 7
  (tmp_path / "config.json").write_text(json.dumps(config))
  stored, base = build.stored_config(tmp_path), sections.base()
  assert stored.data.chunk == base.data.chunk == 0
  assert stored.eval.suppress_overlap == base.eval.suppress_overlap
  assert stored.train.start_from == base.train.start_from == ()
  assert stored.train.steps == 7 and stored.model.to_dict() == config["model"]


def test_a_made_up_batch_needs_no_dataset_and_says_whose_views_they_are():
  batch = build.made_up_batch(joint_ithor.get_config(), scenes=2)
  assert batch["image"].shape == (8, 256, 256, 3) and batch["object"].tolist() == [0] * 8
  assert (batch["image"][0] == batch["image"][2]).all()
  assert (batch["image"][0] != batch["image"][1]).any()
