"""The reports of `motionhub doctor`: this machine, or a skeleton file; each problem with its one-line fix.

It does not know models, nor what may be wrong with a motion (`skeletons/inspection.py`).
"""

import importlib.metadata
import json
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from motionhub.version import __version__


if TYPE_CHECKING:
    import torch

    from motionhub.skeletons.sequence import SkeletonSequence

CORE_PACKAGES = (
    "torch",
    "transformers",
    "huggingface-hub",
    "safetensors",
    "datasets",
    "accelerate",
    "numpy",
    "scipy",
    "scikit-learn",
)
# What keeps PyTorch and oneDNN from instructions that the processor has.
CPU_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
# What each extra of setup.cfg is for; `all`, `dev` and the older name `mediapipe` are made of these.
EXTRAS = {
    "video": "reading videos, keypoints of the people in them",
    "rtmlib": "keypoints by RTMPose",
    "vitpose": "keypoints by ViTPose",
    "overlay": "keypoints drawn over a video by supervision",
    "viz": "pictures, GIFs and ribbons of motions; reading PNG files",
    "text": "labels and captions in words that the text bank does not hold",
    "towers": "networks that read frames and text: CLIP, SigLIP, ViCLIP, ResNets",
    "tensorboard": "curves of a training",
    "ray": "building datasets on many machines",
    "faiss": "faster search in a large index",
}


@dataclass(frozen=True)
class Finding:
    """One line of the report; `status` is "ok", "note" (works without it) or "problem", `fix` a command or empty."""

    status: str
    subject: str
    detail: str
    fix: str = ""

    def __str__(self) -> str:
        mark = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}[self.status]
        line = f"{mark} {self.subject:<18} {self.detail}"
        return f"{line}\n        fix: {self.fix}" if self.fix else line


def examine(*, timeout: float = 2.0) -> list[Finding]:
    """All findings about this machine, most basic first. `timeout` (seconds) bounds the question to the Hub."""
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
        try:
            yield Finding("ok", name, importlib.metadata.version(name))
        except importlib.metadata.PackageNotFoundError:
            yield Finding("problem", name, "not installed", "pip install motionhub")


def _own_versions() -> Iterable[Finding]:
    """Nothing, unless motionhub is installed twice, or its files are not those of the version that pip knows."""
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
    except Exception as error:  # a broken binary raises OSError or RuntimeError, and the report must go on
        yield Finding("problem", "torch", f"does not import: {error}", "pip install --force-reinstall torch")
        return
    yield Finding(
        "ok", "cpu", _cpu(torch.backends.cpu.get_cpu_capability(), os.cpu_count() or 1, torch.get_num_threads())
    )
    yield _precision(torch.device("cpu"))
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield Finding("ok", f"cuda:{index}", torch.cuda.get_device_name(index))
            yield _precision(torch.device("cuda", index))
    elif torch.backends.mps.is_available():
        yield Finding("ok", "mps", "Apple GPU")
        yield _precision(torch.device("mps"))
    else:
        yield Finding("note", "gpu", "none visible to torch; everything runs on the CPU")


def _cpu(instructions: str, cores: int, threads: int) -> str:
    """The cores, and the instructions that PyTorch and oneDNN use: both can be limited by the environment."""
    limits = [f"{name}={os.environ[name]}" for name in CPU_LIMITS if os.environ.get(name)]
    limited = f" (limited by {', '.join(limits)})" if limits else ""
    counts = f"{cores} core{'s' if cores > 1 else ''}, {threads} torch thread{'s' if threads > 1 else ''}"
    return f"{counts}, {platform.machine()} {instructions}{limited}"


def _precision(device: "torch.device") -> Finding:
    from motionhub.nn.precision import choose_precision

    return Finding("ok", f"precision {device}", f'mixed_precision "auto" is {choose_precision("auto", device)}')


def _extras() -> Iterable[Finding]:
    """Their packages come from the installed metadata, so setup.cfg stays the only list."""
    try:
        requirements = importlib.metadata.requires("motionhub") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for extra, purpose in EXTRAS.items():
        packages = _packages_of(extra, requirements)
        missing = [package for package in packages if not _is_installed(package)]
        if missing:
            fix = f'pip install "motionhub[{extra}]"'
            yield Finding("note", f"extra {extra}", f"{purpose}; without {', '.join(missing)}", fix)
        elif packages:
            yield Finding("ok", f"extra {extra}", f"{purpose}: {', '.join(packages)}")


def _packages_of(extra: str, requirements: list[str]) -> list[str]:
    """Of this extra itself, without those of the extras it is made of."""
    from packaging.requirements import Requirement

    own = []
    for requirement in map(Requirement, requirements):
        if requirement.marker is not None and requirement.marker.evaluate({"extra": extra}):
            own.append(requirement.name)
    return [name for name in own if name != "motionhub"]


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


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
        return Finding(
            "note", "hub", "offline by HF_HUB_OFFLINE; cached and local models load", "unset HF_HUB_OFFLINE"
        )
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=timeout).close()
    except OSError as error:
        fix = "export HF_HUB_OFFLINE=1   # local folders and the cache still work, without waiting"
        return Finding("note", "hub", f"{constants.ENDPOINT} does not answer ({error})", fix)
    return Finding("ok", "hub", f"{constants.ENDPOINT} answers")


def print_report(findings: list[Finding]) -> int:
    """Prints the findings; the number of problems is the exit status of `motionhub doctor`."""
    for finding in findings:
        print(finding)
    problems = sum(finding.status == "problem" for finding in findings)
    print(f"\n{problems} problem{'s' if problems != 1 else ''}." if problems else "\nReady.", file=sys.stdout)
    return min(problems, 1)


def examine_file(
    path: str | Path, options: dict[str, Any], *, output: str | Path | None = None, as_json: bool = False
) -> int:
    """Prints what a skeleton file holds and what is probably wrong with it; the status of `motionhub doctor FILE`.

    Args:
        path: any readable file or folder.
        options: layout, fps, unit and image_size, as for `motionhub.read`.
        output: folder for a picture of each clip's first good frame with joint names (the first `MAX_PICTURES`).
        as_json: one JSON list instead of text.

    Returns:
        0: nothing found, or notes only; 1: at least one problem. (A file that cannot be read is status 2.)
    """
    from motionhub.data.datasets.reading import read
    from motionhub.skeletons.inspection import describe, inspect

    clips = read(path, **options)
    reports = []
    for number, clip in enumerate(clips):
        findings = [
            {"kind": found.kind, "severity": found.severity, "seen": found.seen, "fix": found.fix}
            for found in inspect(clip)
        ]
        reports.append({"file": str(path), "clip": number, **describe(clip), "findings": findings})
    pictures = _draw_clips(clips, Path(path), Path(output)) if output is not None else []
    if as_json:
        print(json.dumps(reports, indent=2))
    else:
        words = ", ".join([repr(str(path)), *(f"{name}={value!r}" for name, value in options.items() if value)])
        for report in reports:
            print("\n".join(_file_lines(report, f"motionhub.read({words})[{report['clip']}]")))
        print("\n".join(f"drawn: {picture}" for picture in pictures), end="\n" if pictures else "")
    return int(any(found["severity"] == "problem" for report in reports for found in report["findings"]))


# A file of a thousand clips needs no thousand pictures.
MAX_PICTURES = 20


def _draw_clips(clips: "list[SkeletonSequence]", path: Path, folder: Path) -> list[Path]:
    from motionhub.skeletons.inspection import first_good_frame
    from motionhub.visualization.draw import draw_frame

    pictures = []
    for number, clip in enumerate(clips[:MAX_PICTURES]):
        if clip.num_frames:
            pictures.append(folder / (f"{path.stem}.png" if len(clips) == 1 else f"{path.stem}-{number}.png"))
            try:
                draw_frame(clip, first_good_frame(clip), pictures[-1])
            except ImportError as error:  # the report is there; pictures are an extra
                print(f"motionhub: note: no picture: {error}", file=sys.stderr)
                return []
    return pictures


def _file_lines(report: dict[str, Any], call: str) -> list[str]:
    size = f", image {report['image_size'][0]}x{report['image_size'][1]}" if report["image_size"] else ""
    lines = [
        f"{report['file']}, clip {report['clip']}: people {report['people']}, frames {report['frames']} at "
        f"{report['fps']:g} fps ({report['seconds']:.2f} s), {report['dims']}-D in {report['unit']}s{size}",
        f"  a body measures {report['body_size']:.3g}; layout {report['layout']}, misfit of bone lengths by layout: "
        + (", ".join(f"{name} {misfit:.2f}" for name, misfit in report["layout_misfit"].items()) or "not known"),
        f"  joints seen: {_coverage_text(report['coverage'])}",
    ]
    for found in report["findings"]:
        mark = {"note": "note   ", "problem": "PROBLEM"}[found["severity"]]
        lines += [f"{mark} {found['kind']:<15} {found['seen']}", f"        fix: {found['fix']}"]
    if any(found["fix"].startswith("sequence") for found in report["findings"]):
        lines.append(
            f"  before the fixes: import motionhub; from motionhub.skeletons import repair; sequence = {call}"
        )
        lines.append(
            '  after them: motionhub.write(sequence, "mended.npz"), and look again: motionhub doctor mended.npz'
        )
    return lines if report["findings"] else [*lines, "ok      nothing found"]


def _coverage_text(coverage: dict[str, float]) -> str:
    lacking = {joint: share for joint, share in coverage.items() if share < 1}
    if not lacking:
        return "all, in every frame"
    worst = sorted(lacking, key=lambda joint: lacking[joint])[:6]
    mean = sum(coverage.values()) / len(coverage)
    return f"{mean:.1%}; least " + ", ".join(f"{joint} {lacking[joint]:.0%}" for joint in worst)
