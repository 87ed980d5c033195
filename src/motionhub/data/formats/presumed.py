"""The layout that a program writes unless it is asked for another: taken where a file states none and bodies fit it.

A number of joints is no layout: 17 are those of COCO or of Human3.6M, and of any model that somebody trained.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from motionhub.data.formats.files import bad_file, note
from motionhub.data.formats.format import ReadOptions, UnstatedFact
from motionhub.skeletons import body_checks
from motionhub.skeletons.findings import Finding
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


# Poses that are measured.
_MOST = 200


def presumed_layout(
    path: Path, options: ReadOptions, default: str, people: Sequence[np.ndarray], noted: bool = True
) -> SkeletonLayout:
    """The layout of the caller, else `default`, with a note that says so.

    Args:
        default: what the program writes for so many joints.
        people: `(joints, dims)` of each person and frame, NaN where missing; also with face and hands.
        noted: whether to say that nothing states the layout.

    Raises UnstatedFact where the caller states none and the bodies fit the default badly, as `doctor` measures it.
    """
    joints = len(people[0])
    layout = options.layout_of(path, assumed=default, joints=joints)
    if options.layout is not None or not layout.fits(joints):
        return layout
    found = misfit(layout, people)
    usual = f"the file states none; {layout.name} is usual for {joints} joints"
    if found is not None and found.severity == "problem":
        call = f'motionhub.read("{path}", layout=...) with the true one, or layout="{layout.name}" if it is this one'
        raise UnstatedFact(str(bad_file(path, "layout", f"{usual}, but {found.seen}; call {call}.")), "layout")
    if noted:
        fits = "and taken" if found is None else f"and taken, though {found.seen}"
        note(path, "layout", f"{usual}, {fits}; state it by layout= if it is another.")
    return layout


def misfit(layout: SkeletonLayout, people: Sequence[np.ndarray]) -> Finding | None:
    """What `doctor` says of the bones of some of the `people`, `(joints, dims)` each, in this layout."""
    poses = np.stack(people[:: -(-len(people) // _MOST)]).astype(np.float32)
    points = layout.body_part(poses)[None]
    clip = SkeletonSequence(points, layout, 1.0, "pixel" if points.shape[-1] == 2 else "metre")
    return next(body_checks.layout(clip), None)
