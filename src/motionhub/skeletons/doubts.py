"""What is probably wrong with a sequence that is formally right: scores as coordinates, zeros as joints, millimetres.

It does not change anything and does not know models; a doubt is one sentence with the call that settles it.
"""

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence


# People, chairs and all, in metres; Kinect rooms are smaller than 10 m, and a body is measured within one frame.
SMALLEST_BODY, LARGEST_BODY = 0.02, 10.0


def doubts(sequence: SkeletonSequence) -> list[str]:
    """One sentence for each thing about the sequence that is hardly ever meant; an empty list for most sequences."""
    seen = sequence.keypoints[sequence.joint_mask]  # (joints seen, dims)
    if not len(seen):
        return []
    found = [_zeros(seen), _score_as_depth(sequence, seen), _body_size(sequence)]
    return [doubt for doubt in found if doubt is not None]


def _zeros(seen: np.ndarray) -> str | None:
    """Pose estimators write (0, 0) for a joint they did not find; no joint is seen at exactly the origin."""
    share = float((seen == 0).all(axis=1).mean())
    if share == 0:
        return None
    return (
        f"{share:.1%} of the joints lie at exactly zero and count as seen; if that is how your pose estimator says "
        '"not found", make them missing first: array[(array == 0).all(-1)] = numpy.nan'
    )


def _score_as_depth(sequence: SkeletonSequence, seen: np.ndarray) -> str | None:
    if sequence.unit != "pixel" or sequence.num_dims != 3:
        return None
    last = seen[:, 2]
    if last.min() < 0 or last.max() > 1:
        return None
    return (
        "the third coordinate of these pixels is always in 0..1, as detection scores are; if it is a score, give "
        "array[..., :2] as keypoints and array[..., 2] as confidence"
    )


def _body_size(sequence: SkeletonSequence) -> str | None:
    if sequence.unit != "metre":
        return None
    low = np.where(sequence.joint_mask[..., None], sequence.keypoints, np.inf).min(axis=2)
    high = np.where(sequence.joint_mask[..., None], sequence.keypoints, -np.inf).max(axis=2)
    several = sequence.joint_mask.sum(axis=2) > 1  # one joint alone has no extent
    if not several.any():
        return None
    size = float(np.median((high - low)[several].max(axis=-1)))
    if SMALLEST_BODY <= size <= LARGEST_BODY:
        return None
    if size < SMALLEST_BODY:
        return f"the bodies measure {size:.3g} metres; if the numbers have no unit, say unit='normalised'"
    return (
        f"the bodies measure {size:.3g} metres; if the numbers are millimetres, divide them by 1000 "
        "(centimetres by 100), or read the file with unit='millimetre'"
    )
