"""A request's body within its limits: JSON, or a file with fields."""

import asyncio
from typing import Any

from fastapi import Request
from starlette.datastructures import FormData, UploadFile

from motionhub.serving.gate import Limits, Refused
from motionhub.serving.messages import facts_of, fields_of, options_of, parsed
from motionhub.serving.uploads import Readers
from motionhub.skeletons.sequence import SkeletonSequence


_MOST_FIELDS = 2000  # candidate_labels may be a field each
Opened = tuple[SkeletonSequence, dict[str, Any], list[str]]


class JsonBody:
    """Keypoints as numbers."""

    def __init__(self, content: bytes, limits: Limits) -> None:
        self.content, self.limits = content, limits

    async def opened(self, kind: str, num_dims: int, readers: Readers) -> Opened:
        """The clip, the options, and warnings. Raises Refused."""
        clip, options = await asyncio.to_thread(parsed, kind, self.content, self.limits)
        return clip, options, []

    async def close(self) -> None:
        """Frees the memory."""
        self.content = b""


class FileBody:
    """A file of any readable format or a video, with fields beside it."""

    def __init__(self, form: FormData, limits: Limits) -> None:
        self.form, self.limits = form, limits

    async def opened(self, kind: str, num_dims: int, readers: Readers) -> Opened:
        """The clip, the options, and warnings. Raises Refused."""
        fields: dict[str, Any] = {}
        for name in self.form:
            values = self.form.getlist(name)
            if name != "file" and any(isinstance(value, UploadFile) for value in values):
                raise Refused(422, f"{name[:100]}: is a file; the file goes into the field file.")
            several = name in ("candidate_labels", "background") and len(values) > 1
            if len(values) > 1 and not several:
                raise Refused(422, f"{name[:100]}: is given {len(values)} times; give it once.")
            fields[name] = list(values) if several else values[0]
        file = fields.pop("file", None)
        if not isinstance(file, UploadFile):
            raise Refused(422, "Expected a file in the field file: curl -F file=@clip.json ...")
        given = fields_of(kind, fields)
        options, facts = options_of(kind, given, self.limits), facts_of(given)
        how: dict[str, Any] = {"frames": self.limits.frames, "num_dims": num_dims, "seconds": self.limits.seconds}
        clip, notes = await readers.read(file.filename, file.file, facts, **how)
        return clip, options, notes

    async def close(self) -> None:
        """Removes what is stored of the file."""
        await self.form.close()


async def read_request(request: Request, limits: Limits) -> JsonBody | FileBody:
    """The whole body. Raises Refused with 413 and 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/json", "multipart/form-data"):
        raise Refused(415, f"Expected application/json or multipart/form-data, got {kind[:100] or 'no type'!r}.")
    most = limits.json if kind == "application/json" else limits.body
    stated = request.headers.get("content-length", "0")
    if stated.isdecimal() and (len(stated) > 18 or int(stated) > most):
        raise Refused(413, f"Expected at most {most} bytes of {kind}, got {stated[:20]}; cut the recording.")
    received = 0

    async def receive() -> Any:
        nonlocal received
        message = await request.receive()
        received += len(message.get("body", b""))
        if received > most:
            raise Refused(413, f"Expected at most {most} bytes of {kind}, got more; cut the recording.")
        return message

    limited = Request(request.scope, receive)
    if kind == "application/json":
        return JsonBody(await limited.body(), limits)
    return FileBody(await limited.form(max_files=1, max_fields=_MOST_FIELDS), limits)
