"""What the input doctor says: a finding with its severity, what was seen and the call that undoes it.

It does not look for anything; the checks are in `symptoms.py` and `motion_symptoms.py`.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence


@dataclass(frozen=True)
class Finding:
    """One thing that is probably wrong.

    Args:
        kind: such as `"swapped-sides"`; the same for every clip.
        severity: `"problem"` (results will be wrong) or `"note"` (worth a look; often meant).
        seen: what was seen, with numbers.
        function: the function of `motionhub.skeletons.repair` that undoes it, or None when no call can.
        arguments: what it is called with, after the sequence.
        advice: what to do where no call helps.
    """

    kind: str
    severity: str
    seen: str
    function: Callable[..., SkeletonSequence] | None = field(default=None, repr=False)
    arguments: dict[str, Any] = field(default_factory=dict)
    advice: str = ""

    @property
    def fix(self) -> str:
        """A line of Python, after `from motionhub.skeletons import repair`; or the advice."""
        if self.function is None:
            return self.advice
        words = ", ".join(["sequence", *(f"{name}={value!r}" for name, value in self.arguments.items())])
        return f"sequence = repair.{self.function.__name__}({words})"

    def apply(self, sequence: SkeletonSequence) -> SkeletonSequence:
        """The sequence with the fix; as it is where no call helps."""
        return sequence if self.function is None else self.function(sequence, **self.arguments)


def body_size(sequence: SkeletonSequence) -> float:
    """Median diagonal of the box around a person's joints, about 1.9 m for an adult standing; 0 when nothing is seen.

    The measure of every other length in these checks.
    """
    seen = sequence.joint_mask[..., None]
    low = np.where(seen, sequence.keypoints, np.inf).min(axis=2, initial=np.inf)
    high = np.where(seen, sequence.keypoints, -np.inf).max(axis=2, initial=-np.inf)
    several = sequence.joint_mask.sum(axis=2) > 1
    return float(np.median(np.linalg.norm((high - low)[several], axis=-1))) if several.any() else 0.0


def runs(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """Spans (first, end) in which `flags` `(frames,)` is True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    yield from ((int(first), int(end)) for first, end in edges.reshape(-1, 2))


def spans_text(spans: Iterable[tuple[int, int]]) -> str:
    """ "frames 3, 10-15": at most six of them."""
    words = [f"{first}" if end == first + 1 else f"{first}-{end - 1}" for first, end in spans]
    return "frames " + ", ".join(words[:6]) + (f" and {len(words) - 6} more" if len(words) > 6 else "")


def person_text(sequence: SkeletonSequence, person: int) -> str:
    return "the person" if sequence.num_people == 1 else f"person {person}"
