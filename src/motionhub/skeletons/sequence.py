"""`SkeletonSequence`: the one type in which motion travels through the library. NaN means missing."""

from dataclasses import dataclass, replace
from functools import reduce
from numbers import Real
from typing import Any

import numpy as np

from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout


UNITS = ("pixel", "metre", "normalised")
_LARGEST = 1e9  # frames per second, pixels of a side; beyond are damaged files
DIRECTIONS = ("x", "-x", "y", "-y", "z", "-z")


@dataclass(frozen=True, eq=False, repr=False)
class SkeletonSequence:
    """Keypoints of some people over time.

    Args:
        keypoints: `(num_people, num_frames, num_joints, num_dims)` float, num_dims 2 or 3; NaN where a
            joint is missing. A single person may be given as `(num_frames, num_joints, num_dims)`.
        layout: a `SkeletonLayout`, or the name of one. Never inferred from the number of joints. Keypoints with face
            and hands (`layout.num_file_joints`, such as 136 for halpe-136) are cut to the body.
        fps: frames per second.
        unit: `"pixel"`, `"metre"` or `"normalised"`.
        confidence: `(num_people, num_frames, num_joints)` in 0..1, or None.
        image_size: `(width, height)` in pixels, or None.
        track_ids: one integer per person, or None for 0, 1, 2, ...
        up: the coordinate axis that points up, one of `DIRECTIONS` (`"-y"` in images and for most cameras, `"y"` in
            BVH, TRC and glTF, `"z"` in many motion capture systems), or None when unknown.

    Raises:
        ValueError: a shape, the unit, the frame rate or the axis does not fit; the message says what was expected.

    Examples:
        >>> import numpy as np
        >>> keypoints = np.full((1, 30, 17, 2), np.nan)  # people, frames, joints, dims; NaN is a missing joint
        >>> keypoints[..., 0, :] = 100.0
        >>> clip = motionhub.SkeletonSequence(keypoints, layout="coco-17", fps=30, unit="pixel")
        >>> clip.duration
        1.0
    """

    keypoints: np.ndarray
    layout: SkeletonLayout
    fps: float
    unit: str
    confidence: np.ndarray | None = None
    image_size: tuple[int, int] | None = None
    track_ids: tuple[int, ...] | None = None
    up: str | None = None

    def __post_init__(self) -> None:
        layout = get_layout(self.layout)
        keypoints = _as_float32(self.keypoints, "keypoints")
        if keypoints.ndim == 3:
            keypoints = keypoints[None]
        whole = keypoints.ndim == 4 and layout.fits(keypoints.shape[2]) and keypoints.shape[2] != layout.num_joints
        if whole:  # with face and hands, which are left out
            keypoints = layout.body_part(keypoints)
        _check_shape(keypoints, layout)
        # An infinite coordinate is a failed detection. A joint with one unknown coordinate is missing as a whole.
        finite = np.isfinite(keypoints)
        placed = reduce(np.logical_and, np.moveaxis(finite, -1, 0))  # ten times as fast as .all(axis=-1)
        keypoints = np.where(placed[..., None], keypoints, np.float32(np.nan))
        object.__setattr__(self, "layout", layout)
        object.__setattr__(self, "keypoints", keypoints)
        confidence = self.confidence
        if whole and confidence is not None:
            confidence = layout.body_part(_as_float32(confidence, "confidence"), axis=-1)
        object.__setattr__(self, "confidence", _checked_confidence(confidence, keypoints))
        object.__setattr__(self, "fps", _checked_fps(self.fps))
        if self.unit not in UNITS:
            raise ValueError(f"unit must be one of {UNITS}, got {self.unit!r}.")
        if self.image_size is not None:
            object.__setattr__(self, "image_size", _checked_image_size(self.image_size))
        axes = DIRECTIONS[: 2 * keypoints.shape[3]]
        if self.up not in (None, *axes):
            raise ValueError(
                f"up must be None or one of {axes} for {keypoints.shape[3]}-D keypoints, got {self.up!r}."
            )
        object.__setattr__(self, "track_ids", _checked_track_ids(self.track_ids, len(keypoints)))

    def __repr__(self) -> str:
        unit = {"pixel": "pixels", "metre": "metres", "normalised": "normalised units"}[self.unit]
        return (
            f"SkeletonSequence(people {self.num_people}, frames {self.num_frames} at {self.fps:g} fps, "
            f"{self.num_dims}-D in {unit}, layout {self.layout.name})"
        )

    @property
    def num_people(self) -> int:
        return self.keypoints.shape[0]

    @property
    def num_frames(self) -> int:
        return self.keypoints.shape[1]

    @property
    def num_joints(self) -> int:
        return self.keypoints.shape[2]

    @property
    def num_dims(self) -> int:
        return self.keypoints.shape[3]

    @property
    def joint_mask(self) -> np.ndarray:
        """`(num_people, num_frames, num_joints)` bool: False where the joint is missing."""
        return ~np.isnan(self.keypoints).any(axis=-1)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.num_frames / self.fps

    def replace(self, **changes: Any) -> "SkeletonSequence":
        """A copy with some fields changed; the new values are checked again.

        Keypoints of another number of dims, such as a projection, no longer have the stated axis `up`.
        """
        if "up" not in changes and np.shape(changes.get("keypoints", self.keypoints))[-1:] != (self.num_dims,):
            changes["up"] = None
        return replace(self, **changes)

    def person(self, index: int) -> "SkeletonSequence":
        """The sequence of one person, by position (not by track id)."""
        if not 0 <= index < self.num_people:
            raise ValueError(f"person index must be in 0..{self.num_people - 1}, got {index}.")
        confidence = None if self.confidence is None else self.confidence[index : index + 1]
        assert self.track_ids is not None
        return self.replace(
            keypoints=self.keypoints[index : index + 1],
            confidence=confidence,
            track_ids=self.track_ids[index : index + 1],
        )


def _as_float32(values: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biufO":  # NumPy would read numbers in text, and drop imaginary parts
            raise TypeError(f"its entries are {array.dtype}")
        return array.astype(np.float32, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a rectangular array of numbers (num_people, num_frames, num_joints, num_dims); "
            f"got something that is not: {error}. Ragged clips go in as a list of arrays."
        ) from None


def _check_shape(keypoints: np.ndarray, layout: SkeletonLayout) -> None:
    if keypoints.ndim != 4 or keypoints.shape[3] not in (2, 3):
        hints = {
            2: "A single frame is a clip of one, array[None]; frames in a list make one, numpy.stack(frames).",
            5: "Several clips are a list of arrays: list(array).",
        }
        raise ValueError(
            f"keypoints of layout {layout.name!r} must have shape (num_people, num_frames, {layout.num_joints}, "
            f"2 or 3), got {keypoints.shape}. "
            + hints.get(keypoints.ndim, "If the last column is a score, pass it as confidence=array[..., 2].")
        )
    if layout.dims not in (None, keypoints.shape[3]):
        raise ValueError(
            f"Layout {layout.name!r} is declared with dims: {layout.dims}, but keypoints have {keypoints.shape[3]} "
            f"coordinates a joint (shape {keypoints.shape}); cut them (array[..., :2]), or leave dims out."
        )
    if keypoints.shape[2] != layout.num_joints:
        raise ValueError(
            f"Layout {layout.name!r} has {layout.num_joints} joints, but keypoints have {keypoints.shape[2]} "
            f"(shape {keypoints.shape}). "
            "Name the layout the array really has, then convert: motionhub.convert_layout(sequence, target)."
        )


def _checked_confidence(confidence: Any, keypoints: np.ndarray) -> np.ndarray | None:
    if confidence is None:
        return None
    array = _as_float32(confidence, "confidence")
    if array.ndim == 2:
        array = array[None]
    if array.shape != keypoints.shape[:3]:
        raise ValueError(
            f"confidence must have shape {keypoints.shape[:3]} (people, frames, joints), got {array.shape}."
        )
    return array


def _checked_fps(fps: Any) -> float:
    is_number = isinstance(fps, Real) and not isinstance(fps, bool)
    if not is_number or not 0 < fps <= _LARGEST:
        most = f", at most {_LARGEST:g}" if is_number and fps > _LARGEST else ""
        raise ValueError(f"fps must be a positive number of frames per second{most}, got {repr(fps)[:60]}.")
    return float(fps)


def _checked_image_size(image_size: Any) -> tuple[int, int]:
    if np.shape(image_size) != (2,) or not all(1 <= length <= _LARGEST for length in image_size):
        shown = repr(image_size)[:60]
        raise ValueError(f"image_size must be (width, height) in pixels, both from 1 to {_LARGEST:g}, got {shown}.")
    return int(image_size[0]), int(image_size[1])


def _checked_track_ids(track_ids: Any, num_people: int) -> tuple[int, ...]:
    if track_ids is None:
        return tuple(range(num_people))
    if len(track_ids) != num_people or len(set(track_ids)) != num_people:
        raise ValueError(f"track_ids must be {num_people} different integers, one per person, got {track_ids!r}.")
    return tuple(int(track) for track in track_ids)
