"""The server itself, with a model that counts frames: who is let in, how long, in which batches, and how it ends."""

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from stand_in import FrameCounter, motion
from starlette.testclient import TestClient

from motionhub.serving.app import make_app
from motionhub.serving.batching import BatchingThread
from motionhub.serving.gate import Limits
from motionhub.serving.server import bound, is_loopback


LOCAL = "http://127.0.0.1"


def client_of(model: FrameCounter, **limits: Any) -> TestClient:
    return TestClient(make_app({"counter": model}, Limits(**limits)), base_url=LOCAL)


def frames_of(answer: Any) -> float:
    return answer.json()["people"][0]["scores"][0]["score"]


def eventually(condition) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen in 10 s")


@contextmanager
def busy(model: FrameCounter, *frames: int, **limits: Any) -> Iterator[tuple[TestClient, list[Future[Any]]]]:
    """A server that holds requests of so many frames until `model.go`; their answers to come."""
    with client_of(model, **limits) as client, ThreadPoolExecutor(len(frames)) as pool:
        model.go.clear()
        inside = [pool.submit(client.post, "/models/counter/labels", json=motion(each)) for each in frames]
        try:
            eventually(lambda: client.app.state.server.gate.inside == len(frames))
            yield client, inside
        finally:
            model.go.set()


def test_a_full_server_says_429_and_when_to_come_again():
    model = FrameCounter()
    with busy(model, 5, 6, waiting=2) as (client, inside):
        refused = client.post("/models/counter/labels", json=motion())
        assert refused.status_code == 429 and int(refused.headers["Retry-After"]) >= 1
        assert client.get("/ready").status_code == 429
        assert client.get("/health").json() == {"status": "ok"}
        model.go.set()
        assert [frames_of(each.result()) for each in inside] == [5, 6]
        assert client.get("/ready").status_code == 200
        counted = client.get("/metrics").text
        assert 'motionhub_requests_total{route="/models/counter/labels",status="429"} 1' in counted
        assert 'motionhub_requests_total{route="/models/counter/labels",status="200"} 2' in counted


def test_a_stopping_server_says_503_and_answers_what_is_inside():
    model = FrameCounter()
    with busy(model, 7) as (client, [inside]):
        client.app.state.server.gate.draining = True
        refused = client.post("/models/counter/labels", json=motion())
        assert refused.status_code == 503 and refused.headers["Connection"] == "close"
        assert client.get("/ready").status_code == 503
        model.go.set()
        assert frames_of(inside.result()) == 7


def test_requests_that_wait_together_are_one_batch_and_a_bad_one_spoils_no_other():
    model = FrameCounter()
    with busy(model, 1) as (client, [first]), ThreadPoolExecutor(3) as pool:
        thread = client.app.state.server.thread
        eventually(thread._waiting.empty)
        others = [pool.submit(client.post, "/models/counter/labels", json=motion(frames)) for frames in (3, 13, 4)]
        eventually(lambda: thread._waiting.qsize() == 3)
        model.go.set()
        assert frames_of(first.result()) == 1
        answers = [each.result() for each in others]
        assert [each.status_code for each in answers] == [200, 422, 200]
        assert [frames_of(answers[0]), frames_of(answers[2])] == [3, 4]
        assert answers[1].json() == {"detail": "13 frames are refused."}
        assert model.batches == [1, 3, 1, 1, 1]  # the batch that fails is computed one by one


def test_an_answer_that_takes_too_long_is_503():
    model = FrameCounter()
    with client_of(model, seconds=0.1) as client:
        model.go.clear()
        late = client.post("/models/counter/labels", json=motion())
        model.go.set()
        assert late.status_code == 503
        assert late.json()["detail"] == "The answer is not ready within 0.1 s; send less, or try again."
        assert client.app.state.server.gate.inside == 0


def test_jobs_of_other_keys_are_other_batches_and_cancelled_ones_are_not_computed():
    thread, go, batches = BatchingThread(8), threading.Event(), []

    def compute(items: list[Any]) -> list[Any]:
        go.wait(10)
        batches.append(items)
        return items

    first = thread.submit("a", compute, 0)
    eventually(first.running)
    jobs = [thread.submit(key, compute, item) for key, item in (("a", 1), ("b", 2), ("a", 3), ("b", 4))]
    assert jobs[3].cancel()
    go.set()
    thread.close()
    assert [job.result() for job in jobs[:3]] == [1, 2, 3]
    assert batches == [[0], [1, 3], [2]]


# Over ASGI, message by message: a client that is slow, sends no length, or leaves.


def asked(model: FrameCounter, messages: list[dict[str, Any]], limits: Limits, length: str | None = None) -> Any:
    """Status and body for a request whose messages come as given; a number is a pause in seconds."""
    app = make_app({"counter": model}, limits)
    headers = [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")]
    headers += [(b"content-length", length.encode())] if length else []
    scope = {"type": "http", "method": "POST", "path": "/models/counter/labels", "headers": headers}
    scope |= {"query_string": b"", "scheme": "http", "asgi": {"version": "3.0"}, "http_version": "1.1"}
    scope |= {"server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "root_path": ""}
    sent: list[Any] = []
    coming = list(messages)

    async def receive() -> Any:
        while coming:
            message = coming.pop(0)
            if isinstance(message, dict):
                return message
            await asyncio.sleep(message)
        await asyncio.sleep(60)

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)
            model.go.set()

    asyncio.run(run())
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], json.loads(body) if body else None


def part(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_request_in_parts_without_length_is_answered_and_limited():
    body = json.dumps(motion(9)).encode()
    parts = [part(body[:100], True), part(body[100:])]
    status, answer = asked(FrameCounter(), parts, Limits())
    assert (status, answer["people"][0]["scores"][0]["score"]) == (200, 9)
    status, answer = asked(FrameCounter(), parts, Limits(json=150))
    assert (status, answer["detail"]) == (
        413,
        "Expected at most 150 bytes of application/json, got more; cut the recording.",
    )


@pytest.mark.parametrize(("length", "shown"), [(str(10**10), "10000000000"), ("9" * 5000, "9" * 20 + ";")])
def test_a_stated_length_that_is_too_large_is_refused_before_it_is_read(length, shown):
    status, answer = asked(FrameCounter(), [30], Limits(), length=length)
    assert status == 413 and f"got {shown}" in answer["detail"]


def test_a_slow_client_gets_408():
    status, answer = asked(FrameCounter(), [part(b"{", True), 5], Limits(upload=0.1))
    assert (status, answer["detail"]) == (408, "The request has not arrived within 0.1 s; send less, or try again.")


@pytest.mark.parametrize("early", [True, False], ids=["while it sends", "while it waits"])
def test_a_client_that_leaves_frees_its_place_and_is_counted(early):
    model = FrameCounter()
    model.go.clear()
    gone = {"type": "http.disconnect"}
    messages = [part(b"{", True), gone] if early else [part(json.dumps(motion()).encode()), 0.2, gone]
    assert asked(model, messages, Limits())[0] == 499


# In a process of its own.


def post(port: int, frames: int) -> str:
    """`200`, `503`, ...; `wrong` for another's answer; `refused` and `reset` where none came."""
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.connect()
    except OSError:
        return "refused"
    try:
        body = json.dumps(motion(frames))
        connection.request("POST", "/models/counter/labels", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = json.loads(answer.read())
        if answer.status == 200 and content["people"][0]["scores"][0]["score"] != frames:
            return "wrong"
        return str(answer.status)
    except OSError:
        return "reset"
    finally:
        connection.close()


def test_what_was_accepted_before_sigterm_is_answered_and_what_comes_then_gets_503():
    script = Path(__file__).with_name("stand_in.py")
    with subprocess.Popen([sys.executable, script, "0.05"], stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline())
            assert post(port, 3) == "200"
            with ThreadPoolExecutor(12) as pool:
                before = [pool.submit(post, port, frames) for frames in range(20, 30)]
                metrics = HTTPConnection("127.0.0.1", port, timeout=30)

                def inside() -> bool:
                    metrics.request("GET", "/metrics")
                    counted = metrics.getresponse().read().decode()
                    seen = counted.rstrip().rpartition(" ")[2]
                    answered = 'labels",status="200"} 11' in counted
                    return int(seen) == 10 or (answered and int(seen) == 0)

                eventually(inside)
                process.send_signal(signal.SIGTERM)
                time.sleep(0.1)
                after = [pool.submit(post, port, 2) for _ in range(3)]
                assert Counter(each.result() for each in before) == {"200": 10}
                assert {each.result() for each in after} <= {"503", "refused"}
            assert process.wait(120) == 0
        finally:
            process.kill()


def test_only_addresses_of_this_machine_are_loopback():
    assert all(map(is_loopback, ("127.0.0.1", "127.8.0.1", "localhost", "::1")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.1", "example.com", "")))


def test_an_address_that_cannot_be_used_is_one_line():
    with bound("127.0.0.1", 0) as taken, pytest.raises(ValueError, match="--port 0 takes a free one"):
        bound("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(ValueError, match="cannot be used"):
        bound("192.0.2.1", 0)  # documentation only: no machine has it
