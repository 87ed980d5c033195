"""What MediaPipe finds in real videos, and whether four cameras that look at the same people agree.

    python benchmarks/claims/video_poses.py [--videos DIR] [--only NAME ...] [--modes follow anew]
        [--find_confidence 0.3] [--seconds N] [--pictures DIR]

Prints two tables; the second needs the four cameras. Videos are looked for in MOTIONHUB_SHARED/videos
(../shared/videos). `--pictures` also writes six frames of each video with what was found drawn over them: the tables
do not say whether it is right.
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from experiment import SHARED
from scipy.spatial.transform import Rotation

from motionhub.data.video.reader import open_video
from motionhub.poses.extraction import Extraction, extract_clip, place_in_clip
from motionhub.skeletons.layouts import get_layout


# The joints that every view may show; the 21 others are of face, hands and feet.
LIMBS = [
    get_layout("mediapipe-33").index(f"{side}_{joint}")
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
]
# How MediaPipe looks: it follows whom it saw, or looks for everybody in every frame.
MODES = {"follow": True, "anew": False}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, default=SHARED / "videos")
    parser.add_argument("--only", nargs="+", default=None, metavar="NAME", help="file names without suffix")
    parser.add_argument("--modes", nargs="+", choices=tuple(MODES), default=list(MODES))
    parser.add_argument("--find_confidence", type=float, default=0.3, help="of MediaPipe's detector (default 0.3)")
    parser.add_argument("--seconds", type=float, default=None, help="of each video, from its start; default all")
    parser.add_argument("--pictures", type=Path, default=None)
    arguments = parser.parse_args(argv)
    paths = [path for path in sorted(arguments.videos.iterdir()) if not arguments.only or path.stem in arguments.only]
    print("| video | mode | frames | people | somebody in | frames of each person | joints seen | frames/s |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    cameras: dict[str, dict[str, Extraction]] = {}
    for path, mode in itertools.product(paths, arguments.modes):
        options = {"follow": MODES[mode], "num_people": 4, "find_confidence": arguments.find_confidence}
        found = extract_clip(path, "mediapipe", estimator_options=options, seconds=arguments.seconds, progress=False)
        print_row(path.name, found, mode)
        if path.name.startswith("p2s_multi_cam"):
            cameras.setdefault(path.stem[-5:], {})[mode] = found
        if arguments.pictures:
            draw_frames(path, found, arguments.pictures / f"{path.stem}.{mode}.png")
    if len(cameras) > 1:
        print_agreement(cameras, arguments.modes)


def print_row(name: str, found: Extraction, mode: str) -> None:
    report = found.report
    present = np.isfinite(found.tracks.boxes).all(axis=-1).sum(axis=1)
    rate = " (variable rate)" if report["variable_rate"] else ""
    each = ", ".join(str(frames) for frames in sorted(present.tolist(), reverse=True))
    print(
        f"| {name}{rate} | {mode} | {report['frames']} | {report['people']} | "
        f"{report['with_people'] / report['frames']:.0%} | {each} | {report['coverage']:.0%} | "
        f"{report['frames_per_second']:.1f} |",
        flush=True,
    )


def print_agreement(cameras: dict[str, dict[str, Extraction]], modes: list[str]) -> None:
    """Of each pair of cameras the median over frames; nothing is calibrated, so only shapes are compared."""
    print("\n| cameras | mode | same time (mm) | half a recording apart (mm) | frames |")
    print("|---|---|---|---|---|")
    for (one, first), (two, second) in itertools.combinations(cameras.items(), 2):
        for mode in modes:
            worlds = first[mode].tracks.world, second[mode].tracks.world
            if worlds[0] is None or worlds[1] is None:
                continue
            points = worlds[0].keypoints[:, :, LIMBS], worlds[1].keypoints[:, :, LIMBS]
            half = points[0].shape[1] // 2  # the same people in another posture, as a control
            same, apart = nearest_shapes(*points, 0), nearest_shapes(*points, half)
            print(
                f"| {one}, {two} | {mode} | {np.median(same):.0f} | {np.median(apart):.0f} | {len(same)} |", flush=True
            )


def nearest_shapes(first: np.ndarray, second: np.ndarray, shift: int) -> np.ndarray:
    """Per frame in which both cameras see somebody, millimetres: that of the two people who are most alike."""
    frames = min(first.shape[1], second.shape[1])
    answer = []
    for frame in range(frames):
        pairs = itertools.product(first[:, frame], second[:, (frame + shift) % frames])
        distances = [distance for one, other in pairs if np.isfinite(distance := turned_distance(one, other))]
        if distances:
            answer.append(1000 * min(distances))
    return np.array(answer) if answer else np.array([np.nan])


def turned_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Mean distance of joints after the rotation and shift (no scale, no mirror) that fit best; NaN below 8 joints."""
    common = np.isfinite(first).all(axis=-1) & np.isfinite(second).all(axis=-1)
    if common.sum() < 8:
        return float("nan")
    one, other = first[common].astype(np.float64), second[common].astype(np.float64)
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    rotation, _ = Rotation.align_vectors(one, other)
    return float(np.linalg.norm(one - rotation.apply(other), axis=-1).mean())


def draw_frames(path: Path, found: Extraction, out: Path) -> None:
    from PIL import Image

    from motionhub.visualization.overlay import draw_overlay

    video, wanted = open_video(path), np.linspace(0, found.clip.num_frames - 1, 6).astype(int)
    shown = []
    for frame in video.frames():
        place = place_in_clip(video, frame)
        if place in wanted:
            image = Image.fromarray(draw_overlay(frame.image, found.clip, place, found.tracks.boxes))
            image.thumbnail((600, 600))
            shown.append(np.asarray(image))
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(shown, axis=1)).save(out)


if __name__ == "__main__":
    main()
