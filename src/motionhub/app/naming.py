"""Who does what, when: intervals of a recording, and the files that a visitor downloads."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionhub.app.models import Models
from motionhub.app.recordings import Recording, Refused, by_shown_name
from motionhub.intervals.table import summarise_intervals, write_intervals
from motionhub.runtime.phrases import normalised_spelling


DOWNLOADS = (".csv", ".srt", ".json", ".eaf")
LONGEST_WHOLE = 30.0  # seconds: a longer recording shows several actions
_BETWEEN = r"[,;\n]"
_MOST_LABELS = 100
_LONGEST_LABEL = 200


@dataclass(frozen=True, eq=False)
class Named:
    """The actions of a recording.

    Args:
        recording: what was looked at.
        labels: that were asked for.
        rows: `{"track_id", "start_s", "end_s", "label", "score"}`.
        whole: person -> best label of the clip as a whole and its probability; empty for long recordings.
        notes: what a reader should know.
    """

    recording: Recording
    labels: tuple[str, ...]
    rows: list[dict[str, Any]]
    whole: dict[int | None, tuple[str, float]]
    notes: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        return self.recording.sequence.duration

    def summary(self) -> list[dict[str, Any]]:
        """Counts and durations, see `motionhub.summarise_intervals`."""
        return summarise_intervals(self.rows, self.duration)


def words(text: str) -> list[str]:
    r"""The labels in what a visitor typed: separated by commas, semicolons or lines; each once.

    Raises:
        Refused: none, too many, or one that is too long.

    Examples:
        >>> from motionhub.app.naming import words
        >>> words("sit down, wave\nSit  Down")
        ['sit down', 'wave']
    """
    spelled: dict[str, str] = {}
    for part in (" ".join(part.split()) for part in re.split(_BETWEEN, text or "")):
        if part:
            spelled.setdefault(normalised_spelling(part) or part, part)
    labels = list(spelled.values())
    if not labels:
        raise Refused("No labels: write what people may be doing, with commas, such as: sit down, wave, fall down.")
    if len(labels) > _MOST_LABELS or max(map(len, labels)) > _LONGEST_LABEL:
        raise Refused(f"Expected up to {_MOST_LABELS} labels of up to {_LONGEST_LABEL} letters: leave some out.")
    return labels


def name_actions(
    models: Models, recording: Recording, labels: str = "", *, background: str = "", force: bool = False
) -> Named:
    """The intervals of each person.

    Args:
        labels: of a zero-shot model, as `words` takes them; ignored by others.
        background: labels that give no interval.
        force: every moment gets a label, never "none of these".

    Raises:
        Refused: labels that are none or that the model cannot read.
    """
    if not models.takes_labels:
        pipe = models.intervals
        sequence = recording.for_dims(int(pipe.feature_extractor.num_dims))
        with by_shown_name(Path(recording.name), recording.name) as notes:
            rows = pipe(sequence)
        return Named(recording, tuple(models.own_labels), rows, {}, tuple(notes))
    asked = words(labels)
    hidden = [label for label in (words(background) if background.strip() else []) if label not in asked]
    sequence = recording.for_dims(int(models.intervals.feature_extractor.num_dims))
    with unknown_words_refused(), by_shown_name(Path(recording.name), recording.name) as notes:
        rows = models.intervals(sequence, candidate_labels=asked, background=hidden, none_label=not force)
        whole = {}
        if sequence.duration <= LONGEST_WHOLE:
            none = {"none_label": None} if force else {}
            people = models.whole(sequence, candidate_labels=[*asked, *hidden], top_k=1, **none)
            whole = {each["track_id"]: (each["scores"][0]["label"], each["scores"][0]["score"]) for each in people}
    if len(asked) < sum(map(bool, map(str.strip, re.split(_BETWEEN, labels)))):
        notes.append("A label is written twice; it counts once.")
    return Named(recording, tuple(asked), rows, whole, tuple(notes))


def write_downloads(named: Named, folder: str | Path) -> list[Path]:
    """The intervals as files of `DOWNLOADS`, named as the recording."""
    stem = re.sub(r"[^\w. -]", "_", Path(named.recording.name).stem).strip(". ") or "recording"
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    return [write_intervals(named.rows, target / f"{stem}{suffix}") for suffix in DOWNLOADS]


def sentences(named: Named) -> list[str]:
    """One for each person: what it does, longest first.

    Examples:
        >>> from motionhub.app.naming import Named, sentences
        >>> from motionhub.app.recordings import Recording
        >>> row = {"track_id": 0, "start_s": 0.5, "end_s": 2.0, "label": "wave", "score": 0.9}
        >>> recording = Recording("a.npz", motionhub.generate("wave", seed=0))
        >>> sentences(Named(recording, ("wave",), [row], {}))
        ['Person 0: wave 1.5 s.']
    """
    lines = []
    summary = named.summary()
    for track in _tracks(named.recording, named.rows):
        parts = [_part(entry) for entry in summary if entry["track_id"] == track]
        done = ", ".join(parts) if parts else "none of the labels"
        best = named.whole.get(track)
        whole = f"; the whole resembles “{best[0]}” ({best[1]:.0%})" if best else ""
        lines.append(f"{person(track)}: {done}{whole}.")
    return lines


def person(track: int | None) -> str:
    """The person of a row, at the start of a sentence."""
    return "All people" if track is None else f"Person {track}"


def _tracks(recording: Recording, rows: Sequence[dict[str, Any]]) -> list[int | None]:
    known: list[int | None] = list(recording.sequence.track_ids or range(recording.sequence.num_people))
    return list(dict.fromkeys([*known, *(row["track_id"] for row in rows)]))


def _part(entry: dict[str, Any]) -> str:
    times = f", {entry['count']} times" if entry["count"] > 1 else ""
    return f"{entry['label']} {entry['total_s']:.1f} s{times}"


@contextmanager
def unknown_words_refused() -> Iterator[None]:
    """Turns the error of phrases that are unknown into a sentence for the visitor."""
    try:
        yield
    except (ImportError, ValueError) as error:
        unknown = re.findall(r"('[^']*'|\"[^\"]*\") \(similar known phrases: ([^)]*)\)", str(error))
        if not unknown:
            raise
        near_words = "; ".join(f"{phrase}, similar known words: {near}" for phrase, near in unknown)
        raise Refused(
            f"The model does not know {near_words}. Use known words; for any words whoever runs this page installs "
            'the language model: pip install "motionhub[text]".'
        ) from None
