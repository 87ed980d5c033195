"""`pipeline("action-segmentation")`: seconds that are known because the model reads its answer off the first joint."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small_checkpoints import motion, small_config, small_processor
from transformers import PreTrainedModel, pipeline

import motionhub
from motionhub.pipelines.action_segmentation import ActionSegmentationPipeline


class ReadsFirstJoint(PreTrainedModel):
    """The logits of a frame are 8 times the coordinates of joint 0, averaged over people."""

    config_class = motionhub.UnikConfig
    main_input_name = "keypoints"

    def __init__(self, config):
        super().__init__(config)
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.post_init()

    def forward(self, keypoints, joint_mask=None, attention_mask=None):
        return SimpleNamespace(logits=8 * keypoints[:, :, :, 0].mean(1))


def reading_pipe(**fields):
    processor = small_processor(normalization="none", num_people=None, **fields)
    return ActionSegmentationPipeline(model=ReadsFirstJoint(small_config()), feature_extractor=processor)


def script(*labels: int | None, fps: float = 10.0, people: int = 1):
    """A sequence whose joint 0 says which label each frame has; None: none of them."""
    keypoints = np.full((people, len(labels), 20, 3), -1.0)
    for frame, label in enumerate(labels):
        if label is not None:
            keypoints[:, frame, 0, label] = 1.0
    return motionhub.SkeletonSequence(keypoints, layout="kinect-20", fps=fps, unit="metre")


def test_rows_say_when_each_action_begins_and_ends():
    rows = reading_pipe()(script(None, 0, 0, 0, None, 2, 2))
    times = [(row["label"], row["start_s"], row["end_s"]) for row in rows]
    assert times == [("sit down", pytest.approx(0.1), pytest.approx(0.4)), ("throw", 0.5, pytest.approx(0.7))]
    assert rows[0]["score"] == pytest.approx(1 / (1 + np.exp(-8)), abs=1e-6)
    assert rows[0]["track_id"] == 0


def test_seconds_are_those_of_the_source_whatever_the_models_rate():
    clip = script(*[None] * 20, *[1] * 40, *[None] * 40, fps=20)
    for fps in (10, 20, 40):
        (row,) = reading_pipe(fps=fps)(clip)
        assert row["start_s"] == pytest.approx(1.0, abs=0.1)
        assert row["end_s"] == pytest.approx(3.0, abs=0.1)


def test_resized_and_padded_clips_keep_their_seconds():
    clip = script(*[0] * 30, *[None] * 30)
    (row,) = reading_pipe(num_frames=12, test_sampling="resize")(clip, window=None)
    assert (row["start_s"], row["end_s"]) == (0.0, pytest.approx(3.0, abs=0.3))
    (row,) = reading_pipe(test_num_frames=100)(clip)
    assert row["end_s"] == pytest.approx(3.0)


def test_an_action_that_lasts_to_the_end_ends_with_the_clip():
    (row,) = reading_pipe()(script(None, 1, 1, 1))
    assert row["end_s"] == pytest.approx(0.4)
    (row,) = reading_pipe()(script(1))
    assert (row["start_s"], row["end_s"]) == (0.0, pytest.approx(0.1))


def test_each_person_has_rows_of_their_own():
    clip = script(0, 0, 0, 0, people=2)
    keypoints = clip.keypoints.copy()
    keypoints[1, :, 0] = [-1, 1, -1]
    clip = clip.replace(keypoints=keypoints, track_ids=(4, 9))
    rows = reading_pipe()(clip)
    assert [(row["track_id"], row["label"]) for row in rows] == [(4, "sit down"), (9, "stand up")]
    (row,) = reading_pipe()(script(0, people=2), per_person=False)
    assert row["track_id"] is None


def test_options_of_the_rule_reach_it():
    clip = script(0, None, 0, None, None, None, 0)
    assert len(reading_pipe()(clip)) == 3
    (row,) = reading_pipe()(clip, max_gap=0.1, min_duration=0.2)
    assert row["end_s"] == pytest.approx(0.3)
    assert reading_pipe()(clip, background="sit down") == []
    # Softmax of (8, -8, -8) and of (-8, -8, -8): where nothing stands out, nothing reaches one half.
    assert len(reading_pipe()(clip, exclusive=True)) == 3


def test_a_label_called_background_is_no_action_by_default():
    pipe = reading_pipe()
    pipe.model.config.id2label = {0: "background", 1: "stand up", 2: "throw"}
    assert [row["label"] for row in pipe(script(0, 1))] == ["stand up"]
    assert [row["label"] for row in pipe(script(0, 1), background=None)] == ["background", "stand up"]


def test_scores_come_along_when_asked_for():
    result = reading_pipe()(script(0, None), return_scores=True)
    (scores,) = result["scores"]
    assert len(result["intervals"]) == 1
    np.testing.assert_allclose(scores["times"], [0.0, 0.1, 0.2])
    np.testing.assert_allclose(scores["probabilities"][0], torch.tensor([8.0, -8, -8]).sigmoid(), atol=1e-6)


def test_batches_do_not_change_the_rows():
    clips = [script(0, 0, None), script(*[1] * 9, people=2), script(None)]
    together = reading_pipe()(clips, batch_size=3)
    assert together == [reading_pipe()(clip) for clip in clips]


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("segmenter")
    torch.manual_seed(0)
    motionhub.UnikForActionSegmentation(small_config()).save_pretrained(folder)
    small_processor(num_frames=8).save_pretrained(folder)
    return str(folder)


def test_a_long_clip_goes_through_the_model_in_windows(segmenter):
    pipe = pipeline("action-segmentation", model=segmenter)
    clip = motion(37)
    (scores,) = pipe(clip, return_scores=True)["scores"]
    inputs = pipe.feature_extractor(clip)
    wanted = pipe.model.predict_windows(inputs["keypoints"], inputs["attention_mask"], window=8, hop=4)
    np.testing.assert_allclose(scores["probabilities"], wanted[0].sigmoid(), atol=1e-6)
    (whole,) = pipe(clip, return_scores=True, window=None)["scores"]
    wanted = pipe.model(inputs["keypoints"], attention_mask=inputs["attention_mask"]).logits.detach()
    np.testing.assert_allclose(whole["probabilities"], wanted[0].sigmoid(), atol=1e-6)


def test_no_person_gives_no_rows(segmenter):
    pipe = pipeline("action-segmentation", model=segmenter)
    with pytest.warns(UserWarning, match="no valid keypoints"):
        assert pipe(motion(6).replace(keypoints=np.full((1, 6, 20, 3), np.nan))) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"threshold": 2}, "threshold"),
        ({"background": "jump"}, "label of the model"),
        ({"window": 0}, "window"),
        ({"top_k": 3}, "top_k"),
        ({"window": None, "hop": 3}, "hop"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        reading_pipe()(script(0), **options)


def test_a_long_clip_has_the_answers_of_the_model_as_it_is_now(monkeypatch):
    """Its batch norms are folded for the call alone: the model stays as it is, and new weights count at once."""
    torch.manual_seed(0)
    model = motionhub.UnikForActionSegmentation(small_config()).eval()
    pipe, clip = ActionSegmentationPipeline(model=model, feature_extractor=small_processor()), motion(120)
    for _ in range(2):
        for norm in (each for each in model.modules() if hasattr(each, "running_mean")):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        expected = pipe(clip, window=16, return_scores=True)["scores"][0]["probabilities"]
        with monkeypatch.context() as patched:
            patched.setattr("motionhub.pipelines.action_segmentation.LONG", 1)
            found = pipe(clip, window=16, return_scores=True)["scores"][0]["probabilities"]
        assert not np.array_equal(found, expected)  # by rounding
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert not model.is_fused and all(before[name].equal(value) for name, value in model.state_dict().items())
