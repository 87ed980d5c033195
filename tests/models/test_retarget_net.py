"""RetargetNet: what the codes are allowed to see, lengths that the network itself does not take, clear errors."""

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError

from motionhub.models.retarget_net import RetargetNetConfig, RetargetNetModel, StaticEncoder


VARIANTS = ("view", "skeleton", "full")
# Official counts (SPECS 6.1).
PARAMETERS = {"view": 548_030, "skeleton": 444_814, "full": 449_206}
each_variant = pytest.mark.parametrize("variant", VARIANTS)


def net(variant="view", seed=0):
    torch.manual_seed(seed)
    return RetargetNetModel(RetargetNetConfig(variant=variant)).eval()


def network_tensor(frames=32, seed=0, batch=1):
    return torch.randn(batch, 30, frames, generator=torch.Generator().manual_seed(seed))


def clip(frames=40, seed=0, people=1, mask=None):
    keypoints = torch.randn(1, people, frames, 15, 2, generator=torch.Generator().manual_seed(seed))
    return {"keypoints": keypoints, "attention_mask": mask}


@pytest.mark.parametrize(("variant", "expected"), PARAMETERS.items())
def test_parameters_are_the_official_ones(variant, expected):
    with torch.device("meta"):
        assert RetargetNetModel(RetargetNetConfig(variant=variant)).num_parameters() == expected


@torch.no_grad()
@each_variant
def test_code_shapes_are_those_of_the_paper(variant):
    model, motion = net(variant), network_tensor(48)
    assert model.encode_motion(motion).shape == (1, 128, 6)
    assert model.encode_static(motion).shape == (1, {"view": 32, "skeleton": 64, "full": 24}[variant], 1)
    assert model.decode(model.encode_motion(motion), model.encode_static(motion)).shape == (1, 30, 48)


@torch.no_grad()
@each_variant
def test_static_codes_do_not_see_the_velocity(variant):
    motion = network_tensor()
    moved = motion.clone()
    moved[:, -2:] += 5
    model = net(variant)
    assert torch.equal(model.encode_static(motion), model.encode_static(moved))
    assert not torch.equal(model.encode_motion(motion), model.encode_motion(moved))


@torch.no_grad()
def test_a_constant_pose_decides_max_and_average_pooling_alike_but_a_moving_one_does_not():
    torch.manual_seed(0)
    highest, average = StaticEncoder(4, [6], "max"), StaticEncoder(4, [6], "mean")
    average.load_state_dict(highest.state_dict())
    still = torch.ones(1, 4, 16)
    torch.testing.assert_close(highest(still), average(still))
    moving = torch.randn(1, 4, 16)
    assert bool((highest(moving) > average(moving)).all())


@torch.no_grad()
@each_variant
def test_transfer_onto_oneself_is_reconstruction(variant):
    model, motion = net(variant), network_tensor(64)
    codes = model.encode_motion(motion), model.encode_static(motion)
    assert torch.equal(model.transfer(motion, motion), model.decode(*codes))


@torch.no_grad()
def test_full_takes_body_and_view_from_different_clips_and_keeps_its_own_view_without():
    model = net("full")
    motion, body, view = (network_tensor(seed=seed) for seed in range(3))
    code = model.encode_static(body, view)
    assert torch.equal(code[:, :16], model.encode_static(body)[:, :16])
    assert torch.equal(code[:, 16:], model.encode_static(view)[:, 16:])
    assert torch.equal(model.transfer(motion, body), model.transfer(motion, body, motion))


@torch.no_grad()
@each_variant
def test_retarget_of_a_fitting_length_is_transfer(variant):
    model, source, target = net(variant), clip(64, 1), clip(40, 2)
    rows = [item["keypoints"][0, 0].flatten(1).T[None] for item in (source, target)]
    expected = model.transfer(*rows)[0].T.unflatten(-1, (15, 2))
    torch.testing.assert_close(model.retarget(source, target).keypoints[0, 0], expected, rtol=0, atol=1e-6)


@torch.no_grad()
@each_variant
@pytest.mark.parametrize("frames", [1, 7, 8, 9, 31, 121])
def test_any_length_comes_out_as_long_as_it_went_in_and_as_the_last_frame_repeated(variant, frames):
    model = net(variant)
    source, target = clip(frames, 1), clip(3, 2)
    longer = torch.cat([source["keypoints"], source["keypoints"][:, :, -1:].expand(-1, -1, 160 - frames, -1, -1)], 2)
    result = model.retarget(source, target).keypoints
    assert result.shape == (1, 1, frames, 15, 2)
    # What is repeated up to a multiple of eight does not tell from what is repeated further, but for the border.
    wanted = model.retarget({"keypoints": longer[:, :, : max(-(-frames // 8) * 8, model.config.min_frames)]}, target)
    torch.testing.assert_close(result, wanted.keypoints[:, :, :frames], rtol=0, atol=1e-6)


@torch.no_grad()
@each_variant
def test_the_static_code_of_a_target_does_not_depend_on_its_order_in_a_ragged_batch(variant):
    model = net(variant).double()
    sources, targets = torch.randn(2, 1, 50, 15, 2).double(), torch.randn(2, 1, 70, 15, 2).double()
    masks = [torch.ones(2, 1, frames, dtype=torch.bool) for frames in (50, 70)]
    masks[0][0, :, 20:] = False
    masks[1][1, :, 33:] = False
    views = {"view": {"keypoints": targets, "attention_mask": masks[1]}} if variant == "full" else {}
    inputs = [{"keypoints": x, "attention_mask": mask} for x, mask in zip((sources, targets), masks, strict=True)]
    together = model.retarget(*inputs, **views).keypoints
    for row, (source_frames, target_frames) in enumerate(((20, 70), (50, 33))):
        target = {"keypoints": targets[row : row + 1, :, :target_frames]}
        own_views = {"view": target} if views else {}
        alone = model.retarget({"keypoints": sources[row : row + 1, :, :source_frames]}, target, **own_views)
        torch.testing.assert_close(together[row, :, :source_frames], alone.keypoints[0], rtol=0, atol=1e-12)
    assert bool((together[0, :, 20:] == 0).all())


@torch.no_grad()
def test_one_target_serves_several_people_and_several_serve_one_each():
    model = net()
    source, target = clip(40, 1, people=2), clip(40, 2, people=2)
    one = {"keypoints": target["keypoints"][:, :1]}
    each, shared = model.retarget(source, target).keypoints, model.retarget(source, one).keypoints
    torch.testing.assert_close(each[:, 0], shared[:, 0])
    assert not torch.allclose(each[:, 1], shared[:, 1])


@each_variant
def test_the_initialisation_is_that_of_pytorch(variant):
    model = net(variant)
    for module in model.modules():
        if isinstance(module, torch.nn.Conv1d):
            bound = module.weight[0].numel() ** -0.5
            assert float(module.weight.detach().abs().max()) <= bound
            assert float(module.weight.detach().std()) == pytest.approx(bound / 3**0.5, rel=0.2)


@pytest.mark.parametrize(
    ("variant", "shape"), [("view", (1, 30, 24)), ("skeleton", (1, 30, 20)), ("full", (1, 28, 32)), ("view", (30, 32))]
)
def test_network_tensors_that_do_not_fit_are_reported(variant, shape):
    with pytest.raises(ValueError, match="multiple of 8 and at least"):
        net(variant).transfer(torch.zeros(shape), torch.zeros(shape))


def test_a_view_for_a_variant_without_one_and_a_target_without_anybody():
    model = net("skeleton")
    with pytest.raises(ValueError, match="variant 'full'"):
        model.retarget(clip(), clip(), clip())
    with pytest.raises(ValueError, match="variant 'full'"):
        model.transfer(network_tensor(), network_tensor(), network_tensor())
    with pytest.raises(ValueError, match="has no person"):
        model.retarget(clip(), clip(mask=torch.zeros(1, 1, 40, dtype=torch.bool)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"varient": "full"}, "did you mean 'variant'"),
        ({"decoder_channels": [8]}, "one decoder layer per motion layer"),
        ({"dropout": 1.0}, "dropout"),
        ({"num_joints": 1}, "at least 2"),
    ],
)
def test_configs_that_cannot_be(fields, message):
    with pytest.raises((ValueError, StrictDataclassClassValidationError), match=message):
        RetargetNetConfig(**fields)
