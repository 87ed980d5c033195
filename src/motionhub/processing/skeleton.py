"""`SkeletonProcessor`: motion in any form to one checkpoint's tensors; saved as `preprocessor_config.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor
from transformers.feature_extraction_utils import BatchFeature

from motionhub.augment import temporal
from motionhub.augment.policy import POLICY_FIELDS, AugmentationPolicy
from motionhub.processing.collate import padded_batch
from motionhub.processing.processor import FieldsProcessor, as_feature, check_return_tensors
from motionhub.runtime.arrays import clips_of, each_of
from motionhub.runtime.skeleton_steps import SkeletonSteps
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout, layout_reference
from motionhub.skeletons.sequence import SkeletonSequence


class SkeletonProcessor(SkeletonSteps, FieldsProcessor):
    """Makes model input of motion: keypoints without NaN, a joint mask and an attention mask.

    The steps, in this order: people selection, dims, layout conversion, frame rate, (replay of empty tails),
    normalisation, temporal sampling, augmentation (training only), stream, masks and fill, padding.

    With `padding="mask"` absent people and frames are zeros with both masks False; padded frames are always at the
    end, and models with masked pooling ignore them. The official UNIK has no masks: its Posetics features average
    zeros for absent people and frames; its Smarthome and Penn features come from clips looped to 4000 and 700 frames
    (`padding="replay"`, attention mask True). Either way its result depends on the padded length.

    Args:
        layout: the layout the model works in, or its name; other layouts are converted by joint names. One that is not
            the library's (see `motionhub.load_layout`) is saved as the dictionary that declares it.
        num_dims: 2 (the first two coordinates of 3-D data, without a camera) or 3.
        num_people: people of a sample; absent ones are padded, those of least energy left out. None keeps all.
        num_frames: frames of a training sample, and of a test sample where test sampling needs a number. None: all.
        test_num_frames: frames of a test sample, where different; with `test_sampling="all"` the length to pad to.
        fps: frame rate to resample to (linear in time). None keeps the clip's own.
        unit: the required unit of the coordinates, where the weights depend on the scale; None accepts any.
        stream: `"joint"`, `"bone"` (child minus parent) or `"velocity"` (next frame minus this one, last frame 0).
        normalization: `"none"`; `"screen"`, `"centre"`, `"torso"`, see these functions of `runtime.normalization`;
            `"agcn-3d"`, `"unik-3d"`: centre, then rotate a vertical bone onto +z and a lateral one onto +x (SPECS
            2.3).
        centring: `"per-frame"` or `"first-frame"`; None: per frame, except first frame for `"unik-3d"`.
        centre_joint: joint at the origin; None: the layout's root ("centre"), or the rule's own joint.
        vertical_bone: (from, to) joints rotated onto +z; None: the rule's own.
        lateral_bone: (a, b): a minus b is rotated onto +x; None: the rule's own; []: no such rotation.
        scale: `"none"`, `"bones"` or `"extent"`: the length that becomes 1 (not for "screen").
        default_image_size: (width, height) for pixel sequences without one. The official files assume 640 x 480. None:
            such a sequence is an error.
        people_selection: `"energy"`: most moving first, see `runtime.steps.by_energy`; `"first"`: in given order.
        train_sampling: `"random-window"`, `"uniform-random"` (one random frame of each of num_frames segments),
            `"resize"` (linear in time), `"all"`.
        test_sampling: `"all"`, `"centre-window"`, `"uniform"` (middle frame of each segment), `"resize"`.
        padding: `"mask"` or `"replay"`, see above.
        fill: `"zero"` (after normalisation, as official), `"interpolate"` or `"previous"`; the mask stays False.
        augmentation: an `augment.policy.AugmentationPolicy`, or a dictionary of its fields, for training. It belongs
            to a recipe (`TrainingRecipe.augmentation`); the single fields, as in earlier versions, still work here.
        upright: True rotates every clip so that up is up in an image (y downward), see
            `runtime.steps.align_gravity`; for image models that are given 3-D data, or 2-D data with y upward.

    Raises:
        ValueError: an unknown field or value.

    Examples:
        >>> processor = motionhub.SkeletonProcessor(
        ...     layout="coco-17", num_dims=3, num_people=1, fps=30, normalization="centre"
        ... )
        >>> inputs = processor(motionhub.generate("wave", seed=0), return_tensors="np")
        >>> inputs["keypoints"].shape
        (1, 1, 90, 17, 3)
    """

    model_input_names = ["keypoints", "joint_mask", "attention_mask"]
    OLD_FIELDS = POLICY_FIELDS

    def __init__(
        self,
        layout: str | SkeletonLayout | Mapping[str, Any] = "posetics-17",
        num_dims: int = 2,
        num_people: int | None = 2,
        num_frames: int | None = None,
        test_num_frames: int | None = None,
        fps: float | None = None,
        unit: str | None = None,
        stream: str = "joint",
        normalization: str = "screen",
        centring: str | None = None,
        centre_joint: str | None = None,
        vertical_bone: Sequence[str] | None = None,
        lateral_bone: Sequence[str] | None = None,
        scale: str = "none",
        default_image_size: Sequence[int] | None = None,
        people_selection: str = "energy",
        train_sampling: str = "random-window",
        test_sampling: str = "all",
        padding: str = "mask",
        fill: str = "zero",
        augmentation: AugmentationPolicy | Mapping[str, Any] | None = None,
        upright: bool = False,
        **kwargs: Any,
    ) -> None:
        moved = {name: kwargs.pop(name) for name in POLICY_FIELDS if name in kwargs}
        super().__init__(**kwargs)
        self._set_fields(locals())
        self.layout = layout_reference(get_layout(layout))
        self.augmentation = AugmentationPolicy.of(augmentation)
        if moved:
            self.augmentation = AugmentationPolicy.of({**self.augmentation.to_dict(), **moved})
        self._check_fields()

    @classmethod
    def from_dict(cls, feature_extractor_dict: dict[str, Any], **kwargs: Any) -> Any:
        """As in `FieldsProcessor`; a given augmentation replaces all fields of the file's."""
        if "augmentation" in kwargs:
            feature_extractor_dict = {
                name: value for name, value in feature_extractor_dict.items() if name not in POLICY_FIELDS
            }
        return super().from_dict(feature_extractor_dict, **kwargs)

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON holds them, without an augmentation that changes nothing."""
        content: dict[str, Any] = super().to_dict()
        augmentation = content.pop("augmentation").to_dict()
        return {**content, "augmentation": augmentation} if augmentation else content

    def __call__(
        self,
        sequences: Any,
        training: bool = False,
        generator: Generator | None = None,
        return_tensors: str | None = "pt",
        *,
        layout: str | SkeletonLayout | Mapping[str, Any] | Sequence[Any] | None = None,
        fps: float | Sequence[float] | None = None,
        unit: str | Sequence[str] | None = None,
        image_size: Sequence[Any] | None = None,
        confidence: Any = None,
    ) -> BatchFeature:
        """A batch of one or several clips.

        Args:
            sequences: a clip or several, of any lengths and people. A clip is a `SkeletonSequence`, a row of a
                motionhub dataset, or an array `(people, frames, joints, dims)` or, of one person, `(frames, joints,
                dims)`: NumPy, torch, or nested lists, NaN where a joint is missing. Several are a list of these, or
                one array `(batch, people, frames, joints, dims)`.
            training: sample and augment as in training.
            generator: of all random draws; None draws from torch's global one.
            return_tensors: `"pt"` (also None) or `"np"`.
            layout, fps, unit: of the arrays, which need all three, see `SkeletonSequence`; one for all clips, or a
                list with one for each. Sequences and rows keep their own.
            image_size: `(width, height)` in pixels of the arrays, for screen normalisation, or a list of these.
            confidence: `(people, frames, joints)` in 0..1 of an array, or a list of these. It is checked but has no
                effect: set uncertain joints to NaN to leave them out.

        Returns:
            keypoints `(batch, people, frames, joints, dims)` float32 without NaN, joint_mask `(batch, people, frames,
            joints)` bool, attention_mask `(batch, people, frames)` bool: False for absent people and padded frames.

        Raises:
            ValueError: an array without layout, fps or unit, one that does not fit them, metadata for another number
                of clips, or a clip that does not fit this processor; of several clips the message states the position.

        Examples:
            >>> import numpy as np
            >>> from motionhub import SkeletonProcessor
            >>> processor = SkeletonProcessor(layout="coco-17", num_people=1)
            >>> clip = np.full((1, 60, 17, 2), 320.0)  # people, frames, joints, (x, y)
            >>> facts = {"layout": "coco-17", "fps": 30, "unit": "pixel", "image_size": (640, 480)}
            >>> processor(clip, **facts)["keypoints"].shape
            torch.Size([1, 1, 60, 17, 2])
            >>> batch = processor([clip, clip[:, :20]], **facts, return_tensors="np")  # the shorter one is padded
            >>> batch["keypoints"].shape, batch["attention_mask"].sum(axis=(1, 2)).tolist()
            ((2, 1, 60, 17, 2), [60, 20])
        """
        check_return_tensors(return_tensors)
        clips = clips_of(sequences, layout=layout, fps=fps, unit=unit, image_size=image_size, confidence=confidence)
        samples = each_of(clips, lambda clip: self.process(clip, training, generator))
        return as_feature(padded_batch(samples, self.model_input_names), return_tensors)

    def process(
        self,
        sequence: SkeletonSequence | Mapping[str, Any],
        training: bool = False,
        generator: Generator | None = None,
        frame_labels: Any = None,
    ) -> dict[str, Tensor]:
        """One clip: keypoints `(people, frames, joints, dims)`, joint_mask, attention_mask, without the batch axis.

        A clip without frames, people or valid joints gives zeros with False masks (at least one frame).

        Args:
            frame_labels: `(frames of the sequence, ...)`: sampled with the frames (the nearest where they are
                interpolated) and returned as `"labels"`, float32 `(frames, ...)`, padded with zeros.

        Raises:
            ValueError: layout, dims, unit or image size do not fit this processor.
        """
        options: dict[str, Any] = {}
        if training:
            options = {
                "draw": lambda frames, wanted: self._drawn_positions(frames, wanted, generator),
                "augment": lambda keypoints: self._augmented(keypoints, generator),
            }
        sample = self.arrays_of(sequence, frame_labels, training=training, **options)
        return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in sample.items()}

    def inverse(self, keypoints: Any, sequence: SkeletonSequence | Mapping[str, Any]) -> Tensor:
        """Normalised keypoints `(people, frames, joints, dims)` back in the units and position of `sequence`.

        The sequence is the one that was processed: it is measured again. The result has this processor's layout, dims
        and order of people; missing joints hold what the fill rule gave.

        Raises:
            ValueError: the stream is not `"joint"`, or a per-frame centre does not fit the number of frames.
        """
        if self.stream != "joint" or self.upright:
            what = "upright=True" if self.upright else f"stream={self.stream!r}"
            raise ValueError(
                f'Only the joint stream, not turned upright, has an inverse, got {what}; use stream="joint".'
            )
        _, normalizer, _ = self.measured(sequence)
        return torch.from_numpy(np.asarray(normalizer.inverse(np.asarray(keypoints))))

    def _drawn_positions(self, num_frames: int, wanted: int | None, generator: Generator | None) -> np.ndarray:
        """Positions in time of the frames of a training sample, before padding."""
        fixed = self.fixed_positions(self.train_sampling, num_frames, wanted)
        if fixed is not None:
            return fixed
        assert wanted is not None
        if self.train_sampling == "random-window":
            return temporal.random_window_positions(num_frames, wanted, generator)
        begin, length = self.augmentation.crop(num_frames, generator)
        if self.train_sampling == "resize":
            return begin + temporal.resize_positions(length, wanted)
        return begin + temporal.segment_positions(length, wanted, generator, random=True)

    def _augmented(self, keypoints: np.ndarray, generator: Generator | None) -> np.ndarray:
        changed: Tensor = self.augmentation(
            torch.from_numpy(np.ascontiguousarray(keypoints)), get_layout(self.layout), generator
        )
        return changed.numpy()


def with_augmentation(processor: Any, augmentation: Any) -> Any:
    """The processor with a recipe's augmentation: a policy, its fields as a dictionary or JSON text; None: no change.

    Raises:
        ValueError: an unknown field, a value out of range, or a processor that is not of skeletons.

    Examples:
        >>> processor = motionhub.SkeletonProcessor(layout="coco-17")
        >>> processor = motionhub.with_augmentation(processor, {"mirror_probability": 0.5})
        >>> processor.augmentation.mirror_probability
        0.5
    """
    if augmentation is None:
        return processor
    if not isinstance(processor, SkeletonProcessor):
        raise ValueError(f"augmentation is of skeleton clips, got a {type(processor).__name__}; leave it out.")
    return type(processor).from_dict({**processor.to_dict(), "augmentation": augmentation})
