"""`motionhub web`: serves the built page to the browser of this machine, and to nothing else."""

import errno
import re
import webbrowser
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from typer import Argument, Option


LOOPBACK = "127.0.0.1"
HOSTS = ("127.0.0.1", "localhost")
LONGEST_PATH = 1000
NEEDED = ("index.html", "service_worker.js", "model/web.json")
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
    ".txt": "text/plain; charset=utf-8",
}
_POLICY = re.compile(r'http-equiv="Content-Security-Policy"\s+content="([^"]+)"')


def web(
    folder: Annotated[str, Argument(help="The folder that make web built")] = "build/web",
    *,
    port: Annotated[int, Option(min=0, max=65535, help="0 takes a free one")] = 8765,
    show: Annotated[bool, Option("--open", help="Also open it in the browser")] = False,
) -> None:
    """Serve the page that names actions in videos, on this machine only, until Ctrl-C."""
    with page_server(folder, port) as server:
        address = f"http://localhost:{server.server_address[1]}/"
        print(f"{address}  (this machine only; Ctrl-C ends it)", flush=True)
        if show:
            webbrowser.open(address)
        server.serve_forever()


def page_server(folder: str | Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of the folder on the loopback address, not yet running.

    Raises:
        ValueError: the folder is no built page, or the port is in use.
    """
    root = Path(folder).resolve()
    absent = [name for name in NEEDED if not (root / name).is_file()]
    if absent:
        names = ", ".join(absent)
        raise ValueError(f"{folder}: expected a built page, but {names} is absent; build it in a clone: make web.")
    found = _POLICY.search((root / "index.html").read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{folder}: index.html has no content security policy; build it again: make web.")
    policy = f"{found[1]}; frame-ancestors 'none'"
    try:
        return ThreadingHTTPServer((LOOPBACK, port), partial(PageHandler, root=root, policy=policy))
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise ValueError(f"Port {port} cannot be used ({error.strerror}); pass another: --port 0.") from None


class PageHandler(SimpleHTTPRequestHandler):
    """Answers GET and HEAD for files inside one folder, with the headers of the page.

    Args:
        root: the folder, resolved.
        policy: its content security policy.
    """

    extensions_map = TYPES
    server_version, sys_version = "motionhub", ""
    timeout = 30  # seconds that a connection may be silent

    def __init__(self, *args: Any, root: Path, policy: str) -> None:
        self.root, self.policy = root, policy
        super().__init__(*args, directory=str(root))

    def send_head(self) -> Any:
        """Refuses other hosts (DNS rebinding), paths that leave the folder, and folders without index.html."""
        try:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
            path = unquote(urlsplit(self.path).path)
        except ValueError:  # such as a bracket that is not closed
            host, path = None, ""
        if host not in HOSTS:
            self.send_error(HTTPStatus.FORBIDDEN, f"Only {' and '.join(HOSTS)} are served")
            return None
        if (
            len(path) > LONGEST_PATH
            or "\0" in path
            or "\\" in path
            or ".." in path.split("/")
            or not self._is_inside(path)
        ):
            self.send_error(HTTPStatus.NOT_FOUND, "No such file")
            return None
        return super().send_head()

    def _is_inside(self, path: str) -> bool:
        """Whether a path, links resolved, is a file of the folder, or the folder itself."""
        target = (self.root / path.lstrip("/")).resolve()
        if target == self.root:
            return True
        return target.is_relative_to(self.root) and target.is_file() and not path.endswith("/")

    def end_headers(self) -> None:
        """Adds the headers that every answer has."""
        self.send_header("Content-Security-Policy", self.policy)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Permissions-Policy", "camera=(self), microphone=(), geolocation=()")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Prints nothing for each file."""
