"""An object store over HTTP on loopback, and its file system of fsspec: what S3 is to a run, without a disk.

Whole objects by PUT, GET and DELETE, and a listing by prefix. The server can be late or fail, as stores are. Addresses
are `loopback://HOST:PORT/BUCKET/NAME`; processes that use them call `register` first.
"""

import hashlib
import json
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import fsspec
from fsspec.spec import AbstractFileSystem


class LoopbackServer(ThreadingHTTPServer):
    """Objects in memory.

    Args:
        host, port: 0 takes a free port.

    `delay` seconds before each answer and `failures` coming answers with status 503 may be set at any time; `requests`
    counts method and name.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((host, port), _Handler)
        self.objects: dict[str, bytes] = {}
        self.delay, self.failures = 0.0, 0
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.Lock()

    def __enter__(self) -> "LoopbackServer":
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def address(self, bucket: str) -> str:
        host, port = self.server_address[:2]
        return f"loopback://{host!s}:{port}/{bucket}"


class _Handler(BaseHTTPRequestHandler):
    server: LoopbackServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        prefix = parse_qs(parts.query).get("prefix")
        with self.server.lock:
            if prefix is not None:
                found = {name: body for name, body in self.server.objects.items() if name.startswith(prefix[0])}
                listed = [[name, len(body), hashlib.md5(body).hexdigest()] for name, body in sorted(found.items())]
                body: bytes | None = json.dumps(listed).encode()
            else:
                body = self.server.objects.get(unquote(parts.path))
        self._answer(body)

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._ready():
            with self.server.lock:
                self.server.objects[unquote(self.path)] = body
            self._send(200, b"")

    def do_DELETE(self) -> None:
        with self.server.lock:
            gone = self.server.objects.pop(unquote(self.path), None)
        self._answer(None if gone is None else b"")

    def _answer(self, body: bytes | None) -> None:
        if self._ready():
            self._send(404 if body is None else 200, body or b"")

    def _ready(self) -> bool:
        server = self.server
        with server.lock:
            server.requests.append((self.command, unquote(self.path)))
            failing = server.failures > 0
            server.failures -= failing
        time.sleep(server.delay)
        if failing:
            self._send(503, b"slow down")
        return not failing

    def _send(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:  # who asked has gone, as killed workers do
            self.close_connection = True


class LoopbackFileSystem(AbstractFileSystem):
    """What `motionhub.data.build.store.Store` asks of a file system."""

    protocol = "loopback"
    cachable = False

    def cat_file(self, path: str, start: Any = None, end: Any = None, **_: Any) -> bytes:
        return _asked("GET", self._strip_protocol(path))[start:end]

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        _asked("PUT", self._strip_protocol(path), value)

    def rm_file(self, path: str) -> None:
        _asked("DELETE", self._strip_protocol(path))

    def rm(self, path: str, recursive: bool = False, maxdepth: int | None = None) -> None:
        for name in self.find(path) if recursive else [path]:
            self.rm_file(name)

    def get_file(self, rpath: str, lpath: str, **_: Any) -> None:
        Path(lpath).write_bytes(self.cat_file(rpath))

    def find(self, path: str, maxdepth: Any = None, withdirs: bool = False, detail: bool = False, **_: Any) -> Any:
        host, _, prefix = self._strip_protocol(path).partition("/")
        listed = json.loads(_asked("GET", f"{host}/", query=f"?prefix=/{quote(prefix.rstrip('/'))}/"))
        found = {f"{host}{name}": {"name": f"{host}{name}", "size": size, "ETag": mark, "type": "file"}
                 for name, size, mark in listed}  # fmt: skip
        return found if detail else sorted(found)


def register() -> None:
    """Makes `loopback://` known to fsspec in this process."""
    fsspec.register_implementation("loopback", LoopbackFileSystem, clobber=True)


def _asked(method: str, path: str, body: bytes | None = None, query: str = "") -> bytes:
    host, _, name = path.partition("/")
    request = urllib.request.Request(f"http://{host}/{quote(name)}{query}", data=body, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as answer:
            content: bytes = answer.read()
            return content
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise FileNotFoundError(path) from None
        raise OSError(f"{path}: status {error.code}") from None
