"""One thread computes for all requests; those that wait together, and ask the same of a model, are one batch."""

import queue
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Job:
    key: Hashable
    compute: Callable[[list[Any]], Sequence[Any]]
    item: Any
    result: "Future[Any]" = field(default_factory=Future)


class BatchingThread:
    """Computes jobs in the order in which they come, those with equal keys together.

    Nothing waits for a batch to fill: while one batch is computed, the next ones come in.

    Args:
        most: jobs of a batch.
    """

    def __init__(self, most: int = 8) -> None:
        self.most = most
        self._waiting: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="motionhub-compute", daemon=True)
        self._thread.start()

    def submit(self, key: Hashable, compute: Callable[[list[Any]], Sequence[Any]], item: Any) -> "Future[Any]":
        """The result of `compute([item, ...])` for this item; a cancelled one that still waits is not computed."""
        job = _Job(key, compute, item)
        self._waiting.put(job)
        return job.result

    def close(self) -> None:
        """Ends the thread when all that was submitted is computed."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            jobs, ended = [first], False
            with suppress(queue.Empty):
                while len(jobs) < self.most:
                    job = self._waiting.get_nowait()
                    if job is None:
                        ended = True
                        break
                    jobs.append(job)
            by_key: dict[Hashable, list[_Job]] = {}
            for job in jobs:
                if job.result.set_running_or_notify_cancel():
                    by_key.setdefault(job.key, []).append(job)
            for batch in by_key.values():
                _compute(batch)
            if ended:
                return


def _compute(batch: list[_Job]) -> None:
    """Sets the results of jobs; where one of several fails, each is computed by itself."""
    try:
        results = list(batch[0].compute([job.item for job in batch]))
    except BaseException as error:
        if len(batch) > 1:
            for job in batch:
                _compute([job])
        else:
            batch[0].result.set_exception(error)
        return
    for job, result in zip(batch, results, strict=True):
        job.result.set_result(result)
