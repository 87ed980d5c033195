"""`VideoClipProcessor`: frames of a video to one checkpoint's `pixel_values`; saved as `preprocessor_config.json`.

`data/video/clips.py` decodes the frames. Images are `(frames, height, width, 3)` RGB, uint8 or floats in 0..1. OpenCV
reads BGR, which cannot be detected: pass `frames[..., ::-1]`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from transformers.feature_extraction_utils import BatchFeature

from motionhub.augment import images
from motionhub.processing.processor import FieldsProcessor, as_feature, check_return_tensors
from motionhub.runtime.arrays import check_choices


RESIZES = ("stretch", "shorter-side")
SAMPLINGS = ("segments", "stride")


class VideoClipProcessor(FieldsProcessor):
    """Chooses frames of a video, resizes them and normalises their colours. The defaults are ViCLIP's.

    `"segments"` takes the first frame of each of `num_frames` equal parts of the video (`frames2tensor` of the
    official code); `"stride"` takes every `frame_stride`-th of a window at `fps` frames per second, at a random place
    in training, and at `temporal_views` places from start to end in a test (a single one: in the middle). Videos with
    fewer frames than parts repeat frames; windows longer than the video repeat its last frame.

    Args:
        num_frames: of a clip.
        sampling, frame_stride, fps: see above.
        temporal_views: windows of a test video, `"stride"` only.
        image_size: height and width of the output.
        resize: `"stretch"` makes the whole image square; `"shorter-side"` scales its shorter side to `shorter_side`
            and takes `spatial_crops` squares.
        shorter_side: None: `image_size`.
        spatial_crops: 1 (the middle) or 3 (both ends of the longer side and the middle), `"shorter-side"` only.
        image_mean, image_std: of the colours in 0..1, subtracted and divided by.
        crop_area, crop_ratio: training: ranges of a random crop's share of the image's area and of its width over its
            height. None: the crop of a test.
        color_jitter: training: strengths of brightness, contrast, saturation and hue.
        color_probability, gray_probability, blur_probability, mirror_probability: training: shares of the clips.
        blur_sigma: smallest and largest, in pixels.

    Raises:
        ValueError: an unknown field or value.

    Examples:
        >>> import numpy as np
        >>> processor = motionhub.VideoClipProcessor(num_frames=4, image_size=32)
        >>> processor.process(np.zeros((4, 48, 64, 3), np.uint8)).shape
        torch.Size([1, 4, 3, 32, 32])
    """

    model_input_names = ["pixel_values"]

    def __init__(
        self,
        num_frames: int = 8,
        sampling: str = "segments",
        frame_stride: int = 8,
        fps: float = 30.0,
        temporal_views: int = 1,
        image_size: int = 224,
        resize: str = "stretch",
        shorter_side: int | None = None,
        spatial_crops: int = 1,
        image_mean: Sequence[float] = (0.485, 0.456, 0.406),
        image_std: Sequence[float] = (0.229, 0.224, 0.225),
        crop_area: Sequence[float] | None = None,
        crop_ratio: Sequence[float] = (0.75, 1.3333),
        color_jitter: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
        color_probability: float = 0.0,
        gray_probability: float = 0.0,
        blur_probability: float = 0.0,
        blur_sigma: Sequence[float] = (0.1, 2.0),
        mirror_probability: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._set_fields(locals())
        self.fps = float(fps)
        self._check_fields()

    @property
    def views(self) -> int:
        """Clips per test video."""
        return self.temporal_views * self.spatial_crops

    def __call__(
        self,
        videos: Any,
        fps: float | None = None,
        training: bool = False,
        generator: Generator | None = None,
        return_tensors: str | None = "pt",
    ) -> BatchFeature:
        """A batch of one or several decoded videos.

        Args:
            videos: `(frames, height, width, 3)` RGB, or several: a list of any lengths and sizes, or one array
                `(batch, frames, height, width, 3)`.
            fps: their frame rate for `sampling="stride"`, where it is not the processor's.
            training: choose and augment as in training: one clip of each video.
            generator: of all random draws; None draws from torch's global one.
            return_tensors: `"pt"` (also None) or `"np"`.

        Returns:
            pixel_values `(videos * views, num_frames, 3, image_size, image_size)` float32, video by video, the crops
            of a window next to each other.

        Raises:
            ValueError: no video, a video without frames, other axes or colours than expected, NaN.
        """
        check_return_tensors(return_tensors)
        several = isinstance(videos, list | tuple) or getattr(videos, "ndim", 0) == 5
        listed = list(videos) if several else [videos]
        if not listed:
            raise ValueError("A batch needs at least one video (frames, height, width, 3), got an empty list.")
        clips = []
        for frames in listed:
            frames = checked_frames(frames)
            for numbers in self.frame_numbers(len(frames), fps or self.fps, training, generator):
                clips.append(self.process(frames[numbers], training, generator))
        return as_feature({"pixel_values": torch.cat(clips)}, return_tensors)

    def frame_numbers(
        self, num_frames: int, fps: float, training: bool = False, generator: Generator | None = None
    ) -> list[np.ndarray]:
        """The frames of each clip of a video of `num_frames` at `fps`: one array of indices per temporal view."""
        if num_frames < 1:
            raise ValueError("A video without frames has no clip; leave it out, or record it again.")
        if self.sampling == "segments":
            step = num_frames // self.num_frames
            spread = np.arange(self.num_frames) * (step if step else num_frames / self.num_frames)
            return [spread.astype(np.int64)]
        span = self.frame_stride * self.num_frames * fps / self.fps
        room = max(num_frames - span, 0.0)
        if training:
            starts = [room * float(torch.rand((), generator=generator))]
        elif self.temporal_views == 1:
            starts = [room / 2]
        else:
            starts = [room * view / (self.temporal_views - 1) for view in range(self.temporal_views)]
        # PySlowFast's rule: evenly from the window's first frame to its last.
        windows = (np.linspace(start, start + span - 1, self.num_frames) for start in starts)
        return [np.clip(numbers, 0, num_frames - 1).astype(np.int64) for numbers in windows]

    def process(self, frames: Any, training: bool = False, generator: Generator | None = None) -> Tensor:
        """The frames of a clip as `(spatial_crops, frames, 3, image_size, image_size)` float32; training: one crop."""
        clip = torch.from_numpy(np.ascontiguousarray(checked_frames(frames))).movedim(-1, 1)
        clip = clip.float() / 255 if clip.dtype == torch.uint8 else clip.float()
        crops = [self._augmented(clip, generator)] if training else self._crops(clip)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.image_mean, self.image_std))
        return (torch.stack(crops) - mean) / std

    def _crops(self, clip: Tensor) -> list[Tensor]:
        size = self.image_size
        if self.resize == "stretch":
            # Official clips hold whole numbers, as OpenCV resizes bytes to bytes.
            return [(images.resized(clip, size, size) * 255).round() / 255]
        height, width = clip.shape[-2:]
        scale = (self.shorter_side or size) / min(height, width)
        sides = [max(size, math.floor(side * scale + 1e-9)) for side in (height, width)]
        clip = images.resized(clip, *sides)
        spare = [side - size for side in sides]
        places = [0, math.ceil(max(spare) / 2), max(spare)] if self.spatial_crops == 3 else [math.ceil(max(spare) / 2)]
        middle = math.ceil(min(spare) / 2)
        corners = [(place, middle) if sides[0] > sides[1] else (middle, place) for place in places]
        return [clip[..., top : top + size, left : left + size] for top, left in corners]

    def _augmented(self, clip: Tensor, generator: Generator | None) -> Tensor:
        if self.crop_area is None:
            crops = self._crops(clip)
            clip = crops[len(crops) // 2]
        else:
            clip = images.random_resized_crop(clip, self.image_size, self.crop_area, self.crop_ratio, generator)
        if images.chance(self.color_probability, generator):
            clip = images.jittered(clip, self.color_jitter, generator)
        if images.chance(self.gray_probability, generator):
            clip = images.gray(clip)
        if images.chance(self.blur_probability, generator):
            low, high = self.blur_sigma
            clip = images.blurred(clip, low + (high - low) * float(torch.rand((), generator=generator)))
        return clip.flip(-1) if images.chance(self.mirror_probability, generator) else clip

    def _check_fields(self) -> None:
        """Raises a `ValueError` for the first field with an invalid value; it states the valid ones."""
        check_choices(self, {"sampling": SAMPLINGS, "resize": RESIZES, "spatial_crops": (1, 3)})
        for name in ("num_frames", "frame_stride", "temporal_views", "image_size"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}.")
        if self.shorter_side is not None and self.shorter_side < self.image_size:
            raise ValueError(f"shorter_side must be at least image_size={self.image_size}, got {self.shorter_side!r}.")
        if not self.fps > 0:
            raise ValueError(f"fps must be above 0, got {self.fps!r}.")
        if self.temporal_views > 1 and self.sampling != "stride":
            raise ValueError('temporal_views above 1 need sampling="stride": segments already cover the whole video.')
        if self.spatial_crops > 1 and self.resize != "shorter-side":
            raise ValueError('spatial_crops=3 needs resize="shorter-side": a stretched image has one crop.')
        lengths = {
            "image_mean": 3,
            "image_std": 3,
            "crop_ratio": 2,
            "color_jitter": 4,
            "blur_sigma": 2,
            "crop_area": 2,
        }
        for name, length in lengths.items():
            value = getattr(self, name)
            given = name != "crop_area" or value is not None
            if given and (len(value) != length or not all(math.isfinite(entry) for entry in value)):
                raise ValueError(f"{name} must be {length} numbers, got {value!r}.")
        for name in ("color_probability", "gray_probability", "blur_probability", "mirror_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, got {getattr(self, name)!r}.")
        if min(self.image_std) <= 0 or self.blur_sigma[0] <= 0:
            raise ValueError(f"image_std and blur_sigma must be above 0, got {self.image_std}, {self.blur_sigma}.")
        if self.crop_area is not None and not 0 < self.crop_area[0] <= self.crop_area[1] <= 1:
            raise ValueError(f"crop_area must be two rising shares in 0..1, got {self.crop_area}.")


def clip_processor(source: str, pixels: Mapping[str, Any]) -> VideoClipProcessor:
    """The processor beside a video tower's weights, or one for its `pixels`, eight frames a video.

    Args:
        source: folder or Hub id of the tower.
        pixels: `models.video_towers.VideoTower.pixels`; empty: read from `source`, a ValueError without a valid file.
    """
    if pixels:
        return VideoClipProcessor(**pixels)
    try:
        return VideoClipProcessor.from_pretrained(source)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"{source}: preprocessor_config.json is not of a VideoClipProcessor: {reason}") from None


def checked_frames(frames: Any) -> np.ndarray:
    """`(frames, height, width, 3)` as an array; a ValueError for other axes, no frame, another dtype, NaN."""
    array = np.asarray(frames)
    if array.ndim != 4 or array.shape[-1] != 3:
        hint = "a video is (frames, height, width, 3), red first"
        if array.ndim == 4 and array.shape[1] == 3:
            hint = "the colours come last: frames.transpose(0, 2, 3, 1)"
        elif array.ndim == 3:
            hint = "a single image is image[None], images in a list make a video by numpy.stack(images)"
            if array.shape[-1] != 3:
                hint = "a gray video is numpy.repeat(frames[..., None], 3, -1)"
        raise ValueError(f"VideoClipProcessor expects (frames, height, width, 3), got {array.shape}; {hint}.")
    if not array.size:
        raise ValueError(f"A video without frames or pixels has no clip, got {array.shape}; leave it out.")
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise ValueError(f"VideoClipProcessor expects uint8 or floats in 0..1, got {array.dtype}; use uint8.")
    if not np.isfinite(array).all():
        raise ValueError("The video holds NaN or infinite pixels; leave such frames out, or fill them.")
    if array.min() < 0 or array.max() > 1:
        raise ValueError(
            f"Float pixels must lie in 0..1, got {array.min():.3g}..{array.max():.3g}; for 0..255 use "
            "frames.astype(numpy.uint8); pass pixels before normalisation."
        )
    return array
