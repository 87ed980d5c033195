"""`motionhub measure`: joint angles, speeds and ranges of motion."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.options import Json, with_metadata
from motionhub.cli.recordings import Number, Up, check_suffix, read_clip
from motionhub.cli.report import note, save_json


@with_metadata
def measure(
    file: Annotated[str, Argument(help="Any readable file, folder of OpenPose files, or a video")],
    *,
    output: Annotated[Path | None, Option("-o", "--output", help="Also write all values of every frame: .csv")] = None,
    picture: Annotated[Path | None, Option(help="Also draw a PNG: every angle over time")] = None,
    json: Json = None,
    clip_number: Number = None,
    up: Up = None,
    metadata: dict[str, Any],
) -> None:
    """Joint angles, speeds, ranges of motion and symmetry of a skeleton file or video."""
    from motionhub.kinematics.measurements import measure as measured_by

    check_suffix(output, "--output", ".csv")
    check_suffix(picture, "--picture", ".png")
    sequence = read_clip(file, metadata, number=clip_number, up=up)
    measured = measured_by(sequence)
    print("\n".join(_lines(measured)))
    for text in measured.notes:
        note(text + (" Pass --up." if "is up" in text else ""))
    if output is not None:
        print(f"written: {measured.write(output)}")
    if json is not None:
        facts = {"angles": measured.summary(), "speeds": measured.peak_speeds(), "speed_unit": measured.speed_unit}
        save_json({**facts, "notes": list(measured.notes)}, json)
    if picture is not None:
        from motionhub.visualization.measurements import plot_measurements

        print(f"drawn: {plot_measurements(measured, picture, title=Path(file).name)}")


def _lines(measured: Any) -> list[str]:
    """A table per person: angles, then speeds."""
    angles, speeds = measured.summary(), measured.peak_speeds()
    seen = {row["track_id"] for row in angles if row["frames"]}
    seen |= {row["track_id"] for row in speeds if row["mean"] is not None}
    lines = []
    for track_id in measured.track_ids:
        if track_id not in seen:
            lines.append(f"person {track_id}: no valid keypoints")
            continue
        lines.append(f"person {track_id}")
        lines.append("  angle (degrees)                min     max   range   peak deg/s   symmetry")
        for row in (row for row in angles if row["track_id"] == track_id):
            numbers = " ".join(_number(row[name], 7) for name in ("min", "max", "range"))
            symmetry = "" if row["symmetry_index"] is None else f"{round(row['symmetry_index']):+10d}%"
            lines.append(f"  {row['angle']:<25} {numbers} {_number(row['peak_speed'], 12, 0)}{symmetry}".rstrip())
        lines.append(f"  {f'speed ({measured.speed_unit})':<25}    mean    peak")
        for row in (row for row in speeds if row["track_id"] == track_id):
            lines.append(f"  {row['joint']:<25} {_number(row['mean'], 7, 2)} {_number(row['peak'], 7, 2)}")
    return lines or ["no person"]


def _number(value: float | None, width: int, digits: int = 1) -> str:
    return "-".rjust(width) if value is None else f"{value:{width}.{digits}f}"
