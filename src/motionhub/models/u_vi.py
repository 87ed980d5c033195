"""U-VI: posture from one image (depth, DensePose IUV, any mask), the same from every camera.

Paper: Sardari, Ommer, Mirmehdi, "Unsupervised View-Invariant Human Posture Representation", BMVC 2021. The official
code has the networks and a loader, no weights. The pose encoder gives N points in 3-D that should not depend on the
camera, the viewpoint encoder a rotation and a translation; the decoder draws the image from the points in the
camera's view.

Deliberate deviations from the official code:
- view-specific points are returned as points. The official code reads the memory of a `(B, 3, N)` tensor as
  `(B, N, 3)`, which mixes x, y and z; `official=True` returns those. The decoder sees the same: all x, all y, all z;
- the hidden layers of the pose encoder have the paper's ReLU; `official=True` is the code's ReLU of SiLU;
- three batch norms that the official pose encoder never uses are not kept;
- the paper's "2D ResNet + LSTM", which is in no official code, is `pose_backbone="resnet18"` (or another ResNet of
  timm) with `recurrent="lstm"`. Its last map is flattened, not averaged, because the points follow the person's place
  in the image (eq. 6), and one linear layer gives the points. It begins with random weights.

Sizes are the code's; the paper's viewpoint encoder is `view_channels=[128, 256], view_hidden_size=512`. A stage of the
decoder has one transposed convolution and a plain one: the paper's two do not give its 16 -> 128 pixels.
"""

import itertools
from dataclasses import dataclass
from typing import Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import HeadOutput, MotionConfig
from motionhub.models.video_backbone import timm_model
from motionhub.nn.heads import RecurrentHead, check_grades, clip_loss, expected_grade
from motionhub.nn.people import frames_within


DIMS = 3  # the points of a posture are in space
RESNET_REDUCTION = 32  # pixels of the image per cell of a ResNet's last map


@strict
class UViConfig(MotionConfig):
    """Sizes and options of U-VI; the defaults are the official ones with the paper's 70 points.

    Args:
        image_size: pixels of a side; a multiple of `2 ** (len(channels) - 1)`, and large enough for the viewpoint
            encoder (64 with the official `view_kernel` and `view_pool`).
        in_channels: of an image.
        num_points: N, points of a posture.
        channels: of the pose encoder's stages, each but the last halves the image; the decoder has them in reverse.
        pose_hidden_sizes: of the pose encoder's two hidden layers.
        view_channels: of the viewpoint encoder's two stages.
        view_hidden_size: of the viewpoint encoder's hidden layer.
        view_kernel, view_pool: pixels of a side of its convolutions, and of the pooling after them.
        dropout: of the viewpoint encoder and the decoder.
        official: keep the quirks of the official code, see the module.
        pose_backbone: None: the official pose encoder. `"resnet18"`, ...: a ResNet of timm (extra `towers`) instead;
            `channels` are then the decoder's alone, `pose_hidden_sizes` are not used.
        recurrent: `"gru"` (the paper's) or `"lstm"`, of the heads.
        recurrent_size, recurrent_layers: hidden size of each direction, and layers.
        max_score: highest score of `UViForMovementQuality`; it has a class for each of 0..max_score.

    Examples:
        >>> motionhub.UViConfig(image_size=64, num_points=20).channels
        [64, 128, 256, 512]
    """

    model_type = "motionhub_u_vi"
    default_lists = {"channels": [64, 128, 256, 512], "pose_hidden_sizes": [1024, 512], "view_channels": [128, 128]}

    image_size: int = 128
    in_channels: int = 3
    num_points: int = 70
    channels: list[int] | None = None
    pose_hidden_sizes: list[int] | None = None
    view_channels: list[int] | None = None
    view_hidden_size: int = 256
    view_kernel: int = 5
    view_pool: int = 7
    dropout: float | int = 0.3
    official: bool = False
    pose_backbone: str | None = None
    recurrent: Literal["gru", "lstm"] = "gru"
    recurrent_size: int = 512
    recurrent_layers: int = 2
    max_score: int = 4

    def validate_stages(self) -> None:
        counts = {"channels": (self.channels, 2, 9), "pose_hidden_sizes": (self.pose_hidden_sizes, 2, 2)}
        for name, (values, fewest, most) in {**counts, "view_channels": (self.view_channels, 2, 2)}.items():
            if not fewest <= len(values or []) <= most:
                raise ValueError(f"UViConfig expects {fewest} to {most} {name}, got {values}.")

    def validate_image_size(self) -> None:
        if self.image_size % self.reduction or self.view_grid < 1:
            raise ValueError(
                f"UViConfig expects image_size divisible by {self.reduction} and large enough for the viewpoint "
                f"encoder (at least 64 pixels with view_kernel=5 and view_pool=7), got {self.image_size}; smaller "
                "images need smaller ones of these."
            )

    def validate_pose_backbone(self) -> None:
        if self.pose_backbone is not None and not self.pose_backbone.startswith("resnet"):
            raise ValueError(
                f"UViConfig expects pose_backbone None or a ResNet of timm ('resnet18', 'resnet50'; "
                f"timm.list_models('resnet*') lists them), got {self.pose_backbone!r}."
            )

    @property
    def reduction(self) -> int:
        """Pixels of the image per cell of the pose encoder's last stage."""
        return int(2 ** (len(self.channels or []) - 1))

    @property
    def view_grid(self) -> int:
        """Cells of a side that the viewpoint encoder leaves: each stage convolves twice, once with stride 2."""
        side = self.image_size
        for _ in self.view_channels or []:
            side = (side - self.view_kernel) // 2 + 1 - (self.view_kernel - 1)
        return side // self.view_pool

    @property
    def hidden_size(self) -> int:
        """Numbers of one posture."""
        return DIMS * self.num_points


@dataclass
class UViOutput(ModelOutput):
    """One image's posture and camera.

    Attributes:
        pooler_output: `(B, 3 * N)` the canonical points, flattened point by point.
        pose: `(B, N, 3)` canonical points.
        rotation: `(B, 3)` radians, see `rotate_and_move`.
        translation: `(B, 3)`.
        view_pose: `(B, N, 3)` the points as the camera sees them.
        reconstruction: `(B, C, H, W)` in 0..1 (not 1), only with `reconstruct=True`.
    """

    pooler_output: Tensor | None = None
    pose: Tensor | None = None
    rotation: Tensor | None = None
    translation: Tensor | None = None
    view_pose: Tensor | None = None
    reconstruction: Tensor | None = None


def rotate_and_move(pose: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Points as a camera sees them: `R p + t` with `R = Rz(rotation[1]) Ry(rotation[2]) Rx(rotation[0])`.

    The order of the three angles is the official code's.

    Args:
        pose: `(B, N, 3)`.
        rotation: `(B, 3)` radians.
        translation: `(B, 3)`.

    Returns:
        `(B, N, 3)`.
    """
    cosine, sine = rotation.cos(), rotation.sin()
    zero, one = torch.zeros_like(cosine[:, 0]), torch.ones_like(cosine[:, 0])

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))

    about_x = matrix(one, zero, zero, zero, cosine[:, 0], -sine[:, 0], zero, sine[:, 0], cosine[:, 0])
    about_z = matrix(cosine[:, 1], -sine[:, 1], zero, sine[:, 1], cosine[:, 1], zero, zero, zero, one)
    about_y = matrix(cosine[:, 2], zero, sine[:, 2], zero, one, zero, -sine[:, 2], zero, cosine[:, 2])
    return pose @ (about_z @ about_y @ about_x).mT + translation[:, None]


def convolution_pair(in_channels: int, out_channels: int, *, last_norm: bool = True) -> list[nn.Module]:
    """Two 3x3 convolutions, each followed by batch norm and ReLU."""
    layers: list[nn.Module] = []
    for index, channels in enumerate((in_channels, out_channels)):
        layers.append(nn.Conv2d(channels, out_channels, 3, padding=1))
        if index == 0 or last_norm:
            layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU())
    return layers


class PoseEncoder(nn.Module):
    """Images `(B, C, H, W)` -> canonical points `(B, N, 3)`."""

    def __init__(self, config: UViConfig) -> None:
        super().__init__()
        assert config.channels and config.pose_hidden_sizes
        self.official = config.official
        stages: list[nn.Module] = []
        channels = [config.in_channels, *config.channels]
        for index, (before, after) in enumerate(itertools.pairwise(channels)):
            last = index == len(config.channels) - 1
            pool: list[nn.Module] = [] if last else [nn.MaxPool2d(2)]
            stages.append(nn.Sequential(*convolution_pair(before, after, last_norm=not last), *pool))
        self.stages = nn.Sequential(*stages)
        cells = (config.image_size // config.reduction) ** 2 * config.channels[-1]
        first, second = config.pose_hidden_sizes
        self.hidden1 = nn.Linear(cells, first)
        self.hidden2 = nn.Linear(first, second)
        self.points = nn.Linear(second, config.hidden_size)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.stages(images).flatten(1)
        for layer in (self.hidden1, self.hidden2):
            hidden = layer(hidden)
            hidden = torch.relu(nn.functional.silu(hidden) if self.official else hidden)
        return self.points(hidden).unflatten(1, (-1, DIMS))


class ResNetPoseEncoder(nn.Module):
    """The same by a ResNet of timm: its last map, flattened, and one linear layer.

    Raises:
        ImportError: timm is not installed.
        ValueError: timm has no such ResNet.
    """

    def __init__(self, config: UViConfig) -> None:
        super().__init__()
        assert config.pose_backbone
        self.network = timm_model(
            config.pose_backbone, pretrained=False, in_chans=config.in_channels, num_classes=0, global_pool=""
        )
        cells = -(-config.image_size // RESNET_REDUCTION)  # every stage rounds up
        self.points = nn.Linear(self.network.num_features * cells**2, config.hidden_size)

    def forward(self, images: Tensor) -> Tensor:
        return self.points(self.network.forward_features(images).flatten(1)).unflatten(1, (-1, DIMS))


class ViewpointEncoder(nn.Module):
    """Images `(B, C, H, W)` -> rotation `(B, 3)` in radians and translation `(B, 3)`."""

    def __init__(self, config: UViConfig) -> None:
        super().__init__()
        assert config.view_channels
        channels, kernel = [config.in_channels, *config.view_channels], config.view_kernel
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    *(nn.Conv2d(before, after, kernel, stride=2), nn.BatchNorm2d(after), nn.ReLU()),
                    *(nn.Conv2d(after, after, kernel), nn.BatchNorm2d(after), nn.ReLU()),
                )
                for before, after in itertools.pairwise(channels)
            ),
            nn.MaxPool2d(config.view_pool),
        )
        self.hidden = nn.Linear(config.view_channels[-1] * config.view_grid**2, config.view_hidden_size)
        self.dropout = nn.Dropout(config.dropout)
        self.camera = nn.Linear(config.view_hidden_size, 2 * DIMS)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.dropout(torch.relu(self.hidden(self.stages(images).flatten(1))))
        rotation, translation = self.camera(hidden).split(DIMS, dim=1)
        return rotation, translation


class ImageDecoder(nn.Module):
    """View-specific points `(B, N, 3)` -> images `(B, C, H, W)`, at least 0 and below 1 (tanh after a ReLU)."""

    def __init__(self, config: UViConfig) -> None:
        super().__init__()
        assert config.channels
        self.grid = config.image_size // config.reduction
        self.channels = config.channels[-1]
        self.cells = nn.Linear(config.hidden_size, self.channels * self.grid**2)
        self.dropout = nn.Dropout(config.dropout)
        stages = [nn.Sequential(*convolution_pair(self.channels, config.channels[-2]))]
        sizes = [*config.channels[-2::-1], config.in_channels]
        for before, after in itertools.pairwise(sizes):
            up = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
            smooth = nn.Conv2d(after, after, 3, padding=1)
            norms = nn.BatchNorm2d(after), nn.BatchNorm2d(after)
            stages.append(nn.Sequential(up, norms[0], nn.ReLU(), smooth, norms[1], nn.ReLU()))
        self.stages = nn.Sequential(*stages)

    def forward(self, view_pose: Tensor) -> Tensor:
        """The decoder was made for all x, then all y, then all z."""
        hidden = self.dropout(torch.relu(self.cells(view_pose.mT.flatten(1))))
        return torch.tanh(self.stages(hidden.unflatten(1, (self.channels, self.grid, self.grid))))


class UViPreTrainedModel(PreTrainedModel):
    """What the encoder and its heads share: the input check and PyTorch's own initialisation."""

    config: UViConfig
    base_model_prefix = "encoder"
    main_input_name = "pixel_values"
    input_modalities = ["image"]

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's defaults; modules built on the meta device have no values yet."""
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d | nn.RNNBase):
            module.reset_parameters()

    def check_images(self, pixel_values: Tensor, *, clip: bool) -> None:
        """Raises ValueError unless the images are `(B, C, H, W)`, or `(B, T, C, H, W)` of a clip, of our size."""
        config = self.config
        wanted = (config.in_channels, config.image_size, config.image_size)
        if pixel_values.dim() != (5 if clip else 4) or pixel_values.shape[-3:] != wanted:
            lead = "(batch, frames, " if clip else "(batch, "
            raise ValueError(
                f"{type(self).__name__} expects pixel_values {lead}{', '.join(map(str, wanted))}), got "
                f"{tuple(pixel_values.shape)}; the checkpoint's processor makes them: processor(images)."
            )
        if not torch.isfinite(pixel_values).all():
            raise ValueError(
                f"{type(self).__name__} expects finite pixels, got NaN or infinite values; a missing depth is 0."
            )


class UViModel(UViPreTrainedModel):
    """Pose encoder, viewpoint encoder and decoder; `pooler_output` is the posture of each image.

    Examples:
        >>> import torch
        >>> config = motionhub.UViConfig(image_size=64, channels=[4, 8], pose_hidden_sizes=[8, 8])
        >>> model = motionhub.UViModel(config)
        >>> model(torch.randn(4, 3, 64, 64)).pooler_output.shape
        torch.Size([4, 210])
    """

    seen_by = staticmethod(rotate_and_move)

    def __init__(self, config: UViConfig) -> None:
        super().__init__(config)
        self.pose_encoder = PoseEncoder(config) if config.pose_backbone is None else ResNetPoseEncoder(config)
        self.viewpoint_encoder = ViewpointEncoder(config)
        self.decoder = ImageDecoder(config)
        self.post_init()

    @can_return_tuple
    def forward(self, pixel_values: Tensor, reconstruct: bool = False) -> UViOutput:
        """Posture and camera of images `(B, C, H, W)` in 0..1; with `reconstruct` also the decoder's image.

        Raises:
            ValueError: images of another shape, or with NaN.
        """
        self.check_images(pixel_values, clip=False)
        pose = self.pose_encoder(pixel_values)
        rotation, translation = self.viewpoint_encoder(pixel_values)
        view_pose = self.seen_by(pose, rotation, translation)
        return UViOutput(
            pooler_output=pose.flatten(1),
            pose=pose,
            rotation=rotation,
            translation=translation,
            view_pose=self.as_returned(view_pose),
            reconstruction=self.decoder(view_pose) if reconstruct else None,
        )

    def as_returned(self, view_pose: Tensor) -> Tensor:
        """The points, or with `official=True` the official code's `(B, 3, N)` memory read as `(B, N, 3)`."""
        return view_pose.mT.reshape(view_pose.shape) if self.config.official else view_pose


class UViClipHead(UViPreTrainedModel):
    """A posture per frame, a linear layer, a recurrent network over time, one linear layer per frame, the mean."""

    def __init__(self, config: UViConfig) -> None:
        super().__init__(config)
        self.encoder = UViModel(config)
        self.projection = nn.Linear(config.hidden_size, config.hidden_size)
        self.head = RecurrentHead(
            config.hidden_size, config.recurrent_size, config.recurrent_layers, self.num_outputs, config.recurrent
        )
        self.post_init()

    @property
    def num_outputs(self) -> int:
        """Classes of the head."""
        return self.config.num_classes

    def clip_logits(self, pixel_values: Tensor, attention_mask: Tensor | None) -> Tensor:
        """`(B, classes)`, averaged over the frames of each clip; padded frames at the end do not count."""
        self.check_images(pixel_values, clip=True)
        batch, frames = pixel_values.shape[:2]
        present = _present(attention_mask, batch, frames, pixel_values.device)
        pose = self.encoder.pose_encoder(pixel_values.flatten(0, 1)[present.flatten()])
        features = torch.relu(self.projection(pose.flatten(1)))
        padded = features.new_zeros(batch, frames, features.shape[-1])
        padded[present] = features
        return self.head(padded, present.sum(1))

    @can_return_tuple
    def forward(
        self, pixel_values: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None
    ) -> HeadOutput:
        """Clips `(B, T, C, H, W)`, the paper's T is 16; `attention_mask (B, T)` is false at padded frames.

        `labels (B,)` integers give the mean cross entropy, negative ones (unknown) do not count.
        """
        logits = self.clip_logits(pixel_values, attention_mask)
        return HeadOutput(loss=None if labels is None else clip_loss(logits, labels), logits=logits)


class UViForActionClassification(UViClipHead):
    """One label per clip of images; logits without softmax.

    Examples:
        >>> import torch
        >>> config = motionhub.UViConfig(image_size=64, channels=[4, 8], pose_hidden_sizes=[8, 8], num_labels=5)
        >>> model = motionhub.UViForActionClassification(config)
        >>> model(torch.randn(1, 4, 3, 64, 64)).logits.shape
        torch.Size([1, 5])
    """


class UViForMovementQuality(UViClipHead):
    """How well a movement is done: a class for each score 0..max_score, trained by cross entropy as in the paper.

    A long sequence is cut into 16-frame clips and the logits of all of them are averaged (section 4 of the paper).

    Examples:
        >>> import torch
        >>> config = motionhub.UViConfig(image_size=64, channels=[4, 8], pose_hidden_sizes=[8, 8], max_score=4)
        >>> model = motionhub.UViForMovementQuality(config)
        >>> model(torch.randn(1, 4, 3, 64, 64)).logits.shape
        torch.Size([1, 5])
    """

    @property
    def num_outputs(self) -> int:
        return self.config.max_score + 1

    @can_return_tuple
    def forward(
        self, pixel_values: Tensor, attention_mask: Tensor | None = None, labels: Tensor | None = None
    ) -> HeadOutput:
        """As for classification, of whole scores `labels (B,)` in 0..max_score; `scores (B,)` are expected scores.

        Raises:
            ValueError: a label above `max_score`.
        """
        if labels is not None:
            check_grades(labels, self.config.max_score, "UViConfig")
        made = super().forward(pixel_values, attention_mask, labels, return_dict=True)
        return HeadOutput(loss=made.loss, logits=made.logits, scores=expected_grade(made.logits))


def _present(attention_mask: Tensor | None, batch: int, frames: int, device: torch.device) -> Tensor:
    """`(B, T)` which frames count; every clip has some, and its padding is at the end."""
    if attention_mask is None:
        return torch.ones(batch, frames, dtype=torch.bool, device=device)
    present = attention_mask.to(device).bool()
    lengths = present.sum(-1)
    fits = present.shape == (batch, frames) and not bool((lengths == 0).any())
    if not fits or not torch.equal(present, frames_within(lengths, frames)):
        raise ValueError(
            f"An attention_mask of ({batch}, {frames}) is expected, with frames in every clip and padding at its end, "
            f"got {tuple(attention_mask.shape)} with {lengths.tolist()} frames."
        )
    return present
