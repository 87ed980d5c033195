"""Errors of a run of several processes: known in all of them, printed once.

Before the processes are connected, an error goes through the store of the launcher (torchrun, `accelerate launch`),
which every process can reach; afterwards through the connection itself. Nobody waits for a process that has failed.
"""

import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list, gather_object

from motionhub.version import __version__


# Packages whose versions change what a process computes.
PACKAGES = ("torch", "transformers", "datasets", "numpy")
# Seconds that a failed process waits until the main process has taken its message.
ACKNOWLEDGE = 10.0
POLL = 0.1
# Seconds after which a file of another machine is seen on a shared disk (NFS looks again after a while).
VISIBLE = 10.0
Result = TypeVar("Result")


class RunError(ValueError):
    """An error that all processes of a run raise together; the main process prints it."""


def rank() -> int:
    """The number of this process in its run, 0 alone."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """The number of processes that the launcher has started, 1 without one."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def launcher_store(timeout: float = 30.0) -> Any:
    """The store of the launcher, or None where there is none or it is gone."""
    if world_size() == 1 or os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True":
        return None
    try:
        store = torch.distributed.TCPStore(
            os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), None, False, timedelta(seconds=timeout)
        )
    except (RuntimeError, KeyError, ValueError):
        return None
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    return torch.distributed.PrefixStore(f"motionhub/{attempt}", store)


def post_failure(error: BaseException, text: str) -> bool:
    """Tells the other processes why this one ends; True if another one has printed it.

    An error before all have joined, or one that all raise together, is printed by the main process; another by the
    first process that has it. The launcher ends all processes of a machine as soon as one has ended, so this one waits
    until the main process has called `announce_printed`.
    """
    if getattr(error, "reported", False):
        return True
    store = launcher_store(timeout=ACKNOWLEDGE)
    if store is None:
        return False
    try:
        if not store.check(["failed"]):
            store.set("failed", text if rank() == 0 else f"process {rank()}: {text}")
        if store.check(["joined"]) and not isinstance(error, RunError):
            return bool(store.add(f"said/{text}", 1) != 1)
        end = time.monotonic() + ACKNOWLEDGE
        while rank() and not store.check(["printed"]):
            if time.monotonic() > end:
                return False
            time.sleep(POLL)
        return rank() > 0
    except RuntimeError:  # the machine of the store is gone
        return False


def announce_printed() -> None:
    """In the main process: lets the others end, which wait in `post_failure`."""
    store = launcher_store(timeout=1.0) if rank() == 0 else None
    with suppress(RuntimeError):
        if store is not None:
            store.set("printed", "1")


def posted_failure() -> str:
    """What `post_failure` of another process said, empty if nothing."""
    store = launcher_store(timeout=1.0)
    try:
        return store.get("failed").decode() if store is not None and store.check(["failed"]) else ""
    except RuntimeError:
        return ""


def first_to_say(what: str) -> bool:
    """Whether no other process of the run has said this; True where that cannot be known."""
    store = launcher_store(timeout=1.0)
    try:
        return store is None or bool(store.add(f"said/{what}", 1) == 1)
    except RuntimeError:
        return True


def join(timeout: float) -> None:
    """Waits until every process of the run is here.

    Raises:
        RunError: one of them failed before, or did not come within `timeout` seconds.
    """
    store = launcher_store()
    if store is None:
        return
    ranks = [f"here/{number}" for number in range(world_size())]
    try:
        store.set(ranks[rank()], "1")
        end = time.monotonic() + timeout
        while not store.check(ranks):
            if store.check(["failed"]):
                raise RunError(store.get("failed").decode())
            if time.monotonic() > end:
                late = [number for number, name in enumerate(ranks) if not store.check([name])]
                raise RunError(
                    f"Of {world_size()} processes {late} did not start within {timeout:.0f} s: look at their output, "
                    "or allow more with --timeout SECONDS."
                )
            time.sleep(POLL)
        store.set("joined", "1")
    except torch.distributed.DistError as error:
        raise RunError(f"The launcher's store cannot be reached any more ({_line(error)}).") from None


def in_all_processes(accelerator: Accelerator, work: Callable[[], Result]) -> Result:
    """`work()`, which talks to no other process; what it raises in one of them, all raise.

    Raises:
        RunError: where another process, or a further one, failed.
    """
    if accelerator.num_processes == 1:
        return work()
    problem, result = None, None
    try:
        result = work()
    except Exception as error:
        problem = error
    texts = gather_object(["" if problem is None else _line(problem)])
    failed = [(number, text) for number, text in enumerate(texts) if text]
    if failed:
        same = len({text for _, text in failed}) == 1 and len(failed) == len(texts)
        words = failed[0][1] if same else "; ".join(f"process {number}: {text}" for number, text in failed)
        raise RunError(words) from problem
    return result  # type: ignore[return-value]


def check_same(
    accelerator: Accelerator, facts: Mapping[str, Any], differences: Callable[[Any, Any, str], Iterable[str]]
) -> None:
    """Raises RunError in all processes unless they have the same facts.

    Args:
        facts: JSON values, such as those of `facts_of_run`.
        differences: `differences(of the main process, of another, words)` -> a text for each.
    """
    if accelerator.num_processes == 1:
        return
    everyone = gather_object([dict(facts)])
    for number, other in enumerate(everyone):
        if other != everyone[0]:
            found = differences(everyone[0], other, f"{{name}} is {{old}}, in process {number} {{new}}")
            raise RunError(
                f"The processes of this run differ from process 0: {', '.join(found)}. Start all of them with the "
                "same command, data and versions."
            )


def check_shared_folder(accelerator: Accelerator, folder: Path) -> None:
    """Raises RunError in all processes unless a file that the main process writes into `folder` is seen by all."""
    if accelerator.num_processes == 1:
        return
    name = f".seen-by-all-{broadcast_object_list([secrets.token_hex(4)])[0]}"

    def write() -> None:
        if accelerator.is_main_process:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()

    def look() -> None:
        end = time.monotonic() + VISIBLE
        while not (folder / name).exists():
            if time.monotonic() > end:
                raise ValueError(
                    f"{folder.resolve()} is not the folder that process 0 writes to; all machines need --output_dir "
                    "on a disk that they share."
                )
            time.sleep(POLL)

    try:
        in_all_processes(accelerator, write)
        in_all_processes(accelerator, look)
    finally:
        if accelerator.is_main_process:
            (folder / name).unlink(missing_ok=True)


def package_versions() -> dict[str, str]:
    """The versions of `PACKAGES` and of this one."""
    return {"motionhub": __version__, **{name: version(name) for name in PACKAGES}}


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
