"""Clips per second from a large dataset to a training batch, beside UNIK's training step; memory over time.

    taskset -c 0 python benchmarks/dataset_throughput.py FOLDER [--clips 142000] [--set posetics] [--num_proc 2]
    taskset -c 0 python benchmarks/dataset_throughput.py FOLDER --set posecap --clips 1000000 --frames 24
    python benchmarks/dataset_throughput.py FOLDER --set posecap --clips 1000000 --frames 80 --groups

The clips are made on the fly out of their number, and go through the same `stage` and `merge` as real files do, then
through `ShardedRows`, `ClipDataset` and a `DataLoader`. It does not measure how fast files of a format are parsed.

With `--groups` whole row groups are written instead, sorted by class, and reading is measured: any row, in the order
of training, by `datasets`, from a web address on this machine with several readers, and how well clips are mixed.
"""

import argparse
import json
import os
import resource
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any


os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import numpy as np
import psutil
import pyarrow as pa
import reading
import torch
from measuring import machine
from torch.utils.data import DataLoader
from unik_train_step import build as build_steps

from motionhub.data.build.shards import merge, read_facts, stage
from motionhub.processing.collate import collate_skeletons
from motionhub.skeletons.rows import from_row, to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.dataset import ClipDataset, with_index
from motionhub.training.order import ShardOrder
from motionhub.training.sources import load_processor
from motionhub.training.streaming import ShardedRows


# name -> layout, frames of a clip (of a video of ten seconds at 30 per second, half to all of it), people, classes
SETS = {"posetics": ("posetics-17", (150, 300), 320), "posecap": ("posetics-17", (60, 300), 811)}
PROCESSOR = Path(__file__).parent.parent / "hub_configs" / "unik-posetics"
BATCH = 64
# One H200: dense bf16 as the vendor states it, and the share of it that convolutions like UNIK's are assumed to reach.
H200_FLOPS, H200_SHARE = 989e12, 0.2
STEP = "motionhub bf16 autocast"


def clip(layout: str, frames: tuple[int, int], classes: int, source: str) -> list[dict[str, Any]]:
    """Clip n of a synthetic set: a person (in every eighth clip two) walks about, 5 % of the joints are missing."""
    number = int(source)
    random = np.random.default_rng(number)
    people, length = 1 + (number % 8 == 0), int(random.integers(frames[0], frames[1] + 1))
    steps = random.standard_normal((people, length, 17, 2), dtype=np.float32)
    points = 320 + 40 * random.standard_normal((people, 1, 17, 2), dtype=np.float32) + steps.cumsum(axis=1)
    points[random.random(points.shape[:3], dtype=np.float32) < 0.05] = np.nan
    sequence = SkeletonSequence(points, layout, 30.0, "pixel", image_size=(640, 480))
    return [to_row(sequence, label=number % classes, setup=int(number % 7 > 0), clip_id=source, source="synthetic")]


class Memory:
    """The resident memory of this process and its children, looked at every half second."""

    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []
        self.process = psutil.Process()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            family = [self.process, *self.process.children(recursive=True)]
            total = 0
            for member in family:
                try:
                    # Shared and file-backed pages are the system's cache, not ours.
                    about = member.memory_info()
                    total += about.rss - about.shared
                except psutil.Error:
                    continue
            self.seen.append((time.perf_counter(), total / 2**20))
            time.sleep(0.5)

    def tenths(self, begin: float) -> str:
        """MiB at ten moments since `begin`, then the highest."""
        values = [value for moment, value in self.seen if moment >= begin] or [self.seen[-1][1]]
        chosen = [values[index] for index in np.linspace(0, len(values) - 1, min(10, len(values))).astype(int)]
        return f"{' '.join(f'{value:.0f}' for value in chosen)} (peak {max(values):.0f} MiB)"


def phase(title: str, memory: Memory, clips: int, work: Callable[[], Any]) -> Any:
    begin = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - begin
    print(f"{title:44}{clips / seconds:10.0f} clips/s {seconds:8.1f} s   memory {memory.tenths(begin)}", flush=True)
    return result


def build(options: argparse.Namespace, memory: Memory) -> list[str]:
    """Parts, then shards; their paths."""
    layout, frames, classes = SETS[options.set]
    frames = (options.frames, options.frames) if options.frames else frames
    names, count = tuple(map(str, range(classes))), options.clips
    folder = Path(options.folder)
    numbers = [f"{number:07d}" for number in range(count)]
    read = partial(clip, layout, frames, classes)
    settings: dict[str, Any] = {"options": {"frames": list(frames)}, "num_proc": options.num_proc}
    staged = phase(
        "build: clips -> parts",
        memory,
        count,
        lambda: stage(numbers, ["1"] * count, read, names, folder / "parts", **settings),
    )

    def finish() -> list[str]:
        cells = read_facts(staged).column("setup")
        made = merge(staged, cells, ["test", "train"], folder / "saved", names)
        return [str(folder / "saved" / name) for cell in made for name in cell.files]

    shutil.rmtree(folder / "saved", ignore_errors=True)
    files = phase("build: parts -> shards", memory, count, finish)
    size = sum(Path(name).stat().st_size for name in files)
    shutil.rmtree(folder / "parts")
    print(f"{len(files)} shards, {size / 2**30:.2f} GiB, {size / count / 1024:.1f} KiB a clip")
    return files


def drain(items: Iterable[Any]) -> None:
    for _ in items:
        pass


def measure(options: argparse.Namespace, files: list[str], memory: Memory) -> float:
    """Clips per second of the full path to a batch."""
    rows = ShardedRows(files)
    processor = load_processor(PROCESSOR)
    clips = ClipDataset(rows, processor, training=True)
    some = min(options.some, len(rows))
    random = np.random.default_rng(0).integers(len(rows), size=min(some, 200)).tolist()
    phase("random access, any row of the shards", memory, len(random), lambda: drain(rows[i] for i in random))
    print(f"{'':44}(a row group is decoded for each; training reads in the order of the next lines)")
    order = ShardOrder(rows.group_sizes, BATCH, 0, True)
    every = len(order)
    phase("streaming, shuffled: rows, one epoch", memory, every, lambda: drain(rows[i] for i in order))
    phase("  rows -> sequences", memory, some, lambda: drain(from_row(rows[i]) for i in first(order, some)))
    phase("  -> processed, augmented", memory, some, lambda: drain(clips[i] for i in first(order, some)))
    workers = options.workers
    loader = DataLoader(
        clips, BATCH, sampler=order, collate_fn=with_index(collate_skeletons), num_workers=workers, drop_last=True
    )
    begin = time.perf_counter()
    if options.whole_epoch:
        phase(f"full path to batches of {BATCH}, one epoch", memory, every, lambda: drain(loader))
        return every / (time.perf_counter() - begin)
    batches = iter(loader)
    count = some // BATCH
    phase(
        f"full path to batches of {BATCH}", memory, count * BATCH, lambda: drain(next(batches) for _ in range(count))
    )
    return count * BATCH / (time.perf_counter() - begin)


def first(order: Iterable[int], count: int) -> Iterable[int]:
    return (index for index, _ in zip(order, range(count), strict=False))


def measure_reading(options: argparse.Namespace, memory: Memory) -> dict[str, reading.Rate]:
    """Every way to read shards of row groups, which are removed unless --keep."""
    folder, classes, seconds = Path(options.folder) / "groups", SETS[options.set][2], options.seconds
    frames = options.frames or 80
    files = sorted(map(str, (folder / "data").glob("*.parquet")))
    if files:
        print(f"{folder}: the shards of an earlier call with --keep")
    else:
        write = partial(reading.write_groups, folder, options.clips, frames, classes, distinct=options.distinct)
        files = phase(f"write row groups of {frames} frames", memory, options.clips, write)
    begin = time.perf_counter()
    rows = ShardedRows(files)
    size = sum({os.stat(name).st_ino: os.stat(name).st_size for name in files}.values())
    stored = f"{len(files)} shards, {size / 2**30:.2f} GiB on disk"
    print(f"{len(rows)} clips, {len(rows.group_sizes)} row groups, {stored}")
    if options.distinct:
        print(
            f"{options.distinct} of the shards are distinct, the others are links to these, so they stay in the cache"
        )
    print(f"opened in {time.perf_counter() - begin:.2f} s")
    anywhere = np.random.default_rng(0).integers(len(rows), size=100_000).tolist()
    order, clips = (
        ShardOrder(rows.group_sizes, BATCH, 0, True),
        ClipDataset(rows, load_processor(PROCESSOR), training=True),
    )
    found: dict[str, reading.Rate] = {}

    def note(name: str, work: Callable[[], reading.Rate]) -> None:
        start = time.perf_counter()
        found[name] = one = work()
        speed = f"{one.per_second:10.0f} clips/s {one.per_processor_second:10.0f} per processor second"
        print(f"{name:50}{speed}  memory {memory.tenths(start)}", flush=True)

    note("any row (decodes a row group for each)", lambda: reading.rate((rows[i] for i in anywhere), seconds))
    note("order of training: rows", lambda: reading.rate((rows[i] for i in order), options.epoch_seconds))
    note("order of training: processed and augmented", lambda: reading.rate((clips[i] for i in order), seconds))
    note("datasets, streaming, buffer of 1,000", lambda: reading.by_datasets(files, seconds))
    with reading.address_of(folder) as address:
        there = ShardedRows([f"{address}/data/{Path(name).name}" for name in files])
        for readers in options.readers:
            for name, chosen in (("disk", rows), ("a web address", there)):
                measured = partial(reading.by_readers, chosen, BATCH, readers, seconds)
                note(f"order of training, {readers} readers of {name}", measured)
    print(f"{'order (files sorted by class)':36}{'rank correlation':>18}{f'classes in {BATCH} clips':>24}")
    for name, correlation, mixed in reading.quality(rows.group_sizes, BATCH, classes):
        print(f"{name:36}{correlation:18.4f}{mixed:24.1f}")
    if not options.keep:
        shutil.rmtree(folder)
    return found


def t_mor_consumption() -> float:
    """Clips per second of T-MOR's training step here: two views, L_mm and L_mt, the small encoder, 32 frames."""
    from measuring import fastest
    from t_mor_step import command, steps

    name = "L_mm + L_mt, queue of 4096"
    step = steps(command(["--queue_size", "4096"]))[name]
    return 64 / fastest({name: step}, 2, time.process_time)[name]


def consumption() -> tuple[float, float]:
    """Clips per second of UNIK's training step here (150 frames, two people, bf16), and its GFLOP per clip."""
    from measuring import fastest, unik_gmac

    step = build_steps(150, 17, 2, 2, 8, chosen=STEP)[STEP]
    seconds = fastest({STEP: step}, 3, time.process_time)[STEP]
    return 8 / seconds, 3 * 2 * 2 * unik_gmac(150, 17, 2, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="for the shards, which are removed at the end")
    parser.add_argument("--set", choices=sorted(SETS), default="posetics")
    parser.add_argument("--clips", type=int, default=142_000)
    parser.add_argument("--frames", type=int, default=None, help="of every clip; default: as in the set")
    parser.add_argument("--num_proc", type=int, default=None, help="processes that make the parts")
    parser.add_argument("--workers", type=int, default=0, help="of the DataLoader")
    parser.add_argument("--some", type=int, default=6400, help="clips to measure the slower steps on")
    parser.add_argument("--whole-epoch", action="store_true", help="a whole epoch of batches instead of --some clips")
    parser.add_argument("--groups", action="store_true", help="write whole row groups, and measure reading")
    parser.add_argument("--keep", action="store_true", help="keep the shards of --groups for a further call")
    parser.add_argument("--readers", type=int, nargs="+", default=[1, 2, 4], help="worker processes of --groups")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement of --groups")
    parser.add_argument("--distinct", type=int, default=None, help="shards of --groups; further ones are links")
    parser.add_argument("--epoch-seconds", type=float, default=float("inf"), help="of the epoch of --groups")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pa.set_cpu_count(1)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{machine()}, load {load}\n{json.dumps(vars(options))}", flush=True)
    memory = Memory()
    if options.groups:
        delivered = measure_reading(options, memory)["order of training: processed and augmented"].per_processor_second
        print(f"T-MOR training step here (small encoder, two views){'':6}{t_mor_consumption():8.1f} clips/s")
    else:
        files = build(options, memory)
        delivered = measure(options, files, memory)
        shutil.rmtree(Path(options.folder) / "saved")
    used, gflop = consumption()
    print(f"UNIK training step here ({gflop:.1f} GFLOP a clip){'':8}{used:8.1f} clips/s")
    print(f"one loading process feeds {delivered / used:.0f} such steps")
    wanted = H200_FLOPS * H200_SHARE / (gflop * 1e9)
    print(
        f"ESTIMATE: an H200 at {H200_SHARE:.0%} of {H200_FLOPS / 1e12:.0f} TFLOP/s takes {wanted:.0f} clips/s: "
        f"{wanted / delivered:.1f} loading processes like this one"
    )
    print(
        f"highest resident memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
    )


if __name__ == "__main__":
    main()
