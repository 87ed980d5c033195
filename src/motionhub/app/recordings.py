"""From an uploaded file to a `Recording`: what is refused, in sentences for the page; what a reader should know."""

import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.datasets.reading import read
from motionhub.data.formats.format import UnstatedFact
from motionhub.data.video.reader import Video, VideoFrame, is_video, open_video
from motionhub.geometry.boxes import bounds
from motionhub.poses.extraction import extract_clip
from motionhub.skeletons.checks import inspect
from motionhub.skeletons.findings import runs
from motionhub.skeletons.sequence import SkeletonSequence


MEGABYTE = 2**20
# Where the page asks for metadata; sentences name it.
FACTS = "What the file does not say"
_ASK = {
    "fps": "enter the frames per second",
    "layout": "choose the joint layout",
    "unit": "choose the unit of the numbers",
    "image_size": "enter the width and height of the image",
}
_CLOSE = 0.3  # of the smaller box that two people share
_MOST_NOTES = 8

Progress = Callable[[float, str], None]


class Refused(ValueError):
    """An input that gets no answer; the message is a sentence for the visitor, with what to do."""


@dataclass(frozen=True)
class Limits:
    """What one visitor may ask for.

    Args:
        megabytes: of one file.
        video_seconds: of one video; every frame goes through a pose network.
        seconds: of one keypoint recording.
    """

    megabytes: int = 200
    video_seconds: float = 300.0
    seconds: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("megabytes", "video_seconds", "seconds"):
            if not 0 < getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)!r}.")


@dataclass(frozen=True)
class Facts:
    """Metadata that a file lacks, as the visitor states it; None or 0: as the file says.

    Args:
        layout, fps, unit, image_size: as `motionhub.read` takes them.
        number: of a file with several clips, which one, from 0; None: the file has one.
    """

    layout: str | None = None
    fps: float | None = None
    unit: str | None = None
    image_size: tuple[int, int] | None = None
    number: int | None = None

    def options(self) -> dict[str, Any]:
        """Keywords of `motionhub.read`."""
        found = {name: getattr(self, name) or None for name in ("layout", "fps", "unit", "image_size")}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True, eq=False)
class Recording:
    """One clip of a file.

    Args:
        name: as the visitor knows the file.
        sequence: all people; of a video in pixels.
        world: of a video whose pose estimator lifts, the same people in metres.
        video: the file, if it is a video.
        boxes: `(people, frames, 4)` of a video.
        notes: what a reader of the answers should know, in sentences.
    """

    name: str
    sequence: SkeletonSequence
    world: SkeletonSequence | None = None
    video: Path | None = None
    boxes: np.ndarray | None = None
    notes: tuple[str, ...] = field(default=())

    def for_dims(self, num_dims: int) -> SkeletonSequence:
        """The sequence for a model of 2-D or 3-D keypoints."""
        return self.sequence if num_dims == 2 or self.world is None else self.world


def open_recording(
    path: str | Path,
    facts: Facts | None = None,
    limits: Limits | None = None,
    *,
    name: str | None = None,
    progress: Progress | None = None,
) -> Recording:
    """The recording in a keypoint file or video.

    Args:
        name: as the visitor knows the file; by default its own.
        progress: is called with the share done, 0 to 1, and what is done.

    Raises:
        Refused: the file is absent, empty, too large, too long, unreadable, or shows nobody.
        ImportError: a video, and PyAV or a pose estimator is not installed.
    """
    path, facts, limits = Path(path), facts or Facts(), limits or Limits()
    name = shown_name(name or path.name)
    _check_file(path, name, limits)
    with by_shown_name(path, name) as notes:
        if is_video(path):
            found = _from_video(path, name, limits, progress or _quiet)
        else:
            found = Recording(name, _only_clip(read(path, **facts.options()), name, facts.number))
            _check_length(found.sequence.duration, limits.seconds, name)
        if not found.sequence.joint_mask.any():
            raise Refused(_nobody(name, video=found.video is not None))
        # Other checks are for those who prepare data; their repairs are commands.
        problems = [each for each in inspect(found.sequence) if each.severity == "problem"]
    lines = [*notes, *found.notes, *_met(found.sequence)]
    lines += [f"{_sentence(each.seen)}, so the answers may be wrong: run motionhub doctor on it." for each in problems]
    return replace(found, notes=tuple(dict.fromkeys(lines))[:_MOST_NOTES])


def shown_name(name: str) -> str:
    """A file's name for texts: no folder, no control characters, at most 80 characters."""
    plain = "".join(char if char.isprintable() else "?" for char in os.path.basename(name))
    return plain if len(plain) <= 80 else f"{plain[:50]}…{plain[-29:]}"


@contextmanager
def by_shown_name(path: Path, name: str) -> Iterator[list[str]]:
    """Collects warnings as notes and turns errors into `Refused`; both name the file as the visitor knows it.

    Not for several threads at once: Python's filter of warnings is of the whole process.
    """
    notes: list[str] = []

    def plain(error: Any) -> str:
        return str(error).replace(str(path.resolve()), name).replace(str(path), name).replace(str(path.parent), "")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield notes
        except Refused:
            raise
        except UnstatedFact as error:
            ask = _ASK.get(error.option, "state it")
            raise Refused(f"{name} lacks something that no one can guess: open “{FACTS}” and {ask}.") from None
        except (ValueError, OSError) as error:
            raise Refused(plain(error)) from None
    notes += [_sentence(plain(each.message)) + "." for each in caught if "motionhub" in Path(each.filename).parts]


def _check_file(path: Path, name: str, limits: Limits) -> None:
    if not path.exists():
        raise Refused(f"{name} is no longer here: files are removed after an hour; choose it again.")
    size = path.stat().st_size if path.is_file() else 1
    if size == 0:
        raise Refused(f"{name} is empty (0 bytes): perhaps it was not copied to its end; copy it again.")
    if size > limits.megabytes * MEGABYTE:
        large = f"{name} has {size / MEGABYTE:.0f} MB, the limit is {limits.megabytes} MB"
        raise Refused(f"{large}: cut it or make it smaller, for example ffmpeg -i IN -vf scale=-2:480 OUT.mp4.")


def _check_length(seconds: float, limit: float, name: str) -> None:
    if seconds > limit:
        raise Refused(
            f"{name} lasts {seconds:.0f} s, the limit of this page is {limit:g} s: cut it "
            "(motionhub segment takes whole days)."
        )


def _only_clip(clips: list[SkeletonSequence], name: str, number: int | None) -> SkeletonSequence:
    if number is None and len(clips) > 1:
        raise Refused(f"{name} holds {len(clips)} clips: open “{FACTS}” and enter which, 0 to {len(clips) - 1}.")
    if not 0 <= (number or 0) < len(clips):
        raise Refused(f"{name} holds {len(clips)} clips, counted from 0, and not number {number}: open “{FACTS}”.")
    return clips[number or 0]


def _from_video(path: Path, name: str, limits: Limits, progress: Progress) -> Recording:
    video = open_video(path)
    if video.num_frames is not None:
        _check_length(video.num_frames / video.fps, limits.video_seconds, name)
    extraction = extract_clip(_Watched(video, progress), seconds=limits.video_seconds, progress=False)
    report, tracks = extraction.report, extraction.tracks
    if not report["people"]:
        raise Refused(_nobody(name, video=True))
    notes = []
    if video.num_frames is None and tracks.clip.duration >= limits.video_seconds - 1:
        notes.append(f"Only the first {limits.video_seconds:g} s are looked at, which is the limit of this page.")
    if report["broken"]:
        notes.append(f"{report['broken']} frames of the video are broken; nobody is seen in them.")
    if report["left_out"]:
        notes.append(f"{report['left_out']} people were seen in fewer than five frames and are left out.")
    return Recording(name, tracks.clip, tracks.world, path, tracks.boxes, tuple(notes))


def _nobody(name: str, *, video: bool) -> str:
    if not video:
        return f"{name} holds no joint of any person: look at it with motionhub doctor."
    how = "film one whole body, a tenth of the image's height or more, in light"
    return f"No person was found in {name}, so there is nothing to name: {how}."


class _Watched(Video):
    """A video that reports how far it has been decoded."""

    def __init__(self, video: Video, progress: Progress) -> None:
        stated = (video.name, video.size, video.fps, video.num_frames)
        super().__init__(*stated, video.rotation, video.pixel_aspect, video.variable_rate)
        self._video, self._progress = video, progress

    def frames(self, start: float = 0.0) -> Iterator[VideoFrame]:
        for frame in self._video.frames(start):
            if self.num_frames and frame.index % 5 == 0:
                share = min(frame.index / self.num_frames, 1.0)
                self._progress(share, f"looking for people, frame {frame.index} of {self.num_frames}")
            yield frame
        self.num_broken = self._video.num_broken


def _met(sequence: SkeletonSequence) -> Iterator[str]:
    """When two people are so close in the image that they may have been exchanged."""
    if sequence.num_dims != 2 or sequence.num_people < 2:
        return
    low, high = bounds(sequence.keypoints)
    for first, second in combinations(range(sequence.num_people), 2):
        with np.errstate(invalid="ignore"):
            sides = np.minimum(high[first], high[second]) - np.maximum(low[first], low[second])
            shared = np.clip(sides, 0, None).prod(-1)
            smaller = np.minimum(*(np.clip(high[row] - low[row], 1e-9, None).prod(-1) for row in (first, second)))
            close = [*_joined(runs(shared > _CLOSE * smaller), sequence.fps)]
        if close:
            tracks = sequence.track_ids or range(sequence.num_people)
            times = ", ".join(f"{begin / sequence.fps:.1f}-{end / sequence.fps:.1f} s" for begin, end in close[:4])
            more = f" and {len(close) - 4} more times" if len(close) > 4 else ""
            yield (
                f"Persons {tracks[first]} and {tracks[second]} are close or cross at {times}{more}: "
                "check in the picture that each keeps its number; if not, their actions after it are exchanged."
            )


def _joined(spans: Iterator[tuple[int, int]], fps: float) -> Iterator[tuple[int, int]]:
    """Spans of frames, those less than half a second apart as one."""
    kept: list[tuple[int, int]] = []
    for begin, end in spans:
        if kept and begin - kept[-1][1] < 0.5 * fps:
            begin = kept.pop()[0]
        kept.append((begin, end))
    yield from kept


def _sentence(text: str) -> str:
    plain = " ".join(text.split()).rstrip(".")
    return plain[:1].upper() + plain[1:]


def _quiet(share: float, what: str) -> None:
    pass
