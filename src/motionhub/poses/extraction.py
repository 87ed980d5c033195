"""From a video to skeletons: a pose estimator on every frame, then tracking. One frame is in memory, none on disk."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from motionhub.data.video.reader import Video, VideoFrame, open_video
from motionhub.poses.estimators import Estimator, get_estimator
from motionhub.poses.estimators.estimator import PersonInFrame
from motionhub.poses.tracks import Tracks, follow_people
from motionhub.skeletons.sequence import SkeletonSequence


@dataclass(frozen=True)
class Extraction:
    """The people found in a video.

    Args:
        tracks: the people; `clip` is all of them as one sequence.
        report: JSON values: `video`, `estimator`, `layout`, `image_size`, `fps`, `variable_rate`, `frames` (of the
            sequence), `decoded`, `broken` (frames that cannot be decoded), `skipped` (frames of a variable rate that
            fall on another's place), `with_people` (frames), `people`, `left_out` (people in too few frames),
            `found_twice`, `coverage` (share of joints detected, of the people's frames), `seconds`, and
            `frames_per_second` of processing.
    """

    tracks: Tracks
    report: dict[str, Any]

    @property
    def clip(self) -> SkeletonSequence:
        return self.tracks.clip


def extract(
    video: str | PathLike[str] | int | Video,
    estimator: str | PathLike[str] | Estimator = "auto",
    *,
    world: bool = False,
    **options: Any,
) -> list[SkeletonSequence]:
    """The people of a video, one sequence each, all on the same time axis; NaN where a person is missing.

    Args:
        video, estimator, options: see `extract_clip`.
        world: metres instead of pixels, of estimators that lift (MediaPipe).

    Returns:
        in order of appearance, with `track_ids`, `confidence`, `fps` and `image_size`; an empty list when no person
        is detected.

    Raises:
        ValueError: as `extract_clip`, or `world` with an estimator that does not lift.
    """
    tracks = extract_clip(video, estimator, **options).tracks
    clip = tracks.world if world and tracks.clip.num_people else tracks.clip
    if clip is None:
        raise ValueError("world=True needs an estimator that lifts, such as 'mediapipe'; omit it for pixels.")
    return [clip.person(row) for row in range(clip.num_people)]


def extract_clip(
    video: str | PathLike[str] | int | Video,
    estimator: str | PathLike[str] | Estimator = "auto",
    *,
    estimator_options: Mapping[str, Any] | None = None,
    fps: float | None = None,
    seconds: float | None = None,
    min_confidence: float = 0.3,
    min_frames: int = 5,
    progress: bool | None = None,
) -> Extraction:
    """All people of a video, and a report.

    Args:
        video: a file, a folder of images, the number of a camera, or an opened `Video`.
        estimator, estimator_options: see `estimators.get_estimator`.
        fps: of a folder of images.
        seconds: stop after this time; required for a camera.
        min_confidence, min_frames: see `tracks.follow_people`.
        progress: a bar of frames; None shows it on a terminal only.

    The sequence has a constant frame rate. Frames of a variable-rate video are placed by their time at its usual rate;
    places without a frame, and broken frames, have no people (NaN).

    Raises:
        ValueError: the video cannot be read, there is no such estimator, or a camera without `seconds`.
        ImportError: PyAV or the estimator is not installed.

    Examples:
        >>> found = motionhub.extract_clip("dance.mp4", seconds=10)  # doctest: +SKIP
        >>> found.tracks.clip.num_people, found.report["video"]  # doctest: +SKIP
    """
    source = video if isinstance(video, Video) else _opened(video, fps)
    if source.num_frames is None and seconds is None:
        raise ValueError(f"{source.name}: a camera or stream never ends; pass its length, such as seconds=10.")
    finder = get_estimator(estimator, estimator_options)
    finder.start(source)
    started = time.perf_counter()
    frames, counts = _detect_all(source, finder, seconds, progress)
    elapsed = time.perf_counter() - started
    tracks = follow_people(
        frames, finder.layout, source.fps, source.size, min_confidence=min_confidence, min_frames=min_frames
    )
    present = tracks.clip.joint_mask.any(axis=-1)
    report = {
        "video": source.name,
        "estimator": finder.name,
        "layout": finder.layout,
        "image_size": list(source.size),
        "fps": source.fps,
        "variable_rate": source.variable_rate,
        "frames": len(frames),
        **counts,
        "broken": source.num_broken,
        "with_people": int(present.any(axis=0).sum()),
        "people": tracks.clip.num_people,
        "left_out": tracks.num_short,
        "found_twice": tracks.num_twice,
        "coverage": float(tracks.clip.joint_mask[present].mean()) if present.any() else 0.0,
        "seconds": round(elapsed, 3),
        "frames_per_second": round(counts["decoded"] / max(elapsed, 1e-9), 2),
    }
    return Extraction(tracks, report)


def _opened(video: str | PathLike[str] | int, fps: float | None) -> Video:
    if isinstance(video, int):
        return open_video(video, fps=fps)
    # Files state their rate; callers may pass fps anyway.
    folder_or_stream = "://" in str(video) or Path(video).is_dir()
    return open_video(str(video), fps=fps if folder_or_stream else None)


def _detect_all(
    video: Video, finder: Estimator, seconds: float | None, progress: bool | None
) -> tuple[list[list[PersonInFrame]], dict[str, int]]:
    """The people of each frame, and counts of decoded and skipped frames."""
    total = video.num_frames if seconds is None else round(seconds * video.fps)
    frames: list[list[PersonInFrame]] = []
    decoded = skipped = 0
    disable = None if progress is None else not progress
    with tqdm(total=total, desc=Path(video.name).name, unit=" frames", disable=disable) as bar:
        for frame in video.frames():
            if seconds is not None and frame.time >= seconds - 1e-6:
                break
            decoded += 1
            bar.update()
            place = place_in_clip(video, frame)
            if place < len(frames):
                skipped += 1
                continue
            frames.extend([] for _ in range(place - len(frames)))
            frames.append(found_in(finder, frame))
    if seconds is None and video.num_frames is not None and not video.variable_rate:  # broken frames at the end
        frames.extend([] for _ in range(video.num_frames - len(frames)))
    return frames, {"decoded": decoded, "skipped": skipped}


def place_in_clip(video: Video, frame: VideoFrame) -> int:
    """The frame of the extracted sequence for a frame of the video."""
    if video.num_frames is None or video.variable_rate:
        return round(frame.time * video.fps)
    return frame.index


def found_in(finder: Estimator, frame: VideoFrame) -> list[PersonInFrame]:
    """The people of a frame in float32; custom estimators may return plain triples."""
    people: list[list[Any]] = [
        [None if part is None else np.asarray(part, np.float32) for part in person] for person in finder(frame)
    ]
    return [PersonInFrame(*person) for person in people]
