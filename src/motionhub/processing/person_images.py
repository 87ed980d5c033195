"""`PersonImageProcessor`: input of a person detector, and its detections in the pixels of the images."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers.feature_extraction_utils import BatchFeature

from motionhub.processing.processor import FieldsProcessor, Renamed, as_feature, check_return_tensors
from motionhub.skeletons.layouts import get_layout


class PersonImageProcessor(FieldsProcessor):
    """Images of any size resized, normalised and padded to one batch.

    Args:
        layout: name of the skeleton layout of the model's poses.
        short_side: target length of the shorter side (bilinear; antialiased when downscaling) ...
        long_side: ... unless the longer one would exceed this.
        mean, std: of red, green and blue in 0..1; ImageNet's.
        stride: height and width of a batch are multiples of it, padded with zeros right and below.

    Raises:
        ValueError: a size below 1, or statistics that are not three numbers.

    Examples:
        >>> import numpy as np
        >>> processor = motionhub.PersonImageProcessor(short_side=64, long_side=128)
        >>> processor(np.zeros((100, 120, 3), np.uint8))["pixel_values"].shape
        torch.Size([1, 3, 64, 96])
    """

    model_input_names = ("pixel_values", "image_sizes")

    def __init__(
        self,
        layout: str = "lcrnet-13",
        short_side: int = 800,
        long_side: int = 1333,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        stride: int = 32,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if min(short_side, long_side, stride) < 1 or short_side > long_side:
            raise ValueError(
                "PersonImageProcessor expects 1 <= short_side <= long_side and a stride of at least 1, got "
                f"{short_side}, {long_side} and {stride}."
            )
        if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
            raise ValueError(f"mean and std must be three numbers each, std above 0, got {mean} and {std}.")
        get_layout(layout)
        self._set_fields(locals())

    def __call__(self, images: Any, return_tensors: str | None = "pt") -> BatchFeature:
        """`pixel_values (batch, 3, height, width)`, `image_sizes (batch, 2)` and `scales (batch, 2)` (y, x).

        Args:
            images: one `(height, width, 3)` RGB array, uint8 or in 0..1, or several: a list, or `(batch, height,
                width, 3)`.
            return_tensors: `"pt"` (also None) or `"np"`.

        Raises:
            ValueError: no image, an invalid one, or other `return_tensors`.
        """
        check_return_tensors(return_tensors)
        images = [images] if getattr(images, "ndim", 0) == 3 else list(images)
        if not images:
            raise ValueError("Expected at least one image (height, width, 3), got an empty list.")
        resized = [self._resized(image) for image in images]
        height, width = (-(-max(each.shape[side] for each in resized) // self.stride) * self.stride for side in (1, 2))
        padded = [functional.pad(each, (0, width - each.shape[2], 0, height - each.shape[1])) for each in resized]
        sizes = torch.tensor([each.shape[1:] for each in resized])
        originals = torch.tensor([np.shape(image)[:2] for image in images])
        tensors = {"pixel_values": torch.stack(padded), "image_sizes": sizes, "scales": sizes / originals}
        return as_feature(tensors, return_tensors)

    def _resized(self, image: Any) -> Tensor:
        pixels = np.asarray(image)
        if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
            raise ValueError(
                f"Expected an image (height, width, 3) of red, green and blue, got shape {pixels.shape}; "
                "np.asarray(image.convert('RGB')) makes one of a PIL image."
            )
        values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float()
        values = values / 255 if np.issubdtype(pixels.dtype, np.integer) else values
        scale = min(self.short_side / min(pixels.shape[:2]), self.long_side / max(pixels.shape[:2]))
        size = [max(1, round(side * scale)) for side in pixels.shape[:2]]
        if size != list(pixels.shape[:2]):
            values = functional.interpolate(values[None], size, mode="bilinear", antialias=scale < 1)[0]
        return (values - torch.tensor(self.mean)[:, None, None]) / torch.tensor(self.std)[:, None, None]

    def to_input(self, points: Tensor, scale: Tensor) -> Tensor:
        """Points or boxes (x, y, ...) of one image in the pixels of the model's input; `scale` is its (y, x)."""
        return points * scale.flip(-1).repeat(points.shape[-1] // 2)

    def people(self, outputs: Any, scales: Tensor) -> list[dict[str, np.ndarray]]:
        """The detections in each image, in its pixels: poses, boxes, confidence, class scores."""
        found = []
        for index, scale in enumerate(scales):
            names = ("poses", "boxes", "confidence", "class_scores")
            person = {name: getattr(outputs, name)[index, : int(outputs.num_people[index])] for name in names}
            for name in names[:2]:
                person[name] = self.to_input(person[name], 1 / scale.to(person[name].device))
            found.append({name: values.float().cpu().numpy() for name, values in person.items()})
        return found


class PictureProcessor(Renamed, PersonImageProcessor):
    """The old name of `PersonImageProcessor`, for files of earlier versions."""
