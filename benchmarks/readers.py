"""Speed and memory of `motionhub.read` on files of every format it writes, and on files as other programs write them.

    python benchmarks/readers.py
    python benchmarks/readers.py --frames 100000 --only coco

Every file holds the same walking person; beside ours is what a plain reader of the container takes for the same file
(`json`, `numpy`, `pandas`, and `movement` where it is installed), which mostly knows no people, frames or joints. Each
call runs in a process of its own: seconds are of the CPU, also of processes that a reader starts, so that other
programs do not change them, and without the imports; peak memory is of the whole process.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec
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
    ".mvnx": ("xml.etree", "import xml.etree.ElementTree as tree; tree.parse(path)"),
    ".tsv": ("pandas", "import pandas; pandas.read_csv(path, sep='\\t', skiprows=10)"),
}
# Of the three header lines of DeepLabCut.
PANDAS = ("pandas", "import pandas; pandas.read_csv(path, header=[0, 1, 2], index_col=0)")
MOVEMENT = "from movement.io import load_poses; load_poses.from_dlc_file(path, fps=30)"
CHILD = r"""
import json, os, re, sys
path, options = sys.argv[1], json.loads(sys.argv[2])
{imports}
before = os.times()
{call}
seconds = max(0.01, sum(os.times()[:4]) - sum(before[:4]))  # the tick of this clock
# Of Linux; what `resource` tells begins with the memory of the process that started this one.
peak = re.search(r"VmHWM:\s+(\d+)", open("/proc/self/status").read())
print(json.dumps([seconds, int(peak[1]) / 1024, "torch" in sys.modules]))
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

    def made(
        content: Callable[[int], str | bytes | dict[str, str]], suffix: str
    ) -> Callable[[Path], tuple[Path, dict[str, Any]]]:
        def write(folder: Path) -> tuple[Path, dict[str, Any]]:
            path = folder / f"{content.__name__}{suffix}"
            found = content(frames)
            if isinstance(found, str):
                path.write_text(found)
            elif isinstance(found, bytes):
                path.write_bytes(found)
            else:
                path.mkdir()
                for name, text in found.items():
                    (path / name).write_text(text)
            return path, READ_ONLY[content.__name__]

        return write

    by_hand = {"ultralytics": ".json", "mmpose": ".json", "tfjs": ".json", "yolo": "", "deeplabcut": ".csv",
               "qualisys": ".tsv", "vicon": ".csv", "motive": ".csv", "alphapose": ".json", "vitpose": ".json",
               "azure_kinect": ".json", "zed": ".json", "nuitrack": ".json", "rokoko": ".csv", "mvnx": ".mvnx",
               "smpl": ".npz"}  # fmt: skip
    return {
        **{name: written(name) for name in WRITERS},
        **{name: made(globals()[name], suffix) for name, suffix in by_hand.items()},
    }


# Formats that are only read, and what their files do not say.
READ_ONLY: dict[str, dict[str, Any]] = {
    **{name: {"fps": 30} for name in ("ultralytics", "mmpose", "tfjs", "deeplabcut", "alphapose", "vitpose")},
    "yolo": {"fps": 30, "layout": "coco-17"},
    "zed": {"unit": "metre"},
    **{name: {} for name in ("qualisys", "vicon", "motive", "azure_kinect", "nuitrack", "rokoko", "mvnx", "smpl")},
}


def pixels(frames: int) -> np.ndarray:
    """`(frames, 17, 2)`."""
    return recording(frames, "coco").keypoints[0].round(2)


def millimetres(frames: int) -> np.ndarray:
    """`(frames, 17, 3)`."""
    return (1000 * recording(frames, "csv").keypoints[0]).round(3)


def joints() -> tuple[str, ...]:
    return motionhub.get_layout("coco-17").joints


def ultralytics(frames: int) -> str:
    people = ({"keypoints": {"x": xs, "y": ys, "visible": [0.9] * 17}, "track_id": 1}
              for xs, ys in pixels(frames).transpose(0, 2, 1).tolist())  # fmt: skip
    return json.dumps([[person] for person in people])


def mmpose(frames: int) -> str:
    rows = enumerate(pixels(frames).tolist(), start=1)
    return json.dumps(
        {
            "instance_info": [
                {"frame_id": n, "instances": [{"keypoints": row, "keypoint_scores": [0.9] * 17}]} for n, row in rows
            ]
        }
    )


def tfjs(frames: int) -> str:
    named = [
        [
            {
                "keypoints": [
                    {"x": x, "y": y, "score": 0.9, "name": name} for name, (x, y) in zip(joints(), row, strict=True)
                ]
            }
        ]
        for row in pixels(frames).tolist()
    ]
    return json.dumps(named)


def yolo(frames: int) -> dict[str, str]:
    rows = (pixels(frames) / (1920, 1080)).tolist()
    lines = (" ".join(f"{x:.6f} {y:.6f} 0.900000" for x, y in row) for row in rows)
    return {f"clip_{number}.txt": f"0 0.5 0.5 0.2 0.4 {line} 1\n" for number, line in enumerate(lines, start=1)}


def deeplabcut(frames: int) -> str:
    heads = [
        ["scorer", *["net"] * 51],
        ["bodyparts", *np.repeat(joints(), 3)],
        ["coords", *["x", "y", "likelihood"] * 17],
    ]
    rows = (",".join([str(n), *(f"{x},{y},0.9" for x, y in row)]) for n, row in enumerate(pixels(frames).tolist()))
    return "\n".join([*(",".join(head) for head in heads), *rows]) + "\n"


def qualisys(frames: int) -> str:
    facts = [f"NO_OF_FRAMES\t{frames}", "NO_OF_CAMERAS\t8", "NO_OF_MARKERS\t17", "FREQUENCY\t100", "NO_OF_ANALOG\t0",
             "ANALOG_FREQUENCY\t0", "DESCRIPTION\t--", "TIME_STAMP\t--", "DATA_INCLUDED\t3D"]  # fmt: skip
    names = "\t".join(["MARKER_NAMES", *joints()])
    rows = ("\t".join(map(str, row)) for row in millimetres(frames).reshape(frames, -1).tolist())
    return "\n".join([*facts, names, *rows]) + "\n"


def vicon(frames: int) -> str:
    heads = ["Trajectories", "100", ",," + ",".join(f"{name},," for name in joints()),
             "Frame,Sub Frame" + ",X,Y,Z" * 17, "," + ",mm,mm,mm" * 17]  # fmt: skip
    rows = (
        f"{n},0," + ",".join(map(str, row))
        for n, row in enumerate(millimetres(frames).reshape(frames, -1).tolist(), 1)
    )
    return "\n".join([*heads, *rows]) + "\n"


def motive(frames: int) -> str:
    facts = "Format Version,1.23,Take Name,T,Export Frame Rate,120,Length Units,Millimeters,Coordinate Space,Global"
    names = ",".join(name for joint in joints() for name in [joint] * 3)
    heads = [facts, "", ",," + ",".join(["Bone"] * 51), f",,{names}", ",," + ",".join(["Position"] * 51)]
    rows = (
        f"{n},{n / 120:.6f}," + ",".join(map(str, row))
        for n, row in enumerate(millimetres(frames).reshape(frames, -1).tolist())
    )
    return "\n".join([*heads, "Frame,Time (Seconds)" + ",X,Y,Z" * 17, *rows]) + "\n"


def alphapose(frames: int) -> str:
    rows = np.insert(pixels(frames), 2, 0.9, axis=2).reshape(frames, -1).tolist()
    return json.dumps(
        [{"image_id": f"{n}.jpg", "keypoints": row, "category_id": 1, "score": 2.5} for n, row in enumerate(rows)]
    )


def vitpose(frames: int) -> str:
    labels = [*range(17)]
    return json.dumps(
        [[{"keypoints": row, "scores": [0.9] * 17, "labels": labels}] for row in pixels(frames).tolist()]
    )


def body(frames: int, layout: str) -> np.ndarray:
    """`(frames, joints, 3)` metres."""
    return recording(frames, "csv", layout).keypoints[0].round(5)


def azure_kinect(frames: int) -> str:
    rows = (1000 * body(frames, "kinect-azure-32")).round(2).tolist()
    made = [
        {"timestamp_usec": n * 33333, "bodies": [{"body_id": 1, "joint_positions": row}]} for n, row in enumerate(rows)
    ]
    return json.dumps({"frames": made})


def zed(frames: int) -> str:
    rows = enumerate(body(frames, "zed-34").tolist())
    return json.dumps(
        {str(33 * n): {"timestamp": n * 33_000_000, "body_list": [{"id": 3, "keypoint": row}]} for n, row in rows}
    )


def nuitrack(frames: int) -> str:
    def joints_of(row: list[list[float]]) -> list[dict[str, Any]]:
        places = enumerate(row, start=1)
        return [{"type": n, "confidence": 0.7, "real": {"x": x, "y": y, "z": z}} for n, (x, y, z) in places]

    rows = (1000 * body(frames, "coco-17")[:, :16]).round(2).tolist()
    made = [{"Timestamp": n * 33333, "Skeletons": [{"id": 1, "joints": joints_of(row)}]} for n, row in enumerate(rows)]
    return json.dumps({"frames": made})


def rokoko(frames: int) -> str:
    segments = ("Hips", "Spine", "Neck", "Head", "LeftArm", "LeftForeArm", "LeftHand", "RightArm", "RightForeArm",
                "RightHand", "LeftThigh", "LeftShin", "LeftFoot", "RightThigh", "RightShin", "RightFoot")  # fmt: skip
    heads = ",".join(f"{name}_position_{axis}" for name in segments for axis in "xyz")
    rows = body(frames, "coco-17")[:, : len(segments)].reshape(frames, -1).tolist()
    lines = (f"{n / 50:.6f}," + ",".join(map(str, row)) for n, row in enumerate(rows))
    return "\n".join([f"Timestamp,{heads}", *lines]) + "\n"


def mvnx(frames: int) -> str:
    segments = ("Pelvis", "T8", "Neck", "Head", "RightUpperArm", "RightForeArm", "RightHand", "LeftUpperArm",
                "LeftForeArm", "LeftHand", "RightUpperLeg", "RightLowerLeg", "RightFoot", "LeftUpperLeg",
                "LeftLowerLeg", "LeftFoot")  # fmt: skip
    named = "".join(f'<segment label="{name}" id="{n}"/>' for n, name in enumerate(segments, 1))
    rows = body(frames, "coco-17")[:, : len(segments)].reshape(frames, -1).tolist()
    made = (
        f'<frame time="{round(n * 1000 / 60)}" index="{n}" type="normal"><position>{" ".join(map(str, row))}'
        "</position></frame>\n"
        for n, row in enumerate(rows)
    )
    subject = (
        f'<subject label="S" frameRate="60"><segments>{named}</segments><frames>{"".join(made)}</frames></subject>'
    )
    return f'<?xml version="1.0"?>\n<mvnx version="4">{subject}</mvnx>\n'


def smpl(frames: int) -> bytes:
    turns = np.random.default_rng(0).normal(0, 0.05, (frames, 156)).cumsum(axis=0) / 100
    place, file = np.zeros((frames, 3)), io.BytesIO()
    np.savez(file, poses=turns, trans=place, betas=np.zeros(16), gender="neutral", mocap_framerate=120.0)
    return file.getvalue()


def stated(name: str) -> dict[str, Any]:
    """What the file of a format does not say."""
    return {"unit": "metre"} if name == "csv" else {"fps": 30}


def recording(frames: int, name: str, layout: str | None = None) -> motionhub.SkeletonSequence:
    """A person who walks for `frames` frames; as the writer of `name` takes it."""
    step = motionhub.generate("walk around", seed=0, layout=layout or LAYOUTS.get(name, "coco-17"))
    last = step.num_frames - 1
    times = last - abs(last - np.arange(frames) % (2 * last))  # there and back: a jump would be another person
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
    known = {"deeplabcut": ("movement", MOVEMENT)} if find_spec("movement") else {"deeplabcut": PANDAS}
    if name in ("vicon", "motive"):  # of several headers
        return text
    if path.suffix in PLAIN or name in known:
        plain, call = known.get(name) or PLAIN[path.suffix]
        imports, call = call.split("; ", 1)
        other = measured(path, {}, imports, call, options.repeats)
        text += f"   {plain}: {other[0]:.2f}, {ours[0] / other[0]:.1f}"
    return text


def measured(path: Path, stated: dict[str, Any], imports: str, call: str, repeats: int) -> tuple[float, float, bool]:
    """CPU seconds of the fastest call, peak megabytes, and whether torch was imported."""
    command = [sys.executable, "-c", CHILD.format(imports=imports, call=call), str(path), json.dumps(stated)]
    calls = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout) for _ in range(repeats)
    ]
    return min(call[0] for call in calls), max(call[1] for call in calls), any(call[2] for call in calls)


if __name__ == "__main__":
    main()
