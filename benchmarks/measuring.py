"""Timing, memory and operation counts for the benchmarks: interleaved variants, minimum of several, one thread."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F


WIDTHS = [64] * 4 + [128] * 3 + [256] * 3


def fastest(
    variants: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Seconds of each variant's fastest call; the variants take turns, so that a busy moment hits all of them.

    With `time.process_time` as the clock, seconds of this process's threads: what others do counts less.
    """
    seconds = dict.fromkeys(variants, float("inf"))
    for call in variants.values():
        call()
    for _ in range(repeats):
        for name, call in variants.items():
            begin = clock()
            call()
            seconds[name] = min(seconds[name], clock() - begin)
    return seconds


def roof_call(dtype: torch.dtype, repeats: int = 8) -> tuple[Callable[[], object], float]:
    """The roof: the (1, 9) convolution of UNIK's last block through oneDNN, and its GFLOP.

    Repeated, so that it lasts about as long as what it is compared with: on a busy machine a short call finds a
    quiet moment more easily, and the roof would look higher than it is.
    """
    people, joints, frames, width = 8, 17, 38, 256
    image = torch.randn(people, width, joints, frames, dtype=dtype).contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(width, width, 1, 9, dtype=dtype)
    gflop = 2e-9 * people * joints * frames * width * width * 9 * repeats

    def call() -> None:
        for _ in range(repeats):
            F.conv2d(image, kernel, padding=(0, 4))

    return call, gflop


def unik_gmac(frames: int, joints: int, dims: int, labels: int, heads: int = 3) -> float:
    """Multiply-adds of one person through the official UNIK, in 10^9 (adds of norms and activations not counted)."""
    total = 256 * labels
    for index, (before, after) in enumerate(zip([dims, *WIDTHS], WIDTHS, strict=False)):
        stride = 2 if index and before != after else 1
        count, inner, frames_out = 3 if index == 0 else heads, after // 4, (frames - 1) // stride + 1
        spatial = (
            2 * count * before * inner + count * inner * joints + count * before * joints + count * before * after
        )
        if before != after:
            spatial += before * after
        total += frames * joints * spatial + 9 * after * after * frames_out * joints
        if stride == 2:
            total += before * after * frames_out * joints
        frames = frames_out
    return total / 1e9


def resident_peak(work: Callable[[], object]) -> float:
    """MiB by which `work` raises this process's resident memory at its highest (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
    before = _status("VmRSS")
    work()
    return (_status("VmHWM") - before) / 1024


def peak_in_new_process(script: str, arguments: list[str]) -> float:
    """Run `script` again with `--memory-of ...`; it prints the MiB. Each variant gets a process of its own."""
    environment = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "1048576"}  # freed buffers go back to the system at once
    done = subprocess.run(
        [sys.executable, script, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return float(done.stdout.split()[-1])


def machine() -> str:
    """Processor, PyTorch, threads and load, for the record."""
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) or ["unknown processor"]
    capability = torch.backends.cpu.get_cpu_capability()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{names[0]} ({capability}), torch {torch.__version__}, {torch.get_num_threads()} thread(s), load {load}"


def _status(field: str) -> int:
    return int(re.findall(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())[0])
