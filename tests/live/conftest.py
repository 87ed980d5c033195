"""A stand-in for models whose answer is known: what a person does is written into the keypoints."""

from types import SimpleNamespace

import numpy as np
import pytest

from motionhub.live import events
from motionhub.live.events import LiveEvents


LABELS = ["fall down", "walking"]
BODY = np.stack([np.linspace(0, 10, 17), np.linspace(0, 100, 17)], axis=-1).astype(np.float32)


class WrittenScorer:
    """The probability of the labels is that of the middle frame: the height of the first joint above the second."""

    def __init__(self, labels=LABELS, seconds=1.0):
        self.labels, self.seconds, self.exclusive = list(labels), seconds, True
        self.pipe = SimpleNamespace(feature_extractor=SimpleNamespace(layout=None))
        self.calls = []

    def __call__(self, windows):
        self.calls.append(len(windows))
        rows = []
        for window in windows:
            points = window.keypoints[0, window.num_frames // 2]
            written = np.nan_to_num(points[0, 0] - points[1, 0])
            rows.append([written / 100, 0.0] if written >= 0 else [0.0, -written / 100])
        return np.array(rows)


def person(probability=0.0, place=0.0, label=0):
    """`(17, 2)` keypoints of somebody who does a label with a probability."""
    points = BODY + np.float32(place)
    points[1, 0] = points[0, 0] - (100 * probability if label == 0 else -100 * probability)
    return points


@pytest.fixture
def stream(monkeypatch):
    """Makes a stream at 10 frames per second, a score a frame, of windows of 1 s."""

    def make(**options):
        scorer = options.pop("scorer", None) or WrittenScorer()
        monkeypatch.setattr(events, "scorer_of", lambda *_, **__: scorer)
        chosen = {"fps": 10, "layout": "coco-17", "stride": 1, "min_duration": 0.0, "max_gap": 0.1, **options}
        return LiveEvents("stand-in", **chosen)

    return make
