"""The pose estimators by name; nothing of theirs is imported before one is asked for.

It does not know what they need beyond their own error messages.
"""

import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from motionhub.poses.estimators.estimator import Estimator, PersonInFrame


def _mediapipe(**options: Any) -> Estimator:
    from motionhub.poses.estimators.mediapipe_poses import MediaPipePoses

    return MediaPipePoses(**options)


def _rtmlib(**options: Any) -> Estimator:
    from motionhub.poses.estimators.rtm_poses import RtmPoses

    return RtmPoses(**options)


def _vitpose(**options: Any) -> Estimator:
    from motionhub.poses.estimators.vitpose import VitPoses

    return VitPoses(**options)


# In the order in which "auto" takes the first that is installed; ViTPose never is by itself: it must be downloaded.
ESTIMATORS: dict[str, Callable[..., Estimator]] = {"mediapipe": _mediapipe, "rtmlib": _rtmlib, "vitpose": _vitpose}

__all__ = ["ESTIMATORS", "Estimator", "PersonInFrame", "get_estimator"]


def get_estimator(
    estimator: str | os.PathLike[str] | Estimator = "auto", options: Mapping[str, Any] | None = None
) -> Estimator:
    """The estimator that is meant.

    Args:
        estimator: a key of `ESTIMATORS`; "auto" for the first that is installed; the path of another program's
            keypoints of the video (`PoseFile`); or an object of your own, which is returned as it is.
        options: keyword arguments of the estimator that is named.

    Raises:
        ValueError: no such estimator or file, or an option that it does not have.
        ImportError: it is not installed; the message holds the line that installs it.
    """
    options = dict(options or {})
    if not isinstance(estimator, str | os.PathLike):
        return estimator
    name = os.fspath(estimator)
    make: Callable[..., Estimator]
    if name == "auto":
        make = ESTIMATORS[_first_installed()]
    elif name in ESTIMATORS:
        make = ESTIMATORS[name]
    elif Path(name).exists():
        make = _pose_file(name)
    else:
        raise ValueError(
            f"No estimator is called {name!r}, and no file either; there are {list(ESTIMATORS)}, and the path of a "
            "file of keypoints (OpenPose, AlphaPose, LCR-Net, MMPose)."
        )
    try:
        return make(**options)
    except TypeError as error:  # an unknown keyword
        raise ValueError(f"Estimator {name!r}: {error}.") from None


def _pose_file(path: str) -> Callable[..., Estimator]:
    from motionhub.poses.estimators.pose_file import PoseFile

    return lambda **options: PoseFile(path, **options)


def _first_installed() -> str:
    for name in ("mediapipe", "rtmlib"):
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
