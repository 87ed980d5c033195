"""What the tests of several rooms share."""

import importlib.util
import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import motionhub
from motionhub.cli.main import main


ROOT = Path(__file__).resolve().parents[1]
SMALL_CHECKPOINT = ROOT / "hub_configs" / "unik-nucla-small"


@cache
def load_script(place: str) -> ModuleType:
    """A script of the project, such as "examples/quickstart.py", as a module; it can import its neighbours."""
    path = ROOT / place
    name = place.removesuffix(".py").replace("/", "_")
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(path.parent)
        spec.loader.exec_module(module)
    return module


# Runs each part in a fork of the process that has done the imports, so that no part sees what another one loaded.
FORKS = """
import os, sys, traceback
import accelerate, numpy, pandas, sklearn.metrics, torch._dynamo  # what takes long and knows neither library
{imports}
for part in {parts!r}:
    sys.stdout.flush()
    child = os.fork()
    if not child:
        try:
            exec(part, {{**globals()}})
        except BaseException:
            print(traceback.format_exc(limit=0).strip().splitlines()[-1])
        print("=" * 70, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


def printed_first(imports: str, parts: list[str], **how: Any) -> list[list[str]]:
    """What each part prints, line by line, when it is the first after `imports` in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", FORKS.format(imports=imports, parts=parts)],
        capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL, **how,
    )  # fmt: skip
    return [part.strip().splitlines() for part in run.stdout.split("=" * 70 + "\n")[:-1]]


def run_cli(*argv: object) -> int:
    """The exit status of `motionhub ARGV`, run in this process."""
    return main([str(word) for word in argv])


def error_of(function, *arguments, **options) -> str:
    """The message of the ValueError that a call raises: one line that names every file it was called with."""
    with pytest.raises(ValueError) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert message.isprintable()
    assert all(str(path) in message for path in arguments if isinstance(path, Path))
    return message


def read_error(path: Path, **options) -> str:
    return error_of(motionhub.read, path, **options)


def assert_same_sequence(found: motionhub.SkeletonSequence, expected: motionhub.SkeletonSequence) -> None:
    np.testing.assert_array_equal(found.keypoints, expected.keypoints)
    assert (found.confidence is None) == (expected.confidence is None)
    if expected.confidence is not None:
        np.testing.assert_array_equal(found.confidence, expected.confidence)
    for fact in ("fps", "unit", "layout", "image_size", "track_ids", "up"):
        assert getattr(found, fact) == getattr(expected, fact), fact


def write_text(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def write_json(path: Path, content: Any) -> Path:
    return write_text(path, json.dumps(content))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def card_metadata(folder: Path) -> dict[str, Any]:
    """The front matter of the README of a folder."""
    return yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def has_pillow() -> bool:
    """False also where tests hide it (MOTIONHUB_WITHOUT_EXTRAS), which `find_spec` answers with an error."""
    try:
        import PIL  # noqa: F401
    except ImportError:
        return False
    return True
