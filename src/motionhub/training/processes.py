"""The processes of a run: their number, requests to stop, and lost connections."""

import os
import signal
import threading
from collections.abc import Sequence
from datetime import timedelta
from types import FrameType
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import InitProcessGroupKwargs

from motionhub.nn.precision import choose_precision
from motionhub.training.agreement import RunError, join
from motionhub.training.arguments import TrainingRecipe


# Updates between two exchanges of several processes about a request to stop.
AGREE_EVERY = 10
_OPTIONS = ("--num_processes", "--num-processes")


def build_accelerator(recipe: TrainingRecipe) -> Accelerator:
    """The Accelerator of a run, on the CPU if there is no accelerator.

    Raises:
        ValueError: another number of processes than requested, or processes that differ in the "auto" precision.
        RunError: another process has failed, or does not come within `recipe.timeout`.
    """
    join(recipe.timeout)
    on_cpu = recipe.cpu or not torch.accelerator.is_available()
    device = None if on_cpu else torch.accelerator.current_accelerator()
    precision = choose_precision(recipe.mixed_precision, device or torch.device("cpu")).name
    if is_initialized() and not torch.distributed.is_initialized():
        # An earlier run of this interpreter has fixed precision and device.
        AcceleratorState._reset_state(reset_partial_state=True)
    accelerator = Accelerator(
        cpu=on_cpu,
        mixed_precision=precision,
        gradient_accumulation_steps=recipe.gradient_accumulation_steps,
        step_scheduler_with_optimizer=False,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=timedelta(seconds=recipe.timeout))],
    )
    if on_cpu and os.environ.get("ACCELERATE_USE_FSDP") == "true" and accelerator.distributed_type != "FSDP":
        raise ValueError(
            "FSDP was requested, but Accelerate does not shard on CPUs and would train without it; start with "
            "torchrun and no config, or on accelerators."
        )
    expected = recipe.num_processes or processes_asked_for() or accelerator.num_processes
    if accelerator.num_processes != expected:
        raise ValueError(
            f"{expected} processes were requested, but {accelerator.num_processes} is running. `accelerate launch "
            "--cpu --num_processes N` starts a single one: on CPU start with `torchrun --nproc-per-node "
            f"{expected} your_script.py ...`, on GPUs with `accelerate launch --num_processes {expected} ...`."
        )
    chosen = torch.tensor([int(precision == "bf16")], device=accelerator.device)
    if len(set(accelerator.gather(chosen).tolist())) > 1:
        raise RunError(
            "The machines of this run differ: mixed_precision 'auto' is bf16 in some processes and float32 in others. "
            "Set one for all: --mixed_precision no, or bf16."
        )
    return accelerator


def processes_asked_for() -> int | None:
    """The number given to torchrun (WORLD_SIZE) or `accelerate launch`, or None if neither started this process.

    `accelerate launch --cpu --num_processes 2` starts one process (accelerate 1.15): only its argv has the number.
    """
    if "WORLD_SIZE" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    if "ACCELERATE_MIXED_PRECISION" not in os.environ:  # set by every `accelerate launch`
        return None
    try:
        launcher = psutil.Process().parent()
        return None if launcher is None else number_in(launcher.cmdline())
    except psutil.Error:
        return None


def number_in(argv: Sequence[str]) -> int | None:
    """The number of processes in an `accelerate launch` command line, or None."""
    if "launch" not in argv and not any(word.endswith(("launch", "launch.py")) for word in argv):
        return None
    for position, word in enumerate(argv):
        name, _, value = word.partition("=")
        if name in _OPTIONS:
            value = value or "".join(argv[position + 1 : position + 2])
            return int(value) if value.isdigit() else None
    return None


def clips_per_update(num_clips: int, recipe: TrainingRecipe, num_processes: int) -> int:
    """The batch size of an update: the recipe's, or less if the training set is smaller.

    Raises:
        ValueError: it cannot be split evenly over processes and accumulation steps.
    """
    share = num_processes * recipe.gradient_accumulation_steps
    if recipe.batch_size % share:
        raise ValueError(
            f"batch_size counts the clips of one update of all processes, so it must be a multiple of {num_processes} "
            f"processes x {recipe.gradient_accumulation_steps} accumulation steps; got {recipe.batch_size}."
        )
    fitting = min(recipe.batch_size, num_clips // share * share)
    if not fitting:
        raise ValueError(f"{num_clips} training clips are too few for {share} forward passes per update.")
    return fitting


class StopRequest:
    """Inside `with StopRequest() as stop:` the first SIGINT or SIGTERM requests a stop, the second interrupts."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():  # signal handlers can be set nowhere else
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True

    def agreed(self, accelerator: Accelerator, step: int) -> bool:
        """True in all processes, at the same update, after one of them was asked to stop."""
        if accelerator.num_processes == 1:
            return self.asked
        return step % AGREE_EVERY == 0 and any_process(accelerator, self.asked)


def any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Whether the flag is set in any process; the same answer in all of them."""
    return bool(accelerator.gather(torch.tensor([int(flag)], device=accelerator.device)).any())


class LostProcess(ConnectionError):
    """Another process of the run has ended, or did not answer in time; the message is printed already."""

    reported = True


def connection_lost(error: RuntimeError) -> bool:
    """Whether an error means that another process of the run has ended."""
    # Gloo raises a plain RuntimeError for a closed connection.
    signs = ("gloo", "nccl", "connection closed by peer", "connection reset by peer")
    return isinstance(error, torch.distributed.DistError) or any(sign in str(error).lower() for sign in signs)
