"""ViCLIP: the official numbers, exact sizes, and what masking, time and padding do or leave alone."""

import numpy as np
import pytest
import torch
from helpers import load_script
from huggingface_hub.errors import StrictDataclassClassValidationError
from official_unik import probe
from official_vi_clip import official_shapes

from motionhub.models.vi_clip import ViClipConfig, ViClipModel, ViClipTextConfig, ViClipVisionConfig


viclip = load_script("conversion/viclip.py")


LARGE = {
    "vision_config": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "patch_size": 14,
        "projection_dim": 768,
    },
    "text_config": {"hidden_size": 768, "num_attention_heads": 12, "projection_dim": 768},
}


def small(**vision) -> ViClipModel:
    """Every parameter away from its initial value, reproducibly."""
    vision = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 8, "patch_size": 4,
              "projection_dim": 6, **vision}  # fmt: skip
    text = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "projection_dim": 6}
    torch.manual_seed(0)
    model = ViClipModel(ViClipConfig(vision_config=vision, text_config=text)).eval()
    for parameter in model.parameters():
        parameter.data.add_(0.3 * torch.randn_like(parameter))
    return model


def clip(frames: int, batch: int = 1) -> torch.Tensor:
    return torch.randn(batch, frames, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def cosines(*shape: int) -> torch.Tensor:
    """The input of the golden files (SPECS 0)."""
    place = torch.arange(int(np.prod(shape)), dtype=torch.float64)
    return (place.mul(0.13).cos() + 0.3 * place.mul(0.017).sin()).float().view(shape)


@pytest.mark.parametrize(
    ("config", "total", "vision", "text", "entries"),
    [({}, 149_603_841, 86_198_784, 63_405_056, 303), (LARGE, 427_590_145, 303_974_400, 123_615_744, 447)],
    ids=["b-16", "l-14"],
)
def test_sizes_are_the_official_ones(config, total, vision, text, entries):
    with torch.device("meta"):
        model = ViClipModel(ViClipConfig(**config))
    counts = [
        sum(weight.numel() for weight in part.parameters()) for part in (model, model.vision_tower, model.text_tower)
    ]
    assert counts == [total, vision, text] and len(model.state_dict()) == entries


@pytest.mark.slow
@torch.no_grad()
def test_official_embeddings_of_b_16(shared):
    golden = np.load(shared("golden/viclip.npz"))
    official = probe(official_shapes())
    model = viclip.build_model(official, viclip.build_config(official))
    del official
    texts = torch.zeros(2, 32, dtype=torch.long)
    texts[0, :6] = torch.tensor([49406, 320, 2533, 533, 5778, 49407])
    texts[1, :3] = torch.tensor([49406, 2374, 49407])
    frame = cosines(1, 3, 1, 224, 224).transpose(1, 2)
    for got, name in (
        (model.get_video_features(cosines(1, 8, 3, 224, 224)), "vid"),
        (model.get_video_features(frame), "vid_T_1"),
        (model.get_text_features(texts), "text"),
    ):
        np.testing.assert_allclose(got.numpy(), golden[name], rtol=0, atol=1e-4)


@torch.no_grad()
def test_nothing_is_masked_unless_asked_for_even_while_training():
    model, video = small(), clip(8)
    expected = model.get_video_features(video)
    assert torch.equal(model(video).video_embeds, expected)
    assert torch.equal(model.train()(video).video_embeds, expected)


@torch.no_grad()
def test_masking_drops_whole_patches_and_every_clip_loses_others():
    model = small()
    model.vision_tower.position_embedding.zero_()
    model.vision_tower.temporal_embedding.zero_()
    same = torch.ones(1, 8, 3, 8, 8)  # all patches are equal: half of those of 8 frames are all of those of 4
    half = model.get_video_features(same, mask_ratio=0.5)
    torch.testing.assert_close(half, model.get_video_features(same[:, :4]))
    assert not torch.allclose(half, model.get_video_features(same))
    video = clip(8).expand(2, -1, -1, -1, -1)
    first, second = model.get_video_features(video, mask_ratio=0.5, generator=torch.Generator().manual_seed(0))
    assert not torch.allclose(first, second)
    again = model.get_video_features(video, mask_ratio=0.5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again, torch.stack([first, second]))
    with pytest.raises(ValueError, match="mask_ratio"):
        model.get_video_features(video, mask_ratio=1.0)


def test_times_between_the_learned_ones_are_interpolated_and_one_frame_gets_their_mean():
    tower = small(num_frames=4).vision_tower
    learned = tower.temporal_embedding
    assert torch.equal(tower.times(4), learned)
    torch.testing.assert_close(tower.times(1), learned.mean(0, keepdim=True))
    torch.testing.assert_close(tower.times(2), (learned[0::2] + learned[1::2]) / 2)
    straight = torch.arange(4.0)[:, None].expand(-1, 16)
    tower.temporal_embedding.data = straight.contiguous()
    torch.testing.assert_close(tower.times(8)[1:-1, 0], torch.arange(8.0)[1:-1] / 2 - 0.25)


@torch.no_grad()
def test_the_order_of_frames_matters_only_through_the_temporal_embedding():
    model, video = small(), clip(8)
    assert not torch.allclose(model.get_video_features(video), model.get_video_features(video.flip(1)))
    model.vision_tower.temporal_embedding.zero_()
    torch.testing.assert_close(model.get_video_features(video), model.get_video_features(video.flip(1)))


@torch.no_grad()
def test_what_follows_the_end_of_a_text_has_no_influence():
    model = small()
    text = torch.tensor([[1, 5, 7, 19]])
    expected = model.get_text_features(text)
    for padded in ([1, 5, 7, 19, 0, 0], [1, 5, 7, 19, 19, 19], [1, 5, 7, 19, 3, 18]):
        torch.testing.assert_close(model.get_text_features(torch.tensor([padded])), expected)
    assert not torch.allclose(model.get_text_features(torch.tensor([[1, 7, 5, 19]])), expected)


@torch.no_grad()
def test_similarities_are_cosines_over_the_temperature_and_the_loss_matches_pairs():
    model, video, text = small(), clip(4, batch=2), torch.tensor([[1, 5, 19], [1, 6, 19]])
    model.temperature.fill_(0.5)
    outputs = model(video, text, return_loss=True)
    first, second = outputs.video_embeds.numpy(), outputs.text_embeds.numpy()
    cosine = first @ second.T / np.linalg.norm(first, axis=1)[:, None] / np.linalg.norm(second, axis=1)
    np.testing.assert_allclose(outputs.logits_per_video, cosine / 0.5, rtol=1e-5)
    assert torch.equal(outputs.logits_per_text, outputs.logits_per_video.T)
    both = [
        -np.log(np.exp(row[k]) / np.exp(row).sum()) for side in (cosine, cosine.T) for k, row in enumerate(side / 0.5)
    ]
    assert float(outputs.loss) == pytest.approx(np.mean(both), rel=1e-5)
    model.temperature.fill_(0.0001)  # never below 0.01
    np.testing.assert_allclose(model(video, text).logits_per_video, cosine / 0.01, rtol=1e-5)


def test_activation_checkpointing_keeps_the_gradients():
    gradients = []
    for checkpointed in (False, True):
        model = small().train()
        if checkpointed:
            model.activation_checkpointing_enable()
        model(clip(4), torch.tensor([[1, 5, 19]]), return_loss=True).logits_per_video.sum().backward()
        gradients.append([weight.grad for weight in model.parameters()])
    assert all(torch.allclose(first, second, atol=1e-6) for first, second in zip(*gradients, strict=True))


@torch.no_grad()
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "got neither"),
        ({"pixel_values": torch.zeros(1, 0, 3, 8, 8)}, "frames >= 1"),
        ({"pixel_values": torch.zeros(1, 3, 4, 8, 8)}, "VideoClipProcessor"),
        ({"pixel_values": torch.zeros(4, 3, 8, 8)}, "got \\(4, 3, 8, 8\\)"),
        ({"pixel_values": torch.zeros(1, 4, 3, 9, 9)}, "VideoClipProcessor"),
        ({"input_ids": torch.zeros(1, 33, dtype=torch.long)}, "max_length=32"),
        ({"input_ids": torch.zeros(1, 5)}, "whole numbers"),
        ({"input_ids": torch.zeros(1, 5, dtype=torch.long), "return_loss": True}, "pairs"),
    ],
)
def test_wrong_inputs_are_reported(arguments, says):
    with pytest.raises(ValueError, match=says):
        small()(**arguments)


def test_configs_that_cannot_work_are_reported():
    with pytest.raises(StrictDataclassClassValidationError, match=r"(?s)embeddings of one size.*512.*768"):
        ViClipConfig(text_config={"projection_dim": 768})
    with pytest.raises(StrictDataclassClassValidationError, match="divisible by patch_size"):
        ViClipVisionConfig(image_size=225)
    with pytest.raises(StrictDataclassClassValidationError, match="divisible by num_attention_heads"):
        ViClipTextConfig(num_attention_heads=7)
    with pytest.raises(ValueError, match="did you mean 'num_frames'"):
        ViClipVisionConfig(num_frame=4)
