"""What the zero-shot claims share: clips of several datasets with one numbering of classes, and the words for them.

Classes of one meaning are one, whatever a dataset calls it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import motions
import torch
from experiment import kept
from motions import Batch, Clips
from torch import Generator, Tensor
from torch.nn import functional

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
    return {**batch, **{name: value[:, :, ::2] for name, value in motions.inputs_of(batch).items()}}


def made_motions(cache: Path | None, takes: int = 5) -> tuple[Clips, list[str]]:
    """Synthetic motions as clips, a class each."""
    names = [f"{MADE}{index:03d}" for index in range(len(captioned_motions()))]

    def make() -> dict[str, Tensor]:
        labels = torch.arange(len(names)).repeat_interleave(takes)
        columns = [labels, *[torch.zeros_like(labels)] * 3]
        return vars(motions.stored((clip.sequence for clip in synthetic_clips(takes)), columns))

    return Clips(**kept(cache, f"worded-{takes}.pt", make)), names


class Pool:
    """Clips of several datasets with one numbering of classes; the 3-D ones come first."""

    def __init__(self, parts: Sequence[tuple[Clips, list[str]]]) -> None:
        self.names = sorted({SAME.get(name, name) for _, names in parts for name in names})
        moved = []
        for clips, names in parts:
            number = torch.tensor([self.names.index(SAME.get(name, name)) for name in names])
            moved.append(replace(clips, labels=number[clips.labels]))
        solid, flat = ([clips for clips in moved if clips.keypoints.shape[-1] == dims] for dims in (3, 2))
        self.solid = motions.concatenated(*solid)
        self.flat = motions.concatenated(*flat) if flat else self.solid.of(torch.zeros(0, dtype=torch.long))
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
        is_solid = rows < len(self.solid)
        solid, flat = rows[is_solid], rows[~is_solid] - len(self.solid)
        made = []
        if len(solid):
            cut = fewer_frames(motions.windows(self.solid, solid, generator))
            looks = motions.looks_at(solid, motions.ANY_BODY, generator)
            made.append(motions.kinect_camera(cut) if generator is None else motions.images(cut, looks))
        if len(flat):
            made.append(motions.photographs(fewer_frames(motions.windows(self.flat, flat, generator))))
        order = (~is_solid).int().argsort(stable=True).argsort()  # back from 3-D first to that of `rows`
        return {name: torch.cat([one[name] for one in made])[order] for name in made[0]}


class Part:
    """Some rows of a pool, as `motions.pretrained` takes clips, their classes numbered anew."""

    def __init__(self, pool: Pool, rows: Tensor, classes: Sequence[int]) -> None:
        self.pool, self.rows, self.classes = pool, rows, list(classes)
        place = {label: index for index, label in enumerate(self.classes)}
        self.labels = torch.tensor([place[int(label)] for label in pool.labels[rows]])

    def __len__(self) -> int:
        return len(self.rows)


def seen(part: Part, rows: Tensor, generator: Generator) -> Batch:
    return {**part.pool.batch(part.rows[rows], generator), "labels": part.labels[rows]}


def texts_of(names: Sequence[str]) -> list[Tensor]:
    """The phrasings of each class by all-MiniLM-L6-v2, those without "a person is"."""
    tower = load_text_tower(MINILM)
    return [tower.encode(list(class_texts(name))[:6]) for name in names]


def means_of(texts: Sequence[Tensor]) -> Tensor:
    """`(classes, size)` of length 1."""
    return torch.stack([functional.normalize(text.mean(0), dim=0) for text in texts])


def named_right(model: Any, batch: Batch, means: Tensor) -> float:
    """Share of clips whose own class has the text that is most alike."""
    with torch.inference_mode():
        scores = model.eval()(**motions.inputs_of(batch)).motion_embeds @ means.T
    return float((scores.argmax(1) == batch["labels"]).float().mean())


def split_batches(name: str, clips: Clips) -> tuple[Clips, list[Batch], Callable[[Batch], Batch]]:
    """Clips that train (N-UCLA: view 1; Penn Action: 60 % of each class), both parts whole, and how they are seen."""
    view = motions.kinect_camera if name == "n-ucla" else motions.photographs
    fits = clips.cameras == clips.cameras.min() if name == "n-ucla" else motions.first_of_each(clips.labels, 0.6)

    def finish(batch: Batch) -> Batch:
        return view(fewer_frames(batch))

    halves = [clips.of(fits), clips.of(~fits)]
    return halves[0], [motions.whole(half, finish) for half in halves], finish


def texts_of_made() -> list[Tensor]:
    tower = load_text_tower(MINILM)
    return [tower.encode(list(motion.phrases)) for motion in captioned_motions()]


def every_fourth(labels: Tensor, place: int) -> Tensor:
    chosen = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        chosen[(labels == label).nonzero().squeeze(1)[place::4]] = True
    return chosen
