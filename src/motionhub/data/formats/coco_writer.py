"""Writes a COCO keypoint result list: one object a person and frame, with 17 times x, y, score.

It does not know the frame rate nor the image size: the format has no place for them. Frame numbers are `image_id`s.
"""

import json

import numpy as np

from motionhub.data.formats.writer import Writer, check_in_image, file_tracks, scored_keypoints, short
from motionhub.skeletons.sequence import SkeletonSequence


def encode(sequence: SkeletonSequence) -> bytes:
    """JSON. A missing joint is 0, 0, 0; without confidences a seen joint has score 1.

    A person is in the frames that show a joint of theirs. So that no frame and nobody is lost, a frame without people
    holds the first person, and somebody never seen is in the first frame: all zeros, with score 0.
    """
    check_in_image(sequence, "COCO JSON", ("coco-17",))
    if not sequence.num_people or not sequence.num_frames:
        raise ValueError("a COCO result list needs a person and a frame, got an empty sequence; write .npz.")
    values, tracks, seen = scored_keypoints(sequence), file_tracks(sequence), np.asarray(sequence.joint_mask)
    shown = np.any(seen, axis=-1)
    shown[0] |= ~np.any(shown, axis=0)
    shown[:, 0] |= ~np.any(shown, axis=1)
    entries = [
        {
            "image_id": int(frame),
            "category_id": 1,
            "track_id": tracks[person],
            "score": float(values[person, frame, :, 2].sum() / max(seen[person, frame].sum(), 1)),
            "keypoints": short(values[person, frame]),
        }
        for frame, person in np.argwhere(shown.T)
    ]
    return json.dumps(entries).encode()


WRITER = Writer(name="coco", title="COCO keypoint results", suffix=".json", encode=encode)
