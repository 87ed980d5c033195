"""`motionhub repetitions`: counts repetitions, with start, turn and end of each."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.options import with_metadata
from motionhub.cli.recordings import Number, check_suffix, read_clip


@with_metadata
def repetitions(
    file: Annotated[str, Argument(help="Any readable file, folder of OpenPose files, or a video")],
    *,
    output: Annotated[Path | None, Option("-o", "--output", help="Also write .csv, .json, .srt or .eaf")] = None,
    picture: Annotated[Path | None, Option(help="Also draw a PNG: strokes and the matrix of similar poses")] = None,
    clip_number: Number = None,
    metadata: dict[str, Any],
) -> None:
    """Count the repetitions of an exercise, or the strides of a walk, in a skeleton file or video."""
    from motionhub.intervals.table import write_intervals
    from motionhub.kinematics.repetitions import repetitions as counted

    check_suffix(output, "--output", ".csv", ".json", ".srt", ".eaf")
    check_suffix(picture, "--picture", ".png")
    found = counted(read_clip(file, metadata, number=clip_number))
    print("\n".join(line for person in found for line in _lines(person)) or "no person")
    if output is not None:
        print(f"written: {write_intervals([row for person in found for row in person.intervals()], output)}")
    drawn = max((person for person in found if len(person.times)), key=lambda person: person.count, default=None)
    if picture is not None and drawn is not None:
        from motionhub.visualization.measurements import plot_repetitions

        print(f"drawn: {plot_repetitions(drawn, picture, title=f'{Path(file).name}, person {drawn.track_id}')}")


def _lines(found: Any) -> list[str]:
    if not found.count:
        return [f"person {found.track_id}: 0 repetitions: {found.reason}"]
    plural = f"{found.kind}s ({2 * found.count} steps)" if found.kind == "stride" else f"{found.kind}s"
    lines = [f"person {found.track_id}: {found.count} {plural}, one every {found.period_s:.2f} s"]
    for number, row in enumerate(found.rows, start=1):
        lines.append(f"  {number:3d}  {row['start_s']:7.2f}s  turn {row['turn_s']:7.2f}s  end {row['end_s']:7.2f}s")
    return lines
