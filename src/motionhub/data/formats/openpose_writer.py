"""Writes a folder as OpenPose's `--write_json` does: one JSON object a frame, BODY_25 or COCO-18.

It does not know the frame rate nor the image size: the format has no place for them. Where OpenPose itself writes a
`person_id` of -1, ours are the track ids, so that people keep their identities.
"""

import json

import numpy as np

from motionhub.data.formats.openpose import LAYOUTS
from motionhub.data.formats.writer import Writer, check_in_image, file_tracks, scored_keypoints, short
from motionhub.skeletons.sequence import SkeletonSequence


def encode(sequence: SkeletonSequence) -> dict[str, bytes]:
    """File name -> JSON. A missing joint is 0, 0, 0; without confidences a seen joint has score 1.

    A person is in the frames that show a joint of theirs; somebody never seen is all zeros in the first.
    """
    check_in_image(sequence, "OpenPose JSON", tuple(LAYOUTS.values()))
    values, tracks = scored_keypoints(sequence), file_tracks(sequence)
    shown = np.any(sequence.joint_mask, axis=-1)
    shown[:, :1] |= ~np.any(shown, axis=1, keepdims=True)
    files = {}
    for frame in range(sequence.num_frames):
        people = [
            {"person_id": [tracks[person]], "pose_keypoints_2d": short(values[person, frame])}
            for person in np.flatnonzero(shown[:, frame])
        ]
        files[f"{frame:012d}_keypoints.json"] = json.dumps({"version": 1.3, "people": people}).encode()
    return files


WRITER = Writer(name="openpose", title="OpenPose JSON, a folder with a file a frame", suffix="", encode=encode)
