"""ViA: the official encoder's numbers, the algebra of the decomposition, any length and people, one encoder."""

import numpy as np
import pytest
import torch
from helpers import load_script
from huggingface_hub.errors import StrictDataclassClassValidationError
from official_unik import probe_input, to_keypoints
from official_via import official_entries
from transformers import AutoModel, pipeline

import motionhub
from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikModel
from motionhub.models.via import ViaConfig, ViaForActionClassification, ViaForMotionRetargeting, ViaModel
from motionhub.processing.skeleton import SkeletonProcessor


conversion = load_script("conversion/via.py")


def small(model_class=ViaForMotionRetargeting, directions=3, people=2, seed=0, **options):
    """Ten times smaller, weights away from their special initial values."""
    torch.manual_seed(seed)
    encoder = UnikConfig(num_joints=5, num_people=people, channels=[8, 16], strides=[2, 2], layout="lac-15")
    model = model_class(
        ViaConfig(encoder_config=encoder, num_directions=directions, decoder_channels=[8, 8], **options)
    )
    for parameter in model.parameters():
        parameter.data.add_(torch.rand_like(parameter) * 0.1)
    return model.eval()


def clips(*shape, seed=1):
    return torch.randn(*shape, 5, 2, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
@pytest.mark.parametrize("order", ["joint-major", "official"])
def test_codes_equal_the_official_ones(shared, order):
    golden = np.load(shared("golden/via.npz"))
    official = official_entries()
    assert len(official) == 361
    model = conversion.build_model(official, conversion.build_config(official, coordinate_order=order))
    if order == "joint-major":
        outputs, names = model(to_keypoints(probe_input(2, 2, 64, 15, 1))), ("ViA_m", "ViA_b")
    else:  # the flat input is written joint by joint
        flat = probe_input(2, 30, 64).unflatten(1, (15, 2)).permute(0, 3, 1, 2)
        outputs, names = model(flat.unsqueeze(1)), ("ViA_m_via_30xT", "ViA_b_2")
    np.testing.assert_allclose(outputs.motion[:, 0].transpose(1, 2), golden[names[0]], atol=1e-5)
    np.testing.assert_allclose(outputs.character[:, 0, :, None].expand(-1, -1, 8), golden[names[1]], atol=1e-5)


def test_parameters_are_the_official_ones_less_the_unused_bias():
    with torch.device("meta"):
        config = ViaConfig(encoder_config=UnikConfig(num_joints=15, num_people=1, layout="lac-15"), num_directions=64)
        model = ViaModel(config)
    assert model.num_parameters() == 3_458_032 - 10 * 15


@torch.no_grad()
def test_motion_and_character_add_up_to_the_features_of_the_encoder():
    model = small(ViaModel, features="full")
    keypoints = clips(2, 2, 32)
    outputs = model(keypoints)
    features = model.encoder(keypoints).last_hidden_state.mean(3).unflatten(2, (-1, 2)).mean(3)
    torch.testing.assert_close(outputs.motion + outputs.character.unsqueeze(2), features)
    torch.testing.assert_close(outputs.pooler_output, model.encoder(keypoints).pooler_output)
    directions = model.basis()
    torch.testing.assert_close(directions.mT @ directions, torch.eye(3))
    torch.testing.assert_close(outputs.magnitudes @ directions.mT, outputs.character)
    # The mean motion has no part along the directions; what is left of it is what a head sees.
    mean = outputs.motion.mean(2)
    torch.testing.assert_close(mean @ directions, torch.zeros(2, 2, 3), atol=1e-5, rtol=0)
    model.config.features = "motion"
    torch.testing.assert_close(model(keypoints).pooler_output, mean.mean(1))


@torch.no_grad()
def test_retargeting_decodes_own_motion_with_the_other_character():
    model = small()
    source, target = clips(2, 1, 32), clips(2, 1, 48, seed=2)
    made = model.retarget({"keypoints": source}, {"keypoints": target}).keypoints
    moving, look = model.via(source), model.via(target)
    by_hand = model.decoder((moving.motion + look.character[:, :, None])[:, 0].transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(made[:, 0], by_hand.unflatten(2, (5, 2)))
    torch.testing.assert_close(
        model.retarget({"keypoints": source}, {"keypoints": source}).keypoints, model(source).keypoints
    )


@torch.no_grad()
def test_without_directions_the_target_changes_nothing():
    model = small(directions=0)
    source, target = clips(1, 1, 16), clips(1, 1, 16, seed=2)
    outputs = model.via(source)
    assert model.via.basis is None and outputs.magnitudes.shape == (1, 1, 0) and not outputs.character.any()
    made = model.retarget({"keypoints": source}, {"keypoints": target}).keypoints
    torch.testing.assert_close(made, model(source).keypoints)


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 7, 16, 19, 24, 33])
def test_a_clip_of_any_length_is_that_clip_continued_by_its_last_frame(frames):
    model = small()
    keypoints, whole = clips(1, 1, frames), max(16, -(-frames // 8) * 8)
    longer = torch.cat([keypoints, keypoints[:, :, -1:].expand(-1, -1, whole - frames, -1, -1)], dim=2)
    short, long = model(keypoints), model(longer)
    torch.testing.assert_close(short.keypoints, long.keypoints[:, :, :frames])
    torch.testing.assert_close(short.pooler_output, long.pooler_output)
    assert short.last_hidden_state.shape[2] == -(-frames // 8)


@torch.no_grad()
def test_people_of_different_length_come_out_as_alone_and_absent_ones_as_zeros():
    model = small().double()
    keypoints = clips(2, 2, 40).double()
    mask = torch.ones(2, 2, 40, dtype=torch.bool)
    mask[0, 0, 21:] = False
    mask[1, 1] = False
    made = model(keypoints.masked_fill(~mask[..., None, None], float("nan")), attention_mask=mask)
    assert made.keypoints.isfinite().all() and not made.keypoints[~mask].any()
    # Slot by slot: the encoder's input norm has statistics per person slot.
    alone = model(keypoints[:1, :1, :21])
    torch.testing.assert_close(made.keypoints[:1, :1, :21], alone.keypoints)
    torch.testing.assert_close(made.pooler_output[1:], model(keypoints[1:, :1]).pooler_output)
    target = {"keypoints": clips(2, 1, 24, seed=3).double()}
    swapped = model.retarget({"keypoints": keypoints, "attention_mask": mask}, target).keypoints
    assert swapped.shape == keypoints.shape and not swapped[~mask].any() and swapped[mask].any()


@torch.no_grad()
def test_nobody_at_all_gives_zeros():
    model = small()
    outputs = model(clips(1, 2, 9), attention_mask=torch.zeros(1, 2, 9, dtype=torch.bool))
    assert not outputs.keypoints.any() and not outputs.pooler_output.any()


@torch.no_grad()
def test_targets_that_do_not_serve_the_source_are_errors():
    model = small()
    source = {"keypoints": clips(2, 2, 16)}
    with pytest.raises(ValueError, match="as many clips as the source"):
        model.retarget(source, {"keypoints": clips(1, 2, 16)})
    absent = torch.ones(2, 2, 16, dtype=torch.bool)
    absent[1, 0] = False
    with pytest.raises(ValueError, match="no person for person 0 of clip 1"):
        model.retarget(source, {"keypoints": clips(2, 2, 16), "attention_mask": absent})


def test_configs_that_do_not_fit_are_errors():
    with pytest.raises(StrictDataclassClassValidationError, match="one decoder layer per halving"):
        ViaConfig(encoder_config=UnikConfig(channels=[8, 8], strides=[1, 2]), num_directions=4)
    with pytest.raises(StrictDataclassClassValidationError, match=r"num_directions in 0\.\.256"):
        ViaConfig(num_directions=257)
    with pytest.raises(StrictDataclassClassValidationError, match="masked"):
        ViaConfig(encoder_config=UnikConfig(pooling="official"))
    with pytest.raises(ValueError, match="did you mean 'num_directions'"):
        ViaConfig(num_direction=3)
    config = ViaConfig()
    config.num_joints, config.layout = 25, "ntu-25"  # as training does with layout="dataset"
    assert (config.encoder_config.num_joints, config.encoder_config.layout) == (25, "ntu-25")


@torch.no_grad()
def test_the_encoder_leaves_as_a_plain_unik(tmp_path):
    model, keypoints = small(ViaModel, features="full"), clips(1, 1, 32)
    model.export_encoder(tmp_path)
    encoder = AutoModel.from_pretrained(tmp_path)
    assert type(encoder) is UnikModel
    torch.testing.assert_close(encoder(keypoints).pooler_output, model(keypoints).pooler_output)
    classifier, info = UnikForActionClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert {name.split(".")[0] for name in info["missing_keys"]} == {"classifier"}
    assert torch.equal(classifier.encoder.input_norm.weight, model.encoder.input_norm.weight)
    with pytest.raises(ValueError, match="scrambled"):
        small(ViaModel, coordinate_order="official").export_encoder(tmp_path / "other")


def test_a_pretrained_retargeting_model_becomes_a_classifier(tmp_path):
    model = small()
    model.save_pretrained(tmp_path)
    classifier = motionhub.AutoModelForActionClassification.from_pretrained(tmp_path)
    assert type(classifier) is ViaForActionClassification
    ours = model.via.state_dict()
    assert all(torch.equal(ours[name], tensor) for name, tensor in classifier.via.state_dict().items())
    again = motionhub.AutoModelForMotionRetargeting.from_pretrained(tmp_path)
    assert torch.equal(again.decoder.convs[0].weight, model.decoder.convs[0].weight)
    assert type(AutoModel.from_pretrained(tmp_path)) is ViaModel


def test_random_directions_are_orthonormal_from_the_start_also_those_missing_in_a_file(tmp_path):
    torch.manual_seed(0)
    config = small(ViaModel).config
    fresh = ViaModel(config).basis.directions.detach()
    torch.testing.assert_close(fresh.mT @ fresh, torch.eye(3))
    small(ViaModel, directions=0).save_pretrained(tmp_path)
    loaded = ViaModel.from_pretrained(tmp_path, num_directions=3).basis.directions.detach()
    torch.testing.assert_close(loaded.mT @ loaded, torch.eye(3))


def test_the_retargeting_pipeline_takes_it_with_an_ordinary_processor(tmp_path):
    torch.manual_seed(0)
    encoder = UnikConfig(num_joints=15, num_people=1, channels=[8, 16], strides=[2, 2], layout="lac-15")
    config = ViaConfig(encoder_config=encoder, num_directions=3, decoder_channels=[8, 8])
    model, layout = ViaForMotionRetargeting(config), motionhub.get_layout("lac-15")
    for parameter in model.decoder.parameters():  # it gives zeros: every joint where the root is
        parameter.data.zero_()
    model.save_pretrained(tmp_path)
    SkeletonProcessor(layout="lac-15", num_people=1, normalization="centre", scale="extent").save_pretrained(tmp_path)
    points = np.random.default_rng(0).normal(100, 20, size=(2, 21, 15, 2)).astype(np.float32)
    source = motionhub.SkeletonSequence(points[:, :21], layout, 30, "pixel", image_size=(640, 480))
    target = motionhub.SkeletonSequence(points[:1, :9] + 5, layout, 30, "pixel", image_size=(640, 480))
    made = pipeline("motion-retargeting", model=str(tmp_path))(source, target)
    assert made.keypoints.shape == points.shape
    root = np.repeat(points[:, :, [layout.index(layout.root)]], 15, axis=2)
    np.testing.assert_allclose(made.keypoints, root, rtol=1e-5)
