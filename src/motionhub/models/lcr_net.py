"""LcrNetModel: finds people in images and their 2-D poses, by localisation, classification and regression.

Papers: Rogez, Weinzaepfel and Schmid, "LCR-Net++", TPAMI 2019, https://arxiv.org/abs/1803.00455 (the network); Yang et
al., "Selective Spatio-Temporal Aggregation Based Pose Refinement System", WACV 2021, https://arxiv.org/abs/2011.05358
(2-D only; this network is the student of its self-training, which moves localisation and classification only). No
weights of either can be converted: the first's are 3-D, the second's were never published.

1. Localisation: a region proposal network on the feature pyramid of a ResNet gives boxes that may hold a person.
2. Classification: which of the anchor poses (K-Means centres, stored with the weights) a box holds, or none.
3. Regression: for each anchor pose its own displacement of every joint, relative to the size of the box.
4. Integration: overlapping proposals become one pose per person (`integrate_proposals`).

Steps 1 and 2 are torchvision's parts of Faster R-CNN, needed to make the model, not to read its config.

Deliberate deviations from LCR-Net++: 2-D only; no anchor poses of upper bodies alone (SSTA-PRS has 20 full ones); two
poses are one mode by their distance in the image, not in metres.
"""

import importlib
from dataclasses import dataclass
from typing import Any, Literal

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel
from transformers.utils import ModelOutput, can_return_tuple

from motionhub.models.motion_model import MotionConfig


RESNETS = {
    "resnet10": ("BasicBlock", [1, 1, 1, 1]),
    "resnet18": ("BasicBlock", [2, 2, 2, 2]),
    "resnet34": ("BasicBlock", [3, 4, 6, 3]),
    "resnet50": ("Bottleneck", [3, 4, 6, 3]),
}
STAGES = ("layer1", "layer2", "layer3", "layer4")
PYRAMID_LEVELS = len(STAGES) + 1  # and one of half the resolution, for large people
# The regression outputs this times the displacement in boxes (Faster R-CNN's weight of box sizes).
REGRESSION_SCALE = 5.0
POOLED_SIZE = 7
BACKGROUND = 0
# Of padding rows of an output, which hold no person.
PADDING = {"poses": torch.nan, "confidence": 0.0, "scores": 0.0, "boxes": torch.nan, "class_scores": 0.0}


@strict
class LcrNetConfig(MotionConfig):
    """Sizes and thresholds of LcrNetModel; the defaults are those of SSTA-PRS and of Faster R-CNN.

    Args:
        layout: name of the skeleton layout of its poses.
        num_joints: of the layout.
        num_anchor_poses: K; the classes are 0 (no person) and 1 to K.
        backbone: `"resnet50"` (published) or a smaller one; `"resnet10"` has one block a stage.
        backbone_norm: `"batch"`; `"frozen"` has the same weights and never changes its statistics, which a batch of
            few images needs.
        pyramid_channels: of the feature pyramid.
        head_size: units of the two layers that see a pooled box.
        anchor_sizes: side in pixels of the boxes that proposals start from, one per pyramid level.
        aspect_ratios: of those boxes, height / width.
        train_proposals, test_proposals: boxes per image that are kept after non-maximum suppression.
        boxes_per_image: boxes per image that classification learns from.
        positive_fraction: at most this share of them holds a person.
        min_class_score: probability from which on a box and an anchor pose are a pose proposal.
        min_overlap, max_distance, min_mode_score, min_person_score: of `integrate_proposals`.
        max_people: people per image that are kept.

    Examples:
        >>> motionhub.LcrNetConfig(num_anchor_poses=30).anchor_sizes
        [32, 64, 128, 256, 512]
    """

    model_type = "motionhub_lcr_net"
    default_lists = {"anchor_sizes": [32, 64, 128, 256, 512], "aspect_ratios": [0.5, 1.0, 2.0]}

    layout: str = "lcrnet-13"
    num_joints: int = 13
    num_anchor_poses: int = 20
    backbone: Literal["resnet10", "resnet18", "resnet34", "resnet50"] = "resnet50"
    backbone_norm: Literal["batch", "frozen"] = "batch"
    pyramid_channels: int = 256
    head_size: int = 1024
    anchor_sizes: list[int] | None = None
    aspect_ratios: list[float] | None = None
    train_proposals: int = 2000
    test_proposals: int = 300
    boxes_per_image: int = 512
    positive_fraction: float | int = 0.25
    min_class_score: float | int = 0.05
    min_overlap: float | int = 0.2
    max_distance: float | int = 0.1
    min_mode_score: float | int = 0.05
    min_person_score: float | int = 0.002
    max_people: int = 20

    def validate_anchors(self) -> None:
        if len(self.anchor_sizes or []) != PYRAMID_LEVELS:
            raise ValueError(
                f"LcrNetConfig expects {PYRAMID_LEVELS} anchor_sizes, one per pyramid level, got {self.anchor_sizes}."
            )
        if min(self.aspect_ratios or [0]) <= 0:
            raise ValueError(f"LcrNetConfig expects aspect_ratios (height / width) above 0, got {self.aspect_ratios}.")

    def validate_shares(self) -> None:
        for name in ("positive_fraction", "min_class_score", "min_overlap", "min_mode_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"LcrNetConfig expects {name} in 0..1, got {getattr(self, name)}.")


@dataclass
class LcrNetOutput(ModelOutput):
    """People of each image, best first; rows beyond `num_people` are padding (NaN poses and boxes, zero scores).

    With labels only the losses are set, without labels only the people.

    Args:
        loss: the sum of the parts below.
        objectness_loss, box_loss: of localisation.
        class_loss: cross entropy of the anchor poses.
        regression_loss: of the joints' displacements; only with `keypoints`.
        num_people: `(batch,)`.
        poses: `(batch, people, joints, 2)` in pixels of `pixel_values`.
        confidence: `(batch, people)` in 0..1, probability of the best proposal.
        scores: `(batch, people)`, sum over a person's proposals (LCR-Net's cumulative score), which orders them.
        boxes: `(batch, people, 4)` left, top, right, bottom.
        class_scores: `(batch, people, 1 + anchor poses)` probabilities, the first of "no person".
    """

    loss: Tensor | None = None
    objectness_loss: Tensor | None = None
    box_loss: Tensor | None = None
    class_loss: Tensor | None = None
    regression_loss: Tensor | None = None
    num_people: Tensor | None = None
    poses: Tensor | None = None
    confidence: Tensor | None = None
    scores: Tensor | None = None
    boxes: Tensor | None = None
    class_scores: Tensor | None = None


def detection_library() -> Any:
    """torchvision, whose parts the model is made of.

    Raises:
        ImportError: torchvision is not installed, or does not match the installed torch.
    """
    try:
        return importlib.import_module("torchvision")
    except (ImportError, RuntimeError, AttributeError) as error:  # a build for another torch
        raise ImportError(
            f"LcrNetModel is made of torchvision's detection parts, but torchvision cannot be used here ({error}). "
            "Install the one that fits your torch: pip install 'motionhub[towers]' (or pip install torchvision)."
        ) from error


class PyramidBackbone(nn.Module):
    """A ResNet whose four stages become five maps of the same number of channels, `{"0": ..., ..., "pool": ...}`."""

    def __init__(self, config: LcrNetConfig, vision: Any) -> None:
        super().__init__()
        block, layers = RESNETS[config.backbone]
        norm = vision.ops.FrozenBatchNorm2d if config.backbone_norm == "frozen" else nn.BatchNorm2d
        block_class = getattr(vision.models.resnet, block)
        resnet = vision.models.resnet.ResNet(block_class, layers, norm_layer=norm)
        widths = [64 * 2**stage * block_class.expansion for stage in range(len(STAGES))]
        names = {name: str(index) for index, name in enumerate(STAGES)}
        self.stages = vision.models._utils.IntermediateLayerGetter(resnet, names)
        coarsest = vision.ops.feature_pyramid_network.LastLevelMaxPool()
        self.pyramid = vision.ops.FeaturePyramidNetwork(widths, config.pyramid_channels, coarsest)

    def forward(self, pixel_values: Tensor) -> dict[str, Tensor]:
        return self.pyramid(self.stages(pixel_values))


class PoseHead(nn.Module):
    """Head on a pooled box: logits of "no person" and each anchor pose, and each anchor pose's displacements."""

    def __init__(self, config: LcrNetConfig) -> None:
        super().__init__()
        self.shape = (config.num_anchor_poses, config.num_joints, 2)
        self.hidden = nn.Sequential(
            nn.Flatten(),
            nn.Linear(config.pyramid_channels * POOLED_SIZE**2, config.head_size),
            nn.ReLU(),
            nn.Linear(config.head_size, config.head_size),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(config.head_size, 1 + config.num_anchor_poses)
        self.regressor = nn.Linear(config.head_size, config.num_anchor_poses * config.num_joints * 2)
        # LCR-Net's initial deviations, read by `_init_weights`.
        vars(self.classifier)["initial_std"], vars(self.regressor)["initial_std"] = 0.01, 0.001

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        """`(boxes, channels, 7, 7)` -> `(boxes, 1 + anchor poses)` and `(boxes, anchor poses, joints, 2)`."""
        hidden = self.hidden(pooled)
        return self.classifier(hidden), self.regressor(hidden).unflatten(-1, self.shape)


@dataclass(frozen=True)
class Targets:
    """Annotations of one image: `(people, 4)` boxes, `(people,)` classes, `(people, joints, 2)` or None."""

    boxes: Tensor
    classes: Tensor
    keypoints: Tensor | None


class LcrNetModel(PreTrainedModel):
    """Images in; people's poses, boxes and class scores out. With labels: the losses.

    The boxes that losses are computed on are drawn with torch's global generator, as in torchvision: seed it
    (`TrainingRecipe.seed` does).

    Examples:
        >>> model = motionhub.LcrNetModel(motionhub.LcrNetConfig(backbone="resnet10"))
        >>> tuple(model.anchor_poses.shape)
        (20, 13, 2)
    """

    config: LcrNetConfig
    anchor_poses: Tensor
    base_model_prefix = "lcr_net"
    main_input_name = "pixel_values"
    input_modalities = ["image"]

    def __init__(self, config: LcrNetConfig) -> None:
        super().__init__(config)
        assert config.anchor_sizes and config.aspect_ratios
        vision = detection_library()
        detection = vision.models.detection
        self.images, self.overlap = detection.image_list.ImageList, vision.ops.box_iou
        self.backbone = PyramidBackbone(config, vision)
        anchors = detection.anchor_utils.AnchorGenerator(
            tuple((size,) for size in config.anchor_sizes), (tuple(config.aspect_ratios),) * PYRAMID_LEVELS
        )
        kept = {"training": config.train_proposals, "testing": config.test_proposals}
        self.localisation = detection.rpn.RegionProposalNetwork(
            anchors,
            detection.rpn.RPNHead(config.pyramid_channels, len(config.aspect_ratios)),
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=256,
            positive_fraction=0.5,
            pre_nms_top_n=kept,
            post_nms_top_n=kept,
            nms_thresh=0.7,
        )
        self.pooling = vision.ops.MultiScaleRoIAlign(
            [str(index) for index in range(len(STAGES))], POOLED_SIZE, sampling_ratio=2
        )
        self.matcher = detection._utils.Matcher(0.5, 0.5, allow_low_quality_matches=False)
        self.sampler = detection._utils.BalancedPositiveNegativeSampler(
            config.boxes_per_image, float(config.positive_fraction)
        )
        self.head = PoseHead(config)
        self.register_buffer("anchor_poses", torch.zeros(config.num_anchor_poses, config.num_joints, 2))
        for layer in self.localisation.head.modules():
            vars(layer)["initial_std"] = 0.01
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """He's for the ResNet (its convolutions have no bias), and Detectron's and LCR-Net's for what is behind it."""
        if isinstance(module, nn.BatchNorm2d):
            super()._init_weights(module)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            if (deviation := vars(module).get("initial_std")) is not None:
                nn.init.normal_(module.weight, std=deviation)
            elif module.bias is None:
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            else:
                nn.init.kaiming_uniform_(module.weight, a=1)
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def set_anchor_poses(self, anchor_poses: Any) -> None:
        """The centres of the classes, `(anchor poses, joints, 2)` in the unit box (`self_training.fit_anchor_poses`).

        Raises:
            ValueError: another shape than the config's, or numbers missing.
        """
        anchors = torch.as_tensor(anchor_poses, dtype=self.anchor_poses.dtype, device=self.anchor_poses.device)
        if anchors.shape != self.anchor_poses.shape or not anchors.isfinite().all():
            raise ValueError(
                f"LcrNetModel expects finite anchor poses {tuple(self.anchor_poses.shape)} (num_anchor_poses, "
                f"num_joints, 2), got {tuple(anchors.shape)}; fit_anchor_poses(poses, {len(self.anchor_poses)}) makes "
                "them."
            )
        self.anchor_poses.copy_(anchors)

    @can_return_tuple
    def forward(
        self,
        pixel_values: Tensor,
        image_sizes: Tensor | None = None,
        boxes: Tensor | None = None,
        classes: Tensor | None = None,
        keypoints: Tensor | None = None,
    ) -> LcrNetOutput:
        """People of each image, or with `boxes` and `classes` the losses.

        Args:
            pixel_values: `(batch, 3, height, width)` as `PersonImageProcessor` makes them, padded right and below.
            image_sizes: `(batch, 2)` height and width of each image without padding; None: all of it.
            boxes: `(batch, people, 4)` pixels; NaN rows are padding.
            classes: `(batch, people)` 1 to K, the anchor pose of each box.
            keypoints: `(batch, people, joints, 2)` pixels, NaN missing: the regression learns too. Without, it gets no
                gradient (SSTA-PRS: L = L_RPN + cross entropy).

        Raises:
            ValueError: shapes, boxes or classes that do not fit, or anchor poses that were never set.
        """
        sizes = self._sizes(pixel_values, image_sizes)
        if not self.anchor_poses.any():
            raise ValueError("This LcrNetModel has no anchor poses; model.set_anchor_poses(fit_anchor_poses(poses)).")
        targets = self._targets(pixel_values, boxes, classes, keypoints)
        features = self.backbone(pixel_values)
        self.localisation.train(targets is not None)  # it gives losses in training mode only; nothing else differs
        known = None if targets is None else [{"boxes": target.boxes} for target in targets]
        proposals, parts = self.localisation(self.images(pixel_values, sizes), features, known)
        if targets is None:
            return self._people(features, proposals, sizes)
        losses = {"objectness_loss": parts["loss_objectness"], "box_loss": parts["loss_rpn_box_reg"]}
        losses |= self._head_losses(features, proposals, sizes, targets)
        return LcrNetOutput(loss=torch.stack(list(losses.values())).sum(), **losses)

    # Losses

    def _head_losses(
        self,
        features: dict[str, Tensor],
        proposals: list[Tensor],
        sizes: list[tuple[int, int]],
        targets: list[Targets],
    ) -> dict[str, Tensor]:
        drawn = [self._draw(*each) for each in zip(proposals, targets, strict=True)]
        boxes, classes, keypoints = ([row[column] for row in drawn] for column in range(3))
        logits, displacements = self.head(self.pooling(features, boxes, sizes))
        every = torch.cat(classes)
        losses = {"class_loss": functional.cross_entropy(logits, every)}
        if targets[0].keypoints is not None:
            wanted = torch.cat(keypoints)
            losses["regression_loss"] = self._regression_loss(displacements, every, torch.cat(boxes), wanted)
        return losses

    @torch.no_grad()
    def _draw(self, proposals: Tensor, target: Targets) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes to learn from, their classes, and the keypoints of the nearest person (NaN for none)."""
        proposals = torch.cat([proposals, target.boxes])
        classes = torch.full((len(proposals),), BACKGROUND, device=proposals.device)
        keypoints = proposals.new_full((len(proposals), self.config.num_joints, 2), torch.nan)
        if len(target.boxes):
            matched = self.matcher(self.overlap(target.boxes, proposals))
            held = matched >= 0
            classes[held] = target.classes[matched[held]]
            if target.keypoints is not None:
                keypoints[held] = target.keypoints[matched[held]]
        positive, negative = self.sampler([classes])
        chosen = torch.where(positive[0].bool() | negative[0].bool())[0]
        return proposals[chosen], classes[chosen], keypoints[chosen]

    def _regression_loss(self, displacements: Tensor, classes: Tensor, boxes: Tensor, wanted: Tensor) -> Tensor:
        """Smooth L1 over the joints that are known, of the boxes that hold a person, each by its own class."""
        held = torch.where(classes != BACKGROUND)[0]
        own = classes[held] - 1
        goal = REGRESSION_SCALE * (relative_to(wanted[held], boxes[held]) - self.anchor_poses[own])
        visible = ~goal.isnan()
        error = functional.smooth_l1_loss(displacements[held, own][visible], goal[visible], reduction="sum")
        return error / visible.sum().clamp(min=1)

    # People

    def _people(
        self, features: dict[str, Tensor], proposals: list[Tensor], sizes: list[tuple[int, int]]
    ) -> LcrNetOutput:
        logits, displacements = self.head(self.pooling(features, proposals, sizes))
        probabilities = logits.softmax(dim=-1)
        counts = [len(boxes) for boxes in proposals]
        each = zip(proposals, probabilities.split(counts), displacements.split(counts), sizes, strict=True)
        rows = [self._people_of_one(*one) for one in each]
        padded = {
            name: nn.utils.rnn.pad_sequence([row[name] for row in rows], batch_first=True, padding_value=value)
            for name, value in PADDING.items()
        }
        num_people = torch.tensor([len(row["scores"]) for row in rows], device=logits.device)
        return LcrNetOutput(num_people=num_people, **padded)

    def _people_of_one(
        self, boxes: Tensor, probabilities: Tensor, displacements: Tensor, size: tuple[int, int]
    ) -> dict[str, Tensor]:
        box, anchor = torch.where(probabilities[:, 1:] > float(self.config.min_class_score))
        poses = fit_into(self.anchor_poses[anchor] + displacements[box, anchor] / REGRESSION_SCALE, boxes[box])
        scores = probabilities[box, anchor + 1]
        config = self.config
        people = integrate_proposals(
            poses,
            scores,
            (size[1], size[0]),
            min_overlap=float(config.min_overlap),
            max_distance=float(config.max_distance),
            min_mode_score=float(config.min_mode_score),
            min_person_score=float(config.min_person_score),
        )
        weights = people.weights[: config.max_people]
        return {
            "poses": torch.einsum("pc,cjd->pjd", weights, poses),
            "confidence": torch.where(weights > 0, scores, 0).amax(dim=1) if len(scores) else weights.sum(dim=1),
            "scores": people.scores[: config.max_people],
            "boxes": weights @ boxes[box],
            "class_scores": weights @ probabilities[box],
        }

    # Input checks

    def _sizes(self, pixel_values: Tensor, image_sizes: Tensor | None) -> list[tuple[int, int]]:
        if pixel_values.dim() != 4 or pixel_values.shape[1] != 3:
            raise ValueError(
                f"LcrNetModel expects pixel_values (batch, 3, height, width), got {tuple(pixel_values.shape)}; "
                "PersonImageProcessor()(images) makes them."
            )
        height, width = pixel_values.shape[2:]
        if image_sizes is None:
            return [(height, width)] * len(pixel_values)
        sizes = [(int(rows), int(columns)) for rows, columns in image_sizes.tolist()]
        if len(sizes) != len(pixel_values) or any(rows > height or columns > width for rows, columns in sizes):
            raise ValueError(f"image_sizes must be {len(pixel_values)} of at most ({height}, {width}), got {sizes}.")
        return sizes

    def _targets(
        self, pixel_values: Tensor, boxes: Tensor | None, classes: Tensor | None, keypoints: Tensor | None
    ) -> list[Targets] | None:
        if boxes is None and classes is None and keypoints is None:
            return None
        if boxes is None or classes is None:
            raise ValueError("Losses need boxes and classes, and keypoints where the regression learns; got a part.")
        joints, batch = self.config.num_joints, len(pixel_values)
        people = classes.shape
        fits = classes.dim() == 2 and len(classes) == batch and boxes.shape == (*people, 4)
        if not fits or (keypoints is not None and keypoints.shape != (*people, joints, 2)):
            raise ValueError(
                f"LcrNetModel expects classes ({batch}, people), boxes ({batch}, people, 4) and keypoints ({batch}, "
                f"people, {joints}, 2) or None, got {tuple(people)}, {tuple(boxes.shape)} and "
                f"{None if keypoints is None else tuple(keypoints.shape)}."
            )
        there = ~boxes.isnan().any(dim=-1)
        own = classes[there]
        if len(own) and not (int(own.min()) >= 1 and int(own.max()) <= self.config.num_anchor_poses):
            raise ValueError(f"classes must be 1 to {self.config.num_anchor_poses}, got {own.unique().tolist()}.")
        if (boxes[there][:, 2:] <= boxes[there][:, :2]).any():
            raise ValueError("boxes must be left, top, right, bottom, with right > left and bottom > top.")
        return [
            Targets(boxes[row, here], classes[row, here], None if keypoints is None else keypoints[row, here])
            for row, here in enumerate(there)
        ]


def fit_into(poses: Tensor, boxes: Tensor) -> Tensor:
    """Poses of the unit box put into boxes: `(..., joints, 2)` and `(..., 4)` as left, top, right, bottom."""
    corner, size = boxes[..., None, :2], boxes[..., None, 2:] - boxes[..., None, :2]
    return corner + poses * size


def relative_to(poses: Tensor, boxes: Tensor) -> Tensor:
    """The inverse of `fit_into`: the box's left top corner becomes (0, 0), its right bottom one (1, 1)."""
    corner, size = boxes[..., None, :2], boxes[..., None, 2:] - boxes[..., None, :2]
    return (poses - corner) / size


@dataclass(frozen=True)
class People:
    """Which proposals each person is made of, best person first.

    Args:
        weights: `(people, proposals)`; a row sums to 1 and is zero for proposals that are not this person's. The
            person's pose is `weights @ poses`, and so are its box and its class scores.
        scores: `(people,)` sum of the scores of the proposals used (LCR-Net's cumulative score; may be above 1).
    """

    weights: Tensor
    scores: Tensor


def integrate_proposals(
    poses: Tensor,
    scores: Tensor,
    image_size: tuple[int, int],
    *,
    min_overlap: float = 0.2,
    max_distance: float = 0.1,
    min_mode_score: float = 0.05,
    min_person_score: float = 0.002,
) -> People:
    """Pose proposal integration: proposals that overlap are one person, of which the most supported pose is kept.

    The proposal with the highest score and all that overlap it are a person; repeated until no proposal is left.
    Within a person, the highest score and all of the person's proposals near it are a mode; repeated with those in no
    mode yet. The mode with the largest sum of scores is the person's pose: the mean of its proposals
    weighted by their scores.

    Args:
        poses: `(proposals, joints, 2)` pixels.
        scores: `(proposals,)` above 0.
        image_size: (width, height); the part of a pose outside does not count for the overlap.
        min_overlap: intersection over union of two poses' boxes from which on they are one person.
        max_distance: mean distance of the joints, as a share of the longer side of the pose's box, up to which two
            poses are one mode. LCR-Net++ takes 0.3 m in 3-D, a sixth of a person; this is ours, for 2-D.
        min_mode_score: no further mode begins at a proposal with less.
        min_person_score: people with a smaller sum of scores are dropped.
    """
    left, boxes = torch.ones_like(scores, dtype=torch.bool), _boxes_inside(poses, image_size)
    found: list[tuple[Tensor, Tensor]] = []
    while left.any():
        best = int(torch.where(left, scores, -torch.inf).argmax())
        person = left & (_overlap(boxes, boxes[best]) > min_overlap)
        person[best] = True  # a pose outside the image overlaps nothing, not even itself
        left = left & ~person
        mode = _main_mode(poses, scores, person, max_distance, min_mode_score)
        total = scores[mode].sum()
        if total > min_person_score:
            found.append((torch.where(mode, scores, 0) / total, total))
    if not found:
        return People(scores.new_zeros(0, len(scores)), scores.new_zeros(0))
    weights, totals = (torch.stack(each) for each in zip(*found, strict=True))
    order = totals.argsort(descending=True, stable=True)
    return People(weights[order], totals[order])


def _main_mode(poses: Tensor, scores: Tensor, person: Tensor, max_distance: float, min_mode_score: float) -> Tensor:
    left, main, most = person.clone(), person, scores.new_tensor(-torch.inf)
    while left.any():
        best = int(torch.where(left, scores, -torch.inf).argmax())
        if scores[best] < min_mode_score and most > -torch.inf:
            break
        size = (poses[best].amax(dim=0) - poses[best].amin(dim=0)).amax()
        near = (poses - poses[best]).norm(dim=-1).mean(dim=-1) <= max_distance * size
        mode = person & near
        mode[best] = True
        left = left & ~mode
        if scores[mode].sum() > most:
            main, most = mode, scores[mode].sum()
    return main


def _boxes_inside(poses: Tensor, image_size: tuple[int, int]) -> Tensor:
    limit = poses.new_tensor(image_size)
    inside = torch.minimum(poses.clamp(min=0), limit)
    return torch.cat([inside.amin(dim=1), inside.amax(dim=1)], dim=-1)


def _overlap(boxes: Tensor, box: Tensor) -> Tensor:
    """Intersection over union of `(boxes, 4)` with one box."""
    sides = torch.minimum(boxes[:, 2:], box[2:]) - torch.maximum(boxes[:, :2], box[:2])
    common = sides.clamp(min=0).prod(dim=-1)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(dim=-1)
    union = areas + (box[2:] - box[:2]).prod() - common
    return torch.where(union > 0, common / union, 0)
