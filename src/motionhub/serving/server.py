"""Runs the application on a socket until a signal, and answers then what was let in before it ends."""

import errno
import ipaddress
import socket
import time
from typing import Any

import uvicorn
from fastapi import FastAPI

from motionhub.serving.app import LOOPBACK
from motionhub.serving.gate import Gate


# Seconds for which new requests get 503 at least, so that who balances the load learns of the end.
_LINGER = 0.5
_BACKLOG = 2048


class DrainingServer(uvicorn.Server):
    """After SIGTERM or Ctrl-C, new requests get 503 and those inside are answered; a second signal ends at once.

    Args:
        gate: of the application.
        grace: seconds that requests inside may take.
    """

    def __init__(self, config: uvicorn.Config, gate: Gate, grace: float) -> None:
        super().__init__(config)
        self.gate, self.grace = gate, grace
        self._asked: float | None = None

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self._asked is not None:
            super().handle_exit(sig, frame)
        self._asked = time.monotonic()
        self.gate.draining = True

    async def on_tick(self, counter: int) -> bool:
        ends = await super().on_tick(counter)
        if self._asked is None:
            return ends
        waited = time.monotonic() - self._asked
        return ends or waited > self.grace or (self.gate.inside == 0 and waited > _LINGER)


def bound(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises ValueError for an address that cannot be used."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        fix = "--port 0 takes a free one" if error.errno in (errno.EADDRINUSE, errno.EACCES) else "see --host"
        raise ValueError(f"{host} port {port} cannot be used ({error.strerror}); {fix}.") from None


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect."""
    try:
        return host in LOOPBACK or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def run(app: FastAPI, listening: socket.socket, *, grace: float = 30.0) -> None:
    """Serves until SIGTERM or Ctrl-C.

    Args:
        app: of `make_app`.
        listening: of `bound`.
        grace: seconds that requests inside may take after the signal.
    """
    config = uvicorn.Config(
        app,
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        backlog=_BACKLOG,
    )
    DrainingServer(config, app.state.server.gate, grace).run(sockets=[listening])
