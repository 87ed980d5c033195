"""`deviations`: which joints of a movement differ from how it is done correctly, and when."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from motionhub.kinematics.compare import PHASES, Take, mean_of, phases_of, shared_angles, typical
from motionhub.kinematics.measurements import check_sequence
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.sequence import SkeletonSequence


FEWEST = 3  # correct repetitions
_LEAST_SPREAD = 2.0  # degrees: repetitions that agree better than this agree by chance


def deviations(clip: SkeletonSequence, correct: Sequence[SkeletonSequence]) -> list[dict[str, Any]]:
    """Joint angles of one repetition against correct ones, aligned in time, the most unusual first.

    Args:
        clip: one repetition by one person (`motionhub.cut`).
        correct: three or more correct repetitions of the same movement, of one person each.

    Returns:
        Per angle and third of the movement `{"angle", "phase", "start_s", "end_s", "value", "usual", "difference",
        "deviation"}`: mean degrees of the clip and of the correct ones, and their difference over the standard
        deviation of the correct ones (of at least 2 degrees); the times are in the clip. Phases are `"there"`,
        `"turn"` and `"back"`.

    Raises:
        ValueError: fewer than three correct repetitions, or no angle that all have.

    Examples:
        >>> squats = [motionhub.generate("squat", seed=seed) for seed in range(5)]
        >>> found = motionhub.deviations(squats[0], squats[1:])
        >>> sorted(found[0])
        ['angle', 'deviation', 'difference', 'end_s', 'phase', 'start_s', 'usual', 'value']
    """
    for sequence in (clip, *correct):
        check_sequence(sequence)
    if len(correct) < FEWEST:
        raise ValueError(f"Expected {FEWEST} correct repetitions or more, got {len(correct)}.")
    layout = correct[0].layout
    motions = [each if each.layout == layout else convert_layout(each, layout) for each in (clip, *correct)]
    takes = [Take(motion.person(0), 0.5) for motion in motions]
    names, _ = shared_angles([take.sequence for take in takes])
    reference = takes[1 + typical([take.degrees(names) for take in takes[1:]])]
    aligned = np.stack([take.onto(reference, names)[0] for take in takes])
    phases, path = phases_of(reference), takes[0].path_to(reference, names)
    rows: list[dict[str, Any]] = []
    for place, phase in enumerate(PHASES):
        inside = path[np.isin(path[:, 0], np.flatnonzero(phases == place)), 1]
        times = {"start_s": float(inside[0] / clip.fps), "end_s": float((inside[-1] + 1) / clip.fps)}
        means = mean_of(aligned[:, phases == place], 1)
        for index, name in enumerate(names):
            usual = means[1:, index][np.isfinite(means[1:, index])]
            if len(usual) < FEWEST or not np.isfinite(means[0, index]):
                continue
            difference = float(means[0, index] - usual.mean())
            deviation = difference / max(float(usual.std(ddof=1)), _LEAST_SPREAD)
            values = {"value": float(means[0, index]), "usual": float(usual.mean()), "difference": difference}
            rows.append({"angle": name, "phase": phase, **times, **values, "deviation": deviation})
    return sorted(rows, key=lambda row: -abs(row["deviation"]))
