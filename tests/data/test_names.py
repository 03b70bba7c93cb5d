"""Names of Multi-dSprites configs."""

import pytest

from data.multi_dsprites import names
from data.multi_dsprites.multi_dsprites_dataset_builder import Builder
from data.multi_dsprites.scenes import Options
from objectcentric_jax.errors import InputError


@pytest.mark.parametrize(
  "name, options",
  [
    ("64px_1-4", Options()),
    ("64px_1-4_unique", Options(unique=True)),
    ("64px_1-4_unique_published", Options(unique=True, published=True)),
    (
      "32px_1-3_train20000",
      Options(size=32, max_objects=3, train=20_000, validation=2_000, test=2_000),
    ),
    ("64px_6-6_train5", Options(min_objects=6, max_objects=6, train=5, validation=1, test=1)),
    ("8px_1-4_validation3", Options(size=8, validation=3)),
    (
      "128px_2-2_published_train40_test7_seed12",
      Options(
        size=128,
        min_objects=2,
        max_objects=2,
        published=True,
        train=40,
        validation=4,
        test=7,
        seed=12,
      ),
    ),
  ],
)
def test_names_and_options_are_each_others(name, options):
  assert names.parse(name) == options
  assert names.spell(options) == name


@pytest.mark.parametrize(
  "name",
  ["", "64", "64px", "64px_4", "64px_1-4_uniqe", "64px_1-4_published_unique", "64px_1-4_train",
   "64px_1-4_train-5", "64px_1-4 ", "7px_1-4", "2000px_1-4", "64px_0-4", "64px_4-1", "64px_1-7",
   "64px_1-4_train0", "64px_1-4_test0", "064px_1-4",
   "64px_1-4_seed007"],
)  # fmt: skip
def test_other_names_show_the_grammar_and_an_example(name):
  with pytest.raises(InputError) as caught:
    names.parse(name)
  assert repr(name) in str(caught.value)
  assert "SIZEpx_MIN-MAX[_unique]" in str(caught.value)
  assert "32px_1-3_train20000" in str(caught.value)


@pytest.mark.parametrize(
  "name, shortest",
  [
    ("64px_1-4_train50000", "64px_1-4"),
    ("64px_1-4_train200_validation20_test3", "64px_1-4_train200_test3"),
    ("64px_1-4_seed0", "64px_1-4"),
  ],
)
def test_defaults_may_be_said(name, shortest):
  assert names.parse(name) == names.parse(shortest)
  assert names.spell(names.parse(name)) == shortest
  assert Builder.config_named(name).name == name  # it is found under the name it was made by
