"""A jointed body: trunk angles, hand and foot targets in; the positions of the twenty Kinect joints out.

The body's own frame is right-handed: x to the person's left, y up, z forward; the floor is y = 0. Two-bone limbs are
solved in closed form, so bone lengths never change, and knees and elbows bend the way a pole vector points.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.spatial.transform import Rotation

from motionhub.skeletons.layouts import get_layout


LAYOUT = get_layout("kinect-20")
SIDES = ("left", "right")
_SIGN = {"left": 1.0, "right": -1.0}

# Out of the body, up, forward. The knee's is also upward: never parallel to a leg that lies on the floor.
_KNEE_POLE = (0.12, 0.6, 1.0)
_ELBOW_POLE = (0.35, -0.9, -0.45)
# A leg or arm that is completely straight looks stiff, and its knee flickers.
_LONGEST_REACH = 0.993


@dataclass(frozen=True)
class Body:
    """Proportions in metres. The defaults are close to the medians that a Kinect measures on adults.

    Raises:
        ValueError: a length is not positive.
    """

    hip_half_width: float = 0.08
    hip_drop: float = 0.055
    lower_spine: float = 0.068
    upper_spine: float = 0.355
    neck_to_head: float = 0.185
    shoulder_half_width: float = 0.165
    shoulder_drop: float = 0.075
    upper_arm: float = 0.265
    forearm: float = 0.245
    hand: float = 0.08
    thigh: float = 0.43
    shin: float = 0.39
    foot_length: float = 0.085
    ankle_height: float = 0.075
    toe_height: float = 0.02

    def __post_init__(self) -> None:
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise ValueError(
                    f"Body.{field.name} must be a positive length in metres, got {getattr(self, field.name)!r}."
                )

    @property
    def arm(self) -> float:
        """Shoulder to wrist, stretched, in metres."""
        return self.upper_arm + self.forearm

    @property
    def leg(self) -> float:
        """Hip to ankle, stretched, in metres."""
        return self.thigh + self.shin

    @property
    def standing_height(self) -> float:
        """Height of `mid_hip` above the floor when standing at ease, in metres."""
        return self.ankle_height + 0.988 * self.leg + self.hip_drop

    @classmethod
    def random(cls, generator: np.random.Generator) -> "Body":
        """An adult of random stature (about 1.5 to 1.95 m) whose arms, legs, trunk and width differ a little."""
        groups = {
            "arm": ("upper_arm", "forearm", "hand"),
            "leg": ("thigh", "shin", "foot_length"),
            "trunk": ("lower_spine", "upper_spine", "neck_to_head"),
            "width": ("hip_half_width", "shoulder_half_width"),
        }
        stature = 1.0 + 0.055 * np.clip(generator.standard_normal(), -2.2, 2.2)
        scales = {field.name: stature for field in fields(cls)}
        for names in groups.values():
            factor = 1.0 + 0.04 * np.clip(generator.standard_normal(), -2, 2)
            scales.update(dict.fromkeys(names, stature * factor))
        return cls(**{field.name: float(field.default * scales[field.name]) for field in fields(cls)})


@dataclass(frozen=True)
class BodyTrack:
    """What the body does in each of T frames; metres and radians, ground frame (x left, y up, z forward at yaw 0).

    Args:
        position: `(T, 2)` x and z of `mid_hip`.
        height: `(T,)` wished height of `mid_hip`; it is lowered where a leg would not reach its foot.
        yaw: `(T,)` heading, positive to the left.
        pitch, roll, twist: `(T,)` of the trunk: bending forward, leaning to the left, turning to the left.
        nod, look: `(T,)` of the head: down, to the left.
        hands: left and right `(T, 3)` from shoulder to wrist in arm lengths: outward, up, forward.
        elbow_up: `(T,)` 0 elbows point back and down, 1 they point up (arms of a body on the floor).
        toes: left and right `(T, 3)` position of the front of the foot.
        foot_yaw, foot_pitch: left and right `(T,)`; a positive pitch lifts the heel.
    """

    position: np.ndarray
    height: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray
    twist: np.ndarray
    nod: np.ndarray
    look: np.ndarray
    hands: dict[str, np.ndarray]
    elbow_up: np.ndarray
    toes: dict[str, np.ndarray]
    foot_yaw: dict[str, np.ndarray]
    foot_pitch: dict[str, np.ndarray]


def pose_body(body: Body, track: BodyTrack, height_limit: np.ndarray | None = None) -> np.ndarray:
    """Joint positions `(T, 20, 3)` in metres, ground frame, order of the layout `kinect-20`.

    `height_limit` `(T,)` replaces the limit that keeps both feet within reach, see `reachable_height`.
    """
    limit = reachable_height(body, track) if height_limit is None else height_limit
    heading = Rotation.from_euler("y", track.yaw[:, None])
    placed: dict[str, np.ndarray] = {}
    placed["mid_hip"] = np.stack(
        [track.position[:, 0], np.minimum(track.height, limit), track.position[:, 1]], axis=-1
    )
    _place_trunk(placed, body, track, heading)
    for side in SIDES:
        _place_arm(placed, body, track, heading, side)
        _place_leg(placed, body, track, heading, side)
    return np.stack([placed[joint] for joint in LAYOUT.joints], axis=1)


def _place_trunk(placed: dict[str, np.ndarray], body: Body, track: BodyTrack, heading: Rotation) -> None:
    def turned(share: float, nod: np.ndarray, look: np.ndarray) -> Rotation:
        angles = np.stack([share * track.twist + look, share * track.pitch + nod, -share * track.roll], axis=-1)
        return heading * Rotation.from_euler("YXZ", angles)

    still = np.zeros_like(track.pitch)
    lower, upper, head = turned(0.6, still, still), turned(1.0, still, still), turned(1.0, track.nod, track.look)
    placed["spine"] = placed["mid_hip"] + lower.apply([0, body.lower_spine, 0])
    placed["shoulder_centre"] = placed["spine"] + upper.apply([0, body.upper_spine, 0])
    # The head sits a little in front of the spine.
    forward = 0.12
    up = np.sqrt(1 - forward**2)
    placed["head"] = placed["shoulder_centre"] + head.apply([0, up * body.neck_to_head, forward * body.neck_to_head])
    for side in SIDES:
        offset = [_SIGN[side] * body.shoulder_half_width, -body.shoulder_drop, 0]
        placed[f"{side}_shoulder"] = placed["shoulder_centre"] + upper.apply(offset)


def _place_arm(placed: dict[str, np.ndarray], body: Body, track: BodyTrack, heading: Rotation, side: str) -> None:
    # Hands are given in the frame that turns with the shoulders but stays upright: arms of a bent body hang down.
    frame = heading * Rotation.from_euler("y", track.twist[:, None])
    mirror = np.array([_SIGN[side], 1.0, 1.0])
    shoulder = placed[f"{side}_shoulder"]
    target = shoulder + frame.apply(track.hands[side] * mirror) * body.arm
    # No hand goes through the floor; the hand reaches below the wrist.
    target[:, 1] = np.maximum(target[:, 1], body.hand + 0.02)
    pole = frame.apply(np.array(_ELBOW_POLE) * mirror) + track.elbow_up[:, None] * [0.0, 2.5, 0.0]
    elbow, wrist = two_bones(shoulder, target, body.upper_arm, body.forearm, pole)
    placed[f"{side}_elbow"], placed[f"{side}_wrist"] = elbow, wrist
    placed[f"{side}_hand"] = wrist + (wrist - elbow) * (body.hand / body.forearm)


def _place_leg(placed: dict[str, np.ndarray], body: Body, track: BodyTrack, heading: Rotation, side: str) -> None:
    mirror = np.array([_SIGN[side], 1.0, 1.0])
    placed[f"{side}_hip"] = placed["mid_hip"] + heading.apply(_hip_offset(body, side))
    foot = _foot_vector(body, track, side)
    pole = heading.apply(np.array(_KNEE_POLE) * mirror)
    knee, ankle = two_bones(placed[f"{side}_hip"], track.toes[side] - foot, body.thigh, body.shin, pole)
    placed[f"{side}_knee"], placed[f"{side}_ankle"] = knee, ankle
    placed[f"{side}_foot"] = ankle + foot


def _hip_offset(body: Body, side: str) -> list[float]:
    return [_SIGN[side] * body.hip_half_width, -body.hip_drop, 0.0]


def _foot_vector(body: Body, track: BodyTrack, side: str) -> np.ndarray:
    """`(T, 3)` from ankle to the front of the foot."""
    rotation = Rotation.from_euler("YX", np.stack([track.foot_yaw[side], track.foot_pitch[side]], axis=-1))
    return rotation.apply([0, body.toe_height - body.ankle_height, body.foot_length])


def reachable_height(body: Body, track: BodyTrack) -> np.ndarray:
    """`(T,)` the greatest height of `mid_hip` at which both legs reach their feet, in metres."""
    heading = Rotation.from_euler("y", track.yaw[:, None])
    ground = np.stack([track.position[:, 0], np.zeros(len(track.position)), track.position[:, 1]], axis=-1)
    limits = []
    for side in SIDES:
        gap = track.toes[side] - _foot_vector(body, track, side) - ground - heading.apply(_hip_offset(body, side))
        level = gap[:, 0] ** 2 + gap[:, 2] ** 2
        limits.append(gap[:, 1] + np.sqrt(np.maximum((_LONGEST_REACH * body.leg) ** 2 - level, 0.0)))
    return np.minimum(*limits)


def two_bones(
    start: np.ndarray, target: np.ndarray, first: float, second: float, pole: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Middle and end `(T, 3)` of a limb from `start` towards `target`, bent in the direction of `pole`.

    A target out of reach is met in direction only. Law of cosines; lengths are exact.
    """
    gap = target - start
    distance = np.linalg.norm(gap, axis=-1, keepdims=True)
    direction = np.divide(gap, distance, out=np.broadcast_to([0.0, -1.0, 0.0], gap.shape).copy(), where=distance > 0)
    distance = np.clip(distance, abs(first - second) + 0.3 * min(first, second), first + second)
    along = (first**2 - second**2 + distance**2) / (2 * distance)
    aside = np.sqrt(np.maximum(first**2 - along**2, 0.0))
    bend = pole - (pole * direction).sum(axis=-1, keepdims=True) * direction
    bend = bend / np.maximum(np.linalg.norm(bend, axis=-1, keepdims=True), 1e-9)
    return start + direction * along + bend * aside, start + direction * distance
