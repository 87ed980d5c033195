"""`motionhub view`: a recording for the viewer rerun."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from motionhub.cli.options import with_metadata
from motionhub.cli.recordings import Number, Up, check_suffix, note_other_media, read_clip
from motionhub.cli.report import note, save_json


_FILE = "A skeleton file or a video; or two files of one motion, its 2-D and its 3-D keypoints"


@with_metadata
def view(
    files: Annotated[list[str], Argument(metavar="FILE", help=_FILE)],
    *,
    output: Annotated[Path | None, Option("-o", "--output", help="By default FILE.rrd, in this folder")] = None,
    video: Annotated[Path | None, Option(help="Shown under the 2-D keypoints; becomes part of the recording")] = None,
    intervals: Annotated[Path | None, Option(help="Labels: CSV, ELAN, SRT ... with start, end and label")] = None,
    notebook: Annotated[bool, Option("--notebook", help="Also a Jupyter notebook beside it that shows it")] = False,
    recording: Annotated[str | None, Option(help="Of INTERVALS with several recordings, this one")] = None,
    clip_number: Number = None,
    up: Up = None,
    metadata: dict[str, Any],
) -> None:
    """People, their video, intervals, joint angles and scores on one time line, for the viewer rerun.

    Open the recording with the command rerun FILE.rrd, or at https://rerun.io/viewer, which reads it in the browser.
    """
    from motionhub.data.formats.interval_files import read_intervals
    from motionhub.data.video.reader import is_video
    from motionhub.visualization.rerun_file import write_rerun

    path = Path(f"{Path(files[0]).stem}.rrd") if output is None else output
    check_suffix(path, "--output", ".rrd")
    for made in (path, *([path.with_suffix(".ipynb")] if notebook else [])):
        if made.exists():
            raise ValueError(f"{made} exists and is not overwritten; pass another file: -o, --output.")
    rows = None if intervals is None else read_intervals(intervals, recording=recording)
    if intervals is not None:
        note_other_media(intervals, [*files, *([str(video)] if video else [])])
    clips = [read_clip(file, metadata, number=clip_number, up=up) for file in files]
    if video is None and len(files) == 1 and is_video(files[0]):
        video = Path(files[0])
    with tempfile.TemporaryDirectory() as folder:
        playable = None if video is None else _playable(video, Path(folder))
        print(f"written: {write_rerun(clips, path, video=playable, intervals=rows)}")
    if notebook:
        save_json(_notebook(path), path.with_suffix(".ipynb"))
        print(f"written: {path.with_suffix('.ipynb')}; its viewer: pip install 'rerun-sdk[notebook]'")
    note(f"rerun {path} opens it; its viewer reports its use until you call: rerun analytics disable")


_CELL = """import rerun
from rerun.notebook import Viewer

recording = rerun.RecordingStream("motionhub")
viewer = Viewer(recording=recording, width=1100, height=700)
recording.log_file_from_path({name!r})
viewer.display()
"""


def _notebook(path: Path) -> dict[str, Any]:
    """A notebook (nbformat 4.5) in the folder of a recording, whose cell shows it."""
    source = _CELL.format(name=path.name).splitlines(keepends=True)
    cell: dict[str, Any] = {
        "cell_type": "code",
        "id": "view",
        "metadata": {},
        "execution_count": None,
        "outputs": [],
        "source": source,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": [cell]}


def _playable(video: Path, folder: Path) -> Path:
    """The video, or an H.264 copy of one that the viewer would not show as it is."""
    from motionhub.data.video.cut import cut_video
    from motionhub.data.video.reader import open_video

    source = open_video(video)
    if video.suffix.lower() == ".mp4" and not source.rotation:
        return video
    made = folder / f"{video.stem}.mp4"
    cut_video(source, 0.0, float("inf"), made)
    return made
