"""Where events go: JSON lines, CSV, a webhook, MQTT. What is slow runs in a thread and never holds up the stream."""

import csv
import json
import queue
import re
import threading
import time as clock_of
import urllib.request
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, unquote, urlsplit


QUEUED = 256  # events that wait to be sent; of more, the oldest are given up
TIMEOUT = 5.0  # seconds of one attempt
RETRIES = (0.5, 2.0, 5.0)  # seconds before the further attempts
COLUMNS = (
    *("event", "person", "label", "probability", "coverage", "start_s", "end_s", "time_s", "clock", "delay_s", "rule"),
)

Message = Mapping[str, Any]


class Output(Protocol):
    """Takes the events of a stream as JSON values."""

    def write(self, message: Message) -> None:
        """One event."""

    def close(self) -> dict[str, int]:
        """The end; returns counts, such as events that could not be sent."""


class _File:
    """A file that is complete after each event; while its disk is full the stream goes on, and events are counted."""

    def __init__(self, path: str | Path) -> None:
        self._path, self._failed = Path(path), 0
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(path, "a", encoding="utf-8", newline="")  # noqa: SIM115  # closed by close()

    def _write(self, write: Callable[[], object]) -> None:
        try:
            write()
            self._file.flush()  # what could not be written stays in the buffer and is tried again
        except OSError as error:
            self._failed += 1
            if self._failed == 1:
                what = f"{self._path}: cannot be written ({error.strerror}); the stream goes on"
                warnings.warn(what, stacklevel=3)

    def close(self) -> dict[str, int]:
        try:
            self._file.close()
        except OSError:
            return {f"{self._path.name} failed": max(self._failed, 1)}
        return {}


class JsonLines(_File):
    """Appends one JSON object a line to a file, complete after each event."""

    def write(self, message: Message) -> None:
        self._write(lambda: self._file.write(json.dumps(message, ensure_ascii=False) + "\n"))


class Csv(_File):
    """Appends events to a table with the columns `COLUMNS`; totals are left out."""

    def __init__(self, path: str | Path) -> None:
        new = not Path(path).exists() or not Path(path).stat().st_size
        super().__init__(path)
        self._table = csv.DictWriter(self._file, COLUMNS, extrasaction="ignore", restval="")
        if new:
            self._write(self._table.writeheader)

    def write(self, message: Message) -> None:
        if "person" in message:
            self._write(lambda: self._table.writerow(message))


class Sender:
    """Sends events from a thread, in order; when `QUEUED` of them wait, the oldest is given up.

    Args:
        name: for the counts.
        send: sends one event; raises if it could not.
        retries: seconds before each further attempt.
    """

    def __init__(self, name: str, send: Callable[[Message], None], retries: tuple[float, ...] = RETRIES) -> None:
        self.name, self._send, self._retries = name, send, retries
        self._waiting: queue.Queue[Message | None] = queue.Queue(QUEUED)
        self._sent = self._failed = self._given_up = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def write(self, message: Message) -> None:
        while True:
            try:
                self._waiting.put_nowait(message)
                return
            except queue.Full:
                try:
                    self._waiting.get_nowait()
                    self._given_up += 1
                except queue.Empty:
                    continue

    def close(self, patience: float = 10.0) -> dict[str, int]:
        """Waits up to `patience` seconds for what is still to be sent."""
        end = clock_of.monotonic() + patience
        while self._waiting.full() and clock_of.monotonic() < end:
            clock_of.sleep(0.01)
        if not self._waiting.full():
            self._waiting.put_nowait(None)
        self._thread.join(max(end - clock_of.monotonic(), 0.0))
        self._stop.set()
        left = sum(message is not None for message in list(self._waiting.queue))
        counts = {"sent": self._sent, "failed": self._failed, "given up": self._given_up + left}
        return {f"{self.name} {what}": count for what, count in counts.items()}

    def _run(self) -> None:
        while (message := self._waiting.get()) is not None:
            for seconds in (0.0, *self._retries):
                if self._stop.wait(seconds):
                    return
                try:
                    self._send(message)
                except Exception:  # whatever the other side answers (HTTPException is no OSError), the next may work
                    continue
                self._sent += 1
                break
            else:
                self._failed += 1


def webhook(url: str, timeout: float = TIMEOUT, retries: tuple[float, ...] = RETRIES) -> Sender:
    """Posts every event as JSON to an address of http or https; redirects are not followed.

    Raises:
        ValueError: another kind of address.
    """
    parts = _parts(url, "webhook")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        wanted = "an address http://... or https://... without a user"
        raise ValueError(f"webhook: expected {wanted}, got {_without_password(url)!r}.")
    opener = urllib.request.build_opener(_NoRedirect)

    def send(message: Message) -> None:
        body = json.dumps(message).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with opener.open(request, timeout=timeout):
            pass

    return Sender("webhook", send, retries)


def _parts(url: str, name: str) -> SplitResult:
    """The parts of an address. Raises ValueError for one with blanks or control characters, or a port that is none."""
    try:
        parts = urlsplit(url)
        if parts.port == 0 or not all(char.isprintable() and not char.isspace() for char in url):
            raise ValueError("blanks, control characters or port 0")
    except ValueError as error:
        raise ValueError(f"{name}: {_without_password(url)!r} is no address ({error}).") from None
    return parts


def _without_password(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//...@", url)[:200]


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an error: an address in the house must not send events elsewhere."""

    def redirect_request(self, *arguments: Any, **named: Any) -> None:
        return None


def mqtt(url: str, timeout: float = TIMEOUT, retries: tuple[float, ...] = RETRIES) -> Sender:
    """Publishes every event as JSON to `mqtt://[user:password@]host[:port]/topic` (mqtts:// for TLS), at quality 1.

    Raises:
        ValueError: another kind of address, or one without a topic.
        ImportError: paho-mqtt is not installed.
    """
    parts = _parts(url, "mqtt")
    topic = unquote(parts.path.strip("/"))
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or not topic:
        raise ValueError(f"mqtt: expected mqtt://host/topic, got {_without_password(url)!r}.")
    # Brokers refuse wildcards and NUL; # and ? would end the path of the address.
    if {"+", "#", "\0"} & {*topic} or {"#", "?"} & {*url} or not 0 < len(topic.encode()) < 2**16:
        raise ValueError(f"mqtt: a topic has no +, #, ? and NUL, and is under 64 kB, got {_without_password(url)!r}.")
    try:
        import paho.mqtt.client as paho
    except ImportError:
        raise ImportError('Sending by MQTT needs paho-mqtt: pip install "motionhub[mqtt]"') from None
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    if parts.username:
        client.username_pw_set(unquote(parts.username), unquote(parts.password or ""))
    if parts.scheme == "mqtts":
        client.tls_set()
    started = False

    def send(message: Message) -> None:
        nonlocal started
        if not started:
            client.connect(parts.hostname, parts.port or (8883 if parts.scheme == "mqtts" else 1883))
            client.loop_start()
            started = True
        sent = client.publish(topic, json.dumps(message), qos=1)
        try:
            sent.wait_for_publish(timeout)
        except (RuntimeError, ValueError) as error:  # not connected, or its queue is full
            raise OSError(str(error)) from None
        if not sent.is_published():
            raise OSError(f"{parts.hostname} did not answer in {timeout:g} s")

    return Sender("mqtt", send, retries)
