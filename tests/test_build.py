"""From workdirs back to configs."""

import json

from configs import quickstart, sections
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
