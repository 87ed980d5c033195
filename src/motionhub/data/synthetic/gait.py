"""From channels to a body track: the path over the floor, and feet that do not slide during stance."""

import numpy as np
from scipy.ndimage import gaussian_filter1d, maximum_filter1d

from motionhub.data.synthetic.body import SIDES, Body, BodyTrack, reachable_height
from motionhub.data.synthetic.channels import Channels, within_reach


_STANCE = 0.62  # share of a step cycle that a foot is on the floor, as in human walking
_PHASE = {"left": 0.0, "right": 0.5}
_HEEL_UP = np.radians(38)
_LONG_STEP = 0.9  # metres between two footprints of one foot at which heel and foot rise fully


def step_cycle(speed: float) -> float:
    """Seconds per cycle (two steps): people walk faster by longer and by quicker steps."""
    return float(1.0 / np.sqrt(np.clip(speed, 0.35, 3.0)))


def body_track(body: Body, channels: Channels, fps: float, start_phase: float = 0.0) -> BodyTrack:
    """The track of a body that follows `channels` from the origin; step phase 0 is the left heel strike."""
    times = np.arange(len(channels["speed"])) / fps
    yaw = np.radians(channels["turn"])
    forward = np.stack([np.sin(yaw), np.cos(yaw)], axis=-1)
    velocity = channels["speed"][:, None] * forward
    path = np.concatenate([np.zeros((1, 2)), np.cumsum((velocity[1:] + velocity[:-1]) / 2, axis=0) / fps])
    moving = channels["speed"][channels["speed"] > 0.2]
    cycle = step_cycle(float(moving.mean())) if len(moving) else 1.0
    steps = {side: _steps(body, times, path, yaw, cycle, start_phase + _PHASE[side], side) for side in SIDES}
    toes, foot_pitch = {}, {}
    lying = body.hip_drop + 0.04  # the hip joints of a lying body are above the floor
    for side in SIDES:
        offset = channels[f"{side}_foot"] * body.leg
        toes[side] = steps[side][0] + _turned(offset * [1.0 if side == "left" else -1.0, 1, 1], yaw)
        toes[side][:, 1] = np.maximum(toes[side][:, 1], body.toe_height) + channels["lift"]
        foot_pitch[side] = steps[side][2] + np.radians(channels[f"{side}_heel"])
    return BodyTrack(
        position=path + forward * (channels["shift_forward"] * body.leg)[:, None],
        height=np.maximum(body.standing_height - channels["drop"] * body.leg, lying) + channels["lift"],
        yaw=yaw,
        **{name: np.radians(channels[name]) for name in ("pitch", "roll", "twist", "nod", "look")},
        hands={side: _swung(channels, side, times / cycle + start_phase + _PHASE[side]) for side in SIDES},
        elbow_up=channels["elbow_up"],
        toes=toes,
        foot_yaw={side: steps[side][1] for side in SIDES},
        foot_pitch=foot_pitch,
    )


def smooth_height_limit(body: Body, track: BodyTrack, fps: float) -> np.ndarray:
    """`(T,)` target height of `mid_hip`, lowered smoothly to where both legs reach; never above the limit.

    A Gaussian over a maximum of the same width covers the excess and rounds the corners between steps.
    """
    radius = max(1, round(0.12 * fps))
    excess = np.maximum(track.height - reachable_height(body, track), 0.0)
    widened = maximum_filter1d(excess, 2 * radius + 1, mode="nearest")
    return track.height - gaussian_filter1d(widened, radius / 2, radius=radius, mode="nearest")


def _steps(
    body: Body, times: np.ndarray, path: np.ndarray, yaw: np.ndarray, cycle: float, phase: float, side: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Toe `(T, 3)`, yaw `(T,)` and pitch `(T,)` of one foot.

    A footprint is under the hip at the middle of the stance.
    """
    count = np.floor(times / cycle + phase)
    share = times / cycle + phase - count

    middles = [(index + _STANCE / 2 - phase) * cycle for index in (count, count + 1)]
    (here, yaw_here), (there, yaw_there) = (_footprint(body, when, times, path, yaw, side) for when in middles)
    swing = np.clip((share - _STANCE) / (1 - _STANCE), 0, 1)
    eased = swing**2 * (3 - 2 * swing)
    size = np.minimum(1.0, np.linalg.norm(there - here, axis=-1) / _LONG_STEP)
    turned = np.minimum(1.0, np.abs(yaw_there - yaw_here))
    toe = here + (there - here) * eased[:, None]
    toe[:, 1] += 0.07 * np.maximum(size, 0.7 * turned) * np.sin(np.pi * swing) ** 2
    # The heel leaves the floor late in the stance and returns before the next one.
    rising = np.clip((share - 0.6 * _STANCE) / (0.4 * _STANCE), 0, 1) ** 2
    pitch = _HEEL_UP * size * rising * (1 - eased) - np.radians(12) * size * np.sin(np.pi * swing) * swing
    return toe, yaw_here + (yaw_there - yaw_here) * eased, pitch


def _footprint(
    body: Body, when: np.ndarray, times: np.ndarray, path: np.ndarray, yaw: np.ndarray, side: str
) -> tuple[np.ndarray, np.ndarray]:
    """Toe `(T, 3)` and yaw `(T,)` of a foot on the floor for the body's position at `when` `(T,)` seconds."""
    at_yaw = np.interp(when, times, yaw)
    ground = np.stack([_extended(when, times, path[:, axis]) for axis in (0, 1)], axis=-1)
    width = body.hip_half_width * (1.05 if side == "left" else -1.05)
    offset = np.array([width, body.toe_height, body.foot_length - 0.01])
    flat = np.stack([ground[:, 0], np.zeros(len(when)), ground[:, 1]], axis=-1)
    return flat + _turned(np.broadcast_to(offset, (len(when), 3)), at_yaw), at_yaw


def _extended(when: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Linear interpolation, extrapolated with the first and last velocity."""
    inside = np.interp(when, times, values)
    if len(times) < 2:
        return inside
    first, last = (values[1] - values[0]) / times[1], (values[-1] - values[-2]) / (times[-1] - times[-2])
    return inside + first * np.minimum(when - times[0], 0) + last * np.maximum(when - times[-1], 0)


def _turned(vectors: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """`(T, 3)` vectors turned to the left by `yaw` `(T,)` about the vertical."""
    sine, cosine = np.sin(yaw), np.cos(yaw)
    x, y, z = vectors.T
    return np.stack([cosine * x + sine * z, y, cosine * z - sine * x], axis=-1)


def _swung(channels: Channels, side: str, phase: np.ndarray) -> np.ndarray:
    """Hand targets with the swing of walking: an arm goes back when its leg goes forward."""
    size = channels["swing"] * np.minimum(channels["speed"], 2.0)
    hand = channels[f"{side}_hand"].copy()
    beat = -np.cos(2 * np.pi * phase)
    hand[:, 2] += size * (0.3 * beat + 0.06)
    # The elbow bends more when the arm comes forward.
    return within_reach(hand) * (1 - 0.03 * np.minimum(size, 1) * (1 + beat) / 2)[:, None]
