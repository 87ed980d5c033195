"""`pipeline("motion-retargeting", model=...)`: one person's motion on the body, or in the view, of another.

A model needs `retarget(source, target)`, or with `config.variant == "full"` `retarget(source, target, view)`: dicts of
`keypoints (B, M, T, V, C)`, `joint_mask` and `attention_mask (B, M, T)` from the processor (M is 1; lengths differ).
It returns a `MotionRetargetingOutput` with normalised `keypoints (B, M, T, V, C)`, T that of the source;
`processor.inverse(keypoints of one clip, its source sequence)` gives coordinates in the processor's layout.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from motionhub.metrics.motion import body_size, bone_length_error, foot_contacts, foot_sliding
from motionhub.pipelines.skeleton_pipeline import FACTS, SkeletonPipeline, as_sequence, dims_of, model_inputs
from motionhub.runtime.arrays import describe, warn_of_findings
from motionhub.skeletons.bodies import with_bone_lengths, with_context_of
from motionhub.skeletons.checks import runs
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


OPTIONS = ("target_person", "view_person", "bone_factors", "max_gap", "return_report")
FEET = ("left_ankle", "right_ankle")
# Foreshortening only shortens a bone in 2-D, so a high quantile is nearest to its length.
QUANTILE_2D, QUANTILE_3D = 0.95, 0.5
MAX_GAP = 8  # frames per motion code of RetargetNet


class MotionRetargetingPipeline(SkeletonPipeline):
    """Transfers the motion of a source to another body, another view, or both, as the checkpoint's `variant` allows.

    - `"view"`: body and view of the target, together. - `"skeleton"`: the body of the target, the view of the source.
    - `"full"`: the body of `target` and the view of `view`, each the source's own when left out.

    Args of every call:
        source: a path, `SkeletonSequence`, dataset row or array (see `SkeletonPipeline`), of one or more people; or a
            list of them, for a list of results.
        target: the same, for the body; a list has one for each source.
        view: the same, for the view (`"full"` only).
        target_person, view_person: position of the person whose body or view to use, if the clip has several people.
        bone_factors: scales bones in the result, by limb or joint: `{"leg": 1.2, "arm": 0.9}`, see
            `motionhub.skeletons.bodies.with_bone_lengths`. Without target and view it is the only change, and exact.
        max_gap: frames; gaps in a joint of the source up to this length are bridged, longer ones stay missing. None
            bridges every gap. Default 8.
        layout, fps, unit, image_size: of arrays, and of files that lack them.
        return_report: also return error measures (a dict per person, see below).

    Returns:
        a `SkeletonSequence` with the layout, frame rate, frames, people and unit of the source, or, with
        `return_report`, `(sequence, report)`. It starts at the source's position. Missing in the result: joints never
        detected in the source, gaps longer than `max_gap` (except of the root, which all joints are relative to), and
        people in frames without any of their joints. Joints that the network lacks (hands, eyes, toes) follow their
        parent joints.

        The report, for each detected person of the source: `track_id`; `bone_length_error` to the target's body in
        proportions, `bone_length_error_of_source` (that of the unchanged source), `per_bone`; `foot_sliding`, the mean
        speed of the ankles in body sizes per second in frames of ground contact in the source,
        `foot_sliding_of_source`, and `contact_share` of the frames (None without ankles). In 2-D all of these depend
        on the view: bones are compared by their longest appearances.

    Raises:
        ValueError: an unsupported input, one without a person, one whose dimensions (2-D, 3-D) differ from the
            checkpoint's, or a target or view that its variant cannot use.

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

    def __call__(  # type: ignore[override]  # named inputs
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
        camera = None if view is None else chosen_person(as_motion(view, **facts), "view", view_person)
        rows = detected(motion)
        if not rows:
            warnings.warn(f"{describe(motion)}: no valid keypoints, so there is no motion to retarget.", stacklevel=3)
            empty = motion.replace(confidence=None)
            return (empty, []) if return_report else empty
        parts = [motion.person(row) for row in rows]
        if target is None and view is None:
            moved, result = parts, motion.replace(confidence=None)
        else:
            for role, clip in (("source", motion), ("target", body), ("view", camera)):
                self._check_dims(role, clip)
            moved, result = self._made(motion, rows, parts, body, camera, max_gap)
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
        camera: SkeletonSequence | None,
        max_gap: int | None,
    ) -> tuple[list[SkeletonSequence], SkeletonSequence]:
        """`parts`, the people `rows` of `motion`, retargeted: in the layout of the model, and in the source's."""
        samples = [self._sample(part) for part in parts]
        bodies = samples if body is None else [self._sample(body)] * len(rows)
        self._warn_of_missing(body, "target")
        self._warn_of_missing(camera, "view")
        batch = {"source": model_inputs(samples), "target": model_inputs(bodies)}
        if camera is not None:
            batch["view"] = model_inputs([self._sample(camera)] * len(rows))
        made = self.forward(batch)["keypoints"]
        moved = [self.postprocess((part, made[index, :1]), max_gap=max_gap) for index, part in enumerate(parts)]
        keypoints = np.full(motion.keypoints.shape, np.nan, dtype=np.float32)
        for row, part, person in zip(rows, parts, moved, strict=True):
            keypoints[row] = with_context_of(person, part).keypoints[0]
        return moved, motion.replace(keypoints=keypoints, confidence=None)

    def _sample(self, person: SkeletonSequence) -> dict[str, Any]:
        """The processor's output for one person, without padding people."""
        return {name: value[:1] for name, value in self.feature_extractor.process(person).items()}

    def _check_roles(self, target: Any, view: Any, bone_factors: Any = None) -> None:
        variant = getattr(self.model.config, "variant", None)
        if view is not None and variant != "full":
            raise ValueError(
                f"This checkpoint (variant {variant!r}) has no code for the view alone, so view= cannot be used; load "
                'one of variant "full", or pass the clip as target.'
            )
        if target is None and view is None and not bone_factors:
            raise ValueError(
                "Nothing to change: pass a target with another body or view, pipe(a, b); or bone_factors."
            )

    def _check_dims(self, role: str, sequence: SkeletonSequence | None) -> None:
        works_in = dims_of(self.feature_extractor)
        if sequence is None or sequence.num_dims == works_in:
            return
        came = f"This checkpoint works in {works_in}-D, and the {role} is {sequence.num_dims}-D ({describe(sequence)})"
        if works_in == 2:
            raise ValueError(
                f"{came}; project it: motionhub.data.views.cameras.project_to_pixels(sequence, azimuth=0) gives "
                "pixels, motionhub.data.views.cameras.seen_by(sequence, Camera(azimuth=0)) keeps its unit, and "
                "for files: motionhub convert IN OUT --project 0 0."
            )
        raise ValueError(
            f"{came}; depth cannot be recovered from an image: pass a 3-D motion (BVH, Kinect, motion capture), or "
            "load a checkpoint that works in 2-D."
        )

    def _warn_of_missing(self, sequence: SkeletonSequence | None, role: str) -> None:
        if sequence is None:
            return
        layout = get_layout(self.feature_extractor.layout)
        visible = convert_layout(sequence, layout).joint_mask.any(axis=(0, 1))
        missing = [layout.joints[row] for row in np.flatnonzero(~visible)]
        if missing:
            warnings.warn(
                f"{role}: {missing} are missing in all of {describe(sequence)}; the mean pose takes their place.",
                stacklevel=4,
            )

    def _forward(self, batch: dict[str, Any], **forward_params: Any) -> dict[str, torch.Tensor]:
        views = [batch["view"]] if "view" in batch else []
        keypoints = self.model.retarget(batch["source"], batch["target"], *views).keypoints.float()
        if not bool(keypoints.isfinite().all()):
            raise ValueError(
                "The model's output is not finite; check the unit and the size of the coordinates, and the weights of "
                "the model."
            )
        return {"keypoints": keypoints}

    def postprocess(self, model_outputs: Any, max_gap: int | None = MAX_GAP) -> SkeletonSequence:
        """The person's new motion in the processor's layout; gaps longer than `max_gap` frames stay missing."""
        part, keypoints = model_outputs
        values = self.feature_extractor.inverse(keypoints[:, : part.num_frames], part).numpy()
        layout = get_layout(self.feature_extractor.layout)
        values[:, ~part.joint_mask.any(axis=(0, 2))] = np.nan
        for joint, visible in enumerate(convert_layout(part, layout).joint_mask[0].T):
            for start, end in runs(~visible):
                if end - start == len(visible) or (max_gap is not None and end - start > max_gap):
                    values[0, start:end, joint] = np.nan
        return part.replace(keypoints=values, layout=layout, confidence=None)


def as_motion(item: Any, **facts: Any) -> SkeletonSequence:
    """An input as a sequence, with a warning for likely mistakes. Raises ValueError without frames.

    Examples:
        >>> import numpy as np
        >>> keypoints = motionhub.generate("wave", seed=0, layout="coco-17").keypoints
        >>> motionhub.as_motion(keypoints, layout="coco-17", fps=30, unit="metre").num_frames
        90
    """
    sequence = as_sequence(item, **facts)
    if not sequence.num_frames:
        raise ValueError(f"Expected a motion with at least one frame, got {describe(sequence)}.")
    warn_of_findings(sequence, describe(sequence))
    return sequence


def detected(sequence: SkeletonSequence) -> list[int]:
    """The positions of the people with valid keypoints."""
    return [int(row) for row in np.flatnonzero(sequence.joint_mask.any(axis=(1, 2)))]


def chosen_person(sequence: SkeletonSequence, role: str, person: int | None) -> SkeletonSequence:
    """The one person whose body or view to use. Raises ValueError for none, or several without `person`."""
    if person is not None:
        sequence = sequence.person(person)
    rows = detected(sequence)
    if not rows:
        raise ValueError(f"{role}: no valid keypoints in {describe(sequence)}; choose another clip.")
    if len(rows) > 1:
        raise ValueError(f"{role} has {len(rows)} people, at positions {rows}; choose one: {role}_person={rows[0]}.")
    return sequence.person(rows[0])


def motion_report(source: SkeletonSequence, made: SkeletonSequence, target: SkeletonSequence) -> dict[str, Any]:
    """The error report of one person, over the bones of `made`'s layout."""
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
    except ValueError:  # no bone in common
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
