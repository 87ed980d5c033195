"""Speed and memory of `motionhub.read` on files of every format it writes, and on larger ones of pose programs.

    python benchmarks/readers.py
    python benchmarks/readers.py --frames 100000 --only coco

Every file holds the same walking person; beside ours is what a plain reader of the container takes for the same file
(`json`, `numpy`, `pandas`), which knows no people, frames or joints. Each call runs in a process of its own: seconds
and peak memory are without its imports.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import motionhub
from motionhub.data.formats.formats import WRITERS


BODY = ("npz", "parquet", "csv", "trc", "bvh")  # 3-D; the others hold 2-D pixels
LAYOUTS = {"bvh": "kinect-20", "openpose": "body-25"}
# Name of the plain reader, and its call, by the suffix of the file.
PLAIN = {
    ".json": ("json", "import json; json.loads(open(path, 'rb').read())"),
    ".npz": ("numpy", "import numpy; dict(numpy.load(path))"),
    ".csv": ("pandas", "import pandas; pandas.read_csv(path)"),
    ".trc": ("pandas", "import pandas; pandas.read_csv(path, sep='\\t', skiprows=5, header=None)"),
    ".parquet": ("pandas", "import pandas; pandas.read_parquet(path)"),
}
CHILD = """
import json, resource, sys, time
path, options = sys.argv[1], json.loads(sys.argv[2])
{imports}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
begin = time.perf_counter()
{call}
seconds = time.perf_counter() - begin
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([seconds, peak / 1024, "torch" in sys.modules]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=3, help="calls, of which the fastest counts")
    parser.add_argument("--only", nargs="+", help="formats")
    options = parser.parse_args()
    columns = f"{'format':14}{'MB':>8}{'seconds':>9}{'MB/s':>8}{'frames/s':>11}{'peak MB':>9}"
    print(f"{columns}   plain reader: seconds, times slower than it")
    with tempfile.TemporaryDirectory() as folder:
        for name, write in files(options.frames).items():
            if not options.only or name in options.only:
                path, stated = write(Path(folder))
                print(line(name, path, stated, options), flush=True)


def files(frames: int) -> dict[str, Callable[[Path], tuple[Path, dict[str, Any]]]]:
    """Format -> writes a file of it into a folder; returns the path and the options of `read`."""

    def written(name: str) -> Callable[[Path], tuple[Path, dict[str, Any]]]:
        def write(folder: Path) -> tuple[Path, dict[str, Any]]:
            path = folder / f"clip{WRITERS[name].suffix}"
            motionhub.write(recording(frames, name), path, format=name)
            return path, {} if name in ("npz", "parquet", "trc", "bvh") else stated(name)

        return write

    return {name: written(name) for name in WRITERS}


def stated(name: str) -> dict[str, Any]:
    """What the file of a format does not say."""
    return {"unit": "metre"} if name == "csv" else {"fps": 30}


def recording(frames: int, name: str) -> motionhub.SkeletonSequence:
    """A person who walks for `frames` frames; as the writer of `name` takes it."""
    step = motionhub.generate("walk around", seed=0, layout=LAYOUTS.get(name, "coco-17"))
    times = np.arange(frames) % step.num_frames
    noise = np.random.default_rng(0).normal(0, 0.002, (1, frames, step.num_joints, 3))
    points = step.keypoints[:1, times] + noise
    if name in BODY:
        return step.replace(keypoints=points, confidence=None, track_ids=None)
    pixels = points[..., :2] * (300, -300) + (960, 800)
    return step.replace(keypoints=pixels, unit="pixel", confidence=None, track_ids=None, up=None)


def line(name: str, path: Path, stated: dict[str, Any], options: argparse.Namespace) -> str:
    """The row of the table."""
    call = "motionhub.read(path, **options)"
    ours = measured(path, stated, "import motionhub; motionhub.read", call, options.repeats)
    size = sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file()) / 1e6
    text = f"{name:14}{size:8.1f}{ours[0]:9.2f}{size / ours[0]:8.1f}{options.frames / ours[0]:11.0f}{ours[1]:9.0f}"
    if ours[2]:
        raise RuntimeError(f"reading {path} imported torch.")
    if path.suffix in PLAIN:
        plain, call = PLAIN[path.suffix]
        imports, call = call.split("; ", 1)
        other = measured(path, {}, imports, call, options.repeats)
        text += f"   {plain}: {other[0]:.2f}, {ours[0] / other[0]:.1f}"
    return text


def measured(path: Path, stated: dict[str, Any], imports: str, call: str, repeats: int) -> tuple[float, float, bool]:
    """Seconds of the fastest call, peak megabytes, and whether torch was imported."""
    command = [sys.executable, "-c", CHILD.format(imports=imports, call=call), str(path), json.dumps(stated)]
    calls = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(repeats)
    ]
    return min(call[0] for call in calls), max(call[1] for call in calls), any(call[2] for call in calls)


if __name__ == "__main__":
    main()
