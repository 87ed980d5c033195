"""Two images of each of many poses, from clips in 3-D; the common parts of CV-MIM and its baselines.

Poses are drawn from the clips of a batch, their trunk is scaled to length 1, two cameras each give an image
(2-D points, `augment.views`), joints may be hidden, and every image is normalised as the processor does
(`normalization="torso"`). Everything drawn for a clip is decided by its seed. The official training takes half of its
images from a pose detector; here all are projected.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor, nn

from motionhub.augment.views import CameraRanges, draw_cameras, images_of
from motionhub.geometry.torso import in_torso_units
from motionhub.losses.contrastive import alignment, uniformity
from motionhub.nn.keras_layers import init_keras
from motionhub.objectives.self_supervised import Model, Run, SelfSupervised
from motionhub.skeletons.layout import SkeletonLayout


NUM_VIEWS = 2


@dataclass(frozen=True)
class PoseViews:
    """Images of `num_poses` poses, all of them usable.

    Args:
        images: `(2, num_poses, joints, 2)`: anchors and their positives; zeros where missing.
        seen: `(2, num_poses, joints)` bool.
        points: `(num_poses, joints, 3)` the poses, hips at the origin, trunk of length 1.
        visible: `(num_poses, joints)` bool: of the poses.
        noise: `(num_poses, 2, num_noise)` uniform in 0..1, for what an objective draws itself.
    """

    images: Tensor
    seen: Tensor
    points: Tensor
    visible: Tensor
    noise: Tensor


@dataclass(frozen=True)
class ViewSampler:
    """How images are made of a batch.

    Args:
        layout: of the clips' joints; it has shoulders and hips.
        ranges: of the cameras.
        poses_per_clip: poses drawn from a clip, each from another frame while there are enough.
        hidden_joints: probability with which a joint of an image is hidden; trunks stay whole.
        up: the axis of the clips that points up.
        num_noise: see `PoseViews.noise`.

    Raises:
        ValueError: a number is out of range, or the layout has no shoulders or hips.
    """

    layout: SkeletonLayout
    ranges: CameraRanges = field(default_factory=CameraRanges)
    poses_per_clip: int = 4
    hidden_joints: float = 0.0
    up: str = "y"
    num_noise: int = 0

    def __post_init__(self) -> None:
        if self.poses_per_clip < 1 or not 0 <= self.hidden_joints < 1:
            raise ValueError(
                f"Expected poses_per_clip of at least 1 and hidden_joints in 0..1, below 1; got "
                f"{self.poses_per_clip} and {self.hidden_joints}."
            )
        torso_joints(self.layout)

    def __call__(self, batch: dict[str, Tensor]) -> PoseViews:
        """From `keypoints (B, 1, T, V, 3)`, `joint_mask`, `attention_mask` and `seeds (B,)`.

        Raises:
            ValueError: not 3-D clips of one person in this layout, or fewer than two usable poses.
        """
        keypoints, seen = batch["keypoints"], batch["joint_mask"].bool()
        if keypoints.ndim != 5 or keypoints.shape[-1] != 3 or keypoints.shape[1] != 1:
            raise ValueError(
                "Views are made of 3-D clips of one person, (batch, 1, frames, joints, 3), got "
                f"{tuple(keypoints.shape)}; process with SkeletonProcessor(num_dims=3, num_people=1, "
                'normalization="none").'
            )
        if keypoints.shape[3] != self.layout.num_joints:
            raise ValueError(
                f"Layout {self.layout.name!r} has {self.layout.num_joints} joints, got clips of {keypoints.shape[3]}; "
                f"process with SkeletonProcessor(layout={self.layout.name!r}, ...)."
            )
        shoulders, hips = torso_joints(self.layout)
        whole = batch["attention_mask"][:, 0].bool() & seen[:, 0][..., [*shoulders, *hips]].all(-1)
        draws = [values.to(keypoints.device) for values in self._draws(batch["seeds"], keypoints.shape[2])]
        frames = (draws[0] * whole).topk(min(self.poses_per_clip, keypoints.shape[2]), dim=1).indices
        rows = torch.arange(len(keypoints), device=keypoints.device)[:, None]
        points, visible = keypoints[:, 0][rows, frames].flatten(0, 1), seen[:, 0][rows, frames].flatten(0, 1)
        points, visible = in_torso_units(points.float(), visible, shoulders, hips)
        rest = draws[1][:, : frames.shape[1]].flatten(0, 1)  # (num_poses, 2, 3 + joints + num_noise)
        return self._taken(points, visible, rest, whole[rows, frames].flatten())

    def _draws(self, seeds: Tensor, num_frames: int) -> tuple[Tensor, Tensor]:
        """Uniform numbers of every clip: `(B, T)` to choose frames by, and `(B, poses, 2, ...)` for the images."""
        size = (self.poses_per_clip, NUM_VIEWS, 3 + self.layout.num_joints + self.num_noise)
        made = []
        for seed in seeds.tolist():
            generator = Generator().manual_seed(seed)
            # above 0, so that frames that cannot be used come last
            made.append((1 - torch.rand(num_frames, generator=generator), torch.rand(size, generator=generator)))
        return torch.stack([one for one, _ in made]), torch.stack([other for _, other in made])

    def _taken(self, points: Tensor, visible: Tensor, draws: Tensor, usable: Tensor) -> PoseViews:
        joints = self.layout.num_joints
        shoulders, hips = torso_joints(self.layout)
        draws = draws.transpose(0, 1)  # (2, num_poses, ...)
        angles = draw_cameras(draws[..., :3], self.ranges)
        images, seen = images_of(points.expand(2, -1, -1, -1), visible.expand(2, -1, -1), angles, self.ranges, self.up)
        hidden = draws[..., 3 : 3 + joints] < self.hidden_joints
        hidden[..., [*shoulders, *hips]] = False
        images, seen = in_torso_units(images, seen & ~hidden, shoulders, hips)
        kept = usable & seen.any(-1).all(0)
        if int(kept.sum()) < 2:
            raise ValueError(
                f"Only {int(kept.sum())} of {len(kept)} poses of the batch have shoulders and hips that can be "
                "measured; clips without them (all joints on one spot, a trunk that is missing) teach nothing."
            )
        noise = draws[:, kept, 3 + joints :].transpose(0, 1)
        return PoseViews(images[:, kept], seen[:, kept], points[kept], visible[kept], noise)


@dataclass(kw_only=True, eq=False, repr=False)
class PoseObjective(SelfSupervised):
    """An objective on images of single poses.

    Its batches hold 3-D clips of one person (a `ClipDataset` with `SkeletonProcessor(num_dims=3, num_people=1,
    normalization="none")`); the model sees images, and is saved with the processor of images. The learning rate is
    the recipe's (official 0.02); `optimizer` of the recipe is not used: the optimizers are Adagrad's, as in Keras.

    Args:
        layout: of the clips' joints and the encoder's.
        ranges, poses_per_clip, hidden_joints, up: see `ViewSampler`.
    """

    layout: SkeletonLayout = field(kw_only=False)
    ranges: CameraRanges = field(default_factory=CameraRanges)
    poses_per_clip: int = 4
    hidden_joints: float = 0.0
    up: str = "y"

    views: ViewSampler = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.views = ViewSampler(self.layout, self.ranges, self.poses_per_clip, self.hidden_joints, self.up)

    def settings(self) -> dict[str, Any]:
        """What must not change when a run is resumed."""
        options = super().settings()
        views = {name: options.pop(name) for name in ("ranges", "poses_per_clip", "hidden_joints", "up")}
        return {**options, "views": views}

    def prepare(self, model: Model, run: Run) -> nn.Module:
        """The network around `model`, whose further parts get the initial values of Keras.

        Raises:
            ValueError: the encoder takes anything but images of this layout, or see `network`.
        """
        config = model.config
        if not hasattr(model, "encode") or (config.num_joints, config.in_channels) != (self.layout.num_joints, 2):
            raise ValueError(
                f"Expected an encoder of single 2-D poses with {self.layout.num_joints} joints ({self.layout.name}), "
                f"such as CvMimModel; got {type(model).__name__} with {config.num_joints} joints in "
                f"{config.in_channels}-D."
            )
        network = super().prepare(model, run)
        for name, part in network.named_children():
            if name != "encoder":
                part.apply(lambda module: None if init_keras(module) else None)
        return network

    def optimizers(self, network: nn.Module, learning_rate: float) -> list[torch.optim.Optimizer]:
        """One."""
        return [keras_adagrad(list(network.parameters()), learning_rate)]


def keras_adagrad(weights: list[nn.Parameter], learning_rate: float) -> torch.optim.Adagrad:
    """Adagrad with the initial values of Keras."""
    return torch.optim.Adagrad(weights, lr=learning_rate, initial_accumulator_value=0.1, eps=1e-7)


@torch.no_grad()
def space_of(poses: Tensor) -> dict[str, Tensor]:
    """Alignment and uniformity of pose vectors `(2, n, size)`."""
    return {"alignment": alignment(poses[0], poses[1]), "uniformity": uniformity(poses[0][:512])}


def torso_joints(layout: SkeletonLayout) -> tuple[tuple[int, int], tuple[int, int]]:
    """Indices of the two shoulders and of the two hips.

    Raises:
        ValueError: the layout lacks one.
    """
    names = [f"{side}_{part}" for part in ("shoulder", "hip") for side in ("left", "right")]
    missing = [name for name in names if name not in layout.joints]
    if missing:
        raise ValueError(
            f"The trunk is measured by shoulders and hips, but layout {layout.name!r} has no {missing}; use cv-mim-13."
        )
    left, right, left_hip, right_hip = (layout.index(name) for name in names)
    return (left, right), (left_hip, right_hip)
