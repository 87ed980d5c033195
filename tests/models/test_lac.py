"""LAC's generator: the official numbers, composition person by person, walks along one direction, clear errors."""

import numpy as np
import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from official_unik import probe

from motionhub.models.lac import LacConfig, LacModel


# The official state dict (SPECS 5.1): name -> shape, and where it belongs.
OFFICIAL = {
    "mot_encoder.v": (160, 160),
    **{
        f"mot_encoder.model.{i}.weight": shape
        for i, shape in {1: (64, 30, 8), 4: (96, 64, 8), 7: (160, 96, 8)}.items()
    },
    **{f"mot_encoder.model.{i}.bias": (size,) for i, size in {1: 64, 4: 96, 7: 160}.items()},
    **{
        f"decoder.model.{i}.weight": shape for i, shape in {2: (128, 160, 7), 7: (64, 128, 7), 12: (30, 64, 7)}.items()
    },
    **{f"decoder.model.{i}.bias": (size,) for i, size in {2: 128, 7: 64, 12: 30}.items()},
}


def official_weights():
    """SPECS section 0; the dictionary has a rule of its own."""
    weights = probe(OFFICIAL)
    row = torch.arange(1, 161, dtype=torch.float64)
    weights["mot_encoder.v"] = torch.eye(160) + 0.1 * torch.sin(row[:, None] * row * 1.234).float()
    return weights


def filled(signs="householder"):
    model = LacModel(LacConfig(basis_signs=signs)).eval()
    weights = official_weights()
    places = {1: 0, 4: 1, 7: 2, 2: 0, 12: 2}
    state = {"basis.directions": weights.pop("mot_encoder.v")}
    for name, value in weights.items():
        module, _, index, leaf = name.split(".")
        layer = 1 if (module, index) == ("decoder", "7") else places[int(index)]
        state[f"{module.replace('mot_encoder', 'encoder')}.convs.{layer}.{leaf}"] = value
    model.load_state_dict(state)
    return model


def probe_motion():
    position = torch.arange(30 * 64, dtype=torch.float64)
    return (position.mul(0.13).cos() + 0.3 * position.mul(0.017).sin()).float().view(1, 30, 64)


def small(seed=0, **sizes):
    torch.manual_seed(seed)
    options = {"encoder_channels": [8, 8, 12], "decoder_channels": [8, 8], "num_motion_directions": 7, "dropout": 0.0}
    return LacModel(LacConfig(**{**options, "num_static_directions": 5, **sizes})).eval().double()


def clip(frames=40, seed=0, people=1, batch=1, mask=None, dims=2):
    generator = torch.Generator().manual_seed(seed)
    keypoints = torch.randn(batch, people, frames, 15, dims, generator=generator, dtype=torch.float64)
    return {"keypoints": keypoints, "attention_mask": mask}


@torch.no_grad()
def test_codes_and_outputs_are_the_official_ones(shared):
    golden, model = np.load(shared("golden/lac_generator.npz")), filled()
    first = probe_motion()
    second = first.flip(-1)
    codes, other = model.encode(first), model.encode(second)
    np.testing.assert_allclose(codes.motion, golden["m"], atol=1e-6)
    np.testing.assert_allclose(codes.static.expand(-1, -1, 8), golden["b"], atol=1e-6)
    np.testing.assert_allclose(codes.motion_magnitudes, golden["am"], atol=1e-5)
    np.testing.assert_allclose(codes.static_magnitudes, golden["ab"], atol=1e-5)
    np.testing.assert_allclose(model.mix([first, second], static=first), golden["transfer"], atol=1e-5)
    np.testing.assert_allclose(model.decode(codes.motion, codes.static), golden["out0"], atol=1e-5)
    np.testing.assert_allclose(model.decode(other.motion, other.static), golden["out1"], atol=1e-5)
    np.testing.assert_allclose(model.transfer(first, second), golden["out2"], atol=1e-5)
    np.testing.assert_allclose(model.transfer(second, first), golden["out3"], atol=1e-5)


@torch.no_grad()
def test_printed_probe_values_hold_without_the_golden_file():
    codes = filled().encode(probe_motion())
    assert float(codes.motion.sum()) == pytest.approx(28.358649, abs=1e-3)
    assert float(codes.static.expand(-1, -1, 8).sum()) == pytest.approx(2.498206, abs=1e-4)
    assert float(codes.motion_magnitudes.sum()) == pytest.approx(-11.992067, abs=1e-3)
    assert float(codes.static_magnitudes.sum()) == pytest.approx(-0.054217, abs=1e-4)


@torch.no_grad()
def test_signs_of_the_basis_change_magnitudes_by_signs_and_no_motion():
    ours, official, motion = filled("positive"), filled(), probe_motion()
    one, two = ours.encode(motion), official.encode(motion)
    torch.testing.assert_close(one.motion_magnitudes.abs(), two.motion_magnitudes.abs(), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(one.motion_magnitudes, two.motion_magnitudes, atol=1e-3)
    torch.testing.assert_close(ours.transfer(motion, motion), official.transfer(motion, motion), atol=1e-6, rtol=1e-5)
    along = ours.basis()
    assert bool(((along * ours.basis.directions).sum(0) > 0).all())  # each along its own learned vector


def test_parameters_are_the_official_ones():
    with torch.device("meta"):
        assert LacModel(LacConfig()).num_parameters() == 427_678
        assert LacModel(LacConfig(num_joints=17)).num_parameters() == 431_522


@torch.no_grad()
def test_motion_and_static_parts_are_orthogonal_and_encoding_drops_what_is_neither():
    codes = small().encode(clip()["keypoints"][0, 0].flatten(1).T[None])
    assert float((codes.motion * codes.static).sum(1).abs().max()) < 1e-12
    still = torch.ones(1, 30, 64, dtype=torch.float64)
    model = small()
    whole = model.encoder(still)
    parts = model.encode(still)
    # A motionless clip away from the border has nothing to drop.
    torch.testing.assert_close((parts.motion + parts.static)[..., 4], whole[..., 4], atol=0.05, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize(
    ("frames", "dims"), [(1, 2), (7, 2), (8, 2), (9, 2), (16, 2), (33, 2), (1, 3), (9, 3), (33, 3)]
)
def test_any_length_comes_out_as_long_as_it_went_in(frames, dims):
    model, source, target = small(in_channels=dims), clip(frames, 1, dims=dims), clip(20, 2, dims=dims)
    result = model.retarget(source, target)
    assert result.keypoints.shape == (1, 1, frames, 15, dims)
    assert result.last_hidden_state.shape == (1, 1, -(-frames // 8), 1, 12)
    wanted = max(-(-frames // 8) * 8, 16)
    longer = torch.cat(
        [source["keypoints"], source["keypoints"][:, :, -1:].expand(-1, -1, wanted - frames, -1, -1)], 2
    )
    again = model.retarget({"keypoints": longer}, target).keypoints[:, :, :frames]
    torch.testing.assert_close(result.keypoints, again, rtol=0, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("dims", [2, 3])
def test_several_people_of_ragged_clips_are_composed_as_if_each_were_alone(dims):
    """What the official composition gets wrong for two people."""
    model = small(in_channels=dims)
    motions = [clip(frames, seed, people=2, batch=2, dims=dims) for seed, frames in enumerate((40, 56, 30))]
    for seed, motion in enumerate(motions):
        mask = torch.ones(motion["keypoints"].shape[:3], dtype=torch.bool)
        mask[0, 1, 17 + seed :] = False
        mask[1, 0, 23 - seed :] = False
        motion["attention_mask"] = mask
        motion["keypoints"] = motion["keypoints"].masked_fill(~mask[..., None, None], float("nan"))
    static = clip(25, 9, people=2, batch=2, dims=dims)
    together = model.compose(motions, static_of=static).keypoints
    assert together.shape == (2, 2, 30, 15, dims)
    for row in range(2):
        for person in range(2):
            own = [each["keypoints"][row, person][each["attention_mask"][row, person]][None, None] for each in motions]
            body = static["keypoints"][row : row + 1, person : person + 1]
            alone = model.compose([{"keypoints": one} for one in own], static_of={"keypoints": body}).keypoints
            frames = min(one.shape[2] for one in own)
            torch.testing.assert_close(together[row, person, :frames], alone[0, 0], rtol=0, atol=1e-12)
            assert bool((together[row, person, frames:] == 0).all())


@torch.no_grad()
@pytest.mark.parametrize("dims", [2, 3])
def test_composition_is_the_mean_of_motion_magnitudes_with_one_static(dims):
    model, motions = small(in_channels=dims), [clip(32, seed, dims=dims) for seed in range(3)]
    rows = [motion["keypoints"][0, 0].flatten(1).T[None] for motion in motions]
    codes = [model.encode(row) for row in rows]
    mean = sum(code.motion for code in codes) / 3
    expected = model.decode(mean, codes[1].static)[0].T.unflatten(-1, (15, dims))
    torch.testing.assert_close(model.compose(motions, static_of=1).keypoints[0, 0], expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(model.mix(rows, static=rows[1])[0].T.unflatten(-1, (15, dims)), expected)
    alone = model.compose([motions[0]] * 3).keypoints
    torch.testing.assert_close(alone, model(**motions[0]).keypoints, rtol=0, atol=1e-12)
    own = model.compose(motions[:1], static_of=motions[2]).keypoints
    torch.testing.assert_close(own, model.retarget(motions[0], motions[2]).keypoints)


@torch.no_grad()
@pytest.mark.parametrize("direction", [0, 6, 7, 11])
def test_a_walk_of_zero_is_the_reconstruction_and_steps_add_to_one_magnitude(direction):
    model, motion = small(), clip(24, people=2)
    steps = model.walk(motion, direction, [-1.5, 0.0, 2.0])
    torch.testing.assert_close(steps[1], model(**motion).keypoints, rtol=0, atol=1e-12)
    row = motion["keypoints"][0, 1].flatten(1).T[None]
    codes, column = model.encode(row), model.basis()[:, direction]
    by_hand = model.decode(codes.motion + 2.0 * column[:, None], codes.static)[0].T.unflatten(-1, (15, 2))
    torch.testing.assert_close(steps[2][0, 1], by_hand, rtol=0, atol=1e-12)


@torch.no_grad()
def test_nobody_gives_zeros_and_everything_missing_stays_finite():
    model = small()
    empty = clip(20, mask=torch.zeros(1, 1, 20, dtype=torch.bool))
    assert bool((model(**empty).keypoints == 0).all())
    filled_in = {"keypoints": torch.zeros(1, 1, 20, 15, 2, dtype=torch.float64)}
    assert bool(model(**filled_in).keypoints.isfinite().all())


def test_wrong_calls_say_what_is_right():
    model = small()
    with pytest.raises(ValueError, match="one or more"):
        model.compose([])
    with pytest.raises(ValueError, match="static_of must be"):
        model.compose([clip()], static_of=1)
    with pytest.raises(ValueError, match="motion 1 has no person"):
        model.compose([clip(), clip(mask=torch.zeros(1, 1, 40, dtype=torch.bool))])
    with pytest.raises(ValueError, match="static_of has no person"):
        model.retarget(clip(), clip(mask=torch.zeros(1, 1, 40, dtype=torch.bool)))
    with pytest.raises(ValueError, match="direction must be"):
        model.walk(clip(), 12, [1.0])
    with pytest.raises(ValueError, match="multiple of 8 and at least 16"):
        model.encode(torch.zeros(1, 30, 20))
    with pytest.raises(ValueError, match="as many clips"):
        model.compose([clip(), clip(batch=2)])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_motion_direction": 8}, "did you mean 'num_motion_directions'"),
        ({"decoder_channels": [8]}, "one decoder layer per encoder layer"),
        ({"num_motion_directions": 129}, "at most 160"),
        ({"dropout": 1.0}, "dropout"),
        ({"num_joints": 0}, "at least 1"),
    ],
)
def test_configs_that_cannot_be(fields, message):
    with pytest.raises((ValueError, StrictDataclassClassValidationError), match=message):
        LacConfig(**fields)
