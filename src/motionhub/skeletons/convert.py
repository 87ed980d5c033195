"""Converts sequences between layouts, by joint name and recipes, and between frame rates.

Joints that cannot be made from the source are NaN and listed in the report, never zero. The recipes are those of the
authors of UNIK, LAC, 2s-AGCN-For-Daily-Living and CV-MIM; our own are marked.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, overload

import numpy as np

from motionhub.skeletons.joint_names import named_joints
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


# Joint -> recipes, best first: the mean of the named joints, which may be made too. One joint is a substitution.
RECIPES: dict[str, tuple[tuple[str, ...], ...]] = {
    # LAC, UNIK: the nose for the head, and the other way round (LCR-Net -> COCO). Of MPII and CrowdPose: our choice.
    "head": (("nose",), ("upper_neck", "head_top"), ("head_top",)),
    "head_top": (("head",),),
    "nose": (("head",),),
    "left_eye": (("head",),),  # LCR-Net -> COCO: the head for the nose, eyes and ears
    "right_eye": (("head",),),
    "left_ear": (("head",),),
    "right_ear": (("head",),),
    "mouth": (("head", "neck"),),
    "neck_nose": (("upper_neck",), ("mouth",)),  # our choice
    "upper_neck": (("neck_nose",), ("mouth",)),
    # Kinect v1 and H36M have no neck of their own; our choice, as the official neck is the middle of the shoulders.
    "neck": (("shoulder_centre",), ("left_shoulder", "right_shoulder")),
    "shoulder_centre": (("left_shoulder", "right_shoulder"),),
    "neck_base": (("shoulder_centre",),),
    "mid_hip": (("left_hip", "right_hip"),),
    "chest": (("torso",), ("neck", "mid_hip")),  # the torso for the chest and back: our choice
    "torso": (("chest",),),
    "upper_chest": (("neck", "chest"),),  # our choice: three quarters of the way up, as in SMPL
    "spine": (("mid_hip", "chest"),),  # our choice: a quarter of the way up; Kinect v1's own is a sixth of the way up
    "left_wrist": (("left_hand",),),  # our choice: OpenNI has no wrists and no ankles
    "right_wrist": (("right_hand",),),
    "left_ankle": (("left_foot",),),
    "right_ankle": (("right_foot",),),
}

# (source, target) -> joints that are recomputed although the source has them.
EXCEPTIONS: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {
    # LAC's official inverse recomputes the mid-points and ignores those of its network.
    ("lac-17", "posetics-17"): {"mouth": ("nose", "neck"), "chest": ("neck", "mid_hip")},
    # Halpe's head is the top of the head; here it is the face.
    **{
        (source, target): {"head": ("nose",)}
        for source in ("halpe-26", "halpe-136")
        for target in ("posetics-17", "smarthome-15", "lcrnet-13", "cv-mim-13", "penn-13")
    },
}


LIMBS = frozenset(
    f"{side}_{part}"
    for side in ("left", "right")
    for part in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "foot")
)


@dataclass(frozen=True)
class ConversionReport:
    """How each joint of the target was made.

    Args:
        source, target: names of the layouts.
        copied: joints both layouts have.
        interpolated: joint -> the source joints it is the weighted mean of; one source is a substitution.
        missing: joints that cannot be made from the source: NaN in every frame.
        names: copied joint -> its name in the source, where that is another spelling (`named_joints`).
    """

    source: str
    target: str
    copied: tuple[str, ...] = ()
    interpolated: dict[str, tuple[str, ...]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    @property
    def substituted(self) -> dict[str, str]:
        """Joint -> the one source joint that stands in for it."""
        return {joint: sources[0] for joint, sources in self.interpolated.items() if len(sources) == 1}

    @property
    def made(self) -> int:
        """How many joints of the target have a place."""
        return len(self.copied) + len(self.interpolated)

    @property
    def summary(self) -> str:
        """Such as "12 of 17 joints copied, 4 interpolated, 1 lost: nose"."""
        total, lost = self.made + len(self.missing), ", ".join(self.missing)
        text = f"{len(self.copied)} of {total} joints copied, {len(self.interpolated)} interpolated, "
        return f"{text}{len(self.missing)} lost{lost and ': '}{lost}"

    def __str__(self) -> str:
        rows = [(joint, "copied", self.names.get(joint, "")) for joint in self.copied]
        for joint, sources in self.interpolated.items():
            rows.append((joint, "played by" if len(sources) == 1 else "mean of", ", ".join(sources)))
        rows += [(joint, "missing", "NaN: no recipe makes it") for joint in self.missing]
        width = max((len(joint) for joint, _, _ in rows), default=0)
        lines = [f"{joint:<{width}}  {how:<9}  {sources}".rstrip() for joint, how, sources in rows]
        return "\n".join([f"{self.source} -> {self.target}", *lines])


def conversion_weights(
    source_layout: str | SkeletonLayout, target_layout: str | SkeletonLayout
) -> tuple[np.ndarray, ConversionReport]:
    """The conversion as a matrix: target joints are `weights @ source joints`.

    A target joint is missing where any source joint of weight > 0 is; note that `0 * NaN` is NaN.

    Returns:
        `weights` `(target joints, source joints)` float32, whose rows sum to 1, or are all 0 for a joint that cannot
        be made; and the report.

    Raises:
        ValueError: no layout has that name.
    """
    source, target = get_layout(source_layout), get_layout(target_layout)
    exceptions = EXCEPTIONS.get((source.name, target.name), {})
    weights = np.zeros((target.num_joints, source.num_joints), dtype=np.float32)
    copied, interpolated, missing = [], {}, []
    own = _own_names(source)
    meant = {joint: named or joint for joint, named in named_joints(target.joints).items()}
    for row, joint in enumerate(target.joints):
        asked = joint if joint in own else meant[joint]
        parts = _mean(exceptions[joint], own, ()) if joint in exceptions else _parts(asked, own, ())
        if parts is None:
            missing.append(joint)
        elif list(parts) == [own.get(asked)]:
            copied.append(joint)
        else:
            interpolated[joint] = tuple(parts)
        for part, weight in (parts or {}).items():
            weights[row, source.index(part)] = weight
    names = {joint: own[joint if joint in own else meant[joint]] for joint in copied}
    names = {joint: name for joint, name in names.items() if name != joint}
    return weights, ConversionReport(source.name, target.name, tuple(copied), interpolated, tuple(missing), names)


def check_conversion(source: SkeletonLayout, target: SkeletonLayout, report: ConversionReport) -> None:
    """Warns, once for a pair of layouts, when more than half of the target's joints cannot be made.

    Raises:
        ValueError: no joint can be made, or none of the target's limbs.
    """
    meant = {joint: named or joint for joint, named in named_joints(target.joints).items()}
    limbs = {joint for joint in target.joints if meant[joint] in LIMBS}
    if not report.made or (limbs and limbs <= {*report.missing}):
        what = "limb joint" if report.made else "joint"
        raise ValueError(
            f"No {what} of layout {source.name!r} ({_listed(source.joints)}) can become one of {target.name!r} "
            f"({_listed(target.joints)}). State what the names mean in a YAML file, "
            f'"name: my-rig, names: {{{source.joints[0]}: {target.joints[0]}, ...}}"; its path is a layout.'
        )
    pair = (source.joints, target.joints)
    if 2 * report.made < target.num_joints and pair not in _WARNED:
        _WARNED.add(pair)
        warnings.warn(
            f"{source.name} -> {target.name}: {report.summary}. Lost joints are NaN; an encoder sees a partial body.",
            UserWarning,
            stacklevel=3,
        )


_WARNED: set[tuple[tuple[str, ...], tuple[str, ...]]] = set()


def _listed(joints: tuple[str, ...]) -> str:
    return ", ".join(joints[:8]) + (", ..." if len(joints) > 8 else "")


def _own_names(layout: SkeletonLayout) -> dict[str, str]:
    """Joint -> its name in the layout: itself, and the joint of the vocabulary that the name means."""
    meant = {joint: name for name, joint in named_joints(layout.joints).items() if joint is not None}
    return {**meant, **{joint: joint for joint in layout.joints}}


def _parts(joint: str, own: Mapping[str, str], asked: tuple[str, ...]) -> dict[str, float] | None:
    """Source joint -> weight for one joint, or None; `asked`: joints it is needed for, as recipes are circular."""
    if joint in own:
        return {own[joint]: 1.0}
    if joint in asked:
        return None
    ways = (_mean(way, own, (*asked, joint)) for way in RECIPES.get(joint, ()))
    return next((parts for parts in ways if parts is not None), None)


def _mean(joints: tuple[str, ...], own: Mapping[str, str], asked: tuple[str, ...]) -> dict[str, float] | None:
    weights: dict[str, float] = {}
    for joint in joints:
        parts = _parts(joint, own, asked)
        if parts is None:
            return None
        for part, weight in parts.items():
            weights[part] = weights.get(part, 0.0) + weight / len(joints)
    return weights


@overload
def convert_layout(
    sequence: SkeletonSequence, target: str | SkeletonLayout, *, return_report: Literal[False] = False
) -> SkeletonSequence: ...


@overload
def convert_layout(
    sequence: SkeletonSequence, target: str | SkeletonLayout, *, return_report: Literal[True]
) -> tuple[SkeletonSequence, ConversionReport]: ...


def convert_layout(
    sequence: SkeletonSequence, target: str | SkeletonLayout, *, return_report: bool = False
) -> SkeletonSequence | tuple[SkeletonSequence, ConversionReport]:
    """The sequence in another layout: joints of the same name are copied, others made by recipe, the rest is NaN.

    Confidence converts too: the minimum of the sources', and 0 for a joint that cannot be made.

    Args:
        sequence: any sequence; its unit, frame rate and people stay.
        target: a layout or its name.
        return_report: also return how each joint was made.

    A warning, once for a pair of layouts, lists the joints that are lost when they are more than half.

    Raises:
        ValueError: no layout has that name; or no joint of the target, or none of its limbs, can be made.

    Examples:
        >>> clip = motionhub.generate("wave", seed=0)
        >>> converted, report = motionhub.convert_layout(clip, "coco-17", return_report=True)
        >>> converted.keypoints.shape[2]
        17
    """
    layout = get_layout(target)
    weights, report = conversion_weights(sequence.layout, layout)
    check_conversion(sequence.layout, layout, report)
    used = weights > 0
    keypoints = weights @ np.nan_to_num(sequence.keypoints)
    # `~mask @ used` counts the missing sources of each target joint.
    lacking = (~sequence.joint_mask).astype(np.float32) @ used.T.astype(np.float32) > 0
    keypoints[lacking | ~used.any(axis=1)] = np.nan
    confidence = sequence.confidence
    if confidence is not None:
        weakest = np.where(used, confidence[..., None, :], np.inf).min(axis=-1)
        confidence = np.where(used.any(axis=1), weakest, 0.0)
    converted = sequence.replace(keypoints=keypoints, layout=layout, confidence=confidence)
    return (converted, report) if return_report else converted


def resample(sequence: SkeletonSequence, fps: float) -> SkeletonSequence:
    """The same motion at another frame rate, linear in time from the first frame on, without extrapolation.

    A joint is missing at a new time if it is missing in a frame that the interpolation needs: gaps are not filled.

    Args:
        fps: the new frames per second.

    Raises:
        ValueError: fps is not a positive number.

    Examples:
        >>> clip = motionhub.generate("wave", seed=0, num_frames=60, fps=30)
        >>> motionhub.resample(clip, fps=15).num_frames
        30
    """
    relabelled = sequence.replace(fps=fps)  # checks fps
    if sequence.num_frames == 0 or relabelled.fps == sequence.fps:
        return relabelled
    ratio = sequence.fps / relabelled.fps
    # Rounded, so that a new time within floating-point error of a frame is that frame.
    positions = np.round(np.arange(int((sequence.num_frames - 1) / ratio + 1e-6) + 1) * ratio, 6)
    positions = positions.clip(max=sequence.num_frames - 1)
    before = np.floor(positions).astype(np.int64)
    share = (positions - before).astype(np.float32)
    confidence = None if sequence.confidence is None else _between(sequence.confidence, before, share)
    return sequence.replace(keypoints=_between(sequence.keypoints, before, share), fps=fps, confidence=confidence)


def cut(sequence: SkeletonSequence, start_s: float, end_s: float) -> SkeletonSequence:
    """The frames at or after `start_s` and before `end_s` seconds; frame 0 is at 0 s.

    Raises:
        ValueError: the times are no interval, or no frame lies in it.

    Examples:
        >>> clip = motionhub.generate("wave", seed=0, num_frames=60, fps=30)
        >>> motionhub.cut(clip, 0.5, 1.5).num_frames
        30
    """
    first, end = frames_between(start_s, end_s, sequence.fps, sequence.num_frames)
    if first >= end:
        raise ValueError(
            f"No frame lies from {start_s:g} s to {end_s:g} s: the motion has {sequence.num_frames} frames, from 0 to "
            f"{sequence.duration:g} s."
        )
    confidence = None if sequence.confidence is None else sequence.confidence[:, first:end]
    return sequence.replace(keypoints=sequence.keypoints[:, first:end], confidence=confidence)


def frames_between(start_s: float, end_s: float, fps: float, num_frames: int) -> tuple[int, int]:
    """The first frame of an interval and the frame after its last; the same number twice where none lies in it.

    Raises ValueError unless start_s <= end_s; the end may be infinite.
    """
    if not (np.isfinite(start_s) and start_s <= end_s):
        raise ValueError(f"Expected start_s <= end_s in seconds, got {start_s} and {end_s}.")
    # Times are written to the millisecond: a frame nearer than half of one, or a hundredth of a frame, is meant.
    slack = max(0.0005 * fps, 0.01) if fps < 500 else 0.01
    with np.errstate(over="ignore"):
        first, end = np.clip(np.ceil(np.array([start_s, end_s]) * fps - slack), 0, num_frames)
    return int(first), int(max(first, end))


def _between(values: np.ndarray, before: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`values` `(people, frames, ...)` at frame `before + share`; where share is 0 the next frame is not used."""
    after = np.where(share > 0, before + 1, before)
    shares = share.reshape(-1, *[1] * (values.ndim - 2))
    return values[:, before] * (1 - shares) + values[:, after] * shares


def with_up(sequence: SkeletonSequence, up: str) -> SkeletonSequence:
    """The same motion with another coordinate axis up: a rotation, so that left stays left.

    Args:
        sequence: 3-D, with its own `up` stated.
        up: one of `DIRECTIONS`.

    Raises:
        ValueError: the sequence is 2-D, or does not state its own `up`.

    Examples:
        >>> clip = motionhub.generate("wave", seed=0).replace(up="y")
        >>> with_up(clip, "z").up
        'z'
    """
    if sequence.num_dims != 3 or sequence.up is None:
        got = f"{sequence.num_dims}-D with up={sequence.up!r}"
        raise ValueError(f'expected 3-D keypoints with a stated axis, got {got}; state it: sequence.replace(up="y").')
    turned = sequence.replace(up=up)  # checks `up`
    return turned.replace(keypoints=sequence.keypoints @ up_rotation(sequence.up, up).T.astype(np.float32))


def up_rotation(before: str, after: str) -> np.ndarray:
    """`(3, 3)` rotation of points, by right angles, that takes one axis of `DIRECTIONS` to another."""
    start, end = _axis(before), _axis(after)
    if (start == -end).all():  # half a turn about an axis across
        across = np.eye(3)[int(start[0] != 0)]
        return 2 * np.outer(across, across) - np.eye(3)
    # Rodrigues' formula for a quarter turn, or none.
    cross = np.cross(np.cross(start, end), np.eye(3)).T
    return np.eye(3) + cross + cross @ cross


def _axis(name: str) -> np.ndarray:
    return np.eye(3)["xyz".index(name[-1])] * (-1 if name.startswith("-") else 1)
