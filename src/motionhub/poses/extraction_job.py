"""Many videos to files of keypoints: one file each, in this process, in several, or over many machines; resumable.

It does not know how a video becomes keypoints (`extraction.py`) nor who runs the parts (`data/build/engines.py`).
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motionhub.data.build.engines import run_parts
from motionhub.data.build.progress import FolderProgress
from motionhub.data.formats.formats import write
from motionhub.poses.estimators import Estimator
from motionhub.poses.extraction import Extraction, extract_clip
from motionhub.skeletons.sequence import SkeletonSequence


# Made of the keypoints before they are written; and what else is made of a video: (video, extraction, path without
# suffix). Both go to other processes, so they are functions of a module, or `functools.partial` of one.
Change = Callable[[SkeletonSequence], SkeletonSequence]
Also = Callable[[str, Extraction, Path], object]


@dataclass(frozen=True)
class _Work:
    """One video, as an engine calls it."""

    folder: Path
    estimator: str | Estimator
    options: Mapping[str, Any]
    world: bool
    change: Change | None
    also: Also | None
    one_process: bool

    def __call__(self, name: str, sources: Sequence[str]) -> None:
        stem = name.removesuffix(_REPORT)
        options = dict(self.options)
        if not self.one_process:
            options["progress"] = False  # bars of several processes overwrite each other
        for source in sources:
            try:
                self._extract(source, stem, options)
            except ValueError as error:  # of many videos one may be broken: the others are not lost
                _write_report(self.folder / f"{stem}{_REPORT}.json", {"video": source, "error": str(error)})

    def _extract(self, source: str, stem: str, options: dict[str, Any]) -> None:
        extraction = changed(extract_clip(source, self.estimator, **options), self.change)
        if self.also is not None:
            self.also(source, extraction, self.folder / stem)
        if self.world and extraction.tracks.world is not None:
            write_whole(extraction.tracks.world, self.folder / f"{stem}.world.npz")
        _write_report(self.folder / f"{stem}{_REPORT}.json", extraction.report)
        write_whole(extraction.clip, self.folder / f"{stem}.npz")  # last: a video that has this file is done


# Not ".json": readers of keypoints take these for such.
_REPORT = ".report"


def extract_files(
    videos: Sequence[str | os.PathLike[str]],
    folder: str | os.PathLike[str],
    estimator: str | Estimator = "auto",
    *,
    world: bool = False,
    change: Change | None = None,
    also: Also | None = None,
    num_proc: int | None = None,
    engine: str = "datasets",
    progress: bool | None = None,
    **options: Any,
) -> list[dict[str, Any]]:
    """Keypoints of each video as `folder/NAME.npz`, and what was found as `folder/NAME.report.json`.

    A video whose `.npz` is there is not looked at again, so that a run that was stopped goes on where it was. A file
    appears whole or not at all. A broken video has a report with an `error`, and is tried again the next time.

    Args:
        videos: files, or folders of pictures; of different names (their suffixes do not count).
        folder: made if needed. Nothing is written anywhere else, and no frame of a video.
        estimator, options: see `extraction.extract_clip`. An estimator of your own is sent to every process.
        world: also `NAME.world.npz` in metres, of estimators that lift.
        change: made of the keypoints before they are written, such as a refinement.
        also: called with (video, extraction, path without suffix) before the keypoints are written.
        num_proc, engine: see `data/build/engines.py`; "ray" works on many machines that share the folder.
        progress: a bar; None shows it on a terminal only.

    Returns:
        the reports, in the order of `videos`; `"kept": True` in those of videos that were done before.

    Raises:
        ValueError: no video, or two of the same name.
        ImportError: an optional package is not installed.
    """
    named = _named(videos)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    done = {stem for stem in named if (target / f"{stem}.npz").exists()}
    parts = {f"{stem}{_REPORT}": [source] for stem, source in named.items() if stem not in done}
    for part in parts:  # of an earlier run that failed
        (target / f"{part}.json").unlink(missing_ok=True)
    one_process = engine == "datasets" and (num_proc is None or num_proc < 2 or len(parts) < 2)
    work = _Work(target, estimator, {**options, "progress": progress}, world, change, also, one_process)
    # One bar: of the frames here, or of the videos where several processes work.
    with FolderProgress(target, parts, False if one_process else progress):
        run_parts(parts, work, num_proc=num_proc, engine=engine)
    return [_report(target / f"{stem}{_REPORT}.json", source, stem in done) for stem, source in named.items()]


def changed(extraction: Extraction, change: Change | None) -> Extraction:
    """With `change` made of its keypoints, if there is anybody."""
    if change is None or not extraction.clip.num_people:
        return extraction
    return replace(extraction, tracks=replace(extraction.tracks, clip=change(extraction.clip)))


def _named(videos: Sequence[str | os.PathLike[str]]) -> dict[str, str]:
    """Name of the output -> video."""
    if not videos:
        raise ValueError("There is no video to look at: give at least one file.")
    named: dict[str, str] = {}
    for item in videos:
        video = os.fspath(item)
        stem = Path(video).stem
        if stem in named:
            raise ValueError(f"{named[stem]} and {video} would both become {stem}.npz; use a folder for each.")
        named[stem] = video
    return named


def _report(path: Path, source: str, kept: bool) -> dict[str, Any]:
    """Of a video whose keypoints came from elsewhere nothing is known."""
    report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"video": source}
    return {**report, "kept": True} if kept else report


def _write_report(path: Path, report: dict[str, Any]) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def write_whole(clip: SkeletonSequence, path: Path) -> None:
    """Under another name first: a process that is killed leaves no half a file under this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    write(clip, partial, "npz")
    os.replace(partial, path)
