"""rtmlib's RTMPose with a person detector: the 17 joints of COCO, by ONNX Runtime.

rtmlib downloads its networks on first use into its own cache.
"""

from typing import Any
from urllib.error import URLError

import numpy as np

from motionhub.data.video.reader import VideoFrame
from motionhub.poses.estimators.estimator import Estimator, PersonInFrame, box_around


class RtmPoses(Estimator):
    """RTMPose (see the module).

    Args:
        mode: "lightweight", "balanced" or "performance".
        device: "cpu" or "cuda".

    Raises:
        ImportError: rtmlib is not installed.
        OSError: its networks cannot be downloaded.
    """

    name = "rtmlib"
    layout = "coco-17"

    def __init__(self, mode: str = "balanced", *, device: str = "cpu") -> None:
        try:
            import rtmlib
        except ImportError:
            raise ImportError("The estimator 'rtmlib' needs rtmlib: pip install \"motionhub[rtmlib]\"") from None
        try:
            self._body: Any = rtmlib.Body(mode=mode, backend="onnxruntime", device=device, to_openpose=False)
        except URLError as error:
            reason = f"downloads its networks on first use, which failed ({error.reason})"
            raise OSError(f"The estimator 'rtmlib' {reason}; connect once, or use estimator=\"mediapipe\".") from None

    def __call__(self, frame: VideoFrame) -> list[PersonInFrame]:
        keypoints, scores = self._body(np.ascontiguousarray(frame.image[..., ::-1]))  # OpenCV's order of colours
        return [
            PersonInFrame(points, np.clip(score, 0, 1), box_around(points))
            for points, score in zip(np.asarray(keypoints, np.float64), np.asarray(scores, np.float64), strict=True)
            if score.max(initial=0) > 0
        ]
