"""Channels of a synthetic motion: sampled from key poses, varied, mirrored, softened.

`speed` metres per second along the heading, `turn` degrees of heading (to the left), `swing` how much the arms follow
the steps; `drop` and `shift_forward` of the pelvis in leg lengths, `lift` metres off the floor; `pitch` (forward)
`roll` `twist` (both to the left) of the trunk and `nod` (down) `look` (left) of the head in degrees; `*_hand` from
shoulder to wrist in arm lengths and `*_foot` from its place in leg lengths, each outward, up, forward; `*_heel`
degrees; `elbow_up` 0..1 turns the elbows upwards.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter1d


Value = float | tuple[float, float, float]
Keys = list[tuple[float, Value]]
Channels = dict[str, np.ndarray]

HANG = (0.12, -0.96, 0.08)
REST: dict[str, Value] = {
    **dict.fromkeys(("speed", "turn", "drop", "lift", "shift_forward", "roll", "twist", "nod", "look"), 0.0),
    **dict.fromkeys(("left_heel", "right_heel", "elbow_up"), 0.0),
    **dict.fromkeys(("left_hand", "right_hand"), HANG),
    **dict.fromkeys(("left_foot", "right_foot"), (0.0, 0.0, 0.0)),
    "swing": 1.0,
    "pitch": 2.0,
}
_FLIPPED = ("turn", "roll", "twist", "look")
# Amplitude of a person's sway.
_SWAY = {"pitch": 0.8, "roll": 0.8, "twist": 1.2, "nod": 1.5, "look": 2.5, "left_hand": 0.012, "right_hand": 0.012}
_LONGEST_ARM = 0.985


@dataclass(frozen=True)
class Motion:
    """One action: its natural duration in seconds, and `(second, value)` keys of the channels that leave `REST`."""

    duration: float
    keys: dict[str, Keys]


def sample(motion: Motion, times: np.ndarray) -> Channels:
    """Every channel at `times` `(T,)` seconds: `(T,)`, or `(T, 3)` for hands and feet.

    Shape-preserving cubic interpolation (no overshoot); the first and last keys hold outside their times. Hands move
    on arcs about the shoulder: direction and reach are interpolated separately.
    """
    unknown = sorted(set(motion.keys) - set(REST))
    assert not unknown, f"unknown channels {unknown}"
    return {name: _channel(name, motion.keys.get(name, [(0.0, rest)]), times) for name, rest in REST.items()}


def _channel(name: str, keys: Keys, times: np.ndarray) -> np.ndarray:
    seconds = np.array([second for second, _ in keys])
    values = np.array([value for _, value in keys], dtype=np.float64)
    if len(keys) == 1:
        return np.repeat(values, len(times), axis=0)
    at = np.clip(times, seconds[0], seconds[-1])
    result = PchipInterpolator(seconds, values)(at)
    if name.endswith("_hand"):
        reach = PchipInterpolator(seconds, np.linalg.norm(values, axis=-1))(at)
        result *= (reach / np.maximum(np.linalg.norm(result, axis=-1), 1e-6))[:, None]
    return result


def varied(motion: Motion, amplitude: float, generator: np.random.Generator, variety: float = 1.0) -> Motion:
    """The motion in a random person's style: keys slightly earlier or later, larger or smaller.

    `amplitude` scales the distance of every pose from `REST`: 1 is the table, 0 standing still. Path and speed stay.
    `variety` scales all that is random: 1 is how one person differs from another, 3 as far as a name reaches.
    """
    bend = generator.uniform(-0.08, 0.08) * min(variety, 3.5)
    keys: dict[str, Keys] = {}
    for name, channel in motion.keys.items():
        if name in ("speed", "turn", "swing", "elbow_up", "lift"):
            scale, jitter = (amplitude if name == "lift" else 1.0), 0.0
        else:
            scale = amplitude * (1 + 0.07 * variety * np.clip(generator.standard_normal(), -2, 2))
            jitter = 0.03 * variety if name.endswith("_hand") else 0.0
        rest = np.array(REST[name], dtype=np.float64)
        keys[name] = []
        for second, value in channel:
            # Time warped without moving the ends; monotone because |bend| * pi < 1.
            warp = bend * motion.duration * float(np.sin(np.pi * np.clip(second / motion.duration, 0, 1)))
            moved = rest + scale * (np.array(value) - rest) + jitter * generator.standard_normal(rest.shape)
            keys[name].append((second + warp, tuple(moved.tolist()) if moved.ndim else float(moved)))
    return Motion(motion.duration, keys)


def mirrored(channels: Channels) -> Channels:
    """The motion with left and right swapped."""
    swapped = {}
    for name, values in channels.items():
        partner = name.replace("left_", "#").replace("right_", "left_").replace("#", "right_")
        swapped[partner] = -values if name in _FLIPPED else values
    return swapped


def softened(channels: Channels, fps: float) -> Channels:
    """Channels smoothed by a Gaussian of 40 ms, as by inertia."""
    return {name: gaussian_filter1d(values, 0.04 * fps, axis=0, mode="nearest") for name, values in channels.items()}


def swaying(channels: Channels, times: np.ndarray, generator: np.random.Generator) -> Channels:
    """Channels with the slow small sway of a living person (0.2 to 0.7 Hz)."""
    result = dict(channels)
    for name, size in _SWAY.items():
        shape = channels[name].shape[1:]
        rate, phase = generator.uniform(0.2, 0.7, shape), generator.uniform(0, 2 * np.pi, shape)
        result[name] = channels[name] + size * np.sin(2 * np.pi * np.multiply.outer(times, rate) + phase)
    return result


def within_reach(hand: np.ndarray) -> np.ndarray:
    """`(T, 3)` hand targets in arm lengths, no farther than an arm that is almost straight."""
    reach = np.linalg.norm(hand, axis=-1, keepdims=True)
    return hand * np.minimum(1.0, _LONGEST_ARM / np.maximum(reach, 1e-6))
