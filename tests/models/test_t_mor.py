"""T-MOR: embeddings of motions, texts and videos, and what it says of inputs that do not fit."""

import pytest
import torch
from helpers import read_json, write_json

from motionhub.models.t_mor import TMorConfig, TMorForZeroShotActionClassification, TMorModel, fuse_scores
from motionhub.models.unik import UnikConfig, UnikForActionClassification


SIZES = {"projection_size": 6, "text_size": 6, "video_size": None, "text_projection_layers": 0}


def config(**changes) -> TMorConfig:
    encoder = UnikConfig(num_joints=5, in_channels=2, num_people=2, channels=[8, 16], strides=[1, 2], layout="lac-15")
    return TMorConfig(encoder_config=encoder, **{**SIZES, **changes})


def clips(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 2, 8, 5, 2, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def test_all_embeddings_are_of_length_one_and_without_projection_the_text_is_the_towers():
    # Of few hidden channels all can be dead for a vector, which is then nowhere.
    model = TMorModel(config(video_size=3, projection_hidden_size=64)).eval()
    texts, videos = torch.randn(4, 6), torch.randn(2, 3)
    outputs = model(clips(), text_features=texts, video_features=videos)
    for embeds in (outputs.motion_embeds, outputs.text_embeds, outputs.video_embeds):
        torch.testing.assert_close(embeds.norm(dim=1), torch.ones(len(embeds)))
    torch.testing.assert_close(outputs.text_embeds, torch.nn.functional.normalize(texts, dim=1))
    torch.testing.assert_close(model.get_skeleton_features(clips()).pooler_output, outputs.motion_embeds)
    torch.testing.assert_close(model.get_video_features(videos).pooler_output, outputs.video_embeds)


def test_logits_are_cosines_over_the_temperature_and_loss_their_cross_entropy():
    head = TMorForZeroShotActionClassification(config(score_temperature=0.25)).eval()
    texts = torch.randn(3, 6)
    outputs = head(clips(), text_features=texts, labels=torch.tensor([2, 0]))
    cosines = torch.nn.functional.cosine_similarity(outputs.motion_embeds[:, None], texts[None], dim=-1)
    torch.testing.assert_close(outputs.logits, cosines / 0.25)
    torch.testing.assert_close(outputs.loss, torch.nn.functional.cross_entropy(outputs.logits, torch.tensor([2, 0])))


def test_similarities_are_cosines_until_typical_motions_are_measured_and_then_standard_scores():
    model = TMorModel(config()).eval()
    motions = torch.nn.functional.normalize(torch.randn(50, 6, generator=torch.Generator().manual_seed(2)), dim=1)
    texts = torch.eye(6)[:3]
    cosines = model.similarities(motions, texts)
    torch.testing.assert_close(cosines, motions @ texts.T)
    model.typical_motion.measure(motions)
    wanted = (cosines - cosines.mean(0)) / (cosines.var(0, unbiased=False) + 0.05**2).sqrt()
    torch.testing.assert_close(model.similarities(motions, texts), wanted, rtol=1e-4, atol=1e-5)


def test_a_measured_scale_changes_the_unit_and_not_the_order():
    model = TMorModel(config()).eval()
    motions = torch.nn.functional.normalize(torch.randn(50, 6, generator=torch.Generator().manual_seed(2)), dim=1)
    cosines = motions @ torch.eye(6)[:3].T
    model.typical_motion.measure(motions)
    model.typical_motion.measure_scale(motions, torch.eye(6)[:3])
    torch.testing.assert_close(model.similarities(motions, torch.eye(6)[:3]), cosines / cosines.std(0).mean())


@torch.no_grad()
def test_head_and_encoder_load_what_the_model_saved(tmp_path):
    model = TMorModel(config()).eval()
    model.typical_motion.mean.fill_(0.5)
    model.save_pretrained(tmp_path / "model")
    head = TMorForZeroShotActionClassification.from_pretrained(tmp_path / "model")
    assert torch.equal(head.t_mor.typical_motion.mean, model.typical_motion.mean)
    texts = torch.randn(3, 6)
    assert torch.equal(
        head(clips(), text_features=texts).motion_embeds, model(clips(), text_features=texts).motion_embeds
    )
    model.encoder.save_pretrained(tmp_path / "encoder")
    classifier = UnikForActionClassification.from_pretrained(tmp_path / "encoder")
    assert torch.equal(classifier.encoder(clips()).pooler_output, model(clips()).pooler_output)


def test_a_temperature_that_learns_is_a_parameter_and_never_below_a_hundredth():
    fixed, learning = TMorModel(config(temperature=0.1)), TMorModel(config(temperature=0.1, learn_temperature=True))
    assert not fixed.temperature.logarithm.requires_grad and learning.temperature.logarithm.requires_grad
    assert float(fixed.temperature().detach()) == pytest.approx(0.1)
    learning.temperature.logarithm.data.fill_(-20)
    assert float(learning.temperature().detach()) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"projection_size": 0}, "at least 1"),
        ({"text_size": 7}, "common space is the tower's"),
        ({"motion_projection_layers": 0}, "motion_projection_layers"),
        ({"temperature": 0.0}, "above 0"),
        ({"text_tower": {"kind": "sentence-transformers", "name": "x", "dim": 384}}, "384 channels"),
        ({"projection_sise": 3}, "did you mean 'projection_size'"),
    ],
)
def test_a_config_that_contradicts_itself_is_refused(changes, message):
    with pytest.raises(Exception, match=message):
        config(**changes)


def test_vectors_of_another_tower_are_refused_by_their_size():
    model = TMorModel(config(text_tower={"kind": "open-clip", "name": "ViT-B-32"}))
    with pytest.raises(ValueError, match=r"\(n, 6\) of 'ViT-B-32', got \(2, 5\)"):
        model.get_text_features(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="no video projection"):
        model.get_video_features(torch.zeros(2, 5))
    with pytest.raises(ValueError, match="needs text_features"):
        TMorForZeroShotActionClassification(config())(clips())


def test_fused_scores_are_the_renormalised_geometric_mean():
    motion, video = torch.tensor([[0.8, 0.2]]), torch.tensor([[0.5, 0.5]])
    root = torch.tensor([[0.8**0.5, 0.2**0.5]])
    torch.testing.assert_close(fuse_scores(motion, video), root / root.sum())
    torch.testing.assert_close(fuse_scores(motion, video, 0.0), motion)
    assert float(fuse_scores(motion, torch.tensor([[0.0, 1.0]]))[0, 0]) < 1e-6
    with pytest.raises(ValueError, match="one shape"):
        fuse_scores(motion, torch.ones(1, 3))


def test_a_config_saved_under_earlier_names_loads(tmp_path):
    config = TMorConfig()
    config.save_pretrained(tmp_path)
    earlier = {"none_similarity": 2.5, "window_none_similarity": 2.0, "unseen_bonus": 1.25}
    saved = read_json(tmp_path / "config.json")
    for old, new in TMorConfig.attribute_map.items():
        saved.pop(new, None)
        saved[old] = earlier[old]
    write_json(tmp_path / "config.json", saved)
    loaded = TMorConfig.from_pretrained(tmp_path)
    assert (loaded.rejection_threshold, loaded.window_rejection_threshold, loaded.calibrated_stacking) == (
        2.5,
        2.0,
        1.25,
    )
    assert loaded.none_similarity == 2.5 and TMorConfig(unseen_bonus=0.5).calibrated_stacking == 0.5
    loaded.save_pretrained(tmp_path)
    assert not set(earlier) & set(read_json(tmp_path / "config.json"))
