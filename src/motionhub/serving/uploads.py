"""Uploaded files: stored in a folder of their own, read in another process, and removed."""

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from motionhub.data.video.reader import is_video
from motionhub.serving.gate import Refused
from motionhub.serving.reader_process import ReaderEnded, ReaderProcess, Upload
from motionhub.skeletons.sequence import SkeletonSequence


class Readers:
    """Two processes that read files of clients, one of them videos, so that a video delays no other file."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="motionhub-serve-"))
        self._processes: dict[str, ReaderProcess] = {}
        self._locks = {"file": asyncio.Lock(), "video": asyncio.Lock()}

    async def read(
        self,
        name: str | None,
        content: BinaryIO,
        facts: Mapping[str, Any],
        *,
        frames: int,
        num_dims: int,
        seconds: float,
    ) -> tuple[SkeletonSequence, list[str]]:
        """The clip of a file, and warnings.

        Args:
            name: as the client calls it; only letters, digits and `._-` of its last part are used.
            facts: see `Upload`.
            frames, num_dims: see `Upload`.
            seconds: the most it may take, with the wait for other files.

        Raises:
            Refused: 422 or 413 for a file that is refused, 503 for one that takes too long.
        """
        deadline = time.monotonic() + seconds
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            path = folder / plain_name(name)
            await asyncio.to_thread(_store, content, path)
            kind = "video" if is_video(path) else "file"
            async with self._locks[kind]:
                left = max(deadline - time.monotonic(), 0.0)
                return await self._ask(kind, Upload(path, facts, frames, num_dims), left)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def _ask(self, kind: str, upload: Upload, seconds: float) -> tuple[SkeletonSequence, list[str]]:
        process = self._processes.get(kind)
        if process is None or process.ended:
            process = self._processes[kind] = await asyncio.to_thread(ReaderProcess)
        name = upload.path.name
        try:
            return await asyncio.to_thread(process.read, upload, seconds)
        except TimeoutError:
            raise Refused(503, f"{name}: took too long to read; send a shorter one.", retry=1) from None
        except ReaderEnded:
            raise Refused(422, f"{name}: the reader crashed on it; write or encode it again.") from None
        except asyncio.CancelledError:  # the client left, or the time is over
            process.end()
            raise

    async def start(self) -> None:
        """Starts the reader of files, which takes a second, before the first request."""
        self._processes["file"] = await asyncio.to_thread(ReaderProcess)

    def close(self) -> None:
        """Ends the processes and removes what is left of files."""
        for process in self._processes.values():
            process.end()
        with suppress(OSError):
            shutil.rmtree(self.folder)


def plain_name(name: str | None) -> str:
    r"""The last part of a client's file name, without what could lead elsewhere or steer a terminal.

    Examples:
        >>> plain_name("../../etc/wave clip.json"), plain_name("C:\\clips\\a.npz"), plain_name(None)
        ('wave_clip.json', 'a.npz', 'upload')
    """
    last = re.split(r"[/\\]", name or "")[-1]
    return re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")[-100:] or "upload"


def _store(content: BinaryIO, path: Path) -> None:
    with path.open("xb") as file:
        shutil.copyfileobj(content, file)
