"""What the zero-shot claims share: clips of several datasets with one numbering of classes, and the words for them.

Classes of one meaning are one, whatever a dataset calls it.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import motions
import torch
from motions import Batch, Clips
from torch import Generator, Tensor

from motionhub.data.datasets.class_phrases import class_texts
from motionhub.data.synthetic.captions import synthetic_clips
from motionhub.data.synthetic.phrases import captioned_motions
from motionhub.towers.text_towers import MINILM, load_text_tower


# Names of one meaning in several datasets: a class, so that none is seen under one name and unseen under another.
SAME = {
    "sit to stand": "stand up",
    "stand to sit": "sit down",
    "walk around": "walk",
    "bowl": "bowling",
    "tennis_forehand": "tennis swing",
    "tennis_serve": "tennis serve",
    "baseball_swing": "baseball swing",
    "baseball_pitch": "throw",
}
MADE = "~"  # before the names of made motions


def fewer_frames(batch: Batch) -> Batch:
    """Every second frame: 16 of a clip, for time."""
    return {
        **batch,
        "keypoints": batch["keypoints"][:, :, ::2],
        "joint_mask": batch["joint_mask"][:, :, ::2],
        "attention_mask": batch["attention_mask"][:, :, ::2],
    }


def made_motions(cache: Path | None, takes: int = 5) -> tuple[Clips, list[str]]:
    """Synthetic motions as clips, a class each."""
    kept = None if cache is None else cache / f"worded-{takes}.pt"
    names = [f"{MADE}{index:03d}" for index in range(len(captioned_motions()))]
    if kept is not None and kept.exists():
        return Clips(**torch.load(kept)), names
    found = [motions._stored(clip.sequence) for clip in synthetic_clips(takes)]
    labels = torch.arange(len(names)).repeat_interleave(takes)
    zeros = torch.zeros_like(labels)
    clips = Clips(
        torch.stack([one for one, _ in found]), torch.stack([seen for _, seen in found]), labels, *[zeros] * 3
    )
    if kept is not None:
        torch.save(vars(clips), kept)
    return clips, names


class Pool:
    """Clips of several datasets with one numbering of classes; the 3-D ones come first."""

    def __init__(self, parts: Sequence[tuple[Clips, list[str]]]) -> None:
        self.names = sorted({SAME.get(name, name) for _, names in parts for name in names})
        moved = []
        for clips, names in parts:
            number = torch.tensor([self.names.index(SAME.get(name, name)) for name in names])
            moved.append(replace(clips, labels=number[clips.labels]))
        flat = [clips.keypoints.shape[-1] == 2 for clips in moved]
        self.solid = joined([clips for clips, is_flat in zip(moved, flat, strict=True) if not is_flat])
        pictures = [clips for clips, is_flat in zip(moved, flat, strict=True) if is_flat]
        self.flat = joined(pictures) if pictures else self.solid.of(torch.zeros(0, dtype=torch.long))
        self.labels = torch.cat([self.solid.labels, self.flat.labels])
        # Classes of made motions come last: their names begin with MADE.
        self.num_real = sum(not name.startswith(MADE) for name in self.names)
        real = self.labels < self.num_real
        self.tests = self._quarter(2, 0) & real
        self.inner_tests = self._quarter(1, 1) & real

    def __len__(self) -> int:
        return len(self.labels)

    def _quarter(self, subject: int, place: int) -> Tensor:
        return torch.cat([self.solid.subjects % 4 == subject, every_fourth(self.flat.labels, place)])

    def batch(self, rows: Tensor, generator: Generator | None = None) -> Batch:
        """With a generator cut, on any body, by any camera; else whole, by their own camera."""
        solid, flat = rows[rows < len(self.solid)], rows[rows >= len(self.solid)] - len(self.solid)
        made = []
        if len(solid):
            cut = fewer_frames(motions.windows(self.solid, solid, generator))
            looks = motions.looks_at(solid, motions.ANY_BODY, generator)
            made.append(motions.kinect_camera(cut) if generator is None else motions.pictures(cut, looks))
        if len(flat):
            made.append(motions.photographs(fewer_frames(motions.windows(self.flat, flat, generator))))
        joined = {name: torch.cat([one[name] for one in made]) for name in made[0]}
        seeds = motions.seeds_of(torch.cat([solid, flat]), generator)
        return {**joined, "index": torch.cat([solid, flat + len(self.solid)]), "seeds": seeds}


class Part:
    """Some rows of a pool, as `motions.pretrained` takes clips; `labels` may be numbered anew."""

    def __init__(self, pool: Pool, rows: Tensor, classes: Sequence[int]) -> None:
        self.pool, self.rows, self.classes = pool, rows, list(classes)
        place = {label: index for index, label in enumerate(self.classes)}
        self.labels = torch.tensor([place[int(label)] for label in pool.labels[rows]])

    def __len__(self) -> int:
        return len(self.rows)


def seen(part: Part, rows: Tensor, generator: Generator) -> Batch:
    batch = part.pool.batch(part.rows[rows], generator)
    # The pool puts 3-D clips first: labels and rows of the part follow that order.
    place = {int(row): index for index, row in enumerate(part.rows)}
    own = torch.tensor([place[int(row)] for row in batch["index"]])
    return {**batch, "index": own, "labels": part.labels[own]}


def twice(part: Part, rows: Tensor, generator: Generator) -> Batch:
    """All first views, then all second ones."""
    views = [seen(part, rows, generator) for _ in range(2)]
    return {name: torch.cat([view[name] for view in views]) for name in views[0]}


def texts_of(names: Sequence[str]) -> list[Tensor]:
    """The phrasings of each class by all-MiniLM-L6-v2, those without "a person is"."""
    tower = load_text_tower(MINILM)
    return [tower.encode(list(class_texts(name))[:6]) for name in names]


def texts_of_made() -> list[Tensor]:
    tower = load_text_tower(MINILM)
    return [tower.encode(list(motion.phrases)) for motion in captioned_motions()]


def every_fourth(labels: Tensor, place: int) -> Tensor:
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        chosen[(labels == label).nonzero().squeeze(1)[place::4]] = True
    return chosen


def last_part(labels: Tensor) -> Tensor:
    """Of each class the last 40 %."""
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        rows = (labels == label).nonzero().squeeze(1)
        chosen[rows[round(0.6 * len(rows)) :]] = True
    return chosen


def joined(clips: Sequence[Clips]) -> Clips:
    return Clips(*(torch.cat(columns) for columns in zip(*(vars(one).values() for one in clips), strict=True)))
