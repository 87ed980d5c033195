"""Who is let in: limits of a request, how many are answered at a time, refusals, and what is counted of them."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one request may ask for.

    Args:
        body: bytes of a request with a file.
        json: bytes of a request in JSON, which takes ten times its size in memory.
        frames: frames of all people together (people x frames), also of a video.
        labels: candidate labels.
        upload: seconds until the whole request has arrived.
        seconds: for an answer, from then on.
        waiting: requests that are read or answered at a time; further ones are refused.
    """

    body: int = 64 * 2**20
    json: int = 16 * 2**20
    frames: int = 36_000
    labels: int = 1000
    upload: float = 30.0
    seconds: float = 60.0
    waiting: int = 64


class Refused(Exception):
    """A request that is not answered: the HTTP status and one line for the client.

    Args:
        status: of HTTP.
        detail: expected, got, and what to do.
        retry: seconds after which the client may ask again; None: the same request is refused again.
    """

    def __init__(self, status: int, detail: str, retry: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry = status, " ".join(detail.split()), retry


class Gate:
    """Counts requests in and out, and lets none in when it is full or the server stops."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting
        self.inside = 0
        self.draining = False
        self.emptied = 0.0  # when the last request left
        self.seconds = 0.0  # of all answers
        self.answers: Counter[tuple[str, int]] = Counter()  # (route, status)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """One request. Raises Refused with 503 when the server stops and 429 when it is full."""
        if self.draining:
            raise Refused(503, "The server is stopping; ask another one, or try again later.", retry=10)
        if self.inside >= self.waiting:
            wait = max(1, round(self.inside * self._mean()))
            raise Refused(429, f"{self.waiting} requests are waiting, which is the most; try again later.", retry=wait)
        self.inside += 1
        started = time.monotonic()
        try:
            yield
        finally:
            self.inside -= 1
            self.emptied = time.monotonic()
            self.seconds += self.emptied - started

    def _mean(self) -> float:
        """Seconds of the server per answer, at most: those of an answer include its waiting for others."""
        number = sum(self.answers.values())
        return self.seconds / number / self.waiting if number else 0.0

    def metrics(self) -> str:
        """The counts in the text format of Prometheus."""
        lines = ["# TYPE motionhub_requests_total counter"]
        for (route, status), count in sorted(self.answers.items()):
            lines.append(f'motionhub_requests_total{{route="{route}",status="{status}"}} {count}')
        lines += ["# TYPE motionhub_request_seconds_total counter"]
        lines += [f"motionhub_request_seconds_total {self.seconds:.3f}"]
        lines += ["# TYPE motionhub_requests_inside gauge", f"motionhub_requests_inside {self.inside}"]
        return "\n".join(lines) + "\n"
