"""The names of GQN configs."""

import dataclasses

from data.building.names import Names
from data.building.object_names import Perhaps, Text

VERSIONS = (
  "jaco",
  "mazes",
  "rooms_free_camera_no_object_rotations",
  "rooms_free_camera_with_object_rotations",
  "rooms_ring_camera",
  "shepard_metzler_5_parts",
  "shepard_metzler_7_parts",
)


@dataclasses.dataclass(frozen=True)
class Options:
  """Which files are converted, and which of them are for validation."""

  version: str = "rooms_ring_camera"
  validation_files: int | None = None  # the last so many training files; None as published


NAMES = Names(
  "gqn",
  Options,
  [
    Text("version", "|".join(VERSIONS), "|".join(VERSIONS)),
    Perhaps("validation_files", before="validation", after="files"),
  ],
  examples="rooms_ring_camera or rooms_ring_camera_validation2files",
)
