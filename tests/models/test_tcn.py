"""The temporal convolution net: what a pose is described by, and which numbers it does not see."""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError

from motionhub.models.tcn import CHANGE, PLACE, TcnConfig, TcnModel, described, mean_and_maximum


LAYOUT = {"layout": "lac-15", "num_joints": 15}


def poses(frames: int = 9) -> torch.Tensor:
    return torch.randn(2, frames, 15, 2, generator=torch.Generator().manual_seed(0)).double()


def model(**changes) -> TcnModel:
    torch.manual_seed(0)
    return TcnModel(TcnConfig(**LAYOUT, channels=[8, 8], **changes)).double().eval()


@torch.no_grad()
def test_place_and_size_of_a_person_do_not_count():
    net, clips = model(), poses()[:, None]
    moved = 3.7 * clips + torch.tensor([100.0, -20.0], dtype=torch.double)
    torch.testing.assert_close(net(moved).pooler_output, net(clips).pooler_output)


@torch.no_grad()
def test_a_joint_that_was_never_detected_does_not_count_and_one_that_was_at_times_does():
    net, clips = model(), poses()[:, None]
    mask = torch.ones(2, 1, 9, 15, dtype=torch.bool)
    mask[..., 4] = False
    other = clips.clone()
    other[..., 4, :] += 50
    torch.testing.assert_close(net(clips, mask).pooler_output, net(other, mask).pooler_output)
    mask[..., 0, 4] = True
    assert not torch.allclose(net(clips, mask).pooler_output, net(other, mask).pooler_output)


def test_a_frame_is_described_by_places_changes_and_joints():
    points = torch.zeros(1, 2, 15, 2)
    points[:, :, 1, 0] = 1.0  # a joint beside the root
    points[:, 1] += torch.tensor([0.0, 2.0])  # the person rises by two
    found = described(points, torch.ones(1, 2, 15), None, root=0)
    size = 4 * (1 / 15) ** 0.5
    places, changes, joints = found[0].split([32, 32, 15], dim=-1)
    assert places[0, 2].item() == pytest.approx(PLACE / size)
    torch.testing.assert_close(places[:, 30:], PLACE * torch.tensor([[0.0, -1.0], [0.0, 1.0]]) / size)
    torch.testing.assert_close(changes[1, 30:], CHANGE * torch.tensor([0.0, 2.0]) / size)
    assert not changes[0].any() and not changes[1, :30].any() and bool((joints == 1).all())


def test_without_the_root_the_middle_is_the_mean_of_the_joints_that_are_there():
    points, seen = poses(3)[:1], torch.ones(1, 3, 15).double()
    seen[..., 0] = 0
    found = described(points, seen, None, root=0)[0, :, :30].unflatten(1, (15, 2))
    torch.testing.assert_close(found[:, 1:].mean(1), torch.zeros(3, 2).double(), atol=1e-12, rtol=0)
    assert not found[:, 0].any()


@torch.no_grad()
def test_one_frame_one_joint_and_a_person_without_joints_are_finite():
    net, one = model(), poses(1)[:, None]
    for seen in ([], [0], [7]):
        mask = torch.zeros(2, 1, 1, 15, dtype=torch.bool)
        mask[..., seen] = True
        assert bool(net(one, mask).pooler_output.isfinite().all())


def test_the_maximum_is_of_frames_that_are_none_of_padding():
    features = torch.tensor([[[-3.0], [-1.0], [0.0]], [[5.0], [5.0], [5.0]]])
    valid = torch.tensor([[True, True, False], [False, False, False]])
    zeroed = features * valid[..., None]
    torch.testing.assert_close(mean_and_maximum(zeroed, valid), torch.tensor([[-2.0, -1.0], [0.0, 0.0]]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"channels": [8, 16]}, "one width"), ({"strides": [2, 1]}, "stride 1"), ({"num_joints": 17}, "has 15 joints")],
)
def test_sizes_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(StrictDataclassClassValidationError, match=message):
        TcnConfig(**{**LAYOUT, "channels": [8, 8], **changes})
