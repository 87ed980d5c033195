"""Compares the counts of a build (clips, classes, performers) with those that papers state."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from motionhub.data.datasets.dataset import PaperCounts
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.protocols import Split
from motionhub.skeletons.rows import classes_of


Expect = Literal["paper", "subset"]
EXPECTATIONS = ("paper", "subset")
# Frames between the actions; papers do not count it as a class.
BACKGROUND = "background"


def check_counts(
    dataset: str,
    rows: Iterable[Mapping[str, Any]],
    assigned: Mapping[str, Sequence[Split]],
    *,
    expect: Expect = "paper",
    classes: Iterable[int] | None = None,
) -> list[str]:
    """The differences between a build and the counts that papers state, one line each.

    Args:
        dataset: its name; without stated counts there is no difference.
        rows: of the whole dataset, at least with `label` and `subject`.
        assigned: protocol -> one split per row; protocols without stated counts are skipped.
        expect: "paper": any difference is a ValueError. "subset": only more than stated is.
        classes: those that occur, where labels change within clips; None: those of the rows.
    """
    if expect not in EXPECTATIONS:
        raise ValueError(f"expect must be one of {EXPECTATIONS}, got {expect!r}.")
    editions = DATASETS[dataset].counts
    if not editions:
        return []
    found = _count(dataset, rows, classes)
    edition = _edition(editions, found)
    compared = [(what, number, getattr(edition, what)) for what, number in found.items()]
    for protocol, stated in edition.splits.items():
        splits = assigned.get(protocol)
        if splits is not None:
            compared += [
                (f"{protocol} {name} clips", sum(split == name for split in splits), number)
                for name, number in zip(("train", "test"), stated, strict=True)
            ]
    lines, more = [], []
    for what, got, stated in compared:
        if stated is None and got == 0:
            lines.append(f"{what}: got none (the count is not stated)")
        elif None not in (got, stated) and got != stated:
            lines.append(f"{what}: got {got:,}, {stated:,} stated")
            more += lines[-1:] if got > stated else []
    refused = lines if expect == "paper" else more
    if refused:
        fix = "Check for duplicate clips"
        if not more:
            fix = 'Complete the data, or accept a part of it: expect="subset" (--expect subset in a shell)'
        source = f"{edition.edition} ({edition.source})"
        raise ValueError(f"{dataset}: the counts differ from {source}: {'; '.join(refused)}. {fix}.")
    return lines


def _count(dataset: str, rows: Iterable[Mapping[str, Any]], classes: Iterable[int] | None) -> dict[str, int | None]:
    """Clips, classes and subjects; None where unknown."""
    clips, subjects, labels = 0, set(), set(() if classes is None else classes)
    for row in rows:
        clips += 1
        subjects.add(int(row["subject"]))
        if classes is None:
            labels |= classes_of(row)
    names = DATASETS[dataset].class_names
    labels = {label for label in labels if label >= 0 and (label >= len(names) or names[label] != BACKGROUND)}
    subjects.discard(-1)
    return {"clips": clips, "classes": len(labels) or None, "subjects": len(subjects) or None}


def _edition(editions: Sequence[PaperCounts], found: Mapping[str, int | None]) -> PaperCounts:
    """The smallest edition with all classes, nearest in clips."""
    classes, clips = found["classes"] or 0, found["clips"] or 0
    possible = [edition for edition in editions if (edition.classes or classes) >= classes] or editions
    return min(possible, key=lambda edition: (edition.classes or 0, abs((edition.clips or clips) - clips)))
