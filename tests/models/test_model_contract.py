"""What every model family keeps, one row per family: save and load, base and head, ragged batches, clear errors.

A new family adds a `Family` to `FAMILIES`; nothing else here changes.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassClassValidationError
from torch import Tensor
from transformers import PreTrainedConfig, PreTrainedModel

from motionhub.models.agcn import AgcnConfig, AgcnForActionClassification, AgcnForActionSegmentation, AgcnModel
from motionhub.models.cv_mim import CvMimConfig, CvMimForActionClassification, CvMimModel
from motionhub.models.lac import LacConfig, LacModel
from motionhub.models.ltn import LtnConfig, LtnModel
from motionhub.models.movement_quality import MovementQualityConfig, SkeletonForMovementQuality
from motionhub.models.r3d import R3dConfig, R3dForActionClassification, R3dModel
from motionhub.models.retarget_net import RetargetNetConfig, RetargetNetModel
from motionhub.models.st_gcn import (
    StGcnConfig,
    StGcnForActionClassification,
    StGcnForActionSegmentation,
    StGcnModel,
)
from motionhub.models.t_mor import TMorConfig, TMorModel
from motionhub.models.tcn import TcnConfig, TcnForActionClassification, TcnForActionSegmentation, TcnModel
from motionhub.models.unik import UnikConfig, UnikForActionClassification, UnikForActionSegmentation, UnikModel
from motionhub.models.vi_clip import ViClipConfig, ViClipModel, ViClipTextConfig, ViClipVisionConfig
from motionhub.models.via import ViaConfig, ViaForActionClassification, ViaForMotionRetargeting, ViaModel


@dataclass
class Family:
    """A small config, its classes, and the shape of an input clip, with keypoints `(people, frames, joints, dims)`."""

    name: str
    config_class: type[PreTrainedConfig]
    config: dict[str, Any]
    base: type[PreTrainedModel]
    heads: list[type[PreTrainedModel]]
    clip: tuple[int, int, int, int]
    labels: dict[str, Any] = field(default_factory=dict)  # head name -> labels of a batch of two clips
    takes: str = "keypoints"


SMALL_VIA = {
    "encoder_config": UnikConfig(num_joints=5, in_channels=3, channels=[8, 16], strides=[2, 2], layout="lac-15"),
    "num_directions": 3,
    "decoder_channels": [8, 8],
}
FAMILIES = [
    Family(
        name="unik",
        config_class=UnikConfig,
        config={"num_joints": 5, "in_channels": 3, "channels": [8, 16], "strides": [1, 2], "layout": "lac-15"},
        base=UnikModel,
        heads=[UnikForActionClassification, UnikForActionSegmentation],
        clip=(2, 12, 5, 3),
        labels={
            "UnikForActionClassification": torch.tensor([0, 2]),
            "UnikForActionSegmentation": torch.ones(2, 12, 3),
        },
    ),
    Family(
        name="agcn",
        config_class=AgcnConfig,
        config={"num_joints": 15, "channels": [8, 16], "strides": [1, 2], "layout": "lac-15"},
        base=AgcnModel,
        heads=[AgcnForActionClassification, AgcnForActionSegmentation],
        clip=(2, 12, 15, 3),
        labels={
            "AgcnForActionClassification": torch.tensor([0, 2]),
            "AgcnForActionSegmentation": torch.ones(2, 12, 3),
        },
    ),
    Family(
        name="st_gcn",
        config_class=StGcnConfig,
        config={"num_joints": 15, "channels": [8, 16], "strides": [1, 2], "layout": "lac-15", "dropout": 0.5},
        base=StGcnModel,
        heads=[StGcnForActionClassification, StGcnForActionSegmentation],
        clip=(2, 12, 15, 3),
        labels={
            "StGcnForActionClassification": torch.tensor([0, 2]),
            "StGcnForActionSegmentation": torch.ones(2, 12, 3),
        },
    ),
    Family(
        name="tcn",
        config_class=TcnConfig,
        config={"num_joints": 15, "in_channels": 3, "channels": [8, 8], "layout": "lac-15", "num_people": 2},
        base=TcnModel,
        heads=[TcnForActionClassification, TcnForActionSegmentation],
        clip=(2, 12, 15, 3),
        labels={
            "TcnForActionClassification": torch.tensor([0, 2]),
            "TcnForActionSegmentation": torch.ones(2, 12, 3),
        },
    ),
    Family(
        name="cv_mim",
        config_class=CvMimConfig,
        config={"width": 16, "pose_size": 4, "view_size": 4, "num_people": 2},
        base=CvMimModel,
        heads=[CvMimForActionClassification],
        clip=(2, 12, 13, 2),
        labels={"CvMimForActionClassification": torch.tensor([0, 2])},
    ),
    Family(
        name="retarget_net",
        config_class=RetargetNetConfig,
        config={
            "variant": "full",
            "motion_channels": [8, 8, 8],
            "static_channels": [8, 8],
            "decoder_channels": [8, 8],
        },
        base=RetargetNetModel,
        heads=[],
        clip=(2, 40, 15, 2),
    ),
    Family(
        name="lac",
        config_class=LacConfig,
        config={
            "encoder_channels": [8, 8, 12],
            "decoder_channels": [8, 8],
            "num_motion_directions": 7,
            "num_static_directions": 5,
        },
        base=LacModel,
        heads=[],
        clip=(2, 40, 15, 2),
    ),
    Family(
        name="via",
        config_class=ViaConfig,
        config=SMALL_VIA,
        base=ViaModel,
        heads=[ViaForActionClassification],
        clip=(2, 40, 5, 3),
        labels={"ViaForActionClassification": torch.tensor([0, 2])},
    ),
    # Its head needs texts.
    Family(
        name="t_mor",
        config_class=TMorConfig,
        config={"encoder_config": SMALL_VIA["encoder_config"], "projection_size": 6, "text_size": 4, "video_size": 3},
        base=TMorModel,
        heads=[],
        clip=(2, 12, 5, 3),
    ),
    # Its head gives scores; without one there is nothing to save and load apart.
    Family(
        name="movement_quality",
        config_class=MovementQualityConfig,
        config={"encoder_config": SMALL_VIA["encoder_config"], "recurrent_size": 4, "recurrent_layers": 1},
        base=SkeletonForMovementQuality,
        heads=[],
        clip=(2, 12, 5, 3),
    ),
    # Its head gives keypoints, not logits.
    Family(
        name="via_retargeting",
        config_class=ViaConfig,
        config=SMALL_VIA,
        base=ViaForMotionRetargeting,
        heads=[],
        clip=(2, 40, 5, 3),
    ),
    Family(
        name="ltn",
        config_class=LtnConfig,
        config={
            "encoder_config": UnikConfig(num_joints=5, in_channels=3, channels=[8], strides=[2], layout="lac-15"),
            "num_directions": 3,
            "time_hidden_sizes": [4],
        },
        base=LtnModel,
        heads=[],
        clip=(2, 12, 5, 3),
    ),
    Family(
        name="r3d",
        config_class=R3dConfig,
        config={"stem_channels": 4, "depths": [1, 2], "widths": [8, 16], "temporal_kernels": [1, 3]},
        base=R3dModel,
        heads=[R3dForActionClassification],
        clip=(3, 3, 16, 16),
        labels={"R3dForActionClassification": torch.tensor([0, 2])},
        takes="pixel_values",
    ),
    Family(
        name="vi_clip",
        config_class=ViClipConfig,
        config={
            "vision_config": ViClipVisionConfig(
                hidden_size=16,
                num_hidden_layers=2,
                num_attention_heads=2,
                image_size=8,
                patch_size=4,
                projection_dim=6,
            ),
            "text_config": ViClipTextConfig(
                vocab_size=20, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, projection_dim=6
            ),
        },
        base=ViClipModel,
        heads=[],
        clip=(3, 3, 8, 8),
        takes="pixel_values",
    ),
]
MODELS = [(family, model) for family in FAMILIES for model in [family.base, *family.heads]]
SKELETON_MODELS = [(family, model) for family, model in MODELS if family.takes == "keypoints"]
HEADS = [(family, model) for family in FAMILIES for model in family.heads]
each_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
each_model = pytest.mark.parametrize(
    ("family", "model_class"), MODELS, ids=lambda value: getattr(value, "__name__", "of")
)
each_skeleton_model = pytest.mark.parametrize(
    ("family", "model_class"), SKELETON_MODELS, ids=lambda value: getattr(value, "__name__", "of")
)
each_head = pytest.mark.parametrize(
    ("family", "model_class"), HEADS, ids=lambda value: getattr(value, "__name__", "of")
)


def make(family: Family, model_class: type[PreTrainedModel]) -> PreTrainedModel:
    """In evaluation mode, every parameter and buffer away from its initial value, reproducibly."""
    torch.manual_seed(0)
    model = model_class(family.config_class(**family.config, id2label={0: "a", 1: "b", 2: "c"}))
    for tensor in [*model.parameters(), *model.buffers()]:
        if tensor.is_floating_point():
            tensor.data.add_(torch.rand_like(tensor) * 0.1)
        else:
            tensor.data.add_(3)
    return model.eval()


def batch(family: Family, size: int = 2) -> Tensor:
    return torch.randn(size, *family.clip, generator=torch.Generator().manual_seed(1))


def main_output(outputs: Any) -> Tensor:
    return next(outputs[name] for name in ("scores", "logits", "pooler_output", "video_embeds") if name in outputs)


@torch.no_grad()
@each_model
def test_saving_and_loading_keeps_every_parameter_buffer_and_output(family, model_class, tmp_path):
    model = make(family, model_class)
    model.save_pretrained(tmp_path)
    loaded = model_class.from_pretrained(tmp_path)
    before, after = model.state_dict(), loaded.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)
    buffers = dict(loaded.named_buffers())
    assert all(torch.equal(buffer, buffers[name]) for name, buffer in model.named_buffers())
    # Not bit for bit: loaded weights lie at other memory alignments, so a kernel may add up in another order.
    torch.testing.assert_close(
        main_output(loaded(batch(family))), main_output(model(batch(family))), rtol=1e-5, atol=1e-6
    )
    assert not loaded.training


@torch.no_grad()
@each_head
def test_the_base_loads_from_a_head_and_a_head_from_the_base(family, model_class, tmp_path):
    head = make(family, model_class)
    head.save_pretrained(tmp_path / "head")
    base = family.base.from_pretrained(tmp_path / "head")
    ours = getattr(head, head.base_model_prefix).state_dict()
    assert all(torch.equal(ours[name], tensor) for name, tensor in base.state_dict().items())
    base.save_pretrained(tmp_path / "base")
    again, info = model_class.from_pretrained(tmp_path / "base", output_loading_info=True)
    assert all(not name.startswith(head.base_model_prefix) for name in info["missing_keys"])
    assert not info["unexpected_keys"]
    assert all(tensor.isfinite().all() for tensor in again.state_dict().values())
    encoder = getattr(again, head.base_model_prefix).state_dict()
    assert all(torch.equal(ours[name], tensor) for name, tensor in encoder.items())


@each_family
def test_config_round_trip_keeps_every_field(family, tmp_path):
    config = family.config_class(**family.config, id2label={0: "wave", 1: "sit"})
    config.save_pretrained(tmp_path)
    loaded = family.config_class.from_pretrained(tmp_path)
    assert loaded.to_dict() == config.to_dict()
    assert loaded.id2label == {0: "wave", 1: "sit"} and all(
        getattr(loaded, name) == value for name, value in family.config.items()
    )


@each_family
def test_default_config_exists_and_model_type_is_ours(family):
    assert family.config_class().model_type.startswith("motionhub_")


@each_family
def test_a_misspelt_key_and_a_size_of_zero_are_errors(family):
    whole = [name for name, value in vars(family.config_class()).items() if type(value) is int]
    known = [name for name in whole if name in family.config_class.__annotations__]
    for name in known:
        with pytest.raises(ValueError, match=f"did you mean '{name}'"):
            family.config_class(**{name[:-1] + "_" + name[-1]: 1})
        if name not in family.config_class.may_be_zero:
            with pytest.raises((ValueError, StrictDataclassClassValidationError), match="at least 1|odd"):
                family.config_class(**{name: 0})
    with pytest.raises(ValueError, match="did you mean"):
        family.config_class(id2labl={})


@torch.no_grad()
@each_skeleton_model
def test_a_ragged_batch_equals_one_by_one(family, model_class):
    model = make(family, model_class).double()  # so that nothing hides in rounding
    keypoints, frames = batch(family).double(), family.clip[1]
    mask = torch.ones(keypoints.shape[:3], dtype=torch.bool)
    mask[0, :, frames // 2 :] = False
    mask[1, 1:] = False
    noisy = keypoints.masked_fill(~mask[..., None, None], float("nan"))
    together = main_output(model(noisy, attention_mask=mask))
    for clip, length in ((0, frames // 2), (1, frames)):
        part = slice(clip, clip + 1)
        alone = main_output(model(keypoints[part, :, :length], attention_mask=mask[part, :, :length]))[0]
        ours = together[clip, :length] if together.dim() == 3 else together[clip]
        torch.testing.assert_close(ours, alone, rtol=1e-10, atol=1e-10)


@each_head
def test_labels_give_a_loss_that_trains_everything(family, model_class):
    model = make(family, model_class).train()
    outputs = model(batch(family), labels=family.labels[model_class.__name__])
    outputs.loss.backward()
    assert outputs.loss.isfinite()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert not without


@torch.no_grad()
@each_skeleton_model
def test_a_wrong_number_of_joints_says_what_to_call(family, model_class):
    people, frames, joints, dims = family.clip
    with pytest.raises(ValueError, match=r"convert_layout"):
        make(family, model_class)(torch.zeros(2, people, frames, joints + 3, dims))
    with pytest.raises(ValueError, match="expects keypoints"):
        make(family, model_class)(torch.zeros(people, frames, joints, dims))


@torch.no_grad()
@each_model
def test_tuple_and_dictionary_outputs_agree(family, model_class):
    model = make(family, model_class)
    assert torch.equal(model(batch(family), return_dict=False)[0], model(batch(family))[0])


@each_model
def test_publishing_never_copies_our_source(family, model_class, tmp_path):
    model_class.register_for_auto_class("AutoModel")
    make(family, model_class).save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.glob("*.py")] == ["motionhub_remote.py"]  # it only imports this library
