"""Pose refinement: repairs one motion, or aggregates those of several pose estimators first, with a report."""

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from motionhub.pipelines.skeleton_pipeline import as_sequence
from motionhub.poses import filters
from motionhub.poses.refine import aggregate_sequences
from motionhub.poses.refine import as_sequence as aggregate_as_sequence
from motionhub.runtime.arrays import describe
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.measures import body_size, noise_level
from motionhub.skeletons.sequence import SkeletonSequence


STEPS: dict[str, Callable[[SkeletonSequence], SkeletonSequence]] = {
    "swaps": filters.repair_swaps,
    "outliers": filters.reject_outliers,
    "gaps": filters.fill_gaps,
    "savitzky-golay": filters.smooth_savitzky_golay,
    "one-euro": filters.smooth_one_euro,
}
# Swaps first, or a swapped wrist is an outlier; gaps after outliers, which leave some; smoothing last.
DEFAULT_STEPS = ("swaps", "outliers", "gaps", "savitzky-golay")
UNCHANGED = 1e-6  # of the body's size: less is rounding
_MOST_ROUNDS = 5


def refine(
    inputs: Any,
    *,
    steps: Sequence[str] = DEFAULT_STEPS,
    official: bool = False,
    paper: bool = False,
    layout: str | SkeletonLayout | None = None,
    fps: float | None = None,
    unit: str | None = None,
    image_size: tuple[int, int] | None = None,
    return_report: bool = False,
) -> Any:
    """The refined motion, as a `SkeletonSequence`; inputs are not modified.

    Args:
        inputs: a path, `SkeletonSequence`, dataset row or array as for every pipeline; or a list of them, one per pose
            estimator ("expert") of the same video, aggregated first (SST-A). The first decides layout, frame rate and
            image size, and wins ties.
        steps: names of `STEPS`, in order; () for none. The default ones are repeated until they change nothing.
        official, paper: rule of the aggregation, see `motionhub.poses.refine`; the official order of three experts is
            AlphaPose, LCR-Net, OpenPose.
        layout, fps, unit, image_size: of arrays, and of files that lack them.
        return_report: also return a dict: `joints_changed` (share of joints, over people and frames, that moved, were
            filled or hidden; counts in `moved`, `filled`, `hidden`), `mean_change` (of joints detected before and
            after), `coverage_before`, `coverage_after` (shares of joints detected), `jitter_before`, `jitter_after`
            (standard deviation per coordinate of frame-to-frame noise, of the median joint), `worst_joint` and
            `worst_person` (most changed), `per_joint`; lengths are in the unit of the motion. With several experts
            "before" is the first; `experts` has coverage, jitter and share picked of each, `confidence` that of each
            person's frames.

    Raises:
        ValueError: no input, one that cannot be read or has no frame, an unknown step, or experts that do not fit.

    Examples:
        >>> import numpy as np
        >>> clip = motionhub.generate("wave", seed=0, layout="coco-17")
        >>> clip.keypoints[0, 10:13, 9] = np.nan
        >>> repaired = motionhub.refine(clip)
        >>> bool(np.isnan(repaired.keypoints).any())
        False
    """
    unknown = [step for step in steps if step not in STEPS]
    if unknown or isinstance(steps, str):
        raise ValueError(f"steps must be a list of names among {list(STEPS)}, got {steps!r}.")
    items = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
    if not items:
        raise ValueError("Nothing to refine: pass a file or sequence, or a list with one per pose estimator.")
    clips = [as_sequence(item, layout=layout, fps=fps, unit=unit, image_size=image_size) for item in items]
    for clip in clips:
        if not clip.num_frames or not clip.num_people:
            raise ValueError(f"Expected a motion with at least one person and frame, got {describe(clip)}.")
    about: dict[str, Any] = {}
    before = motion = clips[0]
    if len(clips) > 1:
        before, motion, about = _aggregated(clips, items, official, paper)
    elif official or paper:
        raise ValueError("official=True and paper=True choose a rule of aggregation, but only one input was given.")
    if not motion.joint_mask.any():
        warnings.warn(f"{describe(motion)}: no valid keypoints, so nothing is refined.", stacklevel=2)
    motion = _repaired(motion, steps)
    return (motion, {**report(before, motion), **about}) if return_report else motion


def _repaired(motion: SkeletonSequence, steps: Sequence[str]) -> SkeletonSequence:
    """After the steps; the default ones until nothing changes, as smoothing shows outliers that noise has hidden."""
    for _ in range(_MOST_ROUNDS if tuple(steps) == DEFAULT_STEPS else 1):
        before = motion
        for step in steps:
            motion = STEPS[step](motion)
        if np.array_equal(motion.keypoints, before.keypoints, equal_nan=True):
            break
    return motion


def _aggregated(
    clips: list[SkeletonSequence], items: list[Any], official: bool, paper: bool
) -> tuple[SkeletonSequence, SkeletonSequence, dict[str, Any]]:
    """The first expert, the aggregate, and the report's entries on the experts."""
    experts, result = aggregate_sequences(clips, official, paper)
    rows = [
        {
            "name": os.fspath(item) if isinstance(item, str | os.PathLike) else f"input {index}",
            "coverage": float(expert.joint_mask.mean()),
            "jitter": _jitter(noise_level(expert)),
            "picked": float((result.choice == index).mean()),
        }
        for index, (item, expert) in enumerate(zip(items, experts, strict=True))
    ]
    confidence = [[round(float(value), 4) for value in person] for person in result.confidence]
    return experts[0], aggregate_as_sequence(result, experts), {"experts": rows, "confidence": confidence}


def report(before: SkeletonSequence, after: SkeletonSequence) -> dict[str, Any]:
    """What refinement did to a motion (see `refine`); both of the same shape."""
    had, has = before.joint_mask, after.joint_mask
    change = np.linalg.norm(after.keypoints.astype(np.float64) - before.keypoints, axis=-1)
    moved = had & has & (np.nan_to_num(change) > UNCHANGED * body_size(before))
    filled, hidden = ~had & has, had & ~has
    changed = moved | filled | hidden
    noise = np.array([noise_level(before), noise_level(after)])
    # Filled and hidden joints have no distance; they decide where nothing moved.
    total = np.where(had & has, change, 0).sum(axis=1) + 1e-9 * changed.sum(axis=1)  # (people, joints)
    person, worst = np.unravel_index(int(total.argmax()), total.shape)
    rows = [
        {
            "name": joint,
            "changed": float(changed[..., index].mean()),
            **_changes(change[..., index], had[..., index], has[..., index], noise[:, index]),
        }
        for index, joint in enumerate(before.layout.joints)
    ]
    return {
        "people": after.num_people,
        "frames": after.num_frames,
        "unit": after.unit,
        "joints_changed": float(changed.mean()),
        "moved": int(moved.sum()),
        "filled": int(filled.sum()),
        "hidden": int(hidden.sum()),
        **_changes(change, had, has, noise),
        "worst_joint": before.layout.joints[worst],
        "worst_person": int(person),
        "per_joint": rows,
    }


def _changes(change: np.ndarray, had: np.ndarray, has: np.ndarray, noise: np.ndarray) -> dict[str, Any]:
    """Mean change, and coverage and jitter before and after, of all joints or of one."""
    both = change[had & has]
    return {
        "mean_change": float(both.mean()) if len(both) else None,
        "coverage_before": float(had.mean()),
        "coverage_after": float(has.mean()),
        "jitter_before": _jitter(noise[0]),
        "jitter_after": _jitter(noise[1]),
    }


def _jitter(noise: np.ndarray) -> float | None:
    return None if np.isnan(noise).all() else float(np.nanmedian(noise))
