"""The pose estimators by name; the package of an estimator is imported when it is asked for."""

import importlib
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


# "auto" takes the first of INSTALLABLE that is installed; ViTPose must be downloaded, so it has to be named.
ESTIMATORS: dict[str, Callable[..., Estimator]] = {
    "mediapipe": partial(_make, "mediapipe_poses", "MediaPipePoses"),
    "rtmlib": partial(_make, "rtm_poses", "RtmPoses"),
    "vitpose": partial(_make, "vitpose", "VitPoses"),
}
INSTALLABLE = ("mediapipe", "rtmlib")

__all__ = ["ESTIMATORS", "Estimator", "PersonInFrame", "get_estimator"]


def get_estimator(
    estimator: str | os.PathLike[str] | Estimator = "auto", options: Mapping[str, Any] | None = None
) -> Estimator:
    """The estimator by name.

    Args:
        estimator: a key of `ESTIMATORS`; "auto" for the first that is installed; the path of another program's
            keypoints of the video (`PoseFile`); or an object of your own, which is returned as it is.
        options: keyword arguments of the estimator that is named.

    Raises:
        ValueError: no such estimator or file, or an option that it does not have.
        ImportError: it is not installed; the message holds the line that installs it.
    """
    if not isinstance(estimator, str | os.PathLike):
        return estimator
    name = os.fspath(estimator)
    if name == "auto":
        make = ESTIMATORS[_first_installed()]
    elif name in ESTIMATORS:
        make = ESTIMATORS[name]
    elif Path(name).exists():
        make = partial(_make, "pose_file", "PoseFile", name)
    else:
        raise ValueError(
            f"No estimator is called {name!r}, and no file either; there are {list(ESTIMATORS)}, and the path of a "
            "file of keypoints (OpenPose, AlphaPose, LCR-Net, MMPose)."
        )
    try:
        return make(**(options or {}))
    except TypeError as error:  # an unknown keyword
        raise ValueError(f"Estimator {name!r}: {error}.") from None


def _first_installed() -> str:
    for name in INSTALLABLE:
        if _is_importable(name):
            return name
    raise ImportError(
        'Keypoints of a video need a pose estimator, and none is installed: pip install "motionhub[video]", or '
        "give a file of keypoints."
    )


def _is_importable(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # hidden: sys.modules says None
        return False
