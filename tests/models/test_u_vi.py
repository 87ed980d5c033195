"""U-VI: the official numbers, points that rotate as stated, clips of any length, clear errors."""

import math
import sys

import numpy as np
import pytest
import torch
from helpers import load_script
from huggingface_hub.errors import StrictDataclassClassValidationError
from official_u_vi import auto_encoder_entries, classifier_entries
from official_unik import probe_input

from motionhub.models.u_vi import (
    UViConfig,
    UViForActionClassification,
    UViForMovementQuality,
    UViModel,
    rotate_and_move,
)


conversion = load_script("conversion/u_vi.py")
needs_timm = pytest.mark.towers("timm")

SMALL = {
    "image_size": 64,
    "num_points": 5,
    "channels": [4, 6, 8],
    "pose_hidden_sizes": [12, 9],
    "view_channels": [4, 4],
    "view_hidden_size": 8,
    "recurrent_size": 6,
}


def images(*lead, size=64):
    return torch.rand(*lead, 3, size, size, generator=torch.Generator().manual_seed(0))


def small(model_class, **options):
    torch.manual_seed(0)
    return model_class(UViConfig(**{**SMALL, **options})).eval()


@pytest.mark.slow
@torch.no_grad()
def test_every_network_equals_the_official_one(shared):
    golden = np.load(shared("golden/uvi.npz"))
    model = conversion.build_model(auto_encoder_entries())
    outputs = model(probe_input(2, 3, 128, 128))
    np.testing.assert_allclose(outputs.pooler_output, golden["pose_enc"], atol=1e-6)
    np.testing.assert_allclose(outputs.rotation, golden["rot"], atol=1e-6)
    np.testing.assert_allclose(outputs.translation, golden["trans"], atol=1e-6)
    # The official decoder was given the points' memory: all x, all y, all z.
    points = torch.from_numpy(golden["pose_enc"]).reshape(2, 3, 70).mT
    np.testing.assert_allclose(model.decoder(points), golden["dec"], atol=1e-5)


@pytest.mark.slow
@torch.no_grad()
def test_the_classifier_equals_the_official_one(shared):
    model = conversion.build_model(classifier_entries())
    logits = model(probe_input(1, 4, 3, 128, 128)).logits
    np.testing.assert_allclose(logits, np.load(shared("golden/uvi.npz"))["gru_cls"], atol=1e-5)


def test_the_networks_have_the_official_number_of_parameters():
    with torch.device("meta"):
        model, head = UViModel(UViConfig()), UViForActionClassification(UViConfig(num_labels=60))
    unused_norms = 2 * (1024 + 512 + 210)
    assert _parameters(model.pose_encoder) == 139_542_966 - unused_norms
    assert _parameters(model.viewpoint_encoder) == 1_536_646
    assert _parameters(model.decoder) == 29_983_139
    assert _parameters(head.head.recurrent) == 6_948_864
    without_camera = _parameters(head) - _parameters(model.viewpoint_encoder) - _parameters(model.decoder)
    assert without_camera == 146_597_640 - unused_norms


def test_official_view_points_are_the_golden_ones(shared):
    rotation = torch.tensor([[0.1, 0.2, 0.3], [0.4, -0.5, 0.6]])
    translation = torch.tensor([[1, 2, 3], [-1, 0.5, 0.25]])
    seen = rotate_and_move(probe_input(2, 70, 3), rotation, translation)
    scrambled = small(UViModel, official=True).as_returned(seen)
    np.testing.assert_allclose(scrambled, np.load(shared("golden/uvi.npz"))["view_transform"], atol=1e-6)
    assert torch.equal(small(UViModel).as_returned(seen), seen)
    assert not torch.equal(scrambled, seen)


@pytest.mark.parametrize(
    ("angle", "point", "expected"),
    [
        (0, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]),  # about x: y goes to z
        (1, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]),  # about z: x goes to y
        (2, [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]),  # about y: z goes to x
    ],
)
def test_a_quarter_turn_about_each_axis(angle, point, expected):
    rotation = torch.zeros(1, 3)
    rotation[0, angle] = math.pi / 2
    seen = rotate_and_move(torch.tensor([[point]]), rotation, torch.tensor([[0.5, 0, 0]]))
    torch.testing.assert_close(seen[0, 0], torch.tensor(expected) + torch.tensor([0.5, 0, 0]), atol=1e-6, rtol=0)


def test_turns_happen_about_x_then_y_then_z():
    quarter = math.pi / 2
    seen = rotate_and_move(torch.tensor([[[0.0, 1.0, 0.0]]]), torch.full((1, 3), quarter), torch.zeros(1, 3))
    # y -x-> z -y-> x -z-> y
    torch.testing.assert_close(seen[0, 0], torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_drawing_has_the_size_of_the_image_and_lies_in_0_to_1():
    drawn = small(UViModel)(images(2), reconstruct=True).reconstruction
    assert drawn.shape == (2, 3, 64, 64) and drawn.min() >= 0 and drawn.max() < 1
    assert small(UViModel)(images(2)).reconstruction is None


@torch.no_grad()
def test_smaller_images_need_a_smaller_kernel_and_pooling():
    options = {"image_size": 32, "view_kernel": 3, "view_pool": 2}
    model = small(UViModel, **options)
    # 32 -> 15 -> 13 -> 6 -> 4 pixels by convolutions of 3 x 3, every other one with stride 2, then 2 by pooling
    assert model.viewpoint_encoder.hidden.in_features == 4 * 2**2
    assert model(images(1, size=32), reconstruct=True).reconstruction.shape == (1, 3, 32, 32)


@torch.no_grad()
@pytest.mark.parametrize("recurrent", ["gru", "lstm"])
def test_padded_frames_change_nothing(recurrent):
    model, clips = small(UViForActionClassification, num_labels=3, recurrent=recurrent), images(2, 5)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]).bool()
    clips[0, 3:] = 7.0
    together = model(clips, attention_mask=mask).logits
    torch.testing.assert_close(together[0], model(clips[:1, :3]).logits[0], atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(together[1], model(clips[1:]).logits[0], atol=1e-6, rtol=1e-5)


@torch.no_grad()
def test_a_score_is_the_mean_of_the_scores_by_their_probability():
    model = small(UViForMovementQuality, max_score=2)
    model.head.classifier.weight.zero_()
    model.head.classifier.bias.copy_(torch.tensor([0.0, 0.0, math.log(2.0)]))  # probabilities 1/4, 1/4, 1/2
    outputs = model(images(1, 4), labels=torch.tensor([2]))
    torch.testing.assert_close(outputs.scores, torch.tensor([1.25]))
    torch.testing.assert_close(outputs.loss, torch.tensor(math.log(2.0)))


@torch.no_grad()
@pytest.mark.parametrize("model_class", [UViModel, UViForActionClassification, UViForMovementQuality])
def test_saving_and_loading_keeps_everything(model_class, tmp_path):
    model = small(model_class)
    model.save_pretrained(tmp_path)
    loaded = model_class.from_pretrained(tmp_path)
    assert all(torch.equal(tensor, loaded.state_dict()[key]) for key, tensor in model.state_dict().items())


@torch.no_grad()
def test_a_head_takes_the_encoder_and_starts_its_own_layers(tmp_path):
    small(UViModel).save_pretrained(tmp_path)
    head = UViForActionClassification.from_pretrained(tmp_path, num_labels=3)
    kept = head.encoder.state_dict()
    assert all(torch.equal(tensor, kept[key]) for key, tensor in small(UViModel).state_dict().items())
    # What the file does not have is drawn as PyTorch draws it: uniform within 1/sqrt(size).
    bound = 1 / math.sqrt(SMALL["recurrent_size"])
    for tensor in head.head.recurrent.parameters():
        assert 0 < tensor.abs().max() <= bound and tensor.unique().numel() > 1


@needs_timm
@torch.no_grad()
def test_a_resnet_with_an_lstm_gives_points_as_the_official_encoder_does(tmp_path):
    options = {"pose_backbone": "resnet10t", "recurrent": "lstm", "in_channels": 1}
    torch.manual_seed(0)
    model, batch = small(UViModel, **options), images(2)[:, :1]
    outputs = model(batch, reconstruct=True)
    assert outputs.pose.shape == (2, 5, 3) and outputs.reconstruction.shape == (2, 1, 64, 64)
    network = model.pose_encoder.network
    last_map = network.forward_features(batch)  # 64 pixels: 2 x 2 cells
    assert last_map.shape == (2, 512, 2, 2)
    points = last_map.flatten(1) @ model.pose_encoder.points.weight.T + model.pose_encoder.points.bias
    torch.testing.assert_close(outputs.pooler_output, points)
    model.save_pretrained(tmp_path)
    head = UViForActionClassification.from_pretrained(tmp_path, num_labels=3).eval()
    assert isinstance(head.head.recurrent, torch.nn.LSTM)
    torch.testing.assert_close(head.encoder(batch).pooler_output, outputs.pooler_output)
    assert head(batch[None]).logits.shape == (1, 3)


@needs_timm
def test_a_resnet_that_timm_does_not_have_is_reported():
    with pytest.raises(ValueError, match="timm has no model 'resnet19x'"):
        small(UViModel, pose_backbone="resnet19x")


def test_without_timm_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)  # `import` then raises as if it were not installed
    with pytest.raises(ImportError, match=r"pip install .motionhub\[towers\]"):
        small(UViModel, pose_backbone="resnet18")


@torch.no_grad()
def test_wrong_images_say_what_is_expected():
    model, head = small(UViModel), small(UViForActionClassification)
    for wrong in (images(2, size=32), images(2)[:, :1], images(2, 2)):
        with pytest.raises(ValueError, match=r"expects pixel_values \(batch, 3, 64, 64\)"):
            model(wrong)
    with pytest.raises(ValueError, match=r"\(batch, frames, 3, 64, 64\)"):
        head(images(2))
    with pytest.raises(ValueError, match="finite pixels"):
        model(images(1) * math.nan)
    for mask in (torch.zeros(1, 4), torch.tensor([[0, 1, 1, 1]]), torch.ones(1, 3)):
        with pytest.raises(ValueError, match="padding at its end"):
            head(images(1, 4), attention_mask=mask.bool())
    with pytest.raises(ValueError, match=r"scores of 0\.\.4, got 9"):
        small(UViForMovementQuality)(images(1, 2), labels=torch.tensor([9]))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"image_size": 100}, "divisible by 8"),
        ({"image_size": 56}, "at least 64 pixels"),
        ({"image_size": 32, "view_kernel": 3}, "smaller images need"),
        ({"num_points": 0}, "at least 1"),
        ({"view_channels": [8]}, "2 to 2 view_channels"),
        ({"channels": [8]}, "2 to 9 channels"),
        ({"pose_backbone": "vit_tiny_patch16_224"}, "a ResNet of timm"),
    ],
)
def test_impossible_sizes_are_refused(options, reason):
    with pytest.raises(StrictDataclassClassValidationError, match=reason):
        UViConfig(**options)


def _parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())
