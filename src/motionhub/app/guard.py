"""What every answer of the server passes: who is answered, and that neither browser nor server asks another one."""

import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit


Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Gradio's page needs inline code and evaluates its templates; all of it, and all data, from this server.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'"
)
# Elements of Gradio's page that name other servers: fonts, a script for frames, preview images.
_FOREIGN = re.compile(
    rb"<(?:link|script|meta)\b[^>]*?(?:href|src|content)=\"(?:https?:)?//[^>]*>(?:\s*</script>)?", re.IGNORECASE
)


# Gradio's `/file=https://...` has the server ask another one, and passes on what it answers.
_FETCHES = re.compile(r"=[\s/]*https?:", re.IGNORECASE)


class Guard:
    """Wraps an ASGI application.

    Args:
        app: the application.
        hosts: names in the `Host` header that are answered; None: all (a Space, whose proxy checks it).
    """

    def __init__(self, app: Any, hosts: Sequence[str] | None = LOOPBACK) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope.get("headers", ()))
        host = headers.get(b"host", b"")
        if self.hosts is not None and _host(host) not in self.hosts:
            await _refuse(send, "This page answers for 127.0.0.1 and localhost only.")  # DNS rebinding
            return
        origin = headers.get(b"origin")
        if self.hosts is not None and origin is not None and origin.partition(b"//")[2] != host:
            await _refuse(send, "Pages of other sites are not answered.")
            return
        if _FETCHES.search(str(scope.get("path", ""))):
            await _refuse(send, "Files of other servers are not fetched.")
            return
        await self.app(scope, receive, _Cleaned(send, framed=self.hosts is None))


class _Cleaned:
    """Sends with the policy, and HTML without elements that name other servers."""

    def __init__(self, send: Send, *, framed: bool) -> None:
        self.send, self.policy = send, _POLICY if framed else f"{_POLICY}; frame-ancestors 'none'"
        self.start: Message | None = None  # of HTML, held back until its length is known
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"content-security-policy"]
            message["headers"] = [*kept, *self._own()]
            kind = next((value for name, value in kept if name.lower() == b"content-type"), b"")
            coded = any(name.lower() == b"content-encoding" for name, _ in kept)
            if kind.startswith(b"text/html") and not coded:
                self.start = message
                return
        elif self.start is not None:
            self.body += message.get("body", b"")
            if message.get("more_body"):
                return
            body, start, self.start = _FOREIGN.sub(b"", self.body), self.start, None
            others = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
            start["headers"] = [*others, (b"content-length", str(len(body)).encode())]
            await self.send(start)
            message = {"type": "http.response.body", "body": body}
        await self.send(message)

    def _own(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"content-security-policy", self.policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
            (b"permissions-policy", b"camera=(self), microphone=(), geolocation=()"),
        ]


def _host(value: bytes) -> str:
    """The name in a `Host` header, without port."""
    try:
        return urlsplit(f"//{value.decode('latin-1')}").hostname or ""
    except ValueError:
        return ""


async def _refuse(send: Send, reason: str) -> None:
    body = f"{reason}\n".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
