"""Streams the frames of a video file, a folder of images or a camera, in constant memory; decoded by PyAV.

Frames are turned by the file's rotation. Pixels that are not square (`pixel_aspect`) stay as stored, as with OpenCV,
so that keypoints of other programs fit.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


_MPEG = ("mp4", "m4v", "mov", "mpg", "mpeg", "ts", "mts", "m2ts", "3gp")
VIDEO_SUFFIXES = frozenset(f".{name}" for name in (*_MPEG, "avi", "mkv", "webm", "wmv", "flv", "ogv", "gif"))
IMAGE_SUFFIXES = frozenset(f".{name}" for name in ("png", "jpg", "jpeg", "bmp", "webp", "tif", "tiff", "ppm"))
# Four times a frame of 8K; a few kilobytes can state any size.
MOST_PIXELS = 2**27
# A script by which FFmpeg would open other files.
_SCRIPT = b"ffconcat"
# Tolerance of even time stamps, as a share of a frame's duration; containers round to milliseconds.
_UNEVEN = 0.5
_NO_STAMP = np.iinfo(np.int64).min
# Containers without presentation times; their frames are evenly spaced by definition.
_WITHOUT_STAMPS = {"avi"}
# Each system's name of the first camera, and its driver in FFmpeg. On Windows cameras have names, not numbers.
_CAMERAS = {"linux": ("/dev/video{}", "v4l2"), "darwin": ("{}", "avfoundation")}


@dataclass(frozen=True)
class VideoFrame:
    """One image: `index` counts the frames of the file from 0, `time` is in seconds from the first frame, `image`
    is `(height, width, 3)` uint8 RGB.
    """

    index: int
    time: float
    image: np.ndarray


@dataclass
class Video:
    """A source of frames.

    Args:
        name: path or device.
        size: (width, height) in pixels as shown, after `rotation`.
        fps: frames per second; of a variable frame rate the typical one.
        num_frames: of the file; None where unknown (a camera, a network stream).
        rotation: degrees counter-clockwise by which the stored images are turned; already applied.
        pixel_aspect: width over height of a pixel; not applied.
        variable_rate: True where frames are unevenly spaced: use their `time`, not their count.
        num_broken: frames that the last run over `frames` could not decode; final when it has ended. Includes frames
            in the header of a file that ends early.
    """

    name: str
    size: tuple[int, int]
    fps: float
    num_frames: int | None = None
    rotation: int = 0
    pixel_aspect: float = 1.0
    variable_rate: bool = False
    num_broken: int = 0

    def frames(self, start: float = 0.0) -> Iterator[VideoFrame]:
        """The frames from `start` seconds on in presentation order, without broken ones; every call decodes again.

        Raises:
            ValueError: the source can no longer be read.
        """
        raise NotImplementedError

    def stored_frames(self) -> Iterator[VideoFrame]:
        """The frames for encoding again: `image` is PyAV's frame where it needs no turning, which saves two copies."""
        yield from self.frames()


def open_video(source: str | Path | int, *, fps: float | None = None, format: str | None = None) -> Video:
    """A video file, a folder of images (in the order of the numbers in their names), or a camera.

    Args:
        source: a path; the number of a camera (0 is the first); or, with `format`, any live source of FFmpeg
            (`"rtsp://..."` needs no format).
        fps: of a folder of images, and of a camera that does not report it.
        format: FFmpeg's name of an input device, such as "v4l2" or "dshow"; leave it out for files.

    Raises:
        ValueError: absent, empty, no video, no decodable frame, or a folder without `fps`.
        ImportError: PyAV is not installed.

    Examples:
        >>> path = motionhub.animate(motionhub.generate("wave", seed=0, num_frames=6), "wave.gif")
        >>> video = motionhub.open_video(path)
        >>> sum(1 for _ in video.frames()) > 0
        True
    """
    _av()
    if fps is not None and not 0 < fps < np.inf:
        raise ValueError(f"fps must be a positive number of frames per second, got {fps!r}.")
    if isinstance(source, int):
        if sys.platform not in _CAMERAS:
            raise ValueError(
                f"Cameras have no numbers on {sys.platform}; name yours: open_video('video=NAME', format='dshow')."
            )
        name, driver = _CAMERAS[sys.platform]
        return _LiveVideo(name.format(source), fps, driver)
    if format is not None or "://" in str(source):
        return _LiveVideo(str(source), fps, format)
    path = Path(source)
    if path.is_dir():
        return _ImageFolder(path, fps)
    if not path.is_file():
        raise ValueError(f"{path}: there is no such video file or folder of images.")
    if fps is not None:
        raise ValueError(f"{path}: a video file states its frame rate; leave fps out.")
    with path.open("rb") as file:
        if file.read(len(_SCRIPT)) == _SCRIPT:
            raise ValueError(f"{path}: is a list of other files (ffconcat), which are not opened; give a video.")
    return _VideoFile(path)


def key_frame_times(path: str | os.PathLike[str]) -> tuple[float, ...]:
    """Seconds from the first frame at which `Video.frames(start)` can begin without decoding what lies before.

    Only 0 for folders of images and for containers without time stamps (AVI), which are decoded from their start.

    Raises:
        ValueError: it cannot be read as video.

    Examples:
        >>> path = motionhub.animate(motionhub.generate("wave", seed=0, num_frames=6), "wave.gif")
        >>> motionhub.data.video.reader.key_frame_times(path)[0]
        0.0
    """
    if os.path.isdir(path):
        return (0.0,)
    with _opened(str(path)) as container:
        stream = _video_stream(container, str(path))
        packets = [packet for packet in _packets(container, stream) if packet.size and not packet.is_discard]
        stamps = [packet.pts for packet in packets if packet.pts is not None]
        if len(stamps) < len(packets) or not packets or container.format.name in _WITHOUT_STAMPS:
            return (0.0,)
        first, unit = min(stamps), float(stream.time_base)
        return tuple(sorted({float(packet.pts - first) * unit for packet in packets if packet.is_keyframe} | {0.0}))


def is_video(path: str | os.PathLike[str]) -> bool:
    """Whether the path has a video's suffix or is a folder of images only; nothing is decoded."""
    path = Path(path)
    if os.path.isdir(path):  # path.is_dir() raises for names that are too long
        suffixes = {file.suffix.lower() for file in path.iterdir() if file.is_file()}
        return bool(suffixes) and suffixes <= IMAGE_SUFFIXES
    return path.suffix.lower() in VIDEO_SUFFIXES


class _VideoFile(Video):
    def __init__(self, path: Path) -> None:
        self._path = path
        with _opened(str(path)) as container:
            stream = _video_stream(container, str(path))
            self._time_base = float(stream.time_base)
            stamps, timed = _stamps(container, stream)
            self._missing_at_the_end = max(0, stream.frames - len(stamps))
            rates = [float(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate]
            aspect = float(stream.sample_aspect_ratio or 1)
            timed = timed and container.format.name not in _WITHOUT_STAMPS
        self._stamps = np.unique(stamps) if timed else None
        fps, variable = _rate(self._stamps, self._time_base, rates)
        super().__init__(str(path), (0, 0), fps, len(stamps), 0, aspect, variable)
        raw = next((raw for _, raw in self._images(0.0)), None)
        if raw is None:
            raise ValueError(f"{path}: not one of its {len(stamps)} frames can be decoded; is the file complete?")
        self.rotation = _quarter_turns(raw) * 90
        self.size = _shown_size(raw)
        self.num_broken = 0

    def frames(self, start: float = 0.0) -> Iterator[VideoFrame]:
        for index, raw in self._images(start):
            seconds = None if self._stamps is None else float(raw.pts - self._stamps[0]) * self._time_base
            time = index / self.fps if seconds is None else seconds
            if time >= start - 1e-6:
                yield VideoFrame(index, time, _shown(raw, self.size))

    def stored_frames(self) -> Iterator[VideoFrame]:
        if self.rotation:
            yield from self.frames()
            return
        for index, raw in self._images(0.0):
            seconds = None if self._stamps is None else float(raw.pts - self._stamps[0]) * self._time_base
            yield VideoFrame(index, index / self.fps if seconds is None else seconds, raw)

    def _images(self, start: float) -> Iterator[tuple[int, Any]]:
        """Number and PyAV's frame, from the last key frame before `start` where the file can seek."""
        self.num_broken, index = 0, 0
        with _opened(str(self._path)) as container:
            stream = container.streams.video[0]
            if start > 0 and self._stamps is not None:
                wanted = int(self._stamps[0] + start / self._time_base)
                container.seek(wanted, stream=stream, backward=True)
            for raw in _decoded(container, stream):
                if self._stamps is not None and raw is not None and raw.pts is not None:
                    index = int(np.searchsorted(self._stamps, raw.pts))
                if raw is None or raw.is_corrupt:
                    self.num_broken += 1
                else:
                    yield index, raw
                index += 1
        self.num_broken += self._missing_at_the_end


class _ImageFolder(Video):
    def __init__(self, path: Path, fps: float | None) -> None:
        files = [file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()]
        if not files:
            raise ValueError(f"{path}: the folder holds no images ({', '.join(sorted(IMAGE_SUFFIXES))}).")
        if fps is None:
            raise ValueError(f"{path}: a folder of images has no frame rate; give fps=30, or the true one.")
        self._files = sorted(files, key=_numbers_in_name)
        raw = next((raw for raw in map(_first_frame, self._files) if raw is not None), None)
        if raw is None:
            raise ValueError(f"{path}: not one of its {len(files)} images can be decoded.")
        super().__init__(str(path), _shown_size(raw), fps, len(files), _quarter_turns(raw) * 90)

    def frames(self, start: float = 0.0) -> Iterator[VideoFrame]:
        self.num_broken = 0
        for index in range(int(np.ceil(start * self.fps - 1e-6)), len(self._files)):
            raw = _first_frame(self._files[index])
            if raw is None:
                self.num_broken += 1
            elif _shown_size(raw) != self.size:
                got, expected = _shown_size(raw), self.size
                raise ValueError(f"{self._files[index]}: expected {expected} pixels as in the others, got {got}.")
            else:
                yield VideoFrame(index, index / self.fps, _shown(raw, self.size))


class _LiveVideo(Video):
    def __init__(self, name: str, fps: float | None, format: str | None) -> None:
        self._format = format
        with _opened(name, format) as container:
            stream = _video_stream(container, name)
            size = (stream.codec_context.width, stream.codec_context.height)
            rate = fps or float(stream.average_rate or stream.guessed_rate or 0)
        if not rate:
            raise ValueError(f"{name}: the source does not report its frame rate; give fps=30, or the true one.")
        super().__init__(name, size, rate)

    def frames(self, start: float = 0.0) -> Iterator[VideoFrame]:
        self.num_broken, first = 0, None
        with _opened(self.name, self._format) as container:
            images = _decoded(container, _video_stream(container, self.name))
            for index, raw in enumerate(images):
                if raw is None or raw.is_corrupt:
                    self.num_broken += 1
                    continue
                stamp = index / self.fps if raw.time is None else raw.time
                first = stamp if first is None else first
                if stamp - first >= start - 1e-6:
                    yield VideoFrame(index, stamp - first, _shown(raw, self.size))


def _av() -> Any:
    try:
        import av
    except ImportError:
        raise ImportError('Reading video needs PyAV: pip install "motionhub[video]"') from None
    return av


@contextmanager
def _opened(name: str, format: str | None = None) -> Iterator[Any]:
    """PyAV's container; errors of FFmpeg become ValueErrors."""
    av, unreadable = _av(), _av().error.FFmpegError
    av.logging.set_level(av.logging.PANIC)  # broken frames are counted, not printed one by one
    try:
        # Titles and the like may be of any coding, and nobody reads them here.
        with av.open(name, format=format, metadata_errors="ignore") as container:
            yield container
    except unreadable as error:
        raise ValueError(f"{name}: cannot be read as video ({error.strerror}).") from None


def _video_stream(container: Any, name: str) -> Any:
    if not container.streams.video:
        raise ValueError(f"{name}: holds no images, only {[stream.type for stream in container.streams]}.")
    stream = container.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MOST_PIXELS:
        raise ValueError(f"{name}: images of {width} x {height} are more than {MOST_PIXELS} pixels; scale them down.")
    return stream


def _stamps(container: Any, stream: Any) -> tuple[np.ndarray, bool]:
    """Presentation times of the frames in units of the time base, in decoding order; and whether all have one.

    The file is read once without decoding, since headers with numbers and rates are unreliable.
    """
    packets = (packet for packet in _packets(container, stream) if packet.size and not packet.is_discard)
    stamps = np.fromiter((_NO_STAMP if packet.pts is None else packet.pts for packet in packets), dtype=np.int64)
    return stamps, bool(len(stamps)) and _NO_STAMP not in stamps


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """The packets up to the end of the file or of its readable part."""
    with suppress(_av().error.FFmpegError):
        yield from container.demux(stream)


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """PyAV's frames in presentation order; None for each that cannot be decoded."""
    unreadable = _av().error.FFmpegError
    for packet in _packets(container, stream):
        try:
            images = packet.decode()
        except unreadable:
            images = [None] if packet.size else []  # the empty last packet flushes the decoder
        yield from images


def _rate(stamps: np.ndarray | None, time_base: float, header: list[float]) -> tuple[float, bool]:
    """Frames per second, and whether they are unevenly spaced; `header`: the container's mean and typical rate."""
    if stamps is None or len(stamps) < 2:
        return (header[0] if header else 1.0), False
    even = np.linspace(stamps[0], stamps[-1], len(stamps))
    step = even[1] - even[0]
    variable = bool(np.abs(stamps - even).max() > _UNEVEN * step)
    rate = 1 / (time_base * float(np.median(np.diff(stamps)) if variable else step))
    # The header's fraction (30000/1001) is exact; stamps in whole milliseconds are not.
    near = [value for value in header if abs(value / rate - 1) < 0.05]
    return min(near, key=lambda value: abs(value - rate), default=rate), variable


def _first_frame(file: Path) -> Any | None:
    """The first frame of an image file; None where it cannot be decoded."""
    try:
        with _opened(str(file)) as container:
            return next(_decoded(container, _video_stream(container, str(file))), None)
    except ValueError:
        return None


def _numbers_in_name(file: Path) -> list[tuple[int, str]]:
    """Sorts frame_10 after frame_9."""
    parts = re.split(r"(\d+)", file.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def _quarter_turns(raw: Any) -> int:
    return round(raw.rotation / 90) % 4


def _shown_size(raw: Any) -> tuple[int, int]:
    size = (raw.width, raw.height)
    return size[::-1] if _quarter_turns(raw) % 2 else size


def _shown(raw: Any, size: tuple[int, int]) -> np.ndarray:
    """`(height, width, 3)` uint8 RGB, turned and scaled to `size`, in case the stream's size changes."""
    turns = _quarter_turns(raw)
    width, height = size[::-1] if turns % 2 else size
    image = raw.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(image, turns))
