"""Poses of 200 videos on two Ray nodes in two network namespaces, with an object store that is not the disk.

    sudo python benchmarks/two_nodes.py --videos ../shared/videos      # root: `ip netns`

Runs once on this machine alone; then on two nodes, disturbed by kill -9 of a worker, of the driver and of a whole node
in the middle, each followed by what a user does: nothing, or the same call again; then, undisturbed, with one and two
workers for each expert. Every run must give the same shards. Estimators are those of the tests, so what is measured is
everything around them.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np


ROOT = Path(__file__).resolve().parent.parent
for folder in ("src", "tests", "tests/poses", "benchmarks"):
    sys.path.insert(0, str(ROOT / folder))

import loopback_store  # noqa: E402
from loopback_store import LoopbackServer  # noqa: E402


NODES = {"motionhub-a": "10.77.0.1", "motionhub-b": "10.77.0.2"}
HEAD, OTHER = NODES
GCS, STORE = f"{NODES[HEAD]}:6379", f"loopback://{NODES[HEAD]}:8000/bucket"
EXPERTS = ["toy_estimators:Brightness:seconds=0.02", "toy_estimators:Brightness:shift=0.5,seconds=0.02"]
PARTS = 20  # of the disturbed run
LONGEST = 3600  # seconds for anything
# A busy machine needs longer than Ray's own limits allow, so that a slow node is not taken for a dead one.
RAY = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "600",
    "RAY_gcs_server_port_wait_time_s": "300",
    "RAY_health_check_timeout_ms": "60000",
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_worker_register_timeout_seconds": "600",
}
# `ray start`, but it does not give up a node that has not registered after 30 s, which no option changes.
RAY_START = """
import time
import ray._private.services as services
from ray.scripts.scripts import main
ask = services.get_node
def patiently(*words):
    for _ in range(600):
        try:
            return ask(*words)
        except RuntimeError:
            time.sleep(1)
    return ask(*words)
services.get_node = patiently
main()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--videos", type=Path, help="folder of real videos, of which the first frames are taken")
    parser.add_argument("--number", type=int, default=200, help="videos in all")
    parser.add_argument(
        "--scaling", type=int, default=200, help="videos of the runs with one and two workers; 0: none"
    )
    parser.add_argument("--drive", help="internal: be the driver; where the output goes")
    parser.add_argument("--source", default="in", help="internal: where the videos of the driver are")
    parser.add_argument("--workers", type=int, default=2, help="of each expert, in the run that is disturbed")
    parser.add_argument("--serve", type=Path, help="internal: be the store, with the videos of a folder")
    arguments = parser.parse_args()
    if arguments.drive:
        drive(arguments.source, arguments.drive, arguments.workers, arguments.number // PARTS)
    elif arguments.serve:
        serve(arguments.serve, arguments.scaling)
    else:
        compare(arguments.videos, arguments.number, arguments.scaling, arguments.workers)


def compare(real: Path | None, number: int, scaling: int, workers: int) -> None:
    """All runs, with what they gave."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        taken = make_videos(folder / "videos", real, number)
        print(f"{number} videos, {taken} of them real; parts of {number // PARTS}", flush=True)
        stack.enter_context(namespaces())
        words = [sys.executable, __file__, "--serve", str(folder / "videos"), "--scaling", str(scaling)]
        stack.enter_context(child(words, HEAD))
        for name in NODES:
            start_node(name)
        disturbed(on_this_machine(folder, number // PARTS), number, workers)
        if not scaling:
            return
        start_node(OTHER)
        one = run_to_end("one", 1, number)
        report(f"2 nodes, 1 worker an expert, {scaling} videos", *one, one[0]["shards"])
        report(f"2 nodes, 2 workers an expert, {scaling} videos", *run_to_end("two", 2, number), one[0]["shards"])


def disturbed(alone: list[Any], number: int, workers: int) -> None:
    """A run in which a worker, the driver and a node are killed."""
    driver = started("killed", number, workers)
    wait_for("killed", PARTS // 5)
    victim, place = next((pid, name) for name in (OTHER, HEAD) for pid in pids(name) if b"MapWorker" in command(pid))
    os.kill(victim, signal.SIGKILL)
    print(f"kill -9 of a worker (process {victim} in {place}) after {parts('killed')} parts", flush=True)
    wait_for("killed", 2 * PARTS // 5)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    print(f"kill -9 of the driver after {parts('killed')} parts", flush=True)
    driver = started("killed", number, workers)
    wait_for("killed", 3 * PARTS // 5)
    for pid in pids(OTHER):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    print(f"kill -9 of node {OTHER} after {parts('killed')} parts", flush=True)
    began = time.perf_counter()
    if driver.wait(timeout=LONGEST):
        print("the driver ended with the node; the same call again", flush=True)
        driver = started("killed", number, workers)
        driver.wait(timeout=LONGEST)
    report("after three kills", *outcome("killed"), alone)
    print(f"{time.perf_counter() - began:.0f} s from the death of the node to the manifest")


def make_videos(folder: Path, real: Path | None, number: int) -> int:
    """Generated videos of 20 to 39 frames in folders, and the first 30 frames of real ones, 160 pixels wide."""
    import av
    from small_videos import greys, write_video

    files = sorted(real.glob("*.*")) if real else []
    for place in range(number - len(files)):
        path = folder / f"class {place % 4}" / f"clip {place // 4}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, greys(20 + place % 20))
    for file in files:
        with av.open(str(file)) as container:
            frames = [
                frame.to_ndarray(format="rgb24", width=160, height=120)
                for frame, _ in zip(container.decode(video=0), range(30), strict=False)
            ]
        (folder / "real").mkdir(parents=True, exist_ok=True)
        write_video(folder / "real" / f"{file.stem}.mp4", [np.ascontiguousarray(frame) for frame in frames])
    return len(files)


def on_this_machine(folder: Path, per_part: int) -> list[Any]:
    """The shards of the engine of one machine."""
    from motionhub.poses.extracted_dataset import extract_dataset

    began = time.perf_counter()
    how: dict[str, Any] = {"videos_per_part": per_part, "num_proc": 2, "progress": False}
    made = extract_dataset(folder / "videos", folder / "out", EXPERTS, **how)
    seconds = time.perf_counter() - began
    print(f"engine datasets, 2 processes: {made.manifest['clips']} clips, {seconds:.1f} s", flush=True)
    shutil.rmtree(folder / "out")
    shards: list[Any] = made.manifest["shards"]
    return shards


def drive(source: str, out: str, workers: int, per_part: int) -> None:
    """One run on the cluster."""
    import ray

    from motionhub.poses.extracted_dataset import extract_dataset
    from motionhub.poses.extraction_engines import Resources

    loopback_store.register()
    ray.init(
        address=GCS,
        _node_ip_address=NODES[HEAD],
        log_to_driver=False,
        runtime_env={"worker_process_setup_hook": "loopback_store.register"},
    )
    resources = {expert: Resources(cpus=0.5, max_workers=workers) for expert in EXPERTS}
    how: dict[str, Any] = {"engine": "ray", "resources": resources, "videos_per_part": per_part, "progress": False}
    extract_dataset(f"{STORE}/{source}", f"{STORE}/{out}", EXPERTS, **how)


def serve(folder: Path, scaling: int) -> None:
    """The object store, which begins with the videos of a folder, and the first of them once more."""
    with LoopbackServer(NODES[HEAD], 8000) as server:
        for number, path in enumerate(sorted(folder.rglob("*.mp4"))):
            name, content = path.relative_to(folder).as_posix(), path.read_bytes()
            server.objects[f"/bucket/in/{name}"] = content
            if number < scaling:
                server.objects[f"/bucket/few/{name}"] = content
        signal.pause()


def run_to_end(out: str, workers: int, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    if started(out, number, workers, "few").wait(timeout=LONGEST):
        raise RuntimeError(f"the run into {out} failed")
    return outcome(out)


def started(out: str, number: int, workers: int = 2, source: str = "in") -> subprocess.Popen[bytes]:
    words = [sys.executable, __file__, "--drive", out, "--workers", str(workers), "--source", source]
    words += ["--number", str(number)]
    return popen(words, HEAD)


def outcome(out: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Manifest and statistics of a finished run."""
    return json.loads(stored(f"{out}/manifest.json")), json.loads(stored(f"{out}/stats.json"))


def report(title: str, manifest: dict[str, Any], stats: dict[str, Any], alone: list[Any]) -> None:
    names = ("videos_of_this_run", "wall_seconds_of_this_run", "videos_per_second")
    rate = "{} videos in {} s, {} a second".format(*(stats[name] for name in names))
    same = "the same shards" if manifest["shards"] == alone else "OTHER SHARDS"
    print(f"{title}: {rate}; {manifest['clips']} clips of {manifest['videos']}, {same}", flush=True)


def parts(out: str) -> int:
    """Finished parts so far."""
    listed = json.loads(in_namespace(f"/?prefix=/bucket/{out}/state/parts/"))
    return sum(name.endswith(".json") for name, *_ in listed)


def wait_for(out: str, number: int) -> None:
    """Returns when so many parts are finished."""
    deadline = time.monotonic() + LONGEST
    while parts(out) < number:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{out}: {parts(out)} of {number} parts")
        time.sleep(0.3)


def stored(name: str) -> bytes:
    return in_namespace(f"/bucket/{name}")


def in_namespace(path: str) -> bytes:
    """GET from the store, from inside its namespace."""
    code = "import sys, urllib.request as u; sys.stdout.buffer.write(u.urlopen(sys.argv[1], timeout=60).read())"
    words = ["ip", "netns", "exec", HEAD, sys.executable, "-c", code, f"http://{NODES[HEAD]}:8000{path}"]
    return subprocess.run(words, capture_output=True, check=True).stdout


@contextlib.contextmanager
def namespaces() -> Iterator[None]:
    """Two network namespaces with one cable between them."""
    try:
        for name in NODES:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("link", "add", "mh-a", "netns", HEAD, "type", "veth", "peer", "name", "mh-b", "netns", OTHER)
        for (name, address), cable in zip(NODES.items(), ("mh-a", "mh-b"), strict=True):
            ip("-n", name, "address", "add", f"{address}/24", "dev", cable)
            ip("-n", name, "link", "set", cable, "up")
        yield
    finally:
        for name in NODES:
            for pid in pids(name):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def start_node(name: str) -> None:
    """A Ray node of one CPU; on a busy machine its start may need more than one try."""
    own = ["--head", "--port", "6379", "--include-dashboard", "false"] if name == HEAD else ["--address", GCS]
    words = [sys.executable, "-c", RAY_START, "start", *own]
    words += ["--node-ip-address", NODES[name], "--num-cpus", "1"]
    words += ["--object-store-memory", str(200_000_000), "--disable-usage-stats", "--include-log-monitor", "false"]
    words += ["--no-monitor"]
    for _ in range(5):
        # Ray stays in the background; its processes belong to the namespace, which ends them.
        if popen(words, name).wait(timeout=LONGEST) == 0:
            return
        for pid in pids(name):
            if b"ray" in command(pid) and b"--serve" not in command(pid):
                os.kill(pid, signal.SIGKILL)
    raise RuntimeError(f"Ray does not start in {name}")


@contextlib.contextmanager
def child(words: list[str], name: str) -> Iterator[None]:
    process = popen(words, name)
    time.sleep(3)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def popen(words: list[str], name: str) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PATH": paths, **RAY}
    output = None if os.environ.get("VERBOSE") else subprocess.DEVNULL
    return subprocess.Popen(["ip", "netns", "exec", name, *words], env=environment, stdout=output, stderr=output)


def pids(name: str) -> list[int]:
    listed = subprocess.run(["ip", "netns", "pids", name], capture_output=True, text=True, check=False).stdout
    return [int(pid) for pid in listed.split()]


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


if __name__ == "__main__":
    main()
