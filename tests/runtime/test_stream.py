"""The step of a stream, and what keeps its state, against the stream that computes each frame as early as it can."""

import itertools
import json

import numpy as np
import pytest
import torch
from test_streaming_segmenter import clip, unik

from motionhub import ExportedStream, StGcnConfig, StGcnForActionSegmentation, StreamingSegmenter, StreamingStep
from motionhub.runtime import stream as runtime


FACTS = {
    **{"schema": 1, "tasks": ["action-segmentation"], "labels": [], "exact_frames": True, "exclusive": True},
    **{"people": 2, "joints": 5, "dims": 3, "frames": 8, "frame_stride": 1},
}


class TorchSession:
    """The step in place of its graph."""

    def __init__(self, step: StreamingStep) -> None:
        self.step = step

    @torch.no_grad()
    def run(self, outputs: None, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert list(feed) == ["keypoints", "position", "length", *self.step.shapes]
        for name, shape in self.step.shapes.items():
            assert feed[name].shape == tuple(shape) and feed[name].dtype == np.float32
        return [made.numpy() for made in self.step(*(torch.from_numpy(value) for value in feed.values()))]


def opened(model, context: int, folder, monkeypatch) -> ExportedStream:
    step = StreamingStep(model, context=context)
    config = model.config
    sizes = {"people": config.num_people, "joints": config.num_joints, "dims": config.in_channels}
    (folder / "export.json").write_text(json.dumps({"motionhub": {**FACTS, **sizes, "stream": step.facts()}}))
    monkeypatch.setattr(runtime, "open_session", lambda path, threads: TorchSession(step))
    monkeypatch.setattr(runtime, "read_processor", lambda path: None)
    return ExportedStream(folder)


def st_gcn() -> StGcnForActionSegmentation:
    torch.manual_seed(0)
    sizes = {"num_joints": 15, "channels": [8, 16, 16], "strides": [1, 2, 1], "layout": "lac-15", "num_people": 2}
    return StGcnForActionSegmentation(StGcnConfig(**sizes, num_labels=4)).eval()


@pytest.mark.parametrize("chunks", [[41], [1] * 41, [7, 1, 20, 13]], ids=lambda chunks: f"{len(chunks)} chunks")
@pytest.mark.parametrize(
    ("make", "context"),
    [
        (unik, 6),
        (unik, 100),
        (lambda: unik(upsampling="repeat", dilations=[1, 2, 1], strides=[2, 1, 2]), 9),
        (lambda: unik(strides=[2, 3, 1], temporal_kernel=3), 8),
        (st_gcn, 8),
    ],
    ids=["short context", "long context", "dilated", "stride 3", "no attention"],
)
def test_a_stream_of_steps_equals_the_stream(make, context, chunks, tmp_path, monkeypatch):
    model = make()
    keypoints = clip(model.config.num_joints)
    early = StreamingSegmenter(model, context=context)
    expected = torch.cat([early.add(keypoints), early.finish()]).numpy()
    stream = opened(model, context, tmp_path, monkeypatch)
    for _ in range(2):  # after its end another one begins
        made, starts = [], np.cumsum([0, *chunks])
        for start, end in itertools.pairwise(starts):
            made.append(stream.add(keypoints[:, start:end].numpy()))
            assert sum(map(len, made)) >= end - stream.delay, "an answer is later than the stated delay"
        made.append(stream.finish())
        np.testing.assert_allclose(np.concatenate(made), expected, atol=1e-5, rtol=1e-4)


def test_no_frames_give_no_logits(tmp_path, monkeypatch):
    stream = opened(unik(), 6, tmp_path, monkeypatch)
    assert stream.finish().shape == (0, 4)
    assert stream.add(np.zeros((2, 0, 5, 3))).shape == (0, 4)


def test_another_number_of_people_names_the_shape(tmp_path, monkeypatch):
    stream = opened(unik(), 6, tmp_path, monkeypatch)
    with pytest.raises(ValueError, match=r"streams of \(2 people, frames, 5 joints, 3 dims\), got \(1, 4, 5, 3\)"):
        stream.add(np.zeros((1, 4, 5, 3)))


def test_a_folder_without_a_stream_names_the_command(tmp_path):
    (tmp_path / "export.json").write_text(json.dumps({"motionhub": FACTS}))
    with pytest.raises(ValueError, match="has no stream; make it with: motionhub export CHECKPOINT --stream 64"):
        ExportedStream(tmp_path)


def test_a_context_shorter_than_a_step_is_an_error():
    with pytest.raises(ValueError, match="context must be at least 4 frames, a step of this model, got 3"):
        StreamingStep(unik(), context=3)
