"""Whether a build has as many clips, classes and performers as the papers state."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from motionhub.data.datasets.dataset import PaperCounts
from motionhub.data.datasets.datasets import DATASETS
from motionhub.data.datasets.protocols import Split
from motionhub.skeletons.rows import classes_of


Expect = Literal["paper", "subset"]
EXPECTATIONS = ("paper", "subset")
# Not a class of the papers' counts: the frames between the actions.
BACKGROUND = "background"


def check_counts(
    dataset: str,
    rows: Iterable[Mapping[str, Any]],
    assigned: Mapping[str, Sequence[Split]],
    *,
    expect: Expect = "paper",
    classes: Iterable[int] | None = None,
) -> list[str]:
    """Compares a build with what the papers state, and says every difference.

    Args:
        dataset: its name; one without stated counts is never different.
        rows: of the whole dataset, at least with `label` and `subject`.
        assigned: protocol -> one split per row; protocols without stated counts are passed over.
        expect: "paper": a difference is an error. "subset": fewer than stated is accepted, more is an error still.
        classes: that occur, where the rows themselves do not say (a label that changes within the clip); None: as the
            rows say.

    Returns:
        The differences, one line each; empty where everything is as stated.

    Raises:
        ValueError: there is a difference that `expect` does not accept; the message names all of them and the source.
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
    different = [(what, got, stated) for what, got, stated in compared if _differs(got, stated)]
    lines = [
        f"{what}: none here (how many there are is not stated)"
        if stated is None
        else f"{what}: {got:,} here, {stated:,} stated"
        for what, got, stated in different
    ]
    more = [
        line for line, (_, got, stated) in zip(lines, different, strict=True) if stated is not None and got > stated
    ]
    refused = lines if expect == "paper" else more
    if refused:
        fix = "Check for clips that are there twice"
        if not more:
            fix = 'Complete the data, or accept a part of it: expect="subset" (--expect subset in a shell)'
        of = f"{edition.edition} ({edition.source})"
        raise ValueError(f"{dataset}: the counts are not those of {of}: {'; '.join(refused)}. {fix}.")
    return lines


def _count(dataset: str, rows: Iterable[Mapping[str, Any]], classes: Iterable[int] | None) -> dict[str, int | None]:
    """Clips, classes and subjects; None where the rows do not say."""
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
    """The one that has as many classes and nearly as many clips."""
    classes, clips = found["classes"] or 0, found["clips"] or 0
    possible = [edition for edition in editions if (edition.classes or classes) >= classes] or editions
    fewest = min(edition.classes or 0 for edition in possible)
    possible = [edition for edition in possible if (edition.classes or 0) == fewest]
    return min(possible, key=lambda edition: abs((edition.clips or clips) - clips))


def _differs(got: int | None, stated: int | None) -> bool:
    """A split without a stated number must not be empty; what the rows do not say is not compared."""
    return got is not None and (got != stated if stated is not None else got == 0)
