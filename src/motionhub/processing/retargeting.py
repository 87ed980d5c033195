"""`RetargetProcessor`: input of the retargeting networks from 2-D motion, and coordinates from their output.

Input has a row per joint, relative to the root, and one for the root's velocity; all normalised by the statistics of
the training data. The pipeline adds the joints that the network's layout lacks.

Source: preprocessing of Aberman et al. 2019, official code https://github.com/ChrisWu1997/2D-Motion-Retargeting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.feature_extraction_utils import BatchFeature

from motionhub.processing.collate import padded_batch
from motionhub.processing.processor import FieldsProcessor, as_feature, check_return_tensors
from motionhub.runtime.arrays import check_choices, checked_sequence, clips_of, each_of, image_size_of
from motionhub.runtime.steps import FILLS, converted, fill_missing
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout, layout_reference
from motionhub.skeletons.sequence import SkeletonSequence


SCALES = ("image", "body")
PLACES = ("source", "image-centre")
_GRID = 16  # width and height of the official canvas are multiples of it


@dataclass(frozen=True)
class _Measured:
    """A clip on the network's canvas.

    Args:
        points: `(people, frames, joints, 2)` float64 in canvas pixels, gaps filled; NaN for joints never detected.
        seen: `(people, frames, joints)` before filling.
        scale: `(people,)` canvas pixels per unit of the sequence.
        canvas: its (width, height), or None without image size.
    """

    points: np.ndarray
    seen: np.ndarray
    scale: np.ndarray
    canvas: np.ndarray | None

    @property
    def present(self) -> np.ndarray:
        return np.asarray(self.seen.any(axis=(1, 2)))


class RetargetProcessor(FieldsProcessor):
    """Makes network input of a 2-D sequence in any layout, and coordinates of the network's output.

    The steps: layout conversion by joint names, gaps filled in time, Gaussian smoothing over time, scaling to the
    canvas, joints relative to the root (one that is never detected is that of the mean pose), the root's velocity
    (zero in the first frame), mean and standard deviation.

    Args:
        layout: the layout of the network, or its name; all joints are relative to its root. One that is not the
            library's is saved as the dictionary that declares it.
        mean, std: `(rows, 2)` statistics in canvas pixels: the layout's joints in order without the root, then the
            root's velocity. None: 0 and 1.
        canvas_height: height of the canvas in pixels (`scale="image"`).
        scale: `"image"` (official): by the height of the image, which needs pixels and the image size. `"body"`: the
            median distance of neck and root becomes that of the mean pose, for any unit and distance from the camera;
            tall and small bodies then differ in proportions only.
        default_image_size: (width, height) for sequences without one. None: such a sequence is an error.
        fill: missing joints: `"previous"` (official: the last position, before the first one the next) or
            `"interpolate"`.
        smoothing: standard deviation in frames of the Gaussian over the input, 0 for none.
        output_smoothing: the same for the output.
        placement: position of the root in the first frame of `inverse`: `"source"`, that in the given sequence, or
            `"image-centre"` (official).

    Raises:
        ValueError: an unknown field or value.

    Examples:
        >>> processor = motionhub.RetargetProcessor(scale="body", smoothing=0)
        >>> scene = motionhub.Scene(focal=1000.0)
        >>> processor(motionhub.generate("wave", seed=0, scene=scene))["keypoints"].shape
        torch.Size([1, 1, 90, 15, 2])
    """

    model_input_names = ["keypoints", "joint_mask", "attention_mask"]

    def __init__(
        self,
        layout: str | SkeletonLayout | Mapping[str, Any] = "lac-15",
        mean: Sequence[Sequence[float]] | None = None,
        std: Sequence[Sequence[float]] | None = None,
        canvas_height: int = 512,
        scale: str = "image",
        default_image_size: Sequence[int] | None = None,
        fill: str = "previous",
        smoothing: float = 2.0,
        output_smoothing: float = 2.0,
        placement: str = "source",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._set_fields(locals())
        self.layout = layout_reference(get_layout(layout))
        self.mean = None if mean is None else np.asarray(mean, dtype=np.float64).tolist()
        self.std = None if std is None else np.asarray(std, dtype=np.float64).tolist()
        self._check_fields()

    @property
    def rows(self) -> list[str]:
        """The name of each row of the input."""
        layout = get_layout(self.layout)
        return [joint for joint in layout.joints if joint != layout.root] + ["velocity"]

    def __call__(
        self,
        sequences: Any,
        return_tensors: str | None = "pt",
        *,
        layout: str | SkeletonLayout | Mapping[str, Any] | Sequence[Any] | None = None,
        fps: float | Sequence[float] | None = None,
        unit: str | Sequence[str] | None = None,
        image_size: Sequence[Any] | None = None,
        confidence: Any = None,
    ) -> BatchFeature:
        """A batch: keypoints `(batch, people, frames, rows, 2)`, joint_mask and attention_mask, padded with zeros.

        Args:
            sequences, return_tensors, layout, fps, unit, image_size, confidence: as in `SkeletonProcessor`.

        Raises:
            ValueError: as in `SkeletonProcessor`, and see `process`.
        """
        check_return_tensors(return_tensors)
        clips = clips_of(sequences, layout=layout, fps=fps, unit=unit, image_size=image_size, confidence=confidence)
        return as_feature(padded_batch(each_of(clips, self.process), self.model_input_names), return_tensors)

    def process(self, sequence: SkeletonSequence | Mapping[str, Any]) -> dict[str, Tensor]:
        """One clip: keypoints `(people, frames, rows, 2)` float32, and the masks as in a batch.

        People who are never detected are zeros with both masks False.

        Raises:
            ValueError: 3-D, no image size for `scale="image"`, or a person whose root (or neck, for `scale="body"`) is
                never detected.
        """
        sequence = _checked_sequence(sequence)
        if not sequence.num_people or not sequence.num_frames:
            shape = (max(sequence.num_people, 1), max(sequence.num_frames, 1), len(self.rows))
            masks = {"joint_mask": torch.zeros(shape, dtype=torch.bool)}
            masks["attention_mask"] = torch.zeros(shape[:2], dtype=torch.bool)
            return {"keypoints": torch.zeros(*shape, 2), **masks}
        measured = self._measured(sequence)
        layout = get_layout(self.layout)
        root = layout.index(layout.root)
        centre = measured.points[:, :, root]
        others = np.delete(measured.points, root, axis=2) - centre[:, :, None]
        velocity = np.diff(centre, axis=1, prepend=centre[:, :1])[:, :, None]
        mean, std = self._statistics()
        rows = (np.concatenate([others, velocity], axis=2) - mean) / std
        seen_root = measured.seen[:, :, root, None]
        moved = seen_root & np.roll(seen_root, 1, axis=1)
        moved[:, 0] = seen_root[:, 0]
        joint_mask = np.concatenate([np.delete(measured.seen, root, axis=2) & seen_root, moved], axis=2)
        attention_mask = np.repeat(measured.present[:, None], sequence.num_frames, axis=1)
        # A joint that is never detected is NaN up to here; normalised zero is the mean pose.
        return {
            "keypoints": torch.from_numpy(np.nan_to_num(rows).astype(np.float32)),
            "joint_mask": torch.from_numpy(joint_mask),
            "attention_mask": torch.from_numpy(attention_mask),
        }

    def inverse(self, keypoints: Any, sequence: SkeletonSequence | Mapping[str, Any]) -> Tensor:
        """Network output `(people, frames, rows, 2)` as coordinates `(people, frames, joints, 2)` in `layout`.

        They are in the unit, scale and position of `sequence`, which has the same people and is measured again. Joints
        that are never detected have values too; absent people are NaN.

        Raises:
            ValueError: the shape is not that of `process` for the sequence's people.
        """
        sequence = _checked_sequence(sequence)
        measured = self._measured(sequence)
        values = np.asarray(torch.as_tensor(keypoints).detach().cpu(), dtype=np.float64)
        expected = (sequence.num_people, values.shape[1] if values.ndim == 4 else "frames", len(self.rows), 2)
        if values.shape != expected:
            raise ValueError(f"inverse expects keypoints {expected} for this sequence, got {values.shape}.")
        mean, std = self._statistics()
        values = values * std + mean
        layout = get_layout(self.layout)
        root = layout.index(layout.root)
        centre = np.cumsum(values[:, :, -1], axis=1) + self._first_place(measured, root)[:, None]
        points = np.insert(values[:, :, :-1], root, 0.0, axis=2) + centre[:, :, None]
        points = _smoothed(points, self.output_smoothing)
        points = points / measured.scale[:, None, None, None]
        points[~measured.present] = np.nan
        return torch.from_numpy(points.astype(np.float32))

    def _measured(self, sequence: SkeletonSequence) -> _Measured:
        layout = get_layout(self.layout)
        points = converted(np.array(sequence.keypoints), sequence.layout, layout).astype(np.float64)
        seen = ~np.isnan(points[..., 0])
        never: np.ndarray = np.logical_not(np.any(seen, axis=1, keepdims=True))
        self._check_seen(sequence, seen, never)
        filled = _smoothed(fill_missing(points, self.fill), self.smoothing)
        filled = np.where(np.broadcast_to(never[..., None], filled.shape), np.nan, filled)
        canvas = None
        if self.scale == "image":
            others = 'a processor with scale="body", which measures the body in any unit'
            width, height = image_size_of(sequence, self.default_image_size, 'scale="image"', others)
            factor = self.canvas_height / height
            scale = np.full(len(filled), factor)
            canvas = np.ceil(np.array([int(width * factor), self.canvas_height]) / _GRID) * _GRID
        else:
            scale = self._body_scale(filled)
        return _Measured(filled * scale[:, None, None, None], seen, scale, canvas)

    def _check_seen(self, sequence: SkeletonSequence, seen: np.ndarray, never: np.ndarray) -> None:
        layout = get_layout(self.layout)
        needed = [layout.root] + (["neck"] if self.scale == "body" else [])
        for person in np.flatnonzero(seen.any(axis=(1, 2))):
            absent = [joint for joint in needed if never[person, 0, layout.index(joint)]]
            if absent:
                assert sequence.track_ids is not None
                raise ValueError(
                    f"{absent} of person {sequence.track_ids[person]} is never detected (or cannot be made from "
                    f"layout {sequence.layout.name!r}), and everything is measured from it; estimate it first, or "
                    "leave this person out: sequence.person(index)."
                )

    def _body_scale(self, points: np.ndarray) -> np.ndarray:
        layout = get_layout(self.layout)
        trunk = points[:, :, layout.index("neck")] - points[:, :, layout.index(layout.root)]
        length = np.median(np.linalg.norm(trunk, axis=-1), axis=1)
        wanted = float(np.linalg.norm(self._statistics()[0][self.rows.index("neck")]))
        # Without person or statistics nothing is scaled.
        return np.where(np.isfinite(length) & (length > 0) & (wanted > 0), wanted / np.maximum(length, 1e-12), 1.0)

    def _first_place(self, measured: _Measured, root: int) -> np.ndarray:
        """`(people, 2)` position of the root before its first velocity is added."""
        if self.placement == "image-centre":
            if measured.canvas is None:
                raise ValueError(
                    'placement="image-centre" needs the image size, which scale="body" does not use; use '
                    'placement="source".'
                )
            return np.tile(measured.canvas / 2, (len(measured.points), 1))
        return measured.points[:, 0, root]

    def _statistics(self) -> tuple[np.ndarray, np.ndarray]:
        rows = len(self.rows)
        mean = np.zeros((rows, 2)) if self.mean is None else np.asarray(self.mean)
        return mean, np.ones((rows, 2)) if self.std is None else np.asarray(self.std)

    def _check_fields(self) -> None:
        check_choices(self, {"scale": SCALES, "fill": FILLS[1:], "placement": PLACES})
        for name in ("smoothing", "output_smoothing"):
            if not 0 <= getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be 0 or more frames, got {getattr(self, name)!r}.")
        if not self.canvas_height > 0:
            raise ValueError(f"canvas_height must be positive, got {self.canvas_height!r}.")
        shape = (len(self.rows), 2)
        for name in ("mean", "std"):
            value = getattr(self, name)
            if value is not None and np.shape(value) != shape:
                raise ValueError(f"{name} must have shape {shape}, rows {self.rows}; got {np.shape(value)}.")
        if self.std is not None and not (np.asarray(self.std) > 0).all():
            raise ValueError("std must be positive everywhere; a row that never varies cannot be normalised.")


def _checked_sequence(sequence: SkeletonSequence | Mapping[str, Any]) -> SkeletonSequence:
    sequence = checked_sequence(sequence)
    if sequence.num_dims != 2:
        raise ValueError(
            "2-D retargeting takes keypoints in an image, got 3-D; project them first: x to the right, y down, "
            "sequence.replace(keypoints=projected, ...)."
        )
    return sequence


def _smoothed(points: np.ndarray, frames: float) -> np.ndarray:
    """A Gaussian over the frame axis 1, reflected at both ends (scipy's and the official default)."""
    if frames <= 0:
        return points
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(points, sigma=frames, axis=1)
