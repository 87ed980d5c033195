"""Parts and shards: the rows in order, whatever engine made them; what was finished is not made again."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from motionhub.data.build.engines import check_ray_starts
from motionhub.data.build.shards import Facts, Staged, merge, read_facts, stage
from motionhub.skeletons.rows import to_row
from motionhub.skeletons.sequence import SkeletonSequence


NAMES = [f"clip{number:03d}" for number in range(40)]


def read(log: str, source: str) -> list[dict[str, Any]] | str:
    """Clip n: class n % 3, n % 5 + 1 frames that hold n; every tenth is broken. Reading is noted."""
    number = int(source[-3:])
    with open(log, "a") as file:
        file.write(f"{source}\n")
    if number % 10 == 9:
        return f"{source}: file: is broken."
    keypoints = np.full((1, number % 5 + 1, 13, 2), number, np.float32)
    keypoints[0, 0, 0] = np.nan
    sequence = SkeletonSequence(keypoints, "penn-13", 30.0, "pixel")
    return [to_row(sequence, label=number % 3, subject=number, clip_id=source, source="toy", licence="none")]


def slow_read(log: str, source: str) -> list[dict[str, Any]] | str:
    time.sleep(0.05)
    return read(log, source)


CLASSES = ("a", "b", "c")


def staged(folder: Path, marks: list[str] | None = None, names: list[str] = NAMES, **options: Any) -> Staged:
    settings = {"options": {"colour": "red"}, **options}
    marks = ["1"] * len(names) if marks is None else marks
    return stage(names, marks, partial(read, str(folder / "log")), CLASSES, folder / "parts", **settings)


def taken(folder: Path) -> list[str]:
    """The sources read since the last call."""
    log = folder / "log"
    lines = log.read_text().split() if log.exists() else []
    log.unlink(missing_ok=True)
    return lines


def test_rows_come_in_order_and_broken_sources_are_listed(tmp_path: Path) -> None:
    result = staged(tmp_path)
    facts = read_facts(result)
    readable = [name for name in NAMES if not name.endswith("9")]
    assert [row["clip_id"] for row in facts] == readable
    assert len(facts) == 36 and facts[-1]["subject"] == 38 and facts[10]["clip_id"] == "clip011"
    assert result.broken == tuple(f"{name}: file: is broken." for name in NAMES if name.endswith("9"))
    assert (result.num_sources, result.changed) == (40, ())
    frames = [int(name[-3:]) % 5 + 1 for name in readable]
    assert (result.joints, result.missing) == (13 * sum(frames), 36)
    assert facts.column("num_frames").tolist() == frames


@pytest.mark.parametrize("num_proc", [None, 2])
def test_a_second_call_reads_nothing_again(tmp_path: Path, num_proc: int | None) -> None:
    first = staged(tmp_path, num_proc=num_proc)
    assert sorted(taken(tmp_path)) == NAMES
    assert staged(tmp_path) == first
    assert taken(tmp_path) == []


def test_a_changed_input_is_named_and_only_its_part_is_made_again(tmp_path: Path) -> None:
    staged(tmp_path)
    taken(tmp_path)
    marks = ["1"] * 40
    marks[7] = "2"
    result = staged(tmp_path, marks)
    assert result.changed == ("clip007 (changed)",)
    assert set(taken(tmp_path)) == {"clip006", "clip007", "clip008"}  # parts of three
    assert len(list((tmp_path / "parts").glob("*.parquet"))) == 14 + 1  # and the list of inputs
    result = staged(tmp_path, names=NAMES[:-1])
    assert result.changed == ("clip007 (changed)", "clip039 (gone)")
    assert len(read_facts(result)) == 36
    taken(tmp_path)
    result = staged(tmp_path, names=NAMES[:-1], options={"colour": "blue"})
    assert result.changed == ("colour (option)",)
    assert len(taken(tmp_path)) == 39


def test_a_half_written_part_is_made_again(tmp_path: Path) -> None:
    result = staged(tmp_path)
    taken(tmp_path)
    result.paths[2].with_suffix(".json").unlink()
    (tmp_path / "parts" / "000003-0000.writing-17").write_bytes(b"half")
    assert staged(tmp_path) == result
    assert taken(tmp_path) == ["clip006", "clip007", "clip008"]
    assert not list((tmp_path / "parts").glob("*.writing*"))


@pytest.mark.slow
def test_a_killed_run_resumes(tmp_path: Path) -> None:
    """A process that is killed while it reads; the next one reads only what was not finished."""
    code = (
        "import sys; from functools import partial; from pathlib import Path; import test_shards as t\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "t.stage(t.NAMES, ['1'] * 40, partial(t.slow_read, str(folder / 'log')), t.CLASSES, folder / 'parts', "
        "options={'colour': 'red'})"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    begin = time.monotonic()
    while len(list((tmp_path / "parts").glob("*.json"))) < 3 and time.monotonic() - begin < 60:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    finished = len(list((tmp_path / "parts").glob("*.json")))
    assert 3 <= finished < 14
    taken(tmp_path)
    result = staged(tmp_path)
    assert taken(tmp_path) == NAMES[3 * finished :]
    assert len(read_facts(result)) == 36


def sleep_long(folder: str, name: str, sources: list[str]) -> None:
    Path(folder, name).touch()
    time.sleep(60)


def test_ctrl_c_ends_all_processes_at_once(tmp_path: Path) -> None:
    code = (
        "from functools import partial; import test_shards as t; from motionhub.data.build.engines import run_parts\n"
        f"run_parts({{str(n): ['a'] for n in range(9)}}, partial(t.sleep_long, {str(tmp_path)!r}), "
        "num_proc=2, engine='datasets')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, start_new_session=True)
    begin = time.monotonic()
    while len(list(tmp_path.iterdir())) < 2 and time.monotonic() - begin < 60:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.wait(timeout=20) != 0


def test_shards_hold_every_row_once_by_cell(tmp_path: Path) -> None:
    result = staged(tmp_path)
    facts = read_facts(result)
    even = facts.column("subject") % 2
    # With a shard of one byte every row group closes one.
    cells = merge(result, even, ["even", "odd"], tmp_path / "out", CLASSES)
    assert [cell.folder for cell in cells] == ["data/even", "data/odd"]
    assert [cell.first_row for cell in cells] == [0, 1]
    for cell, rest in zip(cells, (0, 1), strict=True):
        assert cell.files == (f"{cell.folder}/clips-00000-of-00001.parquet",)
        rows = pq.read_table(tmp_path / "out" / cell.files[0]).to_pylist()
        numbers = [n for n in range(40) if n % 2 == rest and n % 10 != 9]
        assert [row["subject"] for row in rows] == numbers
        assert cell.num_clips == len(numbers)
        assert cell.counts["Clips"].tolist() == [*(sum(n % 3 == label for n in numbers) for label in range(3)), 0]
        for row, number in zip(rows, numbers, strict=True):
            assert np.isnan(row["keypoints"][:2]).all()
            assert set(row["keypoints"][2:]) == {float(number)}


def test_shards_have_a_bounded_size_and_say_how_many_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motionhub.data.build.shards.ROWS_PER_GROUP", 4)
    result = staged(tmp_path)
    (cell,) = merge(result, np.zeros(36, int), ["all"], tmp_path / "out", CLASSES, shard_bytes=1)
    assert len(cell.files) >= 6
    assert cell.files[2] == f"data/all/clips-00002-of-{len(cell.files):05d}.parquet"
    tables = [pq.read_table(tmp_path / "out" / name) for name in cell.files]
    assert all(len(table) < 8 for table in tables)
    subjects = [subject for table in tables for subject in table.column("subject").to_pylist()]
    assert subjects == [n for n in range(40) if n % 10 != 9]


def test_facts_behave_like_a_list(tmp_path: Path) -> None:
    facts = read_facts(staged(tmp_path))
    assert isinstance(facts, Facts)
    assert [facts[index] for index in range(len(facts))] == list(facts)
    with pytest.raises(IndexError):
        facts[36]


def test_no_such_engine(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="engine must be one of"):
        staged(tmp_path, engine="spark")


def test_the_bar_counts_sources_and_starts_at_what_was_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    staged(tmp_path)
    assert capsys.readouterr().err == ""  # no terminal
    staged(tmp_path, progress=True)
    assert "40/40" in capsys.readouterr().err


@pytest.mark.parametrize("address", [None, "local", "10.0.0.1:6379"])
def test_ray_that_would_wait_for_workers_for_ever_is_refused_at_once(address, monkeypatch) -> None:
    monkeypatch.setattr(sys, "executable", "/home/a person/bin/python")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if address is not None:
        monkeypatch.setenv("RAY_ADDRESS", address)
    if address == "10.0.0.1:6379":
        check_ray_starts()  # other machines start their own
        return
    with pytest.raises(ValueError, match=r"^Ray starts no workers of /home/a person/.*RAY_ADDRESS=HOST"):
        check_ray_starts()
