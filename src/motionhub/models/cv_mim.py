"""CV-MIM: one 2-D pose as two vectors, what the body does (pose) and where the camera stands (view); and a classifier.

Paper: Zhao et al., "Learning View-Disentangled Human Pose Representation by Contrastive Cross-View Mutual Information
Maximization", CVPR 2021, https://arxiv.org/abs/2012.01405. Official code (TensorFlow): google-research, poem/cv_mim.

The encoder sees single poses; frames of a clip are rows of one batch. Conventions of the official code that are kept:
coordinates enter as (y, x); batch norm with epsilon 1e-3 and Keras's update; kernels and biases start "he normal"; no
ReLU after a residual sum. The config's `framework` says so.

Deliberate deviations:
- a missing joint is left out of the first layer, and adds a learned vector of its own there, zero at first
  (`missing_joints="learned"`): a coordinate of zero would be a joint on the middle of the hips. The official encoder
  takes complete poses; with `missing_joints="official"` there is no such vector, and 4,301,888 parameters as there.
- the pooled vector of a clip is the mean of its pose vectors over the frames in which a joint was detected; the paper
  has none. A frame without any joint gives zeros.
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

from motionhub.models.motion_model import HeadOutput, MotionConfig
from motionhub.models.skeleton_encoder import check_keypoints
from motionhub.nn.heads import clip_loss
from motionhub.nn.keras_layers import HeNormalConv1d, HeNormalLinear, KerasNorm, LinearBlock, ResidualBlock, init_keras
from motionhub.nn.people import frames_of_clip, frames_of_people, frames_within


DEPTHS = (64, 128, 256)


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
        framework: whose conventions of batch norm and initial values apply; only "keras" exists.
        features: what `last_hidden_state` and `pooler_output` hold, and a head classifies: `"pose"`, `"view"` or
            `"both"`.
        temporal_head: `"convnet"`, `"resnet"` or `"res-tcn"`.
        classifier_dropout: of the temporal head.

    Examples:
        >>> config = motionhub.CvMimConfig(pose_size=16, view_size=8)
        >>> config.pose_size, config.layout
        (16, 'cv-mim-13')
    """

    model_type = "motionhub_cv_mim"
    frame_stride = 1
    may_be_zero = ("view_size",)

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
    """The vectors of `num_poses` poses.

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
        pooler_output: `(B, hidden_size)`: mean over the frames in which the person was detected, then over people.
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

    def forward(self, visible: Tensor) -> Tensor:
        return (~visible).to(self.vectors.dtype) @ self.vectors


class CvMimPreTrainedModel(PreTrainedModel):
    """Loading, saving and initial values."""

    config: CvMimConfig
    base_model_prefix = "encoder"
    main_input_name = "keypoints"
    input_modalities = ["time"]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, MissingJoints):
            init.zeros_(module.vectors)
        else:
            init_keras(module)


class CvMimModel(CvMimPreTrainedModel):
    """The encoder: a pose vector and a view vector for every person and frame.

    Examples:
        >>> import torch
        >>> model = motionhub.CvMimModel(motionhub.CvMimConfig(width=16))
        >>> model(torch.randn(1, 1, 30, 13, 2)).pooler_output.shape
        torch.Size([1, 32])
    """

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
            # The first two coordinates are swapped; a third stays.
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
        self, keypoints: Tensor, joint_mask: Tensor | None = None, attention_mask: Tensor | None = None
    ) -> CvMimOutput:
        """Encode a batch of clips, frame by frame.

        Args:
            keypoints: `(B, M, T, V, C)` as the processor makes them; masked values may be anything, also NaN.
            joint_mask: `(B, M, T, V)` True where a joint is there; None: all are.
            attention_mask: `(B, M, T)` True where a person has a frame; frames after the last True one are padding.

        Raises:
            ValueError: the shape does not fit the config.
        """
        check_keypoints(keypoints, attention_mask, self.config)
        seen = keypoints.new_ones(keypoints.shape[:4], dtype=torch.bool) if joint_mask is None else joint_mask.bool()
        clip_mask = frames_of_clip(attention_mask)
        rows = seen.any(-1) if clip_mask is None else seen.any(-1) & clip_mask  # the frames that are encoded
        poses, fixed_shape = keypoints.to(self.embedder.weight.dtype), torch.compiler.is_compiling()
        if fixed_shape:  # a graph's shapes must not depend on data: all frames are encoded
            codes = self.encode(poses.masked_fill(~seen.unsqueeze(-1), 0).flatten(0, 2), seen.flatten(0, 2))
        else:
            codes = self.encode(poses[rows], seen[rows])

        def placed(values: Tensor) -> Tensor:
            if fixed_shape:
                return values.unflatten(0, rows.shape).masked_fill(~rows.unsqueeze(-1), 0)
            empty = values.new_zeros(*rows.shape, values.shape[-1])
            return empty.masked_scatter(rows.unsqueeze(-1), values)

        pose, view = placed(codes.pose), placed(codes.view)
        chosen = {"pose": [pose], "view": [view], "both": [pose, view]}[self.config.features]
        features = torch.cat(chosen, dim=-1)
        people = features.sum(2) / rows.sum(2, keepdim=True).clamp(min=1)
        return CvMimOutput(
            last_hidden_state=features.unsqueeze(3),
            pooler_output=people.sum(1) / rows.any(2).sum(1, keepdim=True).clamp(min=1),
            pose=pose,
            view=view,
            deviation=None if codes.deviation is None else placed(codes.deviation),
        )


# Classifiers of sequences of frame features. Every sequence of a batch has its own length and gives the same result
# as alone: convolutions pad each as TensorFlow's "same" does (with stride 2 the padding depends on the parity of its
# length), batch norm counts valid frames.


class SequenceConv(nn.Module):
    """Conv1D with "same" padding of every sequence by itself: `(rows, frames, channels)` and lengths in and out."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int = 1, he_bias: bool = True) -> None:
        super().__init__()
        self.conv = HeNormalConv1d(in_channels, channels, kernel, stride, he_bias)
        self.kernel, self.stride = kernel, stride

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        padded, made = same_padding(features, lengths, self.kernel, self.stride)
        return self.conv(padded.transpose(1, 2)).transpose(1, 2), made


class SequenceNorm(nn.Module):
    """Batch norm over the valid frames; zeros elsewhere."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = KerasNorm(channels)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        valid = frames_within(lengths, features.shape[1])
        if torch.compiler.is_compiling():
            return self.norm(features.flatten(0, 1)).unflatten(0, valid.shape).masked_fill(~valid.unsqueeze(-1), 0)
        if bool(valid.all()):  # no copy when all frames are valid
            return self.norm(features.flatten(0, 1)).unflatten(0, valid.shape)
        normed = self.norm(features[valid])
        return torch.zeros_like(features, dtype=normed.dtype).masked_scatter(valid.unsqueeze(-1), normed)


class TemporalConvNet(nn.Module):
    """The paper's head: three times [Conv1D of 7 frames, stride 2, batch norm, ReLU, dropout], mean, Dense."""

    def __init__(self, in_features: int, num_labels: int, dropout: float = 0.5) -> None:
        super().__init__()
        sizes = (in_features, *DEPTHS)
        pairs = list(zip(sizes, DEPTHS, strict=False))
        self.convs = nn.ModuleList(SequenceConv(given, made, 7, 2) for given, made in pairs)
        self.norms = nn.ModuleList(SequenceNorm(made) for made in DEPTHS)
        self.dropout, self.last = nn.Dropout(dropout), HeNormalLinear(DEPTHS[-1], num_labels)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """`(rows, frames, in_features)`, `lengths (rows,)` of at least 1 -> logits `(rows, num_labels)`."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            features, lengths = conv(features, lengths)
            features = self.dropout(norm(features, lengths).relu())
        return self.last(mean_frames(features, lengths))


class TemporalResNet(nn.Module):
    """The official RESNET head: Conv1D of 7 frames, then three residual blocks (strides 2, 2, 1), mean, Dense."""

    def __init__(self, in_features: int, num_labels: int, dropout: float = 0.5) -> None:
        super().__init__()
        self.conv, self.norm = SequenceConv(in_features, DEPTHS[0], 7), SequenceNorm(DEPTHS[0])
        sizes = zip((DEPTHS[0], *DEPTHS), DEPTHS, (2, 2, 1), strict=False)
        self.blocks = nn.ModuleList(_ResNetBlock(*size, dropout) for size in sizes)
        self.last = HeNormalLinear(DEPTHS[-1], num_labels)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """As `TemporalConvNet`."""
        features, lengths = self.conv(features, lengths)
        features = self.norm(features, lengths).relu()
        for block in self.blocks:
            features, lengths = block(features, lengths)
        return self.last(mean_frames(features, lengths))


class _ResNetBlock(nn.Module):
    def __init__(self, in_channels: int, channels: int, stride: int, dropout: float) -> None:
        super().__init__()
        sizes = ((in_channels, 7, stride), (channels, 5, 1), (channels, 3, 1))
        self.convs = nn.ModuleList(SequenceConv(given, channels, kernel, step) for given, kernel, step in sizes)
        self.norms = nn.ModuleList(SequenceNorm(channels) for _ in sizes)
        self.shortcut, self.shortcut_norm = SequenceConv(in_channels, channels, 1, stride), SequenceNorm(channels)
        self.dropout = nn.Dropout(dropout)

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        short, made = self.shortcut(features, lengths)
        short = self.shortcut_norm(short, made)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            features, lengths = conv(features, lengths)
            features = norm(features, lengths)
            features = features if index == 2 else self.dropout(features.relu())
        return (features + short).relu(), made


class ResTcn(nn.Module):
    """Res-TCN (Kim and Reiter 2017) as the official code has it: nine pre-activated residual convolutions of 8 frames.

    It gives logits, where the official network ends in a softmax; its L1 penalty on kernels is the caller's.
    """

    def __init__(self, in_features: int, num_labels: int, dropout: float = 0.5) -> None:
        super().__init__()
        sizes = [(64, 1)] * 3 + [(128, 2), (128, 1), (128, 1), (256, 2), (256, 1), (256, 1)]
        self.conv = SequenceConv(in_features, 64, 8, he_bias=False)
        self.norms, self.convs, self.shortcuts = nn.ModuleList(), nn.ModuleList(), nn.ModuleDict()
        channels = 64
        for index, (made, stride) in enumerate(sizes):
            self.norms.append(SequenceNorm(channels))
            self.convs.append(SequenceConv(channels, made, 8, stride, he_bias=False))
            if made != channels:
                self.shortcuts[str(index)] = SequenceConv(channels, made, 1, stride, he_bias=False)
            channels = made
        self.last_norm, self.dropout = SequenceNorm(channels), nn.Dropout(dropout)
        self.last = HeNormalLinear(channels, num_labels)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """As `TemporalConvNet`."""
        features, lengths = self.conv(features, lengths)
        for index, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            changed, made = conv(self.dropout(norm(features, lengths).relu()), lengths)
            kept = self.shortcuts[str(index)](features, lengths)[0] if str(index) in self.shortcuts else features
            features, lengths = kept + changed, made
        return self.last(mean_frames(self.last_norm(features, lengths).relu(), lengths))


HEADS = {"convnet": TemporalConvNet, "resnet": TemporalResNet, "res-tcn": ResTcn}


def same_padding(features: Tensor, lengths: Tensor, kernel: int, stride: int) -> tuple[Tensor, Tensor]:
    """Sequences `(rows, frames, channels)` with the zeros that TensorFlow's "same" puts around each, and new lengths.

    Frames beyond a sequence's length count as zeros too.
    """
    made = -(-lengths // stride)
    left = ((made - 1) * stride + kernel - lengths).clamp(min=0) // 2
    frames = features.shape[1]
    size = (-(-frames // stride) - 1) * stride + kernel
    places = torch.arange(size, device=features.device) - left[:, None]
    inside = (places >= 0) & (places < lengths[:, None])
    index = places.clamp(0, frames - 1).unsqueeze(-1).expand(-1, -1, features.shape[-1])
    return features.gather(1, index) * inside.unsqueeze(-1).to(features.dtype), made


def mean_frames(features: Tensor, lengths: Tensor) -> Tensor:
    """Mean over the valid frames: `(rows, channels)`."""
    valid = frames_within(lengths, features.shape[1]).unsqueeze(-1).to(features.dtype)
    return (features * valid).sum(1) / lengths.clamp(min=1).unsqueeze(-1).to(features.dtype)


class CvMimForActionClassification(CvMimPreTrainedModel):
    """One label per clip: the features of every frame, a temporal network on them; logits without softmax.

    The paper freezes the encoder: train with `mode="linear"`, which trains everything above it.

    Examples:
        >>> import torch
        >>> config = motionhub.CvMimConfig(width=16, num_labels=5)
        >>> model = motionhub.CvMimForActionClassification(config)
        >>> model(torch.randn(1, 1, 30, 13, 2)).logits.shape
        torch.Size([1, 5])
    """

    def __init__(self, config: CvMimConfig) -> None:
        super().__init__(config)
        self.encoder = CvMimModel(config)
        head = HEADS[config.temporal_head]
        self.classifier = head(config.hidden_size, config.num_classes, float(config.classifier_dropout))
        self.post_init()

    @can_return_tuple
    def forward(
        self,
        keypoints: Tensor,
        joint_mask: Tensor | None = None,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> HeadOutput:
        """As the encoder; `labels (B,)` integers give the mean cross entropy, negative ones (unknown) do not count."""
        outputs = self.encoder(keypoints, joint_mask, attention_mask, return_dict=True)
        features = outputs.last_hidden_state.squeeze(3)
        lengths = frames_of_people(features, attention_mask)
        present = lengths.flatten() > 0
        logits = features.new_zeros(len(present), self.config.num_classes)
        if torch.compiler.is_compiling():  # all rows, as zeros of one frame where a person is absent
            made = self.classifier(features.flatten(0, 1), lengths.flatten().clamp(min=1))
            logits = made.masked_fill(~present.unsqueeze(-1), 0)
        elif bool(present.any()):
            made = self.classifier(features.flatten(0, 1)[present], lengths.flatten()[present])
            logits = logits.to(made.dtype).index_put((present.nonzero().squeeze(1),), made)
        people = (lengths > 0).sum(1, keepdim=True).clamp(min=1)
        logits = logits.unflatten(0, lengths.shape).sum(1) / people
        return HeadOutput(loss=None if labels is None else clip_loss(logits, labels), logits=logits)
