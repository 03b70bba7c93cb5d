"""An analytic ray caster: pictures of simple solids with labels, depth and motion, by formula.

`scene.Scene` says what there is, `camera.look_at` from where it is seen, `render.render` draws it,
and `motion` says where points go between two frames. Numpy only and no randomness: the same scene
gives the same picture, in any process. Several solids that share a label are one thing.
"""
