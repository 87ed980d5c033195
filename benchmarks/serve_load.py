"""Requests per second and waiting times of `motionhub serve`, from this process to another; and a stop under load.

    python benchmarks/serve_load.py hub_configs/unik-nucla-small [--clients 1 8 32] [--seconds 20]
    python benchmarks/serve_load.py hub_configs/tmor-small --batch_size 1

Each client sends its next request when it has the answer to the last. The request is a clip of 60 frames as JSON, and
every answer is compared with the first. At the end the server gets SIGTERM with the most clients at work: what it had
accepted must be answered.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import numpy as np
import psutil

import motionhub


HEADERS = {"Content-Type": "application/json"}


def request_of(zero_shot: bool) -> bytes:
    """A clip of 60 frames, 30 per second, as JSON."""
    clip = motionhub.generate("sit down", seed=0, num_frames=60)
    body: dict[str, Any] = {"keypoints": clip.keypoints.round(4).tolist(), "layout": clip.layout.name}
    body |= {"fps": clip.fps, "unit": clip.unit, "up": clip.up}
    return json.dumps(body | ({"candidate_labels": ["sit down", "wave", "walk"]} if zero_shot else {})).encode()


class Client(threading.Thread):
    """Asks until `until`, or until the server refuses; `seconds` of each answer, and `outcomes` by status."""

    def __init__(self, port: int, path: str, body: bytes, expected: bytes, until: float) -> None:
        super().__init__()
        self.port, self.path, self.body, self.expected, self.until = port, path, body, expected, until
        self.seconds: list[float] = []
        self.outcomes: Counter[str] = Counter()

    def run(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        while time.monotonic() < self.until:
            started = time.monotonic()
            outcome = self._ask(connection)
            self.outcomes[outcome] += 1
            if outcome != "200":
                break
            self.seconds.append(time.monotonic() - started)
        connection.close()

    def _ask(self, connection: HTTPConnection) -> str:
        """The status; `wrong` for another answer, `refused` if no connection is made, `lost` if no answer comes."""
        if connection.sock is None:
            try:
                connection.connect()
            except OSError:
                return "refused"
        try:
            connection.request("POST", self.path, self.body, HEADERS)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException):
            return "lost"
        same = answer.status != 200 or same_scores(content, self.expected)
        return str(answer.status) if same else "wrong"


def same_scores(first: bytes, second: bytes) -> bool:
    """Whether two answers have the same labels, and scores up to the rounding of batches."""
    scores = [json.loads(each)["people"][0]["scores"] for each in (first, second)]
    labels = [[entry["label"] for entry in each] for each in scores]
    values = [[entry["score"] for entry in each] for each in scores]
    return labels[0] == labels[1] and np.allclose(*values, atol=1e-4)


def measure(port: int, path: str, body: bytes, expected: bytes, clients: int, seconds: float) -> None:
    """Prints a row of the table."""
    started = time.monotonic()
    working = [Client(port, path, body, expected, started + seconds) for _ in range(clients)]
    for client in working:
        client.start()
    for client in working:
        client.join()
    elapsed = time.monotonic() - started
    times = np.concatenate([client.seconds for client in working])
    outcomes = sum((client.outcomes for client in working), Counter())
    low, high = np.percentile(times, (50, 99)) if len(times) else (np.nan, np.nan)
    print(f"{clients:7} {len(times) / elapsed:11.1f} {low:9.3f} {high:9.3f}   {dict(outcomes)}", flush=True)


def stop_under_load(server: subprocess.Popen[str], *asked: Any, clients: int) -> None:
    """Prints what became of the requests of clients at work when the server got SIGTERM."""
    working = [Client(*asked, time.monotonic() + 120) for _ in range(clients)]
    for client in working:
        client.start()
    time.sleep(3)
    started = time.monotonic()
    server.send_signal(signal.SIGTERM)
    for client in working:
        client.join()
    outcomes = sum((client.outcomes for client in working), Counter())
    print(f"SIGTERM at {clients} clients: {dict(outcomes)}; lost or wrong: {outcomes['lost'] + outcomes['wrong']}")
    print(f"ended after {time.monotonic() - started:.1f} s with status {server.wait(300)}")


def start(arguments: argparse.Namespace) -> tuple[subprocess.Popen[str], int]:
    """The server and its port."""
    command = [sys.executable, "-m", "motionhub.cli.main", "serve", arguments.model, "--port", "0"]
    command += ["--batch_size", str(arguments.batch_size), "--max_seconds", "120"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        if line.startswith("http://"):
            return server, int(line.partition("/openapi.json")[0].rpartition(":")[2])
    raise SystemExit("The server did not start.")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--batch_size", type=int, default=8)
    arguments = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    server, port = start(arguments)
    name = Path(arguments.model).resolve().name
    path = f"/models/{name}/labels"
    probe = HTTPConnection("127.0.0.1", port, timeout=300)
    probe.request("GET", "/models")
    body = request_of(json.loads(probe.getresponse().read())[0]["zero_shot"])
    probe.close()  # the server does, when a connection is idle for as long as a busy machine needs for the line above
    probe.request("POST", path, body, HEADERS)
    expected = probe.getresponse().read()
    print(f"{platform.machine()}, {os.cpu_count()} cores, of which {psutil.getloadavg()[0]:.0f} processes want one")
    print(f"{name}, {len(body)} bytes a request, batches of at most {arguments.batch_size}")
    print("clients  requests/s     p50 s     p99 s   answers by status")
    before = psutil.Process(server.pid).cpu_times()
    for clients in arguments.clients:
        measure(port, path, body, expected, clients, arguments.seconds)
    after = psutil.Process(server.pid).cpu_times()
    print(f"processor time of the server: {after.user + after.system - before.user - before.system:.1f} s")
    stop_under_load(server, port, path, body, expected, clients=max(arguments.clients))


if __name__ == "__main__":
    main()
