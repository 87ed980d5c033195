"""Files of datasets of described motion, and of MSR DailyActivity3D, as their authors describe them."""

import io
import json
from typing import Any

import numpy as np


# Name -> parent, offset in centimetres: the body of SOMA's 77 joints.
_ARM = {"Shoulder": ("Chest", 5), "Arm": ("Shoulder", 12), "ForeArm": ("Arm", 28), "Hand": ("ForeArm", 25)}
_LEG = {"Leg": ("Hips", 9), "Shin": ("Leg", 40), "Foot": ("Shin", 40), "ToeBase": ("Foot", 14)}


def soma(root: str | None = None) -> dict[str, tuple[str | None, tuple[float, float, float]]]:
    joints = {} if root is None else {root: (None, (0, 0, 0))}
    joints["Hips"] = (root, (0, 0, 0))
    for name, parent in zip(
        ("Spine1", "Spine2", "Chest", "Neck1", "Neck2", "Head", "HeadEnd"),
        ("Hips", "Spine1", "Spine2", "Chest", "Neck1", "Neck2", "Head"),
        strict=True,
    ):
        joints[name] = (parent, (0, 10, 0))
    joints |= {"Jaw": ("Head", (0, 1, 5)), "LeftHandThumb1": ("LeftHand", (3, 0, 3))}  # of many that are left out
    for side, sign in (("Left", 1), ("Right", -1)):
        joints[f"{side}Eye"] = ("Head", (3 * sign, 8, 8))
        for limb, (parent, length) in {**_ARM, **_LEG}.items():
            above = parent if parent in ("Chest", "Hips") else side + parent
            along = (length * sign, 0, 0) if limb in (*_ARM, "Leg") else (0, -length, 0)
            joints[side + limb] = (above, along if limb != "ToeBase" else (0, 0, length))
    return joints


def bvh(frames: int, fps: float, root: str | None = None) -> str:
    """A standing body that goes 1 cm along z in every frame."""
    joints = soma(root)

    def lines(name: str, depth: int):
        pad = "  " * depth
        yield f"{pad}{'JOINT' if depth else 'ROOT'} {name}\n{pad}{{"
        yield f"{pad}  OFFSET {' '.join(map(str, joints[name][1]))}"
        places = "Xposition Yposition Zposition " if depth == 0 else ""
        yield f"{pad}  CHANNELS {6 if places else 3} {places}Zrotation Yrotation Xrotation"
        children = [each for each, (parent, _) in joints.items() if parent == name]
        for child in children:
            yield from lines(child, depth + 1)
        if not children:
            yield f"{pad}  End Site\n{pad}  {{\n{pad}    OFFSET 0 1 0\n{pad}  }}"
        yield f"{pad}}}"

    rows = [f"0 95 {number} " + " ".join("0" for _ in range(3 * len(joints))) for number in range(frames)]
    head = "\n".join(lines(root or "Hips", 0))
    return f"HIERARCHY\n{head}\nMOTION\nFrames: {frames}\nFrame Time: {1 / fps}\n" + "\n".join(rows) + "\n"


CMU_BONES = {
    **{"lowerback": "root", "upperback": "lowerback", "thorax": "upperback", "lowerneck": "thorax"},
    **{"upperneck": "lowerneck", "head": "upperneck"},
    **{f"{side}hipjoint": "root" for side in "lr"},
    **{
        f"{side}{bone}": f"{side}{parent}"
        for side in "lr"
        for bone, parent in (("femur", "hipjoint"), ("tibia", "femur"), ("foot", "tibia"), ("toes", "foot"))
    },
    **{f"{side}clavicle": "thorax" for side in "lr"},
    **{
        f"{side}{bone}": f"{side}{parent}"
        for side in "lr"
        for bone, parent in (("humerus", "clavicle"), ("radius", "humerus"), ("wrist", "radius"), ("hand", "wrist"))
    },
}


def cmu_asf() -> str:
    """A body of bones of five units, arms and hips outward, legs down, trunk up; a unit is 1 / 0.45 inches."""
    bones = []
    for name in CMU_BONES:
        sign = -1 if name[0] == "r" else 1
        limb = name[1:]
        outward = limb in ("hipjoint", "clavicle", "humerus", "radius", "wrist", "hand")
        down = limb in ("femur", "tibia", "foot", "toes")
        way = f"{sign} 0 0" if outward else "0 -1 0" if down else "0 1 0"
        bones.append(f"begin\n name {name}\n direction {way}\n length 5\n axis 0 0 0 XYZ\nend")
    tree = "\n".join(f"{parent} {name}" for name, parent in CMU_BONES.items())
    return (
        ":version 1.10\n:name body\n:units\n mass 1.0\n length 0.45\n angle deg\n:root\n order TX TY TZ RX RY RZ\n"
        " axis XYZ\n position 0 0 0\n orientation 0 0 0\n:bonedata\n"
        + "\n".join(bones)
        + f"\n:hierarchy\nbegin\n{tree}\nend\n"
    )


def cmu_amc(frames: int) -> str:
    """The root of the body of `cmu_asf`, which goes along z by a unit in every frame."""
    rows = "".join(f"{frame}\nroot 0 17 {frame} 0 0 0\n" for frame in range(1, frames + 1))
    return f":FULLY-SPECIFIED\n:DEGREES\n{rows}"


def msr_daily(frames: list[np.ndarray]) -> str:
    """Each frame: `(people, 20, 3)` metres; screen rows and last numbers are noise that must not be read."""
    lines = [f"{len(frames)} 20"]
    for people in frames:
        lines.append(str(40 * len(people)))
        for joint in people.reshape(-1, 3):
            lines += [" ".join(f"{value:.4f}" for value in joint) + " 1", "0.5 0.5 7777 0"]
    return "\n".join(lines) + "\n"


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _standing(joints: int, height: float) -> np.ndarray:
    return np.random.default_rng(0).normal(0, 0.2 * height, (6, joints, 3)) + [0, height, 0]


_SAID = b"a person waves.#a/DET person/NOUN#0.0#0.0\nraises a hand.#raise/VERB#0.1#0.2\n"
_BABEL = {
    **{"babel_sid": 1, "feat_p": "ACCAD/ACCAD/s1/walk_poses.npz", "seq_ann": None},
    "frame_ann": {"labels": [{"proc_label": "walk", "act_cat": ["walk"], "start_t": 0.0, "end_t": 0.04}]},
}
_EVENT = {"filename": "walk__A001", "events": [{"start_time": 0.0, "end_time": 0.04, "description": "walks"}]}
_BVH = bvh(6, 120).encode()
# Name of the dataset -> what is read, and the files.
DESCRIBED: dict[str, tuple[str, dict[str, bytes]]] = {
    "kit-ml": (
        "new_joints/00001.npy",
        {"new_joints/00001.npy": _npy(_standing(21, 900)), "texts/00001.txt": _SAID, "test.txt": b"00001\n"},
    ),
    "babel": (
        "ACCAD/s1/walk_poses.npz",
        {
            "ACCAD/s1/walk_poses.npz": _npz(
                poses=np.full((6, 156), 0.1), trans=np.ones((6, 3)), mocap_framerate=np.array(120.0)
            ),
            "train.json": json.dumps({"1": _BABEL}).encode(),
        },
    ),
    "bones-seed": (
        "soma_uniform/bvh/240101/walk__A001.bvh",
        {
            "soma_uniform/bvh/240101/walk__A001.bvh": _BVH,
            "metadata/seed_metadata_v004.csv": b"filename,actor_uid,content_type_of_movement,content_natural_desc_1\n"
            b"walk__A001,A001,walking,A person walks.\n",
            "metadata/seed_metadata_v002_temporal_labels.jsonl": json.dumps(_EVENT).encode() + b"\n",
        },
    ),
    "snapmogen": (
        "renamed_bvhs/ep1_00000.bvh",
        {
            "renamed_bvhs/ep1_00000.bvh": _BVH,
            "all_caption_clean.json": json.dumps({"ep1_00000#0#1": {"manual": ["Walks."], "gpt": []}}).encode(),
        },
    ),
    "cmu-mocap": (
        "01/01_01.amc",
        {
            "01/01_01.amc": cmu_amc(6).encode(),
            "01/01.asf": cmu_asf().encode(),
            "cmu-mocap-index-text.txt": b"Subject #1\n01_01\tclimb\n",
        },
    ),
    "msr-daily": (
        "a01_s01_e01_skeleton.txt",
        {"a01_s01_e01_skeleton.txt": msr_daily([_standing(20, 0.9)[:1], _standing(20, 0.9)[:2]]).encode()},
    ),
}
