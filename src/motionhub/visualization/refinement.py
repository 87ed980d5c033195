"""A joint's coordinates over time, before and after refinement, as a PNG.

It does not compute anything about them; two sequences of the same motion come in.
"""

from pathlib import Path

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization.plots import new_figure, save_figure


_BEFORE, _AFTER = "#D55E00", "#0072B2"
# Frames around the largest change that a panel can show so that single frames are told apart.
_CLOSE = 150


def plot_refinement(
    before: SkeletonSequence, after: SkeletonSequence, joint: str, path: str | Path, *, person: int = 0
) -> Path:
    """One row per coordinate: the whole motion on the left, the surroundings of the greatest change on the right.

    Frames in which the joint was missing before and is there after are shaded.

    Args:
        before, after: the same people, frames and layout.
        joint: name of the joint to draw.
        path: the PNG to write.
        person: position of the person.

    Raises:
        ValueError: the sequences differ in shape, or there is no such person or joint.
    """
    if before.keypoints.shape != after.keypoints.shape:
        raise ValueError(
            f"before and after must be of one shape, got {before.keypoints.shape} and {after.keypoints.shape}."
        )
    index = before.layout.index(joint)
    tracks = [sequence.person(person).keypoints[0, :, index].astype(np.float64) for sequence in (before, after)]
    filled = np.isnan(tracks[0][:, 0]) & ~np.isnan(tracks[1][:, 0])
    first, end = _window(*tracks)
    figure, panels = new_figure(12, 1 + 2 * before.num_dims, rows=before.num_dims, columns=2)
    for axis, row in enumerate(panels):
        for axes, (start, stop) in zip(row, ((0, before.num_frames), (first, end)), strict=True):
            frames = np.arange(start, stop)
            close = stop - start <= 2 * _CLOSE
            axes.plot(frames, tracks[0][start:stop, axis], color=_BEFORE, lw=0.8, marker="." if close else "", ms=4)
            axes.plot(frames, tracks[1][start:stop, axis], color=_AFTER, lw=1.2)
            top = axes.get_xaxis_transform()
            axes.fill_between(frames, 0, 1, where=filled[start:stop], transform=top, color="#009E73", alpha=0.15, lw=0)
            if before.unit == "pixel" and axis == 1:
                axes.invert_yaxis()
        row[0].set_ylabel(f"{'xyz'[axis]} ({before.unit})")
    panels[0, 0].set_title("whole motion", fontsize=9)
    panels[0, 1].set_title(f"frames {first}-{end - 1}", fontsize=9)
    panels[0, 0].legend(["before", "after", "filled"], fontsize=8, ncols=3)
    for axes in panels[-1]:
        axes.set_xlabel("frame")
    figure.suptitle(f"{joint} of person {person}, before and after refinement", fontsize=11)
    return save_figure(figure, path)


def _window(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    """Frames (first, end) around the greatest change, or the first filled one."""
    change = np.linalg.norm(after - before, axis=-1)
    lacking = np.isnan(before[:, 0]) & ~np.isnan(after[:, 0])
    middle = int(np.nanargmax(change)) if (change > 0).any() else int(lacking.argmax())
    first = max(0, min(middle - _CLOSE // 2, len(before) - _CLOSE))
    return first, min(len(before), first + _CLOSE)
