"""Training from shards: every clip once an epoch, however the work is shared, and the same result as from memory."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from toy_training import CLASS_NAMES, ToyConfig, toy_dataset, toy_model, toy_processor, toy_recipe, weights

from motionhub.training.arguments import RunArguments
from motionhub.training.dataset import ClipDataset, check_labels
from motionhub.training.order import ShardOrder
from motionhub.training.start import load_splits
from motionhub.training.streaming import ShardedRows
from motionhub.training.trainer import train


SIZES = [7, 5, 1, 9, 3, 8, 2, 6, 4, 3]  # row groups: 48 clips


def write_shards(folder: Path, num_clips: int = 48) -> list[str]:
    """The toy clips in three shards of uneven row groups."""
    table = toy_dataset(num_clips).data.table
    files, begin, groups = [], 0, iter(SIZES)
    for number, count in enumerate((4, 1, 5)):
        files.append(str(folder / f"clips-{number:05d}-of-00003.parquet"))
        with pq.ParquetWriter(files[-1], table.schema) as writer:
            for _ in range(count):
                size = next(groups)
                writer.write_table(table.slice(begin, size))
                begin += size
    return files


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return write_shards(tmp_path)


def test_rows_of_shards_are_the_rows(files: list[str]) -> None:
    rows, expected = ShardedRows(files), toy_dataset(48).with_format("numpy")
    assert len(rows) == 48 and rows.group_sizes.tolist() == SIZES
    assert rows.features == expected.features
    for index in (0, 6, 7, 12, 13, 47, -1):
        row, other = rows[index], expected[index]
        assert row.keys() == other.keys()
        for name, value in other.items():
            np.testing.assert_array_equal(row[name], value)
    assert rows["clip_id"].tolist() == [f"clip{index:03d}" for index in range(48)]
    with pytest.raises(IndexError):
        rows[48]


def test_items_of_shards_are_the_items_of_memory(files: list[str]) -> None:
    sharded = ClipDataset(ShardedRows(files), toy_processor(), training=True, seed=3)
    in_memory = ClipDataset(toy_dataset(48), toy_processor(), training=True, seed=3)
    for epoch in (0, 4):
        sharded.set_epoch(epoch)
        in_memory.set_epoch(epoch)
        for index in (0, 20, 47):
            for name, value in in_memory[index].items():
                assert torch.equal(sharded[index][name], value), name
    assert sharded.fingerprint() == in_memory.fingerprint()


def test_a_group_is_decoded_once_an_epoch_and_few_are_kept(files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    rows, decoded = ShardedRows(files), Counter()  # type: ignore[var-annotated]
    original = ShardedRows._open

    def counted(file: str, use: Any, footer: Any = None) -> Any:
        decoded[file] += 1
        return original(file, use, footer)

    monkeypatch.setattr(ShardedRows, "_open", staticmethod(counted))
    for index in ShardOrder(rows.group_sizes, batch_size=8, seed=1, drop_last=True):
        rows[index]
    assert sum(decoded.values()) == len(SIZES)
    monkeypatch.setattr("motionhub.training.streaming.CACHED_GROUPS", 2)
    for index in range(48):
        rows[index]
        assert len(rows._cached) <= max(len(SIZES), 2)
    assert len(ShardedRows(files)._cached) == 0


@pytest.mark.parametrize(("batch_size", "drop_last"), [(8, True), (6, True), (48, True), (1, True), (5, False)])
def test_an_epoch_has_every_clip_once(batch_size: int, drop_last: bool) -> None:
    order = ShardOrder(SIZES, batch_size, seed=1, drop_last=drop_last)
    seen = Counter(order)
    assert len(order) == sum(seen.values())
    assert set(seen) == set(range(48))
    assert sum(count - 1 for count in seen.values()) == len(order) - 48


def test_what_does_not_fill_an_update_is_left_out_or_filled_up() -> None:
    assert len(set(ShardOrder(SIZES, 7, seed=1, drop_last=True))) == 42
    filled = Counter(ShardOrder(SIZES, 7, seed=1, drop_last=False))
    assert len(filled) == 48 and sum(filled.values()) == 49
    with pytest.raises(ValueError, match="only 48 training clips"):
        ShardOrder(SIZES, 49, seed=1, drop_last=True)


def test_epochs_and_seeds_differ_and_an_epoch_continues_where_it_stopped() -> None:
    order = ShardOrder(SIZES, 8, seed=1, drop_last=True)
    first = list(order)
    assert first == list(order) != list(range(48))
    assert first != list(ShardOrder(SIZES, 8, seed=2, drop_last=True))
    order.begin(epoch=1)
    assert list(order) != first
    order.begin(epoch=0, first_update=2)
    assert (list(order), len(order)) == (first[16:], 32)


def test_two_processes_share_out_the_files() -> None:
    """1000 groups of one size: each half of the updates touches its own half of the groups."""
    order = np.array(list(ShardOrder([4] * 1000, batch_size=16, seed=0, drop_last=True))).reshape(-1, 16) // 4
    first, second = set(order[:, :8].ravel().tolist()), set(order[:, 8:].ravel().tolist())
    assert len(first | second) == 1000
    assert len(first & second) <= 3  # a window of row groups that lies across the cut


def test_neighbours_are_far_apart() -> None:
    """Clips sorted by class come out mixed: an update of 16 holds clips of many places."""
    order = np.array(list(ShardOrder([10] * 100, batch_size=16, seed=0, drop_last=True))).reshape(-1, 16) // 10
    assert np.mean([len(set(update)) for update in order.tolist()]) > 10


def test_training_from_shards_is_resumed_bit_for_bit(files: list[str], tmp_path: Path) -> None:
    def run(folder: str, **changes: Any) -> dict[str, np.ndarray]:
        model = toy_model()
        recipe = toy_recipe(tmp_path / folder, **changes)
        train(model, toy_processor(), ShardedRows(files), toy_dataset(13, seed=9), recipe)
        return weights(model)

    whole = run("whole", epochs=2)
    run("cut", epochs=1)
    for name, value in run("cut", epochs=2).items():
        np.testing.assert_array_equal(value, whole[name])


def test_bad_labels_broken_files_and_no_files_are_errors(files: list[str], tmp_path: Path) -> None:
    config = ToyConfig(id2label=dict(enumerate(CLASS_NAMES)))
    check_labels(ShardedRows(files), config)
    with pytest.raises(ValueError, match="must be 0..0"):
        check_labels(ShardedRows(files), ToyConfig(num_labels=1))
    with pytest.raises(ValueError, match="at least one parquet file"):
        ShardedRows([])
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(Path(files[0]).read_bytes()[:-100])
    with pytest.raises(ValueError, match="broken.parquet: cannot be read as parquet"):
        ShardedRows([broken])


def test_a_saved_dataset_is_streamed_by_protocol(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    table = toy_dataset(9).data.table
    pq.write_table(table.slice(0, 6), tmp_path / "data" / "train-00000-of-00001.parquet")
    pq.write_table(table.slice(6), tmp_path / "data" / "test-00000-of-00001.parquet")
    assert ShardedRows.from_saved(str(tmp_path), split="test")["clip_id"].tolist() == ["clip006", "clip007", "clip008"]
    with pytest.raises(ValueError, match="has the splits"):
        ShardedRows.from_saved(str(tmp_path), split="validation")
    with pytest.raises(ValueError, match="no dataset there"):
        ShardedRows.from_saved(str(tmp_path / "nowhere"))


def test_stream_on_the_command_line_gives_shards_and_refuses_raw_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        pq.write_table(toy_dataset(6).data.table, tmp_path / "data" / f"{split}-00000-of-00001.parquet")
    splits = load_splits(RunArguments(str(tmp_path), "model", stream=True))
    assert {name: (type(rows), len(rows)) for name, rows in splits.items()} == {
        "train": (ShardedRows, 6),
        "test": (ShardedRows, 6),
    }
    with pytest.raises(ValueError, match="motionhub dataset build"):
        load_splits(RunArguments("n-ucla", "model", data_root=str(tmp_path), stream=True))


def main(order: dict[str, Any]) -> None:
    """One process of a run: train on shards, and note which clips were taken in which epoch."""
    taken: list[tuple[int, int]] = []
    original = ClipDataset.__getitem__

    def noted(self: ClipDataset, index: int) -> dict[str, torch.Tensor]:
        if self.training:
            taken.append((self.epoch, int(index)))
        return original(self, index)

    ClipDataset.__getitem__ = noted  # type: ignore[method-assign]
    model = toy_model()
    recipe = toy_recipe(Path(order["output_dir"]), epochs=2, num_processes=order["num_processes"])
    train(model, toy_processor(), ShardedRows(order["files"]), None, recipe)
    from accelerate import PartialState

    state = PartialState()
    report = {"num_processes": state.num_processes, "taken": taken}
    folder = Path(order["report"])
    (folder / f"rank{state.process_index}.json").write_text(json.dumps(report))
    np.savez(folder / f"rank{state.process_index}.npz", **weights(model))


@pytest.mark.slow
def test_two_processes_of_torchrun_take_every_clip_once_and_end_as_one_does(files: list[str], tmp_path: Path) -> None:
    order = {"files": files, "report": str(tmp_path), "output_dir": str(tmp_path / "run"), "num_processes": 2}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    ran = subprocess.run(
        [*launch, json.dumps(order)], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    reports = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    assert [report["num_processes"] for report in reports] == [2, 2]
    for epoch in (0, 1):
        shares = [[index for e, index in report["taken"] if e == epoch] for report in reports]
        assert [len(share) for share in shares] == [24, 24]
        assert sorted(shares[0] + shares[1]) == list(range(48))
    alone = toy_model()
    train(alone, toy_processor(), ShardedRows(files), None, toy_recipe(tmp_path / "alone", epochs=2))
    with np.load(tmp_path / "rank0.npz") as first, np.load(tmp_path / "rank1.npz") as second:
        for name, value in weights(alone).items():
            np.testing.assert_array_equal(first[name], second[name])
            np.testing.assert_allclose(first[name], value, rtol=1e-5, atol=1e-6)


def test_an_empty_shard_does_no_harm(files: list[str], tmp_path: Path) -> None:
    empty = tmp_path / "empty.parquet"
    pq.write_table(pa.Table.from_batches([], schema=pq.read_schema(files[0])), empty)
    rows = ShardedRows([empty, *files, empty])
    assert len(rows) == 48 and rows[0]["clip_id"] == "clip000"
    assert sorted(ShardOrder(rows.group_sizes, 8, 0, True)) == list(range(48))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))


def test_a_cache_that_cannot_be_written_is_one_line_with_the_variable_to_set(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "file" / "datasets"))
    with pytest.raises(ValueError, match=r"cannot be written; .*export HF_HOME=") as error:
        ShardedRows.from_saved(str(tmp_path))
    assert "\n" not in str(error.value)
