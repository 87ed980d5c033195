"""`motionhub doctor`: what this machine has, or likely problems in a skeleton file, each with its fix."""

import importlib.metadata
import json as json_text
import os
import platform
import shutil
import socket
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from typer import Argument, Option

from motionhub.cli.options import READABLE, with_metadata
from motionhub.cli.report import counted, in_units, optional_images
from motionhub.version import __version__


if TYPE_CHECKING:
    from motionhub.skeletons.sequence import SkeletonSequence

CORE_PACKAGES = (
    *("torch", "transformers", "huggingface-hub", "safetensors", "datasets", "accelerate"),
    *("numpy", "scipy", "scikit-learn"),
)
# Variables that limit which instructions of the processor PyTorch and oneDNN use.
CPU_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
# The purpose of each extra of setup.cfg; `all`, `dev` and the older names `mediapipe` and `overlay` consist of these.
EXTRAS = {
    "video": "reading videos, keypoints of the people in them",
    "rtmlib": "keypoints by RTMPose",
    "vitpose": "keypoints by ViTPose",
    "viz": "images, GIFs and ribbons of motions; reading PNG files",
    "text": "labels and captions that are not in the text bank",
    "towers": "encoders of video and text: CLIP, SigLIP, ViCLIP, ResNets",
    "tensorboard": "curves of a training",
    "ray": "building datasets on many machines",
    "faiss": "faster search in a large index",
    "export": "graphs of checkpoints for other runtimes",
    "movement": "exchange with movement, which reads many animal-pose programs",
    "h5py": "reading HDF5 files of DeepLabCut and SLEAP",
    "http": "training on the shards of a dataset at a web address",
    "app": "the page of motionhub app",
    "mqtt": "events of motionhub watch to an MQTT broker",
    "serve": "answers over HTTP: motionhub serve",
    "view": "recordings for the viewer rerun (motionhub view)",
}
MAX_IMAGES = 20  # of a file of many clips
_MARKS = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


@with_metadata
def doctor(
    file: Annotated[str | None, Argument(help=READABLE)] = None,
    *,
    output: Annotated[Path | None, Option(help="Folder for images of the first good frame, with joint names")] = None,
    json: Annotated[bool, Option(help="The findings as JSON, for programs")] = False,
    metadata: dict[str, Any],
) -> int:
    """This machine, a skeleton file, or all in a folder: each problem with its fix.

    Without FILE: this machine. With FILE: what the motion is and its likely problems; of a folder, a line per file
    and how often each problem occurs. Exit status: 0 nothing or notes
    only, 1 at least one problem, 2 a file that cannot be read.
    """
    if file is None:
        return print_report(examine())
    if is_folder_of_files(file):
        return _examine_folder(Path(file), metadata, output, as_json=json)
    return _examine_file(file, metadata, output, as_json=json)


@dataclass(frozen=True)
class Finding:
    """One line of the report; `status` is "ok", "note" (optional) or "problem", `fix` a command or empty."""

    status: str
    subject: str
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{_MARKS[self.status]} {self.subject:<18} {self.detail}"
        return f"{line}\n        fix: {self.fix}" if self.fix else line


def examine(*, timeout: float = 2.0) -> list[Finding]:
    """All findings about this machine, the most basic first; `timeout` (seconds) is for the request to the Hub."""
    return [
        Finding("ok", "python", f"{platform.python_version()} on {platform.platform(terse=True)}"),
        *_core_packages(),
        *_own_versions(),
        *_devices(),
        *_extras(),
        _cache(),
        _hub(timeout),
    ]


def _core_packages() -> Iterable[Finding]:
    for name in ("motionhub", *CORE_PACKAGES):
        if version := _installed(name):
            yield Finding("ok", name, version)
        else:
            yield Finding("problem", name, "not installed", "pip install motionhub")


def _installed(package: str) -> str:
    """The version of an installed package; empty if there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _own_versions() -> Iterable[Finding]:
    """A problem if motionhub is installed twice, or its files differ from the version that pip knows."""
    places: dict[str, str] = {}
    for found in importlib.metadata.distributions(name="motionhub"):
        places.setdefault(found.version, str(found.locate_file("")))
    versions = ", ".join(f"{version} in {place}" for version, place in places.items())
    fix = "pip uninstall -y motionhub   # until it finds none; then: pip install motionhub"
    if len(places) > 1:
        yield Finding("problem", "two versions", f"motionhub is installed as {versions}", fix)
    elif places and __version__ not in places:
        yield Finding("problem", "two versions", f"the files are motionhub {__version__}, pip knows {versions}", fix)


def _devices() -> Iterable[Finding]:
    try:
        import torch
    except Exception as error:  # a broken binary raises OSError or RuntimeError
        yield Finding("problem", "torch", f"does not import: {error}", "pip install --force-reinstall torch")
        return
    from motionhub.nn.precision import choose_precision

    devices = {"cpu": _cpu(torch.backends.cpu.get_cpu_capability(), os.cpu_count() or 1, torch.get_num_threads())}
    devices |= {f"cuda:{index}": torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())}
    if torch.backends.mps.is_available():
        devices["mps"] = "Apple GPU"
    for name, detail in devices.items():
        yield Finding("ok", name, detail)
        precision = choose_precision("auto", torch.device(name))
        yield Finding("ok", f"precision {name}", f'mixed_precision "auto" is {precision}')
    if len(devices) == 1:
        yield Finding("note", "gpu", "none visible to torch; everything runs on the CPU")


def _cpu(instructions: str, cores: int, threads: int) -> str:
    """The cores, and the instructions that PyTorch and oneDNN use, which environment variables can limit."""
    limits = [f"{name}={os.environ[name]}" for name in CPU_LIMITS if os.environ.get(name)]
    limited = f" (limited by {', '.join(limits)})" if limits else ""
    counts = f"{cores} core{'s' if cores > 1 else ''}, {threads} torch thread{'s' if threads > 1 else ''}"
    return f"{counts}, {platform.machine()} {instructions}{limited}"


def _extras() -> Iterable[Finding]:
    """The packages of the extras, as the installed metadata lists them."""
    requirements = importlib.metadata.requires("motionhub") or [] if _installed("motionhub") else []
    for extra, purpose in EXTRAS.items():
        packages = _packages_of(extra, requirements)
        missing = [package for package in packages if not _installed(package)]
        if missing:
            fix = f'pip install "motionhub[{extra}]"'
            yield Finding("note", f"extra {extra}", f"{purpose}; without {', '.join(missing)}", fix)
        elif packages:
            yield Finding("ok", f"extra {extra}", f"{purpose}: {', '.join(packages)}")


def _packages_of(extra: str, requirements: list[str]) -> list[str]:
    """The packages of this extra itself, without those of the extras it includes."""
    from packaging.requirements import Requirement

    needed = [each for each in map(Requirement, requirements) if each.marker is not None and each.name != "motionhub"]
    return [each.name for each in needed if each.marker is not None and each.marker.evaluate({"extra": extra})]


def _cache() -> Finding:
    from huggingface_hub import constants

    cache = constants.HF_HUB_CACHE
    parent = cache
    while not os.path.isdir(parent):
        parent = os.path.dirname(parent)
    if not os.access(parent, os.W_OK):
        return Finding("problem", "cache", f"{cache} cannot be written", "export HF_HOME=/a/folder/of/yours")
    return Finding("ok", "cache", f"{cache}, {shutil.disk_usage(parent).free / 1e9:.0f} GB free")


def _hub(timeout: float) -> Finding:
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        detail = "offline by HF_HUB_OFFLINE; cached and local models load"
        return Finding("note", "hub", detail, "unset HF_HUB_OFFLINE")
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=timeout).close()
    except OSError as error:
        fix = "export HF_HUB_OFFLINE=1   # local folders and the cache still work, without waiting"
        return Finding("note", "hub", f"{constants.ENDPOINT} does not answer ({error})", fix)
    return Finding("ok", "hub", f"{constants.ENDPOINT} answers")


def print_report(findings: list[Finding]) -> int:
    """Prints the findings; the exit status of `motionhub doctor` is 1 if there is a problem."""
    for finding in findings:
        print(finding)
    problems = sum(finding.status == "problem" for finding in findings)
    print(f"\n{problems} problem{'s' if problems != 1 else ''}." if problems else "\nReady.")
    return min(problems, 1)


def is_folder_of_files(path: str) -> bool:
    """Whether a path is a folder that is not itself a recording, as a folder with a file per frame is."""
    from motionhub.data.formats.formats import is_recording

    return Path(path).is_dir() and not is_recording(path)


def _examine_folder(folder: Path, metadata: dict[str, Any], output: Path | None, *, as_json: bool) -> int:
    """A line per file, worst first, then the number of files with each kind of finding."""
    from motionhub.data.datasets.reading import read
    from motionhub.retrieval.build import is_other, pose_files
    from motionhub.skeletons.checks import describe, inspect

    if output is not None:
        raise ValueError("--output draws one file; motionhub doctor FILE --output FOLDER.")
    rows: list[dict[str, Any]] = []
    others = 0
    for path in pose_files(folder):
        if is_other(path):
            others += 1
            continue
        row: dict[str, Any] = {"file": str(path.relative_to(folder)), "clips": 0, "seconds": 0.0, "findings": []}
        try:
            for clip in read(path, **metadata):
                row["clips"], row["seconds"] = row["clips"] + 1, row["seconds"] + describe(clip)["seconds"]
                row["findings"] += [{"kind": each.kind, "severity": each.severity} for each in inspect(clip)]
        except ValueError as error:
            row["findings"].append({"kind": "unreadable", "severity": "problem", "seen": " ".join(str(error).split())})
        rows.append(row)
    if not rows:
        raise ValueError(f"{folder}: expected skeleton files in the folder, got none ({others} other files).")
    print(json_text.dumps(rows, indent=2) if as_json else "\n".join(_folder_lines(rows, folder, others)))
    return int(any(found["severity"] == "problem" for row in rows for found in row["findings"]))


def _folder_lines(rows: list[dict[str, Any]], folder: Path, others: int) -> list[str]:
    order = ("problem", "note", "ok")
    marked = [(_severity(row), row) for row in rows]
    lines = []
    for severity, row in sorted(marked, key=lambda pair: (order.index(pair[0]), pair[1]["file"])):
        kinds = ", ".join(dict.fromkeys(found["kind"] for found in row["findings"])) or "nothing found"
        detail = next((f" ({found['seen']})" for found in row["findings"] if "seen" in found), "")
        length = f"{counted(row['clips'], 'clips')}, {row['seconds']:.1f} s"
        lines.append(f"{_MARKS[severity]} {row['file']}: {length}: {kinds}{detail}")
    counts = Counter(kind for row in rows for kind in {found["kind"] for found in row["findings"]})
    lines += ["", *(f"{kind}: {count} of {counted(len(rows), 'files')}" for kind, count in counts.most_common())]
    skipped = f" {others} other files (text, images, videos, labels) were not examined." if others else ""
    problems = sum(severity == "problem" for severity, _ in marked)
    lines.append(f"{counted(len(rows), 'files')}, {problems} with a problem.{skipped}")
    if counts:
        lines.append(f"Details and fixes: motionhub doctor {folder / 'FILE'}")
    return lines


def _severity(row: dict[str, Any]) -> str:
    found = {each["severity"] for each in row["findings"]}
    return "problem" if "problem" in found else "note" if found else "ok"


def _examine_file(path: str, metadata: dict[str, Any], output: Path | None, *, as_json: bool) -> int:
    from motionhub.data.datasets.reading import read
    from motionhub.skeletons.checks import describe, inspect

    clips = read(path, **metadata)
    reports = []
    for number, clip in enumerate(clips):
        names = ("kind", "severity", "seen", "fix")
        findings = [{name: getattr(found, name) for name in names} for found in inspect(clip)]
        reports.append({"file": path, "clip": number, **describe(clip), "findings": findings})
    images = _draw_clips(clips, Path(path).stem, output) if output is not None else []
    if as_json:
        print(json_text.dumps(reports, indent=2))
    else:
        call = ", ".join([repr(path), *(f"{name}={value!r}" for name, value in metadata.items() if value)])
        for report in reports:
            print("\n".join(_file_lines(report, f"motionhub.read({call})[{report['clip']}]")))
        for image in images:
            print(f"drawn: {image}")
    return int(any(found["severity"] == "problem" for report in reports for found in report["findings"]))


def _draw_clips(clips: "list[SkeletonSequence]", stem: str, folder: Path) -> list[Path]:
    from motionhub.skeletons.checks import first_good_frame
    from motionhub.visualization.draw import draw_frame

    images = []
    with optional_images():
        for number, clip in enumerate(clips[:MAX_IMAGES]):
            if clip.num_frames:
                path = folder / (f"{stem}.png" if len(clips) == 1 else f"{stem}-{number}.png")
                draw_frame(clip, first_good_frame(clip), path)
                images.append(path)
    return images


def _file_lines(report: dict[str, Any], call: str) -> list[str]:
    size = f", image {report['image_size'][0]}x{report['image_size'][1]}" if report["image_size"] else ""
    lines = [
        f"{report['file']}, clip {report['clip']}: people {report['people']}, frames {report['frames']} at "
        f"{report['fps']:g} fps ({report['seconds']:.2f} s), {report['dims']}-D in {in_units(report['unit'])}{size}",
        f"  a body measures {report['body_size']:.3g}; layout {report['layout']}, misfit of bone lengths by layout: "
        + (", ".join(f"{name} {misfit:.2f}" for name, misfit in report["layout_misfit"].items()) or "not known"),
        f"  joints visible: {_coverage_text(report['coverage'])}",
    ]
    for found in report["findings"]:
        lines += [f"{_MARKS[found['severity']]} {found['kind']:<15} {found['seen']}", f"        fix: {found['fix']}"]
    if any(found["fix"].startswith("sequence") for found in report["findings"]):
        lines += [
            f"  before the fixes: import motionhub; from motionhub.skeletons import repair; sequence = {call}",
            '  after them: motionhub.write(sequence, "repaired.npz"), and look again: motionhub doctor repaired.npz',
        ]
    return lines if report["findings"] else [*lines, "ok      nothing found"]


def _coverage_text(coverage: dict[str, float]) -> str:
    lacking = {joint: share for joint, share in coverage.items() if share < 1}
    if not lacking:
        return "all, in every frame"
    worst = sorted(lacking, key=lambda joint: lacking[joint])[:6]
    mean = sum(coverage.values()) / len(coverage)
    return f"{mean:.1%}; least " + ", ".join(f"{joint} {lacking[joint]:.0%}" for joint in worst)
