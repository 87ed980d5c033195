"""`motionhub cut`: a clip of every labelled interval, of keypoints and of their video."""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.options import with_metadata
from motionhub.cli.recordings import note_other_media
from motionhub.cli.report import counted, note


_COLUMNS = ("file", "source", "label", "track_id", "start_s", "end_s", "frames")
_LONGEST_NAME = 40


@dataclass(frozen=True)
class _Piece:
    """One clip to write."""

    source: str
    target: Path
    row: dict[str, Any]
    start_s: float
    end_s: float


@with_metadata
def cut(
    files: Annotated[list[str], Argument(metavar="FILE", help="A skeleton file, its video, or both")],
    *,
    by: Annotated[Path, Option(metavar="INTERVALS", help="CSV, ELAN, SRT ... with start, end and label")],
    output: Annotated[Path, Option("-o", "--output", help="Folder of the clips; nothing in it is overwritten")],
    labels: Annotated[list[str] | None, Option(metavar="LABEL...", help="Only these labels")] = None,
    margin: Annotated[float, Option(metavar="SECONDS", help="Added before and after")] = 0.0,
    recording: Annotated[str | None, Option(help="Of INTERVALS with several recordings, this one")] = None,
    everyone: Annotated[bool, Option(help="Keep all people, not only the one of the interval")] = False,
    metadata: dict[str, Any],
) -> None:
    """Cut a clip of every labelled interval, exact to the frame, and list them in clips.csv.

    Skeleton files give .npz files, videos .mp4 files without sound. INTERVALS is what motionhub segment and
    motionhub repetitions write, or labels made by hand.
    """
    from motionhub.atomic import write_text
    from motionhub.data.formats.interval_files import read_intervals

    if not 0 <= margin < float("inf"):
        raise ValueError(f"--margin must be seconds of at least 0, got {margin}.")
    rows = [row for row in read_intervals(by, recording=recording) if not labels or row["label"] in labels]
    if not rows:
        raise ValueError(f"{by}: expected intervals{f' labelled {labels}' if labels else ''}, got none.")
    note_other_media(by, files)
    sources = [_Source(file, metadata) for file in files]
    pieces = [piece for source in sources for piece in _pieces(source, rows, output, margin)]
    if not pieces:
        ends = ", ".join(f"{source.name} ends at {source.duration:.2f} s" for source in sources)
        raise ValueError(f"{by}: no interval lies in the recording ({ends}); are these labels of another one?")
    _check_new([*(piece.target for piece in pieces), output / "clips.csv"])
    written = []
    for source in sources:
        for piece in (piece for piece in pieces if piece.source == source.name):
            frames = source.write(piece, everyone=everyone)
            times = {"start_s": f"{piece.start_s:.3f}", "end_s": f"{piece.end_s:.3f}", "frames": frames}
            written.append({"file": piece.target.name, "source": source.name, **piece.row, **times})
            print(f"{piece.target}: frames {frames}, {piece.start_s:.2f}-{piece.end_s:.2f} s, {piece.row['label']}")
    table = io.StringIO()
    writer = csv.DictWriter(table, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(written)
    write_text(output / "clips.csv", table.getvalue())
    print(f"written: {output / 'clips.csv'}, {counted(len(written), 'clips')}")


class _Source:
    """A recording to cut: a skeleton file or a video."""

    def __init__(self, file: str, metadata: dict[str, Any]) -> None:
        from motionhub.cli.recordings import read_clip
        from motionhub.data.video.reader import is_video, open_video

        self.name = file
        self.video: Any = None
        self.motion: Any = None
        if is_video(file):
            self.video = open_video(file, fps=metadata["fps"])
            self.duration = (self.video.num_frames or 0) / self.video.fps
        else:
            self.motion = read_clip(file, metadata)
            self.duration = self.motion.duration
        self.suffix = ".npz" if self.video is None else ".mp4"

    def write(self, piece: _Piece, *, everyone: bool) -> int:
        """Writes a clip; returns its number of frames."""
        if self.video is not None:
            from motionhub.data.video.cut import cut_video

            return cut_video(self.video, piece.start_s, piece.end_s, piece.target)
        from motionhub.data.formats.formats import write
        from motionhub.skeletons.convert import cut as cut_motion

        part, track_id = cut_motion(self.motion, piece.start_s, piece.end_s), piece.row["track_id"]
        people = part.track_ids or ()
        if track_id in people and not everyone:
            part = part.person(people.index(track_id))
        piece.target.parent.mkdir(parents=True, exist_ok=True)
        write(part, piece.target)
        return int(part.num_frames)


def _pieces(source: _Source, rows: list[dict[str, Any]], folder: Path, margin: float) -> Iterator[_Piece]:
    """The clips of a recording; intervals outside it and points in time without a margin are left out, with a note."""
    stem = _safe(Path(source.name).stem)
    for number, row in enumerate(rows, start=1):
        start, end = max(row["start_s"] - margin, 0.0), min(row["end_s"] + margin, source.duration)
        if end <= start:
            why = "is a point in time; pass --margin" if row["end_s"] == row["start_s"] else "is outside"
            note(f"left out: {source.name}, {row['start_s']:.2f}-{row['end_s']:.2f} s {row['label']!r} {why}.")
            continue
        person = "" if row["track_id"] is None else f"_person_{row['track_id']}"
        target = folder / f"{stem}_{number:03d}_{_safe(row['label'])}{person}{source.suffix}"
        yield _Piece(source.name, target, row, start, end)


def _safe(text: str) -> str:
    """Letters and digits of any script, others as `_`: valid on every system, and inside its folder."""
    words = re.sub(r"[^\w]+", "_", unicodedata.normalize("NFC", text)).strip("_")
    return words[:_LONGEST_NAME].strip("_") or "clip"


def _check_new(paths: list[Path]) -> None:
    """Raises ValueError if a file exists or two clips have one name, before anything is written."""
    present = [path for path in paths if path.exists()]
    if present:
        raise ValueError(f"{present[0]} exists and is not overwritten; pass another folder: -o, --output.")
    twice = [path for path, count in Counter(paths).items() if count > 1]
    if twice:
        raise ValueError(f"Two recordings would be written as {twice[0].name}; cut them into two folders.")
