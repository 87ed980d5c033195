"""What the speed benchmarks share: interleaved timing on one thread, memory, operation counts, child processes."""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


WIDTHS = [64] * 4 + [128] * 3 + [256] * 3
LABELS = 60
UNIK_SETTINGS = ["150x17x2x1", "300x25x3x1", "100x25x3x2"]


def command_line(doc: str, repeats: int, **texts: str) -> argparse.ArgumentParser:
    """`--repeats`, and what `texts` name as flags; the process computes on one thread from here on."""
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=repeats, help="calls, of which the fastest counts")
    for name, text in texts.items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    return parser


def fastest(
    variants: dict[str, Callable[[], object]],
    repeats: int,
    clock: Callable[[], float] = time.perf_counter,
    warm_up: bool = True,
) -> dict[str, float]:
    """Seconds of each variant's fastest call; the variants take turns, so that a busy moment hits all of them.

    With `time.process_time` as the clock, seconds of this process's threads: what others do counts less.
    """
    seconds = dict.fromkeys(variants, float("inf"))
    for call in variants.values() if warm_up else ():
        call()
    for _ in range(repeats):
        for name, call in variants.items():
            begin = clock()
            call()
            seconds[name] = min(seconds[name], clock() - begin)
    return seconds


def peak_call(dtype: torch.dtype, repeats: int = 8) -> tuple[Callable[[], object], float]:
    """The measured peak: the (1, 9) convolution of UNIK's last block through oneDNN, and its GFLOP.

    Repeated, so that it lasts about as long as what it is compared with: on a busy machine a short call finds a
    quiet moment more easily, and the peak would look higher than it is.
    """
    people, joints, frames, width = 8, 17, 38, 256
    image = torch.randn(people, width, joints, frames, dtype=dtype).contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(width, width, 1, 9, dtype=dtype)
    gflop = 2e-9 * people * joints * frames * width * width * 9 * repeats

    def call() -> None:
        for _ in range(repeats):
            F.conv2d(image, kernel, padding=(0, 4))

    return call, gflop


def compare_unik(doc: str, script: str, build: Callable[..., dict[str, Callable[[], Any]]], repeats: int) -> None:
    """The command line of a benchmark of UNIK: every variant of `build(frames, joints, dims, people, batch, chosen)`.

    The first variant is the reference. One that returns logits is a forward pass and compared with its logits; else it
    is a training step, three times the operations: backward makes gradients of features and of weights.
    """
    parser = command_line(doc, repeats)
    parser.add_argument("--setting", nargs="+", default=UNIK_SETTINGS, help="frames x joints x dims x people")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--no-memory", action="store_true", help="skip the processes that measure peak memory")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of:
        numbers = [int(number) for number in options.setting[0].split("x")]
        print(resident_peak(build(*numbers, options.batch, chosen=options.memory_of)[options.memory_of]))
        return
    print(machine())
    for setting in options.setting:
        _report(script, setting, options, build)


def _report(script: str, setting: str, options: argparse.Namespace, build: Callable[..., Any]) -> None:
    frames, joints, dims, people = (int(number) for number in setting.split("x"))
    batch, variants = options.batch, build(frames, joints, dims, people, options.batch)
    reference = next(iter(variants))
    expected = variants[reference]()
    forward = isinstance(expected, Tensor)
    # the convolutions that define the peak take turns with the variants
    peaks = {"fp32": peak_call(torch.float32), "bf16": peak_call(torch.bfloat16)}
    seconds = fastest({**variants, **{name: call for name, (call, _) in peaks.items()}}, options.repeats)
    peak = {name: gflop / seconds[name] for name, (_, gflop) in peaks.items()}
    clip_gflop = (1 if forward else 3) * 2 * people * unik_gmac(frames, joints, dims, LABELS)
    print(f"\nT={frames} V={joints} C={dims} people={people}, batch {batch}, {clip_gflop:.2f} GFLOP/clip")
    print(f"peak (1x9 convolution, 256 channels): fp32 {peak['fp32']:.0f}, bf16 {peak['bf16']:.0f} GFLOP/s")
    error_head = "  rel. error" if forward else ""
    print(f"{'':50}clips/s  ms/clip  x ref  GFLOP/s  % of measured peak{error_head}  peak MiB")
    for name, call in variants.items():
        speed = batch / seconds[name]
        done = clip_gflop * speed / (2 if "present" in name else 1)
        share = 100 * done / peak["bf16" if "bf16" in name else "fp32"]
        error = "-" if "present" in name else f"{relative(call(), expected):.1e}" if forward else ""
        times = seconds[reference] / seconds[name]
        words = ["--memory-of", name, "--setting", setting, "--batch", str(batch)]
        memory = float("nan") if options.no_memory else peak_in_new_process(script, words)
        print(
            f"{name:50}{speed:7.2f}{1000 / speed:9.1f}{times:7.2f}{done:9.0f}{share:20.0f}"
            f"{f'{error:>12}' if forward else ''}{memory:10.0f}"
        )


def relative(made: Tensor, expected: Tensor) -> float:
    """The largest error, as a share of the largest number."""
    return float((made.float() - expected.float()).abs().max() / expected.float().abs().max())


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


def megabytes() -> float:
    """The most memory this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rows_of_processes(script: str, names: Sequence[str], words: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Runs `script --one NAME WORDS` for each name; gives what it prints as JSON, or text when it did not run."""
    for name in names:
        command = [sys.executable, script, "--one", name, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        failed = f"did not run: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}"
        yield name, failed if done.returncode else json.loads(done.stdout.splitlines()[-1])


def machine() -> str:
    """Processor, PyTorch, threads and load, for the record."""
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) or ["unknown processor"]
    capability = torch.backends.cpu.get_cpu_capability()
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return f"{names[0]} ({capability}), torch {torch.__version__}, {torch.get_num_threads()} thread(s), load {load}"


def _status(field: str) -> int:
    return int(re.findall(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())[0])
