"""The formats of programs (pose estimators, motion capture, tables) by name; data sets are in `READERS`.

It does not know how a format is told from its content: each says so itself.
"""

from motionhub.data.formats import (
    alphapose,
    arrays,
    bvh,
    coco,
    lcrnet,
    mediapipe,
    openpose,
    parquet,
    pyskl,
    table,
    trc,
)
from motionhub.data.formats.options import PoseFormat


# Where contents look alike, the first that fits is taken.
_FORMATS = (
    openpose.FORMAT,
    alphapose.FORMAT,
    coco.FORMAT,
    lcrnet.FORMAT,
    mediapipe.FORMAT,
    arrays.FORMAT,
    pyskl.FORMAT,
    parquet.FORMAT,
    trc.FORMAT,
    bvh.FORMAT,
    table.FORMAT,
)
FORMATS: dict[str, PoseFormat] = {form.name: form for form in _FORMATS}
