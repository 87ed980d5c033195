"""`MotionIndex`: exact nearest-neighbour search over vectors of motions, saved in a folder.

Vectors (of frames, clips, or texts in the same space) are normalised and compared by cosine, with FAISS if it is
installed and scikit-learn otherwise.
"""

import hashlib
import importlib
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from motionhub.atomic import check_writable, write_bytes, write_text
from motionhub.bounded import read_json


FORMAT = 1
LEVELS = ("frame", "clip", "moment")
# The files of an index, and what an interrupted `save` leaves.
_OWN = re.compile(r"index\.json|\.lock|(vectors|entries)(-[0-9a-f]{12})?\.(npy|jsonl)|\..*\.(writing|probe)")
_ATTEMPTS = 20


@dataclass(frozen=True)
class Entry:
    """Source of a vector.

    Args:
        file: of the motion.
        clip: index in the file.
        person: row of the person in the clip; None: all people together.
        frame: index in the clip; None: the whole clip.
        label: of the motion, if any.
        start_s, end_s: seconds of a moment; None: the whole clip.
    """

    file: str
    clip: int = 0
    person: int | None = None
    frame: int | None = None
    label: str = ""
    start_s: float | None = None
    end_s: float | None = None

    def overlaps(self, other: "Entry") -> bool:
        """Whether two moments of one person share time."""
        if self.start_s is None or self.end_s is None or other.start_s is None or other.end_s is None:
            return False
        same = (self.file, self.clip, self.person) == (other.file, other.clip, other.person)
        return same and self.start_s < other.end_s and other.start_s < self.end_s


@dataclass(frozen=True)
class Hit:
    """A result: an entry and its cosine with the query, -1 to 1."""

    entry: Entry
    similarity: float


class MotionIndex:
    """Vectors with their entries.

    Args:
        vectors: `(num_entries, channels)`, finite and none of them zero.
        entries: one for each.
        level: `"frame"`, `"clip"` or `"moment"` (a window of time).
        facts: how the vectors were computed, as JSON values: `"model"` and what a query needs.

    Raises:
        ValueError: no entry, shapes that do not fit, or a vector that is zero or not finite.
    """

    def __init__(self, vectors: Any, entries: Sequence[Entry], level: str, facts: dict[str, Any]) -> None:
        values = np.asarray(vectors, dtype=np.float32)
        if values.ndim != 2 or not len(values) or len(values) != len(entries):
            raise ValueError(
                f"An index needs vectors (num_entries, channels) and an entry for each, got {values.shape} and "
                f"{len(entries)} entries."
            )
        if level not in LEVELS:
            raise ValueError(f"level must be one of {LEVELS}, got {level!r}.")
        self.vectors, self.entries, self.level, self.facts = units(values), list(entries), level, dict(facts)
        self._nearest = _nearest_of(self.vectors)

    def __len__(self) -> int:
        return len(self.entries)

    def search(self, queries: Any, top_k: int = 5, *, without_files: Sequence[str] = ()) -> list[list[Hit]]:
        """The nearest entries of each query, best first; ties go to the earlier entry.

        Of moments that overlap only the best is given.

        Args:
            queries: `(num_queries, channels)` or one vector.
            top_k: maximum number of entries.
            without_files: files to skip (that of the query itself).

        Raises:
            ValueError: queries of another encoder (channels), or not finite.
        """
        values = np.atleast_2d(np.asarray(queries, dtype=np.float32))
        if values.ndim != 2 or values.shape[1] != self.vectors.shape[1] or top_k < 1:
            raise ValueError(
                f"This index has vectors of {self.vectors.shape[1]} channels by {self.facts.get('model')!r}; "
                f"got queries {values.shape} and top_k={top_k}. Embed the query with the same model."
            )
        hidden = set(without_files)
        left_out = sum(entry.file in hidden for entry in self.entries)
        wanted = len(self) if self.level == "moment" else min(top_k + left_out, len(self))
        cosines, rows = self._nearest(units(values), wanted)
        results = []
        for cosine, row in zip(cosines, rows, strict=True):
            order = np.lexsort((row, -cosine))
            hits = (Hit(self.entries[row[place]], float(cosine[place])) for place in order)
            results.append(_apart((hit for hit in hits if hit.entry.file not in hidden), top_k))
        return results

    def save(self, folder: str | Path) -> Path:
        """Writes an index to a new folder, or over an existing one, whole or not at all.

        `index.json` names the files of the vectors and of the entries, and takes its place last: who reads meanwhile
        gets the old index or the new one. Several writers wait for each other.

        Raises:
            ValueError: the folder has other files.
            WriteError: the disk is full or read-only; an earlier index is intact.
        """
        folder = Path(folder)
        if folder.exists() and not (folder.is_dir() and all(_OWN.fullmatch(path.name) for path in folder.iterdir())):
            raise ValueError(f"{folder} exists and is no index; choose another name, or remove it.")
        lines = [json.dumps(asdict(entry), ensure_ascii=False) for entry in self.entries]
        stream = io.BytesIO()
        np.save(stream, self.vectors)
        parts = {"vectors": (stream.getvalue(), "npy"), "entries": (("\n".join(lines) + "\n").encode(), "jsonl")}
        about = {"format": FORMAT, "level": self.level, "num_entries": len(self), "facts": self.facts}
        check_writable(folder / "index.json")
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            for name, (content, suffix) in parts.items():
                about[name] = f"{name}-{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"
                write_bytes(folder / str(about[name]), content)
            write_text(folder / "index.json", json.dumps(about, indent=2) + "\n")
            for path in folder.iterdir():  # of the index before
                if path.suffix in (".npy", ".jsonl") and path.name not in about.values():
                    path.unlink(missing_ok=True)
        return folder

    @classmethod
    def load(cls, folder: str | Path) -> "MotionIndex":
        """Reads the output of `save`. Raises ValueError for no index, or a damaged one."""
        folder = Path(folder)
        try:
            about, lines, vectors = _parts_of(folder)
            entries = [_entry(json.loads(line)) for line in lines if line]
            if about["format"] != FORMAT or about["num_entries"] != len(entries):
                raise ValueError(f"format {about['format']}, {len(entries)} of {about['num_entries']} entries")
            return cls(vectors, entries, about["level"], about["facts"])
        except FileNotFoundError:
            how = f"motionhub index FOLDER -o {folder} --model MODEL"
            raise ValueError(f"{folder} is no index; build one: {how}.") from None
        except (
            *(ValueError, KeyError, TypeError, AttributeError, OSError, EOFError),
            *(MemoryError, OverflowError, RecursionError),
        ) as error:
            raise ValueError(
                f"The index {folder} is damaged ({error}); build it again with motionhub index."
            ) from None


def _apart(hits: Iterable[Hit], top_k: int) -> list[Hit]:
    """The first `top_k`, without moments that overlap a better one."""
    kept: list[Hit] = []
    for hit in hits:
        if not any(hit.entry.overlaps(other.entry) for other in kept):
            kept.append(hit)
        if len(kept) == top_k:
            break
    return kept


def _parts_of(folder: Path) -> tuple[dict[str, Any], list[str], np.ndarray]:
    """Facts, lines of entries and vectors of one index; again where another process has replaced it meanwhile."""
    for attempt in range(_ATTEMPTS):
        about = read_json(folder / "index.json")
        try:
            names = [_part_name(about, name) for name in ("entries.jsonl", "vectors.npy")]
            lines = (folder / names[0]).read_text(encoding="utf-8").splitlines()
            return about, lines, np.load(folder / names[1], allow_pickle=False)
        except FileNotFoundError as error:
            if attempt == _ATTEMPTS - 1:
                raise ValueError(f"{Path(str(error.filename)).name} is absent") from None
    raise AssertionError


_KINDS: dict[str, Any] = {"file": str, "label": str, "clip": int, "person": int | None, "frame": int | None}
_KINDS |= dict.fromkeys(("start_s", "end_s"), float | int | None)


def _entry(fields: dict[str, Any]) -> Entry:
    """An entry of a line. Raises TypeError for a field of another kind."""
    for name, value in fields.items():
        if not isinstance(value, _KINDS.get(name, object)):
            raise TypeError(f"{name}: {str(value)[:60]!r}")
    return Entry(**fields)


def _part_name(about: dict[str, Any], name: str) -> str:
    """The file of a part; indexes of earlier versions do not name them."""
    found = str(about.get(name.partition(".")[0], name))
    if not _OWN.fullmatch(found):
        raise ValueError(f"index.json names the file {found[:60]!r}")
    return found


def units(vectors: np.ndarray) -> np.ndarray:
    """Every row at length 1. Raises ValueError for a row that is zero or not finite."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    wrong = np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    if len(wrong):
        raise ValueError(f"Vectors must be finite and not zero, but {len(wrong)} are not, row {wrong[0]} the first.")
    return (vectors / lengths[:, None]).astype(np.float32)


def _nearest_of(vectors: np.ndarray) -> Any:
    """A function `(queries, count) -> (cosines, rows)`, both `(num_queries, count)`."""
    try:
        faiss: Any = importlib.import_module("faiss")
    except ImportError:
        return partial(_by_scikit, vectors)
    store = faiss.IndexFlatIP(vectors.shape[1])
    store.add(np.ascontiguousarray(vectors))
    return lambda queries, count: store.search(np.ascontiguousarray(queries), count)


def _by_scikit(vectors: np.ndarray, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.metrics import pairwise_distances_chunked

    def nearest(distances: np.ndarray, _: int) -> tuple[np.ndarray, np.ndarray]:
        # Not NearestNeighbors: ties must keep the earlier rows
        rows = np.argsort(distances, axis=1, kind="stable")[:, :count]
        return 1 - np.take_along_axis(distances, rows, axis=1), rows

    parts = list(pairwise_distances_chunked(queries, vectors, reduce_func=nearest, metric="cosine"))
    return np.concatenate([cosines for cosines, _ in parts]), np.concatenate([rows for _, rows in parts])


def positions(vectors: np.ndarray, method: str = "pca") -> tuple[np.ndarray, float | None]:
    """`(num_entries, 2)` places of vectors in a plane, and by PCA the share of their variance that it shows.

    Args:
        method: `"pca"`, or `"umap"` (seed 0) if umap-learn is installed.

    Raises:
        ValueError: another method, or fewer than three vectors.
        ImportError: umap-learn is not installed.
    """
    if len(vectors) < 3 or method not in ("pca", "umap"):
        raise ValueError(
            f"A map needs three vectors or more and method 'pca' or 'umap', got {len(vectors)}, {method!r}."
        )
    if method == "umap":
        try:
            umap: Any = importlib.import_module("umap")
        except ImportError as error:
            raise ImportError("UMAP is not installed: pip install umap-learn, or use --method pca.") from error
        neighbours = min(15, len(vectors) - 1)
        made = umap.UMAP(metric="cosine", random_state=0, n_neighbors=neighbours).fit_transform(vectors)
        return np.asarray(made, dtype=np.float64), None
    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    places = np.zeros((len(vectors), 2))
    shown = min(2, len(sizes))
    places[:, :shown] = left[:, :shown] * sizes[:shown]
    return places, float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-12))
