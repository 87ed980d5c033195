"""The report of `motionhub doctor`: versions, devices, cache, Hub and extras, each problem with its one-line fix.

It looks at the installation only; it does not know models, data or skeleton files.
"""

import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit


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


def _devices() -> Iterable[Finding]:
    try:
        import torch
    except Exception as error:  # a broken binary raises OSError or RuntimeError, and the report must go on
        yield Finding("problem", "torch", f"does not import: {error}", "pip install --force-reinstall torch")
        return
    threads = f"{os.cpu_count()} cores, {torch.get_num_threads()} torch threads"
    bf16 = "bf16 in hardware" if torch.backends.mkldnn.is_available() and _has_bf16(torch) else "no bf16 in hardware"
    yield Finding("ok", "cpu", f"{threads}, {bf16}")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            yield Finding("ok", f"cuda:{index}", torch.cuda.get_device_name(index))
    elif torch.backends.mps.is_available():
        yield Finding("ok", "mps", "Apple GPU")
    else:
        yield Finding("note", "gpu", "none visible to torch; everything runs on the CPU")


def _has_bf16(torch: object) -> bool:
    mkldnn = torch.ops.mkldnn  # type: ignore[attr-defined]
    return bool(mkldnn._is_mkldnn_bf16_supported())


def _extras() -> Iterable[Finding]:
    """Extras and their packages come from the installed metadata, so setup.cfg stays the only list."""
    try:
        requirements = importlib.metadata.requires("motionhub") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for extra, packages in _packages_by_extra(requirements).items():
        missing = [package for package in packages if not _is_installed(package)]
        if missing:
            fix = f'pip install "motionhub[{extra}]"'
            yield Finding("note", f"extra {extra}", f"without {', '.join(missing)}", fix)
        else:
            yield Finding("ok", f"extra {extra}", ", ".join(packages))


def _packages_by_extra(requirements: list[str]) -> dict[str, list[str]]:
    from packaging.requirements import Requirement

    extras: dict[str, list[str]] = {"video": [], "viz": [], "tensorboard": []}
    for text in requirements:
        requirement = Requirement(text)
        for extra, packages in extras.items():
            needed = requirement.marker is not None and requirement.marker.evaluate({"extra": extra})
            if needed and requirement.name != "motionhub":
                packages.append(requirement.name)
    return extras


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
