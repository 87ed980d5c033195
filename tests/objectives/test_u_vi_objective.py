"""U-VI's losses in closed form, where rotations come from, and a run of the one trainer."""

import math

import pytest
import torch

from motionhub.data.synthetic.generate import generate
from motionhub.data.views.pairs import PairRanges
from motionhub.data.views.view_pairs import DrawnTake, ViewPairDataset, collate_view_pairs
from motionhub.models.u_vi import UViConfig, UViModel
from motionhub.objectives.u_vi import UVi, both_views, equivariance_loss
from motionhub.processing.posture_images import PostureImageProcessor
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.trainer import train


SMALL = {
    "image_size": 64, "in_channels": 1, "num_points": 4, "channels": [4, 4, 4], "pose_hidden_sizes": [8, 8],
    "view_channels": [4, 4], "view_hidden_size": 8, "dropout": 0.0,
}  # fmt: skip


class Recorder(torch.nn.Module):
    """Stands for the network: canonical points are the image's mean, images are drawn as asked."""

    """Stands for the network: canonical points are the image's mean, images are drawn as requested."""

    def __init__(self, **made):
        super().__init__()
        self.made = made

    def forward(self, views, shifted, other, source):
        self.source = source
        points = torch.zeros(len(views), 2, 4, 3)
        made = {"own": views, "swapped": views, "moved": shifted, "points": points, "moved_points": points}
        return {**made, "canonical": points, **self.made}


def batch(size=2):
    views, shifted, other = torch.rand(3, size, 2, 1, 8, 8, generator=torch.Generator().manual_seed(0)).unbind(0)
    return {"views": views, "shifted": shifted, "other": other, "shift": torch.zeros(size, 2, 2),
            "seeds": torch.arange(size)}  # fmt: skip


def test_both_views_adds_the_mean_squared_errors():
    drawn, images = torch.zeros(3, 2, 1, 4, 4), torch.zeros(3, 2, 1, 4, 4)
    images[:, 0], images[:, 1] = 1.0, 2.0
    assert both_views(drawn, images) == 1.0 + 4.0


def test_points_that_move_with_the_image_have_no_equivariance_loss():
    points = torch.rand(2, 2, 5, 3)
    shift = torch.tensor([[[3.0, 0.0], [0.0, -2.0]]] * 2)
    moved = points.clone()
    moved[:, 0, :, 0] += 3
    moved[:, 1, :, 1] -= 2
    assert equivariance_loss(points, moved, shift) < 1e-12
    # Staying where they were costs 3^2 of x in the first view and 2^2 of y in the second, a third of the coordinates.
    torch.testing.assert_close(equivariance_loss(points, points, shift), torch.tensor((9 + 4) / 3))


def test_every_loss_counts_with_its_weight():
    one = batch()
    wrong = Recorder(swapped=one["views"] + 1, own=one["views"] + 2, moved_points=torch.full((2, 2, 4, 3), 3.0))
    losses = UVi()(wrong, one)
    assert {name: round(float(losses[name]), 4) for name in ("invariance", "reconstruction", "equivariance")} == {
        "invariance": 2.0, "reconstruction": 8.0, "equivariance": 18.0,
    }  # fmt: skip
    torch.testing.assert_close(losses["loss"], torch.tensor(2.0 + 8.0 + 0.001 * 18.0))
    without = UVi(invariance_weight=0, equivariance_weight=0)(wrong, one)
    torch.testing.assert_close(without["loss"], torch.tensor(8.0))


def test_half_of_the_rotations_come_from_the_other_moment_and_seeds_decide():
    sources = UVi().draw_sources(torch.arange(500))
    assert set(sources.flatten().tolist()) == {0, 1} and abs(float(sources.float().mean()) - 0.5) < 0.05
    assert torch.equal(sources, UVi().draw_sources(torch.arange(500)))
    assert not torch.equal(sources[:, 0], sources[:, 1])
    drawn = {tuple(UVi(rotation_source="code").draw_sources(torch.tensor([seed]))[0].tolist()) for seed in range(30)}
    assert drawn == {(1, 1), (0, 2), (2, 0)}


@torch.no_grad()
@pytest.mark.parametrize("source", [0, 1, 2])
def test_the_network_swaps_postures_and_takes_the_given_rotation(source):
    torch.manual_seed(0)
    model = UViModel(UViConfig(**SMALL)).eval()
    network = UVi().prepare(model, None).eval()
    views, shifted, other = torch.rand(3, 2, 2, 1, 64, 64).unbind(0)
    made = network(views, shifted, other, torch.full((2, 2), source))
    turned = (views, other, shifted)[source]
    for view in (0, 1):
        rotation = model(turned[:, view]).rotation
        own, across = model(views[:, view]), model(views[:, 1 - view])
        points = model.seen_by(own.pose, rotation, own.translation)
        torch.testing.assert_close(made["points"][:, view], points, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(made["own"][:, view], model.decoder(points), atol=1e-5, rtol=1e-4)
        swapped = model.decoder(model.seen_by(across.pose, rotation, own.translation))
        torch.testing.assert_close(made["swapped"][:, view], swapped, atol=1e-5, rtol=1e-4)


def takes(count=3):
    processor = PostureImageProcessor(depth_unit=1.0, image_size=64, in_channels=1)
    ranges = PairRanges(azimuth=90, elevation=10)
    walks = [generate("walk around", seed=seed, num_frames=20) for seed in range(count)]
    return [DrawnTake(f"walk {seed}", walk, processor.prepare, ranges) for seed, walk in enumerate(walks)]


def test_items_depend_on_seed_epoch_and_row_alone():
    first, again = ViewPairDataset(takes(), seed=1), ViewPairDataset(takes(), seed=1)
    item, same = first[1], again[1]
    assert all(torch.equal(item[name], same[name]) for name in item)
    again.set_epoch(1)
    assert not torch.equal(item["views"], again[1]["views"])
    assert first.fingerprint() == again.fingerprint() != ViewPairDataset(takes(2)).fingerprint()
    largest = float(item["shift"].abs().max())
    assert 1 <= largest <= 6 and all((row == 0).sum() == 1 for row in item["shift"])


def test_a_run_of_the_trainer_lowers_the_loss_and_leaves_the_model(tmp_path):
    torch.manual_seed(0)
    recipe = TrainingRecipe(output_dir=str(tmp_path), epochs=8, batch_size=3, optimizer="adamw", learning_rate=2e-3,
                            weight_decay=0.0, schedule="cosine", log_updates=1, cpu=True, drop_last=True)  # fmt: skip
    model, pairs = UViModel(UViConfig(**SMALL)), ViewPairDataset(takes(), moments=2)
    result = train(model, None, pairs, None, recipe, objective=UVi(), collate=collate_view_pairs)
    assert result.steps == 16
    lines = [line for line in (tmp_path / "log.jsonl").read_text().splitlines() if '"invariance"' in line]
    losses = [float(line.split('"loss":')[1].split(",")[0].strip("} ")) for line in lines]
    assert losses[-1] < losses[0] and all(math.isfinite(loss) for loss in losses)
    assert UViModel.from_pretrained(result.last_dir).config.num_points == 4


def test_wrong_options_are_refused():
    with pytest.raises(ValueError, match="one above 0"):
        UVi(invariance_weight=0, equivariance_weight=0, reconstruction_weight=0)
    with pytest.raises(ValueError, match="rotation_source"):
        UVi(rotation_source="own")
