"""A day of one person before a camera, made while it is read, with falls and with what is easily mistaken for one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from motionhub.data.synthetic.body import Body
from motionhub.data.synthetic.channels import Motion
from motionhub.data.synthetic.generate import Scene, compose_motions
from motionhub.data.synthetic.motions import MOTIONS, motion_of, read_table
from motionhub.skeletons.sequence import SkeletonSequence


FALL = "fall"
_AWAY = (2.0, 8.0)  # seconds between two episodes, in which nobody is seen
_OWN = {name: motion_of(entry) for name, entry in read_table("days.yaml").items()}
DAY_MOTIONS: dict[str, Motion] = {**MOTIONS, **_OWN}
# What a person does between coming into view and leaving it: names of motions, each with its tempo.
_SEATED = (("sit down", 1.0), ("sit still", 1.0), ("stand up", 1.0))
_QUIET: tuple[tuple[tuple[str, float], ...], ...] = (
    (("walk around", 1.0), *_SEATED, ("walk around", 1.0)),
    (("walk around", 1.0), ("stand still", 1.0), ("drink", 1.0), ("walk around", 1.0)),
    (("walk around", 1.0), ("phone call", 1.0), ("walk around", 1.0)),
    (("carry", 1.0), ("stand still", 1.0), ("walk around", 1.0)),
    (("walk around", 1.0), ("pick up with one hand", 1.0), ("carry", 1.0)),
    (("walk around", 1.0), ("donning", 1.0), ("walk around", 1.0)),
    (("walk around", 1.0), ("sit down", 1.0), ("sit still", 0.7), ("sit still", 0.7), ("stand up", 0.8)),
)
_HARD: dict[str, tuple[tuple[str, float], ...]] = {
    "sit down fast": (("walk around", 1.2), ("sit down", 2.0), ("sit still", 1.0), ("stand up", 1.0)),
    "tie shoes": (("walk around", 1.0), ("tie shoes", 1.0), ("walk around", 1.0)),
    "lie down": (("walk around", 1.0), ("lie down", 1.0), ("lie still", 1.0), ("get up from the floor", 1.0)),
    "exercise on the floor": (
        *(("lie down", 1.3), ("exercise on the floor", 1.0), ("get up from the floor", 1.2), ("squat", 1.2)),
    ),
    "pick up fast": (("walk around", 1.2), ("pick up with two hands", 1.8), ("walk around", 1.0)),
    "jump": (("stand still", 1.5), ("jump", 1.0), ("jump", 1.1), ("walk around", 1.0)),
}
HARD_NEGATIVES: tuple[str, ...] = tuple(_HARD)


@dataclass(frozen=True)
class Episode:
    """A person from coming into view to leaving it.

    Args:
        start: second of the day.
        kind: "quiet", "fall", or one of `HARD_NEGATIVES`.
        sequence: the keypoints.
        intervals: start and end in seconds of the day, and name, of each motion.
    """

    start: float
    kind: str
    sequence: SkeletonSequence
    intervals: tuple[tuple[float, float, str], ...]


def generate_day(
    hours: float = 24.0,
    *,
    seed: int | Sequence[int] = 0,
    falls_per_hour: float = 10.0,
    hard_share: float = 0.4,
    fps: float = 15.0,
    layout: str = "coco-17",
    num_dims: int = 2,
) -> Iterator[Episode]:
    """The episodes of a day, one after the other; a seed gives the same day, and memory does not grow with it.

    A home has fewer falls than these: `falls_per_hour` is for a recall that can be measured. Hard negatives (sitting
    down fast, tying shoes, lying down, exercise on the floor, picking up fast, jumping) come in turn.

    Args:
        hours: length of the day; the last episode may end a little later.
        seed: of everything random: the body, the camera in the upper corner of a room, what happens.
        falls_per_hour: on average.
        hard_share: share of hard negatives among the episodes without a fall.
        fps, layout: of the keypoints.
        num_dims: 2 for pixels of 1920 x 1080, 3 for metres.

    Raises:
        ValueError: hours not above 0, or shares out of their range.

    Examples:
        >>> day = list(motionhub.generate_day(0.05, seed=0))
        >>> day[0].sequence.layout.name, day[-1].start < 0.05 * 3600
        ('coco-17', True)
    """
    if not hours > 0 or not 0 <= hard_share <= 1 or not falls_per_hour >= 0:
        raise ValueError(
            "Expected hours above 0, hard_share in 0..1 and falls_per_hour of 0 or more, got "
            f"{hours}, {hard_share} and {falls_per_hour}."
        )
    return _episodes(hours * 3600, seed, falls_per_hour / 3600, hard_share, fps, layout, num_dims)


def _episodes(
    seconds: float, seed: int | Sequence[int], rate: float, hard_share: float, fps: float, layout: str, num_dims: int
) -> Iterator[Episode]:
    chance = np.random.default_rng(seed)
    body = Body.random(chance)
    scene = Scene(
        camera_height=float(chance.uniform(1.8, 2.5)),
        camera_pitch=float(chance.uniform(8, 20)),
        distance=float(chance.uniform(3.8, 5.0)),
        noise=float(chance.uniform(0.005, 0.015)),
        dropout=float(chance.uniform(0.0, 0.05)),
        focal=float(chance.uniform(800, 1100)) if num_dims == 2 else None,
    )
    time, before, hard = float(chance.uniform(*_AWAY)), 0.0, 0
    while time < seconds:
        if chance.random() < 1 - np.exp(-rate * (time - before)):
            kind, named = FALL, _fall(chance)
        elif chance.random() < hard_share:
            kind = HARD_NEGATIVES[hard % len(HARD_NEGATIVES)]
            hard, named = hard + 1, _HARD[kind]
        else:
            kind, named = "quiet", _QUIET[int(chance.integers(len(_QUIET)))]
        before = time
        episode = _episode(time, kind, named, chance, body, scene, fps, layout)
        yield episode
        time += episode.sequence.duration + float(chance.uniform(*_AWAY))


def _fall(chance: np.random.Generator) -> tuple[tuple[str, float], ...]:
    begun = ("walk around", "stand still", "carry")[int(chance.integers(3))]
    lying = [("lie still", 1.0)] * int(chance.integers(1, 4))
    return ((begun, 1.0), (FALL, float(chance.uniform(0.8, 1.3))), *lying, ("get up from the floor", 0.8))


def _episode(
    start: float,
    kind: str,
    named: Sequence[tuple[str, float]],
    chance: np.random.Generator,
    body: Body,
    scene: Scene,
    fps: float,
    layout: str,
) -> Episode:
    motions = [(DAY_MOTIONS[name], speed * float(chance.uniform(0.85, 1.15))) for name, speed in named]
    seen = replace(scene, heading=float(chance.uniform(0, 360)))
    how: dict[str, Any] = {"body": body, "scene": seen, "style": float(chance.uniform(0.9, 1.1)), "pause": 0.5}
    sequence, spans = compose_motions(motions, seed=chance, fps=fps, layout=layout, **how)
    times = [(start + first / fps, start + last / fps) for first, last in spans]
    return Episode(start, kind, sequence, tuple((*span, name) for span, (name, _) in zip(times, named, strict=True)))
