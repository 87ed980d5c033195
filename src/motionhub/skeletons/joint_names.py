"""From the joint names of other programs to the vocabulary of `layouts.py`.

Most names say the joint: `RHip`, `left_foot_index`, `ELBOW_RIGHT`, `L_Collar`. Those of animation rigs say the part
that begins there, and some mean different joints in different programs, so that all names of a file decide together:
`LeftShoulder` is the collar beside LeftArm or LeftUpperArm (Mixamo, Unity, Perception Neuron) unless there is a
LeftCollar (Xsens); `LeftHand` is the wrist beside LeftForeArm, and `LeftFoot` the ankle beside LeftLeg.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache

from motionhub.skeletons.standing import STANDING


VOCABULARY = frozenset(STANDING)

_SIDES = {"l": "left", "left": "left", "lft": "left", "r": "right", "right": "right", "rgt": "right"}
# Joints of the middle and of a side, without capitals and punctuation -> their name here. No context is needed.
# fmt: off
_MIDDLE = {
    **dict.fromkeys(("hip", "hips", "pelvis", "hipcenter", "hipcentre", "chip", "centerhip", "hipmid", "spinebase",
                     "midpelvis", "centrehip", "waist"), "mid_hip"),
    **dict.fromkeys(("spinenavel", "navalspine", "navelspine", "lowerback", "abdomen"), "spine"),
    **dict.fromkeys(("spinemid", "spinechest", "chestspine", "upperback", "midspine"), "chest"),
    **dict.fromkeys(("shouldercenter", "spineshoulder", "thorax", "centershoulder", "centreshoulder", "midshoulder",
                     "shouldermid", "cshoulder"), "shoulder_centre"),
    **dict.fromkeys(("neck1", "neck01", "lowerneck"), "neck"),
    **dict.fromkeys(("headbottom", "neck2", "neck02"), "upper_neck"),
    **dict.fromkeys(("tophead", "headend", "headtopend", "topofhead"), "head_top"),
}
_OF_A_SIDE = {
    **dict.fromkeys(("clavicle", "collarbone", "clav", "scapula"), "collar"),
    **dict.fromkeys(("handthumb4", "thumb4"), "thumb"),
    "handindex1": "index",
    "handpinky1": "pinky",
    **dict.fromkeys(("handmiddle4", "fingertip"), "hand_tip"),
    "footindex": "foot",
}
# Parts of animation rigs, at the joint where they begin.
_PARTS = {
    **dict.fromkeys(("upperarm", "uparm", "uarm", "shldr", "shldrbend"), "upper_arm"),
    **dict.fromkeys(("forearm", "lowerarm", "lowarm", "larm", "forearmbend"), "forearm"),
    **dict.fromkeys(("upleg", "upperleg", "thigh", "thighbend"), "thigh"),
    **dict.fromkeys(("lowerleg", "lowleg", "shin", "calf", "shank"), "shin"),
    **dict.fromkeys(("toe", "toes", "toebase", "toe0", "ball"), "toes"),
    "arm": "arm", "leg": "leg",
}
# fmt: on
_MIDDLE |= {joint.replace("_", ""): joint for joint in STANDING if not joint.startswith(("left_", "right_"))}
_OF_A_SIDE |= {joint[5:].replace("_", ""): joint[5:] for joint in STANDING if joint.startswith("left_")}
_LONGEST = 100  # characters of a name that are read
_MIXAMO = re.compile(r"^mixamorig\d*[_: ]*", re.IGNORECASE)
_TRUNK = re.compile(r"(spine|chest|abdomen)_?(\d+|lower|upper)?")


def joint_name(text: str) -> str:
    """`right_shoulder` for RShoulder, Shoulder_R, "right shoulder" or ns:RightShoulder; `mid_hip` for Hip, Pelvis.

    Words that the vocabulary does not know are kept: `left_toe_base` for LeftToeBase. `named_joints` reads all names
    of a file together, and knows more of them.
    """
    side, part = _side(_words(text))
    plain = part.replace("_", "")
    return f"{side}_{_OF_A_SIDE.get(plain, part)}" if side else _MIDDLE.get(plain, part)


def named_joints(names: Iterable[str]) -> dict[str, str | None]:
    """The joint of the vocabulary that each name means, None for the others.

    No joint is given to two names: the one that is spelled like it has it, else the first.

    Args:
        names: all joint names of one file or layout, in its order (parents before children, where there is one).

    Examples:
        >>> from motionhub.skeletons.joint_names import named_joints
        >>> named_joints(["Hips", "LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand"])["LeftShoulder"]
        'left_collar'
        >>> named_joints(["Hips", "LeftCollar", "LeftShoulder", "LeftElbow", "LeftWrist"])["LeftShoulder"]
        'left_shoulder'
    """
    return dict(_named(tuple(names)))


def own_names(names: Sequence[str]) -> list[str]:
    """The joint of the vocabulary that each name means, else the name in the library's spelling.

    Two names of one joint, such as Neck and Neck1, both become it, so that a reader sees that they are not unique.
    """
    found = named_joints(names)
    return [found[name] or joint_name(name) for name in names]


@contextmanager
def recorded_names() -> Iterator[dict[str, str]]:
    """Names in files -> joints, "" where left out, as readers state them by `record_names` inside the block."""
    found: dict[str, str] = {}
    token = _RECORD.set(found)
    try:
        yield found
    finally:
        _RECORD.reset(token)


def record_names(names: Sequence[str], joints: Sequence[str]) -> None:
    """States which joint a reader made of each name of a file; "" for one that it left out."""
    found = _RECORD.get()
    if found is not None:
        found.update(zip(names, joints, strict=True))


_RECORD: ContextVar[dict[str, str] | None] = ContextVar("record", default=None)


@lru_cache(maxsize=256)
def _named(names: tuple[str, ...]) -> tuple[tuple[str, str | None], ...]:
    if VOCABULARY.issuperset(names):
        return tuple((name, name) for name in names)
    sided = [_side(words) for words in _without_shared([_words(name) for name in names])]
    trunk = _trunk([part for side, part in sided if not side])
    kinds = {each: {_kind(part) for side, part in sided if side == each} for each in ("left", "right")}
    found: list[str | None] = []
    for side, part in sided:
        joint = _of_side(_kind(part), kinds[side]) if side else trunk.get(part, _MIDDLE.get(part.replace("_", "")))
        found.append(f"{side}_{joint}" if side and joint else joint)
    if "mid_hip" not in found:
        found = [
            "mid_hip" if part == "root" and not side else joint
            for joint, (side, part) in zip(found, sided, strict=True)
        ]
    return tuple(zip(names, _without_doubles(names, found), strict=True))


def _words(text: str) -> list[str]:
    """Words in small letters: ["l", "big", "toe"] of ns:LBigToe."""
    text = _MIXAMO.sub("", text.rsplit(":", 1)[-1].strip()[:_LONGEST])
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]


def _without_shared(names: list[list[str]]) -> list[list[str]]:
    """The words of all names without those with which every name begins or ends: Bip01, J_Bip_C, ..._joint.

    A middle letter, as in Neck_M or C_Neck, is dropped too.
    """
    for end in (0, -1):
        while len(names) > 2 and all(names):
            shared = names[0][end]
            alike = all(words[end] == shared for words in names) and sum(len(words) > 1 for words in names) > 2
            if not alike or shared in _SIDES:
                break
            lone = any(words == [shared] for words in names)  # the prefix itself names the root: Bip01
            names = [(words[1:] if end == 0 else words[:-1]) or words for words in names]
            if lone:
                break
    return [_without_middle(words) for words in names]


def _without_middle(words: list[str]) -> list[str]:
    if len(words) > 1 and words[0] in ("c", "m"):
        return words[1:]
    return words[:-1] if len(words) > 1 and words[-1] in ("c", "m") else words


def _side(words: list[str]) -> tuple[str, str]:
    """`("left", "upper_arm")`; no side for joints of the middle."""
    if len(words) > 1 and words[0] in _SIDES:
        return _SIDES[words[0]], "_".join(words[1:])
    if len(words) > 1 and words[-1] in _SIDES:
        return _SIDES[words[-1]], "_".join(words[:-1])
    glued = "".join(words)
    for letters, side in _SIDES.items():  # lshldr, lefthip
        part = glued.removeprefix(letters)
        if part != glued and _is_part(part):
            return side, _OF_A_SIDE.get(part, part)
    return "", "_".join(words)


def _is_part(plain: str) -> bool:
    return plain in _OF_A_SIDE or plain in _PARTS


def _kind(part: str) -> str:
    plain = part.replace("_", "")
    return _PARTS.get(plain) or _OF_A_SIDE.get(plain) or part


def _of_side(kind: str, others: set[str]) -> str | None:
    """The joint, without its side, of a part, beside the other parts of that side."""
    shin = "shin" in others or {"leg", "thigh"} <= others
    if kind == "shoulder":
        return "collar" if others & {"upper_arm", "arm"} and "collar" not in others else kind
    if kind == "hand":
        return "wrist" if "forearm" in others and "wrist" not in others else kind
    if kind == "foot":
        return "ankle" if (shin or "toes" in others) and "ankle" not in others else kind
    if kind == "leg":
        return "knee" if "thigh" in others else "hip" if shin or "knee" in others else None
    if kind == "arm":
        return None if "upper_arm" in others else "shoulder"
    begins = {"upper_arm": "shoulder", "forearm": "elbow", "thigh": "hip", "shin": "knee", "toes": "foot"}
    return begins.get(kind) or (kind if kind in _OF_A_SIDE.values() else None)


def _trunk(parts: list[str]) -> dict[str, str | None]:
    """The joints of numbered trunks: SMPL's spine1..3, Xsens' chest..chest4, Daz' abdomen, chest, chest2.

    The first is the spine, the last the upper chest, and the chest is between; of Mixamo's spine, spine1, ... only the
    first is known.
    """
    series = [part for part in parts if _TRUNK.fullmatch(part)]
    if all(part in ("spine", "chest", "abdomen") for part in series):
        return {}
    if "spine" in series:
        return {part: part if part in ("spine", "chest") else None for part in series}
    joints: dict[str, str | None] = dict.fromkeys(series)
    joints[series[0]] = "spine"
    if len(series) > 1:
        joints[series[len(series) // 2]] = "chest"
    if len(series) > 2:
        joints[series[-1]] = "upper_chest"
    return joints


def _without_doubles(names: tuple[str, ...], found: list[str | None]) -> list[str | None]:
    """Each joint once: for the name that is spelled like it, else for the first."""
    taken: dict[str, int] = {}
    for row, joint in enumerate(found):
        if joint is not None and (joint not in taken or names[row] == joint):
            taken[joint] = row
    return [joint if joint is not None and taken[joint] == row else None for row, joint in enumerate(found)]
