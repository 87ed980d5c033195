"""`Format` (bytes -> sequences, and for some sequences -> bytes) and `ReadOptions`, metadata that a file lacks."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from motionhub.data.formats.files import OptionError, bad_file, note
from motionhub.data.formats.writing import Writer
from motionhub.skeletons.joint_names import joint_name, own_names, record_names
from motionhub.skeletons.layout import MAX_JOINTS, SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS, get_layout, stated_layout
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.skeletons.standing import named_layout


# Unit in a file -> unit of the sequence, and the factor between the two.
FILE_UNITS: dict[str, tuple[str, float]] = {
    "pixel": ("pixel", 1.0),
    "normalised": ("normalised", 1.0),
    "metre": ("metre", 1.0),
    "centimetre": ("metre", 0.01),
    "millimetre": ("metre", 0.001),
}
# Numbers of a clip: a corrupt or hostile file must not fill the memory.
MAX_VALUES = 2**26
# Sparse tables expand, but a few kilobytes must not grow to gigabytes.
_FEW_VALUES, _VALUES_PER_BYTE = 2**23, 64
# Landmarks of MediaPipe Holistic: the body first, the face (468, or 478 with irises), and one hand or both.
HOLISTIC = {33 + face + hands for face in (0, 468, 478) for hands in (0, 21, 42)} - {33}


class UnstatedFact(OptionError):
    """A file lacks metadata; `option` is the keyword of `read` that supplies it."""


@dataclass(frozen=True)
class ReadOptions:
    """Metadata stated by the caller; None: as the file states it.

    Args:
        layout: a `SkeletonLayout` or its name.
        fps: frames per second.
        unit: of the numbers in the file, a key of `FILE_UNITS`; centimetres and millimetres become metres.
        image_size: `(width, height)` in pixels.

    Raises:
        ValueError: unknown layout or unit, or a frame rate that is not positive.
    """

    layout: str | SkeletonLayout | None = None
    fps: float | None = None
    unit: str | None = None
    image_size: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.layout is not None:
            object.__setattr__(self, "layout", get_layout(self.layout))
        if self.unit is not None and self.unit not in FILE_UNITS:
            raise ValueError(f"unit must be one of {list(FILE_UNITS)}, got {self.unit!r}.")
        if self.fps is not None and not (isinstance(self.fps, int | float) and 0 < self.fps < math.inf):
            raise ValueError(f"fps must be a positive number of frames per second, got {self.fps!r}.")

    def layout_of(
        self,
        path: Path,
        stated: str | SkeletonLayout | None = None,
        assumed: str | SkeletonLayout | None = None,
        joints: int | None = None,
    ) -> SkeletonLayout:
        """The layout stated in the file, else by the caller, else the assumed one; `joints`: of a person there."""
        given, known = (None if each is None else get_layout(each) for each in (self.layout, stated))
        if given is not None and known is not None and given.joints != known.joints:
            raise self._contradiction(path, "layout", known.name, given.name)
        usual = None if assumed is None else get_layout(assumed)
        if joints and given and usual and given.joints == usual.joints and not given.fits(joints):
            given = usual  # files have face and hands too
        found = known or given or usual
        if found is None and joints is not None:
            raise self._unstated_layout(path, joints)
        return self._known(path, "layout", found, '"coco-17"')

    def fps_of(self, path: Path, stated: float | None = None) -> float:
        """The frame rate stated in the file, else by the caller; they may differ by 0.05 % (rounded in files)."""
        if stated is not None and self.fps is not None and not math.isclose(stated, self.fps, rel_tol=5e-4):
            raise self._contradiction(path, "fps", f"{stated:g}", f"{self.fps:g}")
        return float(self._known(path, "fps", self.fps if stated is None else stated, "30"))

    def unit_of(self, path: Path, stated: str | None = None, assumed: str | None = None, *, dims: int = 2) -> str:
        """The unit of the numbers in the file, a key of `FILE_UNITS`; `dims`: coordinates of a joint."""
        if stated is not None and self.unit is not None and stated != self.unit:
            raise self._contradiction(path, "unit", stated, self.unit)
        return self._known(path, "unit", stated or self.unit or assumed, '"pixel"' if dims == 2 else '"metre"')

    def image_size_of(self, path: Path, stated: tuple[int, int] | None = None) -> tuple[int, int] | None:
        """The image size stated in the file, else by the caller, else None."""
        if stated is not None and self.image_size is not None and tuple(self.image_size) != tuple(stated):
            raise self._contradiction(path, "image_size", str(stated), str(self.image_size))
        return stated if stated is not None else self.image_size

    def sequence(
        self,
        path: Path,
        keypoints: np.ndarray,
        layout: SkeletonLayout,
        *,
        unit: str,
        fps: float | None = None,
        image_size: tuple[int, int] | None = None,
        confidence: np.ndarray | None = None,
        track_ids: tuple[int, ...] | None = None,
        up: str | None = None,
    ) -> SkeletonSequence:
        """The clip in one of the library's units, of `(people, frames, joints, dims)` or `(frames, joints, dims)`.

        Raises ValueError that names the file when the parts do not fit. `fps`, `image_size`, `up`: as stated in the
        file or by its format. Confidences beyond 0..1 become 0 or 1, with a note.
        """
        kept, factor = FILE_UNITS[unit]
        fps, size = self.fps_of(path, fps), self.image_size_of(path, image_size)
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                scaled = keypoints if factor == 1 else np.asarray(keypoints, np.float64) * factor
                points = np.asarray(scaled, np.float32)
                return SkeletonSequence(
                    points, layout, fps, kept, _within_0_and_1(path, confidence), size, track_ids, up
                )
        except (ValueError, OverflowError) as error:
            raise bad_file(path, "content", str(error)) from None

    def agree(self, path: Path, sequence: SkeletonSequence) -> SkeletonSequence:
        """A clip with complete metadata, checked against the options; a given image size is added."""
        self.layout_of(path, sequence.layout)
        self.fps_of(path, sequence.fps)
        self.unit_of(path, sequence.unit)
        size = self.image_size_of(path, sequence.image_size)
        return sequence if size == sequence.image_size else sequence.replace(image_size=size)

    @staticmethod
    def _contradiction(path: Path, name: str, stated: str, given: str) -> ValueError:
        reason = f"the file states {name} {stated}, but {name} {given} was given; leave {name} out"
        return bad_file(path, name, f"{reason}, and change it afterwards if the file is wrong.")

    @staticmethod
    def _unstated_layout(path: Path, joints: int) -> UnstatedFact:
        fitting = [
            f'"{layout.name}"'
            for layout in LAYOUTS.values()
            if joints == (layout.num_file_joints or layout.num_joints)
        ]
        listed = f"known layouts of {joints} are {', '.join(fitting)}" if fitting else f"no known layout has {joints}"
        call = f'motionhub.read("{path}", layout=...) with the true one, also a YAML file of your own'
        reason = f"the file does not state it and has {joints} joints a person; {listed}; call {call}."
        return UnstatedFact(str(bad_file(path, "layout", reason)), "layout")

    @staticmethod
    def _known(path: Path, name: str, value: Any, example: str) -> Any:
        if value is None:
            call = f'motionhub.read("{path}", {name}={example})'
            reason = f"the file does not state it; call {call} with the true value."
            raise UnstatedFact(str(bad_file(path, name, reason)), name)
        return value


@dataclass(frozen=True)
class Format:
    """One file format, of a program or of one dataset; without labels.

    Args:
        name: key in `FORMATS`, or the name of the dataset.
        title: the program or dataset.
        matches: `(path, head)` -> whether the content has this format; `head`: the first bytes, empty for a folder.
        read: `(path, options)` -> the clips. Raises a one-line ValueError that names file, place and reason.
        container: `"json"`, `"mat"`, `"text"`, `"binary"` or `"folder"`.
        signature: a phrase that describes the content, for error messages.
        pattern: file names (`fnmatch`, case ignored), for files too damaged to recognise.
        needs: required options.
        writer: None where the format is only read.
    """

    name: str
    title: str
    matches: Callable[[Path, bytes], bool]
    read: Callable[[Path, ReadOptions], list[SkeletonSequence]]
    container: str
    signature: str
    pattern: str = ""
    needs: tuple[str, ...] = ()
    writer: Writer | None = None

    def claims_name(self, path: Path) -> bool:
        """Whether the file name fits `pattern`."""
        return bool(self.pattern) and fnmatch(path.name.lower(), self.pattern.lower())


def layout_in_file(path: Path, place: str, reference: Any) -> SkeletonLayout:
    """A layout stated in a file, by name or in full, but not by path. Raises ValueError that names file and place."""
    try:
        return stated_layout(reference)
    except ValueError as error:
        raise bad_file(path, place, str(error)) from None


def _within_0_and_1(path: Path, confidence: np.ndarray | None) -> np.ndarray | None:
    if confidence is None or not np.size(confidence):
        return confidence
    confidence = np.nan_to_num(np.asarray(confidence), nan=0.0)
    low, high = float(confidence.min()), float(confidence.max())
    if low < 0 or high > 1:
        note(path, "confidence", f"values lie in {low:.3g}..{high:.3g}; those beyond 0..1 are read as 0 or 1.")
    return np.clip(confidence, 0, 1)


def most_values(path: Path) -> int:
    """How many numbers a clip in this file or folder may have."""
    if not path.is_file():  # a recording in a folder
        return MAX_VALUES
    return min(MAX_VALUES, max(_FEW_VALUES, _VALUES_PER_BYTE * path.stat().st_size))


def checked_size(path: Path, *lengths: int) -> None:
    """Raises ValueError for a clip of more than `most_values` numbers, before allocation."""
    most = most_values(path)
    if math.prod(lengths) > most:
        shape = " x ".join(map(str, lengths))
        raise bad_file(path, "content", f"a clip of {shape} numbers is more than {most}; split the recording.")


def checked_joints(path: Path, count: int) -> None:
    """Raises ValueError for more joints than a layout has, before their names are looked at."""
    if count > MAX_JOINTS:
        raise bad_file(path, "joints", f"expected at most {MAX_JOINTS} joints, got {count}.")


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a JSON value is a number (true and false are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def rate_of(seconds: float) -> float:
    """Frames per second of a frame time printed with few digits: 0.0333333 is 30, not 30.00003."""
    rate = 1 / seconds
    whole = float(round(rate))
    return whole if whole and abs(rate - whole) < 2e-4 * whole else rate


def with_unique_names(path: Path, names: list[str]) -> list[str]:
    """The names of a file, of those that occur again the second called `name_2`, and so on, with a note."""
    counts: Counter[str] = Counter()
    taken = {joint_name(name) for name in names}
    unique, renamed = [], []
    for name in names:
        own = joint_name(name)
        counts[own] += 1
        if own and counts[own] > 1:
            while f"{own}_{counts[own]}" in taken:
                counts[own] += 1
            name = f"{own}_{counts[own]}"
            renamed.append(name)
        unique.append(name)
    if renamed:
        shown = ", ".join(renamed[:8]) + ("" if len(renamed) < 9 else f" and {len(renamed) - 8} more")
        note(path, "names", f"names that occur more than once are read as {shown}.")
    return unique


def layout_of_names(path: Path, names: list[str], options: ReadOptions) -> tuple[SkeletonLayout, list[int]]:
    """The layout, and for each of its joints the position of its name in the file.

    A layout given by the caller selects its joints from the file, by its own `names` or as `named_joints` reads them.
    Otherwise the layout is a known one with the same names, first in the same order, else one made of the names.
    Numbered joints require a given layout.
    Raises ValueError when a name occurs twice, or the file lacks a joint of the given layout.
    """
    checked_joints(path, len(names))
    if all(name.strip().isdigit() for name in names):
        layout = options.layout_of(path)
        if not layout.fits(len(names)):
            reason = f"layout {layout.name!r} has {layout.num_joints} joints, but the file has {len(names)}."
            raise bad_file(path, "joints", reason)
        places = layout.kept_positions if len(names) == layout.num_file_joints else range(len(names))
        return layout, list(places)
    own = own_names(names)
    repeated = sorted(name for name, times in Counter(own).items() if times > 1 or not name)
    if repeated:
        raise bad_file(path, "joints", f"expected unique names, but got {repeated[:5]} more than once, or empty.")
    if options.layout is not None:
        layout = options.layout_of(path)
        stated = [layout.names.get(name, joint) for name, joint in zip(names, own, strict=True)]
        spelled = [layout.names.get(name, joint_name(name)) for name in names]
        own = min(stated, spelled, names, key=lambda joints: len({*layout.joints} - {*joints}))
        lacking = [joint for joint in layout.joints if joint not in own]
        if lacking:
            reason = f"layout {layout.name!r} was given, but the file lacks its {lacking[:8]}; it has {own[:30]}."
            raise bad_file(path, "layout", reason)
        record_names(names, [joint if joint in layout.joints else "" for joint in own])
        return layout, [own.index(joint) for joint in layout.joints]
    known = next((layout for layout in LAYOUTS.values() if layout.joints == tuple(own)), None)
    known = known or next((layout for layout in LAYOUTS.values() if {*layout.joints} == {*own}), None)
    if known is not None:
        record_names(names, own)
        return known, [own.index(joint) for joint in known.joints]
    layout = named_layout(f"named-{len(own)}", tuple(own))
    record_names(names, own)
    return layout, list(range(len(own)))
