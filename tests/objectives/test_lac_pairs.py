"""LAC's generator training: rows as the processors make them, the loss by hand, what has no influence."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import motionhub
from motionhub.augment.view_params import ViewParams, ViewRanges, draw_views
from motionhub.data.synthetic.generate import generate
from motionhub.data.views.cameras import Camera, seen_by
from motionhub.models.lac import LacConfig, LacModel
from motionhub.objectives.lac import JointRows, LacPairs, VelocityRows
from motionhub.processing.retargeting import RetargetProcessor
from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.skeletons.bodies import GROUPS, with_bone_lengths


LAYOUT = motionhub.get_layout("lac-15")
RUN = SimpleNamespace(num_clips=3, fingerprint="toy", updates_per_epoch=1, epochs=1, seed=1)
MEAN = [[1.0, -40.0 - joint] for joint in range(15)]
STD = [[2.0 + joint, 3.0] for joint in range(15)]


def clips(frames=24):
    return [
        generate(action, seed=seed, num_frames=frames) for seed, action in enumerate(("walk around", "wave", "squat"))
    ]


def batch_of(sequences, **changes):
    processor = SkeletonProcessor(
        layout="lac-15", num_dims=3, num_people=1, normalization="centre", centring="first-frame"
    )
    batch = processor([sequence.person(0) for sequence in sequences])
    return {**batch, "index": torch.arange(len(sequences)), "seeds": torch.arange(len(sequences)) + 7, **changes}


def made(rows=None, in_channels=2, **options):
    torch.manual_seed(0)
    sizes = {"encoder_channels": [8, 8, 12], "decoder_channels": [8, 8], "dropout": 0.0, "in_channels": in_channels}
    config = LacConfig(num_motion_directions=7, num_static_directions=5, **sizes)
    objective = LacPairs(LAYOUT, rows=rows, **options)
    return objective, objective.prepare(LacModel(config), RUN)


def one_look():
    factors = torch.linspace(0.8, 1.3, len(GROUPS))[None]
    camera = Camera(azimuth=35, elevation=15, roll=5)
    angles = torch.deg2rad(torch.tensor([[camera.azimuth, camera.elevation, camera.roll]]))
    return ViewParams(factors, angles), dict(zip(GROUPS, factors[0].tolist(), strict=True)), camera


@pytest.mark.parametrize("kind", ["joints", "velocity"])
def test_rows_are_what_the_processor_makes_of_the_same_picture(kind):
    """Training sees what use will see."""
    looks, factors, camera = one_look()
    clip = motionhub.convert_layout(clips()[0].person(0), "lac-15")
    picture = seen_by(with_bone_lengths(clip, factors), camera)
    if kind == "joints":
        rows = JointRows(LAYOUT)
        processor = SkeletonProcessor(layout="lac-15", num_people=1, normalization="centre", scale="extent")
    else:
        rows = VelocityRows(LAYOUT, MEAN, STD)
        processor = RetargetProcessor(layout="lac-15", mean=MEAN, std=STD, scale="body", smoothing=0.0)
    objective, _ = made(rows)
    ours, known = objective._seen(batch_of([clip]), looks)
    expected = processor(picture)["keypoints"]
    np.testing.assert_allclose(ours.numpy(), expected.numpy(), atol=2e-4)
    assert bool(known.all())


@torch.no_grad()
@pytest.mark.parametrize("dims", [2, 3])
def test_the_loss_is_the_mean_squared_error_of_own_and_crossed_motions(dims):
    objective, network = made(in_channels=dims)
    batch = batch_of(clips())
    losses = objective(network.eval(), batch)
    looks = draw_views(batch["seeds"], ViewRanges())
    model, total = network.generator, {"self": 0.0, "target": 0.0}
    rows = [
        objective._seen(batch, looks.of(torch.tensor([look] * 3)))[0].flatten(3).squeeze(1).mT for look in range(3)
    ]
    for clip in range(3):
        partner = (clip + 1) % 3
        own, body, wanted = rows[clip][clip, None], rows[partner][partner, None], rows[partner][clip, None]
        total["self"] += float((model.transfer(own, own) - own).square().mean()) / 3
        total["target"] += float((model.transfer(own, body) - wanted).square().mean()) / 3
    assert float(losses["self"]) == pytest.approx(total["self"], rel=1e-4)
    assert float(losses["target"]) == pytest.approx(total["target"], rel=1e-4)
    assert float(losses["loss"]) == pytest.approx(sum(total.values()), rel=1e-4)


@torch.no_grad()
def test_triplets_compare_whole_codes_as_the_code_does():
    objective, network = made(triplet_weight=0.5, margin=2.0)
    batch = batch_of(clips())
    losses = objective(network.eval(), batch)
    looks, model = draw_views(batch["seeds"], ViewRanges()), network.generator
    partner = torch.tensor([1, 2, 0])
    one, two = (
        model.encode(objective._seen(batch, chosen)[0].flatten(3).squeeze(1).mT)
        for chosen in (looks, looks.of(partner))
    )
    expected = {"triplet_motion": 0.0, "triplet_static": 0.0}
    for clip in range(3):
        other = int(partner[clip])
        near = (two.motion[clip] - one.motion[clip]).norm() - (two.motion[clip] - one.motion[other]).norm()
        expected["triplet_motion"] += float((near + 2).clamp(min=0)) / 3
        length = 3**0.5  # 24 frames are three coarse ones
        near = (two.static[clip] - one.static[other]).norm() - (two.static[clip] - one.static[clip]).norm()
        expected["triplet_static"] += float((length * near + 2).clamp(min=0)) / 3
    for name, value in expected.items():
        assert float(losses[name]) == pytest.approx(value, rel=1e-4)
    triplets = sum(expected.values())
    assert float(losses["loss"]) == pytest.approx(float(losses["self"] + losses["target"]) + 0.5 * triplets, rel=1e-4)


@pytest.mark.parametrize(("kind", "dims"), [("joints", 2), ("joints", 3), ("velocity", 2)])
def test_padding_and_missing_joints_have_no_influence_and_everything_learns(kind, dims):
    rows = None if kind == "joints" else VelocityRows(LAYOUT, MEAN, STD)
    objective, network = made(rows, dims)
    batch = batch_of(clips(17))
    batch["joint_mask"][0, 0, 5:9, LAYOUT.index("left_elbow")] = False
    batch["attention_mask"][1, 0, 12:] = False
    noisy = {**batch, "keypoints": batch["keypoints"].clone()}
    noisy["keypoints"][0, 0, 5:9, LAYOUT.index("left_elbow")] += 3
    noisy["keypoints"][1, 0, 12:] += 5
    clean, other = objective(network.eval(), batch), objective(network, noisy)
    assert float(clean["loss"]) == pytest.approx(float(other["loss"]), rel=1e-5)
    clean["loss"].backward()
    assert all(bool(weight.grad.isfinite().all()) for weight in network.parameters())
    assert all(bool(weight.grad.abs().sum() > 0) for weight in network.parameters())


def test_a_generator_learns_to_exchange_bodies_and_views():
    objective, network = made(ranges=ViewRanges(azimuth=40))
    batch = batch_of(clips())
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    first = float(objective(network.eval(), batch)["target"])
    for _ in range(80):
        optimizer.zero_grad()
        objective(network.train(), batch)["loss"].backward()
        optimizer.step()
    assert float(objective(network.eval(), batch)["target"]) < 0.4 * first


@pytest.mark.parametrize("dims", [2, 3])
def test_clips_of_one_frame_are_learned_from(dims):
    objective, network = made(in_channels=dims, triplet_weight=1.0)
    losses = objective(network, batch_of(clips(1)))
    losses["loss"].backward()
    assert all(bool(value.isfinite()) for value in losses.values())
    assert all(bool(weight.grad.isfinite().all()) for weight in network.parameters())


def test_one_clip_two_people_and_another_layout():
    objective, network = made()
    with pytest.raises(ValueError, match="two or more clips"):
        objective(network, batch_of(clips()[:1]))
    batch = batch_of(clips())
    two = {name: batch[name].repeat_interleave(2, 1) for name in ("keypoints", "joint_mask", "attention_mask")}
    with pytest.raises(ValueError, match="num_people=1"):
        objective(network, {**batch, **two})
    with pytest.raises(ValueError, match="layout of its joints"):
        LacPairs(motionhub.get_layout("ntu-25")).prepare(network.generator, RUN)
    with pytest.raises(ValueError, match="of 2 coordinates"):
        made(VelocityRows(LAYOUT, MEAN, STD), in_channels=3)
    with pytest.raises(ValueError, match="without its root"):
        VelocityRows(LAYOUT, MEAN[:3], STD)
    with pytest.raises(ValueError, match="0 or more"):
        LacPairs(LAYOUT, triplet_weight=-1)
