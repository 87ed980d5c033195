"""Two recordings of one movement, and one movement against correct repetitions: tables and pictures for the page."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from motionhub.app.drawing import data_url
from motionhub.app.markup import Moment
from motionhub.app.models import Models
from motionhub.app.recordings import Recording, Refused, by_shown_name
from motionhub.atomic import write_text
from motionhub.kinematics.compare import Comparison, compare
from motionhub.kinematics.deviations import FEWEST, deviations


_SHOWN = 12


def compared(first: Recording, second: Recording) -> Comparison:
    """How the movement of the second differs. Raises Refused where the two cannot be compared."""
    with by_shown_name(Path(second.name), second.name):
        return compare(first.sequence, second.sequence)


def comparison_lines(found: Comparison) -> list[str]:
    """What differs, in sentences."""
    total = found.overall()
    spread = "" if total["low"] is None else f" (95 % {total['low']:.1f} to {total['high']:.1f})"
    lines = [
        f"Repetitions: {found.counts[0]} and {found.counts[1]}, of {found.durations[0]:.2f} s and "
        f"{found.durations[1]:.2f} s.",
        f"Joint angles differ by {total['degrees']:.1f} degrees{spread}.",
    ]
    if total["within"] is not None:
        lines.append(f"Repetitions of the first differ from their own mean by {total['within']:.1f} degrees.")
    if total["body_lengths"] is not None:
        lines.append(f"Joints are {total['body_lengths']:.3f} body lengths apart on average.")
    return lines


def comparison_rows(found: Comparison) -> list[tuple[Any, ...]]:
    """The angles that differ most: name, phase, degrees in both, difference, its 95 % interval."""
    known = [row for row in found.rows() if row["difference"] is not None]
    rows: list[tuple[Any, ...]] = []
    for row in sorted(known, key=lambda row: -abs(row["difference"]))[:_SHOWN]:
        interval = "" if row["low"] is None else f"{row['low']:+.1f} to {row['high']:+.1f}"
        numbers = (f"{row['first']:.1f}", f"{row['second']:.1f}", f"{row['difference']:+.1f}", interval)
        rows.append((row["angle"].replace("_", " "), row["phase"], *numbers))
    return rows


def write_comparison(found: Comparison, path: Path) -> Path:
    """All differences as CSV."""
    rows = found.rows()
    text = io.StringIO()
    writer = csv.DictWriter(text, [*rows[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
    return path


def comparison_pictures(found: Comparison, names: tuple[str, str], folder: Path) -> list[tuple[str, str]]:
    """Addresses of images with their descriptions: both movements moving, and the angles that differ most."""
    from motionhub.visualization.animate import animate_side_by_side
    from motionhub.visualization.measurements import plot_comparison

    moving = data_url(animate_side_by_side(found.pair, folder / "both.gif", titles=names))
    angles = data_url(plot_comparison(found, folder / "angles.png", names=names))
    both = f"{names[0]} and {names[1]}"
    return [(moving, f"{both} side by side, aligned in time"), (angles, f"joint angles of {both} that differ most")]


def quality_rows(models: Models, recording: Recording) -> tuple[list[tuple[Any, ...]], list[str]]:
    """`(person, score, interval, visible)` of every person, and what must be known of these scores."""
    pipe = models.quality
    with by_shown_name(Path(recording.name), recording.name):
        found = pipe(recording.for_dims(int(pipe.feature_extractor.num_dims)))
    rows: list[tuple[Any, ...]] = []
    notes: list[str] = []
    for each in found:
        doubtful = each["doubt"] is not None
        limits = each["interval"]
        interval = each["interval_note"] if limits is None else f"{limits[0]:.2f} to {limits[1]:.2f}"
        rows.append(
            (
                f"Person {each['track_id']}",
                "no score" if doubtful else f"{each['score']:.2f}",
                "" if doubtful else interval,
                f"{each['coverage']:.0%}",
            )
        )
        if doubtful:
            notes.append(f"Person {each['track_id']}: {each['doubt']}; a score would mean nothing.")
    return rows, notes


def deviation_rows(recording: Recording, correct: Sequence[Recording]) -> list[tuple[Any, ...]]:
    """The angles of one repetition that are most unusual among correct ones.

    Raises:
        Refused: fewer than three correct repetitions, or nothing that all show.
    """
    if len(correct) < FEWEST:
        raise Refused(f"Expected {FEWEST} correct repetitions or more to compare with, got {len(correct)}.")
    with by_shown_name(Path(recording.name), recording.name):
        found = deviations(recording.sequence, [each.sequence for each in correct])
    return [
        (
            row["angle"].replace("_", " "),
            Moment(row["start_s"]),
            f"{row['value']:.0f}",
            f"{row['usual']:.0f}",
            f"{row['difference']:+.0f}",
            f"{row['deviation']:+.1f}",
        )
        for row in found[:_SHOWN]
    ]
