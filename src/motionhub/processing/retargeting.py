"""`RetargetProcessor`: people in 2-D as the retargeting networks read them, and their motions back as coordinates.

A row per joint, relative to the root, and one for the root's velocity; all divided by the statistics of the training
data. Joints that the network's layout does not have are carried along by the pipeline.

Source: preprocessing of Aberman et al. 2019, official code https://github.com/ChrisWu1997/2D-Motion-Retargeting.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from torch import Tensor
from transformers.feature_extraction_utils import BatchFeature

from motionhub.processing.arrays import checked_sequence, clips_of, each_of, image_size_of
from motionhub.processing.collate import padded_batch
from motionhub.processing.processor import FieldsProcessor, as_feature, as_list, check_return_tensors
from motionhub.processing.steps import FILLS, converted, fill_missing
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout, layout_reference
from motionhub.skeletons.sequence import SkeletonSequence


SCALES = ("image", "body")
PLACES = ("source", "image-centre")
_GRID = 16  # the official canvas is a multiple of 16 pixels either way


@dataclass(frozen=True)
class _Measured:
    """A clip on the network's canvas.

    Args:
        points: `(people, frames, joints, 2)` float64 in canvas pixels, gaps filled; NaN only for joints that were
            never seen.
        seen: `(people, frames, joints)` before filling.
        scale: `(people,)` canvas pixels per unit of the sequence.
        canvas: (width, height) of the canvas, or None where the image's size is not known.
    """

    points: np.ndarray
    seen: np.ndarray
    scale: np.ndarray
    canvas: tuple[float, float] | None

    @property
    def present(self) -> np.ndarray:
        return np.asarray(self.seen.any(axis=(1, 2)))


class RetargetProcessor(FieldsProcessor):
    """Makes network input of a 2-D sequence in any layout, and coordinates of the network's output.

    The steps: layout conversion by joint names, gaps filled in time, Gaussian smoothing over time, scaling to the
    canvas, joints relative to the root (a joint never seen in the clip becomes the mean pose's), the root's velocity
    (zero in the first frame), mean and standard deviation.

    Args:
        layout: the layout the network works in, or its name; its root is the joint all others are relative to. One
            that is not the library's is kept, and saved, as the dictionary that declares it.
        mean, std: `(rows, 2)` statistics in canvas pixels: the layout's joints in order without the root, then the
            root's velocity. None: 0 and 1.
        canvas_height: pixels that the image's height becomes (`scale="image"`).
        scale: `"image"` (official): the person's size in the image counts, which needs pixels and the image size.
            `"body"`: the median distance of neck and root becomes that of the mean pose, for any unit and any distance
            from the camera; a tall and a small body then differ in proportions only.
        default_image_size: (width, height) for sequences that do not know theirs. None: such a sequence is an error.
        fill: missing joints: `"previous"` (official: the last position, before the first one the next) or
            `"interpolate"`.
        smoothing: standard deviation in frames of the Gaussian over the input, 0 for none.
        output_smoothing: the same for the output.
        placement: where `inverse` puts the root in the first frame: `"source"`, where it is in the sequence given, or
            `"image-centre"` (official).

    Raises:
        ValueError: a field has no such value, or no such name.
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
        self.layout = layout_reference(get_layout(layout))
        self.mean = None if mean is None else np.asarray(mean, dtype=np.float64).tolist()
        self.std = None if std is None else np.asarray(std, dtype=np.float64).tolist()
        self.canvas_height = canvas_height
        self.scale = scale
        self.default_image_size = as_list(default_image_size)
        self.fill = fill
        self.smoothing = smoothing
        self.output_smoothing = output_smoothing
        self.placement = placement
        self._check_fields()

    @property
    def rows(self) -> list[str]:
        """What each row of the input is."""
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
            sequences, return_tensors, layout, fps, unit, image_size, confidence: as in `SkeletonProcessor`: sequences,
                rows, or arrays `(people, frames, joints, 2)` together with their layout, fps and unit.

        Raises:
            ValueError: as in `SkeletonProcessor`, and see `process`.
        """
        check_return_tensors(return_tensors)
        clips = clips_of(sequences, layout=layout, fps=fps, unit=unit, image_size=image_size, confidence=confidence)
        return as_feature(padded_batch(each_of(clips, self.process), self.model_input_names), return_tensors)

    def process(self, sequence: SkeletonSequence | Mapping[str, Any]) -> dict[str, Tensor]:
        """One clip: keypoints `(people, frames, rows, 2)` float32, joint_mask `(people, frames, rows)`, attention_mask
        `(people, frames)`. People who are never seen are zeros with both masks False.

        Raises:
            ValueError: 3-D, no image size for `scale="image"`, or a person whose root (or neck, for `scale="body"`)
                is never seen.
        """
        sequence = _checked_sequence(sequence)
        if not sequence.num_people or not sequence.num_frames:
            return self._empty(max(sequence.num_people, 1), max(sequence.num_frames, 1))
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
        # A joint never seen is NaN up to here, and normalised zero is the mean pose.
        return {
            "keypoints": torch.from_numpy(np.nan_to_num(rows).astype(np.float32)),
            "joint_mask": torch.from_numpy(joint_mask),
            "attention_mask": torch.from_numpy(attention_mask),
        }

    def inverse(self, keypoints: Any, sequence: SkeletonSequence | Mapping[str, Any]) -> Tensor:
        """Network output `(people, frames, rows, 2)` as coordinates `(people, frames, joints, 2)` in `layout`.

        They are in the unit, scale and place of `sequence`, which has the same people: its image (or, with
        `scale="body"`, each body) is measured again. Joints never seen have values too; absent people are NaN.

        Raises:
            ValueError: the shape is not what `process` makes of the sequence's people.
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
        points = converted(torch.tensor(sequence.keypoints), sequence.layout, layout).double()
        seen: np.ndarray = np.logical_not(points[..., 0].isnan().numpy())
        never: np.ndarray = np.logical_not(np.any(seen, axis=1, keepdims=True))
        self._check_seen(sequence, seen, never)
        filled = fill_missing(points, self.fill).numpy()
        filled = _smoothed(filled, self.smoothing)
        filled = np.where(np.broadcast_to(never[..., None], filled.shape), np.nan, filled)
        canvas = None
        if self.scale == "image":
            others = 'a processor with scale="body", which measures the body in any unit'
            width, height = image_size_of(sequence, self.default_image_size, 'scale="image"', others)
            factor = self.canvas_height / height
            scale = np.full(len(filled), factor)
            canvas = (_on_grid(int(width * factor)), _on_grid(self.canvas_height))
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
                    f"{absent} of person {sequence.track_ids[person]} is never seen (or cannot be made from layout "
                    f"{sequence.layout.name!r}), and everything is measured from it; estimate it first, or leave "
                    f"this person out: sequence.person(index)."
                )

    def _body_scale(self, points: np.ndarray) -> np.ndarray:
        layout = get_layout(self.layout)
        trunk = points[:, :, layout.index("neck")] - points[:, :, layout.index(layout.root)]
        length = np.median(np.linalg.norm(trunk, axis=-1), axis=1)
        wanted = float(np.linalg.norm(self._statistics()[0][self.rows.index("neck")]))
        # No person, or no statistics: nothing to measure, so nothing is scaled.
        return np.where(np.isfinite(length) & (length > 0) & (wanted > 0), wanted / np.maximum(length, 1e-12), 1.0)

    def _first_place(self, measured: _Measured, root: int) -> np.ndarray:
        """`(people, 2)` where the root stands before its first velocity is added."""
        if self.placement == "image-centre":
            if measured.canvas is None:
                raise ValueError(
                    'placement="image-centre" needs the image, which scale="body" does not look at; use '
                    'placement="source".'
                )
            return np.tile(np.asarray(measured.canvas) / 2, (len(measured.points), 1))
        return measured.points[:, 0, root]

    def _statistics(self) -> tuple[np.ndarray, np.ndarray]:
        rows = len(self.rows)
        mean = np.zeros((rows, 2)) if self.mean is None else np.asarray(self.mean)
        return mean, np.ones((rows, 2)) if self.std is None else np.asarray(self.std)

    def _empty(self, people: int, frames: int) -> dict[str, Tensor]:
        shape = (people, frames, len(self.rows))
        masks = {"joint_mask": torch.zeros(shape, dtype=torch.bool)}
        masks["attention_mask"] = torch.zeros(shape[:2], dtype=torch.bool)
        return {"keypoints": torch.zeros(*shape, 2), **masks}

    def _check_fields(self) -> None:
        self._check_choices({"scale": SCALES, "fill": FILLS[1:], "placement": PLACES})
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
    """A Gaussian over the frame axis 1, reflected at both ends as in scipy's (and the official) default."""
    return gaussian_filter1d(points, sigma=frames, axis=1) if frames > 0 else points


def _on_grid(length: int) -> int:
    return -(-length // _GRID) * _GRID
