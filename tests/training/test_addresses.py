"""Shards at an address: the rows of a folder, one request a row group, and one line for what is not there."""

import pickle
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import load_script
from test_streaming import write_shards
from toy_training import toy_dataset, toy_model, toy_processor, toy_recipe, weights

from motionhub.training import streaming
from motionhub.training.streaming import ShardedRows, byte_range, files_at
from motionhub.training.trainer import train


CARD = """---
configs:
- config_name: first
  data_files:
  - split: train
    path: data/clips-*.parquet
- config_name: second
  default: true
  data_files:
  - split: test
    path: [data/clips-00001-of-00003.parquet, data/clips-00000-of-00003.parquet]
---
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my clips" / "data").mkdir(parents=True)
    write_shards(tmp_path / "my clips" / "data")
    (tmp_path / "my clips" / "README.md").write_text(CARD)
    return tmp_path / "my clips"


@pytest.fixture
def address(folder: Path) -> Any:
    """The folder in fsspec's memory, which stands for a store."""
    store = fsspec.filesystem("memory")
    store.put(str(folder), "/clips", recursive=True)
    yield "memory://clips"
    store.rm("/clips", recursive=True)


def test_the_rows_of_an_address_are_those_of_the_folder(folder: Path, address: str) -> None:
    there = ShardedRows.from_saved(address, "first")
    here = ShardedRows(sorted(map(str, (folder / "data").iterdir())))
    assert len(there) == len(here) == 48 and there.group_sizes.tolist() == here.group_sizes.tolist()
    for index in (0, 7, 47):
        assert there[index].keys() == here[index].keys()
        for name, value in here[index].items():
            np.testing.assert_array_equal(there[index][name], value)
    assert there["clip_id"].tolist() == here["clip_id"].tolist()


def test_training_from_an_address_is_training_from_the_folder_bit_for_bit(folder, address, tmp_path):
    found = []
    for number, source in enumerate((address, str(folder))):
        model = toy_model()
        files = files_at(source, "first") if number == 0 else sorted(map(str, (folder / "data").iterdir()))
        train(model, toy_processor(), ShardedRows(files), None, toy_recipe(tmp_path / str(number), epochs=1))
        found.append(weights(model))
    for name, value in found[0].items():
        np.testing.assert_array_equal(value, found[1][name])


def test_a_web_address_with_a_space_gives_the_rows_and_a_server_that_ends_is_one_line(folder, monkeypatch):
    monkeypatch.setattr(streaming, "WAIT", 0.0)
    with load_script("benchmarks/range_server.py").served(folder.parent) as address:
        rows = ShardedRows.from_saved(f"{address}/my%20clips", "first")
        assert (len(rows), rows[47]["clip_id"]) == (48, "clip047")
        assert rows["label"].tolist() == [index % 3 for index in range(48)]
        with pytest.raises(ValueError, match="no dataset there"):
            files_at(f"{address}/nothing")
    with pytest.raises(ValueError, match="after 4 tries") as error:
        rows[0]
    assert "\n" not in str(error.value)


def test_a_row_group_is_one_request_of_its_bytes(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, asked = ShardedRows.from_saved(address, "first"), []
    store = type(fsspec.filesystem("memory"))
    original = store.cat_file
    monkeypatch.setattr(store, "cat_file", lambda *given, **how: asked.append(how) or original(*given, **how))
    rows[8], rows[9]
    begin, end = byte_range(rows._footers[0].row_group(1))
    assert asked == [{"start": begin, "end": end}]
    assert pickle.loads(pickle.dumps(rows))[8]["clip_id"] == "clip008"  # as a worker gets it


def test_a_request_is_repeated_and_the_last_failure_is_told(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "WAIT", 0.0)
    rows, failures = ShardedRows.from_saved(address, "first"), iter([TimeoutError("slow"), TimeoutError("slow")])
    store = type(fsspec.filesystem("memory"))
    original = store.cat_file

    def flaky(*given: Any, **how: Any) -> bytes:
        if (failure := next(failures, None)) is not None:
            raise failure
        return original(*given, **how)

    monkeypatch.setattr(store, "cat_file", flaky)
    assert rows[0]["clip_id"] == "clip000"
    failures = iter([TimeoutError("slow")] * 9)
    with pytest.raises(ValueError, match=r"parquet after 4 tries \(slow\)"):
        rows[20]


def test_an_answer_that_is_cut_off_is_no_row_group(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "WAIT", 0.0)
    rows, store = ShardedRows.from_saved(address, "first"), type(fsspec.filesystem("memory"))
    original = store.cat_file
    monkeypatch.setattr(store, "cat_file", lambda *given, **how: original(*given, **how)[:-5])
    with pytest.raises(ValueError, match=r"got \d+ of \d+ bytes"):
        rows[0]


def test_configs_and_splits_are_those_of_the_card(address: str) -> None:
    assert [name.rpartition("/")[2] for name in files_at(address, split="test")] == [
        "clips-00001-of-00003.parquet",
        "clips-00000-of-00003.parquet",
    ]
    with pytest.raises(ValueError, match=r"has the splits \['test'\], not 'train'; config 'second'"):
        files_at(address)
    with pytest.raises(ValueError, match=r"has the configs \['first', 'second'\], not 'third'"):
        files_at(address, "third")
    assert len(files_at(f"{address}/data/*.parquet")) == 3


def test_an_address_with_nothing_there_is_one_line(address: str) -> None:
    with pytest.raises(ValueError, match="no dataset there") as error:
        files_at("memory://nowhere")
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match="no parquet files for the split 'train' there"):
        files_at("memory://clips/none-*.parquet")


def test_a_web_address_without_its_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: Any) -> None:  # as fsspec says it; it keeps what it has imported once
        raise ImportError('HTTPFileSystem requires "requests" and "aiohttp" to be installed')

    monkeypatch.setattr(streaming, "url_to_fs", lacking)
    with pytest.raises(ImportError, match=r'pip install "motionhub\[http\]"'):
        files_at("http://127.0.0.1:9/clips")
    with pytest.raises(ImportError, match=r'pip install "motionhub\[http\]"'):
        ShardedRows(["http://127.0.0.1:9/clips/data/clips.parquet"])


def test_shards_with_other_columns_are_an_error_before_the_first_row(folder: Path) -> None:
    files = sorted(map(str, (folder / "data").iterdir()))
    pq.write_table(pq.read_table(files[1]).drop_columns(["fps"]), files[1])
    with pytest.raises(ValueError, match=r"00001-of-00003.parquet has other columns than .*\['fps'\]"):
        ShardedRows(files)


def test_the_benchmarks_row_groups_are_clips_of_the_schema(tmp_path: Path) -> None:
    reading = load_script("benchmarks/reading.py")
    files = reading.write_groups(tmp_path, 20, 4, 3, group_bytes=2000, shard_bytes=4000, distinct=2)
    rows = ShardedRows(files)
    assert len(rows) == 20 and len(files) > 2
    assert rows.features == toy_dataset(3).features.copy() | {"label": rows.features["label"]}
    assert ShardedRows.from_saved(f"file://{tmp_path}")["label"].tolist() == rows["label"].tolist()
    assert reading.rate(iter(range(5)), 9.0).clips == 4
    orders = {name: (correlation, mixed) for name, correlation, mixed in reading.quality(rows.group_sizes, 4, 3)}
    assert orders["files from first to last"][0] == pytest.approx(1)
    assert abs(orders["a full permutation"][0]) < 0.7
