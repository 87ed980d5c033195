"""`motionhub compare`: how a movement differs between two recordings."""

import csv
import io
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.options import READABLE, Json, with_metadata
from motionhub.cli.recordings import check_suffix, read_clip
from motionhub.cli.report import note, save_json


_SHOWN = 8  # lines of angles


@with_metadata
def compare(
    first: Annotated[str, Argument(help=READABLE)],
    second: Annotated[str, Argument(help="The recording that is compared with it")],
    *,
    output: Annotated[Path | None, Option("-o", "--output", help="Also write all differences of angles: .csv")] = None,
    picture: Annotated[Path | None, Option(help="Also draw a PNG: poses of both and the angles")] = None,
    gif: Annotated[Path | None, Option(help="Also draw a GIF: both movements side by side, aligned in time")] = None,
    json: Json = None,
    person: Annotated[tuple[int, int] | None, Option(metavar="A B", help="Positions of the person, from 0")] = None,
    metadata: dict[str, Any],
) -> None:
    """Compare a movement in two recordings: differences of joint angles per phase, with their spread."""
    from motionhub.atomic import write_text
    from motionhub.kinematics.compare import compare as compared

    for path, option, suffix in ((output, "--output", ".csv"), (picture, "--picture", ".png"), (gif, "--gif", ".gif")):
        check_suffix(path, option, suffix)
    found = compared(*(read_clip(file, metadata) for file in (first, second)), person=person or (0, 0))
    rows = found.rows()
    print("\n".join(_lines(found, rows)))
    for text in found.notes:
        note(text)
    if output is not None:
        table = io.StringIO()
        names = [*rows[0]]
        units = [name if name in ("angle", "phase", "clear") else f"{name} (deg)" for name in names]
        csv.writer(table, lineterminator="\n").writerows([units, *([row[name] for name in names] for row in rows)])
        write_text(output, table.getvalue())
        print(f"written: {output}")
    if json is not None:
        facts = {"repetitions": found.counts, "durations_s": found.durations, "overall": found.overall()}
        save_json({**facts, "angles": rows, "joints": found.joint_rows(), "notes": list(found.notes)}, json)
    titles = (Path(first).name, Path(second).name)
    if picture is not None:
        from motionhub.visualization.measurements import plot_comparison

        print(f"drawn: {plot_comparison(found, picture, names=titles)}")
    if gif is not None:
        from motionhub.visualization.animate import animate_side_by_side

        print(f"drawn: {animate_side_by_side(found.pair, gif, titles=titles)}")


def _lines(found: Any, rows: list[dict[str, Any]]) -> list[str]:
    total = found.overall()
    spread = "" if total["low"] is None else f" (95 % {total['low']:.1f} to {total['high']:.1f})"
    within = (
        ""
        if total["within"] is None
        else f"; repetitions of the first differ from their mean by {total['within']:.1f}"
    )
    lines = [
        f"repetitions: {found.counts[0]} and {found.counts[1]}, of {found.durations[0]:.2f} s and "
        f"{found.durations[1]:.2f} s",
        f"joint angles differ by {total['degrees']:.1f} degrees{spread}{within}",
        f"joints are {total['body_lengths']:.3f} body lengths apart" if total["body_lengths"] is not None else "",
        "",
        "angle, phase (degrees)                     first  second  difference   95 %",
    ]
    known = [row for row in rows if row["difference"] is not None]
    for row in sorted(known, key=lambda row: -abs(row["difference"]))[:_SHOWN]:
        interval = "" if row["low"] is None else f"   {row['low']:+.1f} to {row['high']:+.1f}"
        name = f"{row['angle']}, {row['phase']}"
        lines.append(f"  {name:<38} {row['first']:7.1f} {row['second']:7.1f} {row['difference']:+11.1f}{interval}")
    lines.append(f"farthest joints: {', '.join(row['joint'] for row in found.joint_rows()[:3])}")
    return lines
