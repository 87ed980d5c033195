"""Recordings of which texts or labels describe parts: each of these parts is a clip."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from motionhub.data.datasets.dataset import ClipFacts
from motionhub.data.formats.files import bad_file, kept_until_changed, note, read_text
from motionhub.skeletons.convert import cut, frames_between
from motionhub.skeletons.sequence import SkeletonSequence


# Values of `ClipFacts.setup` for the authors' lists.
SETUPS = {"train": 1, "test": 0, "val": 2}
_MAX_LIST_BYTES = 2**26
_MOST_PARTS = 1000


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

    A part without a frame of the recording is left out, one that ends after it is cut, both with a note.
    Raises ValueError for more than a thousand parts.
    """
    found, different = [], merged(parts)
    if len(different) > _MOST_PARTS:
        raise bad_file(path, "texts", f"expected at most {_MOST_PARTS} parts of a recording, got {len(different)}.")
    for part in different:
        start, end = frames_between(part.start_s, part.end_s, recording.fps, recording.num_frames)
        if start == end:
            seconds = f"the recording has {recording.duration:g} seconds"
            what = f"{part.captions[0][:60]!r} from {part.start_s:g} to {part.end_s:g} s has no frame"
            note(path, "texts", f"{seconds}; {what} and is left out.")
            continue
        if recording.duration + 1 / recording.fps < part.end_s < math.inf:
            note(path, "texts", f"a part ends at {part.end_s:g} s and is cut at {recording.duration:g} s.")
        times = "" if part.is_whole else f"_{part.start_s:g}-{part.end_s:g}"
        own = replace(facts, clip_id=facts.clip_id + times, caption="\n".join(part.captions))
        found.append((cut(recording, part.start_s, part.end_s), own))
    return found


def setup_of(name: str, lists: dict[str, Path | None]) -> int | None:
    """The number in `SETUPS` of the authors' list that has the name; None where none has it, or there are none."""
    return next((SETUPS[split] for split, path in lists.items() if path is not None and name in _listed(path)), None)


@kept_until_changed
def _listed(path: Path) -> frozenset[str]:
    """The names in a list of one a line, without folders and extensions."""
    lines = (line.strip().replace("\\", "/") for line in read_text(path, _MAX_LIST_BYTES).splitlines())
    return frozenset(line.rpartition("/")[2].removesuffix(".bvh").removesuffix(".npy") for line in lines if line)
