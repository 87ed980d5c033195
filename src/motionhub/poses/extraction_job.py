"""Many videos to files of keypoints, one each: in this process, in several, or on many machines; resumable."""

import json
import os
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motionhub.atomic import check_writable, write_bytes, write_text
from motionhub.bounded import read_json
from motionhub.data.build.engines import run_parts
from motionhub.data.formats.arrays import encode
from motionhub.poses.estimators import Estimator
from motionhub.poses.extraction import Extraction, extract_clip
from motionhub.skeletons.sequence import SkeletonSequence


# Both must be picklable: functions of a module, or `functools.partial` of one.
Change = Callable[[SkeletonSequence], SkeletonSequence]
Also = Callable[[str, Extraction, Path], object]
_REPORT = ".report"  # readers of keypoints skip *.report.json


@dataclass(frozen=True)
class _Work:
    """One video, as an engine calls it."""

    folder: Path
    estimator: str | Estimator
    options: Mapping[str, Any]
    world: bool
    change: Change | None
    also: Also | None

    def __call__(self, name: str, sources: Sequence[str]) -> None:
        [source] = sources
        stem = name.removesuffix(_REPORT)
        try:
            extraction = changed(extract_clip(source, self.estimator, **self.options), self.change)
            if self.also is not None:
                self.also(source, extraction, self.folder / stem)
        except (ImportError, OSError):  # of the machine, not of the video
            raise
        except Exception as error:  # one broken video does not stop the others
            self._write_report(name, {"video": source, **_described(error)})
            return
        if self.world and extraction.tracks.world is not None:
            write_clip(extraction.tracks.world, self.folder / f"{stem}.world.npz")
        self._write_report(name, extraction.report)
        write_clip(extraction.clip, self.folder / f"{stem}.npz")  # last: it marks the video as done

    def _write_report(self, name: str, report: dict[str, Any]) -> None:
        write_text(self.folder / f"{name}.json", json.dumps(report, indent=2) + "\n")


def extract_files(
    videos: Sequence[str | os.PathLike[str]] | Mapping[str, str | os.PathLike[str]],
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
    """Keypoints of each video as `folder/NAME.npz`, and a report as `folder/NAME.report.json`; resumes.

    Videos with a `.npz` are skipped. Files are written atomically. A broken video has a report with an `error`, and is
    retried in the next run.

    Args:
        videos: files, or folders of images, whose stems are the names; or name -> file.
        folder: of the output, created if needed.
        estimator, options: see `extraction.extract_clip`. A custom estimator is pickled for every process.
        world: also `NAME.world.npz` in metres, of estimators that lift.
        change: applied to the keypoints before they are written, such as a refinement.
        also: called with (video, extraction, path without suffix) before the keypoints are written.
        num_proc, engine: see `data/build/engines.py`; "ray" works on many machines that share the folder.
        progress: a bar; None shows it on a terminal only.

    Returns:
        the reports, in the order of `videos`; those of skipped videos have `"kept": True`.

    Raises:
        WriteError: nothing can be written into the folder; found before anything is computed.
        ValueError: no video, or two of the same name.
        ImportError: an optional package is not installed.
    """
    named = _named(videos)
    target = Path(folder)
    check_writable(target / "x.npz")
    target.mkdir(parents=True, exist_ok=True)
    done = {name for name in named if (target / f"{name}.npz").exists()}
    parts = {f"{name}{_REPORT}": [source] for name, source in named.items() if name not in done}
    for part in parts:  # errors of an earlier run
        (target / f"{part}.json").unlink(missing_ok=True)
    # One bar: of frames in this process, or of videos over several.
    alone = engine == "datasets" and (num_proc is None or num_proc < 2 or len(parts) < 2)
    work = _Work(target, estimator, {**options, "progress": progress if alone else False}, world, change, also)
    run_parts(parts, work, num_proc=num_proc, engine=engine, progress=False if alone else progress)
    return [_report(target / f"{name}{_REPORT}.json", source, name in done) for name, source in named.items()]


def _described(error: Exception) -> dict[str, str]:
    """The error in words; class and trace too where it is not one of ours, which explain themselves."""
    if isinstance(error, ValueError):
        return {"error": str(error)}
    trace = "".join(traceback.format_exception(error))
    return {"error": f"{type(error).__name__}: {error}", "class": type(error).__name__, "trace": trace}


def changed(extraction: Extraction, change: Change | None) -> Extraction:
    """The extraction with `change` applied to its keypoints, if a person was detected."""
    if change is None or not extraction.clip.num_people:
        return extraction
    return replace(extraction, tracks=replace(extraction.tracks, clip=change(extraction.clip)))


def write_clip(clip: SkeletonSequence, path: Path) -> None:
    """Writes an .npz atomically."""
    write_bytes(path, encode(clip))


def _named(videos: Sequence[str | os.PathLike[str]] | Mapping[str, str | os.PathLike[str]]) -> dict[str, str]:
    """Name of the output -> video."""
    if not videos:
        raise ValueError("No video was given; pass at least one file.")
    if isinstance(videos, Mapping):
        return {name: os.fspath(video) for name, video in videos.items()}
    named: dict[str, str] = {}
    for item in videos:
        video, stem = os.fspath(item), Path(item).stem
        if stem in named:
            raise ValueError(f"{named[stem]} and {video} would both become {stem}.npz; use a folder for each.")
        named[stem] = video
    return named


def _report(path: Path, source: str, kept: bool) -> dict[str, Any]:
    """The saved report; minimal if the keypoints have none."""
    report = read_json(path) if path.is_file() else {"video": source}
    return {**report, "kept": True} if kept else report
