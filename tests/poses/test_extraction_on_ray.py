"""What only Ray can show, in one session of it: the same bytes as one machine, also when a worker is killed."""

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import loopback_store
import psutil
import pyarrow.parquet as pq
import pytest
from helpers import error_of
from loopback_store import LoopbackServer
from test_shards import staged

from motionhub.data.build.engines import check_ray_starts
from motionhub.poses.extracted_dataset import extract_dataset
from motionhub.poses.extraction_engines import Resources


pytest.importorskip("av")
from small_videos import greys, write_video  # needs PyAV itself


pytestmark = pytest.mark.slow

EXPERTS = ["toy_estimators:Troubled:seconds=0.02", "toy_estimators:Brightness:shift=0.5"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Ray with two CPUs on this machine, whose workers know the tests' modules and store."""
    ray = pytest.importorskip("ray")
    try:
        check_ray_starts()
    except ValueError as error:
        pytest.skip(str(error))
    paths = os.pathsep.join(path for path in sys.path if path)
    settings = {"PYTHONPATH": paths, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        # "local": not the cluster that somebody else may have on this machine.
        how = {"num_cpus": 2, "object_store_memory": 2 * 10**8, "include_dashboard": False, "log_to_driver": False}
        ray.init("local", runtime_env={"worker_process_setup_hook": "loopback_store.register"}, **how)
        yield ray
        ray.shutdown()


def kill_a_worker(server: LoopbackServer, killed: list[int]) -> None:
    """Kills one process of an expert as soon as a part is finished."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not any("state/parts" in name for name in list(server.objects)):
        time.sleep(0.02)
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "MapWorker" in "".join(process.cmdline()[:1]):  # the title that Ray gives it
                process.kill()
                killed.append(process.pid)
                return


def test_a_killed_worker_changes_no_byte(cluster: Any, tmp_path: Path) -> None:
    for number in range(14):
        path = tmp_path / "in" / ("sit" if number % 2 else "wave ü") / f"clip {number // 2}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, greys(6 if number == 5 else 20 + number))  # 6 frames: a native crash
    made = extract_dataset(tmp_path / "in", tmp_path / "alone", EXPERTS, videos_per_part=2, progress=False)
    loopback_store.register()
    killed: list[int] = []
    with LoopbackServer() as server:
        for path in (tmp_path / "in").rglob("*.mp4"):
            server.objects[f"/b/in/{path.relative_to(tmp_path / 'in').as_posix()}"] = path.read_bytes()
        resources = {expert: Resources(cpus=0.5, max_workers=2) for expert in EXPERTS}
        killer = threading.Thread(target=kill_a_worker, args=(server, killed), daemon=True)
        killer.start()
        how: dict[str, Any] = {"engine": "ray", "resources": resources, "videos_per_part": 2, "progress": False}
        on_ray = extract_dataset(server.address("b/in"), server.address("b/out"), EXPERTS, **how)
        killer.join()
        assert killed
        names = [name for name in server.objects if name.startswith("/b/out/")]
        assert not [name for name in names if "/state/" in name]
        assert json.loads(server.objects["/b/out/manifest.json"]) == on_ray.manifest
        [shard] = made.manifest["shards"]
        assert server.objects[f"/b/out/{shard['file']}"] == (tmp_path / "alone" / shard["file"]).read_bytes()
    assert on_ray.manifest["shards"] == made.manifest["shards"] and shard["clips"] == 14
    assert on_ray.stats["failures"] == {"ProcessCrashed": 1} == made.stats["failures"]


def test_a_worker_of_ray_without_the_package_ends_the_run_in_one_line(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_video(tmp_path / "in" / "a.mp4", greys(12))
    how: dict[str, Any] = {"experts": ["toy_estimators:Unloadable"], "engine": "ray", "progress": False}
    assert "pip install toys" in error_of(extract_dataset, str(tmp_path / "in"), str(tmp_path / "out"), **how)


def test_two_workers_of_ray_make_the_same_parts(cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "ray").mkdir()
    (tmp_path / "here").mkdir()
    by_ray, here = staged(tmp_path / "ray", engine="ray", num_proc=2), staged(tmp_path / "here")
    assert (len(by_ray.paths), by_ray.broken) == (len(here.paths), here.broken)
    for one, other in zip(by_ray.paths, here.paths, strict=True):
        assert one.name == other.name and repr(pq.read_table(one).to_pylist()) == repr(
            pq.read_table(other).to_pylist()
        )
