"""Joint angles from Kinect joints against those from Vicon markers, UI-PRMD.

    python benchmarks/measured_angles.py uiprmd_kinect_s1-7.npz uiprmd_vicon_s1-7.npz

The Vicon file has markers and no angles: joint centres are made of them (hips: Bell 1989, from the front pelvis
markers; knees, ankles and shoulders: their marker moved inwards or down by a constant), and both go through
`motionhub.measure`. The two recordings of a repetition are cut separately, so that curves are stretched to 101 moments
and shifted by up to 15 of them to the best fit.
"""

import argparse

import numpy as np

import motionhub
from motionhub.skeletons.standing import named_layout


PARTS = ("hip", "knee", "ankle", "foot", "shoulder", "elbow", "wrist")
JOINTS = ("mid_hip", *(f"{side}_{part}" for side in ("left", "right") for part in PARTS))
# Plug-in Gait order: knee, ankle, toe, shoulder, elbow, both wrist markers.
MARKERS = {"left": (28, 30, 32, 9, 11, 13, 14), "right": (34, 36, 38, 16, 18, 20, 21)}
FRONT, BACK = (23, 24), (25, 26)  # of the pelvis, left and right
NAMES = ("knee_flexion", "hip_flexion", "shoulder_elevation", "elbow_flexion")
MOST_SHIFT = 15


def unit(vectors: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def across(direction: np.ndarray, axis: np.ndarray) -> np.ndarray:
    """`direction` without its part along `axis`, of length 1."""
    axis = unit(axis)
    return unit(direction - (direction * axis).sum(axis=-1, keepdims=True) * axis)


def centres(markers: np.ndarray) -> np.ndarray:
    """`(frames, joints, 3)` metres of markers `(frames, 39, 3)`."""
    left, right = markers[:, FRONT[0]], markers[:, FRONT[1]]
    width, sideways = np.linalg.norm(left - right, axis=-1, keepdims=True), unit(left - right)
    forward = across((left + right) / 2 - markers[:, BACK].mean(axis=1), sideways)
    up = np.cross(forward, sideways)
    places = {}
    for side, sign, front in (("left", 1, left), ("right", -1, right)):
        knee, ankle, toe, shoulder, elbow, *wrists = (markers[:, number] for number in MARKERS[side])
        hip = front - width * (0.14 * sign * sideways + 0.30 * up + 0.19 * forward)
        places |= {f"{side}_hip": hip, f"{side}_foot": toe, f"{side}_elbow": elbow}
        places[f"{side}_knee"] = knee + 0.055 * across(-sign * sideways, knee - hip)
        places[f"{side}_ankle"] = ankle + 0.040 * across(-sign * sideways, ankle - knee)
        places[f"{side}_shoulder"] = shoulder - 0.04 * up
        places[f"{side}_wrist"] = (wrists[0] + wrists[1]) / 2
    places["mid_hip"] = (places["left_hip"] + places["right_hip"]) / 2
    return np.stack([places[joint] for joint in JOINTS], axis=1)


def curve(values: np.ndarray) -> np.ndarray | None:
    """101 moments; None with more than a fifth missing."""
    seen = np.flatnonzero(np.isfinite(values))
    if len(seen) < 0.8 * len(values):
        return None
    return np.interp(np.linspace(0, len(values) - 1, 101), seen, values[seen])


def best_error(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean square difference at the best shift."""
    errors = []
    for shift in range(-MOST_SHIFT, MOST_SHIFT + 1):
        one, two = first[max(0, shift) : 101 + min(0, shift)], second[max(0, -shift) : 101 - max(0, shift)]
        errors.append(np.sqrt(((one - two) ** 2).mean()))
    return float(min(errors))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("kinect")
    parser.add_argument("vicon")
    parser.add_argument("--movements", type=int, nargs="+", default=[1, 2, 3, 7, 10])
    arguments = parser.parse_args()
    clips, facts, other = (
        motionhub.read(arguments.kinect),
        dict(np.load(arguments.kinect)),
        dict(np.load(arguments.vicon)),
    )
    layout, found = named_layout("vicon-centres", JOINTS), {}
    for row in np.flatnonzero(np.isin(other["movement"], arguments.movements)):
        same = facts["correct"] & np.all(
            [facts[key] == other[key][row] for key in ("movement", "subject", "episode")], 0
        )
        start, end = other["offsets"][row : row + 2]
        places = centres(other["frames"][start:end] * float(other["scale_mm"]) / 1000)
        vicon = motionhub.measure(motionhub.SkeletonSequence(places, layout, 33.0, "metre", up="z"))
        kinect = motionhub.measure(clips[int(np.flatnonzero(same)[0])].replace(up="y"))
        for name in (f"{side}_{each}" for side in ("left", "right") for each in NAMES):
            one, two = curve(vicon.angle(name)[0]), curve(kinect.angle(name)[0])
            if one is not None and two is not None:
                error, centred = best_error(one, two), best_error(one - one.mean(), two - two.mean())
                entry = (error, centred, float(np.ptp(one)), float(np.ptp(two)))
                found.setdefault((int(other["movement"][row]), name), []).append(entry)
    print("| movement | angle | n | RMSE | RMSE without offset | range Vicon | range Kinect |")
    print("|---|---|---|---|---|---|---|")
    for (movement, name), entries in sorted(found.items()):
        cells = " | ".join(f"{value:.0f}" for value in np.median(np.array(entries), axis=0))
        print(f"| {movement} | {name} | {len(entries)} | {cells} |")


if __name__ == "__main__":
    main()
