"""Runs of two processes of which one is another or fails: one line, in the main process, and nobody hangs."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from forked import Ended, in_processes
from toy_training import toy_dataset, toy_model, toy_processor, toy_recipe, weights

from motionhub.training import agreement
from motionhub.training.dataset import ClipDataset
from motionhub.training.objective import Supervised
from motionhub.training.streaming import ShardedRows
from motionhub.training.trainer import train


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """24 clips in two shards."""
    names = [str(tmp_path / f"clips-{number}.parquet") for number in (0, 1)]
    for number, name in enumerate(names):
        pq.write_table(toy_dataset(24).data.table.slice(12 * number, 12), name)
    return names


def run(files: list[str], folder: Path, objective: Any = None, **changes: Any) -> dict[str, np.ndarray]:
    model = toy_model()
    recipe = toy_recipe(folder, **{"timeout": 100, "epochs": 1, **changes})
    train(model, toy_processor(), ShardedRows(files), None, recipe, objective=objective)
    return weights(model)


def only_line(ended: list[Ended]) -> str:
    """What the main process says; the other says nothing, and both have failed."""
    assert [process.status for process in ended] == [2, 2], [process.output for process in ended]
    assert ended[1].lines == []
    (line,) = ended[0].lines
    return line


@pytest.mark.parametrize("how", ["missing", "half-written"])
def test_a_shard_that_one_process_cannot_read_is_told_by_the_main_one(files, tmp_path, how):
    def work(rank: int) -> None:
        own = list(files)
        if rank == 1:
            own[1] = str(tmp_path / "other.parquet")
            if how == "half-written":
                Path(own[1]).write_bytes(Path(files[1]).read_bytes()[:2000])
        run(own, tmp_path / "run")

    line = only_line(in_processes(work))
    assert line.startswith("motionhub: process 1: ") and "other.parquet: cannot be read as parquet" in line


def test_a_process_with_fewer_shards_is_an_error(files, tmp_path):
    line = only_line(in_processes(lambda rank: run(files[: 2 - rank], tmp_path / "run")))
    assert "num_clips is 24, in process 1 12" in line and "the training clips and labels differ" in line


def test_another_seed_in_one_process_is_an_error(files, tmp_path):
    line = only_line(in_processes(lambda rank: run(files, tmp_path / "run", seed=rank)))
    assert "seed is 0, in process 1 1" in line and "the same command, data and versions" in line


def test_another_version_in_one_process_is_an_error(files, tmp_path, monkeypatch):
    def work(rank: int) -> None:
        if rank:
            monkeypatch.setattr("motionhub.training.agreement.version", lambda _: "0.1")
        run(files, tmp_path / "run")

    assert f"version.torch is {torch.__version__}, in process 1 0.1" in only_line(in_processes(work))


def test_an_output_folder_that_is_not_shared_is_an_error(files, tmp_path, monkeypatch):
    monkeypatch.setattr(agreement, "VISIBLE", 0.3)
    line = only_line(in_processes(lambda rank: run(files, tmp_path / f"disk{rank}")))
    assert "disk1 is not the folder that process 0 writes to" in line


def test_a_process_that_does_not_come_is_named_after_the_timeout(files, tmp_path):
    began = time.monotonic()
    ended = in_processes(lambda rank: time.sleep(60) if rank else run(files, tmp_path / "run", timeout=2), timeout=30)
    assert ended[0].status == 2 and time.monotonic() - began < 60
    assert "Of 2 processes [1] did not start within 2 s" in ended[0].lines[0]


class FailsIn(Supervised):
    """In one process, after its second update: an error, or silence."""

    def __init__(self, rank: int, seconds: float = 0.0) -> None:
        super().__init__()
        self.rank, self.seconds, self.updates = rank, seconds, 0

    def after_update(self, model: torch.nn.Module) -> None:
        self.updates += 1
        if self.rank == 1 and self.updates == 2:
            time.sleep(self.seconds)
            raise ValueError("clips-1.parquet: cannot be read as parquet.")


@pytest.mark.slow
def test_an_error_of_one_process_in_the_middle_of_a_run_is_the_reason_that_the_other_gives(files, tmp_path):
    ended = in_processes(lambda rank: run(files, tmp_path / "run", FailsIn(rank), epochs=9, checkpoint_updates=1))
    assert [process.status for process in ended] == [2, 2], [process.output for process in ended]
    assert "clips-1.parquet: cannot be read" in ended[1].lines[0]
    (line,) = ended[0].lines
    assert "could not reach another process" in line and "process 1: clips-1.parquet" in line
    assert f"last checkpoint is in {tmp_path / 'run' / 'last'}" in line


@pytest.mark.slow
def test_a_process_that_falls_silent_ends_the_run_after_the_timeout(files, tmp_path):
    ended = in_processes(
        lambda rank: run(files, tmp_path / "run", FailsIn(rank, 60.0), epochs=9, timeout=5), timeout=60
    )
    assert ended[0].status == 2
    assert "could not reach another process of this run" in ended[0].lines[0]


@pytest.mark.slow
def test_more_processes_than_shards_take_every_clip_once(files, tmp_path, monkeypatch):
    """One shard of one row group: updates are shared out, not files."""
    original = ClipDataset.__getitem__

    def work(rank: int) -> None:
        taken: list[int] = []
        monkeypatch.setattr(
            ClipDataset, "__getitem__", lambda self, index: (taken.append(int(index)), original(self, index))[1]
        )
        run(files[:1], tmp_path / "run", batch_size=6)
        (tmp_path / f"taken{rank}.json").write_text(json.dumps(taken))

    assert [process.status for process in in_processes(work, count=3)] == [0, 0, 0]
    shares = [json.loads((tmp_path / f"taken{rank}.json").read_text()) for rank in range(3)]
    assert [len(share) for share in shares] == [4, 4, 4] and sorted(sum(shares, [])) == list(range(12))


def test_more_processes_than_clips_of_an_update_are_an_error_with_both_numbers(files, tmp_path):
    line = only_line(in_processes(lambda rank: run(files, tmp_path / "run", batch_size=9)))
    assert "a multiple of 2 processes" in line and "got 9" in line


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_a_run_is_resumed_by_another_number_of_processes_in_the_middle_of_an_epoch(files, tmp_path, before, after):
    whole = run(files, tmp_path / "whole", epochs=2, batch_size=4)

    def work(rank: int, objective: Any = None) -> None:
        found = run(files, tmp_path / "run", objective, epochs=2, batch_size=4, checkpoint_updates=8)
        np.savez(tmp_path / f"rank{rank}.npz", **found)

    class Enough(Supervised):
        updates = 0

        def after_update(self, model: torch.nn.Module) -> None:
            self.updates += 1
            if self.updates == 9:
                raise ValueError("enough")

    assert {process.status for process in in_processes(lambda rank: work(rank, Enough()), before)} == {2}
    progress = json.loads((tmp_path / "run" / "last" / "state" / "progress.json").read_text())["progress"]
    assert (progress["epoch"], progress["epoch_updates"]) == (1, 2)
    ended = in_processes(work, after)
    assert {process.status for process in ended} == {0}, ended
    assert f"num_processes {before} -> {after}" in ended[0].output
    with np.load(tmp_path / "rank0.npz") as found:
        for name, value in whole.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)
