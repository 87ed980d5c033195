"""A model without a network, and a server of it: what the tests of the server itself ask."""

import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from motionhub.serving.app import make_app
from motionhub.serving.gate import Limits
from motionhub.serving.models import KINDS, Prepared, ServedModel
from motionhub.serving.server import bound, run
from motionhub.skeletons.sequence import SkeletonSequence


class FrameCounter(ServedModel):
    """Answers with the number of frames; `go` lets it compute, `batches` are the sizes of what it computed."""

    kinds, labels, layout, num_dims = KINDS, ["frames"], "coco-17", 2

    def __init__(self, seconds: float = 0.0, zero_shot: bool = False) -> None:
        self.name = "words" if zero_shot else "counter"
        self.seconds, self.batches, self.go, self.zero_shot = seconds, [], threading.Event(), zero_shot
        self.go.set()

    def prepare(self, kind: str, clip: SkeletonSequence, options: Mapping[str, Any]) -> Prepared:
        return Prepared(clip, {}, {})

    def compute(self, kind: str, forward: Mapping[str, Any], items: list[Any]) -> Sequence[Any]:
        self.go.wait(20)
        time.sleep(self.seconds)
        self.batches.append(len(items))
        if any(clip.num_frames == 13 for clip in items):
            raise ValueError("13 frames are refused.")
        return [clip.num_frames for clip in items]

    def finish(self, kind: str, prepared: Prepared, output: Any) -> Any:
        if kind == "embeddings":
            return [[float(output)]]
        if kind == "intervals":
            return [{"track_id": 0, "start_s": 0.0, "end_s": 1.0, "label": "frames", "score": float(output)}]
        return [{"track_id": 0, "scores": [{"label": "frames", "score": float(output)}], "coverage": 1.0}]


def motion(frames: int = 2, people: int = 1, **more: Any) -> dict[str, Any]:
    """A request of people who stand still."""
    points = [[[[joint, joint] for joint in range(17)]] * frames] * people
    return {"keypoints": points, "layout": "coco-17", "fps": 30, "unit": "pixel", **more}


if __name__ == "__main__":
    models = {"counter": FrameCounter(float(sys.argv[1])), "words": FrameCounter(zero_shot=True)}
    with bound("127.0.0.1", 0) as listening:
        print(listening.getsockname()[1], flush=True)
        run(make_app(models, Limits(waiting=1000), batch=1), listening)
