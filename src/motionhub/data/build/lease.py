"""One run at a time writes into an output: a file with a counter that its owner moves.

Whether an owner is alive is judged by whether the counter moves while one waits. No time stamp is read, so the clocks
of the machines may differ by any amount.
"""

import json
import os
import socket
import threading
import time
import uuid
from contextlib import suppress
from typing import Any

from motionhub.bounded import parse_json
from motionhub.data.build.store import Store, StoreError


NAME = "state/run.json"
BEAT = 5.0
BEAT_OF_COMMITS = 60.0
PATIENCE = 3


class Lease:
    """The right to write into a store, for the length of a `with` block.

    Of two runs that begin at the same moment the later one stays; the other ends at its next `check`.

    Args:
        store: the output.
        beat: seconds between two moves of the counter; None: 5, or 60 where every write is a commit.
        patience: beats without a move after which an owner counts as dead.

    Raises:
        ValueError: another run is writing there.

    Examples:
        >>> from motionhub.data.build.lease import Lease
        >>> from motionhub.data.build.store import Store
        >>> with Lease(Store("memory://poses")) as lease:
        ...     lease.check()
    """

    def __init__(self, store: Store, *, beat: float | None = None, patience: int = PATIENCE) -> None:
        own = BEAT_OF_COMMITS if store.writes_are_commits else BEAT
        self.store, self.beat, self.patience = store, own if beat is None else beat, patience
        self.token = uuid.uuid4().hex
        self._lost_to = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._move, daemon=True)

    def __enter__(self) -> "Lease":
        before = self._read()
        deadline = time.monotonic() + self.beat * self.patience
        while before is not None and time.monotonic() < deadline:
            time.sleep(self.beat / 2)
            now = self._read()
            if now is not None and now != before:
                raise ValueError(f"{self.store.address}: {_who(now)} is writing there; wait for it, or end it first.")
            before = now
        self._write(0)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(2 * self.beat)  # a store that hangs does not keep the run from its end
        with suppress(OSError):
            if self._owned():
                self.store.remove(NAME)

    def check(self) -> None:
        """Raises ValueError if another run has taken the output over."""
        if self._lost_to:
            raise ValueError(
                f"{self.store.address}: {self._lost_to} has taken it over; this run ends. Nothing is lost."
            )

    def _move(self) -> None:
        count = 0
        while not self._ended.wait(self.beat):
            with suppress(StoreError):  # a store that is away for a while; the next beat asks again
                now = self._read()
                if now is not None and now["token"] != self.token:
                    self._lost_to = _who(now)
                    return
                count += 1
                self._write(count)

    def _owned(self) -> bool:
        now = self._read()
        return now is not None and bool(now["token"] == self.token)

    def _read(self) -> dict[str, Any] | None:
        return read_owner(self.store)

    def _write(self, count: int) -> None:
        owner = {"token": self.token, "host": socket.gethostname(), "process": os.getpid(), "count": count}
        self.store.write(NAME, json.dumps(owner).encode())


def read_owner(store: Store) -> dict[str, Any] | None:
    """What the owner of an output wrote last; None without one, or where the file is damaged."""
    try:
        owner: dict[str, Any] = parse_json(store.read(NAME), NAME)
    except (FileNotFoundError, ValueError):
        return None
    return owner if "token" in owner else None


def _who(owner: dict[str, Any]) -> str:
    process, host = (str(owner.get(name))[:100] for name in ("process", "host"))  # another program may have written it
    return f"another run (process {process} on {host})"
