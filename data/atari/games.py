"""The games of SPACE's Atari set, and the names of configs.

Standard library only.
"""

import dataclasses

from data.building.names import SPLITS_AND_SEED, Names, Number
from data.building.object_names import Text

# Name in configs -> folder of the published tree. Their order is that of the labels.
FOLDERS = {
  "asterix": "Asterix-v0",
  "atlantis": "Atlantis-v0",
  "carnival": "Carnival-v0",
  "double_dunk": "DoubleDunk-v0",
  "kangaroo": "Kangaroo-v0",
  "montezuma_revenge": "MontezumaRevenge-v0",
  "ms_pacman": "MsPacman-v0",
  "pooyan": "Pooyan-v0",
  "qbert": "Qbert-v0",
  "riverraid": "Riverraid-v0",
  "space_invaders": "SpaceInvaders-v0",
}
GAMES = tuple(FOLDERS)
# The published joint training leaves out River Raid, which has a training of its own.
GROUPS = {"joint": tuple(game for game in GAMES if game != "riverraid"), "all": GAMES}


@dataclasses.dataclass(frozen=True)
class Options:
  """What a set holds."""

  games: str = "joint"  # one of GROUPS or of GAMES
  every: int = 10  # decisions from one recorded picture to the next
  train: int = 8000  # recorded pictures of each game
  validation: int = 1000
  test: int = 1000
  seed: int = 0

  @property
  def chosen(self) -> tuple[str, ...]:
    """The games in the set."""
    return GROUPS.get(self.games, (self.games,))


NAMES = Names(
  "atari",
  Options,
  [
    Text("games", "|".join((*GROUPS, *GAMES)), f"{'|'.join(GROUPS)}|GAME"),
    Number("every", "every", least=1),
    *SPLITS_AND_SEED,
  ],
  examples="joint or space_invaders_train2000",
)
