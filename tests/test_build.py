"""From workdirs back to configs."""

import json

import numpy as np

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


def test_made_up_examples_need_no_dataset_and_say_whose_views_they_are():
  config = joint_ithor.get_config()
  examples = build.made_up_examples(config)
  batch = examples.read(np.arange(2))
  assert batch["image"].shape == (2, 256, 256, 3) and batch["object"].tolist() == [0, 0]
  assert config.data.name == "object_folders/ithor"
