"""The pose estimators by name; an estimator's package is imported on use."""

import importlib
import json
import os
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from motionhub.poses.estimators.estimator import Estimator, PersonInFrame


def _make(module: str, name: str, /, *arguments: Any, **options: Any) -> Estimator:
    made: Estimator = getattr(importlib.import_module(f"{__name__}.{module}"), name)(*arguments, **options)
    return made


ESTIMATORS: dict[str, Callable[..., Estimator]] = {
    "mediapipe": partial(_make, "mediapipe_poses", "MediaPipePoses"),
    "rtmlib": partial(_make, "rtm_poses", "RtmPoses"),
    "vitpose": partial(_make, "vitpose", "VitPoses"),
}
INSTALLABLE = ("mediapipe", "rtmlib")  # order of "auto"; ViTPose is a download, so it must be named

__all__ = ["ESTIMATORS", "Estimator", "PersonInFrame", "get_estimator"]


def get_estimator(
    estimator: str | os.PathLike[str] | Estimator = "auto", options: Mapping[str, Any] | None = None
) -> Estimator:
    """The estimator by name.

    Args:
        estimator: a key of `ESTIMATORS`; "auto" for the first installed one; the path of another program's keypoints
            of the video (`PoseFile`); or your own object, returned unchanged.
        options: keyword arguments of the named estimator.

    Raises:
        ValueError: no such estimator or file, or an unknown option.
        ImportError: it is not installed; the message has the install command.
    """
    if not isinstance(estimator, str | os.PathLike):
        return estimator
    name = os.fspath(estimator)
    if name == "auto":
        installed = next(filter(_is_importable, INSTALLABLE), None)
        if installed is None:
            raise ImportError(
                'Keypoints of a video need a pose estimator, and none is installed: pip install "motionhub[video]", '
                "or pass a file of keypoints."
            )
        make = ESTIMATORS[installed]
    elif name in ESTIMATORS:
        make = ESTIMATORS[name]
    elif Path(name).exists():
        make = partial(_make, "pose_file", "PoseFile", name)
    else:
        raise ValueError(
            f"No estimator is called {name!r}, and no file exists there; pass one of {list(ESTIMATORS)}, or the path "
            "of a file of keypoints (OpenPose, AlphaPose, LCR-Net, MMPose)."
        )
    try:
        return make(**(options or {}))
    except TypeError as error:  # an unknown keyword
        raise ValueError(f"Estimator {name!r}: {error}.") from None


def parse_option(text: str) -> tuple[str, Any]:
    """KEY=VALUE; numbers, true and false as such, anything else as text. Raises ValueError without a key."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise ValueError(f"Options are KEY=VALUE, got {text!r}.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def _is_importable(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # sys.modules has None
        return False
