"""What `dataset_throughput.py` reads and how: shards written in whole row groups, readers of an address, shuffling."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.stats import spearmanr
from torch.utils.data import DataLoader

from motionhub.data.build.shards import _DICTIONARY, _SPLIT, GROUP_BYTES, SHARD_BYTES
from motionhub.data.formats.schema import features
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.training.order import EpochOrder, ShardOrder
from motionhub.training.streaming import ShardedRows


HERE = Path(__file__).parent
# Coordinates of a video are given to a part of a pixel by estimators; shards of such numbers are smaller.
PIXEL = 1 / 16
# Groups whose coordinates differ; later ones repeat them under other names and labels.
DISTINCT = 32
CARD = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: data/*.parquet
---
"""


def write_groups(
    folder: Path,
    clips: int,
    frames: int,
    classes: int,
    joints: int = 17,
    group_bytes: int = GROUP_BYTES,
    shard_bytes: int = SHARD_BYTES,
    distinct: int | None = None,
) -> list[str]:
    """`clips` clips of one walking person each, sorted by class (the worst case for shuffling), in shards.

    A row group is made at once and written, so that one is in memory; encodings and sizes are those of
    `motionhub dataset build`; README.md names them. With `distinct` shards, whole ones after them are other names
    (hard links) of these: as many rows, files and row groups to read, in less time and space to write.
    """
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    schema = features([str(number) for number in range(classes)]).arrow_schema
    group = max(1, group_bytes // (frames * joints * 8))
    groups = -(-clips // group)
    per_shard = max(1, shard_bytes // (group * frames * joints * 8))
    files, made = [], {}
    for shard, begin in enumerate(range(0, groups, per_shard)):
        files.append(str(folder / "data" / f"clips-{shard:05d}.parquet"))
        if distinct and shard >= distinct and (begin + per_shard) * group <= clips:
            os.link(files[shard % distinct], files[-1])
            continue
        settings: dict[str, Any] = {"use_dictionary": _DICTIONARY, "use_byte_stream_split": _SPLIT}
        with pq.ParquetWriter(files[-1], schema, compression="zstd", **settings) as writer:
            for number in range(begin, min(begin + per_shard, groups)):
                first, last = number * group, min((number + 1) * group, clips)
                if number % DISTINCT not in made:
                    made[number % DISTINCT] = walkers(number, group, frames, joints)
                writer.write_table(_table(made[number % DISTINCT], first, last, clips, classes, schema))
    return files


def walkers(seed: int, count: int, frames: int, joints: int) -> np.ndarray:
    """`(count, frames, joints, 2)` float32 pixels of people who walk about; 5 % of the joints are missing."""
    random = np.random.default_rng(seed)
    points = 320 + 40 * random.standard_normal((count, 1, joints, 2), dtype=np.float32)
    points = points + random.standard_normal((count, frames, joints, 2), dtype=np.float32).cumsum(axis=1)
    points = np.round(points / PIXEL) * np.float32(PIXEL)
    points[random.random(points.shape[:3], dtype=np.float32) < 0.05] = np.nan
    return points.astype(np.float32)


def _table(points: np.ndarray, first: int, last: int, clips: int, classes: int, schema: pa.Schema) -> pa.Table:
    count, size = last - first, points[0].size
    row = to_row(SkeletonSequence(points[:1], "posetics-17", 30.0, "pixel", image_size=(640, 480)), source="made")
    columns = {name: pa.array([value] * count, schema.field(name).type) for name, value in row.items()}
    offsets = pa.array(np.arange(count + 1, dtype=np.int32) * size)
    columns["keypoints"] = pa.ListArray.from_arrays(offsets, pa.array(points[:count].reshape(-1)))
    numbers = np.arange(first, last)
    columns["label"] = pa.array(numbers * classes // clips, schema.field("label").type)
    columns["clip_id"] = pa.array([f"{number:07d}" for number in numbers])
    return pa.Table.from_arrays([columns[name].cast(schema.field(name).type) for name in schema.names], schema=schema)


@contextmanager
def address_of(folder: Path) -> Iterator[str]:
    """The address of a folder, by a server in a process of its own."""
    command = [sys.executable, str(HERE / "range_server.py"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


@dataclass(frozen=True)
class Rate:
    """How fast clips came.

    Args:
        clips: how many were counted.
        per_second: by the clock, which on a busy machine says little.
        per_processor_second: of this process and those it has started.
    """

    clips: int
    per_second: float
    per_processor_second: float


def rate(items: Iterable[Any], seconds: float, weight: int = 1) -> Rate:
    """How fast items come, over at most `seconds` after the first; each counts as `weight` clips."""
    items = iter(items)
    next(items)
    count, start, used = 0, time.perf_counter(), processor_seconds()
    for _ in items:
        count += weight
        if time.perf_counter() - start > seconds:
            break
    return Rate(count, count / (time.perf_counter() - start), count / max(1e-9, processor_seconds() - used))


def processor_seconds() -> float:
    """Of this process and those it has started, which are still there."""
    total = 0.0
    for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


class Rows:
    """Rows of shards as a dataset of torch, each as the size of its coordinates: reading without the processor."""

    def __init__(self, rows: ShardedRows) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> int:
        return len(self.rows[index]["keypoints"])


def by_readers(rows: ShardedRows, batch: int, readers: int, seconds: float) -> Rate:
    """How fast clips come from that many worker processes, in the order of training."""
    order = ShardOrder(rows.group_sizes, batch, 0, True)
    loader = DataLoader(Rows(rows), batch, sampler=order, num_workers=readers)  # type: ignore[arg-type]
    batches = iter(loader)
    for _ in range(2 * readers):  # workers start, and each decodes its first groups
        next(batches)
    return rate(batches, seconds, batch)


def by_datasets(files: Sequence[str], seconds: float) -> Rate:
    """How fast clips come from `datasets`' own streaming with a shuffling buffer, in one process."""
    from datasets import load_dataset

    stream = load_dataset("parquet", data_files=list(files), split="train", streaming=True).with_format("numpy")
    return rate(stream.shuffle(seed=0, buffer_size=1000), seconds)


def quality(sizes: np.ndarray, batch: int, classes: int) -> Iterator[tuple[str, float, float]]:
    """Name, rank correlation of the order with that of the files, and classes in a batch, of files sorted by class."""
    clips = int(np.sum(sizes))
    orders = {
        "files from first to last": np.arange(clips),
        "row groups in windows and lanes": np.fromiter(ShardOrder(sizes, batch, 0, True), np.int64),
        "datasets, buffer of 1,000": np.fromiter(buffered(clips, 1000), np.int64),
        "a full permutation": np.fromiter(EpochOrder(clips, batch, 0), np.int64),
    }
    for name, order in orders.items():
        labels = order[: len(order) // batch * batch].reshape(-1, batch) * classes // clips
        mixed = np.mean([len(np.unique(row)) for row in labels[:: max(1, len(labels) // 500)]])
        yield name, float(spearmanr(np.arange(len(order)), order).statistic), float(mixed)


def buffered(clips: int, size: int) -> Iterator[int]:
    """The order that a shuffling buffer over shuffled shards gives, one shard of 24,000 clips after the other."""
    random = np.random.default_rng(0)
    shards = [np.arange(begin, min(begin + 24_000, clips)) for begin in range(0, clips, 24_000)]
    buffer: list[int] = []
    for shard in random.permutation(len(shards)):
        for index in shards[shard].tolist():
            if len(buffer) < size:
                buffer.append(index)
                continue
            place = int(random.integers(size))
            yield buffer[place]
            buffer[place] = index
    yield from random.permutation(buffer).tolist()
