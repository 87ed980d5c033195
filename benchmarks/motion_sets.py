"""The described motions in FOLDER/motions/*.npz: arrays of joints with a label and sentences for every clip.

frames (sum of frames, joints, 3) of integers, times scale metres, -32768 for missing; offsets (clips + 1);
joint_names; per clip label, text (several joined by newlines), subject, source and fps.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from motionhub.data.datasets.descriptions import canonical_description
from motionhub.data.synthetic.captions import CaptionedClip
from motionhub.skeletons.joint_names import named_joints
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


MISSING = -32768
FPS = 30.0
# Licence of weights that learn from the set.
LICENCES = {
    "cmu": "free for any use, with acknowledgement",
    "game_cc0": "CC0-1.0",
    "misc_mocap": "CC0-1.0, CC-BY-3.0, Apache-2.0, MIT",
    "deepmimic": "research",
    "kinder_gator": "research",
    "msr_daily3d": "research",
}
# Longer clips show many actions, of which the label names one; these go on through the clip.
LONGEST = 450
GOES_ON = ("walk", "run", "jog", "danc", "march", "swim", "salsa")


def described_motions(folder: Path, name: str) -> Iterator[CaptionedClip]:
    """The clips of a set that a text describes, texts as `canonical_description` has them, the label first."""
    content = dict(np.load(folder / f"{name}.npz"))
    joints = named_joints(content["joint_names"].tolist())
    used = [index for index, joint in enumerate(joints.values()) if joint]
    layout = SkeletonLayout(name, tuple(joint for joint in joints.values() if joint), (), "mid_hip")
    for number, label in enumerate(content["label"].tolist()):
        texts = [canonical_description(text) for text in (label, *str(content["text"][number]).split("\n"))]
        frames = content["frames"][content["offsets"][number] : content["offsets"][number + 1]][:, used]
        several = len(frames) > LONGEST and not any(word in str(label).lower() for word in GOES_ON)
        if texts[0] is None or several:
            continue
        points = np.where(frames == MISSING, np.nan, frames * content["scale"]).astype(np.float32)
        yield CaptionedClip(
            SkeletonSequence(points[None], layout, float(content["fps"][number]) or FPS, "metre", up="y"),
            tuple(dict.fromkeys(text for text in texts if text)),
            clip_id=f"{name}_{number:04d}",
            subject=number,
            source=str(content["source"][number]),
            licence=LICENCES[name],
        )
