"""Does refinement make poses better? Classical filters and SST-A against truth, and three real estimators together.

    python benchmarks/claims/refinement.py [--data DIR] [--output DIR] [--only clean simulated sbit uiprmd experts]

Prints a table per dataset, and whether each gate holds; exit status 1 if one does not. Real data is looked for in
MOTIONHUB_SHARED/data (../shared/data). Nothing is fitted to it: all filters run with their defaults.
"""

import argparse
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import sbit_pairs
from experiment import SHARED
from scipy.spatial.transform import Rotation
from scipy.stats import spearmanr

from motionhub import (
    SkeletonLayout,
    SkeletonSequence,
    aggregate_experts,
    convert_layout,
    generate,
    read,
    refine,
    resample,
)
from motionhub.data.synthetic.days import DAY_MOTIONS
from motionhub.data.synthetic.phrases import captioned_motions
from motionhub.metrics.pose_error import mpjpe, pck
from motionhub.poses import filters
from motionhub.reproduction.comparison import report_gates
from motionhub.skeletons import repair
from motionhub.skeletons.measures import noise_level


BODY = [0, *range(5, 17)]  # of COCO's 17: the nose as head, and the limbs
Filter = Callable[[SkeletonSequence], SkeletonSequence]
FILTERS: dict[str, Filter] = {
    "swaps": filters.repair_swaps,
    "outliers + gaps": lambda motion: filters.fill_gaps(filters.reject_outliers(motion)),
    "Savitzky-Golay": filters.smooth_savitzky_golay,
    "One-Euro": filters.smooth_one_euro,
    "Gaussian 1.5": lambda motion: repair.smooth(motion, 1.5),
    "refine (all steps)": refine,
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data")
    parser.add_argument("--output", type=Path, default=None, help="folder for the image of the three experts")
    parts = ["clean", "simulated", "sbit", "uiprmd", "experts"]
    parser.add_argument("--only", nargs="+", default=parts, choices=parts)
    parser.add_argument("--clips", type=int, default=200, help="simulated clips")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(argv)
    gates: dict[str, bool] = {}
    if "clean" in arguments.only:
        gates |= clean_motions(arguments.data, arguments.seed)
    if "simulated" in arguments.only:
        gates |= simulated_experts(arguments.data, arguments.clips, arguments.seed)
    if "sbit" in arguments.only:
        gates |= sbit(arguments.data, arguments.seed)
    if "uiprmd" in arguments.only:
        ui_prmd(arguments.data)
    if "experts" in arguments.only:
        gates |= real_experts(arguments.data, arguments.output)
    return report_gates(gates)


def show(title: str, columns: dict[str, str], rows: dict[str, Sequence[float]]) -> None:
    """A table: columns with the format of their numbers, and rows by name."""
    print(f"\n{title}\n{'':<22}" + "".join(f"{name:>{max(8, len(name)) + 1}}" for name in columns))
    for name, values in rows.items():
        cells = (f"{value:{form}}" for value, form in zip(values, columns.values(), strict=True))
        print(
            f"{name:<22}"
            + "".join(f"{text:>{max(8, len(each)) + 1}}" for each, text in zip(columns, cells, strict=True))
        )


# -- clean motions, which refinement must leave alone

RATES, VICON_FPS = (15, 30, 60, 120), 33
MOST_MOVED, MOST_LOST = 0.01, 0.02  # metres at the 99th percentile, share of the peak speed


def clean_motions(data: Path, seed: int) -> dict[str, bool]:
    """Every generated motion and the Vicon recordings at four rates: what refinement moves, worst first."""
    motions = {**DAY_MOTIONS, **{each.phrases[0]: each.motion for each in captioned_motions()}}
    made = [(name, fps, generate(motion, seed=seed, fps=fps)) for name, motion in motions.items() for fps in RATES]
    with np.load(data / "uiprmd_vicon_s1-7.npz") as vicon:
        points = np.split(vicon["frames"] * (float(vicon["scale_mm"]) / 1000), vicon["offsets"][1:-1])
    markers = SkeletonLayout("markers", tuple(f"marker {n}" for n in range(points[0].shape[1])), (), "marker 0")
    for number in range(0, len(points), 20):
        recorded = SkeletonSequence(points[number][None], markers, VICON_FPS, "metre")
        made += [(f"Vicon {number}", fps, resample(recorded, fps)) for fps in (15, VICON_FPS)]
    rows = [(*changed(clip), name, fps) for name, fps, clip in made]
    print(f"\n{len(rows)} clean clips, seed {seed}: cm moved at the 99th percentile, % of peak speed lost; worst ten")
    for moved, lost, name, fps in sorted(rows, key=lambda row: -max(row[0] / MOST_MOVED, row[1] / MOST_LOST))[:10]:
        print(f"{name:<34}{fps:>4g} fps {100 * moved:>7.2f} {100 * lost:>7.2f}")
    return {
        "clean: under 1 cm at the 99th percentile": max(row[0] for row in rows) < MOST_MOVED,
        "clean: under 2 % of the peak speed": max(row[1] for row in rows) < MOST_LOST,
    }


def changed(clip: SkeletonSequence) -> tuple[float, float]:
    """Metres by which refinement moves a joint, at the 99th percentile; and the share of peak speed that it takes."""
    refined = refine(clip)
    moved = np.linalg.norm(refined.keypoints - clip.keypoints, axis=-1)
    before, after = (np.nanmax(np.linalg.norm(np.diff(each.keypoints, axis=1), axis=-1)) for each in (clip, refined))
    return float(np.nanpercentile(moved, 99)), float(1 - after / max(before, 1e-9))


# -- three simulated experts on projected motion capture


def simulated_experts(data: Path, count: int, seed: int) -> dict[str, bool]:
    truths = projected(data / "bandai_namco_2_subset.zip", count, np.random.default_rng(seed))
    gates = {}
    for control in (False, True):
        title = "negative control: expert B dominates" if control else "three simulated experts"
        chance = np.random.default_rng(seed + 1)
        rows, correlations, beaten = scores_of_experts(truths, chance, control)
        show(
            f"{title}, {len(truths)} clips of Bandai-Namco, seed {seed}; lengths in heads",
            {"PCKh@.5": ".1%", "MPJPE": ".3f", "seen": ".1%", "MPJPE, missing at (0, 0)": ".3f"},
            rows,
        )
        print(
            f"rank correlation of confidence and error: {correlations}; "
            f"SST-A beats its clip's best expert: {beaten:.1%}"
        )
        best = max(rows[name][0] for name in "ABC")
        least = min(rows[name][3] for name in "ABC")
        ours = rows["SST-A"]
        if control:
            gates["control: ours is as good as the best expert (MPJPE <= 1.05 x)"] = ours[3] <= 1.05 * least
        else:
            gates["simulated: PCKh of SST-A >= best expert + 5"] = ours[0] >= best + 0.05
            gates["simulated: MPJPE of SST-A <= 0.7 x best expert"] = ours[3] <= 0.7 * least
            gates["simulated: rank correlation of confidence and error < -0.1"] = correlations["SST-A"] < -0.1
    return gates


def projected(archive: Path, count: int, chance: np.random.Generator) -> list[tuple[np.ndarray, float]]:
    """COCO-17 keypoints `(frames, 17, 2)` in a 640x480 image from random sides, and the length of the head."""
    truths = []
    with zipfile.ZipFile(archive) as content, tempfile.TemporaryDirectory() as folder:
        names = sorted(name for name in content.namelist() if name.endswith(".bvh"))
        for name in [names[index] for index in np.linspace(0, len(names) - 1, count).round().astype(int)]:
            motion = convert_layout(read(content.extract(name, folder))[0], "coco-17").keypoints[0].astype(np.float64)
            head = float(np.median(np.linalg.norm(motion[:, 0] - motion[:, 5:7].mean(axis=1), axis=-1)))
            angle = chance.uniform(-np.pi, np.pi)
            x = motion[..., 0] * np.cos(angle) + motion[..., 2] * np.sin(angle)
            image = np.stack([x, -motion[..., 1]], axis=-1)
            scale = 250 / np.ptp(image[..., 1])
            image = (image - image.reshape(-1, 2).mean(axis=0)) * scale + [320, 240]
            truths.append((image, head * scale))
    return truths


def scores_of_experts(
    truths: list[tuple[np.ndarray, float]], chance: np.random.Generator, control: bool
) -> tuple[dict[str, tuple[float, ...]], dict[str, float], float]:
    """Per expert and rule its scores; per rule the rank correlation of a frame's confidence and error; clips won."""
    names = ["A", "B", "C", "median of experts", "SST-A official", "SST-A paper", "SST-A"]
    poses: dict[str, list[np.ndarray]] = {name: [] for name in names}
    confidence: dict[str, list[np.ndarray]] = {name: [] for name in names[4:]}
    for truth, head in truths:
        experts = simulate(truth, head, chance, control)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a joint that nobody saw has no median
            medians = np.nanmedian(np.stack(experts), axis=0)
        made = dict(zip(names[:4], [*experts, medians], strict=True))
        for name, options in zip(names[4:], ({"official": True}, {"paper": True}, {}), strict=True):
            made[name], own = aggregate_experts([expert.astype(np.float32) for expert in experts], **options)
            confidence[name].append(own)
        for name, pose in made.items():
            poses[name].append((pose[:, BODY]) / head)
    goals = [truth[:, BODY] / head for truth, head in truths]
    rows = {name: scores(np.concatenate(made), np.concatenate(goals)) for name, made in poses.items()}
    correlations = {}
    for name, own in confidence.items():
        errors = np.concatenate([clip_errors(*pair) for pair in zip(poses[name], goals, strict=True)])
        correlations[name] = round(float(spearmanr(np.concatenate(own), errors, nan_policy="omit").statistic), 2)
    by_clip = {
        name: [np.nanmean(with_zeros(*pair)) for pair in zip(made, goals, strict=True)] for name, made in poses.items()
    }
    won = np.array(by_clip["SST-A"]) < np.min([by_clip[name] for name in "ABC"], axis=0)
    return rows, correlations, float(won.mean())


def simulate(truth: np.ndarray, head: float, chance: np.random.Generator, control: bool) -> list[np.ndarray]:
    """A: accurate, joints go missing in bursts. B: full body, left and right flip. C: loses the person, outliers."""
    frames, joints = truth.shape[:2]

    def noisy(share: float) -> np.ndarray:
        return truth + chance.normal(0, share * head, truth.shape)

    first = noisy(0.1)
    first[np.stack([bursts(frames, 0.02, 12, chance) for _ in range(joints)], axis=1)] = np.nan
    second = noisy(0.1 if control else 0.3)
    mirror = [0, 2, 1, 4, 3, *np.arange(5, 17).reshape(-1, 2)[:, ::-1].ravel()]
    flipped = bursts(frames, 0.003 if control else 0.02, 8, chance)
    second[flipped] = second[flipped][:, mirror]
    third = noisy(0.15)
    outliers = chance.random((frames, joints)) < 0.08
    third[outliers] += chance.normal(0, 6 * head, (int(outliers.sum()), 2))
    third[bursts(frames, 0.015, 10, chance)] = np.nan
    return [first, second, third]


def bursts(frames: int, rate: float, length: int, chance: np.random.Generator) -> np.ndarray:
    """`(frames,)` True in stretches of about `length` frames that begin with this chance in each frame."""
    flags = np.zeros(frames, bool)
    for start in np.flatnonzero(chance.random(frames) < rate):
        flags[start : start + 1 + chance.poisson(length - 1)] = True
    return flags


def scores(poses: np.ndarray, goals: np.ndarray) -> tuple[float, float, float, float]:
    errors = mpjpe(poses, goals)
    return pck(poses, goals, 0.5)["pck"], errors["mpjpe"], errors["coverage"], float(with_zeros(poses, goals).mean())


def with_zeros(poses: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """Errors as the official evaluation counts them: what is missing lies at (0, 0)."""
    return np.asarray(np.linalg.norm(np.nan_to_num(poses) - goals, axis=-1))


def clip_errors(poses: np.ndarray, goals: np.ndarray) -> np.ndarray:
    """`(frames,)` mean over the joints that are there; NaN without any (a discarded frame)."""
    distance = np.linalg.norm(poses - goals, axis=-1)
    return np.ma.masked_invalid(distance).mean(axis=1).filled(np.nan)


# -- a depth camera's joints against their corrected version


# What SST-A is given where there is one recording only.
VARIANTS = ("raw", "outliers + gaps", "Savitzky-Golay", "One-Euro")


def shaken(motion: SkeletonSequence, chance: np.random.Generator) -> SkeletonSequence:
    """A second noise sample: the motion with the camera's own jitter on it once more."""
    deviation = float(np.nanmedian(noise_level(motion)))
    return motion.replace(keypoints=motion.keypoints + chance.normal(0, deviation, motion.keypoints.shape))


def sbit(data: Path, seed: int) -> dict[str, bool]:
    pairs, joints = raw_and_corrected(data)
    methods: dict[str, Filter] = {"raw": lambda motion: motion, **FILTERS}
    made = {name: [method(raw) for raw, _ in pairs] for name, method in methods.items()}
    variants = list(zip(*(made[name] for name in VARIANTS), strict=True))
    made["SST-A of 4 variants"] = [aggregate_experts(list(each))[0] for each in variants]
    second = [shaken(raw, np.random.default_rng([seed, index])) for index, (raw, _) in enumerate(pairs)]
    made["SST-A, a 2nd sample"] = [
        aggregate_experts([*each, other])[0] for each, other in zip(variants, second, strict=True)
    ]
    goals = np.concatenate([truth[:, None] for _, truth in pairs])[:, 0]
    measured = np.concatenate([1000 * raw.keypoints[0] for raw, _ in pairs])
    wrong = np.linalg.norm(measured - goals, axis=-1) > 20  # corrected by more than a filter changes
    errors, rows = {}, {}
    for name, motions in made.items():
        poses = np.concatenate([1000 * motion.keypoints[0] for motion in motions])
        errors[name] = mpjpe(poses, goals)
        shares = [pck(poses, goals, limit) for limit in (50, 100)]
        both = np.where(np.isnan(measured), np.nan, poses), np.where(wrong[..., None], goals, np.nan)
        same, hard = mpjpe(both[0], goals)["mpjpe"], mpjpe(*both)["mpjpe"]
        shaking = 1000 * np.nanmedian([np.nanmedian(noise_level(motion)) for motion in motions])
        found = errors[name]
        rows[name] = (found["mpjpe"], same, hard, *(share["pck"] for share in shares), found["coverage"], shaking)
        found["shares"] = [share["per_joint"] for share in shares]
    show(
        f"SBIT, {len(pairs)} clips, {len(goals)} frames: depth camera against corrected, mm. 79 % of the corrected "
        "joints are\nthe raw ones: there a filter can only add error. *: joints that raw has",
        {"MPJPE": ".1f", "MPJPE*": ".1f", "wrong*": ".1f", "PCK@50": ".1%", "PCK@100": ".1%", "seen": ".1%",
         "jitter": ".2f"},
        rows,
    )  # fmt: skip
    print(f"\nper joint: MPJPE, PCK@50, PCK@100\n{'':<22}" + "".join(f"{joint:>19}" for joint in joints))
    for name, error in errors.items():
        cells = zip(error["per_joint"], *error["shares"], strict=True)
        print(f"{name:<22}" + "".join(f"{mean:>7.1f}{near:>6.0%}{far:>6.0%}" for mean, near, far in cells))
    within = {name: float(np.mean(error["shares"][1])) for name, error in errors.items()}
    return {"SBIT: refine puts more joints within 100 mm than raw": within["refine (all steps)"] > within["raw"]}


def raw_and_corrected(data: Path) -> tuple[list[tuple[SkeletonSequence, np.ndarray]], tuple[str, ...]]:
    """Raw clips in metres, and the corrected joints `(frames, 8, 3)` in millimetres; (0, 0, 0) is missing."""
    names = ("original", "depthprojection")
    (layout, raw), (_, corrected) = (sbit_pairs.load(data / f"sbit_{name}_p1-6.npz") for name in names)
    pairs = []
    for name, truth in corrected.items():
        if raw[name].shape == truth.shape:  # four were cut differently
            measured, goal = (
                np.where((clip == 0).all(-1, keepdims=True), np.nan, clip) for clip in (raw[name], truth)
            )
            pairs.append((sbit_pairs.sequence(layout, measured), 1000 * goal))
    return pairs, layout.joints


# -- Kinect against Vicon

KEYS = ("movement", "subject", "episode")
# Kinect joint -> Vicon markers (of the 39 of Plug-in Gait) whose mean is nearest to it.
MARKERS = {
    **{"left_shoulder": [9], "right_shoulder": [16], "left_elbow": [11], "right_elbow": [18], "left_wrist": [13, 14]},
    **{"right_wrist": [20, 21], "left_knee": [28], "right_knee": [34], "left_ankle": [30], "right_ankle": [36]},
}


def ui_prmd(data: Path) -> None:
    """No gate: markers lie on the skin, so most of the distance is not the camera's error."""
    kinect, vicon = (np.load(data / f"uiprmd_{name}_s1-7.npz") for name in ("kinect", "vicon"))
    own_keys, keys = (zip(*(each[name].tolist() for name in KEYS), strict=True) for each in (kinect, vicon))
    motions = read(data / "uiprmd_kinect_s1-7.npz")
    own = {key: motion for key, motion, right in zip(own_keys, motions, kinect["correct"], strict=True) if right}
    joints = [motions[0].layout.index(joint) for joint in MARKERS]
    markers = np.split(vicon["frames"] * (float(vicon["scale_mm"]) / 1000), vicon["offsets"][1:-1])
    pairs = [(own[key], marks) for key, marks in zip(keys, markers, strict=True) if key in own]
    methods: dict[str, Filter] = {"raw": lambda motion: motion, **FILTERS}
    methods["SST-A of 4 variants"] = lambda motion: aggregate_experts([methods[name](motion) for name in VARIANTS])[0]
    truths = [np.stack([marks[:, of].mean(axis=1) for of in MARKERS.values()], axis=1) for _, marks in pairs]
    paths = [time_path(raw.keypoints[0][:, joints], truth) for (raw, _), truth in zip(pairs, truths, strict=True)]
    about = f"UI-PRMD, movements 1-3, {len(pairs)} performances"
    print(f"\n{about}: Kinect against Vicon's markers, aligned in space and time")
    for name, method in methods.items():
        made = [method(raw) for raw, _ in pairs]
        errors, moving = [], []
        for motion, truth, path in zip(made, truths, paths, strict=True):
            pose = motion.keypoints[0][path[0]][:, joints].astype(np.float64)
            errors.append(similarity(pose, truth[path[1]])(pose) - truth[path[1]])
            moving.append(errors[-1] - np.nanmean(errors[-1], axis=0))
        means = [1000 * np.nanmean(np.linalg.norm(np.concatenate(each), axis=-1)) for each in (errors, moving)]
        jitter = 1000 * np.median([np.nanmedian(noise_level(motion)) for motion in made])
        print(
            f"{name:<22}MPJPE {means[0]:>6.1f} mm, without each joint's constant offset "
            f"{means[1]:>5.1f} mm, jitter {jitter:.2f} mm"
        )


def similarity(points: np.ndarray, goal: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Turns, scales and moves points, the same in all frames, so that those given lie nearest to the goal."""
    seen = ~np.isnan(points).any(axis=-1)
    centre, other = points[seen].mean(axis=0), goal[seen].mean(axis=0)
    source, target = points[seen] - centre, goal[seen] - other
    rotation = Rotation.align_vectors(target, source)[0]
    scale = (rotation.apply(source) * target).sum() / (source**2).sum()
    return lambda moved: scale * (moved - centre) @ rotation.as_matrix().T + other


def time_path(points: np.ndarray, goal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames of both that belong together (dynamic time warping), as the recordings were cut independently."""
    points = points.astype(np.float64)
    path = np.arange(len(points)), np.linspace(0, len(goal) - 1, len(points)).round().astype(int)
    for _ in range(2):
        aligned = similarity(points[path[0]], goal[path[1]])(points)
        path = warped(np.linalg.norm(aligned[:, None] - goal[None], axis=-1).mean(axis=-1))
    return path


def warped(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = np.full((cost.shape[0] + 1, cost.shape[1] + 1), np.inf)
    total[0, 0] = 0
    for i, row in enumerate(cost.tolist()):
        before, now = total[i].tolist(), [np.inf]
        for j, value in enumerate(row):
            now.append(value + min(before[j], before[j + 1], now[j]))
        total[i + 1] = now
    i, j = cost.shape
    pairs = []
    while i and j:
        pairs.append((i - 1, j - 1))
        steps = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        i, j = min(steps, key=lambda step: total[step])
    first, second = np.array(pairs[::-1]).T
    return first, second


# -- three real estimators on one video


def real_experts(data: Path, output: Path | None) -> dict[str, bool]:
    names = {"AlphaPose": "Alphapose2d", "LCR-Net": "LCRNet2d", "OpenPose": "OP2d"}
    paths = [data / f"WatchTV_p02_r03_v05_c05_{name}.npz" for name in names.values()]
    experts = {name: read(path, fps=20)[0] for name, path in zip(names, paths, strict=True)}
    results = {
        f"SST-A {rule}".strip(): aggregate_experts(list(experts.values()), **options)
        for rule, options in (("official", {"official": True}), ("paper", {"paper": True}), ("", {}))
    }
    refined, report = refine(list(experts.values()), return_report=True)
    print("\nthree real estimators, one Toyota Smarthome video, pixels (no truth)")
    print(f"{'':<22}{'coverage':>9}{'jitter':>8}{'jumps':>8}{'confidence':>11}")
    rows = {name: (motion, None) for name, motion in experts.items()}
    rows |= results | {"SST-A + refine": (refined, np.array(report["confidence"]))}
    measured = {}
    for name, (motion, confidence) in rows.items():
        steps = np.linalg.norm(np.diff(motion.keypoints[0], axis=0), axis=-1)
        jumps = float((steps[~np.isnan(steps)] > 20).mean())
        measured[name] = motion.joint_mask.mean(), float(np.nanmedian(noise_level(motion))), jumps
        mean = "" if confidence is None else f"{confidence.mean():.3f}"
        print(f"{name:<22}{measured[name][0]:>9.1%}{measured[name][1]:>8.2f}{jumps:>8.2%}{mean:>11}")
    picked = ", ".join(f"{name} {row['picked']:.1%}" for name, row in zip(names, report["experts"], strict=True))
    print(f"picked: {picked}")
    ours = results["SST-A"][0].keypoints[0]
    for name, motion in experts.items():
        distance = np.linalg.norm(motion.keypoints[0] - ours[: motion.num_frames], axis=-1)
        half, most = np.nanpercentile(distance, (50, 90))
        print(f"distance to {name}: median {half:.1f}, 90th percentile {most:.1f} pixels")
    if output is not None:
        draw(experts, rows, output / "experts.png")
    full = max(measured[name][0] for name in names)
    return {
        "real experts: SST-A covers as much as the fullest expert": measured["SST-A"][0] >= full - 1e-3,
        "real experts: SST-A jumps less than two of the three": measured["SST-A"][2]
        < sorted(measured[name][2] for name in names)[1],
    }


def draw(experts: dict[str, SkeletonSequence], rows: dict, path: Path) -> None:
    from motionhub.visualization.plots import new_figure, save_figure

    figure, panels = new_figure(13, 11, 3, 2)
    motions = {**experts, "SST-A": rows["SST-A"][0], "SST-A + refine": rows["SST-A + refine"][0]}
    colours = ("#E69F00", "#56B4E9", "#CC79A7", "#000000", "#D55E00")
    for row, joint in zip(panels, ("left_wrist", "right_ankle", "left_hip"), strict=True):
        for axes, part in zip(row, (slice(0, None), slice(820, 970)), strict=True):
            for (name, motion), colour in zip(motions.items(), colours, strict=True):
                track = motion.keypoints[0, :, motion.layout.index(joint), 1]
                frames = np.arange(len(track))[part]
                axes.plot(frames, track[part], ".-" if part.stop else "-", label=name, color=colour, lw=0.9, ms=3)
            axes.invert_yaxis()
            axes.set_ylabel(f"y of {joint} (pixel)")
    panels[0, 0].legend(fontsize=7, ncols=3)
    print(f"drawn: {save_figure(figure, path)}")


if __name__ == "__main__":
    sys.exit(main())
