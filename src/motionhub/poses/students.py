"""Pose estimators trained on pseudo ground truth: LCR-Net by the paper's recipe, or any model of heat maps.

Images are `(height, width, 3)` RGB arrays, by frame number. `LcrNetStudent` finds people by itself; `HeatmapStudent`
needs their boxes (top-down), and learns all joints.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn
from torch.nn import functional

from motionhub.poses.self_training import LabelledFrame, classified
from motionhub.training.arguments import TrainingRecipe
from motionhub.training.trainer import TrainingResult, train


Images = Mapping[int, np.ndarray]
FAR = 1e9  # of poses without a joint in common
NORMALISATION = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # ImageNet's


def self_training_recipe(**changes: Any) -> TrainingRecipe:
    """The numbers of SSTA-PRS: 4 images an update (512 boxes an image are the model's `boxes_per_image`).

    Its papers refer to "standard settings" for the rest; these are Faster R-CNN's, scaled to 4 images.
    """
    numbers = {"batch_size": 4, "learning_rate": 0.005, "momentum": 0.9, "weight_decay": 1e-4, "epochs": 12}
    source = "SSTA-PRS: 4 images an update; the rest Faster R-CNN's schedule"
    return TrainingRecipe(**{**numbers, "milestones": [8, 11], "source": source, **changes})


class LcrNetStudent:
    """An `LcrNetModel` with its processor.

    Args:
        model: with anchor poses (`set_anchor_poses`).
        processor: a `PersonImageProcessor`.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor

    def train(
        self, labels: Sequence[LabelledFrame], images: Images, recipe: TrainingRecipe, *, regression: bool = False
    ) -> TrainingResult:
        """Fine-tune localisation and classification; the regression's weights stay as they are.

        The features below the regression move, and large steps spoil its poses. With the recipe's SGD they stay (on
        images of its training, mean error 0.049 boxes before and 0.045 after 10 epochs; 0.28 with AdamW at 0.003).

        Args:
            labels: frames with poses and boxes; their classes are made here, of the model's anchor poses. Frames
                without people are left out: a missed person is no background.
            images: of those frames.
            recipe: see `self_training_recipe`; leaves `last/` in its `output_dir`.
            regression: also train the regression, on the poses. For the first training of a student that has no
                weights yet: SSTA-PRS starts from one that was trained on true poses.

        Raises:
            ValueError: no labels, a frame without its image, or what `train` says.
        """
        named = classified([label for label in labels if len(label.boxes)], self.model.anchor_poses.cpu().numpy())
        rows = LabelledImages(named, images, self.processor)
        objective = all_branches if regression else localisation_and_classification
        with _frozen(None if regression else self.model.head.regressor):
            return train(self.model, self.processor, rows, None, recipe, objective=objective, collate=collate_images)

    @torch.no_grad()
    def estimate(self, images: Sequence[np.ndarray], batch_size: int = 4) -> list[dict[str, np.ndarray]]:
        """People of each image in its pixels, best first: `poses`, `boxes`, `confidence`, `class_scores`."""
        self.model.eval()
        found: list[dict[str, np.ndarray]] = []
        for start in range(0, len(images), batch_size):
            batch = self.processor(list(images[start : start + batch_size])).to(self.model.device)
            outputs = self.model(batch["pixel_values"], batch["image_sizes"])
            found += self.processor.people(outputs, batch["scales"])
        return found


@contextmanager
def _frozen(layer: nn.Module | None) -> Iterator[None]:
    weights = [] if layer is None else [weight for weight in layer.parameters() if weight.requires_grad]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def localisation_and_classification(model: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
    """Equation 3.5 of the thesis: the loss of the region proposals, and the cross entropy of the anchor poses."""
    return all_branches(model, {name: value for name, value in batch.items() if name != "keypoints"})


def all_branches(model: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
    """The same and the loss of the regression."""
    return {name: value for name, value in model(**batch).items() if name == "loss" or name.endswith("_loss")}


class LabelledImages(torch.utils.data.Dataset):
    """Items for `collate_images`: one frame with its people, in the pixels of the model's input.

    Raises:
        ValueError: no frame, or one without its image.
    """

    def __init__(self, labels: Sequence[LabelledFrame], images: Images, processor: Any) -> None:
        self.labels, self.images, self.processor = list(labels), images, processor
        _check_images(self.labels, images)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        label = self.labels[index]
        made = self.processor(self.images[label.frame])
        scale = made["scales"][0]
        return {
            "pixel_values": made["pixel_values"][0],
            "image_sizes": made["image_sizes"][0],
            "boxes": self.processor.to_input(torch.from_numpy(label.boxes), scale),
            "keypoints": self.processor.to_input(torch.from_numpy(label.poses), scale),
            "classes": torch.from_numpy(np.asarray(label.classes)),
        }


def _check_images(labels: Sequence[LabelledFrame], images: Images) -> None:
    lacking = [label.frame for label in labels if label.frame not in images]
    if not labels or lacking:
        raise ValueError(
            f"A student needs labelled frames and the image of each, got {len(labels)} frames and no image of "
            f"{lacking[:5]}."
        )


def collate_images(items: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Images padded with zeros right and below, people with NaN boxes."""
    height, width = (max(item["pixel_values"].shape[side] for item in items) for side in (1, 2))
    people = max(len(item["boxes"]) for item in items)
    images = [
        functional.pad(pixels, (0, width - pixels.shape[2], 0, height - pixels.shape[1]))
        for pixels in (item["pixel_values"] for item in items)
    ]
    batch = {"pixel_values": torch.stack(images), "image_sizes": torch.stack([item["image_sizes"] for item in items])}
    for name, absent in (("boxes", torch.nan), ("keypoints", torch.nan), ("classes", 0)):
        rows = [item[name] for item in items]
        padding = [row.new_full((people - len(row), *row.shape[1:]), absent) for row in rows]
        batch[name] = torch.stack([torch.cat(pair) for pair in zip(rows, padding, strict=True)])
    return batch


class HeatmapStudent:
    """Any model that makes a heat map per joint of a person's cut-out, such as transformers' ViTPose.

    Args:
        model: `model(pixel_values)` gives `(people, joints, height, width)`, or an output whose `heatmaps` are that.
            Its joints are those of the labels, in their order.
        crop_size: height and width of what it sees.
        sigma: standard deviation of a joint's target, in cells of the heat map.
    """

    def __init__(self, model: Any, crop_size: tuple[int, int] = (256, 192), sigma: float = 2.0) -> None:
        self.model, self.crop_size, self.sigma = model, crop_size, sigma

    def train(self, labels: Sequence[LabelledFrame], images: Images, recipe: TrainingRecipe) -> TrainingResult:
        """Fine-tune all weights on the joints that are there; missing ones teach nothing.

        Raises:
            ValueError: no labels, a frame without its image, or what `train` says.
        """
        rows = PersonCrops(labels, images, self.crop_size)
        return train(
            self.model, None, rows, None, recipe, objective=self.loss, collate=torch.utils.data.default_collate
        )

    def loss(self, model: nn.Module, batch: dict[str, Any]) -> Tensor:
        """Mean squared error of the heat maps of the joints that are there."""
        heatmaps = heatmaps_of(model(batch["pixel_values"]))
        cells = batch["keypoints"] * torch.tensor(
            [heatmaps.shape[-1] / self.crop_size[1], heatmaps.shape[-2] / self.crop_size[0]], device=heatmaps.device
        )
        target, seen = gaussian_targets(cells, heatmaps.shape[-2:], self.sigma)
        errors = functional.mse_loss(heatmaps, target, reduction="none").mean(dim=(2, 3))
        return (errors * seen).sum() / seen.sum().clamp(min=1)

    @torch.no_grad()
    def estimate(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """`poses` and `confidence` of the people in these boxes `(people, 4)` of each image, in its pixels."""
        self.model.eval()
        return [self._estimate_one(image, own) for image, own in zip(images, boxes, strict=True)]

    def _estimate_one(self, image: np.ndarray, boxes: np.ndarray) -> dict[str, np.ndarray]:
        if not len(boxes):
            return {"poses": np.zeros((0, 0, 2), np.float32), "confidence": np.zeros(0, np.float32)}
        windows = [crop_window(box, self.crop_size) for box in boxes]
        crops = torch.stack([cut_out(image, window, self.crop_size) for window in windows])
        heatmaps = heatmaps_of(self.model(crops.to(next(self.model.parameters()).device))).float().cpu()
        cells, peaks = highest_cells(heatmaps)
        shares = cells / torch.tensor([heatmaps.shape[-1], heatmaps.shape[-2]])
        corners = torch.from_numpy(np.stack(windows)).float()
        poses = corners[:, None, :2] + shares * (corners[:, None, 2:] - corners[:, None, :2])
        return {"poses": poses.numpy(), "confidence": peaks.mean(dim=1).clamp(0, 1).numpy()}


class PersonCrops(torch.utils.data.Dataset):
    """One person an item: `pixel_values (3, height, width)` and `keypoints (joints, 2)` in its pixels, NaN missing."""

    def __init__(self, labels: Sequence[LabelledFrame], images: Images, crop_size: tuple[int, int]) -> None:
        _check_images(labels, images)
        self.people = [(label, person) for label in labels for person in range(len(label.boxes))]
        self.images, self.crop_size = images, crop_size

    def __len__(self) -> int:
        return len(self.people)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        label, person = self.people[index]
        window = crop_window(label.boxes[person], self.crop_size)
        scale = np.array(self.crop_size[::-1]) / (window[2:] - window[:2])
        keypoints = torch.from_numpy((label.poses[person] - window[:2]) * scale).float()
        return {"pixel_values": cut_out(self.images[label.frame], window, self.crop_size), "keypoints": keypoints}


def crop_window(box: np.ndarray, crop_size: tuple[int, int], growth: float = 1.25) -> np.ndarray:
    """The box about the same centre, grown, in the proportions of the cut-out: left, top, right, bottom."""
    centre, size = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * growth
    height = max(float(size[1]), float(size[0]) * crop_size[0] / crop_size[1])
    half = np.array([height * crop_size[1] / crop_size[0], height]) / 2
    return np.concatenate([centre - half, centre + half])


def cut_out(image: np.ndarray, window: np.ndarray, crop_size: tuple[int, int]) -> Tensor:
    """`(3, height, width)` normalised; what lies outside the image is zero. Bilinear."""
    height, width = image.shape[:2]
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    pixels = pixels / 255 if np.issubdtype(image.dtype, np.integer) else pixels
    mean, std = (torch.tensor(values)[:, None, None] for values in NORMALISATION)
    # `affine_grid` counts from -1 to 1 over the image.
    size = np.array([width, height])
    low, high = 2 * window[:2] / size - 1, 2 * window[2:] / size - 1
    matrix = np.concatenate([np.diag((high - low) / 2), (high + low)[:, None] / 2], axis=1)
    grid = functional.affine_grid(torch.from_numpy(matrix)[None].float(), [1, 3, *crop_size], align_corners=False)
    return functional.grid_sample((pixels - mean) / std, grid, align_corners=False)[0]


def heatmaps_of(output: Any) -> Tensor:
    """`(people, joints, height, width)` of what a model gave.

    Raises:
        ValueError: there are none.
    """
    heatmaps = output if isinstance(output, Tensor) else output.get("heatmaps") if hasattr(output, "get") else None
    if not isinstance(heatmaps, Tensor) or heatmaps.dim() != 4:
        raise ValueError(
            "A HeatmapStudent's model must give heat maps (people, joints, height, width), or an output with them in "
            f"'heatmaps', got {type(output).__name__}."
        )
    return heatmaps


def gaussian_targets(cells: Tensor, size: Sequence[int], sigma: float) -> tuple[Tensor, Tensor]:
    """`(people, joints, height, width)`, 1 where a joint is, and which joints are there `(people, joints)`.

    Args:
        cells: `(people, joints, 2)` in cells; the centre of the first cell is (0.5, 0.5). NaN, and joints outside the
            map, are not there.
    """
    height, width = size
    limit = cells.new_tensor([width, height])
    seen = ((cells >= 0) & (cells <= limit)).all(dim=-1)
    x = torch.arange(width, device=cells.device) + 0.5
    y = torch.arange(height, device=cells.device) + 0.5
    off = cells.nan_to_num()
    across = torch.exp(-((x - off[..., :1]) ** 2) / (2 * sigma**2))
    down = torch.exp(-((y - off[..., 1:]) ** 2) / (2 * sigma**2))
    return down[..., :, None] * across[..., None, :], seen.float()


def highest_cells(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Where each map is highest, `(people, joints, 2)` in cells, a quarter of a cell towards the higher neighbour."""
    peaks, places = heatmaps.flatten(2).max(dim=-1)
    row, column = places // heatmaps.shape[-1], places % heatmaps.shape[-1]
    people = torch.arange(len(heatmaps))[:, None]
    joints = torch.arange(heatmaps.shape[1])[None]
    around = functional.pad(heatmaps, (1, 1, 1, 1), value=torch.nan)  # at the border there is no higher neighbour

    def lean(down: int, across: int) -> Tensor:
        after, before = (around[people, joints, row + 1 + sign * down, column + 1 + sign * across] for sign in (1, -1))
        return torch.sign(after - before).nan_to_num()

    return torch.stack([column + 0.5 + 0.25 * lean(0, 1), row + 0.5 + 0.25 * lean(1, 0)], dim=-1), peaks


def agreement(
    found: Sequence[Mapping[str, np.ndarray]], labels: Sequence[LabelledFrame], share: float = 0.1
) -> dict[str, float]:
    """How near what a student found is to labels; of pseudo labels this is no accuracy.

    Args:
        found: `poses` of each labelled frame, NaN missing (a joint that only the label has is not right); each pose
            is compared with one person, so that the sum of distances is least.
        share: of the longer side of a person's box, up to which a joint is right.

    Returns:
        `pck`, the share of the labels' joints that are right (none of people who were not found); `found`, the share
        of people with a pose; `error`, their mean distance in longer sides of the box (NaN without any).
    """
    right, joints, errors, people = 0, 0, [], 0
    for made, label in zip(found, labels, strict=True):
        seen = ~np.isnan(label.poses).any(axis=-1)
        people, joints = people + len(seen), joints + int(seen.sum())
        if not len(made["poses"]):
            continue
        size = (label.boxes[:, 2:] - label.boxes[:, :2]).max(axis=-1)[:, None, None]
        distance = np.linalg.norm(made["poses"][None] - label.poses[:, None], axis=-1) / size
        both = ~np.isnan(distance)
        cost = np.where(both, distance, 0).sum(axis=-1) / np.maximum(both.sum(axis=-1), 1)
        cost[~both.any(axis=-1)] = FAR
        for person, pose in zip(*linear_sum_assignment(cost), strict=True):
            if cost[person, pose] < FAR:
                errors.append(cost[person, pose])
                right += int((distance[person, pose] <= share).sum())
    mean = float(np.mean(errors)) if errors else float("nan")
    return {"pck": right / max(joints, 1), "found": len(errors) / max(people, 1), "error": mean}
