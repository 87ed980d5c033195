"""Moments of recordings that a text describes, best first."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from motionhub.app.drawing import data_url
from motionhub.app.models import Models
from motionhub.app.naming import unknown_words_refused
from motionhub.app.recordings import Progress, Recording, Refused, by_shown_name
from motionhub.retrieval.build import moments
from motionhub.retrieval.by_text import text_query, text_space_embedder
from motionhub.retrieval.index import Entry, Hit, MotionIndex
from motionhub.skeletons.convert import cut


WINDOW, HOP = 2.0, 1.0  # seconds
_DRAWN = 5


def index_of(models: Models, recordings: Sequence[Recording], progress: Progress | None = None) -> MotionIndex:
    """Vectors of all moments of all people; an entry's `file` is the position of its recording, as text.

    Raises:
        Refused: no recording, or a model without a text space.
    """
    embed = text_space_embedder(models.features)
    vectors: list[np.ndarray] = []
    entries: list[Entry] = []
    for number, recording in enumerate(recordings):
        if progress is not None:
            progress(number / len(recordings), f"reading the motion of {recording.name}")
        sequence = recording.for_dims(int(models.features.feature_extractor.num_dims))
        with by_shown_name(Path(recording.name), recording.name):
            for part, times in moments(sequence, WINDOW, HOP):
                for person, vector in enumerate(embed(part)):
                    if np.isfinite(vector).all() and vector.any():
                        vectors.append(vector)
                        entries.append(Entry(str(number), 0, person, None, "", *times))
    if not entries:
        raise Refused("No recordings to search: choose several videos or keypoint files.")
    return MotionIndex(np.stack(vectors), entries, "moment", {"model": models.naming_source})


def find_moments(models: Models, index: MotionIndex, text: str, top_k: int = 8) -> list[Hit]:
    """The moments nearest to a text.

    Raises:
        Refused: no text, or words that the model does not know.
    """
    from motionhub.towers.text_bank import text_vectors

    asked = " ".join((text or "").split())
    if not asked:
        raise Refused("No text: describe the movement, such as: someone sits down.")
    with unknown_words_refused():
        vectors = text_vectors([asked], models.intervals.text_bank, models.intervals.text_tower)
    (hits,) = index.search(text_query(models.features.model, vectors[0]), max(1, int(top_k)))
    return hits


def rows_of(hits: Sequence[Hit], recordings: Sequence[Recording]) -> list[tuple[Any, ...]]:
    """`(name, track id, start, end, similarity)` of each."""
    rows = []
    for hit in hits:
        recording = recordings[int(hit.entry.file)]
        track = (recording.sequence.track_ids or (0,))[hit.entry.person or 0]
        rows.append((recording.name, track, hit.entry.start_s, hit.entry.end_s, hit.similarity))
    return rows


def drawn(hits: Sequence[Hit], recordings: Sequence[Recording], path: Path) -> str:
    """The middle pose of the best moments side by side, as the address of an image."""
    from motionhub.visualization.draw import draw_neighbours

    poses = []
    for hit in hits[:_DRAWN]:
        recording = recordings[int(hit.entry.file)]
        part = cut(recording.sequence, hit.entry.start_s or 0.0, hit.entry.end_s or recording.sequence.duration)
        title = f"{recording.name} {hit.entry.start_s:.1f} s"
        poses.append((part, hit.entry.person or 0, part.num_frames // 2, title))
    return data_url(draw_neighbours([poses], path))
