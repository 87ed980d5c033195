"""Tiny videos whose content is known: written with PyAV, which the tests that import this must not be without."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def write_video(
    path: Path,
    pictures: Iterable[np.ndarray],
    *,
    fps: int = 10,
    codec: str = "mpeg4",
    stamps: Sequence[int] | None = None,
    rotation: int | None = None,
) -> Path:
    """Images `(height, width, 3)` uint8 of even size; `stamps` are milliseconds, `rotation` counter-clockwise."""
    with av.open(str(path), "w") as container:
        stream = None
        for number, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream(codec, rate=fps)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                if codec == "mpeg4":
                    stream.options = {"qscale": "2"}
                if rotation is not None:
                    stream.set_display_rotation(rotation)
                if stamps is not None:
                    stream.codec_context.time_base = Fraction(1, 1000)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if stamps is not None:
                frame.pts, frame.time_base = stamps[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def greys(number: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Frame n is grey of brightness 4 n + 20, so that an image tells its number (below 55)."""
    return [np.full((size[1], size[0], 3), 4 * index + 20, np.uint8) for index in range(number)]


def number_of(image: np.ndarray) -> int:
    """The inverse of `greys`."""
    return round((float(image.mean()) - 20) / 4)


def broken(path: Path, packets: Sequence[int]) -> Path:
    """The file with the content of some packets replaced by noise; the container stays whole."""
    content, noise = bytearray(path.read_bytes()), np.random.default_rng(0)
    with av.open(str(path)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    for packet in packets:
        position, size = places[packet]
        content[position : position + size] = noise.integers(0, 256, size, dtype=np.uint8).tobytes()
    path.write_bytes(content)
    return path
