"""Published files of Object Pursuit: names, parts, latents in folders."""

import jax
import numpy as np
import pytest

from configs.object_pursuit import _base
from objectcentric_jax.checkpoint_import import object_pursuit as importer
from objectcentric_jax.errors import InputError
from objectcentric_jax.models.object_pursuit.object_pursuit import make_task
from tests.checkpoint_import.torch_writer import save_zip


def small(kind):
  model = _base.get_config().model
  model.widths.update(backbone=1, aspp=2, low=2, decoder=2)
  model.update(kind=kind, latent_size=4, objects=2, unet_width=2)
  return model


def shapes_of(model):
  image = {"image": np.zeros((2, 32, 32, 3), np.float32)}
  return jax.eval_shape(make_task(model).init, jax.random.key(0), image)


@pytest.mark.parametrize("kind", ["multinet", "deeplab", "unet"])
def test_every_parameter_has_a_published_name(kind):
  model = small(kind)
  params, state = shapes_of(model)
  for table, tree in (
    (importer.table(model), params),
    (importer.statistics_table(model), state["batch_stats"]),
  ):
    paths = jax.tree_util.tree_leaves_with_path(tree)
    ours = {"/".join(key.key for key in path) for path, _ in paths}
    assert sorted(target.path for target in table.values()) == sorted(ours)


def test_parts_of_a_pursuit_have_short_names():
  names = dict.fromkeys(["blocks.a.expand_linear.bias", "module.conv1.weight", "z"], 0)
  found = importer.canonical(names)
  assert list(found) == ["hypernet.blocks.a.expand_linear.bias", "backbone.conv1.weight", "z"]


def test_a_checkpoint_with_a_name_too_many_is_refused():
  model = small("multinet")
  params, _ = shapes_of(model)
  state_dict = dict.fromkeys(importer.table(model), np.zeros(1)) | {"surplus": np.zeros(1)}
  with pytest.raises(InputError, match="1 unused: surplus"):
    importer.import_parameters(state_dict, model, params, "file.pth")


def test_latents_from_a_folder_and_from_one_file(tmp_path):
  folder = tmp_path / "Bases"
  folder.mkdir()
  for number in (1, 0):
    latent = np.full(3, number, np.float32)
    save_zip(folder / f"base_{number:04d}.json", {"z": latent, "weights": {}})
  np.testing.assert_array_equal(importer.read_latents(folder), [[0] * 3, [1] * 3])
  save_zip(tmp_path / "joint.pth", {"z": np.eye(3, dtype=np.float32)})
  np.testing.assert_array_equal(importer.read_latents(tmp_path / "joint.pth"), np.eye(3))
  save_zip(tmp_path / "other.pth", {"w": np.eye(3, dtype=np.float32)})
  with pytest.raises(InputError, match="no entry 'z'"):
    importer.read_latents(tmp_path / "other.pth")
  with pytest.raises(InputError, match="holds no latents"):
    importer.read_latents(tmp_path)


def test_the_folder_of_a_pursuit_is_read_as_one_checkpoint(tmp_path):
  for name in ("checkpoint", "zs"):
    (tmp_path / name).mkdir()
  with pytest.raises(InputError, match="no pursuit"):
    importer.read(tmp_path)
  one = np.ones(1, np.float32)
  save_zip(tmp_path / "checkpoint" / "hypernet.pth", {"blocks.a.expand_linear.bias": one})
  save_zip(tmp_path / "checkpoint" / "backbone.pth", {"module.conv1.weight": one, "epoch": 3})
  save_zip(tmp_path / "zs" / "z_0000.json", {"z": np.zeros(4, np.float32)})
  save_zip(tmp_path / "zs" / "z_0001.json", {"z": np.ones(4, np.float32)})
  found = importer.read(tmp_path)
  assert set(found) == {"z", "hypernet.blocks.a.expand_linear.bias", "backbone.conv1.weight"}
  assert importer.sizes(found, {"kind": "multinet"}) == {"objects": 2, "latent_size": 4}
  assert importer.sizes(found, {"kind": "base"}) == {}
