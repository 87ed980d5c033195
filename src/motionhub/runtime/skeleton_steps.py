"""Steps from a clip to one checkpoint's arrays, NumPy only: `SkeletonProcessor` and `motionhub.runtime` share them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from motionhub.augment import temporal
from motionhub.runtime import normalization as norms
from motionhub.runtime.arrays import check_choices, checked_sequence, image_size_of
from motionhub.runtime.steps import FILLS, align_gravity, by_energy, converted, fill_missing, replay
from motionhub.skeletons.graph import bone_stream, velocity_stream
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import UNITS, SkeletonSequence


CHOICES: dict[str, tuple[Any, ...]] = {
    "num_dims": (2, 3),
    "unit": (None, *UNITS),
    "stream": ("joint", "bone", "velocity"),
    "normalization": ("none", "screen", "centre", "torso", "agcn-3d", "unik-3d"),
    "centring": (None, *norms.CENTRINGS),
    "scale": norms.SCALES,
    "people_selection": ("energy", "first"),
    "train_sampling": ("random-window", "uniform-random", "resize", "all"),
    "test_sampling": ("all", "centre-window", "uniform", "resize"),
    "padding": ("mask", "replay"),
    "fill": FILLS,
}
SPREAD = ("uniform-random", "uniform", "resize")  # over the whole clip
NEEDS_NUM_FRAMES = ("uniform-random", "uniform", "resize", "centre-window")


class SkeletonSteps:
    """What `SkeletonProcessor` does with a clip, by its fields (see there); random draws are the caller's."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """The fields."""

    def arrays_of(
        self,
        sequence: SkeletonSequence | Mapping[str, Any],
        frame_labels: Any = None,
        *,
        training: bool = False,
        draw: Callable[[int, int], np.ndarray] | None = None,
        augment: Callable[[np.ndarray], np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """One clip: see `SkeletonProcessor.process`.

        Args:
            training: `num_frames` counts, not `test_num_frames`.
            draw: `(frames, wanted) -> positions` of the frames of a sample; None: the test sampling.
            augment: of the keypoints after sampling.
        """
        keypoints, normalizer, source_frames = self.measured(sequence)
        keypoints = normalizer.apply(keypoints)
        in_test = not training and (self.test_num_frames is not None or self.test_sampling == "all")
        wanted = self.test_num_frames if in_test else self.num_frames
        if keypoints.shape[1]:
            positions = (draw or self.test_positions)(keypoints.shape[1], wanted)
            keypoints = temporal.take_frames(keypoints, positions)
            source_frames = source_frames[np.rint(positions).astype(np.int64)]
        if augment is not None:
            keypoints = augment(keypoints)
        keypoints = self._streamed(keypoints)
        joint_mask = ~np.isnan(keypoints[..., 0])
        present = joint_mask.any(axis=(1, 2))
        attention_mask = np.broadcast_to(present[:, None], joint_mask.shape[:2])
        filled = fill_missing(keypoints, self.fill)
        sample = {"keypoints": filled, "joint_mask": joint_mask, "attention_mask": attention_mask}
        num_people = len(keypoints) if self.num_people is None else self.num_people
        num_frames = max(keypoints.shape[1], wanted or 1)
        sample = {name: padded_array(value, max(num_people, 1), num_frames) for name, value in sample.items()}
        if frame_labels is not None:
            labels = np.asarray(frame_labels, np.float32)[source_frames]
            sample["labels"] = padded_array(labels, num_frames)
        return sample

    def measured(
        self, sequence: SkeletonSequence | Mapping[str, Any]
    ) -> tuple[np.ndarray, norms.Normalization, np.ndarray]:
        """Selected, converted, resampled keypoints, their normalisation, and the source frame of each frame."""
        sequence = checked_sequence(sequence)
        if sequence.num_dims < self.num_dims:
            raise ValueError(
                f"This processor makes {self.num_dims}-D input, got a {sequence.num_dims}-D sequence; "
                "use 3-D data, or SkeletonProcessor(num_dims=2, ...) with a model of in_channels=2."
            )
        if self.unit not in (None, sequence.unit):
            raise ValueError(
                f"This processor takes coordinates in {self.unit}s, got unit {sequence.unit!r}; convert them, then "
                f'sequence.replace(keypoints=..., unit="{self.unit}").'
            )
        # A copy, as the caller's array must not change.
        keypoints, layout = np.array(sequence.keypoints), get_layout(self.layout)
        if len(keypoints) > 1 and self.people_selection == "energy":
            keypoints = keypoints[by_energy(keypoints)]
        keypoints = keypoints[: self.num_people]
        if self.upright:
            keypoints = align_gravity(keypoints, sequence.layout, sequence.up)
        keypoints = keypoints[..., : self.num_dims]
        keypoints = converted(keypoints, sequence.layout, layout)
        frames = np.arange(keypoints.shape[1])
        if self.fps is not None and self.fps != sequence.fps and len(frames):
            positions = temporal.resample_positions(len(frames), sequence.fps, self.fps)
            keypoints, frames = temporal.take_frames(keypoints, positions), np.rint(positions).astype(np.int64)
        if self.padding == "replay" and len(frames):
            keypoints = replay(keypoints)
        return keypoints, self.measured_normalization(keypoints, layout, sequence), frames

    def measured_normalization(
        self, keypoints: np.ndarray, layout: SkeletonLayout, sequence: SkeletonSequence
    ) -> norms.Normalization:
        if self.normalization == "none":
            return norms.Normalization(np.zeros((1, 1, 1), keypoints.dtype))
        if self.normalization == "screen":
            others = 'SkeletonProcessor(normalization="centre"), for any unit'
            size = image_size_of(sequence, self.default_image_size, "Screen normalisation", others)
            return norms.screen(size, self.num_dims)
        if self.normalization == "torso":
            return norms.torso(keypoints, layout)
        centring = self.centring or ("first-frame" if self.normalization == "unik-3d" else "per-frame")
        if self.normalization == "centre":
            return norms.centre(keypoints, layout, self.centre_joint, centring, self.scale)
        given = (self.centre_joint, self.vertical_bone, self.lateral_bone)
        rule = norms.rule_joints(self.normalization, layout) if None in given else (None, None, None)
        chosen: list[Any] = [own if own is not None else its for own, its in zip(given, rule, strict=True)]
        joint, vertical, lateral = chosen
        return norms.align(keypoints, layout, joint, vertical, lateral, centring, self.scale)

    def test_positions(self, num_frames: int, wanted: int | None) -> np.ndarray:
        """Positions in time of the frames of a test sample, before padding."""
        fixed = self.fixed_positions(self.test_sampling, num_frames, wanted)
        if fixed is not None:
            return fixed
        assert wanted is not None
        if self.test_sampling == "resize":
            return temporal.resize_positions(num_frames, wanted)
        if self.test_sampling == "uniform":
            return temporal.segment_positions(num_frames, wanted, random=False)
        return temporal.centre_window_positions(num_frames, wanted)

    def fixed_positions(self, sampling: str, num_frames: int, wanted: int | None) -> np.ndarray | None:
        """The frames where nothing is left to choose: all of them, or a short clip repeated; else None."""
        if wanted is None:
            return np.arange(num_frames)
        if sampling in SPREAD:
            return None
        if num_frames < wanted and self.padding == "replay":
            return np.arange(wanted) % num_frames
        return np.arange(num_frames) if sampling == "all" else None

    def _streamed(self, keypoints: np.ndarray) -> np.ndarray:
        if self.stream == "joint" or not keypoints.size:
            return keypoints
        if self.stream == "bone":
            return bone_stream(keypoints, get_layout(self.layout))
        # The last frame's velocity is 0 by definition, but only of valid joints.
        return np.where(np.isnan(keypoints), keypoints.dtype.type(np.nan), velocity_stream(keypoints))

    def _check_fields(self) -> None:
        """Raises a `ValueError` for the first field with an invalid value; it states the valid ones."""
        check_choices(self, CHOICES)
        for name in ("num_people", "num_frames", "test_num_frames"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} must be a positive integer or None, got {value!r}.")
        if self.fps is not None and not self.fps > 0:
            raise ValueError(f"fps must be positive or None, got {self.fps!r}.")
        for name in ("vertical_bone", "lateral_bone", "default_image_size"):
            value = getattr(self, name)
            switched_off = value is None or (name == "lateral_bone" and value == [])
            if not switched_off and (isinstance(value, str) or len(value) != 2):
                raise ValueError(f"{name} must be a list of 2, got {value!r}.")
        layout = get_layout(self.layout)
        for joint in (self.centre_joint, *(self.vertical_bone or ()), *(self.lateral_bone or ())):
            if joint is not None:
                layout.index(joint)
        test_frames = self.test_num_frames or self.num_frames
        for name, frames in (("train_sampling", self.num_frames), ("test_sampling", test_frames)):
            if getattr(self, name) in NEEDS_NUM_FRAMES and frames is None:
                raise ValueError(
                    f"{name}={getattr(self, name)!r} needs num_frames, got None; pass num_frames=100, say."
                )


def padded_array(values: np.ndarray, *sizes: int) -> np.ndarray:
    """Zeros (False) at the end of the first axes, up to `sizes`."""
    if values.shape[: len(sizes)] == sizes:
        return values
    padded = np.zeros((*sizes, *values.shape[len(sizes) :]), values.dtype)
    padded[tuple(slice(size) for size in values.shape[: len(sizes)])] = values
    return padded
