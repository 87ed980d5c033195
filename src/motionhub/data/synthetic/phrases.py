"""Captioned motions: hundreds of small ones, composed of arms, legs and trunk, each with several phrasings.

They teach what words mean, where a dataset of recordings has a dozen classes: "raise the left arm", "wave the right
hand while walking", "stand still".

Tables show the right side; what has a side is made for both. Hands are in arm lengths from the shoulder: outward, up,
forward (see `channels.py`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from motionhub.data.synthetic.channels import HANG, Keys, Motion, Value
from motionhub.data.synthetic.motions import MOTIONS


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


_SIDE = (0.97, 0.02, 0.08)
_FRONT = (0.0, 0.0, 0.97)
_UP = (0.12, 0.95, 0.1)
_HIP = (0.16, -0.66, 0.02)
_HEAD = (-0.05, 0.36, 0.1)
_MOUTH = (-0.22, 0.16, 0.3)
_CHEST = (-0.3, -0.25, 0.32)
_BELLY = (-0.22, -0.58, 0.34)
_KEYBOARD = (-0.04, -0.5, 0.52)
_SEATED: dict[str, Keys] = {"drop": [(0, 0.45)], "shift_forward": [(0, -0.42)], "pitch": [(0, 3)]}
_LAP: Keys = [(0, (-0.02, -0.68, 0.5))]
_WALKING: dict[str, Keys] = {"speed": [(0, 0.95)]}

# Hand keys of the right arm -> phrases with {side}; "hold": the pose is reached and kept.
_REACHES: dict[str, tuple[Value, tuple[str, ...]]] = {
    "side": (
        _SIDE,
        ("raise {side} arm to the side", "lift the {side} arm sideways", "stretch {side} arm out sideways"),
    ),
    "front": (
        _FRONT,
        ("raise {side} arm forward", "hold the {side} arm out in front", "reach forward with {side} hand"),
    ),
    "up": (_UP, ("raise {side} arm", "raise {side} hand", "put the {side} hand up", "raise {side} arm overhead")),
    "hip": (_HIP, ("put {side} hand on hip", "hand on the {side} hip")),
    "head": (_HEAD, ("touch head with {side} hand", "put {side} hand on the head")),
    "mouth": (_MOUTH, ("hand to mouth with {side} hand", "cover mouth with {side} hand", "cough")),
    "chest": (_CHEST, ("put {side} hand on chest", "touch chest with {side} hand")),
    "salute": ((-0.06, 0.34, 0.24), ("salute with {side} hand", "salute")),
    "point side": ((0.9, 0.1, 0.3), ("point to the {side}", "point sideways with {side} hand")),
    "shelf": ((0.05, 0.7, 0.6), ("reach up with {side} hand", "take something from a shelf", "reach high")),
}


def _repeat(first: Value, second: Value, period: float = 0.6, start: float = 0.5, end: float = 2.6) -> Keys:
    """There and back between two places, from hanging and back to it."""
    count = max(2, round((end - start) / (period / 2)))
    keys: Keys = [(start + index * period / 2, (first, second)[index % 2]) for index in range(count)]
    return [(0.05, HANG), *keys, (end + 0.4, HANG)]


def _ring(centre: Sequence[float], first: Sequence[float], second: Sequence[float], turns: int, period: float) -> Keys:
    """Circles about `centre` in the plane of two half axes."""
    keys: Keys = []
    for step in range(8 * turns + 1):
        angle = 2 * math.pi * step / 8
        place = [c + math.cos(angle) * a + math.sin(angle) * b for c, a, b in zip(centre, first, second, strict=True)]
        keys.append((0.4 + period * step / 8, (place[0], place[1], place[2])))
    return [(0.0, HANG), *keys]


# Movements of the right arm -> phrases with {side}.
_ARM: list[tuple[Keys, tuple[str, ...]]] = [
    (_repeat((0.2, 0.6, 0.34), (0.62, 0.44, 0.22), 0.5), ("wave {side} hand", "wave with the {side} hand", "wave")),
    (_repeat((0.1, 0.85, 0.2), (0.5, 0.75, 0.1), 0.5), ("wave {side} arm overhead", "wave the {side} arm in the air")),
    (
        _repeat((0.05, -0.8, 0.55), (0.1, -0.8, -0.45), 0.8),
        ("swing {side} arm", "swing the {side} arm back and forth"),
    ),
    (_ring((0.1, 0, 0), (0, -0.9, 0), (0, 0, 0.9), 2, 1.1), ("circle {side} arm", "make big circles with {side} arm")),
    (_ring((0.1, 0.05, 0.75), (0.35, 0, 0), (0, 0.35, 0), 2, 1.1), ("draw a circle with {side} hand", "draw circle")),
    (_repeat((-0.12, -0.1, 0.4), (-0.2, 0.05, 0.95), 0.9), ("punch with {side} hand", "hit with the {side} fist")),
    (_repeat((-0.05, -0.55, 0.45), (-0.15, 0.3, 0.5), 1.0), ("uppercut with {side} hand", "uppercut punch")),
    (_repeat((-0.02, 0.05, 0.66), (-0.02, 0.05, 0.82), 0.4), ("knock with {side} hand", "knock on the door", "knock")),
    (_repeat((0.0, -0.15, 0.42), (0.0, -0.05, 0.95), 1.1), ("push with {side} hand", "push something away")),
    (_repeat((0.0, -0.1, 0.95), (0.1, -0.25, 0.3), 1.1), ("pull with {side} hand", "pull something with {side} hand")),
    (_repeat((0.55, 0.0, 0.7), (-0.45, 0.0, 0.75), 1.4), ("swipe with {side} hand", "swipe {side} hand across")),
    (
        _repeat((0.05, -0.9, 0.25), (0.04, -0.2, 0.35), 1.1),
        ("arm curl with {side} arm", "lift a dumbbell", "bicep curl"),
    ),
    (_repeat((0.08, -0.3, 0.7), (0.02, -0.05, 0.4), 0.7), ("beckon with {side} hand", "signal come here")),
    (
        _repeat((-0.05, -0.42, 0.66), (-0.05, -0.32, 0.66), 0.4),
        ("shake hands", "handshake", "shake hands with somebody"),
    ),
    (
        _repeat((-0.26, 0.16, 0.3), (-0.14, 0.16, 0.28), 0.3),
        ("brush teeth", "clean teeth", "brush teeth with {side} hand"),
    ),
    (_repeat((-0.22, -0.45, 0.45), _MOUTH, 1.2), ("eat", "eat a meal", "eat a snack", "eat with {side} hand")),
    (_repeat((0.0, 0.42, 0.05), (-0.1, 0.42, 0.05), 0.35), ("scratch head", "rub head", "comb hair with {side} hand")),
    (_repeat((-0.2, 0.28, 0.28), (-0.05, 0.26, 0.25), 0.5), ("wipe face", "wipe forehead", "rub the face")),
    (_ring(_BELLY, (0.1, 0, 0), (0, 0.1, 0), 3, 0.7), ("rub the belly", "rub stomach", "stomach ache")),
    (_repeat((-0.25, -0.35, 0.3), (0.05, -0.55, 0.45), 0.5), ("strum guitar", "play guitar", "strum a guitar")),
    (_ring((-0.05, -0.5, 0.5), (0.14, 0, 0), (0, 0, 0.12), 3, 0.7), ("stir a pot", "stir with {side} hand", "cook")),
    (_repeat((0.35, -0.05, 0.7), (-0.35, -0.05, 0.75), 1.0), ("wipe a table", "clean a window", "wipe a board")),
    (_repeat((0.1, 0.3, 0.75), (0.1, -0.1, 0.75), 0.9), ("paint a wall", "hammer", "hammer a nail", "paint")),
    (_repeat((0.15, -0.85, -0.45), (0.0, -0.5, 0.75), 1.5), ("bowl", "bowling", "roll a ball", "underhand throw")),
    (
        [(0.1, _UP), (0.3, _UP), (1.4, HANG)],
        ("lower {side} arm", "put the {side} arm down", "let the {side} arm sink"),
    ),
    (_repeat((0.3, 0.2, 0.7), (0.15, -0.45, 0.8), 0.7), ("bounce a ball", "dribble a ball", "dribble basketball")),
]

# Movements of both arms: right-hand keys (the left mirrors them) -> phrases.
_BOTH: list[tuple[Keys, tuple[str, ...]]] = [
    ([(0.1, HANG), (1.1, _SIDE)], ("raise both arms to the sides", "spread the arms", "hold both arms out sideways")),
    ([(0.1, HANG), (1.1, _FRONT)], ("raise both arms forward", "stretch both arms forward", "reach forward")),
    ([(0.1, HANG), (1.2, _UP)], ("raise both arms", "raise both hands", "put the hands up", "hands up")),
    ([(0.1, _UP), (0.4, _UP), (1.5, HANG)], ("lower both arms", "put both arms down")),
    (_repeat((0.2, 0.7, 0.3), (0.6, 0.5, 0.2), 0.5), ("wave both hands", "wave with both hands", "wave both arms")),
    (_repeat((0.05, -0.8, 0.55), (0.1, -0.8, -0.4), 0.8), ("swing both arms", "swing the arms")),
    (_repeat((0.95, 0.2, 0.05), (0.75, -0.6, 0.05), 0.7), ("flap the arms", "flap arms like a bird")),
    (_ring((0.1, 0, 0), (0, -0.9, 0), (0, 0, 0.9), 2, 1.1), ("circle both arms", "arm circles", "rotate the arms")),
    (
        [(0.1, HANG), (0.9, (-0.42, -0.3, 0.3))],
        ("cross arms", "arm cross", "fold arms", "cross the arms on the chest"),
    ),
    ([(0.1, HANG), (0.9, _HIP)], ("put hands on hips", "hands on hips", "akimbo")),
    ([(0.1, HANG), (1.0, (0.1, 0.32, -0.1))], ("put hands behind head", "hands behind the head")),
    ([(0.1, HANG), (1.0, (-0.14, 0.2, 0.26))], ("cover face", "cover face with both hands", "hide the face", "cry")),
    ([(0.1, HANG), (1.0, (-0.03, 0.25, 0.12))], ("cover ears", "cover the ears", "hold the head", "headache")),
    ([(0.1, HANG), (0.9, (-0.24, -0.3, 0.36))], ("pray", "put palms together", "press hands together")),
    ([(0.1, HANG), (0.9, (-0.1, -0.7, -0.32))], ("hands behind back", "put hands behind the back")),
    (_repeat((0.0, -0.15, 0.4), (0.0, -0.05, 0.95), 1.1), ("push", "push with both hands", "push something heavy")),
    (_repeat((0.0, -0.1, 0.95), (0.1, -0.3, 0.3), 1.1), ("pull", "pull with both hands", "row", "rowing")),
    (_repeat((0.0, 0.15, 0.3), (0.1, 0.95, 0.1), 1.3), ("press overhead", "overhead press", "lift a weight overhead")),
    (_repeat((0.0, -0.85, 0.3), (0.0, -0.1, 0.35), 1.2), ("curl with both arms", "lift something with both hands")),
    (_repeat((0.15, -0.2, 0.5), (-0.2, -0.2, 0.52), 0.45), ("clap", "clap hands", "applaud", "clap the hands")),
    (_repeat((0.2, 0.85, 0.15), (-0.12, 0.9, 0.15), 0.5), ("clap overhead", "clap above the head")),
    (_repeat((0.2, 0.9, 0.1), (0.25, 0.55, 0.2), 0.5), ("cheer", "cheer up", "celebrate", "cheer with both arms")),
    (_repeat((-0.04, -0.5, 0.55), (-0.04, -0.46, 0.55), 0.3), ("type on a keyboard", "typing", "use a keyboard")),
    ([(0, _KEYBOARD), (3, (-0.06, -0.45, 0.5))], ("read a book", "read", "hold a book", "look at a phone")),
    (_repeat((-0.25, 0.0, 0.75), (0.85, 0.0, 0.35), 1.4), ("swim", "breaststroke", "swim with both arms")),
    (_repeat((0.8, -0.1, 0.4), (-0.3, -0.25, 0.45), 1.4), ("hug", "hug somebody", "embrace", "hugging")),
    (_repeat((0.16, -0.5, 0.3), (0.22, -0.4, 0.3), 0.3), ("turn a rope", "shrug", "turn a jump rope")),
    (_repeat((0.1, -0.6, 0.5), (0.5, -0.35, 0.5), 1.2), ("explain with the hands", "talk with the hands", "gesture")),
    (_repeat((0.9, 0.1, -0.25), (0.0, 0.1, 0.9), 1.3), ("stretch the chest", "open and close the arms", "chest fly")),
]

# Of trunk, head and legs -> phrases ({side} where they have one); arms hang unless said.
_BODY: list[tuple[float, dict[str, Keys], tuple[str, ...]]] = [
    (3.0, {}, ("stand still", "stand", "do nothing", "wait", "stand around", "idle")),
    (3.0, {"look": [(0, 12), (1.5, -14), (3, 10)]}, ("look around", "look left and right", "look to both sides")),
    (2.0, {"look": [(0.1, 0), (0.8, -50), (2, -50)]}, ("look to the {side}", "turn head to the {side}")),
    (2.6, {"nod": [(t / 4, (0, 24)[t % 2]) for t in range(10)]}, ("nod", "nod the head", "say yes")),
    (2.6, {"look": [(t / 4, (-28, 28)[t % 2]) for t in range(10)]}, ("shake head", "shake the head", "say no")),
    (2.2, {"nod": [(0.1, 0), (0.9, 38), (2.2, 38)]}, ("look down", "lower the head", "look at the floor")),
    (2.2, {"nod": [(0.1, 0), (0.9, -35), (2.2, -35)]}, ("look up", "look at the sky", "tilt the head back")),
    (2.4, {"roll": [(0.1, 0), (1.1, -26), (1.5, -26), (2.4, 0)]}, ("lean to the {side}", "bend to the {side}")),
    (2.4, {"pitch": [(0.1, 2), (1.1, -22), (1.5, -22), (2.4, 2)]}, ("lean back", "bend backward")),
    (2.6, {"twist": [(0.1, 0), (0.7, -42), (1.4, 42), (2.1, -42), (2.6, 0)]}, ("twist the trunk", "twist the body")),
    (2.4, {"pitch": [(0.1, 2), (1.1, 48), (1.4, 48), (2.3, 2)]}, ("bend forward", "bow", "bend over", "lean forward")),
    (4.0, {"speed": [(0, 1.0)]}, ("walk", "walk forward", "walking", "go straight ahead", "stroll")),
    (4.0, {"speed": [(0, 0.55)]}, ("walk slowly", "slow walk", "walk with slow steps")),
    (4.0, {"speed": [(0, 1.5)]}, ("walk fast", "walk quickly", "hurry")),
    (
        4.0,
        {"speed": [(0, 1.0)], "turn": [(0, 0), (4, -170)]},
        ("walk and turn {side}", "walk in a curve to the {side}"),
    ),
    (5.0, {"speed": [(0, 0.9)], "turn": [(0, 0), (5, 300)]}, ("walk around", "walk in a circle", "wander around")),
    (2.4, {"turn": [(0.1, 0), (2.3, 180)]}, ("turn around", "turn around on the spot", "turn back")),
    (3.0, {**_SEATED}, ("sit", "sit still", "be seated", "sit on a chair")),
    (2.8, {"drop": [(0, 0.5)], "pitch": [(0, 36)], "shift_forward": [(0, -0.15)]}, ("stay in a squat", "crouch")),
    (
        2.6,
        {
            "left_heel": [(0, 0), (0.8, 40), (2.6, 40)],
            "right_heel": [(0, 0), (0.8, 40), (2.6, 40)],
            "lift": [(0, 0), (0.8, 0.05), (2.6, 0.05)],
        },
        ("stand on tiptoes", "rise on the toes", "calf raise"),
    ),
    (
        2.2,
        {
            "left_foot": [(0.1, (0, 0, 0)), (0.5, (0, 0.15, 0.3)), (0.9, (0, 0, 0.62))],
            "right_heel": [(0.3, 0), (1.0, 45)],
            "drop": [(0.1, 0), (1.0, 0.3)],
            "shift_forward": [(0.1, 0), (1.0, 0.3)],
        },
        ("lunge", "lunge forward", "step forward and bend the knee", "forward lunge"),
    ),
    (
        2.2,
        {
            "right_foot": [(0.1, (0, 0, 0)), (0.5, (0.3, 0.12, 0)), (0.9, (0.62, 0, 0))],
            "drop": [(0.1, 0), (1.0, 0.2)],
            "roll": [(0.2, 0), (1, -8)],
        },
        ("side lunge", "step to the {side}", "lunge to the {side}"),
    ),
    (
        2.4,
        {"right_foot": [(0.1, (0, 0, 0)), (0.8, (0, 0.5, 0.42)), (1.4, (0, 0.5, 0.42)), (2.2, (0, 0, 0))]},
        ("raise {side} knee", "lift the {side} knee", "stand on one leg", "lift {side} leg"),
    ),
    (
        2.0,
        {
            "right_foot": [(0.1, (0, 0, 0)), (0.7, (0.7, 0.35, 0)), (1.1, (0.7, 0.35, 0)), (1.8, (0, 0, 0))],
            "roll": [(0.1, 0), (0.7, 10), (1.8, 0)],
        },
        ("kick to the side", "raise {side} leg sideways", "side kick"),
    ),
    (
        2.0,
        {
            "right_foot": [(0.1, (0, 0, 0)), (0.7, (0, 0.3, -0.6)), (1.1, (0, 0.3, -0.6)), (1.8, (0, 0, 0))],
            "pitch": [(0.1, 2), (0.7, 20), (1.8, 2)],
        },
        ("kick backward", "stretch {side} leg backward", "back kick"),
    ),
    (
        2.0,
        {"right_foot": [(0.1, (0, 0, 0)), (0.7, (0, 0.55, 0.78)), (1.1, (0, 0.55, 0.78)), (1.8, (0, 0, 0))]},
        ("raise {side} leg forward", "leg raise", "active straight leg raise"),
    ),
    (
        3.0,
        {
            "right_foot": [(t * 0.5, ((0, 0, 0), (0, 0.4, 0.34))[t % 2]) for t in range(7)],
            "left_foot": [(t * 0.5, ((0, 0.4, 0.34), (0, 0, 0))[t % 2]) for t in range(7)],
        },
        ("march in place", "march", "walk on the spot", "high knees"),
    ),
    (
        2.6,
        {
            "lift": [(t * 0.2, (0.0, 0.16)[t % 2]) for t in range(13)],
            "drop": [(t * 0.2, (0.14, 0.02)[t % 2]) for t in range(13)],
        },
        ("hop", "jump up and down", "hop on the spot", "jumping"),
    ),
    (
        2.8,
        {
            "pitch": [(0.2, 2), (1.2, 78), (1.6, 78), (2.6, 2)],
            "drop": [(0.2, 0), (1.2, 0.1), (2.6, 0)],
            "left_hand": [(0.2, HANG), (1.2, (0, -0.9, 0.42)), (1.6, (0, -0.9, 0.42)), (2.6, HANG)],
            "right_hand": [(0.2, HANG), (1.2, (0, -0.9, 0.42)), (1.6, (0, -0.9, 0.42)), (2.6, HANG)],
        },
        ("touch toes", "touch the feet", "bend down to the floor", "tie shoelaces"),
    ),
    (
        3.0,
        {"drop": [(0, 0.97)], "shift_forward": [(0, -0.72)], "pitch": [(0, -82)]},
        ("lie on the floor", "lie down", "lying", "lie on the back"),
    ),
]


def _jumping_jacks() -> Motion:
    half = 0.42
    apart: Keys = [(t * half, ((0.0, 0, 0), (0.3, 0, 0))[t % 2]) for t in range(8)]
    hands: Keys = [(t * half, (HANG, (0.2, 0.93, 0.05))[t % 2]) for t in range(8)]
    lift: Keys = [(t * half / 2, (0.0, 0.07)[t % 2]) for t in range(16)]
    keys: dict[str, Keys] = {
        "left_hand": hands,
        "right_hand": hands,
        "left_foot": apart,
        "right_foot": apart,
        "lift": lift,
    }
    return Motion(3.0, keys)


def _run(speed: float, in_place: bool = False) -> Motion:
    step = 0.36
    bent = (0.02, -0.45, 0.42)
    back = (0.1, -0.55, -0.3)
    swing: dict[str, Keys] = {
        "right_hand": [(t * step, (bent, back)[t % 2]) for t in range(10)],
        "left_hand": [(t * step, (back, bent)[t % 2]) for t in range(10)],
    }
    legs: dict[str, Keys] = {
        "right_foot": [(t * step, ((0, 0, 0), (0, 0.38, 0.1))[t % 2]) for t in range(10)],
        "left_foot": [(t * step, ((0, 0.38, 0.1), (0, 0, 0))[t % 2]) for t in range(10)],
    }
    if in_place:
        return Motion(3.0, {**swing, **legs, "pitch": [(0, 6)]})
    return Motion(3.0, {"speed": [(0, speed)], "pitch": [(0, 8)], "swing": [(0, 0.3)], **swing})


# What the demo's actions and recordings' classes are called by others.
_ALSO_CALLED: dict[str, tuple[str, ...]] = {
    "pick up with one hand": ("pick something up", "pick up an object from the floor", "pick up"),
    "pick up with two hands": ("pick something up with both hands", "lift a box", "pick up a box", "pick up"),
    "drop trash": ("throw something into a bin", "drop something", "throw away trash"),
    "walk around": ("walk in a circle", "wander around"),
    "sit down": ("someone sits down", "sit down on a chair", "take a seat", "stand to sit"),
    "stand up": ("someone stands up", "get up from a chair", "sit to stand", "rise from a chair"),
    "donning": ("put on a jacket", "put on clothes", "put on a coat", "get dressed"),
    "doffing": ("take off a jacket", "take off clothes", "take off a coat", "undress"),
    "throw": ("throw a ball", "throw something", "overhand throw", "pitch a ball"),
    "carry": ("carry something", "walk with a box", "carry a box", "walk while carrying something"),
    "wave": ("wave a hand", "wave hello", "greet", "say goodbye"),
    "fall": ("fall down", "fall to the floor", "fall over", "collapse"),
    "squat": ("do a squat", "squat down", "bend the knees", "deep squat"),
    "drink": ("drink from a cup", "drink water", "take a sip", "drinking"),
    "kick": ("kick something", "kick a ball", "kick forward", "kicking"),
    "clap": ("clap hands", "applaud", "clap the hands", "clapping"),
    "jump": ("jump up", "leap", "jump into the air", "jumping"),
    "phone call": ("make a phone call", "talk on the phone", "answer the phone", "telephone"),
    "punch": ("box", "boxing", "throw punches", "punch forward", "punching"),
    "bow": ("bow down", "take a bow", "bend forward politely"),
    "point": ("point at something", "point forward", "point with a finger"),
}


@cache
def captioned_motions() -> tuple[CaptionedMotion, ...]:
    """All of them; motions that share a phrase stand apart, whoever trains with them knows that by the phrase."""
    found = [CaptionedMotion((name, *_ALSO_CALLED[name]), motion) for name, motion in MOTIONS.items()]
    for place, phrases in _REACHES.values():
        found += _sided(phrases, Motion(2.2, {"right_hand": [(0.1, HANG), (0.95, place), (2.2, place)]}))
    for keys, phrases in _ARM:
        found += _in_all_postures(phrases, {"right_hand": keys})
    for keys, phrases in _BOTH:
        found += _in_all_postures(phrases, {"right_hand": keys, "left_hand": keys})
    for duration, channels, phrases in _BODY:
        found += _sided(phrases, Motion(duration, dict(channels)))
    jacks = ("jumping jacks", "do jumping jacks", "star jumps")
    found += [
        CaptionedMotion(jacks, _jumping_jacks()),
        CaptionedMotion(("run", "running", "run forward", "sprint"), _run(2.6)),
        CaptionedMotion(("jog", "jogging", "run slowly", "trot"), _run(1.9)),
        CaptionedMotion(("run in place", "jog in place", "run on the spot"), _run(0.0, in_place=True)),
    ]
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
