"""CV-MIM: one 2-D pose as two vectors, what the body does (pose) and where the camera stands (view); and a classifier.

It does not know file formats or normalisation (the processor's, `normalization="torso"`), nor how it is trained: the
sub-encoder, the likelihood estimators and the discriminator belong to `objectives/cv_mim.py`.

Paper: Zhao et al., "Learning View-Disentangled Human Pose Representation by Contrastive Cross-View Mutual Information
Maximization", CVPR 2021, https://arxiv.org/abs/2012.01405. Official code (TensorFlow): google-research, poem/cv_mim.

The encoder sees single poses; frames of a clip are rows of one batch. Conventions of the official code that are kept:
coordinates enter as (y, x); batch norm with epsilon 1e-3 and Keras's update; kernels and biases start "he normal"; no
ReLU after a residual sum. The config's `framework` says so.

Deliberate deviations:
- a missing joint is left out of the first layer, and adds a learned vector of its own there, zero at first
  (`missing_joints="learned"`): a coordinate of zero would be a joint on the middle of the hips. The official encoder
  takes complete poses; with `missing_joints="official"` there is no such vector, and 4,301,888 parameters as there.
- the pooled vector of a clip is the mean of its pose vectors over the frames in which a joint was seen; the paper has
  none. A frame without any joint gives zeros.
- the temporal heads give logits and treat every clip at its own length; the official code pads clips to one length.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers import initialization as init
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import MotionConfig
from motionhub.models.skeleton_encoder import check_keypoints
from motionhub.models.skeleton_heads import JointHeadOutput
from motionhub.nn.heads import clip_loss
from motionhub.nn.keras_layers import HeNormalLinear, init_keras
from motionhub.nn.people import frames_of_clip
from motionhub.nn.pose_trunk import LinearBlock, ResidualBlock
from motionhub.nn.temporal_heads import temporal_head


@strict
class CvMimConfig(MotionConfig):
    """Sizes and options of CV-MIM; the defaults are the published ones.

    Args:
        layout: name of the skeleton layout the weights expect.
        num_joints, in_channels, num_people: shape of the input; every person is encoded alone.
        width: channels of the hidden layers.
        num_blocks: residual blocks of two layers each.
        pose_size, view_size: numbers of the two vectors; view_size 0: no view vector (Pr-VIPE).
        dropout: after every hidden layer.
        embedder: `"point"`; `"gaussian"`: a mean and log variance `10 tanh` (VAE); `"gaussian-elu"`: a mean and a
            standard deviation `elu + 1` (Pr-VIPE). Outside training the vector is the mean.
        missing_joints: `"learned"` or `"official"`, see the module.
        coordinate_order: `"yx"` as official, or `"xy"`.
        framework: whose conventions of batch norm and start values are followed; "keras" is the only one there is.
        features: what `last_hidden_state` and `pooler_output` hold, and a head classifies: `"pose"`, `"view"` or
            `"both"`.
        temporal_head: `"convnet"`, `"resnet"` or `"res-tcn"` (`nn.temporal_heads`).
        classifier_dropout: of the temporal head.
    """

    model_type = "motionhub_cv_mim"
    frame_stride = 1
    sizes = ("num_joints", "in_channels", "num_people", "width", "num_blocks", "pose_size")

    layout: str = "cv-mim-13"
    num_joints: int = 13
    in_channels: int = 2
    num_people: int = 1
    width: int = 1024
    num_blocks: int = 2
    pose_size: int = 32
    view_size: int = 32
    dropout: float | int = 0.25
    embedder: Literal["point", "gaussian", "gaussian-elu"] = "point"
    missing_joints: Literal["learned", "official"] = "learned"
    coordinate_order: Literal["yx", "xy"] = "yx"
    framework: Literal["keras"] = "keras"
    features: Literal["pose", "view", "both"] = "pose"
    temporal_head: Literal["convnet", "resnet", "res-tcn"] = "convnet"
    classifier_dropout: float | int = 0.5

    def validate_view_size(self) -> None:
        if self.view_size < 0:
            raise ValueError(f"CvMimConfig expects view_size of at least 0, got {self.view_size}.")
        if self.features != "pose" and not self.view_size:
            raise ValueError(f"features={self.features!r} needs a view vector, but view_size is 0; use 'pose'.")

    @property
    def hidden_size(self) -> int:
        """Channels of the features."""
        sizes = {"pose": self.pose_size, "view": self.view_size, "both": self.pose_size + self.view_size}
        return sizes[self.features]


@dataclass
class PoseCodes:
    """What the encoder makes of `num_poses` poses.

    Args:
        pose, view: `(num_poses, pose_size)` and `(num_poses, view_size)`: the vectors, or their means.
        deviation: `(num_poses, pose_size + view_size)` of a Gaussian embedder, else None.
        first: `(num_poses, width)` activations of the first layer, which a sub-encoder shares.
    """

    pose: Tensor
    view: Tensor
    deviation: Tensor | None
    first: Tensor


@dataclass
class CvMimOutput(ModelOutput):
    """What the model returns for a batch of clips; zeros for absent people, padding and frames without any joint.

    Attributes:
        last_hidden_state: `(B, M, T, 1, hidden_size)`: the features of every frame (the body as one joint).
        pooler_output: `(B, hidden_size)`: mean over the seen frames of a person, then over people.
        pose, view: `(B, M, T, pose_size)`, `(B, M, T, view_size)`.
        deviation: `(B, M, T, pose_size + view_size)` of a Gaussian embedder.
    """

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None
    pose: Tensor | None = None
    view: Tensor | None = None
    deviation: Tensor | None = None


class MissingJoints(nn.Module):
    """A learned vector for each joint, added to the first layer where that joint is missing; zero at first."""

    def __init__(self, num_joints: int, width: int) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.zeros(num_joints, width))

    def forward(self, seen: Tensor) -> Tensor:
        return (~seen).to(self.vectors.dtype) @ self.vectors


class CvMimPreTrainedModel(PreTrainedModel):
    """Loading, saving and start values."""

    config: CvMimConfig
    base_model_prefix = "encoder"
    main_input_name = "keypoints"
    input_modalities = ("time",)

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, MissingJoints):
            init.zeros_(module.vectors)
        else:
            init_keras(module)


class CvMimModel(CvMimPreTrainedModel):
    """The encoder: a pose vector and a view vector for every person and frame."""

    # Loading the encoder of a classifier leaves its head behind, on purpose.
    _keys_to_ignore_on_load_unexpected = [r"^classifier\."]

    def __init__(self, config: CvMimConfig) -> None:
        super().__init__(config)
        dropout, codes = float(config.dropout), config.pose_size + config.view_size
        self.first = LinearBlock(config.num_joints * config.in_channels, config.width, dropout)
        learned = config.missing_joints == "learned"
        self.missing = MissingJoints(config.num_joints, config.width) if learned else None
        self.blocks = nn.ModuleList(ResidualBlock(config.width, dropout) for _ in range(config.num_blocks))
        self.embedder = HeNormalLinear(config.width, codes)
        self.spread = None if config.embedder == "point" else HeNormalLinear(config.width, codes)
        self.post_init()

    def encode(self, poses: Tensor, seen: Tensor | None = None) -> PoseCodes:
        """Poses `(num_poses, joints, dims)` as the processor normalises them; `seen (num_poses, joints)` bool."""
        if seen is not None:
            poses = poses.masked_fill(~seen.unsqueeze(-1), 0)
        if self.config.coordinate_order == "yx":
            # The first two coordinates change places; a third stays.
            poses = torch.cat([poses[..., :2].flip(-1), poses[..., 2:]], dim=-1)
        added = None if seen is None or self.missing is None else self.missing(seen)
        first = hidden = self.first(poses.flatten(1), added)
        for block in self.blocks:
            hidden = block(hidden)
        pose, view = self.embedder(hidden).split([self.config.pose_size, self.config.view_size], dim=-1)
        return PoseCodes(pose, view, self._deviation(hidden), first)

    def _deviation(self, hidden: Tensor) -> Tensor | None:
        if self.spread is None:
            return None
        if self.config.embedder == "gaussian":
            return (5 * self.spread(hidden).tanh()).exp()  # half of the log variance 10 tanh
        return nn.functional.elu(self.spread(hidden)) + 1

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        return_dict: bool | None = None,
    ) -> CvMimOutput:
        """Encode a batch of clips, frame by frame.

        Args:
            keypoints: `(B, M, T, V, C)` as the processor makes them; what a mask hides may be any number, or none.
            joint_mask: `(B, M, T, V)` True where a joint is there; None: all are.
            attention_mask: `(B, M, T)` True where a person has a frame. What follows a person's last one is padding.

        Raises:
            ValueError: the shape does not fit the config.
        """
        check_keypoints(keypoints, attention_mask, self.config)
        seen, rows = _frames_seen(keypoints, joint_mask, attention_mask)
        poses = keypoints.to(self.embedder.weight.dtype)[rows]
        codes = self.encode(poses, seen[rows])

        def placed(values: Tensor) -> Tensor:
            empty = values.new_zeros(*rows.shape, values.shape[-1])
            return empty.masked_scatter(rows.unsqueeze(-1), values)

        pose, view = placed(codes.pose), placed(codes.view)
        chosen = {"pose": [pose], "view": [view], "both": [pose, view]}[self.config.features]
        features = torch.cat(chosen, dim=-1)
        return CvMimOutput(
            last_hidden_state=features.unsqueeze(3),
            pooler_output=_pooled(features, rows),
            pose=pose,
            view=view,
            deviation=None if codes.deviation is None else placed(codes.deviation),
        )


class CvMimForActionClassification(CvMimPreTrainedModel):
    """One label per clip: the features of every frame, a temporal network on them; logits without softmax.

    The paper freezes the encoder: train with `mode="linear"`, which trains everything above it.
    """

    def __init__(self, config: CvMimConfig) -> None:
        super().__init__(config)
        self.encoder = CvMimModel(config)
        self.classifier = temporal_head(
            config.temporal_head, config.hidden_size, config.num_labels, float(config.classifier_dropout)
        )
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        return_dict: bool | None = None,
    ) -> JointHeadOutput:
        """As the encoder; `labels (B,)` integers give the mean cross entropy, negative ones (unknown) do not count."""
        outputs = self.encoder(keypoints, joint_mask, attention_mask, return_dict=True)
        features = outputs.last_hidden_state.squeeze(3)
        lengths = _clip_lengths(features, attention_mask)
        present = lengths.flatten() > 0
        logits = features.new_zeros(len(present), self.config.num_labels)
        if bool(present.any()):
            made = self.classifier(features.flatten(0, 1)[present], lengths.flatten()[present])
            logits = logits.to(made.dtype).index_put((present.nonzero().squeeze(1),), made)
        people = (lengths > 0).sum(1, keepdim=True).clamp(min=1)
        logits = logits.unflatten(0, lengths.shape).sum(1) / people
        return JointHeadOutput(loss=None if labels is None else clip_loss(logits, labels), logits=logits)


def _frames_seen(keypoints: Tensor, joint_mask: Tensor | None, attention_mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Which joints are there `(B, M, T, V)`, and which frames are encoded `(B, M, T)`: of the clip, with a joint."""
    seen = keypoints.new_ones(keypoints.shape[:4], dtype=torch.bool) if joint_mask is None else joint_mask.bool()
    clip_mask = frames_of_clip(attention_mask)
    rows = seen.any(-1) if clip_mask is None else seen.any(-1) & clip_mask
    return seen, rows


def _pooled(features: Tensor, rows: Tensor) -> Tensor:
    """`(B, M, T, C)` -> `(B, C)`; zeros for a clip of which nothing was seen."""
    people = features.sum(2) / rows.sum(2, keepdim=True).clamp(min=1)
    return people.sum(1) / rows.any(2).sum(1, keepdim=True).clamp(min=1)


def _clip_lengths(features: Tensor, attention_mask: Tensor | None) -> Tensor:
    """Frames of every person's clip, `(B, M)`; 0 for who is absent."""
    clip_mask = frames_of_clip(attention_mask)
    if clip_mask is None:
        return torch.full(features.shape[:2], features.shape[2], device=features.device)
    return clip_mask.sum(2)
