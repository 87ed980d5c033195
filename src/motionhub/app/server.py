"""Starts the page on this machine: limits, temporary files, and no request to any other server."""

import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from motionhub.app.desk import Desk
from motionhub.app.guard import LOOPBACK, Guard
from motionhub.app.models import Models
from motionhub.app.page import Page, look, need_gradio
from motionhub.app.recordings import Limits


@contextmanager
def serving(
    models: Models,
    given: Mapping[str, Path] | None = None,
    *,
    host: str = LOOPBACK[0],
    port: int = 0,
    limits: Limits | None = None,
) -> Iterator[str]:
    """Serves the page until the block ends; yields its address. All its files are removed then.

    Args:
        given: recordings that visitors may choose: shown name -> path.
        host: 127.0.0.1: this machine only, whatever name a request uses; another address: whoever reaches it.
        port: 0 takes a free one.

    Raises:
        ValueError: the port is in use.
        ImportError: Gradio is not installed.
    """
    limits = limits or Limits()
    files = tempfile.TemporaryDirectory(prefix="motionhub-app-", ignore_cleanup_errors=True)
    with files as folder, _quiet_gradio(folder):
        local = host in LOOPBACK
        where = "This page runs on this machine only." if local else "This page runs on a server: files go to it."
        page = Page(Desk(models, limits, Path(folder)), given or {}, where).build()
        page.queue(max_size=20, default_concurrency_limit=1)
        chosen = port
        try:
            chosen = chosen or _free_port(host)
            page.launch(
                server_name=host,
                server_port=chosen,
                max_file_size=f"{limits.megabytes}mb",
                app_kwargs={"middleware": [_middleware(LOOPBACK if local else None)]},
                **_CLOSED,
                **look(),
            )
        except OSError as error:
            raise ValueError(f"Port {chosen} of {host} cannot be used ({error}); pass another: --port 0.") from None
        try:
            yield f"http://{'localhost' if local else host}:{chosen}/"
        finally:
            page.close(verbose=False)


# Nothing is shared, reported, rendered by another process, or offered to programs of others.
_CLOSED: dict[str, Any] = {
    "share": False,
    "quiet": True,
    "prevent_thread_lock": True,
    "show_error": False,
    "enable_monitoring": False,
    "ssr_mode": False,
    "pwa": False,
    "mcp_server": False,
    "run_history": False,
    "footer_links": [],
    "inbrowser": False,
    # Gradio waits for its server, without limit, and then asks it again, for three seconds: too few on a busy machine.
    "_frontend": False,
}


@contextmanager
def _quiet_gradio(folder: str) -> Iterator[None]:
    """Gradio's environment: no reports or switches of its own, files in `folder`, nothing fetched for clients."""
    own = [name for name in os.environ if name.startswith(("GRADIO_", "OTEL_"))]
    direct = ",".join([*filter(None, [os.environ.get("no_proxy") or os.environ.get("NO_PROXY")]), *LOOPBACK])
    ours = {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": folder, "no_proxy": direct, "NO_PROXY": direct}
    before = {name: os.environ.pop(name, None) for name in {*own, *ours}}
    os.environ.update(ours)
    need_gradio()
    from gradio import processing_utils

    fetch = processing_utils.async_ssrf_protected_get
    processing_utils.async_ssrf_protected_get = _fetch_nothing
    try:
        yield
    finally:
        processing_utils.async_ssrf_protected_get = fetch
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


async def _fetch_nothing(url: str) -> Any:
    """In the place of Gradio's function for files that a client names by their address."""
    raise ValueError("Files of other servers are not fetched: choose a file.")


def _middleware(hosts: tuple[str, ...] | None) -> Any:
    from starlette.middleware import Middleware

    return Middleware(Guard, hosts=hosts)


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as taken:
        taken.bind((host, 0))
        return int(taken.getsockname()[1])
