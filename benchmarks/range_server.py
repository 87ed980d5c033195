"""A folder over HTTP, with parts of files (`Range`) and lists of folders: what shards at a web address need.

    python benchmarks/range_server.py FOLDER [--host 127.0.0.1] [--port 0]

Prints its address, then serves until it is ended.
"""

import argparse
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class RangeHandler(SimpleHTTPRequestHandler):
    """`SimpleHTTPRequestHandler` with `Range: bytes=FIRST-LAST` of files."""

    protocol_version = "HTTP/1.1"  # one connection for many requests

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if asked is None or not path.is_file():
            return super().do_GET()
        size = path.stat().st_size
        first, last = int(asked[1]), min(int(asked[2] or size - 1), size - 1)
        if first > last:
            return self.send_error(416)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        with path.open("rb") as content:
            self.wfile.flush()
            offset, left = first, last - first + 1
            while left:
                sent = os.sendfile(self.connection.fileno(), content.fileno(), offset, left)
                offset, left = offset + sent, left - sent

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def log_message(self, *_: object) -> None:
        """Silence."""


def server(folder: str | Path, host: str = "127.0.0.1", port: int = 0) -> ThreadingHTTPServer:
    made = ThreadingHTTPServer((host, port), partial(RangeHandler, directory=str(folder)))
    made.daemon_threads = True
    return made


@contextmanager
def served(folder: str | Path) -> Iterator[str]:
    """The address of the folder, inside the block, by a thread of this process."""
    with server(folder) as made:
        threading.Thread(target=made.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def main(argv: Any = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    options = parser.parse_args(argv)
    with server(options.folder, options.host, options.port) as made:
        print(f"http://{options.host}:{made.server_port}", flush=True)
        made.serve_forever()


if __name__ == "__main__":
    main()
