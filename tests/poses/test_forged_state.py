"""What lies in the folder of a large extraction is another's or damaged: made again, or refused in one line."""

import io
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from motionhub.data.build.lease import NAME, Lease, read_owner
from motionhub.data.build.store import Store
from motionhub.poses.extracted_dataset import MANIFEST, STATS, _finished
from motionhub.poses.extraction_plan import PARTS, PLAN, Plan, agreed_plan, finished_parts, plan_of
from motionhub.poses.video_dataset import labelled_videos


DEEP = b"[" * 100_000
OPTIONS = {"videos_per_part": 64, "experts": ["mediapipe"]}
MARK: dict[str, Any] = {
    **{"sha256": "0" * 64, "bytes": 4, "rows": 1, "arrow_bytes": 9, "videos": 1, "people": 1, "frames": 5},
    **{"left_out": {}, "versions": {}, "seconds": {"fetching": 0.5}, "failures": [{"kind": "ValueError"}]},
}


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    (folder / "wave").mkdir(parents=True)
    (folder / "wave" / "a.mp4").write_bytes(b"0")
    return folder


@pytest.fixture
def plan(videos: Path) -> Plan:
    return plan_of(Store(str(videos)), OPTIONS)


def one_line(call: Any, names: str) -> None:
    with pytest.raises(ValueError, match=names) as caught:
        call()
    assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)


def test_a_part_counts_if_its_mark_is_whole(tmp_path: Path, plan: Plan) -> None:
    out = Store(str(tmp_path / "out"))
    out.write(f"{PARTS}/000000.parquet", b"0123")
    mark = {**MARK, "plan": plan.fingerprint}
    forged = [{name: value for name, value in mark.items() if name != left_out} for left_out in mark]
    forged += [{**mark, "videos": "1"}, {**mark, "failures": [3]}, {**mark, "seconds": {"a": "b"}}, [mark], 7]
    for content in [*(json.dumps(each).encode() for each in forged), DEEP, b"\xff", b""]:
        out.write(f"{PARTS}/000000.json", content)
        assert finished_parts(out, plan) == {}, content[:80]
    out.write(f"{PARTS}/000000.json", json.dumps(mark).encode())
    assert finished_parts(out, plan) == {0: mark}


def of_table(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def test_a_plan_that_is_none_is_named(tmp_path: Path, plan: Plan) -> None:
    out = Store(str(tmp_path / "out"))
    other = pa.table({"name": ["a"]})
    forged = [DEEP, of_table(other), of_table(plan.table)]
    for options in (b"[]", b"3", DEEP, b"{}"):
        forged.append(of_table(other.replace_schema_metadata({"options": options})))
    for content in forged:
        out.write(PLAN, content)
        one_line(lambda: agreed_plan(out, plan), f"{out.address}")
    out.write(PLAN, plan.to_bytes())
    assert agreed_plan(out, plan).fingerprint == plan.fingerprint


def test_a_manifest_that_is_none_is_named(tmp_path: Path, plan: Plan) -> None:
    out = Store(str(tmp_path / "out"))
    for content in (DEEP, b"[1]", b"{}", b'{"plan": [1]}', b"\xff"):
        out.write(MANIFEST, content)
        one_line(lambda: _finished(out, plan), f"{out.address}")
    out.write(MANIFEST, json.dumps({"plan": plan.fingerprint}).encode())
    assert _finished(out, plan).stats == {}
    out.write(STATS, DEEP)
    one_line(lambda: _finished(out, plan), STATS)


def test_an_owner_that_is_none_keeps_nobody_out_and_a_long_one_stays_one_line(tmp_path: Path) -> None:
    out = Store(str(tmp_path / "out"))
    for content in (DEEP, b"[1]", b'{"token": ', b"\xff"):
        out.write(NAME, content)
        assert read_owner(out) is None
        with Lease(out, beat=0.02, patience=1) as lease:
            lease.check()
    (tmp_path / "out" / "state").mkdir(exist_ok=True)
    os.mkfifo(tmp_path / "out" / NAME)  # reading it would never end
    with Lease(out, beat=0.02, patience=1) as lease:
        lease.check()
    out.write(NAME, json.dumps({"token": "x", "host": "h" * 10**6, "process": [1] * 10**5}).encode())
    lease = Lease(out, beat=0.5, patience=2)
    lease._read = iter([{"token": "x"}, read_owner(out), read_owner(out)]).__next__
    one_line(lease.__enter__, "is writing there")


def test_links_out_of_the_folder_of_videos_are_not_followed(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "private.mp4").write_bytes(b"1")
    (videos / "wave" / "inside.mp4").symlink_to(videos / "wave" / "a.mp4")
    assert len(labelled_videos(videos)) == plan_of(Store(str(videos)), OPTIONS).num_videos == 2
    (videos / "wave" / "b.mp4").symlink_to(tmp_path / "private.mp4")
    one_line(lambda: labelled_videos(videos), "b.mp4")
    one_line(lambda: plan_of(Store(str(videos)), OPTIONS), "b.mp4")
    (videos / "labels.csv").write_text("file,label\nwave/b.mp4,wave\n")
    one_line(lambda: labelled_videos(videos), "b.mp4")
    one_line(lambda: plan_of(Store(str(videos)), OPTIONS), "b.mp4")
