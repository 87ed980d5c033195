"""One finding of a check, with the call that repairs it; spans of frames and people in words."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motionhub.skeletons.sequence import SkeletonSequence


@dataclass(frozen=True)
class Finding:
    """One likely problem.

    Args:
        kind: such as `"swapped-sides"`; the same for every clip.
        severity: `"problem"` (results will be wrong) or `"note"` (often intended).
        seen: the observation, with numbers.
        function: of `motionhub.skeletons.repair`, or `SkeletonSequence.replace`, that repairs it; or None.
        arguments: its arguments after the sequence.
        advice: what to do with an array before it becomes a sequence, or where no function helps.
    """

    kind: str
    severity: str
    seen: str
    function: Callable[..., SkeletonSequence] | None = field(default=None, repr=False)
    arguments: dict[str, Any] = field(default_factory=dict)
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.seen}; {self.advice or self.fix}"

    @property
    def fix(self) -> str:
        """A line of Python, after `from motionhub.skeletons import repair`; or the advice."""
        if self.function is None:
            return self.advice
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments.items())
        if self.function is SkeletonSequence.replace:
            return f"sequence = sequence.replace({arguments})"
        return f"sequence = repair.{self.function.__name__}(sequence{arguments and ', '}{arguments})"

    def apply(self, sequence: SkeletonSequence) -> SkeletonSequence:
        """The repaired sequence; the sequence itself where no function helps."""
        return sequence if self.function is None else self.function(sequence, **self.arguments)


Check = Callable[[SkeletonSequence], Iterator[Finding]]


def runs(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """Spans (first, end) in which `flags` `(frames,)` is True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    yield from ((int(first), int(end)) for first, end in edges.reshape(-1, 2))


def spans_text(spans: Iterable[tuple[int, int]]) -> str:
    """Such as "frames 3, 10-15": at most six of them."""
    named = [f"{first}" if end == first + 1 else f"{first}-{end - 1}" for first, end in spans]
    return "frames " + ", ".join(named[:6]) + (f" and {len(named) - 6} more" if len(named) > 6 else "")


def count_frames(spans: Iterable[tuple[int, int]]) -> int:
    """Of spans (first, end)."""
    return sum(end - first for first, end in spans)


def name_of(sequence: SkeletonSequence, person: int) -> str:
    """Such as "person 1", or "the person" where there is one."""
    return "the person" if sequence.num_people == 1 else f"person {person}"
