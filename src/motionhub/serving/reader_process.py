"""A process that reads uploaded files: what crashes a decoder, or takes too long, ends it and not the server."""

import multiprocessing
import os
import signal
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from motionhub.data.datasets.reading import read
from motionhub.data.formats.format import UnstatedFact
from motionhub.data.video.reader import is_video, open_video
from motionhub.serving.gate import Refused
from motionhub.skeletons.sequence import SkeletonSequence


# Bytes of address space; a small file is promised to need 1.5 GB, and libraries map as much again.
_MEMORY = 6 * 2**30
# First bytes of the videos that are decoded, and where they stand. FFmpeg also opens texts that name other files.
_VIDEOS = (
    *((4, kind) for kind in (b"ftyp", b"moov", b"mdat", b"wide", b"free")),
    *((0, head) for head in (b"\x1aE\xdf\xa3", b"RIFF", b"OggS", b"FLV\x01", b"GIF8", b"\x00\x00\x01\xba")),
    *((0, head) for head in (b"\x00\x00\x01\xb3", b"\x30\x26\xb2\x75", b"G")),
)


@dataclass(frozen=True)
class Upload:
    """A file to read.

    Args:
        path: of it, in a folder of its own.
        facts: `layout` (a `SkeletonLayout`), `fps`, `unit`, `image_size`, where the client states them.
        frames: the most that its people may have together.
        num_dims: of the model; 3 makes metres of a video where the estimator lifts.
    """

    path: Path
    facts: Mapping[str, Any]
    frames: int
    num_dims: int


@dataclass(frozen=True)
class Unread:
    """Why a file is not read, and the status that says so."""

    reason: str
    status: int = 422


class TooLong(ValueError):
    """A video of more frames than are read."""


class ReaderEnded(Exception):
    """The process ended without an answer."""


class ReaderProcess:
    """Reads one file at a time in a process of its own, which is started again after it ended."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), name="motionhub-reader", daemon=True)
        self._process.start()
        theirs.close()

    def read(self, upload: Upload, seconds: float) -> tuple[SkeletonSequence, list[str]]:
        """The one clip of a file, and warnings.

        Raises:
            Refused: the file is not read, in one line with its name.
            TimeoutError: after `seconds`; the process is ended then.
            ReaderEnded: it crashed.
        """
        try:
            self._connection.send(upload)
            if not self._connection.poll(seconds):
                self.end()
                raise TimeoutError
            answer = self._connection.recv()
        except (EOFError, OSError) as error:
            self.end()
            if isinstance(error, TimeoutError):
                raise
            raise ReaderEnded from None
        if isinstance(answer, Unread):
            raise Refused(answer.status, answer.reason)
        clip, notes = answer
        return clip, notes

    @property
    def ended(self) -> bool:
        return not self._process.is_alive()

    def end(self) -> None:
        """Ends the process at once."""
        with suppress(ValueError, OSError):
            self._process.kill()
            self._process.join(5)


def _serve(connection: Connection) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # the server ends it when the last request is answered
        signal.signal(number, signal.SIG_IGN)
    _limit_memory()
    with suppress(EOFError, OSError):
        while True:
            upload = connection.recv()
            connection.send(_answer(upload))


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # on Windows and macOS
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _answer(upload: Upload) -> tuple[SkeletonSequence, list[str]] | Unread:
    """The clip and warnings, or why it is refused, without the folder's name."""
    folder = f"{upload.path.parent}{os.sep}"
    status = 422
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            clip = _video(upload) if is_video(upload.path) else _file(upload)
        notes = [str(each.message).replace(folder, "") for each in caught if issubclass(each.category, UserWarning)]
        return clip, notes
    except UnstatedFact as error:
        text = f"{error} In a request: the field {error.option}."
    except MemoryError:
        text = f"{upload.path.name}: needs too much memory; split the recording."
    except (ValueError, OSError, ImportError) as error:
        text, status = str(error), 413 if isinstance(error, TooLong) else 422
    except Exception as error:  # of many types, for damaged files
        text = f"{upload.path.name}: cannot be read ({type(error).__name__}: {str(error)[:200]})."
    return Unread(" ".join(text.replace(folder, "").split()), status)


def _file(upload: Upload) -> SkeletonSequence:
    clips = read(upload.path, **upload.facts)
    if len(clips) != 1:
        raise ValueError(
            f"{upload.path.name}: expected one clip, got {len(clips)}; send each in a request of its own."
        )
    return clips[0]


def _video(upload: Upload) -> SkeletonSequence:
    from motionhub.poses.extraction import extract_clip

    with upload.path.open("rb") as file:
        head = file.read(16)
    if not any(head[place:].startswith(mark) for place, mark in _VIDEOS):
        raise ValueError(f"{upload.path.name}: is no video (it starts with {head[:8]!r}); expected MP4, WebM or AVI.")
    if given := [name for name, value in upload.facts.items() if value is not None]:
        raise ValueError(f"{upload.path.name}: a video states {given} itself; leave them out.")
    video = open_video(upload.path)
    if video.num_frames is not None and video.num_frames > upload.frames:
        raise TooLong(f"{upload.path.name}: has {video.num_frames} frames, more than {upload.frames}; cut it.")
    tracks = extract_clip(video, progress=False).tracks
    return tracks.clip if upload.num_dims == 2 or tracks.world is None else tracks.world
