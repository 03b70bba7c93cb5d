"""The names of configs of moving sprites."""

import re

from data.building.names import NUMBER, SPLITS_AND_SEED, Choice, Flag, Names, Number, Objects
from data.generated_moving_sprites.scenes import Options

DENSITIES = {"low": (2, 10), "medium": (20, 30), "high": (50, 60), "very_high": (90, 110)}


class Density(Objects):
  """The fewest and the most objects, by the name of a density where they have one."""

  grammar = f"{'|'.join(DENSITIES)}|MIN-MAX"
  # One group for both fields; Names looks for the first.
  pattern = f"(?P<min_objects>{'|'.join(DENSITIES)}|{NUMBER}-{NUMBER})"

  def read(self, found):
    word = found["min_objects"]
    least, most = DENSITIES.get(word) or map(int, re.findall(NUMBER, word))
    return {"min_objects": least, "max_objects": most}

  def spell(self, values):
    objects = values["min_objects"], values["max_objects"]
    named = [name for name, density in DENSITIES.items() if density == objects]
    return named[0] if named else super().spell(values)


NAMES = Names(
  "generated_moving_sprites",
  Options,
  [
    Number("size", after="px", least=8, most=1024, always=True),
    Density(1, 255),
    Choice("objects", ("digits",)),
    Flag("large"),
    Flag("rotating"),
    Choice("background", ("black", "gradient", "texture")),
    Number("frames", "frames", least=1, most=240),
    *SPLITS_AND_SEED,
  ],
  examples="128px_high_texture or 64px_3-5_digits_frames10_train500",
)
