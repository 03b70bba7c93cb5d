"""Clips of falling and colliding solids, as TFDS records."""

import numpy as np

from data.building import schema
from data.building.generated_builder import GeneratedBuilder, GeneratedConfig
from data.building.names import SPLITS_AND_SEED, Choice, Flag, Names, Number, Objects
from data.generated_movi import drawing, scenes


class Large(Flag):
  """Objects of twice the size, which leave no room for many."""

  limits = f"MAX <= {scenes.MOST_LARGE} if large"

  def fits(self, values):
    return not values["large"] or values["max_objects"] <= scenes.MOST_LARGE


NAMES = Names(
  "generated_movi",
  scenes.Options,
  [
    Number("size", after="px", least=8, most=1024, always=True),
    Objects(1, 20),
    Large("large"),
    Choice("camera", scenes.CAMERAS),
    Number("frames", "frames", least=1, most=240),
    Flag("mujoco"),
    Flag("opengl"),
    Number("samples", "samples", least=1, most=8),
    Flag("depth"),
    Flag("flow"),
    *SPLITS_AND_SEED,
  ],
  examples="128px_3-10_depth_flow or 64px_3-6_moving_camera_train500",
)


class Builder(GeneratedBuilder):
  """Clips of any legal config."""

  NAMES = NAMES
  DRAW = drawing.draw
  BATCH = 4
  SAMPLE = 4
  BUILDER_CONFIGS = [
    GeneratedConfig(name=NAMES.spell(options), options=options)
    for options in (scenes.Options(camera=camera) for camera in ("", *scenes.CAMERAS))
  ]
  DEFAULT_CONFIG = BUILDER_CONFIGS[0].name
  SOURCE = "generated after MOVi-A of google-research/kubric"
  SIZE = "850 MB"
  HOMEPAGE = "https://github.com/google-research/kubric/tree/main/challenges/movi"

  def _features(self):
    options = self.options
    frames, side, count = options.frames, options.size, options.max_objects
    features = {
      "video": schema.pictures(frames, side, side),
      "segmentation": schema.pictures(frames, side, side, 1),
      "num_objects": np.int32,
      "bboxes": schema.numbers((frames, count, 4)),
      "visibility": schema.numbers((frames, count), np.uint16),
      "camera": {
        "position": schema.numbers((frames, 3)),
        "axes": schema.numbers((frames, 3, 3)),
      },
      "factors": _factors(count, frames),
    }
    if options.depth:
      features["depth"] = schema.array((frames, side, side, 1))
    if options.flow:
      features |= {
        name: schema.array((frames, side, side, 2)) for name in ("forward_flow", "backward_flow")
      }
    return features

  def _metadata(self):
    known = {
      "labels": 1 + self.options.max_objects,
      "background_ids": [0],
      "max_objects": self.options.max_objects,
      "shapes": list(scenes.SHAPES),
      "materials": [stuff.name for stuff in scenes.STUFFS],
      "field_of_view": scenes.FIELD_OF_VIEW,
      "frames_per_second": round(1 / scenes.FRAME_TIME),
    }
    return known | ({"depth": "distance"} if self.options.depth else {})


def _factors(count, frames):
  return {
    "shape": schema.numbers((count,), np.int32),
    "material": schema.numbers((count,), np.int32),
    "colour": schema.numbers((count, 3), np.uint8),
    **{name: schema.numbers((count,)) for name in ("size", "mass", "friction", "restitution")},
    **{
      name: schema.numbers((count, frames, 3))
      for name in ("position", "velocity", "angular_velocity")
    },
    "quaternion": schema.numbers((count, frames, 4)),
  }
