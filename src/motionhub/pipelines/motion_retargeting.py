"""`pipeline("motion-retargeting", model=...)`: one person's motion on the body, or in the view, of another.

The interface of a model:

    outputs = model.retarget(source, target)              # or, with a code for the view alone,
    outputs = model.retarget(source, target, view)        # config.variant == "full"

`source`, `target` and `view` are dicts of `keypoints (B, M, T, V, C)`, `joint_mask` and `attention_mask (B, M, T)`, as
the checkpoint's processor makes them (here M is 1; lengths differ). `outputs.keypoints (B, M, T, V, C)`, T that of the
source, are in the same normalised form, and `processor.inverse(keypoints of one clip, its source sequence)` gives
coordinates in the processor's layout. `motionhub.models.motion_retargeting.MotionRetargetingOutput` is such an output.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from motionhub.metrics.motion import body_size, bone_length_error, foot_contacts, foot_sliding
from motionhub.pipelines.skeleton_pipeline import SkeletonPipeline, as_sequence, dims_of, model_inputs
from motionhub.processing.arrays import describe, warn_of_findings
from motionhub.skeletons.bodies import with_bone_lengths, with_context_of
from motionhub.skeletons.checks import runs
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


FACTS = ("layout", "fps", "unit", "image_size")
OPTIONS = ("target_person", "view_person", "bone_factors", "max_gap", "return_report")
FEET = ("left_ankle", "right_ankle")
# In an image a bone looks shorter the more it points at the camera; its longest appearance is nearest to the length.
QUANTILE_2D, QUANTILE_3D = 0.95, 0.5
MAX_GAP = 8  # frames of one motion code of RetargetNet


class MotionRetargetingPipeline(SkeletonPipeline):
    """Gives the motion of a source another body, another view, or both; what a checkpoint can do is its `variant`.

    - `"view"`: body and view of the target, together. - `"skeleton"`: the body of the target, the view of the source.
    - `"full"`: the body of `target` and the view of `view`, each the source's own when left out.

    Args of every call:
        source: a path, `SkeletonSequence`, dataset row or array (see `SkeletonPipeline`), of one or more people; or a
            list of them, for a list of results.
        target: the same, for the body; a list has one for each source.
        view: the same, for the view (`"full"` only).
        target_person, view_person: whose body or view, by position, where the clip shows several people.
        bone_factors: makes bones longer or shorter at the end, by limb or joint: `{"leg": 1.2, "arm": 0.9}`, see
            `motionhub.skeletons.bodies.with_bone_lengths`. Without target and view it is the only change, and exact.
        max_gap: frames; a joint of the source that is missing for longer at a stretch is missing in the result, a
            shorter gap is bridged. None bridges every gap. Default 8.
        layout, fps, unit, image_size: of files and arrays that do not say so themselves.
        return_report: also return how good it is (a dict per person, see below).

    Returns:
        a `SkeletonSequence` with the layout, frame rate, frames, people and unit of the source, or, with
        `return_report`, `(sequence, report)`. It starts where the source does. A joint that the source never shows, or
        not for longer than `max_gap`, is missing there, as are people in frames in which the source does not show them
        at all. (The root, to which all others are relative, is bridged however long; its own place is not shown.)
        Joints that the network does not have (hands, eyes, toes) move along with the joints they hang on.

        The report, for each detected person of the source: `track_id`; `bone_length_error` to the target's body in
        proportions, its `bone_length_error_of_source` before (what copying the source would have), `per_bone`;
        `foot_sliding`, the mean speed of the ankles in body sizes per second where those of the source stand still,
        `foot_sliding_of_source`, and `contact_share` of the frames (None without any). In 2-D all of these depend on
        the view: bones are compared by their longest appearances.

    Raises:
        ValueError: an input that is none of these, without the person needed, in 3-D where the
            checkpoint works in 2-D or the other way round, or a target or view that its variant cannot use.

    Example:
        >>> pipe = pipeline("motion-retargeting", model="retarget-view-aberman")
        >>> sequence = pipe("walk.npz", "tall_person.npz")
        >>> motionhub.write(sequence, "walk_of_a_tall_person.csv")
    """

    def _sanitize_parameters(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if unknown := sorted(set(kwargs) - {*FACTS, *OPTIONS}):
            raise ValueError(
                f"Unknown pipeline arguments {unknown}; there are target, view, {', '.join(OPTIONS)}, and for inputs "
                f"{list(FACTS)}."
            )
        gap = kwargs.get("max_gap")
        if gap is not None and (isinstance(gap, bool) or not isinstance(gap, int) or gap < 0):
            raise ValueError(f"max_gap must be a number of frames, 0 or more, or None for no limit; got {gap!r}.")
        return dict(kwargs), {}, {}

    def __call__(  # type: ignore[override]  # a motion is made of two clips, which are named as what they are
        self, source: Any, target: Any = None, *, view: Any = None, **kwargs: Any
    ) -> Any:
        """One result for one source, a list for a list (see the class)."""
        options = {**self._preprocess_params, **self._sanitize_parameters(**kwargs)[0]}
        if not isinstance(source, list | tuple):
            return self._retarget(source, target, view, **options)
        targets, views = (_one_each(given, len(source), name) for given, name in ((target, "target"), (view, "view")))
        return [self._retarget(*items, **options) for items in zip(source, targets, views, strict=True)]

    def _retarget(
        self,
        source: Any,
        target: Any,
        view: Any,
        *,
        target_person: int | None = None,
        view_person: int | None = None,
        bone_factors: Mapping[str, float] | None = None,
        max_gap: int | None = MAX_GAP,
        return_report: bool = False,
        **facts: Any,
    ) -> Any:
        self._check_roles(target, view, bone_factors)
        motion = as_motion(source, **facts)
        body = None if target is None else chosen_person(as_motion(target, **facts), "target", target_person)
        seen_as = None if view is None else chosen_person(as_motion(view, **facts), "view", view_person)
        rows = detected(motion)
        if not rows:
            warnings.warn(f"{describe(motion)}: no valid keypoints, so there is no motion to retarget.", stacklevel=3)
            empty = motion.replace(confidence=None)
            return (empty, []) if return_report else empty
        parts = [motion.person(row) for row in rows]
        if target is None and view is None:
            moved, result = parts, motion.replace(confidence=None)
        else:
            for role, clip in (("source", motion), ("target", body), ("view", seen_as)):
                self._check_dims(role, clip)
            moved, result = self._made(motion, rows, parts, body, seen_as, max_gap)
        if bone_factors:
            moved = [with_bone_lengths(part, bone_factors) for part in moved]
            result = with_bone_lengths(result, bone_factors)
        if not return_report:
            return result
        pairs = zip(parts, moved, strict=True)
        return result, [motion_report(part, person, part if body is None else body) for part, person in pairs]

    def _made(
        self,
        motion: SkeletonSequence,
        rows: list[int],
        parts: list[SkeletonSequence],
        body: SkeletonSequence | None,
        seen_as: SkeletonSequence | None,
        max_gap: int | None,
    ) -> tuple[list[SkeletonSequence], SkeletonSequence]:
        """`parts`, the people `rows` of `motion`, retargeted: in the layout of the model, and in the source's."""
        samples = [self._sample(part) for part in parts]
        bodies = samples if body is None else [self._sample(body)] * len(rows)
        self._warn_of_unseen(body, "target")
        self._warn_of_unseen(seen_as, "view")
        batch = {"source": model_inputs(samples), "target": model_inputs(bodies)}
        if seen_as is not None:
            batch["view"] = model_inputs([self._sample(seen_as)] * len(rows))
        made = self.forward(batch)["keypoints"]
        moved = [self.postprocess((part, made[index, :1]), max_gap=max_gap) for index, part in enumerate(parts)]
        keypoints = np.full(motion.keypoints.shape, np.nan, dtype=np.float32)
        for row, part, person in zip(rows, parts, moved, strict=True):
            keypoints[row] = with_context_of(person, part).keypoints[0]
        return moved, motion.replace(keypoints=keypoints, confidence=None)

    def _sample(self, person: SkeletonSequence) -> dict[str, Any]:
        """What the processor makes of one person, without the empty places for others that it may add."""
        return {name: value[:1] for name, value in self.feature_extractor.process(person).items()}

    def _check_roles(self, target: Any, view: Any, bone_factors: Any = None) -> None:
        variant = getattr(self.model.config, "variant", None)
        if view is not None and variant != "full":
            raise ValueError(
                f"This checkpoint (variant {variant!r}) has no code for the view alone, so view= cannot be used; load "
                'one of variant "full", or give the clip as target.'
            )
        if target is None and view is None and not bone_factors:
            raise ValueError(
                "Nothing to change: give a target, whose body (or view) the motion gets: pipe(a, b); or bone_factors."
            )

    def _check_dims(self, role: str, sequence: SkeletonSequence | None) -> None:
        works_in = dims_of(self.feature_extractor)
        if sequence is None or sequence.num_dims == works_in:
            return
        came = f"This checkpoint works in {works_in}-D, and the {role} is {sequence.num_dims}-D ({describe(sequence)})"
        if works_in == 2:
            raise ValueError(
                f"{came}; choose from where it is seen: "
                "motionhub.data.views.cameras.project_to_pixels(sequence, azimuth=0) gives pixels, "
                "motionhub.data.views.cameras.seen_by(sequence, Camera(azimuth=0)) keeps its unit, and "
                "for files: motionhub convert IN OUT --project 0 0."
            )
        raise ValueError(
            f"{came}; the depth of an image is not known here: give a motion in space (BVH, Kinect, motion capture), "
            "or load a checkpoint that works in 2-D."
        )

    def _warn_of_unseen(self, sequence: SkeletonSequence | None, role: str) -> None:
        if sequence is None:
            return
        layout = get_layout(self.feature_extractor.layout)
        shown = np.flatnonzero(convert_layout(sequence, layout).joint_mask.any(axis=(0, 1)))
        unseen = [joint for index, joint in enumerate(layout.joints) if index not in shown]
        if unseen:
            warnings.warn(
                f"{role}: {describe(sequence)} never shows {unseen}; the processor's stand-in (the mean pose) takes "
                "their place.",
                stacklevel=4,
            )

    def _forward(self, batch: dict[str, Any], **forward_params: Any) -> dict[str, torch.Tensor]:
        views = [batch["view"]] if "view" in batch else []
        keypoints = self.model.retarget(batch["source"], batch["target"], *views).keypoints.float()
        if not bool(keypoints.isfinite().all()):
            raise ValueError(
                "The model gives numbers that are not finite; check the unit and the size of the coordinates, and "
                "the weights of the model."
            )
        return {"keypoints": keypoints}

    def postprocess(self, model_outputs: Any, max_gap: int | None = MAX_GAP) -> SkeletonSequence:
        """The person's new motion in the processor's layout, missing where the source does not show it."""
        part, keypoints = model_outputs
        values = self.feature_extractor.inverse(keypoints[:, : part.num_frames], part).numpy()
        layout = get_layout(self.feature_extractor.layout)
        shown = convert_layout(part, layout).joint_mask[0]
        values[:, ~part.joint_mask.any(axis=(0, 2))] = np.nan
        values[0, long_gaps(shown, part.num_frames - 1 if max_gap is None else max_gap)] = np.nan
        return part.replace(keypoints=values, layout=layout, confidence=None)


def long_gaps(shown: np.ndarray, max_gap: int) -> np.ndarray:
    """`(frames, joints)` True where a joint is missing for more than `max_gap` frames at a stretch, or always."""
    missing = np.zeros_like(shown)
    for joint, column in enumerate(shown.T):
        for start, end in runs(~column):
            missing[start:end, joint] = end - start > max_gap or end - start == len(column)
    return missing


def as_motion(item: Any, **facts: Any) -> SkeletonSequence:
    """An input as a sequence, with a warning for likely mistakes. Raises ValueError without frames."""
    sequence = as_sequence(item, **facts)
    if not sequence.num_frames:
        raise ValueError(f"Expected a motion with at least one frame, got {describe(sequence)}.")
    warn_of_findings(sequence, describe(sequence))
    return sequence


def detected(sequence: SkeletonSequence) -> list[int]:
    """The positions of the people with valid keypoints."""
    return [int(row) for row in np.flatnonzero(sequence.joint_mask.any(axis=(1, 2)))]


def chosen_person(sequence: SkeletonSequence, role: str, person: int | None) -> SkeletonSequence:
    """The one person whose body or view is meant. Raises ValueError for none, or several without `person`."""
    if person is not None:
        sequence = sequence.person(person)
    seen = detected(sequence)
    if not seen:
        raise ValueError(f"{role}: no valid keypoints in {describe(sequence)}; choose another clip.")
    if len(seen) > 1:
        raise ValueError(f"{role} shows {len(seen)} people, at positions {seen}; choose one: {role}_person={seen[0]}.")
    return sequence.person(seen[0])


def motion_report(source: SkeletonSequence, made: SkeletonSequence, target: SkeletonSequence) -> dict[str, Any]:
    """The error report of one person, over the bones of `made`'s layout; the others may come in any."""
    layout, tracks = made.layout, source.track_ids
    assert tracks is not None
    before, body = convert_layout(source, layout), convert_layout(target, layout)
    options: dict[str, Any] = {
        "bones": layout.bone_indices,
        "quantile": QUANTILE_2D if made.num_dims == 2 else QUANTILE_3D,
        "ignore_size": True,
        "bone_names": [f"{parent} - {child}" for child, parent in layout.bones],
    }
    try:
        error = bone_length_error(made.keypoints, body.keypoints, **options)
        copied = bone_length_error(before.keypoints, body.keypoints, **options)["bone_length_error"]
    except ValueError:  # no bone that both show
        error, copied = {"bone_length_error": None, "per_bone": []}, None
    feet = [layout.index(joint) for joint in FEET if joint in layout.joints]
    ankles = [sequence.keypoints[:, :, feet] for sequence in (before, made)]
    sizes = [body_size(sequence.keypoints) for sequence in (before, made)]
    contacts = foot_contacts(ankles[0], source.fps, sizes[0])
    slides = [foot_sliding(each, contacts, source.fps, size) for each, size in zip(ankles, sizes, strict=True)]
    return {
        "track_id": tracks[0],
        "bone_length_error": error["bone_length_error"],
        "bone_length_error_of_source": copied,
        "foot_sliding": slides[1],
        "foot_sliding_of_source": slides[0],
        "contact_share": float(contacts.mean()) if contacts.size else None,
        "per_bone": error["per_bone"],
    }


def _one_each(given: Any, count: int, name: str) -> list[Any]:
    if not isinstance(given, list | tuple):
        return [given] * count
    if len(given) != count:
        raise ValueError(f"{name} must be one clip, or one for each of the {count} sources, got {len(given)}.")
    return list(given)
