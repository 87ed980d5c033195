"""Connections that hold a place for nothing are closed, and those that ask properly are answered meanwhile."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection

import pytest
import uvicorn
from stand_in import FrameCounter
from starlette.testclient import TestClient

from motionhub.serving import server
from motionhub.serving.app import make_app
from motionhub.serving.gate import Limits


# More than any answer here takes on a busy machine, as a server that computes does not look at its clock.
QUICK = Limits(upload=1.0, seconds=1.0)
HEAD = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"


class Talkative(FrameCounter):
    """Answers with more than the buffers of a connection hold."""

    labels = ["x" * 1000] * 10_000


@contextmanager
def running(monkeypatch: pytest.MonkeyPatch, limits: Limits = QUICK) -> Iterator[int]:
    """The port of a server in a thread."""
    made: list[uvicorn.Server] = []

    class Kept(server.DrainingServer):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(server, "DrainingServer", Kept)
    app = make_app({"counter": Talkative()}, limits)
    with server.bound("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, args=(app, listening), kwargs={"grace": 0.0})
        thread.start()
        while not (made and made[0].started):
            time.sleep(0.01)
        try:
            yield listening.getsockname()[1]
        finally:
            made[0].force_exit = made[0].should_exit = True
            thread.join(30)


def closed_within(client: socket.socket, seconds: float, meanwhile: Callable[[], None] = lambda: None) -> bool:
    """Whether the server closes the connection, which answers nothing more."""
    client.settimeout(0.1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(TimeoutError):
            try:
                meanwhile()
                if client.recv(2**16) == b"":
                    return True
            except ConnectionError:
                return True
    return False


def is_well(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/health")
    return connection.getresponse().status == 200


@pytest.mark.parametrize(
    ("start", "then"),
    [
        (b"", b""),
        (HEAD[:30], b""),
        (HEAD, b"x: y\r\n"),  # a header now and then
        (HEAD + b"Content-Length: 1000000\r\n\r\n", b"x"),  # answered, and the body goes on
    ],
    ids=["silent", "half a line", "a header now and then", "a body that nobody reads"],
)
def test_a_connection_without_a_whole_request_is_closed(monkeypatch, start, then):
    with running(monkeypatch) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(start)
        assert closed_within(client, 20, lambda: client.sendall(then))
        assert is_well(port)


def test_a_client_that_takes_no_answer_is_closed(monkeypatch):
    with running(monkeypatch) as port, socket.create_connection(("127.0.0.1", port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        time.sleep(2 * QUICK.upload + QUICK.seconds + 2)
        assert is_well(port)
        received = 0
        client.settimeout(20)
        with suppress(ConnectionError):
            while part := client.recv(2**20):
                received += len(part)
        assert received < 10_000_000


def test_of_many_idle_connections_the_oldest_are_closed(monkeypatch):
    monkeypatch.setattr(server, "_MOST_IDLE", 3)
    with running(monkeypatch, Limits()) as port:
        clients = []
        for _ in range(6):
            clients.append(socket.create_connection(("127.0.0.1", port)))
            time.sleep(0.25)  # the server looks ten times a second
        assert [closed_within(client, 20) for client in clients[:3]] == [True] * 3
        assert [closed_within(client, 0.2) for client in clients[3:]] == [False] * 3
        for client in clients:
            client.close()


def test_headers_without_end_are_refused_before_they_fill_the_memory(monkeypatch):
    with running(monkeypatch, Limits()) as port, socket.create_connection(("127.0.0.1", port)) as client:
        sent = 0
        with suppress(ConnectionError):
            client.sendall(HEAD)
            while sent < 2**22:
                client.sendall(b"x: " + b"y" * 1000 + b"\r\n")
                sent += 1005
        assert closed_within(client, 20)
        assert is_well(port)


def test_the_server_has_no_page_and_its_document_names_no_other_host():
    with TestClient(make_app({"counter": FrameCounter()}), base_url="http://127.0.0.1") as client:
        assert {client.get(path).status_code for path in ("/docs", "/redoc", "/docs/oauth2-redirect")} == {404}
        document = client.get("/openapi.json")
        assert document.status_code == 200 and "http" not in document.text.replace("http.", "")
