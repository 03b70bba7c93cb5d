"""Segmentation metrics against scikit-learn, a slow covering, hand-made and golden cases."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from objectcentric_jax.errors import InputError
from objectcentric_jax.metrics.segmentation import predicted_labels, segmentation_metrics
from objectcentric_jax.scene import Scene
from tests.golden import seg_metrics

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "../shared/golden/seg_metrics"
compiled_metrics = jax.jit(segmentation_metrics, static_argnums=(2, 3))
NAMES = ["ari", "fg_ari", "msc", "sc", "fg_msc", "fg_sc", "miou", "fg_miou"]


@pytest.fixture(autouse=True)
def strict_shapes():
  with jax.numpy_rank_promotion("raise"):
    yield


def one_hot_scene(predicted, count, **others):
  """A scene whose masks are certain of `predicted` [B, (T), H, W, 1]."""

  def masks(labels):
    return jnp.asarray(np.moveaxis(np.eye(count, dtype=np.float32)[labels], -1, -4))

  return Scene(
    image=jnp.zeros((*predicted.shape[:-1], 3)),
    masks=masks(predicted),
    other_masks={name: masks(labels) for name, labels in others.items()},
  )


def scores(predicted, truth, count, labels, background_ids=(0,)):
  """Metrics of single images [H, W], as floats."""
  scene = one_hot_scene(np.asarray(predicted)[None, ..., None], count)
  batch = {"segmentation": jnp.asarray(truth)[None, ..., None]}
  found = compiled_metrics(scene, batch, labels, background_ids)
  return {name: float(value[0]) for name, value in found.items()}


def slow_scores(predicted, truth, background_ids):
  """The definitions, pixel set by pixel set, for one example."""
  predicted, truth = predicted.ravel(), truth.ravel()
  known = truth >= 0
  foreground = known & ~np.isin(truth, background_ids)

  def covering_and_matching(segments):
    if not len(segments):
      return 0.0, 0.0, 0.0
    overlaps, sizes = [], []
    for segment in segments:
      ours = truth == segment
      theirs = [(predicted == label) & known for label in np.unique(predicted)]
      overlaps.append([(ours & other).sum() / (ours | other).sum() for other in theirs])
      sizes.append(ours.sum())
    best, matched = np.max(overlaps, 1), linear_sum_assignment(overlaps, maximize=True)
    miou = np.asarray(overlaps)[matched].sum() / len(segments)
    return np.mean(best), np.average(best, weights=sizes), miou

  msc, sc, miou = covering_and_matching(np.unique(truth[known]))
  fg_msc, fg_sc, fg_miou = covering_and_matching(np.unique(truth[foreground]))
  fg_ari = (
    adjusted_rand_score(truth[foreground], predicted[foreground]) if foreground.any() else 1.0
  )
  ari = adjusted_rand_score(np.maximum(truth, -1), predicted)
  values = (ari, fg_ari, msc, sc, fg_msc, fg_sc, miou, fg_miou)
  return dict(zip(NAMES, values, strict=True))


@pytest.mark.parametrize("shape", [(6, 5, 7, 1), (6, 3, 5, 7, 1)], ids=["image", "video"])
@pytest.mark.parametrize("background_ids", [(0,), (0, 2), ()])
def test_equals_slow_reference(shape, background_ids):
  rng = np.random.default_rng(0)
  labels, count = 5, 8
  truth = rng.integers(-2, labels, shape)
  truth[1] = rng.integers(0, 2, shape[1:])  # one foreground label
  truth[2] = 0  # background alone
  truth[3] = -1  # nothing known
  predicted = np.where(rng.random(shape) < 0.7, np.maximum(truth, 0), rng.integers(0, count, shape))
  moved = rng.permutation(count)[predicted[::-1]]
  scene = one_hot_scene(predicted, count, attention=moved)
  batch = {"segmentation": jnp.asarray(truth)}
  found = segmentation_metrics(scene, batch, labels, background_ids)
  compiled = compiled_metrics(scene, batch, labels, background_ids)

  assert sorted(found) == sorted(NAMES + [f"{name}/attention" for name in NAMES])
  for example in range(shape[0]):
    for suffix, labelling in (("", predicted), ("/attention", moved)):
      expected = slow_scores(labelling[example], truth[example], background_ids)
      for name, value in expected.items():
        np.testing.assert_allclose(found[name + suffix][example], value, atol=1e-6, err_msg=name)
  for name, value in found.items():
    assert value.shape == (6,) and value.dtype == jnp.float32
    np.testing.assert_allclose(compiled[name], value, atol=1e-6)


def test_perfect_masks_in_another_order():
  truth = np.array([[0, 0, 1], [2, 2, 1]])
  assert scores(np.array([4, 0, 2])[truth], truth, 6, 3) == dict.fromkeys(NAMES, 1.0)


def test_known_covering():
  truth = np.array([[0, 0, 0, 0], [1, 1, 2, 2], [1, 1, -1, 2]])
  predicted = np.array([[0, 0, 0, 3], [3, 3, 2, 2], [3, 3, 2, 0]])
  found = scores(predicted, truth, 4, 3)
  # label 0: {0: 3 / 5}; label 1: {3: 4 / 5}; label 2: {2: 2 / 3}, for the ignored pixel is removed
  np.testing.assert_allclose(found["msc"], (3 / 5 + 4 / 5 + 2 / 3) / 3, rtol=1e-6)
  np.testing.assert_allclose(found["sc"], (4 * 3 / 5 + 4 * 4 / 5 + 3 * 2 / 3) / 11, rtol=1e-6)
  np.testing.assert_allclose(found["fg_msc"], (4 / 5 + 2 / 3) / 2, rtol=1e-6)
  np.testing.assert_allclose(found["fg_sc"], (4 * 4 / 5 + 3 * 2 / 3) / 7, rtol=1e-6)


def test_matched_segments_are_used_once():
  """One predicted segment covers two true ones best, but is the match of the larger alone."""
  truth = np.array([[1, 1, 1, 2, 2, 0, 0, 0]])
  predicted = np.array([[3, 3, 3, 3, 3, 0, 0, 1]])
  found = scores(predicted, truth, 4, 3)
  np.testing.assert_allclose(found["fg_msc"], (3 / 5 + 2 / 5) / 2, rtol=1e-6)
  np.testing.assert_allclose(found["fg_miou"], (3 / 5 + 0) / 2, rtol=1e-6)
  np.testing.assert_allclose(found["miou"], (2 / 3 + 3 / 5 + 0) / 3, rtol=1e-6)


def test_no_foreground_scores_one_and_zero():
  found = scores([[0, 1], [1, 1]], [[0, 0], [0, 0]], 2, 3)
  assert found["fg_ari"] == 1 and found["fg_msc"] == found["fg_sc"] == found["fg_miou"] == 0
  assert found["msc"] == 0.75 and found["ari"] == pytest.approx(0, abs=1e-6)


def test_single_object_split_in_two_scores_zero():
  found = scores([[0, 1, 1], [0, 2, 2]], [[0, 1, 1], [0, 1, 1]], 3, 2)
  assert found["fg_ari"] == pytest.approx(0, abs=1e-6) and found["fg_msc"] == 0.5


def test_background_segment_counts_against_foreground_covering():
  truth, predicted = np.array([[1, 1, 0, 0]]), np.array([[2, 2, 2, 0]])
  found = scores(predicted, truth, 3, 2)
  assert found["fg_ari"] == 1 and found["fg_msc"] == pytest.approx(2 / 3)


def test_several_background_ids():
  truth, predicted = np.array([[0, 1, 2, 2, 3, 3]]), np.array([[0, 0, 1, 1, 2, 2]])
  assert scores(predicted, truth, 3, 4, (0, 1))["fg_msc"] == 1
  assert scores(predicted, truth, 3, 4, (0,))["fg_msc"] == pytest.approx((0.5 + 1 + 1) / 3)


def test_ignored_pixels_are_a_cluster_of_plain_ari_only():
  truth, predicted = np.array([[-1, -5, 1, 1, 2, 2]]), np.array([[0, 0, 1, 1, 2, 2]])
  assert scores(predicted, truth, 3, 3) == dict.fromkeys(NAMES, 1.0)
  predicted = np.array([[1, 2, 1, 1, 2, 2]])
  found = scores(predicted, truth, 3, 3)
  assert found["fg_ari"] == found["msc"] == 1
  assert found["ari"] == pytest.approx(
    adjusted_rand_score([0, 0, 1, 1, 2, 2], predicted[0]), abs=1e-6
  )


@pytest.mark.parametrize("dtype", [np.uint8, np.int32])
def test_label_beyond_the_declared_ones_is_nan_for_its_example_alone(dtype):
  truth = np.array([[[0, 1]], [[0, 3]], [[2, 0]]], dtype)[..., None]
  scene = one_hot_scene(np.zeros((3, 1, 2, 1), int), 2, attention=np.zeros((3, 1, 2, 1), int))
  for name, value in compiled_metrics(scene, {"segmentation": jnp.asarray(truth)}, 3).items():
    np.testing.assert_array_equal(np.isnan(value), [False, True, False], err_msg=name)


def test_masks_that_are_not_numbers_score_nan():
  scene = one_hot_scene(np.zeros((2, 3, 5, 1), int), 4)
  scene = scene.replace(masks=scene.masks.at[1, 2, 1, 1, 0].set(jnp.nan))
  for value in compiled_metrics(scene, {"segmentation": jnp.zeros((2, 3, 5, 1), int)}, 2).values():
    np.testing.assert_array_equal(np.isnan(value), [False, True])


def test_video_needs_the_same_component_over_time():
  truth = np.array([[[1, 2]], [[1, 2]]])  # [T, H, W]
  steady, exchanged = np.array([[[0, 1]], [[0, 1]]]), np.array([[[0, 1]], [[1, 0]]])
  assert scores(steady, truth, 2, 3)["fg_ari"] == 1
  assert scores(exchanged, truth, 2, 3)["fg_ari"] == -0.5


def test_predicted_label_is_the_first_of_equal_masks():
  masks = jnp.asarray(np.random.default_rng(0).random((2, 3, 4, 5, 6, 1)), jnp.float32)
  found = predicted_labels(masks)
  assert found.shape == (2, 3, 5, 6, 1) and found.dtype == jnp.int32
  np.testing.assert_array_equal(found, np.argmax(masks, 2))
  tie = jnp.asarray([0.2, 0.4, 0.4]).reshape(1, 3, 1, 1, 1)
  assert predicted_labels(tie).item() == 1


def test_same_under_vmap():
  rng = np.random.default_rng(3)
  truth, predicted = rng.integers(-1, 3, (2, 4, 5, 7, 1)), rng.integers(0, 6, (2, 4, 5, 7, 1))
  mapped = jax.vmap(lambda scene, truth: compiled_metrics(scene, {"segmentation": truth}, 3))
  found = mapped(one_hot_scene(predicted, 6), jnp.asarray(truth))
  for half in range(2):
    alone = compiled_metrics(
      one_hot_scene(predicted[half], 6), {"segmentation": jnp.asarray(truth[half])}, 3
    )
    for name in NAMES:
      np.testing.assert_allclose(found[name][half], alone[name], atol=1e-6)


def test_errors_say_what_to_do():
  scene = one_hot_scene(np.zeros((2, 3, 5, 1), int), 4)
  batch = {"segmentation": jnp.zeros((2, 3, 5, 1), int)}
  with pytest.raises(InputError, match="no masks"):
    segmentation_metrics(scene.replace(masks=None), batch, 2)
  with pytest.raises(InputError, match="no 'segmentation', only .'image'."):
    segmentation_metrics(scene, {"image": scene.image}, 2)
  with pytest.raises(InputError, match=r"\(2, 5, 3, 1\).*masks of \(2, 3, 5, 1\).*image size"):
    segmentation_metrics(scene, {"segmentation": jnp.zeros((2, 5, 3, 1), int)}, 2)
  with pytest.raises(InputError, match="float32"):
    segmentation_metrics(scene, {"segmentation": jnp.zeros((2, 3, 5, 1))}, 2)
  with pytest.raises(InputError, match="background_ids=.2,.*from 0 to 1"):
    segmentation_metrics(scene, batch, 2, background_ids=(2,))


@pytest.mark.parametrize("folder", ["batch4_64_k5", "ignore_batch3_48_k7"])
def test_golden(folder):
  case = json.loads((GOLDEN / folder / "case.json").read_text())
  with np.load(GOLDEN / folder / "arrays.npz") as file:
    arrays = dict(file)
  results = seg_metrics.check(case, arrays)
  assert {name for name, _, _ in results} == set(case["outputs"])
  for name, error, tolerance in results:
    assert error <= tolerance, name
  # The comparison must notice a wrong number.
  arrays["outputs/msc_fg"] = arrays["outputs/msc_fg"] * 1.001
  errors = {name: error / tolerance for name, error, tolerance in seg_metrics.check(case, arrays)}
  assert [name for name, share in errors.items() if share > 1] == ["msc_fg"]
