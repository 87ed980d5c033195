"""`PostureImageProcessor`: depth maps, body-part maps and masks of a person as input of a posture encoder."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from transformers.feature_extraction_utils import BatchFeature

from motionhub.augment.temporal import segment_positions
from motionhub.processing.processor import FieldsProcessor, Renamed, as_feature, check_return_tensors


KINDS = ("depth", "iuv", "mask")
DENSEPOSE_PARTS = 24
# Red, green and blue of the "jet" colour map, piecewise linear between (position, value).
JET = (
    ((0.0, 0.0), (0.35, 0.0), (0.66, 1.0), (0.89, 1.0), (1.0, 0.5)),
    ((0.0, 0.0), (0.125, 0.0), (0.375, 1.0), (0.64, 1.0), (0.91, 0.0), (1.0, 0.0)),
    ((0.0, 0.5), (0.11, 1.0), (0.34, 1.0), (0.65, 0.0), (1.0, 0.0)),
)
NEAREST, FARTHEST = 0.1, 100.0  # metres to a person; beyond, the unit is wrong
FULL = 0.9  # share of an image that a person never covers
NEAR_AND_FAR = 1.0  # metres before and behind the median of a person; beyond, depth is clipped


class PostureImageProcessor(FieldsProcessor):
    """Depth and DensePose images of one person without background, cropped and scaled to 0..1.

    Args:
        kind: `"depth"`: distance to the camera, 0 or NaN outside the person. `"iuv"`: DensePose, `(height, width, 3)`:
            part 0..24, then u and v in 0..255. `"mask"`: true on the person.
        image_size: pixels of a side.
        in_channels: 1 or 3 (grey in all three); `"iuv"` has 3.
        depth_unit: metres of a depth of 1: 0.001 for sensors that give millimetres.
        depth_scale: `"person"`: the person's median is 0.6, a metre nearer or farther 0.4 more or less. `"official"`:
            divided by the maximum and shown in "jet" colours, as in the official code.
        crop: `"person"`: the square around the person, of a clip around all its frames. `"none"`: the whole image,
            padded to a square.
        margin: share of the square's side left free on each side by `crop="person"`.
        clip_frames: frames of a clip.

    Examples:
        >>> import numpy as np
        >>> processor = motionhub.PostureImageProcessor(kind="mask", image_size=32)
        >>> masks = np.zeros((5, 60, 80), bool)
        >>> masks[:, 20:50, 30:40] = True
        >>> processor(masks)["pixel_values"].shape
        torch.Size([5, 3, 32, 32])
    """

    model_input_names = ("pixel_values", "attention_mask")

    def __init__(
        self,
        kind: str = "depth",
        image_size: int = 128,
        in_channels: int = 3,
        depth_unit: float = 0.001,
        depth_scale: str = "person",
        crop: str = "person",
        margin: float = 0.1,
        clip_frames: int = 16,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if kind not in KINDS or depth_scale not in ("person", "official") or crop not in ("person", "none"):
            raise ValueError(
                f"kind must be one of {KINDS}, depth_scale 'person' or 'official', crop 'person' or 'none'; got "
                f"{kind!r}, {depth_scale!r} and {crop!r}."
            )
        coloured = kind == "iuv" or (kind == "depth" and depth_scale == "official")
        if in_channels not in (1, 3) or (coloured and in_channels != 3):
            raise ValueError(f"in_channels must be {'3' if coloured else '1 or 3'} for this kind, got {in_channels}.")
        if min(image_size, clip_frames) < 1 or depth_unit <= 0 or not 0 <= margin < 0.5:
            raise ValueError(
                f"image_size and clip_frames must be at least 1, depth_unit above 0 and margin in 0..0.5; got "
                f"{image_size}, {clip_frames}, {depth_unit} and {margin}."
            )
        self._set_fields(locals())

    def __call__(self, images: Any, return_tensors: str | None = "pt") -> BatchFeature:
        """`pixel_values (batch, channels, size, size)` of single images.

        Args:
            images: one `(height, width)` (`"iuv"`: `(height, width, 3)`), or several: a list, or an array with one
                axis more.
            return_tensors: `"pt"` (also None) or `"np"`.

        Raises:
            ValueError: no image, another shape or kind, an image without a person, or other `return_tensors`.
        """
        check_return_tensors(return_tensors)
        if hasattr(images, "__array_interface__"):  # PIL images too
            images = np.asarray(images)
        single = getattr(images, "ndim", 0) == (3 if self.kind == "iuv" else 2)
        images = [images] if single else list(images)
        if not images:
            raise ValueError("Expected at least one image, got an empty list.")
        prepared = []
        for index, image in enumerate(images):
            try:
                prepared.append(self.prepare(np.asarray(image)[None]))
            except ValueError as error:
                raise ValueError(f"Image {index} of {len(images)}: {error}") from None
        return as_feature({"pixel_values": torch.cat(prepared)}, return_tensors)

    def clips(self, clips: Sequence[Any], generator: torch.Generator | None = None) -> BatchFeature:
        """`pixel_values (batch, clip_frames, ...)`, `attention_mask (batch, clip_frames)` of `(frames, ...)` arrays.

        A clip gives one frame of each of `clip_frames` equal segments: a random one with a `generator` (training), the
        middle one without. A shorter clip gives all its frames.
        """
        chosen = [np.asarray(clip)[segment_frames(len(clip), self.clip_frames, generator)] for clip in clips]
        if not chosen:
            raise ValueError("Expected at least one clip, got an empty list.")
        return self._batch(chosen)

    def windows(self, clip: Any) -> BatchFeature:
        """Every frame of one `(frames, ...)` array: windows of `clip_frames` without overlap, the last padded."""
        frames, size = np.asarray(clip), self.clip_frames
        if not len(frames):
            raise ValueError("Expected a clip with frames, got none.")
        return self._batch([frames[first : first + size] for first in range(0, len(frames), size)])

    def _batch(self, clips: Sequence[np.ndarray]) -> BatchFeature:
        prepared = [self.prepare(clip) for clip in clips]
        pixels = prepared[0].new_zeros(len(prepared), self.clip_frames, *prepared[0].shape[1:])
        mask = torch.zeros(len(prepared), self.clip_frames, dtype=torch.bool)
        for index, clip in enumerate(prepared):
            pixels[index, : len(clip)], mask[index, : len(clip)] = clip, True
        return BatchFeature({"pixel_values": pixels, "attention_mask": mask})

    def prepare(self, frames: np.ndarray) -> Tensor:
        """`(frames, height, width[, 3])` of one person -> `(frames, channels, size, size)` float32 in 0..1."""
        self._check(frames)
        person: np.ndarray = np.nan_to_num(frames[..., 0] if self.kind == "iuv" else frames) > 0
        empty = np.flatnonzero(~person.any((1, 2)))
        if len(empty):
            raise ValueError(
                f"No person detected in {len(empty)} of {len(frames)} images (first: {int(empty[0])}): all values are "
                "0 or NaN. Leave these out."
            )
        if person.mean() > FULL:
            warnings.warn(
                f"The person covers {100 * person.mean():.0f} % of the image: is the background still there? "
                "Set it to 0.",
                stacklevel=2,
            )
        top, bottom, left, right = self._square(person)
        values = torch.from_numpy(self._values(frames, person))
        values = functional.pad(
            values, (max(-left, 0), max(right - frames.shape[2], 0), max(-top, 0), max(bottom - frames.shape[1], 0))
        )
        cut = values[:, :, max(top, 0) :, max(left, 0) :][:, :, : bottom - top, : right - left]
        resized = functional.interpolate(cut, (self.image_size, self.image_size), mode="area")
        return resized.expand(-1, self.in_channels, -1, -1).contiguous()

    def _check(self, frames: np.ndarray) -> None:
        dims, whole = (4, "(height, width, 3)") if self.kind == "iuv" else (3, "(height, width)")
        if frames.ndim != dims or not frames.size or (self.kind == "iuv" and frames.shape[-1] != 3):
            raise ValueError(f"An image of kind {self.kind!r} is {whole}, got shape {frames.shape[1:]}.")
        if not (np.issubdtype(frames.dtype, np.number) or frames.dtype == bool):
            raise ValueError(f"Images hold numbers, got {frames.dtype}.")
        whole_numbers = not np.issubdtype(frames.dtype, np.floating)
        if self.kind == "mask" and not whole_numbers and ((frames > 0) & (frames < 1)).any():
            raise ValueError("Masks are 0 or 1, got numbers between them: use (mask > 0.5).")
        if self.kind == "iuv" and not whole_numbers and 0 < np.nanmax(frames[..., 1:]) <= 1:
            raise ValueError("DensePose images hold u and v in 0..255, got at most 1: multiply these two by 255.")
        if self.kind == "iuv" and (frames[..., 0].max() > DENSEPOSE_PARTS or frames.min() < 0 or frames.max() > 255):
            raise ValueError(
                f"DensePose images hold parts 0..{DENSEPOSE_PARTS} and u, v in 0..255, got parts up to "
                f"{frames[..., 0].max()} and values in {frames.min()}..{frames.max()}."
            )
        if self.kind == "depth" and frames.dtype == np.uint8:
            raise ValueError(
                "Depth in 8 bits is an image for viewing, not distances: read the 16-bit map (millimetres), or use "
                "kind='mask'."
            )
        if self.kind == "depth" and (np.isinf(frames).any() or np.nanmin(frames, initial=0) < 0):
            raise ValueError("Depth must be finite and not negative; where nothing was measured it is 0 or NaN.")

    def _square(self, person: np.ndarray) -> tuple[int, int, int, int]:
        """top, bottom, left, right of the square crop, which may extend beyond the image."""
        height, width = person.shape[1:]
        top, bottom, left, right, margin = 0, height, 0, width, 0.0
        if self.crop == "person":
            rows, columns = np.flatnonzero(person.any((0, 2))), np.flatnonzero(person.any((0, 1)))
            top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
            margin = self.margin
        side = int(np.ceil(max(bottom - top, right - left) / (1 - 2 * margin)))
        top, left = (top + bottom - side) // 2, (left + right - side) // 2
        return int(top), int(top + side), int(left), int(left + side)

    def _values(self, frames: np.ndarray, person: np.ndarray) -> np.ndarray:
        """`(frames, channels, height, width)` float32 in 0..1."""
        if self.kind == "mask":
            return person[:, None].astype(np.float32)
        if self.kind == "iuv":
            scale = np.array([DENSEPOSE_PARTS, 255, 255], np.float32)
            return np.ascontiguousarray((frames / scale).transpose(0, 3, 1, 2), dtype=np.float32)
        depth = np.where(person, frames, 0).astype(np.float32)
        if self.depth_scale == "official":
            return jet(depth / depth.max((1, 2), keepdims=True))
        metres = depth * self.depth_unit
        middle = np.array([np.median(each[seen]) for each, seen in zip(metres, person, strict=True)], np.float32)
        if middle.min() < NEAREST or middle.max() > FARTHEST:
            raise ValueError(
                f"The person is {middle.min():.3g} to {middle.max():.3g} metres away, which no depth sensor sees: "
                f"depth_unit={self.depth_unit} is metres of a depth of 1 (0.001 for millimetres, 1 for metres)."
            )
        nearer = (middle[:, None, None] - metres).clip(-NEAR_AND_FAR, NEAR_AND_FAR) / NEAR_AND_FAR
        return np.where(person, 0.6 + 0.4 * nearer, 0).astype(np.float32)[:, None]


def segment_frames(num_frames: int, segments: int, generator: torch.Generator | None = None) -> np.ndarray:
    """A random frame, or without `generator` the middle one, of each of `segments` equal parts; all if not more."""
    if num_frames < 1:
        raise ValueError("A clip needs at least one frame, got none.")
    if num_frames <= segments:
        return np.arange(num_frames)
    return segment_positions(num_frames, segments, generator, random=generator is not None)


def jet(values: np.ndarray) -> np.ndarray:
    """`(frames, height, width)` in 0..1 -> `(frames, 3, height, width)`, in 256 steps."""
    steps = np.minimum((values * 256).astype(int), 255) / 255
    planes = [np.interp(steps, *np.transpose(lines)) for lines in JET]
    return np.stack(planes, axis=1).astype(np.float32)


class PosturePictureProcessor(Renamed, PostureImageProcessor):
    """The old name of `PostureImageProcessor`, for files of earlier versions."""
