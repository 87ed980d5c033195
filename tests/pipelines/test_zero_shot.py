"""Zero-shot pipelines on a model whose embeddings are known: labels, windows, intervals, none of these, bad input."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from transformers import pipeline
from transformers.modeling_outputs import BaseModelOutputWithPooling

import motionhub
from motionhub.data.synthetic.generate import generate
from motionhub.live.scorers import scorer_of
from motionhub.models.t_mor import TMorConfig, TMorForZeroShotActionClassification
from motionhub.models.unik import UnikConfig
from motionhub.pipelines.zero_shot import over_windows
from motionhub.pipelines.zero_shot_action_classification import NONE
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.runtime.steps import align_gravity
from motionhub.runtime.zero_shot import checked_labels, over_frames
from motionhub.towers.text_bank import TextBank


TOWER = {"kind": "sentence-transformers", "name": "no-such-tower", "dim": 4}
PHRASES = ["stand", "walk", "walk about", "sit"]


class ByHeight(TMorForZeroShotActionClassification):
    """Says "stand", "walk" or "sit" by how high the keypoints of a window are: 0, 1 or 2."""

    def __init__(self, config):
        super().__init__(config)
        self.calls = 0
        self.t_mor.get_skeleton_features = self._embed

    def _embed(self, keypoints, joint_mask=None, attention_mask=None):
        self.calls += 1
        seen = keypoints[joint_mask.bool()].reshape(-1, 2) if len(keypoints) == 1 else None
        level = [float(clip[mask.bool()][:, 1].mean()) for clip, mask in zip(keypoints, joint_mask, strict=True)]
        assert seen is None or len(seen)
        return BaseModelOutputWithPooling(pooler_output=torch.eye(4)[[round(value) for value in level]])


def model_of(**changes) -> ByHeight:
    encoder = UnikConfig(num_joints=20, in_channels=2, num_people=1, channels=[4], layout="kinect-20", num_heads=1)
    sizes = {"projection_size": 4, "text_size": 4, "text_projection_layers": 0, "video_size": None}
    config = TMorConfig(encoder_config=encoder, text_tower=TOWER, score_temperature=0.2, **sizes, **changes)
    return ByHeight(config).eval()


def bank() -> TextBank:
    # "stand" is the first axis, "walk" and "walk about" the second, "sit" the third.
    return TextBank(PHRASES, torch.eye(4)[[0, 1, 1, 2]], TOWER, torch.eye(4)[3])


def pipe_of(task: str = "zero-shot-action-classification", **changes):
    processor = SkeletonProcessor(layout="kinect-20", num_people=1, num_dims=2, normalization="none")
    return pipeline(task, model=model_of(**changes), feature_extractor=processor, text_bank=bank())


def clip_at(*heights: float, frames: int = 30, people: int = 1) -> motionhub.SkeletonSequence:
    """A second (30 frames) at each height."""
    levels = np.repeat(np.array(heights, np.float32), frames)
    points = np.zeros((people, len(levels), 20, 2), np.float32)
    points[..., 1] = levels[None, :, None]
    return motionhub.SkeletonSequence(points, layout="kinect-20", fps=30, unit="metre")


def test_the_label_with_the_nearest_text_is_first_and_scores_are_the_softmax():
    (person,) = pipe_of()(clip_at(1), candidate_labels=["sit", "walk", "stand"])
    assert next(entry["label"] for entry in person["scores"]) == "walk"
    expected = np.exp(5) / (np.exp(5) + 2)
    assert person["scores"][0]["score"] == pytest.approx(expected, rel=1e-4)
    assert sum(entry["score"] for entry in person["scores"]) == pytest.approx(1, rel=1e-5)
    assert person["coverage"] == 1.0


def test_labels_with_commas_and_with_further_phrasings_are_read():
    pipe = pipe_of()
    assert pipe(clip_at(2), candidate_labels="stand, sit", top_k=1)[0]["scores"][0]["label"] == "sit"
    candidates = pipe.candidates({"walk": ["walk about"], "sit": []})
    torch.testing.assert_close(candidates.vectors, torch.eye(4)[[1, 2]])
    mixed = pipe.candidates({"stand": ["walk"]})
    torch.testing.assert_close(mixed.vectors, torch.tensor([[0.5**0.5, 0.5**0.5, 0, 0]]))


def test_body_parts_and_neighbours_move_a_label():
    pipe = pipe_of()
    parts = pipe.candidates(["stand"], descriptions={"stand": ["sit"]}).vectors
    torch.testing.assert_close(parts, torch.tensor([[0.5**0.5, 0, 0.5**0.5, 0]]))
    drawn = pipe.candidates(["stand"], neighbours=2).vectors
    assert float(drawn[0, 0]) < 1 and float(drawn[0, 1:].abs().sum()) > 0
    with pytest.raises(ValueError, match="must be of candidate labels"):
        pipe.candidates(["stand"], descriptions={"walk": ["sit"]})


def test_none_of_these_wins_where_no_label_reaches_its_similarity():
    pipe = pipe_of(rejection_threshold=0.5)
    scores = pipe(clip_at(2), candidate_labels=["stand", "walk"])[0]["scores"]
    assert scores[0]["label"] == NONE
    assert scores[0]["score"] == pytest.approx(np.exp(2.5) / (np.exp(2.5) + 2), rel=1e-4)
    without = pipe(clip_at(2), candidate_labels=["stand", "walk"], none_label=None)[0]["scores"]
    assert {entry["label"] for entry in without} == {"stand", "walk"}
    each = pipe(clip_at(1), candidate_labels=["stand", "walk"], multi_label=True)[0]["scores"]
    assert [entry["score"] for entry in each] == pytest.approx([1 / (1 + np.exp(-2.5)), 1 / (1 + np.exp(2.5))])


def test_labels_that_were_never_learned_get_their_bonus():
    pipe = pipe_of(calibrated_stacking=0.4)
    labels = ["stand", "walk about", "sit"]
    assert pipe.candidates(labels).new.tolist() == [False] * 3  # the bank does not say what was learned
    pipe.text_bank.learned = ["walk"]
    pipe._known.clear()
    assert pipe.candidates(labels).new.tolist() == [True, False, True]
    (person,) = pipe(clip_at(1), candidate_labels=labels)
    scores = {entry["label"]: entry["score"] for entry in person["scores"]}
    assert scores["stand"] == pytest.approx(np.exp(2) / (2 * np.exp(2) + np.exp(5)), rel=1e-4)


def test_a_long_clip_is_seen_in_windows_and_a_label_set_is_encoded_once(monkeypatch):
    pipe = pipe_of()
    clip = pipe.preprocess(clip_at(*[1] * 8))  # eight seconds, windows of 2.5, half overlapping
    assert clip.spans[0] == (0, 75) and clip.spans[-1] == (165, 240) and len(clip.spans) == 6
    assert len(pipe.preprocess(clip_at(1, 1, 1, 1)).spans) == 1
    pipe(clip_at(1), candidate_labels=["walk", "sit"])
    monkeypatch.setattr("motionhub.pipelines.zero_shot.text_vectors", None)
    pipe([clip_at(1), clip_at(2)], candidate_labels=["walk", "sit"])


def test_the_streams_of_one_pipeline_encode_a_label_set_once(monkeypatch):
    pipe = pipe_of("zero-shot-action-segmentation")
    window = clip_at(1)
    first = scorer_of(pipe, ["walk", "sit"])([window])
    monkeypatch.setattr("motionhub.pipelines.zero_shot.text_vectors", None)
    np.testing.assert_array_equal(scorer_of(pipe, ["walk", "sit"])([window]), first)


def test_intervals_of_two_people_lie_where_the_motion_changes():
    find = pipe_of("zero-shot-action-segmentation")
    first, second = clip_at(1, 1, 1, 2, 2, 2), clip_at(2, 2, 2, 1, 1, 1)
    both = first.replace(
        keypoints=np.concatenate([first.keypoints, second.keypoints]), confidence=None, track_ids=(4, 7)
    )
    rows = find(both, candidate_labels=["walk", "sit"], window=0.5, hop=0.1)
    assert [(row["track_id"], row["label"]) for row in rows] == [(4, "walk"), (4, "sit"), (7, "sit"), (7, "walk")]
    assert rows[0]["end_s"] == pytest.approx(3.0, abs=0.2) and rows[1]["end_s"] == pytest.approx(6.0)


def test_background_and_none_make_no_intervals():
    clip = clip_at(1, 1, 0, 0, 2, 2)
    how = {"candidate_labels": ["walk", "sit"], "window": 0.5, "hop": 0.1}
    rows = pipe_of("zero-shot-action-segmentation")(clip, background="stand", **how)
    assert [row["label"] for row in rows] == ["walk", "sit"] and rows[1]["start_s"] > 3.5
    none = pipe_of("zero-shot-action-segmentation", rejection_threshold=0.5)
    assert [row["label"] for row in none(clip, **how)] == ["walk", "sit"]
    assert len(none(clip, none_label=False, **how)) >= 2
    scores = none(clip, return_scores=True, **how)["scores"][0]
    assert scores["probabilities"].shape == (180, 3) and len(scores["times"]) == 181


def test_frames_get_the_weighted_mean_of_the_windows_around_them():
    likely = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    frames, begin = over_frames(likely.numpy(), [(10, 14), (12, 16)])
    assert begin == 10 and frames.shape == (6, 2)
    np.testing.assert_allclose(frames[0], [1, 0])
    np.testing.assert_allclose(frames[5], [0, 1])
    np.testing.assert_allclose(frames[2:4].sum(1), 1, rtol=1e-6)
    assert frames[2, 0] > frames[3, 0]


def test_who_is_upright_for_most_of_a_clip_is_not_turned_over_when_lying():
    processor = SkeletonProcessor(
        layout="smarthome-15", num_people=1, num_frames=16, normalization="centre", scale="extent", upright=True,
        train_sampling="resize", test_sampling="resize",
    )  # fmt: skip
    pipe = upright_pipe(processor)
    clip = generate("fall", seed=0, num_frames=240)
    whole = clip.replace(keypoints=align_gravity(clip.keypoints, clip.layout))
    part = pipe.preprocess(clip, window=1.0, views=(0,))
    last = part.samples[-1]["keypoints"]
    again = SkeletonProcessor.from_dict({**processor.to_dict(), "upright": False})
    frames = slice(*part.spans[-1])
    cut = whole.replace(keypoints=whole.keypoints[:, frames], confidence=None)
    torch.testing.assert_close(last, again.process(cut)["keypoints"])
    assert processor.upright


def test_an_action_that_fills_a_part_of_a_clip_names_it():
    clip = clip_at(2, 2, *[1] * 8)  # windows that show walking outnumber those that show sitting
    (person,) = pipe_of()(clip, candidate_labels=["sit", "stand"])
    assert person["scores"][0]["label"] == "sit"
    assert person["scores"][0]["score"] > 0.8


def test_the_soft_maximum_is_the_window_itself_and_between_mean_and_maximum():
    table = torch.tensor([[1.0, 0.0], [3.0, 0.0]])
    torch.testing.assert_close(over_windows(table[:1]), table[0])
    pooled = over_windows(table)
    assert 2 < float(pooled[0]) < 3
    assert float(pooled[1]) == pytest.approx(0, abs=1e-6)


def test_a_flat_model_sees_a_3d_clip_from_several_views_and_averages_them():
    processor = SkeletonProcessor(
        layout="smarthome-15", num_people=1, num_dims=2, normalization="centre", upright=True
    )
    pipe = upright_pipe(processor)
    clip = generate("wave", seed=0, num_frames=30)
    assert len(pipe.preprocess(clip).samples) == 3
    (own,) = pipe.preprocess(clip, views=(0,)).samples
    turned = pipe.preprocess(clip, views=(90.0,)).samples[0]
    torch.testing.assert_close(own["keypoints"][..., 1], turned["keypoints"][..., 1])
    assert float((own["keypoints"] - turned["keypoints"]).abs().max()) > 0.1
    flat = clip.replace(keypoints=clip.keypoints[..., :2])
    assert len(pipe.preprocess(flat).samples) == 1


@pytest.mark.parametrize("views", [(), "0", 0, (0, "left"), (0, float("nan"))])
def test_views_are_degrees(views):
    with pytest.raises(ValueError, match="views must be one or more degrees"):
        pipe_of()(clip_at(1), candidate_labels=["walk"], views=views)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "at least one label"),
        ("", "something in them"),
        (["walk", " "], "something in them"),
        (["walk", 3], "something in them"),
        (["walk", "Walk_"], "must differ"),
        (["walk", "walk"], "must differ"),
        (7, "at least one label"),
        (None, "at least one label"),
    ],
)
def test_labels_that_are_none_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        checked_labels(labels)


def test_words_the_bank_lacks_name_the_tower_to_install():
    pipe = pipe_of()
    for label in ("juggle", "歩く", "sit " * 2000):
        with pytest.raises(ValueError, match="no-such-tower|similar known"):
            pipe(clip_at(1), candidate_labels=["walk", label])


def test_a_thousand_labels_are_one_table():
    phrases = [f"label {index}" for index in range(1000)]
    vectors = torch.nn.functional.normalize(torch.randn(1000, 4), dim=1)
    pipe = pipe_of()
    pipe.text_bank = TextBank(phrases, vectors, TOWER, torch.eye(4)[3])
    (person,) = pipe(clip_at(1), candidate_labels=phrases, top_k=3)
    best = int((vectors @ torch.eye(4)[1]).argmax())
    assert len(person["scores"]) == 3 and person["scores"][0]["label"] == f"label {best}"


def test_no_person_one_frame_and_no_keypoints_have_clear_outcomes():
    pipe = pipe_of()
    empty = clip_at(1).replace(keypoints=np.zeros((0, 30, 20, 2), np.float32), confidence=None, track_ids=())
    unseen = clip_at(1).replace(keypoints=np.full((1, 30, 20, 2), np.nan, np.float32), confidence=None)
    for clip in (empty, unseen):
        with pytest.warns(UserWarning, match="no valid keypoints"):
            assert pipe(clip, candidate_labels=["walk"]) == []
    one = pipe(clip_at(2, frames=1), candidate_labels=["walk", "sit"])
    assert one[0]["scores"][0]["label"] == "sit"
    with pytest.raises(ValueError, match="candidate_labels is required"):
        pipe(clip_at(1))
    with pytest.raises(ValueError, match="need candidate_labels"):
        pipe(clip_at(1), neighbours=3)
    with pytest.raises(ValueError, match="one person at a time"):
        pipe(clip_at(1), candidate_labels=["walk"], per_person=False)
    with pytest.raises(ValueError, match="seconds above 0"):
        pipe(clip_at(1), candidate_labels=["walk"], window=0)


def test_calibration_returns_numbers_and_the_caller_applies_them():
    pipe = pipe_of()
    clips = [clip_at(level) for level in (0, 1, 2, 0, 1, 2)]
    before = pipe.model.config.to_dict()
    fitted = pipe.calibrate([(clips, [0, 1, 2, 0, 1, 2], ["stand", "walk", "sit"])])
    assert fitted.accuracy == 1.0 and fitted.none_auroc == 1.0
    assert set(fitted.config) == {"score_temperature", "rejection_threshold"}
    assert 0 < fitted.config["rejection_threshold"] < 1 and pipe.model.config.to_dict() == before
    pipe.model.config.update(fitted.config)
    scores = pipe(clip_at(2), candidate_labels=["stand", "walk"])[0]["scores"]
    assert scores[0]["label"] == NONE
    assert pipe(clip_at(1), candidate_labels=["walk"])[0]["scores"][0]["label"] == "walk"


def test_a_pipeline_adapts_to_clips_of_a_sensor_that_favours_a_label_and_forgets_them():
    pipe, labels = pipe_of(), ["stand", "walk", "sit"]
    candidates, clips = pipe.candidates(labels), [clip_at(0), *[clip_at(1)] * 8, clip_at(2)]
    plain = pipe.clip_similarities(clips, candidates)
    pipe.adapt(clips)
    means = torch.tensor([0.1, 0.8, 0.1])
    torch.testing.assert_close(pipe.clip_similarities(clips, candidates), plain - (means - means.mean()))
    pipe.adapt(None)
    torch.testing.assert_close(pipe.clip_similarities(clips, candidates), plain)
    with pytest.raises(ValueError, match="10 clips with a detected person or more, got 3"):
        pipe.adapt(clips[:3])


def test_a_new_label_ranks_higher_and_does_not_win_on_nothing():
    pipe = pipe_of(calibrated_stacking=0.9, rejection_threshold=0.5)
    pipe.text_bank.learned = ["walk"]
    new = pipe(clip_at(0), candidate_labels=["walk", "sit"])[0]["scores"]  # standing: neither
    assert new[0]["label"] == NONE
    assert new[0]["score"] == pytest.approx(np.exp(2.5) / (np.exp(2.5) + 2), rel=1e-4)
    assert [entry["label"] for entry in new[1:]] == ["sit", "walk"]


def test_calibration_of_windows_puts_the_threshold_between_named_and_unnamed_windows():
    find = pipe_of("zero-shot-action-segmentation")
    recording = (clip_at(1, 1, 1, 0, 0, 0, 2, 2, 2), [0] * 90 + [-1] * 90 + [1] * 90, ["walk", "sit"])
    fitted = find.calibrate_windows([recording])
    assert set(fitted.config) == {"window_rejection_threshold"} and find.model.config.rejection_threshold is None
    assert 0 < fitted.config["window_rejection_threshold"] < 1 and min(fitted.accuracy, fitted.none_auroc) > 0.8
    with pytest.raises(ValueError, match="two labels or more"):
        find.calibrate_windows([(*recording[:2], ["walk"])])


def upright_pipe(processor):
    encoder = UnikConfig(num_joints=15, in_channels=2, num_people=1, channels=[4], layout="smarthome-15", num_heads=1)
    sizes = {"projection_size": 4, "text_size": 4, "text_projection_layers": 0, "video_size": None}
    torch.manual_seed(0)
    model = TMorForZeroShotActionClassification(TMorConfig(encoder_config=encoder, text_tower=TOWER, **sizes)).eval()
    return pipeline("zero-shot-action-classification", model=model, feature_extractor=processor, text_bank=bank())


def test_eight_threads_on_one_pipeline_give_the_answers_of_one_thread():
    processor = SkeletonProcessor(
        layout="smarthome-15", num_people=1, num_frames=16, normalization="centre", scale="extent", upright=True,
        train_sampling="resize", test_sampling="resize",
    )  # fmt: skip
    clips = [generate(motion, seed=seed, num_frames=150) for seed, motion in enumerate(("fall", "wave", "sit down"))]
    sets = [[*pair] for pair in itertools.permutations(PHRASES, 2)]  # more than are kept
    calls = [(clip, labels) for labels in sets for clip in clips] * 2
    pipe = upright_pipe(processor)
    alone = [pipe(clip, candidate_labels=labels, window=1.0) for clip, labels in calls]
    shared = upright_pipe(processor)
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda call: shared(call[0], candidate_labels=call[1], window=1.0), calls))
    assert together == alone and processor.upright


def test_scores_of_a_video_model_are_fused():
    (person,) = pipe_of()(clip_at(1), candidate_labels=["walk", "sit"], video_scores=[0.0, 1.0], video_weight=0.5)
    assert person["scores"][0]["label"] == "sit"
    with pytest.raises(ValueError, match="one shape"):
        pipe_of()(clip_at(1), candidate_labels=["walk", "sit"], video_scores=[1.0])
