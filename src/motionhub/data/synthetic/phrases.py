"""Captioned motions: hundreds of small ones, composed of arms, legs and trunk, each with several phrasings.

They teach what words mean, where a dataset of recordings has a dozen classes: "raise the left arm", "wave the right
hand while walking", "stand still".

The table `phrases.yaml` shows the right side; what has a side is made for both. Hands are in arm lengths from the
shoulder: outward, up, forward (see `channels.py`).
"""

from dataclasses import dataclass
from functools import cache

from motionhub.data.synthetic.channels import HANG, Keys, Motion
from motionhub.data.synthetic.motions import MOTIONS, keys_of, motion_of, read_table, value_of


@dataclass(frozen=True)
class CaptionedMotion:
    """A motion and what it is called.

    Args:
        phrases: the first is its name, the others mean the same.
        motion: key poses of a right-handed person.
        mirror: True: shown mirrored (its phrases say "left" for that reason); None: either hand, no phrase says which.
    """

    phrases: tuple[str, ...]
    motion: Motion
    mirror: bool | None = None


_SEATED: dict[str, Keys] = {"drop": [(0, 0.45)], "shift_forward": [(0, -0.42)], "pitch": [(0, 3)]}
_LAP: Keys = [(0, (-0.02, -0.68, 0.5))]
_WALKING: dict[str, Keys] = {"speed": [(0, 0.95)]}


@cache
def captioned_motions() -> tuple[CaptionedMotion, ...]:
    """All of `phrases.yaml`, the actions first; motions that share a phrase stand apart."""
    table = read_table("phrases.yaml")
    found = [CaptionedMotion((name, *table["also_called"][name]), motion) for name, motion in MOTIONS.items()]
    for entry in table["reaches"]:
        place = value_of(entry["hand"])
        motion = Motion(2.2, {"right_hand": [(0.1, HANG), (0.95, place), (2.2, place)]})
        found += _sided(tuple(entry["phrases"]), motion)
    for kind, hands in (("arm", ("right_hand",)), ("both", ("right_hand", "left_hand"))):
        for entry in table[kind]:
            found += _in_all_postures(tuple(entry["phrases"]), dict.fromkeys(hands, keys_of(entry["hand"])))
    for entry in table["body"]:
        found += _sided(tuple(entry["phrases"]), motion_of(entry))
    return tuple(found)


def _in_all_postures(phrases: tuple[str, ...], arms: dict[str, Keys]) -> list[CaptionedMotion]:
    """An arm movement standing, sitting and walking."""
    duration = max(second for keys in arms.values() for second, _ in keys) + 0.1
    resting = {} if "left_hand" in arms else {"left_hand": _LAP}
    seated = Motion(duration, {**_SEATED, **resting, **arms})
    walking = Motion(duration, {**_WALKING, **arms})
    standing = _sided(phrases, Motion(duration, dict(arms)))
    while_sitting = tuple(f"{phrase} while sitting" for phrase in phrases[:2])
    while_walking = tuple(f"{phrase} while walking" for phrase in phrases[:2])
    return [*standing, *_sided(while_sitting, seated), *_sided(while_walking, walking)]


def _sided(phrases: tuple[str, ...], motion: Motion) -> list[CaptionedMotion]:
    """For each side its own, where any phrase names one."""
    if not any("{side}" in phrase for phrase in phrases):
        return [CaptionedMotion(phrases, motion)]
    return [
        CaptionedMotion(tuple(phrase.format(side=side) for phrase in phrases), motion, mirror)
        for side, mirror in (("right", False), ("left", True))
    ]
