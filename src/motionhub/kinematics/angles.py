"""Joint angles in degrees from keypoints, by the definitions of `DEFINITIONS`. NaN means missing.

Signs follow the recommendations of the ISB (Wu et al. 2002, 2005) as the clinic reads them: flexion, abduction and
dorsiflexion are positive, 0 is standing with hanging arms. Keypoints have no segment frames, so that where the ISB
asks for the pelvis the trunk stands in (mid hips to mid shoulders), and the rotations of thigh, upper arm and forearm
about themselves cannot be measured.
"""

from dataclasses import dataclass

import numpy as np

from motionhub.skeletons.measures import handedness
from motionhub.skeletons.sequence import SkeletonSequence


SIDES = ("left", "right")
# What an angle is; `*` is either side. The order is that of the table.
DEFINITIONS: dict[str, str] = {
    "*_knee_flexion": "180 degrees minus the angle hip-knee-ankle; a hyperextended knee reads as flexion",
    "*_hip_flexion": "the thigh in the sagittal plane of the trunk, forward positive (ISB, with the trunk as pelvis)",
    "*_hip_abduction": "the thigh out of that plane, away from the body positive (ISB, with the trunk as pelvis)",
    "*_ankle_dorsiflexion": "90 degrees minus the angle knee-ankle-toe, toes up positive; depends on the foot's point",
    "*_elbow_flexion": "180 degrees minus the angle shoulder-elbow-wrist",
    "*_shoulder_elevation": "the angle between the upper arm and the trunk downwards (ISB thoracohumeral elevation)",
    "*_shoulder_flexion": "the upper arm in the sagittal plane of the trunk, forward positive (no ISB angle)",
    "*_shoulder_abduction": "the upper arm in the frontal plane of the trunk, outwards positive (no ISB angle)",
    "trunk_inclination": "the angle between the trunk and the vertical",
    "trunk_flexion": "the trunk from the vertical in the plane the hips face, forward positive (ISB: negative)",
    "trunk_lateral_flexion": "the trunk out of that plane, to the right positive (ISB)",
    "trunk_rotation": "the shoulders against the hips about the trunk, to the left positive (ISB)",
}
# In the image, all without sign: the side of a limb that is its front is not seen.
DEFINITIONS_2D: dict[str, str] = {
    "*_knee_flexion": "180 degrees minus the angle hip-knee-ankle in the image",
    "*_hip_flexion": "180 degrees minus the angle shoulder-hip-knee in the image",
    "*_ankle_dorsiflexion": "90 degrees minus the angle knee-ankle-toe in the image",
    "*_elbow_flexion": "180 degrees minus the angle shoulder-elbow-wrist in the image",
    "*_shoulder_elevation": "the angle between the upper arm and the trunk downwards, in the image",
    "trunk_inclination": "the angle between the trunk and the image's vertical",
}
_UP = {"x": (0, 1), "y": (1, 1), "z": (2, 1), "-x": (0, -1), "-y": (1, -1), "-z": (2, -1)}
_SHORTEST = 0.5  # of a limb: a shorter projection says where the limb points less than where it does not
_CENTRE = np.radians(75.0)
_SHOULDERS_OF_TRUNK = 0.75  # width of the shoulders over the trunk's length, seen from the front (`measures.py`)
_FRONT_VIEW = 45.0  # degrees from the side view from which flexion is more hidden than shown


@dataclass(frozen=True)
class JointAngles:
    """Angles over time.

    Args:
        names: such as `left_knee_flexion`; those whose joints the layout has.
        degrees: `(num_people, num_frames, num_angles)`, NaN where a joint is missing.
        notes: what a reader of the numbers must know, one sentence each.
    """

    names: tuple[str, ...]
    degrees: np.ndarray
    notes: tuple[str, ...]


def angle_names(num_dims: int) -> tuple[str, ...]:
    """All names of 2-D or 3-D angles: left, right, then those of the trunk."""
    patterns = DEFINITIONS if num_dims == 3 else DEFINITIONS_2D
    return tuple(pattern.replace("*", side) for pattern in patterns for side in (SIDES if "*" in pattern else ("",)))


def joint_angles(sequence: SkeletonSequence) -> JointAngles:
    """The angles of `DEFINITIONS` (3-D) or `DEFINITIONS_2D` whose joints the layout has."""
    found, notes = _angles_3d(sequence) if sequence.num_dims == 3 else _angles_2d(sequence)
    empty = np.full(sequence.keypoints.shape[:2], np.nan)
    degrees = {name: np.degrees(found.get(name, empty)) for name in angle_names(sequence.num_dims)}
    body = Body(sequence)
    names = [name for name in degrees if np.isfinite(degrees[name]).any() or body.can_have(name)]
    stacked = [degrees[name] for name in names]
    shape = (*sequence.keypoints.shape[:2], 0)
    return JointAngles(tuple(names), np.stack(stacked, axis=-1) if stacked else np.zeros(shape), tuple(notes))


class Body:
    """The joints of a sequence by name, `(people, frames, dims)`, all NaN where the layout lacks them."""

    _NEEDS = {
        "knee": ("hip", "knee", "ankle"),
        "hip": ("hip", "knee"),
        "ankle": ("knee", "ankle"),
        "elbow": ("shoulder", "elbow", "wrist"),
        "shoulder": ("shoulder", "elbow"),
    }

    def __init__(self, sequence: SkeletonSequence) -> None:
        self.points = sequence.keypoints.astype(np.float64)
        self.joints = sequence.layout.joints

    def __getitem__(self, joint: str) -> np.ndarray:
        if joint not in self.joints:
            return np.full((*self.points.shape[:2], self.points.shape[3]), np.nan)
        return self.points[:, :, self.joints.index(joint)]

    def can_have(self, angle: str) -> bool:
        """Whether the layout has the joints of an angle, so that a column of missing values is a finding."""
        side, _, rest = angle.partition("_")
        part = rest.partition("_")[0]
        if side not in SIDES:
            return {f"{side}_{part}" for side in SIDES for part in ("hip", "shoulder")} <= {*self.joints}
        foot = part != "ankle" or {f"{side}_foot", f"{side}_big_toe"} & {*self.joints}
        trunk = part not in ("hip", "shoulder") or self.can_have("trunk")
        return bool(foot) and trunk and {f"{side}_{joint}" for joint in self._NEEDS[part]} <= {*self.joints}

    def middle(self, part: str, *others: str) -> np.ndarray:
        """The mean of both sides, else the first of `others` that is there."""
        middle = (self[f"left_{part}"] + self[f"right_{part}"]) / 2
        for joint in others:
            middle = np.where(np.isnan(middle), self[joint], middle)
        return middle

    def trunk(self) -> np.ndarray:
        """From the hips to the shoulders."""
        return self.middle("shoulder", "shoulder_centre", "neck") - self.middle("hip", "mid_hip")

    def centre(self) -> np.ndarray:
        """What poses are relative to: mid hips, else shoulders, else one hip, else the mean of the joints.

        It is the same point in all frames, that which is there most often, so that a pose does not jump where a hip is
        missing.
        """
        found = [self.middle("hip", "mid_hip"), self.middle("shoulder", "shoulder_centre", "neck")]
        found += [self["left_hip"], self["right_hip"], self.points.mean(axis=2)]
        seen = [np.isfinite(each).mean() for each in found]
        best = next((each for each, share in zip(found, seen, strict=True) if share >= 0.5), None)
        return found[int(np.argmax(seen))] if best is None else best

    def across(self, part: str) -> np.ndarray:
        """From right to left."""
        return self[f"left_{part}"] - self[f"right_{part}"]

    def toe(self, side: str) -> np.ndarray:
        foot = self[f"{side}_foot"]
        return np.where(np.isnan(foot), self[f"{side}_big_toe"], foot)


def _angles_2d(sequence: SkeletonSequence) -> tuple[dict[str, np.ndarray], list[str]]:
    body = Body(sequence)
    found = _hinges(body)
    trunk, down = body.trunk(), np.array([0.0, 0.0])
    for side in SIDES:
        shoulder, hip = body[f"{side}_shoulder"], body[f"{side}_hip"]
        found[f"{side}_hip_flexion"] = np.pi - between(shoulder - hip, body[f"{side}_knee"] - hip)
        found[f"{side}_shoulder_elevation"] = between(body[f"{side}_elbow"] - shoulder, -trunk)
    axis, sign = _UP[sequence.up or "-y"]
    down[axis] = sign
    found["trunk_inclination"] = between(trunk, down)
    notes = ["2-D: angles are those of the image, which are the joints' only where the camera looks along their axis."]
    from_side = view_from_side(sequence)
    if from_side is not None and from_side > _FRONT_VIEW:
        notes.append(
            f"Front or back view (about {from_side:.0f} degrees from the side view): flexion of knee, hip and elbow "
            "is foreshortened and mostly not visible; film from the side, or use 3-D keypoints."
        )
    return found, notes


def view_from_side(sequence: SkeletonSequence) -> float | None:
    """Degrees between the camera of a 2-D motion and a view from the side: 0 profile, 90 front or back; None unknown.

    From the width of the shoulders over the trunk's length, which is 0.75 from the front (`skeletons/measures.py`).
    """
    body = Body(sequence)
    trunk = np.linalg.norm(body.trunk(), axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.linalg.norm(body.across("shoulder"), axis=-1) / trunk
    ratio = ratio[np.isfinite(ratio)]
    if not len(ratio):
        return None
    return float(np.degrees(np.arcsin(np.clip(np.median(ratio) / _SHOULDERS_OF_TRUNK, 0, 1))))


def _angles_3d(sequence: SkeletonSequence) -> tuple[dict[str, np.ndarray], list[str]]:
    body, notes = Body(sequence), []
    found = _hinges(body)
    side_of = handedness(sequence)
    mirrored = side_of is not None and side_of < 0
    if mirrored:
        notes.append("The coordinates are left-handed (mirrored); forward is taken from the knees and feet.")
    trunk = body.trunk()
    pelvis = _frame(trunk, body.across("hip"), mirrored)
    thorax = _frame(trunk, body.across("shoulder"), mirrored)
    for side, outwards in (("left", 1.0), ("right", -1.0)):
        thigh = _inside(body[f"{side}_knee"] - body[f"{side}_hip"], pelvis)
        found[f"{side}_hip_flexion"] = _direction(thigh[..., 2], -thigh[..., 1])
        found[f"{side}_hip_abduction"] = np.arcsin(np.clip(outwards * thigh[..., 0], -1, 1))
        arm = _inside(body[f"{side}_elbow"] - body[f"{side}_shoulder"], thorax)
        found[f"{side}_shoulder_elevation"] = np.arccos(np.clip(-arm[..., 1], -1, 1))
        found[f"{side}_shoulder_flexion"] = _direction(arm[..., 2], -arm[..., 1])
        found[f"{side}_shoulder_abduction"] = _direction(outwards * arm[..., 0], -arm[..., 1])
    shoulders = _inside(body.across("shoulder"), pelvis)
    # A turn to the left takes the left shoulder backwards.
    found["trunk_rotation"] = np.arctan2(-shoulders[..., 2], shoulders[..., 0])
    if sequence.up is None:
        notes.append("Which axis is up is not stated: inclination and flexion of the trunk are missing.")
        return found, notes
    axis, sign = _UP[sequence.up]
    vertical = np.zeros_like(trunk)
    vertical[..., axis] = sign
    leaning = _inside(trunk, _frame(vertical, body.across("hip"), mirrored))
    found["trunk_inclination"] = between(trunk, vertical)
    found["trunk_flexion"] = _direction(leaning[..., 2], leaning[..., 1])
    found["trunk_lateral_flexion"] = -np.arcsin(np.clip(leaning[..., 0], -1, 1))
    return found, notes


def _hinges(body: Body) -> dict[str, np.ndarray]:
    """Angles at joints between two segments, in radians."""
    found = {}
    for side in SIDES:
        knee, ankle, elbow = (body[f"{side}_{joint}"] for joint in ("knee", "ankle", "elbow"))
        found[f"{side}_knee_flexion"] = np.pi - between(body[f"{side}_hip"] - knee, ankle - knee)
        found[f"{side}_elbow_flexion"] = np.pi - between(
            body[f"{side}_shoulder"] - elbow, body[f"{side}_wrist"] - elbow
        )
        found[f"{side}_ankle_dorsiflexion"] = np.pi / 2 - between(knee - ankle, body.toe(side) - ankle)
    return found


def between(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The angle of two vectors `(..., dims)` in radians, 0 to pi; NaN for a vector of no length.

    By both their difference and their sum, which is exact also near 0 and pi (Kahan).
    """
    one, two = _unit(first), _unit(second)
    return np.asarray(2 * np.arctan2(np.linalg.norm(one - two, axis=-1), np.linalg.norm(one + two, axis=-1)))


def _unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(lengths > 0, vectors / lengths, np.nan)


def _frame(up: np.ndarray, left: np.ndarray, mirrored: bool) -> np.ndarray:
    """`(..., 3, 3)`: the rows are the directions left, up (kept) and forward."""
    up = _unit(up)
    left = _unit(left - (left * up).sum(axis=-1, keepdims=True) * up)
    forward = np.cross(left, up) * (-1 if mirrored else 1)
    return np.stack([left, up, forward], axis=-2)


def _inside(vectors: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """The directions of vectors `(..., 3)` in a frame: left, up, forward."""
    return np.asarray(np.einsum("...ij,...j->...i", frame, _unit(vectors)))


def _direction(sine: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """The angle of a projection `(people, frames)` in radians, without jumps; NaN where most of the limb is not in it.

    A median of -105 to 255 degrees: a limb can be overhead and beyond, and not as far backwards.
    """
    angle = np.where(np.hypot(sine, cosine) >= _SHORTEST, np.arctan2(sine, cosine), np.nan)
    for person in angle:
        seen = np.isfinite(person)
        if seen.any():
            whole = np.unwrap(person[seen])
            person[seen] = whole - 2 * np.pi * np.round((np.median(whole) - _CENTRE) / (2 * np.pi))
    return angle
