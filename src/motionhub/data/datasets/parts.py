"""Recordings of which texts or labels describe parts: each of these parts is a clip."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts
from motionhub.data.formats.files import bad_file, kept_until_changed, note, read_text
from motionhub.skeletons.sequence import SkeletonSequence


# Values of `ClipFacts.setup` for the authors' lists.
SETUPS = {"train": 1, "test": 0, "val": 2}
_MAX_LIST_BYTES = 2**26
# A frame after the end of any recording.
_BEYOND = 1e15


@dataclass(frozen=True)
class Part:
    """What `captions` say of a recording from `start_s` (inclusive) until `end_s` (exclusive); infinity: its end."""

    captions: tuple[str, ...]
    start_s: float = 0.0
    end_s: float = math.inf

    @property
    def is_whole(self) -> bool:
        return self.start_s <= 0 and self.end_s == math.inf


def merged(parts: Iterable[Part]) -> list[Part]:
    """The parts with all captions of the same times in one, each caption once."""
    captions: dict[tuple[float, float], dict[str, None]] = {}
    for part in parts:
        captions.setdefault((part.start_s, part.end_s), {}).update(dict.fromkeys(part.captions))
    return [Part(tuple(texts), *times) for times, texts in captions.items()]


def described(
    path: Path, recording: SkeletonSequence, parts: Iterable[Part], facts: ClipFacts
) -> list[tuple[SkeletonSequence, ClipFacts]]:
    """The clip of every part, with its captions, and its seconds in its id; `facts` has the rest.

    A part that starts after the recording is left out, one that ends after it is cut, both with a note.
    """
    found = []
    for part in merged(parts):
        times = "" if part.is_whole else f"_{part.start_s:g}-{part.end_s:g}"
        if part.start_s >= recording.duration:
            seconds = f"the recording has {recording.duration:g} seconds"
            note(path, "texts", f"{seconds}; {part.captions[0][:60]!r} at {part.start_s:g} s is left out.")
            continue
        if recording.duration + 1 / recording.fps < part.end_s < math.inf:
            note(path, "texts", f"a part ends at {part.end_s:g} s and is cut at {recording.duration:g} s.")
        clip = cut(path, "texts", recording, part.start_s, min(part.end_s, recording.duration))
        found.append((clip, replace(facts, clip_id=facts.clip_id + times, caption="\n".join(part.captions))))
    return found


def cut(path: Path, place: str, whole: SkeletonSequence, start_s: float, end_s: float) -> SkeletonSequence:
    """The frames from `start_s` (inclusive) to `end_s` (exclusive). Raises ValueError as `frames_between`."""
    start, end = frames_between(path, place, whole, start_s, end_s)
    confidence = None if whole.confidence is None else whole.confidence[:, start:end]
    return whole.replace(keypoints=whole.keypoints[:, start:end], confidence=confidence)


def frames_between(path: Path, place: str, whole: SkeletonSequence, start_s: float, end_s: float) -> tuple[int, int]:
    """The first frame of an interval, and the one after its last. Raises ValueError where it has none."""
    # Tolerates rounded decimals of the table.
    start, end = (math.ceil(min(seconds * whole.fps, _BEYOND) - 1e-3) for seconds in (start_s, end_s))
    if not start < end <= whole.num_frames:
        reason = f"{start_s:g} s to {end_s:g} s is no part of {whole.num_frames} frames at {whole.fps:g} per second"
        raise bad_file(path, place, f"{reason}; correct start_s and end_s.")
    return start, end


def setup_of(name: str, lists: dict[str, Path | None]) -> int | None:
    """The number in `SETUPS` of the authors' list that has the name; None where none has it, or there are none."""
    return next((SETUPS[split] for split, path in lists.items() if path is not None and name in _listed(path)), None)


@kept_until_changed
def _listed(path: Path) -> frozenset[str]:
    """The names in a list of one a line, without folders and extensions."""
    lines = (line.strip().replace("\\", "/") for line in read_text(path, _MAX_LIST_BYTES).splitlines())
    return frozenset(line.rpartition("/")[2].removesuffix(".bvh").removesuffix(".npy") for line in lines if line)
