"""Runs of several processes without starting Python anew: forks of the test, which meet as those of torchrun do."""

import contextlib
import io
import multiprocessing
import os
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState

import motionhub


@dataclass
class Ended:
    """One process: its exit status, and what it has written."""

    status: int | None
    output: str

    @property
    def lines(self) -> list[str]:
        """What motionhub says in it."""
        return [line for line in self.output.splitlines() if line.startswith("motionhub: ")]


def in_processes(work: Callable[[int], Any], count: int = 2, timeout: float = 400) -> list[Ended]:
    """`work(rank)` in each of `count` processes; one that takes longer is killed, and has no status."""
    store = torch.distributed.TCPStore("127.0.0.1", 0, None, True, timedelta(seconds=timeout), wait_for_workers=False)
    environment = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1"}
    environment |= {"MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True"}
    environment |= {"TORCHELASTIC_RESTART_COUNT": "0"}
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / str(rank) for rank in range(count)]
        context = multiprocessing.get_context("fork")
        started = [
            context.Process(target=_child, args=(work, rank, environment, outputs[rank])) for rank in range(count)
        ]
        for process in started:
            process.start()
        for process in started:
            process.join(timeout)
            if process.is_alive():
                process.kill()
                process.join()
        ended = [path.read_text() if path.exists() else "" for path in outputs]
    statuses = [process.exitcode if process.exitcode != -9 else None for process in started]
    return [Ended(status, text) for status, text in zip(statuses, ended, strict=True)]


def _child(work: Callable[[int], Any], rank: int, environment: dict[str, str], output: Path) -> None:
    os.environ.update(environment, RANK=str(rank), LOCAL_RANK=str(rank))
    AcceleratorState._reset_state(reset_partial_state=True)
    status = 1
    with output.open("w", buffering=1) as file, contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
        assert isinstance(sys.stdout, io.TextIOWrapper)
        try:
            status = motionhub.handle_cli_errors(lambda: _done(work, rank))
        except BaseException:
            traceback.print_exc()
    os._exit(status)


def _done(work: Callable[[int], Any], rank: int) -> int:
    work(rank)
    return 0
