"""Results of pose estimators given to a pipeline, frame by frame, are one clip."""

from types import SimpleNamespace

import numpy as np
import pytest
from small_checkpoints import motion
from transformers import pipeline

import motionhub


def test_results_frame_by_frame_are_the_clip_of_from_results(checkpoint):
    clip = motion(12, seed=3)
    pipe = pipeline("action-classification", model=checkpoint)
    frames = [[{"keypoints": frame, "scores": np.ones(len(frame))}] for frame in clip.keypoints[0]]
    told = {"fps": 30, "layout": clip.layout.name, "unit": "metre"}
    expected = pipe(clip)
    assert pipe(motionhub.from_results(frames, **told)) == expected
    assert pipe(frames, **told) == expected
    objects = [SimpleNamespace(xy=frame[None], confidence=np.ones((1, len(frame)))) for frame in clip.keypoints[0]]
    assert pipe(objects, **told) == expected


def test_without_a_frame_rate_the_error_names_the_call(checkpoint):
    frames = [[{"keypoints": np.ones((17, 2)), "scores": np.ones(17)}]]
    with pytest.raises(
        ValueError, match=r"need the frame rate: give fps=30, or call .*from_results\(results, fps=30\)"
    ):
        pipeline("action-classification", model=checkpoint)(frames)
