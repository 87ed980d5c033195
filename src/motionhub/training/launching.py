"""How many processes the command that started this one asked for. It does not start processes, nor know the recipe."""

import os
from collections.abc import Sequence

import psutil  # type: ignore[import-untyped]


_OPTIONS = ("--num_processes", "--num-processes")


def processes_asked_for() -> int | None:
    """What torchrun or `accelerate launch` was asked for, or None when neither started this process.

    torchrun says it in WORLD_SIZE. `accelerate launch --cpu --num_processes 2` starts a single process and tells it
    nothing (accelerate 1.15): its command line is the only place where the two can be read.
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


def number_in(words: Sequence[str]) -> int | None:
    """The number of processes in the words of an `accelerate launch` command line, or None."""
    if "launch" not in words and not any(word.endswith("launch") or word.endswith("launch.py") for word in words):
        return None
    for position, word in enumerate(words):
        name, _, value = word.partition("=")
        if name in _OPTIONS:
            value = value or "".join(words[position + 1 : position + 2])
            return int(value) if value.isdigit() else None
    return None
