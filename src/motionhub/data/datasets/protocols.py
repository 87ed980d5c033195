"""Evaluation protocols: which clips train and which test, as a function of labels, performers, cameras and setups."""

import hashlib
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


Row = Mapping[str, Any]
Split = str | None  # "train", "test", or None: not part of the protocol
Assign = Callable[[Sequence[Row]], list[Split]]
ODD, EVEN = range(1, 2**31, 2), range(0, 2**31, 2)


@dataclass(frozen=True)
class Protocol:
    """A way to divide a dataset.

    Args:
        name: as in `load_dataset(path, name)`.
        source: one sentence: what trains, what tests, and who defined it.
        assign: rows -> one split per row. Looks only at `label`, `subject`, `camera`, `setup`, `clip_id`.
        num_classes: how many of the first classes take part, or None for all.
        class_names: which classes take part, in the protocol's own numbering (`relabel`), or None for the dataset's.
    """

    name: str
    source: str
    assign: Assign
    num_classes: int | None = None
    class_names: tuple[str, ...] | None = None


def by_value(
    column: str, train: Container[int] | None, test: Container[int] | None, num_classes: int | None = None
) -> Assign:
    """An `assign` that looks at one column of each row by itself; unknown (-1) belongs to no split.

    Args:
        train, test: values; None: all others.
        num_classes: how many of the first classes take part.
    """

    def split(row: Row) -> Split:
        value = int(row[column])
        if value < 0 or (num_classes is not None and not 0 <= int(row["label"]) < num_classes):
            return None
        for name, values, others in (("train", train, test), ("test", test, train)):
            if value in values if values is not None else others is None or value not in others:
                return name
        return None

    return lambda rows: [split(row) for row in rows]


def by_setup(name: str, source: str, train: Container[int] = (1,), test: Container[int] = (0,)) -> Protocol:
    """The authors' own division, which `setup` holds: 1 trains, 0 tests."""
    return Protocol(name, source, by_value("setup", train, test))


def odd_subjects(where: str = "", who: str = "the authors define no split") -> Protocol:
    """Cross-subject, where the authors do not divide the performers."""
    source = f"Train on the odd subjects, test on the even ones{where} (motionhub; {who})."
    return Protocol("cross-subject", source.replace("(motionhub; )", "(motionhub)"), by_value("subject", ODD, EVEN))


def leave_one_out(column: str, values: Mapping[int, str], what: str) -> tuple[Protocol, ...]:
    """Protocols that test one value of a column each, and train on all others.

    Args:
        values: value -> how it is called.
        what: the column in words, such as "subject".
    """
    source = f"Test on {what} {{}}, train on all others (motionhub; the authors define no split)."
    return tuple(
        Protocol(f"leave-out-{what.split()[-1]}-{name}", source.format(name), by_value(column, None, {value}))
        for value, name in values.items()
    )


def random_80_20(seed: int) -> Protocol:
    """A fifth of the clips, chosen by the seed alone, tests: clips in the order of SHA-256("seed:clip_id")."""

    def assign(rows: Sequence[Row]) -> list[Split]:
        order = [hashlib.sha256(f"{seed}:{row['clip_id']}".encode()).digest() for row in rows]
        test = set(sorted(range(len(rows)), key=order.__getitem__)[: round(len(rows) / 5)])
        return ["test" if index in test else "train" for index in range(len(rows))]

    name = "random-80-20" if seed == 0 else f"random-80-20-seed-{seed}"
    return Protocol(name, f"80 % of the clips train, 20 % test, drawn by clip with seed {seed} (motionhub).", assign)
