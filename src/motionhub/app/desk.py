"""What the page asks of the program: one function per button, from what a visitor gave to what is shown.

Nothing of one visitor is kept here; recordings that are already read travel in the state of the visitor's page.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from motionhub.app import comparing, finding, markup
from motionhub.app.drawing import moving_picture
from motionhub.app.models import Models
from motionhub.app.naming import name_actions, person, write_downloads
from motionhub.app.recordings import Facts, Limits, Progress, Recording, Refused, open_recording
from motionhub.retrieval.index import MotionIndex


_KEPT = 12  # recordings that one visitor's page remembers


@dataclass
class Memory:
    """What the page of one visitor has read already.

    Args:
        recordings: by path and stated metadata.
        pictures: moving pictures of them.
        indexes: for search, by the recordings in them.
    """

    recordings: dict[Any, Recording] = field(default_factory=dict)
    pictures: dict[Any, Path] = field(default_factory=dict)
    indexes: dict[Any, MotionIndex] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """What a button shows: HTML, a moving picture, and files to download."""

    html: str
    video: str | None = None
    files: tuple[str, ...] = ()


class Desk:
    """Answers the page.

    Args:
        models: of the page.
        limits: of one visitor's files.
        folder: for files of answers, in a folder per visitor.
    """

    def __init__(self, models: Models, limits: Limits, folder: Path) -> None:
        self.models, self.limits, self.folder = models, limits, folder

    def name(
        self,
        file: str | None,
        labels: str,
        facts: Facts,
        memory: Memory,
        visitor: str,
        *,
        background: str = "",
        force: bool = False,
        progress: Progress | None = None,
    ) -> Shown:
        """Who does what, when."""

        def run() -> Shown:
            recording, key = self._read(file, facts, memory, _part(progress, 0.0, 0.6))
            named = name_actions(self.models, recording, labels, background=background, force=force)
            target = self._new_folder(visitor)
            if key not in memory.pictures or not memory.pictures[key].is_file():
                memory.pictures[key] = moving_picture(recording, target / "picture.mp4", _part(progress, 0.7, 1.0))
            files = write_downloads(named, target)
            return Shown(markup.answer(named), str(memory.pictures[key]), tuple(map(str, files)))

        return answered(run)

    def search(
        self,
        files: Sequence[str] | None,
        text: str,
        facts: Facts,
        memory: Memory,
        visitor: str,
        *,
        top_k: int = 8,
        progress: Progress | None = None,
    ) -> Shown:
        """The moments of recordings that a text describes."""

        def run() -> Shown:
            chosen = list(dict.fromkeys(files or ()))
            recordings, left_out = self._readable(chosen, facts, memory, progress)
            key = (tuple(chosen), facts)
            if key not in memory.indexes:
                memory.indexes = {key: finding.index_of(self.models, recordings, _part(progress, 0.7, 1.0))}
            hits = finding.find_moments(self.models, memory.indexes[key], text, top_k)
            target = self._new_folder(visitor)
            rows = [
                (name, person(track), f"{start:.2f} s", f"{end:.2f} s", f"{likeness:.3f}")
                for name, track, start, end, likeness in finding.rows_of(hits, recordings)
            ]
            head = ("recording", "who", "from", "to", "similarity")
            image = markup.picture(finding.drawn(hits, recordings, target / "found.png"), "the best moments, as poses")
            known = [*left_out, "A similarity is a cosine, not a probability: it orders moments of one search."]
            return Shown(f"{image}{markup.table(head, rows, f'Nearest to “{text.strip()}”')}{markup.notes(known)}")

        return answered(run)

    def compare(
        self,
        first: str | None,
        second: str | None,
        facts: Facts,
        memory: Memory,
        visitor: str,
        progress: Progress | None = None,
    ) -> Shown:
        """How a movement differs between two recordings."""

        def run() -> Shown:
            pair = [
                self._read(file, facts, memory, _part(progress, 0.4 * place, 0.4 * place + 0.4))[0]
                for place, file in enumerate((first, second))
            ]
            found = comparing.compared(*pair)
            target = self._new_folder(visitor)
            names = (pair[0].name, pair[1].name)
            images = "".join(markup.picture(*each) for each in comparing.comparison_pictures(found, names, target))
            head = ("angle", "phase", "first", "second", "difference", "95 %")
            listed = markup.table(head, comparing.comparison_rows(found), "Joint angles that differ most, degrees")
            lines = markup.paragraphs(comparing.comparison_lines(found))
            known = markup.notes([*found.notes, *(line for each in pair for line in each.notes)])
            table = comparing.write_comparison(found, target / "comparison.csv")
            return Shown(f"{lines}{images}{listed}{known}", None, (str(table),))

        return answered(run)

    def quality(
        self,
        file: str | None,
        correct: Sequence[str] | None,
        facts: Facts,
        memory: Memory,
        progress: Progress | None = None,
    ) -> Shown:
        """How well a movement is done: by a model, or against correct repetitions."""

        def run() -> Shown:
            recording, _ = self._read(file, facts, memory, _part(progress, 0.0, 0.5))
            parts = []
            if self.models.quality_source is not None or not correct:
                rows, notes = comparing.quality_rows(self.models, recording)
                scored = ("who", "score", "95 % limits", "joints seen")
                parts += [markup.table(scored, rows, "Score of the movement"), markup.notes(notes)]
            if correct:
                others, left_out = self._readable(correct, facts, memory, progress)
                rows_of = comparing.deviation_rows(recording, others)
                head = ("angle", "when", "degrees", "usual", "difference", "in standard deviations")
                title = f"What is most unusual among {len(others)} correct repetitions"
                parts += [markup.table(head, rows_of, title), markup.notes(left_out)]
            return Shown("".join(parts) + markup.notes(recording.notes))

        return answered(run)

    def forget(self, visitor: str | None) -> None:
        """Removes the files of a visitor who has left."""
        if visitor:
            shutil.rmtree(self.folder / _safe(visitor), ignore_errors=True)

    def _read(
        self, file: str | None, facts: Facts, memory: Memory, progress: Progress | None
    ) -> tuple[Recording, Any]:
        if not file:
            raise Refused("No recording: choose a video or keypoint file, or record one.")
        key = (file, facts)
        if key not in memory.recordings:
            if len(memory.recordings) >= _KEPT:
                memory.recordings.pop(next(iter(memory.recordings)))
            memory.recordings[key] = open_recording(file, facts, self.limits, progress=progress)
        return memory.recordings[key], key

    def _readable(
        self, files: Sequence[str], facts: Facts, memory: Memory, progress: Progress | None
    ) -> tuple[list[Recording], list[str]]:
        """The recordings, and sentences on those that cannot be read."""
        found, left_out = [], []
        for place, file in enumerate(files):
            part = _part(progress, 0.7 * place / len(files), 0.7 * (place + 1) / len(files))
            try:
                found.append(self._read(file, facts, memory, part)[0])
            except Refused as error:
                left_out.append(f"Left out: {error}")
        if left_out and not found:
            raise Refused(" ".join(left_out[:3]))
        return found, left_out

    def _new_folder(self, visitor: str) -> Path:
        target = self.folder / _safe(visitor) / uuid4().hex
        target.mkdir(parents=True)
        return target


def answered(run: Callable[[], Shown]) -> Shown:
    """What `run` shows; a refusal, a package that is not installed or a defect is shown as a sentence."""
    try:
        return run()
    except Refused as error:
        return Shown(markup.refusal(str(error)))
    except ImportError as error:
        return Shown(markup.refusal(f"Whoever runs this page must install a package first. {error}"))
    except MemoryError:
        return Shown(markup.refusal("The recording does not fit into the memory: cut it, or make the video smaller."))


def _part(progress: Progress | None, begin: float, end: float) -> Progress | None:
    """Progress of a part of the work."""
    if progress is None:
        return None
    return lambda share, what: progress(begin + share * (end - begin), what)


def _safe(visitor: str) -> str:
    """The name of a visitor's folder."""
    return "".join(char for char in visitor if char.isalnum()) or "visitor"
