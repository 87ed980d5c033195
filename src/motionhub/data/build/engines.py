"""Engines that run the parts of a build: this process, several local processes, or Ray on many machines."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from typing import Any

from tqdm.auto import tqdm


ENGINES = ("datasets", "ray")
Work = Callable[[str, Sequence[str]], None]
Parts = Mapping[str, Sequence[str]]


def run_parts(
    parts: Parts, work: Work, *, num_proc: int | None, engine: str, progress: bool | None = False, done: int = 0
) -> None:
    """Call `work(name, sources)` for every part, in any order; return when all are done.

    Args:
        parts: name -> its sources.
        work: picklable; an exception it raises ends the run.
        num_proc: processes (Ray: concurrent workers); None: this process alone (Ray: as many as fit).
        engine: `"datasets"`: local processes; `"ray"`: for several machines, all files must lie on a shared file
            system, and `ray.init(address=...)` must be called before.
        progress: a bar on stderr that counts sources; None: on terminals only.
        done: sources finished earlier, where the bar starts.

    Raises:
        ValueError: unknown engine, or raised by `work`.
        ImportError: Ray is not installed.
        RuntimeError: a process died.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {ENGINES}, got {engine!r}.")
    if engine == "ray":
        finished = _with_ray(parts, work, num_proc)
    elif num_proc is not None and num_proc > 1 and len(parts) > 1:
        finished = _with_processes(parts, work, num_proc)
    else:
        finished = _here(parts, work)
    total = done + sum(map(len, parts.values()))
    disable = None if progress is None else not progress  # None is tqdm's "off where stderr is no terminal"
    with closing(finished), tqdm(total=total, initial=done, desc="reading", unit=" files", disable=disable) as bar:
        for name in finished:
            bar.update(len(parts[name]))


def _here(parts: Parts, work: Work) -> Generator[str]:
    for name, sources in parts.items():
        work(name, sources)
        yield name


def _with_processes(parts: Parts, work: Work, num_proc: int) -> Generator[str]:
    pool = ProcessPoolExecutor(min(num_proc, len(parts)), initializer=_end_with, initargs=(os.getpid(),))
    try:
        names = {pool.submit(work, name, list(sources)): name for name, sources in parts.items()}
        for future in as_completed(names):
            future.result()
            yield names[future]
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with(parent: int) -> None:
    """End this worker process soon after its parent: a killed build leaves no process that writes parts."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker; the pool would start its next part
    threading.Thread(target=watch, daemon=True).start()


def _with_ray(parts: Parts, work: Work, workers: int | None) -> Generator[str]:
    try:
        import ray
        from ray.data import TaskPoolStrategy
    except ImportError:
        raise ImportError("engine='ray' needs Ray; install it with: pip install 'motionhub[ray]'") from None

    def call(row: dict[str, Any]) -> dict[str, Any]:
        work(str(row["name"]), [str(source) for source in row["sources"]])
        return {"name": row["name"]}

    if not ray.is_initialized():
        check_ray_starts()
    rows = [{"name": name, "sources": list(sources)} for name, sources in parts.items()]
    ray.data.DataContext.get_current().enable_progress_bars = False
    # One block per part: Ray hands whole blocks to workers.
    blocks = ray.data.from_items(rows, override_num_blocks=max(len(rows), 1))
    try:
        for row in blocks.map(call, compute=TaskPoolStrategy(size=workers)).iter_rows():
            yield str(row["name"])
    except ray.exceptions.RayTaskError as error:
        raise _own_error(error) from None


def check_ray_starts() -> None:
    """Raises ValueError where Ray would start on this machine, and wait for workers for ever.

    It splits their command at blanks, also at those in the path of Python.
    """
    if os.environ.get("RAY_ADDRESS", "local") == "local" and any(map(str.isspace, sys.executable)):
        fix = "use an environment in a folder without one, or a running cluster (RAY_ADDRESS=HOST:6379)"
        raise ValueError(f"Ray starts no workers of {sys.executable}, whose path has a blank; {fix}.")


def _own_error(error: BaseException) -> Exception:
    """The exception that `work` raised, unwrapped from Ray's."""
    found: BaseException | None = error
    while found is not None:
        if type(found) in (ValueError, OSError):
            return found  # type: ignore[return-value]
        found = getattr(found, "cause", None) or found.__cause__
    return RuntimeError(f"Ray could not build a part: {' '.join(str(error).split())}")
