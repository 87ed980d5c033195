"""What a caller says about a file that does not say it itself, and what a file format without a data set is.

It does not know any particular format. A data set's format says everything (`reader.Reader`); a pose estimator's
output often has no frame rate, and a table of numbers no layout: those are options, and none is ever guessed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.data.formats.reader import bad_file
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout, stated_layout
from motionhub.skeletons.sequence import SkeletonSequence


# What the numbers of a file may be measured in -> the unit they are kept in, and the factor between the two.
FILE_UNITS: dict[str, tuple[str, float]] = {
    "pixel": ("pixel", 1.0),
    "normalised": ("normalised", 1.0),
    "metre": ("metre", 1.0),
    "centimetre": ("metre", 0.01),
    "millimetre": ("metre", 0.001),
}
# A clip of these many numbers still fits any memory; a corrupt or hostile file must not fill it.
MAX_VALUES = 2**26
# So many are little, whatever the file; and no format writes a number in less than a fraction of a byte: a table may
# name a thousand people and show each for a moment, but a few kilobytes must not grow to gigabytes.
_FEW_VALUES, _VALUES_PER_BYTE = 2**23, 64
_EXAMPLES = {"layout": '"coco-17"', "fps": "30", "unit": '"pixel"', "image_size": "(1920, 1080)"}


class UnstatedFact(ValueError):
    """A file does not say what its reader must know.

    Args:
        message: one line with file and fix.
        option: the keyword of `read` by which the caller says it.
    """

    def __init__(self, message: str, option: str = "") -> None:
        super().__init__(message)
        self.option = option


@dataclass(frozen=True)
class ReadOptions:
    """The caller's word about a file; None means "as the file says".

    Args:
        layout: a `SkeletonLayout`, or the name of one.
        fps: frames per second.
        unit: what the numbers in the file are measured in: a key of `FILE_UNITS`. Centimetres and millimetres are
            turned into metres.
        image_size: `(width, height)` in pixels.

    Raises:
        ValueError: no layout or unit has that name, or the frame rate is not positive.
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
        self, path: Path, stated: str | SkeletonLayout | None = None, assumed: str | SkeletonLayout | None = None
    ) -> SkeletonLayout:
        """The layout the file states, else the caller's, else the one `assumed` of such files."""
        given = None if self.layout is None else get_layout(self.layout)
        known = None if stated is None else get_layout(stated)
        if given is not None and known is not None and given.joints != known.joints:
            raise self._contradiction(path, "layout", known.name, given.name)
        found = known or given or (None if assumed is None else get_layout(assumed))
        if found is None:
            raise self._lacking(path, "layout")
        return found

    def fps_of(self, path: Path, stated: float | None = None) -> float:
        """The frame rate the file states, else the caller's; 0.05 % apart is agreement, as files print few digits."""
        if stated is not None and self.fps is not None and not math.isclose(stated, self.fps, rel_tol=5e-4):
            raise self._contradiction(path, "fps", f"{stated:g}", f"{self.fps:g}")
        found = stated if stated is not None else self.fps
        if found is None:
            raise self._lacking(path, "fps")
        return float(found)

    def unit_of(self, path: Path, stated: str | None = None, assumed: str | None = None) -> str:
        """The unit of the file's numbers, a key of `FILE_UNITS`."""
        if stated is not None and self.unit is not None and stated != self.unit:
            raise self._contradiction(path, "unit", stated, self.unit)
        found = stated or self.unit or assumed
        if found is None:
            raise self._lacking(path, "unit")
        return found

    def image_size_of(self, path: Path, stated: tuple[int, int] | None = None) -> tuple[int, int] | None:
        """The image size the file states, else the caller's; it may stay unknown."""
        if stated is not None and self.image_size is not None and tuple(self.image_size) != tuple(stated):
            raise self._contradiction(path, "image_size", str(stated), str(self.image_size))
        return stated if stated is not None else self.image_size

    def sequence(
        self,
        path: Path,
        keypoints: np.ndarray,
        layout: SkeletonLayout,
        *,
        fps: float,
        unit: str,
        image_size: tuple[int, int] | None = None,
        confidence: np.ndarray | None = None,
        track_ids: tuple[int, ...] | None = None,
    ) -> SkeletonSequence:
        """The clip, in one of the library's units; what does not fit together is an error that names the file.

        Args:
            keypoints: `(people, frames, joints, dims)` or `(frames, joints, dims)` in `unit`, a key of `FILE_UNITS`.
        """
        kept, factor = FILE_UNITS[unit]
        try:
            with np.errstate(over="ignore", invalid="ignore"):
                scaled = keypoints if factor == 1 else np.asarray(keypoints, np.float64) * factor
                return SkeletonSequence(
                    np.asarray(scaled, np.float32), layout, fps, kept, confidence, image_size, track_ids
                )
        except (ValueError, OverflowError) as error:
            raise bad_file(path, "content", str(error)) from None

    def agree(self, path: Path, sequence: SkeletonSequence) -> SkeletonSequence:
        """A clip of a format that says everything: checked against the caller's word, the image size added."""
        self.layout_of(path, sequence.layout)
        self.fps_of(path, sequence.fps)
        self.unit_of(path, sequence.unit)
        size = self.image_size_of(path, sequence.image_size)
        return sequence if size == sequence.image_size else sequence.replace(image_size=size)

    @staticmethod
    def _contradiction(path: Path, name: str, stated: str, given: str) -> ValueError:
        reason = f"the file is of {name} {stated}, but {name} {given} was given; leave {name} out"
        return bad_file(path, name, f"{reason}, and change it afterwards if it is really wrong.")

    @staticmethod
    def _lacking(path: Path, name: str) -> ValueError:
        call = f'motionhub.read("{path}", {name}={_EXAMPLES[name]})'
        return UnstatedFact(
            str(bad_file(path, name, f"the file does not say it; call {call} with what is true.")), name
        )


@dataclass(frozen=True)
class PoseFormat:
    """One file format that belongs to a program, not to a data set: it has no labels.

    Args:
        name: key in `FORMATS`.
        title: what makes such files.
        matches: `(path, head)` -> whether the content looks like this format; `head` is the file's first bytes, and
            empty for a folder.
        read: `(path, options)` -> the clips. Raises a one-line ValueError that names file, place and reason.
        pattern: what such files are called (`fnmatch`), for files too damaged to recognise.
        container: `"json"`, `"text"`, `"binary"` or `"folder"`.
        signature: one phrase that describes the content, for error messages.
        needs: the options without which it cannot be read.
    """

    name: str
    title: str
    matches: Callable[[Path, bytes], bool]
    read: Callable[[Path, ReadOptions], list[SkeletonSequence]]
    pattern: str
    container: str
    signature: str
    needs: tuple[str, ...] = ()

    def claims_name(self, path: Path) -> bool:
        """Whether the file is called like this format's files."""
        return bool(self.pattern) and fnmatch(path.name.lower(), self.pattern)


def layout_in_file(path: Path, place: str, reference: Any) -> SkeletonLayout:
    """A layout as a file names it: one of the library's or a whole description, but not, as callers may, a path."""
    try:
        return stated_layout(reference)
    except ValueError as error:
        raise bad_file(path, place, str(error)) from None


def most_values(path: Path) -> int:
    """The numbers that a clip in this file, or folder, may have: `MAX_VALUES`, fewer in a small file."""
    if not path.is_file():  # a folder's recording has many
        return MAX_VALUES
    return min(MAX_VALUES, max(_FEW_VALUES, _VALUES_PER_BYTE * path.stat().st_size))


def checked_size(path: Path, *lengths: int) -> None:
    """Refuses a clip of more numbers than `most_values`, before anything is allocated."""
    most = most_values(path)
    if math.prod(lengths) > most:
        shape = " x ".join(map(str, lengths))
        raise bad_file(path, "content", f"a clip of {shape} numbers is more than {most}; split the recording.")


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number (true and false are not)."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def rate_of(seconds: float) -> float:
    """Frames per second of a frame time as files print it, with few digits: 0.0333333 is 30, not 30.00003."""
    rate = 1 / seconds
    whole = float(round(rate))
    return whole if whole and abs(rate - whole) < 2e-4 * whole else rate
