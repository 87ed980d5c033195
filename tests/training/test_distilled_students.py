"""Students of classifiers and of zero-shot models: losses by hand, and runs that come nearer to their teachers."""

from types import SimpleNamespace

import pytest
import torch

from motionhub import (
    ClassificationEvaluation,
    ClipDataset,
    Distillation,
    SkeletonProcessor,
    TcnConfig,
    TMorConfig,
    TMorModel,
    TrainingRecipe,
    UnikConfig,
    UnikForActionClassification,
    ZeroShotDistillation,
    collate_skeletons,
    generate_dataset,
    soft_targets,
    train,
    with_unlabelled,
)
from motionhub.losses.distillation import soft_target_loss


NAMES = ["wave", "squat"]
PROCESSOR = SkeletonProcessor(layout="coco-17", num_dims=3, num_people=1, num_frames=8, normalization="centre")


def classifier(seed: int, channels: int) -> UnikForActionClassification:
    torch.manual_seed(seed)
    config = UnikConfig(
        layout="coco-17",
        in_channels=3,
        num_people=1,
        channels=[channels],
        strides=[2],
        id2label=dict(enumerate(NAMES)),
    )
    return UnikForActionClassification(config)


@pytest.fixture(scope="module")
def rows():
    return with_unlabelled(generate_dataset(6, seed=0, actions=NAMES), generate_dataset(4, seed=1))


def test_clips_of_others_have_no_label_and_the_classes_stay(rows):
    assert len(rows) == 10 and rows["label"][6:] == [-1] * 4
    assert -1 not in rows["label"][:6] and rows.features["label"].names == NAMES


def test_clips_without_a_label_have_soft_targets_only():
    targets, logits = torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, 5.0]]), torch.tensor([[0.5, 0.1], [0.3, -0.2]])
    objective = Distillation(targets=targets, temperature=2.0, label_weight=0.25)
    batch = {"keypoints": torch.zeros(2), "index": torch.tensor([1, 0]), "labels": torch.tensor([-1, 1])}
    losses = objective(lambda keypoints: SimpleNamespace(logits=logits), batch)
    soft = soft_target_loss(logits, targets[[1, 0]], 2.0)
    hard = torch.nn.functional.cross_entropy(logits[1:], torch.tensor([1]))
    assert losses["loss"].item() == pytest.approx(((soft[0] + 0.75 * soft[1] + 0.25 * hard) / 2).item(), rel=1e-6)


def test_a_trained_student_is_nearer_to_its_teacher(rows, tmp_path):
    teacher, student = classifier(0, 8), classifier(1, 4)
    with torch.no_grad():
        teacher.classifier.weight.mul_(10)  # answers that are worth learning
    targets = soft_targets(teacher, PROCESSOR, rows)

    def distance() -> float:
        return soft_target_loss(soft_targets(student, PROCESSOR, rows), targets).mean().item()

    before = distance()
    recipe = TrainingRecipe(
        mode="scratch", epochs=6, batch_size=5, learning_rate=0.05, optimizer="adamw", schedule="cosine", cpu=True,
        mixed_precision="no", eval_epochs=6, checkpoint_epochs=6, output_dir=str(tmp_path),
    )  # fmt: skip
    result = train(
        student,
        PROCESSOR,
        rows,
        rows.select(range(6)),
        recipe,
        objective=Distillation(targets=targets, label_weight=0.0),
        evaluation=ClassificationEvaluation(NAMES),
    )
    assert distance() < 0.7 * before
    assert 0 <= result.last_metrics["top1"] <= 1


def test_targets_of_other_clips_are_an_error(rows, tmp_path):
    objective = Distillation(targets=torch.zeros(9, 2))
    recipe = TrainingRecipe(mode="scratch", epochs=1, batch_size=5, cpu=True, output_dir=str(tmp_path))
    with pytest.raises(ValueError, match=r"targets must be \(10, 2\), a row per training clip"):
        train(classifier(1, 4), PROCESSOR, rows, None, recipe, objective=objective)


@pytest.mark.parametrize("options", [{"label_weight": 1.5}, {"temperature": 0.0}, {"targets": torch.zeros(3)}])
def test_an_option_out_of_its_range_is_an_error(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Distillation(**{"targets": torch.zeros(3, 2), **options})


TEXTS = torch.nn.functional.normalize(torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), dim=-1)


def zero_shot(seed: int, channels: int, **sizes: int) -> TMorModel:
    torch.manual_seed(seed)
    encoder = TcnConfig(layout="coco-17", num_joints=17, in_channels=3, channels=[channels], dropout=0)
    config = {"projection_size": 4, "text_size": 4, "text_projection_layers": 0, "video_size": None, **sizes}
    return TMorModel(TMorConfig(encoder_config=encoder, **config))


def clips(seed: int) -> dict[str, torch.Tensor]:
    keypoints = torch.randn(3, 1, 8, 17, 3, generator=torch.Generator().manual_seed(seed))
    return {"keypoints": keypoints, "attention_mask": torch.ones(3, 1, 8, dtype=torch.bool)}


def test_a_zero_shot_student_learns_embeddings_and_which_phrases_fit():
    teacher, student = zero_shot(0, 16), zero_shot(1, 4)
    objective = ZeroShotDistillation(teacher=teacher, text_features=TEXTS, temperature=0.5, similarity_weight=0.2)
    losses = objective(student, clips(0))
    with torch.no_grad():
        own, given = (model(**clips(0)).motion_embeds for model in (student, teacher))
    apart = 1 - (own * given).sum(-1)  # unit vectors
    soft = soft_target_loss(own @ TEXTS.T / 0.5, given @ TEXTS.T / 0.5)
    assert losses["loss"].item() == pytest.approx((apart + 0.2 * soft).mean().item(), rel=1e-5)
    losses["loss"].backward()
    assert all(weight.grad is None for weight in teacher.parameters())


def test_a_zero_shot_model_is_its_own_best_student():
    objective = ZeroShotDistillation(teacher=zero_shot(0, 16), text_features=TEXTS)
    losses = objective(zero_shot(0, 16).eval(), clips(0))
    assert losses["loss"].item() == pytest.approx(0, abs=1e-5) and losses["same_phrase"] == 1


def test_the_teacher_is_no_part_of_the_saved_state_and_another_one_is_noticed():
    first, second = (ZeroShotDistillation(teacher=zero_shot(seed, 16), text_features=TEXTS) for seed in (0, 1))
    assert set(first.state_dict()) == {"updates"}
    assert first.settings()["teacher"] != second.settings()["teacher"]


def test_a_trained_zero_shot_student_is_nearer_to_its_teacher(rows, tmp_path):
    teacher, student = zero_shot(0, 16), zero_shot(1, 8)
    objective = ZeroShotDistillation(teacher=teacher, text_features=TEXTS)
    recipe = TrainingRecipe(
        mode="scratch", epochs=20, batch_size=10, learning_rate=0.02, optimizer="adamw", cpu=True,
        mixed_precision="no", checkpoint_epochs=20, output_dir=str(tmp_path),
    )  # fmt: skip
    batch = collate_skeletons(list(ClipDataset(rows, PROCESSOR, training=True)))
    with torch.no_grad():
        before = objective(student.eval(), batch)["embedding"]
    train(student, PROCESSOR, rows, None, recipe, objective=objective)
    with torch.no_grad():
        assert objective(student.eval(), batch)["embedding"] < 0.5 * before


def test_a_student_of_another_space_is_an_error(rows, tmp_path):
    objective = ZeroShotDistillation(teacher=zero_shot(0, 16), text_features=TEXTS)
    recipe = TrainingRecipe(mode="scratch", epochs=1, batch_size=5, cpu=True, output_dir=str(tmp_path))
    other = zero_shot(1, 4, projection_size=6, text_projection_layers=1)
    with pytest.raises(ValueError, match="share one space: projection_size must be 4, got 6"):
        train(other, PROCESSOR, rows, None, recipe, objective=objective)


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"similarity_weight": -1.0}, {"text_features": torch.zeros(3, 5)}]
)
def test_an_option_of_a_zero_shot_student_out_of_its_range_is_an_error(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        ZeroShotDistillation(**{"teacher": zero_shot(0, 16), "text_features": TEXTS, **options})
