"""A dataset of poses from videos at an address: complete, resumed, and the same bytes however it was made."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import loopback_store
import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from helpers import error_of
from loopback_store import LoopbackServer
from toy_estimators import CRASHES, FAILS, HANGS, KILLED

from motionhub.cli.main import main
from motionhub.data.build.store import Store
from motionhub.poses import extracted_dataset, extraction_engines, extraction_plan, extraction_stages
from motionhub.poses.estimator_process import EstimatorProcess, EstimatorUnusable, Failure, failure_of, load_estimator
from motionhub.poses.extracted_dataset import ExtractedDataset, extract_dataset, parse_experts
from motionhub.poses.extraction_engines import Resources
from motionhub.poses.extraction_plan import ExtractionOptions, plan_of, shares
from motionhub.poses.extraction_stages import Answer, ExpertStage, Job, RunEnded, finish_part, joined
from motionhub.poses.windows import detect_in_file
from motionhub.skeletons.rows import from_row


pytest.importorskip("av")
from small_videos import greys, write_video  # needs PyAV itself


EXPERTS = ["toy_estimators:Brightness", "toy_estimators:Brightness:shift=0.5"]
NAMES = [
    *("sit down/clip 1.mp4", "sit down/clip 2.mp4", "sit down/ü 跑.mp4"),
    *("wave/clip 1.mp4", "wave/clip 2.mp4", "wave/other #%.mp4"),
]


class InProcess:
    """`EstimatorProcess` without its process, which takes a second to start."""

    asked: list[str] = []

    def __init__(self, estimator: str, options: Any, timeout: float | None) -> None:
        try:
            self.finder = load_estimator(estimator, options)
        except ImportError as error:
            raise EstimatorUnusable(f"estimator {estimator!r}: ImportError: {error}") from None

    def detect(self, path: Path, number: int, count: int, **windows: float) -> Any:
        self.asked.append(path.name)
        try:
            return detect_in_file(path, self.finder, number, count, **windows)
        except Exception as error:
            return failure_of(error)

    def close(self) -> None:
        return


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Estimators in this process, and leases of an instant; the list of names of videos they are asked for."""
    monkeypatch.setattr(extraction_stages, "EstimatorProcess", InProcess)
    monkeypatch.setattr(InProcess, "asked", [])
    monkeypatch.setattr(extracted_dataset.Lease.__init__, "__kwdefaults__", {"beat": 0.05, "patience": 2})
    return InProcess.asked


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("v i d e o s")
    for number, name in enumerate(NAMES):
        (root / name).parent.mkdir(exist_ok=True)
        write_video(root / name, greys(20 + number))
    (root / "notes.txt").write_text("no video")
    return root


def extracted(videos: Path | str, out: Path | str, **options: Any) -> ExtractedDataset:
    return extract_dataset(videos, out, **{"experts": EXPERTS, "videos_per_part": 2, "progress": False, **options})


def content(folder: Path) -> dict[str, bytes]:
    """What every run must give: shards, manifest, card and failures."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "stats.json")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def whole(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The content of an undisturbed run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction_stages, "EstimatorProcess", InProcess)
        out = tmp_path_factory.mktemp("whole") / "out"
        extracted(videos, out)
        return content(out)


def test_every_video_of_any_name_is_one_clip(videos: Path, tmp_path: Path, quick: list[str]) -> None:
    made = extracted(videos, tmp_path / "out")
    rows = load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))["full"]
    assert rows["clip_id"][:] == NAMES  # the same name in two folders is two clips
    assert rows.features["label"].names == ["sit down", "wave"] and rows["label"][:] == [0, 0, 0, 1, 1, 1]
    clip = from_row(rows[4])
    assert (clip.num_people, clip.num_frames, clip.layout.name, clip.fps) == (1, 24, "posetics-17", 10.0)
    place = np.nanmean(clip.keypoints[0, :, :, 0], axis=1)
    assert (place[-1] - place[0]) / 23 == pytest.approx(0.5, abs=0.03)  # 4 levels of grey a frame, 1/8 pixel each
    [shard] = made.manifest["shards"]
    file = (tmp_path / "out" / shard["file"]).read_bytes()
    assert (len(file), hashlib.sha256(file).hexdigest(), 6) == (shard["bytes"], shard["sha256"], shard["clips"])
    assert not (tmp_path / "out" / "state").exists()
    assert {"videos": 6, "clips": 6, "people": 6, "failures": {}}.items() <= made.stats.items()
    assert set(made.stats["seconds_per_stage"]) == {"fetching", *EXPERTS, "SST-A and writing"}
    assert str(tmp_path) not in json.dumps(made.manifest)


def test_a_crash_a_hang_and_a_kill_end_one_video_each_and_are_reported(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    for frames in (CRASHES, FAILS, HANGS, KILLED, 12):
        write_video(tmp_path / "videos" / f"{frames}.mp4", greys(frames))
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"nothing")
    options = {"experts": ["toy_estimators:Troubled"], "timeout": 8.0}
    made = extracted(tmp_path / "videos", tmp_path / "out", **options)
    assert made.manifest["clips"] == 1
    lines = [json.loads(line) for line in (tmp_path / "out" / "failures.jsonl").read_text().splitlines()]
    kinds = {line["video"]: line["kind"] for line in lines}
    assert kinds == {
        f"{CRASHES}.mp4": "ProcessCrashed",
        f"{FAILS}.mp4": "RuntimeError",
        f"{HANGS}.mp4": "TimeoutError",
        f"{KILLED}.mp4": "MemoryError",
        "broken.mp4": "ValueError",
    }
    traces = {line["video"]: line["trace"] for line in lines}
    assert "Segmentation fault" in traces[f"{CRASHES}.mp4"] and "not today" in traces[f"{FAILS}.mp4"]
    assert "broken.mp4: cannot be read" in made.manifest["left_out"]["broken.mp4"]
    assert str(tmp_path) not in json.dumps(made.manifest)


class Interrupted(Exception):
    """As a kill of the driver: nothing is cleaned up."""


@pytest.fixture(scope="module")
def killed(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of a run that ended after two of three parts."""
    made: list[int] = []

    def finish(job: Job, number: int, *rest: Any) -> Any:
        if len(made) == 2:
            raise Interrupted
        made.append(number)
        return finish_part(job, number, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(extraction_stages, "EstimatorProcess", InProcess)
        patch.setattr(extraction_engines, "finish_part", finish)
        patch.setattr(extracted_dataset.Lease, "__exit__", lambda self, *_: self._ended.set())
        out = tmp_path_factory.mktemp("killed") / "out"
        with pytest.raises(Interrupted):
            extracted(videos, out)
    return out


def test_an_interrupted_run_resumes_with_the_same_bytes(
    videos: Path, killed: Path, tmp_path: Path, quick: list[str], whole: dict[str, bytes]
) -> None:
    assert not (killed / "manifest.json").exists()
    shutil.copytree(killed, tmp_path / "out")
    made = extracted(videos, tmp_path / "out")
    assert quick == [Path(name).name for name in NAMES[4:] for _ in EXPERTS]  # two parts are not made again
    assert content(tmp_path / "out") == whole
    assert (made.stats["videos"], made.stats["videos_of_this_run"]) == (6, 2)


@pytest.mark.parametrize("damage", ["half", "altered", "gone", "mark"])
def test_half_written_and_damaged_parts_are_made_again(
    damage: str, videos: Path, killed: Path, tmp_path: Path, quick: list[str], whole: dict[str, bytes]
) -> None:
    shutil.copytree(killed, tmp_path / "out")
    part = tmp_path / "out" / "state" / "parts" / "000001.parquet"
    before = part.read_bytes()
    if damage == "gone":
        part.unlink()
    elif damage == "mark":
        part.with_suffix(".json").write_bytes(b'{"plan": ')
    else:
        half = before[: len(before) // 2]
        part.write_bytes({"half": half, "altered": half + bytes(len(before) - len(half))}[damage])
    extracted(videos, tmp_path / "out")
    assert {Path(name).name for name in NAMES[2:4]} <= set(quick)
    assert content(tmp_path / "out") == whole


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda root: {"min_present": 0.6}, "min_present (option)"),
        (lambda root: {"videos_per_part": 3}, "videos_per_part (option)"),
        (lambda root: write_video(root / "wave" / "new.mp4", greys(9)) and {}, "wave/new.mp4 (new)"),
        (lambda root: (root / NAMES[0]).unlink() or {}, "sit down/clip 1.mp4 (gone)"),
        (lambda root: write_video(root / NAMES[1], greys(9)) and {}, "sit down/clip 2.mp4 (changed)"),
    ],
)
def test_an_interrupted_run_is_resumed_with_its_own_inputs_only(
    change: Callable[[Path], dict[str, Any]], named: str, videos: Path, killed: Path, tmp_path: Path, quick: list[str]
) -> None:
    shutil.copytree(videos, tmp_path / "videos")
    shutil.copytree(killed, tmp_path / "out")
    options = change(tmp_path / "videos")
    message = error_of(extracted, str(tmp_path / "videos"), str(tmp_path / "out"), **options)
    assert f"was begun with other inputs ({named})" in message and quick == []


def test_a_finished_dataset_stays_as_it_is(videos: Path, tmp_path: Path, quick: list[str]) -> None:
    first = extracted(videos, tmp_path / "out")
    quick.clear()
    assert extracted(videos, tmp_path / "out") == first and quick == []
    assert "finished dataset of other inputs" in error_of(extracted, str(videos), tmp_path / "out", window=30.0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    assert "has other files (notes.txt)" in error_of(extracted, str(videos), tmp_path / "mine")


def test_shards_are_closed_at_their_size_and_keep_the_order(videos: Path, tmp_path: Path, quick: list[str]) -> None:
    made = extracted(videos, tmp_path / "out", shard_bytes=1)
    files = [shard["file"] for shard in made.manifest["shards"]]
    assert files == [f"data/clips-{number:05d}-of-00003.parquet" for number in range(3)]
    names = [name for file in files for name in pq.read_table(tmp_path / "out" / file)["clip_id"].to_pylist()]
    assert names == NAMES


def test_labels_and_licences_come_from_the_table(tmp_path: Path, quick: list[str]) -> None:
    root = tmp_path / "videos"
    root.mkdir()
    for name in ("a.mp4", "b.mp4", "c.mp4"):
        write_video(root / name, greys(12))
    (root / "labels.csv").write_text("file,label,licence\nb.mp4,wave,cc-by-4.0\na.mp4,sit,\n")
    extracted(root, tmp_path / "out", licence="cc0-1.0")
    rows = pq.read_table(tmp_path / "out" / "data" / "clips-00000-of-00001.parquet").to_pylist()
    assert [(row["clip_id"], row["label"], row["licence"]) for row in rows] == [
        ("a.mp4", 0, "cc0-1.0"), ("b.mp4", 1, "cc-by-4.0")
    ]  # fmt: skip
    loopback_store.register()
    with LoopbackServer() as server:  # a table on its own, away from its files
        for path in root.iterdir():
            server.objects[f"/in/{path.name}"] = path.read_bytes()
        far = plan_of(Store(server.address("in")), {"videos_per_part": 2})
    assert [(video.name, video.label, video.licence) for video in far.part(0)] == [
        ("a.mp4", 0, ""), ("b.mp4", 1, "cc-by-4.0")
    ]  # fmt: skip
    (root / "labels.csv").write_text("file,label\nz.mp4,wave\n")
    assert "names files that are not there: z.mp4" in error_of(extracted, root, str(tmp_path / "other"))


def test_an_object_store_is_read_and_written_as_a_folder(
    videos: Path, tmp_path: Path, quick: list[str], whole: dict[str, bytes]
) -> None:
    loopback_store.register()
    with LoopbackServer() as server:
        for name in NAMES:
            server.objects[f"/bucket/in/{name}"] = (videos / name).read_bytes()
        made = extracted(server.address("bucket/in"), server.address("bucket/out"))
        found = {name.removeprefix("/bucket/out/"): body for name, body in server.objects.items() if "/out/" in name}
        assert found["data/clips-00000-of-00001.parquet"] == whole["data/clips-00000-of-00001.parquet"]
        assert set(found) == {*whole, "stats.json"} and made.manifest["clips"] == 6
        written = [name for method, name in server.requests if method == "PUT" and "/state/" not in name]
        assert written[-1].endswith("manifest.json")


def test_a_store_that_stops_answering_ends_the_run_and_the_finished_parts_stay(
    videos: Path, tmp_path: Path, quick: list[str], whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    loopback_store.register()
    with LoopbackServer() as server:
        for name in NAMES:
            server.objects[f"/in/{name}"] = (videos / name).read_bytes()
        source = Store(server.address("in"), attempts=2, first_wait=0.01)
        monkeypatch.setattr(
            extracted_dataset, "store_at", lambda address, _: source if address == "in" else Store(address)
        )
        ask = InProcess.detect

        def stops(self: InProcess, *arguments: Any, **windows: float) -> Any:
            if len(quick) == 5:  # in the second part
                server.failures = 10
            return ask(self, *arguments, **windows)

        with monkeypatch.context() as patch:
            patch.setattr(InProcess, "detect", stops)
            message = error_of(extracted, "in", str(tmp_path / "out"))
        assert "the store failed 2 times" in message and "Run the same call again" in message
        assert [path.name for path in (tmp_path / "out" / "state" / "parts").glob("*.json")] == ["000000.json"]
        server.failures = 0
        made = extracted("in", str(tmp_path / "out"))
        shard = "data/clips-00000-of-00001.parquet"
        assert (tmp_path / "out" / shard).read_bytes() == whole[shard] and made.manifest["left_out"] == {}


def test_a_worker_of_another_version_ends_the_run_in_one_line(
    videos: Path, tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = extraction_stages.versions()
    monkeypatch.setattr(extraction_stages, "versions", lambda _: {**here, "motionhub": "0.0.9"})
    message = error_of(extracted, str(videos), str(tmp_path / "out"))
    assert f"has motionhub 0.0.9, the run was begun with {here['motionhub']}; install that there: pip" in message
    assert not (tmp_path / "out" / "data").exists()


def test_workers_with_two_versions_of_an_estimator_end_the_run(videos: Path, job: Job, quick: list[str]) -> None:
    part = plan_of(job.videos, {"videos_per_part": 2}).part(0)
    stage = ExpertStage(replace(job, experts=job.experts[:1]), 0)
    answers = {video.name: [[stage.answer(video.name)]] for video in part}
    other = answers[part[1].name][0][0]
    answers[part[1].name] = [[replace(other, versions={**other.versions, "av": "1.0"})]]
    message = error_of(finish_part, job, 0, part, answers)
    assert "Workers have av" in message and "and 1.0; install one version" in message


def test_parts_of_two_runs_with_two_versions_of_an_estimator_are_not_mixed(
    videos: Path, killed: Path, tmp_path: Path, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(killed, tmp_path / "out")
    here = extraction_stages.versions(("mediapipe",))
    monkeypatch.setattr(extraction_stages, "versions", lambda _: {**here, "av": "99.0"})
    message = error_of(extracted, str(videos), str(tmp_path / "out"))
    assert f"parts were made with av {here['av']} and 99.0; install one version" in message
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_worker_without_the_package_of_an_estimator_ends_the_run_in_one_line(videos: Path, tmp_path: Path) -> None:
    message = error_of(extracted, str(videos), str(tmp_path / "out"), experts=["toy_estimators:Unloadable"])
    assert "ImportError: The estimator needs toys: pip install toys" in message


@pytest.fixture
def job(videos: Path, tmp_path: Path) -> Job:
    here = extraction_stages.versions()
    source, out = Store(str(videos)), Store(str(tmp_path / "out"))
    options = ExtractionOptions(tuple(EXPERTS), window=1.0, overlap=0.2, licence="")
    return Job(source, out, parse_experts(EXPERTS), options, ("sit down", "wave"), "p", here)


def test_a_video_shared_among_workers_gives_the_same_part(
    job: Job, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [ExpertStage(job, number) for number in range(2)]
    part = plan_of(job.videos, {"videos_per_part": 2}).part(0)
    marks = []
    for split in (2**26, 400):
        monkeypatch.setattr(extraction_plan, "SPLIT_BYTES", split)
        rows = [
            {"part": 0, "video": video.name, "share": share, "shares": video.shares}
            for video, share in reversed(shares(part))
        ]
        for stage in stages:
            for row in rows:
                batch = {name: np.array([value], dtype=object) for name, value in row.items()}
                row |= {name: column[0] for name, column in stage(batch).items()}
        [(number, found)] = joined(rows, {0: len(rows)})
        assert (number, len(rows) > 2) == (0, split == 400)
        marks.append(finish_part(job, 0, part, extraction_stages.unpacked(2, found)))
    assert marks[0]["sha256"] == marks[1]["sha256"] and marks[0]["rows"] == 2


@pytest.mark.parametrize("error", [PermissionError("the token has expired"), OSError(28, "no space left")])
def test_what_is_wrong_with_the_machine_is_no_failure_of_a_video(
    error: OSError, job: Job, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def local(self: Store, name: str) -> Path:
        raise error

    stage = ExpertStage(job, 0)
    monkeypatch.setattr(Store, "local", local)
    answer = stage.answer(NAMES[0])
    assert NAMES[0] in answer.refused and str(error) in answer.refused


def test_a_video_that_has_vanished_is_a_failure_of_it(job: Job, quick: list[str]) -> None:
    found = ExpertStage(job, 0).answer("gone.mp4")
    assert isinstance(found.found, Failure) and found.found.kind == "FileNotFoundError" and not found.refused


def test_a_part_waits_for_all_of_its_rows() -> None:
    rows = [{"part": part, "video": name, "share": 0, "refused": ""} for name in "ab" for part in (0, 1)]
    assert [(part, list(found)) for part, found in joined(rows, {0: 2, 1: 2})] == [(0, ["a", "b"]), (1, ["a", "b"])]
    with pytest.raises(RunEnded, match=r"parts 1 \(1 of 2\)"):
        list(joined(rows[:3], {0: 2, 1: 2}))
    with pytest.raises(RunEnded, match="no such package"):
        list(joined([{**rows[0], "refused": "no such package"}], {0: 2}))


def test_a_run_that_lost_its_output_writes_nothing_more(job: Job, quick: list[str]) -> None:
    job.out.write("state/run.json", json.dumps({"token": "another", "host": "h", "process": 7}).encode())
    part = plan_of(job.videos, {"videos_per_part": 1}).part(0)
    answers = {part[0].name: [[ExpertStage(job, number).answer(part[0].name)] for number in range(2)]}
    assert "another run (process 7 on h) owns it" in error_of(finish_part, replace(job, token="own"), 0, part, answers)
    assert list(job.out.files()) == ["state/run.json"]


def test_an_expert_that_fails_leaves_the_clip_to_the_others(job: Job, quick: list[str]) -> None:
    part = plan_of(job.videos, {"videos_per_part": 1}).part(0)
    failed = Answer(Failure("RuntimeError", "not today", "trace"))
    answers = {part[0].name: [[failed], [ExpertStage(job, 1).answer(part[0].name)]]}
    mark = finish_part(job, 0, part, answers)
    assert (mark["rows"], mark["left_out"]) == (1, {})
    assert mark["failures"] == [
        {"video": part[0].name, "stage": EXPERTS[0], "kind": "RuntimeError", "message": "not today", "trace": "trace"}
    ]


def test_wrong_arguments_say_what_is_expected(videos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no videos there" in error_of(extracted, tmp_path / "empty", str(tmp_path / "out"))
    for options, expected in [
        ({"engine": "spark"}, "engine must be one of"),
        ({"videos_per_part": 0}, "at least 1"),
        ({"experts": []}, "at least one expert"),
        ({"experts": ["openpose"]}, "An expert is one of"),
        ({"experts": ["mediapipe", "mediapipe"]}, "each once"),
        ({"resources": {"vitpose": Resources()}}, "resources are of experts"),
    ]:
        assert expected in error_of(extracted, str(videos), str(tmp_path / "out"), **options)
    for text in ("mediapipe", "mediapipe:", "mediapipe:cpus=x", "x:workers=3-1", "x:gpus=-1", ":cpus=1"):
        assert "Expected EXPERT:cpus=1" in error_of(Resources.parse, text)
    assert not (tmp_path / "out").exists()


def test_the_command_says_what_it_made_and_what_is_wrong(
    videos: Path, tmp_path: Path, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["dataset", "poses", str(videos), "--out", str(tmp_path / "out"), "--experts", *EXPERTS, "--no-progress"]
    assert main(words) == 0
    assert "6 of 6 videos, shards 1" in capsys.readouterr().out
    assert main([*words, "--resources", "mediapipe:cpus=1"]) == 2
    assert "resources are of experts" in capsys.readouterr().err
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.mp4").write_bytes(b"nothing")
    assert main([*words[:2], str(tmp_path / "bad"), words[3], str(tmp_path / "none"), *words[5:]]) == 2
    assert "No clip is left of 1 videos; the first, a.mp4" in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_give_the_same_bytes(videos: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    extracted(videos, tmp_path / "out", num_proc=2)
    assert content(tmp_path / "out") == whole


def test_an_estimator_process_is_loaded_once_for_many_videos(videos: Path) -> None:
    process = EstimatorProcess("toy_estimators:Brightness")
    try:
        child = process._process
        found = [process.detect(videos / name) for name in NAMES[:3]]
        assert child is not None and process._process is child
        assert [len(windows[0].places) for windows in found] == [20, 21, 22]
        assert pickle.loads(pickle.dumps(found[0]))[0].layout == "coco-17"
    finally:
        process.close()
