"""The three losses of T-MOR against closed forms, on a model whose embeddings are what it is given."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from motionhub.models.t_mor import TMorConfig, TMorModel
from motionhub.models.unik import UnikConfig
from motionhub.objectives.t_mor import TMor
from motionhub.training.objective import PretrainingObjective, RunInfo


SIZE = 6
RUN = RunInfo(num_clips=4, fingerprint="", updates_per_epoch=1, epochs=1, seed=0)


class Mirror(nn.Module):
    """Motion embeddings are the keypoints themselves, the projections of text and video the identity."""

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        self.config = SimpleNamespace(projection_size=SIZE, text_size=SIZE, video_size=SIZE)
        self.text_projection, self.video_projection = nn.Linear(1, 1), nn.Linear(1, 1)
        self.temperature = temperature

    def forward(self, keypoints, joint_mask=None, attention_mask=None, text_features=None, video_features=None):
        return SimpleNamespace(
            motion_embeds=keypoints,
            text_embeds=text_features,
            video_embeds=video_features,
            temperature=self.temperature,
        )

    def get_text_features(self, texts: Tensor) -> SimpleNamespace:
        return SimpleNamespace(pooler_output=texts)

    get_video_features = get_text_features


def axis(*numbers: int) -> Tensor:
    return torch.eye(SIZE)[list(numbers)]


def batch_of(motions: Tensor, labels: list[int], index: list[int] | None = None) -> dict[str, Tensor]:
    rows = torch.arange(len(motions)) if index is None else torch.tensor(index)
    empty = torch.zeros(len(motions), 1)
    named = {"keypoints": motions, "joint_mask": empty, "attention_mask": empty}
    return {**named, "labels": torch.tensor(labels), "index": rows, "seeds": torch.arange(len(motions)) + 5}


def test_it_is_a_pretext_with_two_views_only_where_two_are_compared():
    texts = [axis(0), axis(1)]
    assert isinstance(TMor(text_features=texts), PretrainingObjective)
    assert TMor(text_features=texts).num_views == 2 and TMor(losses=("mt",), text_features=texts).num_views == 1


def test_text_loss_against_every_other_class_is_the_softmax_of_orthogonal_texts():
    objective = TMor(losses=("mt",), text_features=[axis(c) for c in range(4)], text_negatives="classes")
    model = objective.prepare(Mirror(temperature=0.5), RUN)
    loss = objective(model, batch_of(axis(1, 3), [1, 3]))["loss"]
    assert float(loss) == pytest.approx(math.log(1 + 3 * math.exp(-2)), rel=1e-5)
    wrong = objective(model, batch_of(axis(0, 0), [1, 3]))["loss"]  # the motion says class 0
    assert float(wrong) == pytest.approx(math.log(math.exp(2) + 3), rel=1e-5)


def test_a_motion_without_label_has_no_text_loss():
    objective = TMor(losses=("mt",), text_features=[axis(c) for c in range(4)], text_negatives="classes")
    model = objective.prepare(Mirror(), RUN)
    both = objective(model, batch_of(axis(1, 0), [1, -1]))["loss"]
    assert float(both) == pytest.approx(math.log(1 + 3 * math.exp(-2)), rel=1e-5)
    assert float(objective(model, batch_of(axis(1, 0), [-1, -1]))["loss"]) == 0


def test_text_queue_gives_texts_of_other_classes_only():
    objective = TMor(losses=("mt",), text_features=[axis(c) for c in range(4)], queue_size=8)
    model = objective.prepare(Mirror(temperature=1.0), RUN)
    first = objective(model, batch_of(axis(0, 1, 1), [0, 1, 1]))
    assert float(first["loss"]) == 0  # the queue is empty
    objective.after_update(model)
    # In the queue: texts 0, 1, 1. Motion 0 has the two of class 1 as negatives, not the one of its own class.
    second = objective(model, batch_of(axis(0), [0]))
    assert float(second["loss"]) == pytest.approx(math.log(1 + 2 * math.exp(-1)), rel=1e-5)


def test_classes_that_mean_the_same_are_no_negatives_of_each_other():
    near = nn.functional.normalize(axis(0) + 0.1 * axis(1), dim=-1)
    texts = [axis(0), near, axis(2)]
    given = {"losses": ("mt",), "text_features": texts, "text_negatives": "classes"}
    objective = TMor(**given, similar_texts=0.9)
    model = objective.prepare(Mirror(temperature=1.0), RUN)
    loss = objective(model, batch_of(axis(0), [0]))["loss"]
    assert float(loss) == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-5)


def test_every_phrasing_of_a_class_is_drawn_and_none_of_another():
    objective = TMor(losses=("mt",), text_features=[axis(0, 1, 2), axis(3)])
    seeds = torch.arange(300)
    drawn = objective._phrases(torch.zeros(300, dtype=torch.long), seeds).sum(0)
    assert bool((drawn[:3] > 50).all()) and float(drawn[3:].sum()) == 0


def test_motion_loss_compares_the_first_view_with_the_key_of_the_second():
    objective = TMor(losses=("mm",), queue_size=8)
    model = objective.prepare(Mirror(temperature=1.0), RUN)
    views = batch_of(axis(0, 1, 0, 1), [-1] * 4, index=[0, 1, 0, 1])
    assert float(objective(model, views)["loss"]) == 0
    objective.after_update(model)
    # The queue holds the keys of clips 0 and 1: of clip 0 its own is left out, one orthogonal negative stays.
    again = objective(model, views)
    assert float(again["loss"]) == pytest.approx(math.log(1 + math.exp(-1)), rel=1e-5)
    assert float(again["alignment"]) == pytest.approx(0, abs=1e-6)
    torch.testing.assert_close(objective.queues["mm"].negatives(), axis(0, 1))


def test_video_loss_leaves_clips_without_video_out_on_both_sides():
    videos = torch.cat([axis(0, 1, 2), torch.full((1, SIZE), math.nan)])
    objective = TMor(losses=("mv",), video_features=videos, queue_size=8)
    model = objective.prepare(Mirror(temperature=1.0), RUN)
    objective(model, batch_of(axis(1, 2, 5), [-1] * 3, index=[1, 2, 3]))
    objective.after_update(model)
    # Clip 0's negatives are the videos of clips 1 and 2; clip 3 has none and is no negative.
    loss = objective(model, batch_of(axis(0, 5), [-1, -1], index=[0, 3]))["loss"]
    assert float(loss) == pytest.approx(math.log(1 + 2 * math.exp(-1)), rel=1e-5)
    assert float(objective(model, batch_of(axis(5), [-1], index=[3]))["loss"]) == 0


def test_the_loss_is_the_weighted_sum_of_its_parts():
    texts = [axis(c) for c in range(3)]
    objective = TMor(text_features=texts, weights={"mt": 0.25}, text_negatives="classes", queue_size=4)
    model = objective.prepare(Mirror(), RUN)
    views = batch_of(axis(0, 1, 2, 1), [0, 1, 0, 1], index=[0, 1, 0, 1])
    objective(model, views)
    objective.after_update(model)
    found = objective(model, views)
    assert float(found["loss"]) == pytest.approx(float(found["mm"] + 0.25 * found["mt"]), rel=1e-6)


def test_the_printed_denominator_leaves_the_positive_out():
    given = {"text_features": [axis(c) for c in range(4)], "text_negatives": "classes"}
    objective = TMor(losses=("mt",), denominator="printed", **given)
    model = objective.prepare(Mirror(temperature=0.5), RUN)
    loss = objective(model, batch_of(axis(1), [1]))["loss"]
    assert float(loss) == pytest.approx(math.log(3) - 2, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"losses": ("mt",)}, "text_features"),
        ({"losses": ("mm", "mv")}, "video_features"),
        ({"losses": ("xx",)}, "losses must be"),
        ({"losses": ("mm",), "weights": {"mt": 1.0}}, "losses must be"),
        ({"losses": ("mm",), "text_negatives": "all"}, "text_negatives"),
        ({"losses": ("mt",), "text_features": [axis(0), axis(0)[:0]]}, "at least one phrasing"),
    ],
)
def test_options_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TMor(**options)


def test_texts_of_another_size_are_refused_before_training():
    objective = TMor(losses=("mt",), text_features=[torch.ones(1, SIZE + 1)])
    with pytest.raises(ValueError, match="channels"):
        objective.prepare(Mirror(), RUN)


def test_every_loss_moves_what_it_should_and_nothing_else():
    encoder = UnikConfig(num_joints=5, in_channels=2, num_people=1, channels=[8], layout="lac-15")
    sizes = {"projection_size": SIZE, "text_size": 4, "video_size": 3}
    model = TMorModel(TMorConfig(encoder_config=encoder, learn_temperature=True, **sizes)).train()
    objective = TMor(text_features=[torch.randn(2, 4), torch.randn(1, 4)], queue_size=4, text_negatives="classes")
    network = objective.prepare(model, RUN)
    mask = torch.ones(4, 1, 6)
    views = {"keypoints": torch.randn(4, 1, 6, 5, 2), "joint_mask": mask[..., None] > 0, "attention_mask": mask > 0}
    views |= {"labels": torch.tensor([0, 1, 0, 1]), "index": torch.tensor([0, 1, 0, 1]), "seeds": torch.arange(4)}
    for _ in range(2):
        objective(network, views)["loss"].backward()
        objective.after_update(network)
    moved = {name.split(".")[0] for name, value in network.named_parameters() if value.grad is not None}
    assert moved == {"encoder", "motion_projection", "text_projection", "temperature"}
    learns = {name.split(".")[0] for name, value in network.named_parameters() if value.requires_grad}
    assert learns == moved


def test_a_text_that_is_also_true_is_no_negative_but_the_other_way_round_it_is():
    also = torch.tensor([[False, True], [False, False]])
    objective = TMor(
        losses=("mt",), text_features=[axis(0), axis(1)], text_negatives="classes", entailment_mask=also, queue_size=4
    )
    objective.prepare(Mirror(), RUN)
    free = objective(Mirror(), batch_of(axis(0), [0]))["loss"]
    assert float(free) == pytest.approx(0.0, abs=1e-6)
    held = objective(Mirror(), batch_of(axis(1), [1]))["loss"]
    assert float(held) == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)
    with pytest.raises(ValueError, match="entailment_mask must be"):
        TMor(losses=("mt",), text_features=[axis(0)], entailment_mask=also)
