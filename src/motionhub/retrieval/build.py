"""Builds an index over a folder of motions, and vectors of queries for it."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.datasets.pose_files import is_pose_file
from motionhub.data.datasets.reading import read
from motionhub.data.formats.formats import is_recording
from motionhub.retrieval.index import Entry, MotionIndex
from motionhub.skeletons.convert import cut
from motionhub.skeletons.sequence import SkeletonSequence


# (sequence) -> (people, frames, channels) of frames, or (people, channels) of clips; NaN without valid keypoints.
Embed = Callable[[SkeletonSequence], np.ndarray]
_OTHERS = (".md", ".pdf", ".docx", ".xlsx", ".html", ".log", ".py", ".toml", ".rrd")


def build_index(
    folder: str | Path,
    embed: Embed,
    *,
    level: str,
    facts: dict[str, Any],
    every: int = 1,
    window: float = 2.0,
    hop: float = 1.0,
    read_options: dict[str, Any] | None = None,
) -> MotionIndex:
    """Indexes all motions of a folder and its subfolders.

    Files that are unreadable, or that `embed` does not take, are left out with a warning.

    Args:
        embed: see `Embed`; it must fit `level`.
        level: `"frame"`: a vector for every `every`-th frame of every person; `"clip"`: one for every person;
            `"moment"`: one for every person and window of `window` seconds, every `hop` seconds.
        facts: see `MotionIndex`.
        read_options: keywords of `motionhub.read`: metadata that the files lack.

    Raises:
        ValueError: no such folder, no motion in it could be read, or times that are not positive.
    """
    root = Path(folder)
    if not root.is_dir() or every < 1:
        raise ValueError(f"Expected a folder of skeleton files and every of at least 1, got {folder} and {every}.")
    if not (0 < hop < np.inf and 0 < window < np.inf):
        raise ValueError(f"window and hop must be seconds above 0, got {window} and {hop}.")
    vectors: list[np.ndarray] = []
    entries: list[Entry] = []
    for file, clip, sequence in _motions(root, read_options or {}):
        label = file.parent.name if file.parent != root else ""
        name = str(file.relative_to(root))
        parts = list(_parts(sequence, level, window, hop))
        try:
            features = [embed(part) for part, _ in parts]
        except ValueError as error:  # 2-D keypoints for an encoder of 3-D ones, and the like
            warnings.warn(f"left out: {name}: {error}", stacklevel=2)
            continue
        for (part, times), own in zip(parts, features, strict=True):
            for vector, person, frame in _rows_of(own, part, level, every):
                vectors.append(vector)
                entries.append(Entry(name, clip, person, frame, label, *times))
    if not entries:
        raise ValueError(f"No motion in {root} could be indexed; motionhub info FILE identifies a file.")
    return MotionIndex(np.stack(vectors), entries, level, {**facts, "root": str(root.resolve()), "every": every})


def moments(
    sequence: SkeletonSequence, window: float, hop: float
) -> Iterator[tuple[SkeletonSequence, tuple[float, float]]]:
    """Windows of a motion with their start and end in seconds; the last ends where the motion does.

    Windows in which nobody is seen are left out; a motion shorter than a window is one.
    """
    last = max(sequence.duration - window, 0.0)
    starts = [*np.arange(0, last, hop), last] if last else [0.0]
    for start in starts:
        times = (round(float(start), 3), round(min(float(start) + window, sequence.duration), 3))
        part = cut(sequence, *times)
        if part.joint_mask.any():
            yield part, times


def _parts(
    sequence: SkeletonSequence, level: str, window: float, hop: float
) -> Iterable[tuple[SkeletonSequence, tuple[float | None, float | None]]]:
    return moments(sequence, window, hop) if level == "moment" else [(sequence, (None, None))]


def _rows_of(
    features: np.ndarray, sequence: SkeletonSequence, level: str, every: int
) -> Iterator[tuple[np.ndarray, int, int | None]]:
    """Vector, person and frame of all vectors that are neither NaN nor zero."""
    if features.ndim != (3 if level == "frame" else 2):
        raise ValueError(
            f"Level {level!r} needs (people, {'frames, ' * (level == 'frame')}channels), got {features.shape}."
        )
    valid = _valid(features)
    for person, vectors in enumerate(features):
        if level != "frame":
            if valid[person]:
                yield vectors, person, None
            continue
        frames = source_frames(len(vectors), sequence.num_frames)
        for row in np.flatnonzero(valid[person])[::every]:
            yield vectors[row], person, int(frames[row])


def _valid(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(np.isfinite(vectors).all(-1) & vectors.any(-1))


def source_frames(num_features: int, num_frames: int) -> np.ndarray:
    """The frame of the sequence nearest to each feature; encoders and processors may resample time."""
    if num_features == num_frames:
        return np.arange(num_frames)
    middles = (np.arange(num_features) + 0.5) * num_frames / max(num_features, 1)
    return np.minimum(middles.astype(int), num_frames - 1)


def checkpoint_embedder(pipe: Any, level: str, representation: str | None = None) -> Embed:
    """`embed` by a skeleton-feature-extraction pipeline."""
    options = {"level": "step" if level == "frame" else "sequence", "representation": representation}
    return lambda sequence: np.asarray(pipe(sequence, normalize=False, **options))


def query_vector(
    sequence: SkeletonSequence, embed: Embed, level: str, *, person: int = 0, frame: int | None = None
) -> np.ndarray:
    """The vector `(channels,)` of a person; at level "frame", in a frame (default: the middle one).

    Raises:
        ValueError: no such person or frame, or no valid keypoints there.
    """
    features = embed(sequence)
    if not 0 <= person < len(features):
        raise ValueError(f"The query has {len(features)} people, counted from 0; got person {person}.")
    vector = features[person]
    if level == "frame":
        frame = sequence.num_frames // 2 if frame is None else frame
        if not 0 <= frame < sequence.num_frames:
            raise ValueError(f"The query has {sequence.num_frames} frames, counted from 0; got frame {frame}.")
        frames = source_frames(len(vector), sequence.num_frames)
        vector = vector[int(np.abs(frames - frame).argmin())]
    elif frame is not None:
        raise ValueError(
            "This index is of clips; omit the frame, or build one of frames: motionhub index --level frame."
        )
    if not _valid(vector):
        raise ValueError("No valid keypoints in the query there; choose another frame or person.")
    return np.asarray(vector)


def _motions(root: Path, options: dict[str, Any]) -> Iterator[tuple[Path, int, SkeletonSequence]]:
    others = 0
    for file in pose_files(root):
        if is_other(file):
            others += 1
            continue
        try:
            clips = read(file, **options)
        except ValueError as error:
            warnings.warn(f"left out: {error}", stacklevel=3)
            continue
        for number, sequence in enumerate(clips):
            if sequence.joint_mask.any():
                yield file, number, sequence
    if others:
        warnings.warn(f"left out: files of text, images, videos, reports or labels: {others}.", stacklevel=3)


def is_other(path: Path) -> bool:
    """Whether a file is no skeleton file by its name, or has labels: text, an image, a video, a report of ours."""
    from motionhub.data.formats.interval_files import holds_intervals
    from motionhub.data.video.reader import IMAGE_SUFFIXES, VIDEO_SUFFIXES

    if path.is_dir():
        return False
    named = path.name.endswith(".report.json") or path.suffix.lower() in {*_OTHERS, *IMAGE_SUFFIXES, *VIDEO_SUFFIXES}
    return named or holds_intervals(path)


def pose_files(root: Path) -> Iterator[Path]:
    """All pose files, folder by folder; a folder with a file per frame, as OpenPose writes, is one recording."""
    for folder in [root, *sorted(path for path in root.rglob("*") if path.is_dir())]:
        if is_recording(folder):
            yield folder
        else:
            yield from sorted(path for path in folder.iterdir() if path.is_file() and is_pose_file(path))
