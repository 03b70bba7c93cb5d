"""Pictures by MuJoCo's OpenGL renderer, off screen, for configs that ask for it.

The same solids through the same cameras as the ray caster's, so that its segmentation, depth and
flow fit them. OpenGL's drivers differ, so the pictures are not the same on every machine.

MuJoCo is imported when it is used; no jax and no tensorflow_datasets, since the processes that
draw scenes import this module.
"""

import numpy as np

from data.generated_movi.mujoco_physics import import_mujoco, size
from data.generated_movi.physics import Motion
from data.generated_movi.scenes import Clip
from data.raycast.camera import Camera
from data.raycast.motion import quaternion_of
from data.raycast.scene import Material
from objectcentric_jax.errors import InputError

TO_OPENGL = np.diag([1.0, -1.0, -1.0])  # its cameras look along -z, with y upwards


def images(clip: Clip, motion: Motion) -> list[np.ndarray]:
  """The frames of a clip, uint8 [H, W, 3] each; InputError without MuJoCo or an OpenGL driver."""
  mujoco = import_mujoco()
  first = clip.cameras[0]
  model = mujoco.MjModel.from_xml_string(_world(clip, first))
  state = mujoco.MjData(model)
  try:
    renderer = mujoco.Renderer(model, first.height, first.width)
  except (mujoco.FatalError, RuntimeError, AttributeError) as error:
    raise InputError(
      f"MuJoCo cannot draw here ({error}); install an EGL driver (libegl1 and libgl1-mesa-dri of "
      "Debian), or leave opengl out of the config's name"
    ) from None
  with renderer:
    return [
      _frame(mujoco, renderer, model, state, camera, motion, number)
      for number, camera in enumerate(clip.cameras)
    ]


def _frame(mujoco, renderer, model, state, camera, motion, number):
  state.mocap_pos[:] = motion.position[number]
  state.mocap_quat[:] = motion.quaternion[number]
  model.cam_pos[0] = camera.position
  model.cam_quat[0] = quaternion_of(camera.axes.T @ TO_OPENGL)
  mujoco.mj_forward(model, state)
  renderer.update_scene(state, camera=0)
  renderer.scene.flags[mujoco.mjtRndFlag.mjRND_HAZE] = False  # the horizon would be white
  return renderer.render().copy()


def _world(clip: Clip, camera: Camera) -> str:
  """The world as MuJoCo's XML."""
  bodies, materials = clip.objects.bodies(), clip.objects.materials()
  solids, looks = [], []
  for number, (body, material) in enumerate(zip(bodies, materials, strict=True)):
    looks.append(_material(f"m{number}", material))
    solids.append(
      f'<body mocap="true"><geom type="{body.shape}" size="{size(body)}" material="m{number}"/>'
      "</body>"
    )
  background = clip.background
  looks.append(_material("floor", background.solids[0].material))
  field_of_view = np.degrees(2 * np.arctan(camera.height / 2 / camera.focal))
  light = np.array(background.light.position)
  return f"""
    <mujoco>
      <visual>
        <global offwidth="{camera.width}" offheight="{camera.height}"/>
        <quality shadowsize="2048" offsamples="4"/>
        <headlight ambient="0.45 0.45 0.45" diffuse="0.1 0.1 0.1" specular="0 0 0"/>
        <map znear="0.01" zfar="{2 * background.far}"/>
      </visual>
      <statistic extent="1" center="0 0 0"/>
      <asset>
        <texture type="skybox" builtin="gradient" width="64" height="384"
                 rgb1="{_words(background.zenith)}" rgb2="{_words(background.horizon)}"/>
        {"".join(looks)}
      </asset>
      <worldbody>
        <light pos="{_words(light)}" dir="{_words(-light)}" diffuse="0.7 0.7 0.7"
               specular="0.5 0.5 0.5" castshadow="true" cutoff="80" exponent="0"/>
        <camera fovy="{field_of_view}"/>
        <geom type="plane" size="0 0 1" material="floor"/>
        {"".join(solids)}
      </worldbody>
    </mujoco>"""


def _material(name: str, material: Material) -> str:
  return (
    f'<material name="{name}" rgba="{_words(material.colour)} 1" specular="{material.highlight}"'
    f' shininess="{min(1.0, material.shininess / 128)}" reflectance="{0.3 * material.mirror}"/>'
  )


def _words(values) -> str:
  return " ".join(str(float(value)) for value in values)
