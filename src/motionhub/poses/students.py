"""Pose estimators trained on pseudo ground truth: LCR-Net by the paper's recipe, or any heat-map model.

Images are `(height, width, 3)` RGB arrays, by frame number. `LcrNetStudent` detects people; `HeatmapStudent` needs
their boxes (top-down), and learns all joints.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
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
FAR = 1e9  # distance of poses without a common joint
NORMALISATION = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # ImageNet's


def self_training_recipe(**changes: Any) -> TrainingRecipe:
    """SSTA-PRS: 4 images an update (512 boxes an image are the model's `boxes_per_image`).

    The papers refer to "standard settings" for the rest; these are Faster R-CNN's, scaled to 4 images.

    Examples:
        >>> motionhub.self_training_recipe(epochs=3).batch_size
        4
    """
    numbers = {"batch_size": 4, "learning_rate": 0.005, "momentum": 0.9, "weight_decay": 1e-4, "epochs": 12}
    source = "SSTA-PRS: 4 images an update; the rest Faster R-CNN's schedule"
    return TrainingRecipe(**{**numbers, "milestones": [8, 11], "source": source, **changes})


class LcrNetStudent:
    """An `LcrNetModel` with its processor.

    Args:
        model: with anchor poses (`set_anchor_poses`).
        processor: a `PersonImageProcessor`.

    Examples:
        >>> model = motionhub.LcrNetModel(motionhub.LcrNetConfig(backbone="resnet10"))
        >>> student = motionhub.LcrNetStudent(model, motionhub.PersonImageProcessor())
        >>> student.processor.layout
        'lcrnet-13'
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor

    def train(
        self, labels: Sequence[LabelledFrame], images: Images, recipe: TrainingRecipe, *, regression: bool = False
    ) -> TrainingResult:
        """Fine-tune localisation and classification; the regression's weights are frozen.

        The features below the regression change, and large steps degrade its poses. With the recipe's SGD they hold
        (on training images, mean error 0.049 boxes before and 0.045 after 10 epochs; 0.28 with AdamW at 0.003).

        Args:
            labels: frames with poses and boxes; their classes come from the model's anchor poses. Frames without
                people are dropped, since a missed person is no background.
            images: of those frames.
            recipe: see `self_training_recipe`; writes `last/` in its `output_dir`.
            regression: also train the regression, on the poses, for a student without weights: SSTA-PRS starts from
                one trained on true poses.

        Raises:
            ValueError: no labels, a frame without its image, or as `train`.
        """
        named = classified([label for label in labels if len(label.boxes)], self.model.anchor_poses.cpu().numpy())
        check_images(named, images)
        rows = LazyItems(named, partial(labelled_image, images=images, processor=self.processor))
        objective = all_branches if regression else localisation_and_classification
        frozen = [] if regression else [each for each in self.model.head.regressor.parameters() if each.requires_grad]
        for weight in frozen:
            weight.requires_grad_(False)
        try:
            return train(self.model, self.processor, rows, None, recipe, objective=objective, collate=collate_images)
        finally:
            for weight in frozen:
                weight.requires_grad_(True)

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


def localisation_and_classification(model: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
    """Equation 3.5 of the thesis: the loss of the region proposals, and the cross entropy of the anchor poses."""
    return all_branches(model, {name: value for name, value in batch.items() if name != "keypoints"})


def all_branches(model: nn.Module, batch: dict[str, Any]) -> dict[str, Tensor]:
    """The same and the loss of the regression."""
    return {name: value for name, value in model(**batch).items() if name == "loss" or name.endswith("_loss")}


class LazyItems(torch.utils.data.Dataset):
    """`load(row)` of each row, on access."""

    def __init__(self, rows: Sequence[Any], load: Callable[[Any], dict[str, Tensor]]) -> None:
        self.rows, self.load = rows, load

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self.load(self.rows[index])


def check_images(labels: Sequence[LabelledFrame], images: Images) -> None:
    """Raises ValueError without labels, or for a frame without its image."""
    lacking = [label.frame for label in labels if label.frame not in images]
    if not labels or lacking:
        raise ValueError(
            f"A student needs labelled frames and the image of each, got {len(labels)} frames and no image of "
            f"{lacking[:5]}."
        )


def labelled_image(label: LabelledFrame, images: Images, processor: Any) -> dict[str, Tensor]:
    """An item for `collate_images`: one frame with its people, in the pixels of the model's input."""
    made = processor(images[label.frame])
    scale = made["scales"][0]
    return {
        "pixel_values": made["pixel_values"][0],
        "image_sizes": made["image_sizes"][0],
        "boxes": processor.to_input(torch.from_numpy(label.boxes), scale),
        "keypoints": processor.to_input(torch.from_numpy(label.poses), scale),
        "classes": torch.from_numpy(np.asarray(label.classes)),
    }


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
    """Any model with a heat map per joint of a person's crop, such as transformers' ViTPose.

    Args:
        model: `model(pixel_values)` gives `(people, joints, height, width)`, or an output with these `heatmaps`, of
            the labels' joints, in their order.
        crop_size: height and width of the input.
        sigma: standard deviation of a joint's target, in cells of the heat map.

    Examples:
        >>> import torch
        >>> network = torch.nn.Conv2d(3, 13, kernel_size=4, stride=4)
        >>> student = motionhub.HeatmapStudent(network, crop_size=(64, 48))
        >>> boxes = torch.tensor([[10.0, 10.0, 40.0, 90.0]]).numpy()
        >>> student.estimate([torch.zeros(100, 80, 3).numpy()], [boxes])[0]["poses"].shape
        (1, 13, 2)
    """

    def __init__(self, model: Any, crop_size: tuple[int, int] = (256, 192), sigma: float = 2.0) -> None:
        self.model, self.crop_size, self.sigma = model, crop_size, sigma

    def train(self, labels: Sequence[LabelledFrame], images: Images, recipe: TrainingRecipe) -> TrainingResult:
        """Fine-tune all weights on the valid joints; errors as `LcrNetStudent.train`."""
        check_images(labels, images)
        people = [(label, person) for label in labels for person in range(len(label.boxes))]
        rows = LazyItems(people, partial(person_crop, images=images, crop_size=self.crop_size))
        collate = torch.utils.data.default_collate
        return train(self.model, None, rows, None, recipe, objective=self.loss, collate=collate)

    def loss(self, model: nn.Module, batch: dict[str, Any]) -> Tensor:
        """Mean squared error of the heat maps of the valid joints."""
        heatmaps = heatmaps_of(model(batch["pixel_values"]))
        cells = batch["keypoints"] * torch.tensor(
            [heatmaps.shape[-1] / self.crop_size[1], heatmaps.shape[-2] / self.crop_size[0]], device=heatmaps.device
        )
        target, valid = gaussian_targets(cells, heatmaps.shape[-2:], self.sigma)
        errors = functional.mse_loss(heatmaps, target, reduction="none").mean(dim=(2, 3))
        return (errors * valid).sum() / valid.sum().clamp(min=1)

    @torch.no_grad()
    def estimate(self, images: Sequence[np.ndarray], boxes: Sequence[np.ndarray]) -> list[dict[str, np.ndarray]]:
        """`poses` and `confidence` of the people in these boxes `(people, 4)` of each image, in its pixels."""
        self.model.eval()
        return [self._estimate_one(image, own) for image, own in zip(images, boxes, strict=True)]

    def _estimate_one(self, image: np.ndarray, boxes: np.ndarray) -> dict[str, np.ndarray]:
        if not len(boxes):
            return {"poses": np.zeros((0, 0, 2), np.float32), "confidence": np.zeros(0, np.float32)}
        windows = [crop_window(box, self.crop_size) for box in boxes]
        crops = torch.stack([crop(image, window, self.crop_size) for window in windows])
        heatmaps = heatmaps_of(self.model(crops.to(next(self.model.parameters()).device))).float().cpu()
        cells, peaks = highest_cells(heatmaps)
        shares = cells / torch.tensor([heatmaps.shape[-1], heatmaps.shape[-2]])
        corners = torch.from_numpy(np.stack(windows)).float()
        poses = corners[:, None, :2] + shares * (corners[:, None, 2:] - corners[:, None, :2])
        return {"poses": poses.numpy(), "confidence": peaks.mean(dim=1).clamp(0, 1).numpy()}


def person_crop(row: tuple[LabelledFrame, int], images: Images, crop_size: tuple[int, int]) -> dict[str, Tensor]:
    """`pixel_values (3, height, width)` and `keypoints (joints, 2)` in its pixels, NaN missing, of one person."""
    label, person = row
    window = crop_window(label.boxes[person], crop_size)
    scale = np.array(crop_size[::-1]) / (window[2:] - window[:2])
    keypoints = torch.from_numpy((label.poses[person] - window[:2]) * scale).float()
    return {"pixel_values": crop(images[label.frame], window, crop_size), "keypoints": keypoints}


def crop_window(box: np.ndarray, crop_size: tuple[int, int], growth: float = 1.25) -> np.ndarray:
    """The box scaled about its centre to the crop's aspect ratio: left, top, right, bottom."""
    centre, size = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) * growth
    height = max(float(size[1]), float(size[0]) * crop_size[0] / crop_size[1])
    half = np.array([height * crop_size[1] / crop_size[0], height]) / 2
    return np.concatenate([centre - half, centre + half])


def crop(image: np.ndarray, window: np.ndarray, crop_size: tuple[int, int]) -> Tensor:
    """`(3, height, width)` normalised, bilinear; zero outside the image."""
    height, width = image.shape[:2]
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
    pixels = pixels / 255 if np.issubdtype(image.dtype, np.integer) else pixels
    mean, std = (torch.tensor(values)[:, None, None] for values in NORMALISATION)
    # `affine_grid` has -1..1 over the image.
    size = np.array([width, height])
    low, high = 2 * window[:2] / size - 1, 2 * window[2:] / size - 1
    matrix = np.concatenate([np.diag((high - low) / 2), (high + low)[:, None] / 2], axis=1)
    grid = functional.affine_grid(torch.from_numpy(matrix)[None].float(), [1, 3, *crop_size], align_corners=False)
    return functional.grid_sample((pixels - mean) / std, grid, align_corners=False)[0]


def heatmaps_of(output: Any) -> Tensor:
    """`(people, joints, height, width)` of a model's output. Raises ValueError without them."""
    heatmaps = output if isinstance(output, Tensor) else output.get("heatmaps") if hasattr(output, "get") else None
    if not isinstance(heatmaps, Tensor) or heatmaps.dim() != 4:
        raise ValueError(
            "A HeatmapStudent's model must return heat maps (people, joints, height, width), or an output with them "
            f"in 'heatmaps', got {type(output).__name__}."
        )
    return heatmaps


def gaussian_targets(cells: Tensor, size: Sequence[int], sigma: float) -> tuple[Tensor, Tensor]:
    """`(people, joints, height, width)` with peaks of 1 at the joints, and which joints are valid `(people, joints)`.

    Args:
        cells: `(people, joints, 2)` in cells; the centre of the first cell is (0.5, 0.5). NaN, and joints outside the
            map, are invalid.
    """
    height, width = size
    limit = cells.new_tensor([width, height])
    valid = ((cells >= 0) & (cells <= limit)).all(dim=-1)
    x = torch.arange(width, device=cells.device) + 0.5
    y = torch.arange(height, device=cells.device) + 0.5
    off = cells.nan_to_num()
    across = torch.exp(-((x - off[..., :1]) ** 2) / (2 * sigma**2))
    down = torch.exp(-((y - off[..., 1:]) ** 2) / (2 * sigma**2))
    return down[..., :, None] * across[..., None, :], valid.float()


def highest_cells(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Peaks `(people, joints, 2)` in cells, a quarter of a cell towards the higher neighbour, and their values."""
    peaks, places = heatmaps.flatten(2).max(dim=-1)
    row, column = places // heatmaps.shape[-1], places % heatmaps.shape[-1]
    people = torch.arange(len(heatmaps))[:, None]
    joints = torch.arange(heatmaps.shape[1])[None]
    around = functional.pad(heatmaps, (1, 1, 1, 1), value=torch.nan)  # at the border there is no higher neighbour

    def lean(down: int, across: int) -> Tensor:
        after, before = (around[people, joints, row + 1 + sign * down, column + 1 + sign * across] for sign in (1, -1))
        return torch.sign(after - before).nan_to_num()

    return torch.stack([column + 0.5 + 0.25 * lean(0, 1), row + 0.5 + 0.25 * lean(1, 0)], dim=-1), peaks


def pose_agreement(
    found: Sequence[Mapping[str, np.ndarray]], labels: Sequence[LabelledFrame], share: float = 0.1
) -> dict[str, float]:
    """Agreement of a student's poses with labels; with pseudo labels this is not accuracy.

    Args:
        found: `poses` of each labelled frame, NaN missing (wrong if the label has the joint), matched to people so
            that the sum of distances is minimal.
        share: of the longer side of a person's box, up to which a joint is correct.

    Returns:
        `pck`, the share of the labels' joints that are correct (none of unmatched people); `found`, the share of
        matched people; `error`, their mean distance in longer sides of the box (NaN without any).

    Examples:
        >>> scene = motionhub.Scene(focal=1000.0)
        >>> pose = motionhub.generate("wave", seed=0, layout="coco-17", scene=scene)
        >>> labels = motionhub.labelled_frames(pose, range(0, 90, 10))
        >>> found = [{"poses": label.poses} for label in labels]
        >>> motionhub.pose_agreement(found, labels)["pck"]
        1.0
    """
    right, joints, errors, people = 0, 0, [], 0
    for made, label in zip(found, labels, strict=True):
        valid = ~np.isnan(label.poses).any(axis=-1)
        people, joints = people + len(valid), joints + int(valid.sum())
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
