"""Who runs the parts of a build: this process, the processes of `datasets` (`num_proc`), or Ray on many machines.

It does not know what a part does: every engine calls the same `work(name, sources)` once for each.
"""

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from datasets import Dataset, are_progress_bars_disabled, disable_progress_bars, enable_progress_bars


ENGINES = ("datasets", "ray")
Work = Callable[[str, Sequence[str]], None]


def run_parts(parts: Mapping[str, Sequence[str]], work: Work, *, num_proc: int | None, engine: str) -> None:
    """Call `work(name, sources)` for every part, in any order; returns when all are done.

    Args:
        parts: name -> its sources. Put into Arrow, so that a million names are not copied to every process.
        work: can be pickled; what it raises ends the run.
        num_proc: processes (Ray: workers at a time); None: this process alone (Ray: as many as fit).
        engine: a name in `ENGINES`. For Ray on several machines, everything lies on a file system that all of them
            see, and `ray.init(address=...)` was called before.

    Raises:
        ValueError: no such engine, or what `work` raises.
        ImportError: Ray is not installed.
        RuntimeError: a process died.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {ENGINES}, got {engine!r}.")
    if engine == "ray":
        _run_with_ray(parts, work, num_proc)
    elif num_proc is not None and num_proc > 1 and len(parts) > 1:
        _run_with_datasets(parts, work, num_proc)
    else:
        for name, sources in parts.items():
            work(name, sources)


class _Call:
    """`work` as the function of a row; a class, so that it can be pickled."""

    def __init__(self, work: Work) -> None:
        self.work, self.parent = work, os.getpid()

    def __call__(self, row: dict[str, Any]) -> None:
        _end_with(self.parent)
        self.work(row["name"], row["sources"])


class _RayCall(_Call):
    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:  # type: ignore[override]  # Ray wants a row back
        self.work(str(row["name"]), [str(source) for source in row["sources"]])
        return {"name": row["name"]}


@lru_cache(maxsize=1)
def _end_with(parent: int) -> None:
    """Ends this process, a worker, soon after its parent: a killed build leaves nobody behind who writes parts."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    if os.getpid() != parent:
        threading.Thread(target=watch, daemon=True).start()


def _run_with_datasets(parts: Mapping[str, Sequence[str]], work: Work, num_proc: int) -> None:
    rows = Dataset.from_dict({"name": list(parts), "sources": list(parts.values())})
    with _quiet_datasets():
        # A fingerprint of our own: nothing is cached, so the function need not be hashed.
        try:
            rows.map(_Call(work), num_proc=min(num_proc, len(parts)), keep_in_memory=True, new_fingerprint="parts")
        except BaseException as error:
            # On Ctrl-C `datasets` waits for its workers in vain, and that error hides the reason (datasets 5.2).
            if isinstance(error.__context__, KeyboardInterrupt):
                raise KeyboardInterrupt from None
            raise


def _run_with_ray(parts: Mapping[str, Sequence[str]], work: Work, workers: int | None) -> None:
    try:
        import ray
        from ray.data import TaskPoolStrategy
    except ImportError:
        raise ImportError("engine='ray' needs Ray; install it with: pip install 'motionhub[ray]'") from None
    rows = [{"name": name, "sources": list(sources)} for name, sources in parts.items()]
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    # One block a part: a block is what Ray hands to a worker.
    blocks = ray.data.from_items(rows, override_num_blocks=max(len(rows), 1))
    try:
        blocks.map(_RayCall(work), compute=TaskPoolStrategy(size=workers)).materialize()
    except ray.exceptions.RayTaskError as error:
        raise _own_error(error) from None


def _own_error(error: BaseException) -> Exception:
    """What `work` raised, inside what Ray wraps around it."""
    found: BaseException | None = error
    while found is not None:
        if type(found) in (ValueError, OSError):
            return found  # type: ignore[return-value]
        found = getattr(found, "cause", None) or found.__cause__
    return RuntimeError(f"Ray could not build a part: {' '.join(str(error).split())}")


@contextmanager
def _quiet_datasets() -> Iterator[None]:
    """Without the bar of `datasets`, which counts parts: the build has one that counts files."""
    had_bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork.*")
            yield
    finally:
        if had_bars:
            enable_progress_bars()
