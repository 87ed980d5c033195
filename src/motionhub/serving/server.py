"""Runs the application on a socket until a signal, and answers then what was let in before it ends."""

import errno
import ipaddress
import socket
import time
from typing import Any

import uvicorn
from fastapi import FastAPI

from motionhub.serving.app import LOOPBACK
from motionhub.serving.gate import Gate, Limits


# Seconds for which new requests get 503 at least, so that who balances the load learns of the end.
_LINGER = 0.5
_BACKLOG = 2048
# Of connections that wait for nothing; a process may have 1,024 files open on many systems.
_MOST_IDLE = 256


class DrainingServer(uvicorn.Server):
    """After SIGTERM or Ctrl-C, new requests get 503 and those inside are answered; a second signal ends at once.

    Connections that hold a place for nothing are closed: those without a whole request after `limits.upload`, and
    those whose client does not take the answer.

    Args:
        gate: of the application.
        limits: of the application.
        grace: seconds that requests inside may take.
    """

    def __init__(self, config: uvicorn.Config, gate: Gate, limits: Limits, grace: float) -> None:
        super().__init__(config)
        self.gate, self.limits, self.grace = gate, limits, grace
        self._asked: float | None = None
        # Of each connection its last request, and from what time on.
        self._since: dict[Any, tuple[Any, float]] = {}

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self._asked is not None:
            super().handle_exit(sig, frame)
        self._asked = time.monotonic()
        self.gate.draining = True

    async def on_tick(self, counter: int) -> bool:
        ends = await super().on_tick(counter)
        self._close_useless()
        if self._asked is None:
            return ends
        waited = time.monotonic() - self._asked
        return ends or waited > self.grace or (self.gate.inside == 0 and waited > _LINGER)

    def _close_useless(self) -> None:
        now = time.monotonic()
        connections: list[Any] = list(self.server_state.connections)
        before, self._since = self._since, {}
        idle: list[tuple[float, Any]] = []
        for connection in connections:
            request = connection.cycle
            seen, since = before.get(connection, (request, now))
            since = since if seen is request else now
            self._since[connection] = request, since
            waits = request is None or request.response_complete
            # To arrive, to be answered, to be taken.
            patience = self.limits.upload if waits else 2 * self.limits.upload + self.limits.seconds
            if now - since > patience:
                connection.transport.abort()
            elif waits:
                idle.append((since, connection))
        for _, connection in sorted(idle, key=lambda each: each[0])[: max(len(idle) - _MOST_IDLE, 0)]:
            connection.transport.abort()


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
        http="h11",  # has a limit of headers
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        backlog=_BACKLOG,
    )
    server = app.state.server
    DrainingServer(config, server.gate, server.limits, grace).run(sockets=[listening])
