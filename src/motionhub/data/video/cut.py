"""Clips of a video, exact to the frame: decoded and encoded again (H.264, visually lossless), without sound."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.atomic import atomic_path
from motionhub.data.video.reader import Video


_QUALITY = "14"  # constant rate factor of x264: 0 lossless, 18 hardly distinguishable


def cut_video(video: Video, start_s: float, end_s: float, path: str | Path) -> int:
    """Writes the frames shown at or after `start_s` and before `end_s` seconds as MP4; returns their number.

    Args:
        video: of `motionhub.open_video`; frames keep their times, also where they are unevenly spaced.
        path: the new file, which appears when it is complete.

    Raises:
        ValueError: no frame lies in the interval.
        ImportError: PyAV is not installed.
    """
    slack = 0.01 / video.fps + 0.0005  # times are written to the millisecond
    times: list[float] = []
    with atomic_path(path) as writing:
        try:
            _write(video, start_s - slack, end_s - slack, writing, times)
        except StopIteration:
            raise ValueError(f"{video.name}: no frame lies from {start_s:g} s to {end_s:g} s.") from None
    return len(times)


def _write(video: Video, start_s: float, end_s: float, path: Path, times: list[float]) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = None
        for frame in video.frames(max(start_s, 0.0)):
            if frame.time < start_s:
                continue
            if frame.time >= end_s:
                break
            # H.264 halves its colours: the last row and column twice where their number is odd.
            odd = ((0, frame.image.shape[0] % 2), (0, frame.image.shape[1] % 2), (0, 0))
            image = np.pad(frame.image, odd, mode="edge")
            if stream is None:
                stream = _new_stream(container, video, image.shape)
            encoded = av.VideoFrame.from_ndarray(image, format="rgb24")
            times.append(frame.time)
            if video.variable_rate:
                encoded.pts, encoded.time_base = round(1000 * (frame.time - times[0])), Fraction(1, 1000)
            container.mux(stream.encode(encoded))
        if stream is None:
            raise StopIteration
        container.mux(stream.encode())


def _new_stream(container: Any, video: Video, shape: tuple[int, ...]) -> Any:
    stream = container.add_stream("libx264", rate=Fraction(video.fps).limit_denominator(10_000))
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.options = {"crf": _QUALITY}
    if video.variable_rate:
        stream.codec_context.time_base = Fraction(1, 1000)
    return stream
