"""Training rows for T-MOR: captioned clips of any datasets, in one 2-D layout and from random viewpoints.

Every clip gives several rows: random windows, for 3-D clips with random bodies and cameras, with hidden parts and
noise. Classes of several datasets with the same first phrase are one class.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from datasets import Dataset

from motionhub.data.build.build import rows_to_dataset
from motionhub.data.datasets.class_phrases import class_texts
from motionhub.data.datasets.descriptions import canonical_description
from motionhub.data.synthetic.generate import generate
from motionhub.data.synthetic.phrases import captioned_motions
from motionhub.data.views.cameras import seen_by
from motionhub.data.views.pairs import PairRanges
from motionhub.skeletons.bodies import limb_group, with_bone_lengths
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.rows import from_row, segments_of, to_row
from motionhub.skeletons.sequence import SkeletonSequence


LAYOUT = "smarthome-15"
# A verb followed by one of these is another verb.
PARTICLES = {
    *("up", "down", "on", "off", "in", "out", "over", "back", "away"),
    *("together", "apart", "under", "to", "for", "with", "into", "onto"),
}
# Words that tell motions apart which a sentence encoder holds for nearly the same.
OPPOSITES = (
    *(("left", "right"), ("up", "down"), ("forward", "backward"), ("forward", "back"), ("raise", "lower")),
    *(("sit", "stand"), ("clockwise", "counterclockwise"), ("put", "take"), ("push", "pull"), ("open", "close")),
    *(("in", "out"), ("on", "off"), ("high", "low"), ("slow", "fast"), ("slowly", "fast"), ("one", "two")),
    *(("one", "both"), ("left", "both"), ("right", "both"), ("arm", "leg"), ("lift", "lower"), ("fall", "lie")),
)
# Bodies and cameras that 3-D clips are drawn from; cameras stand from below the belt to a corner of the ceiling, most
# of them about level (least, most frequent and greatest degrees above the horizon). Seconds of a row; longer clips are
# cut at a random place.
RANGES = PairRanges(bone_factor=(0.75, 1.3), azimuth=180.0, roll=8.0)
ELEVATION = (-15.0, 0.0, 50.0)
WINDOW = (2.0, 4.0)
# Frames of a segment that shows its action.
FEWEST = 8
# Probability that a row lacks both legs, one arm or a few joints; greatest standard deviation of noise in body sizes.
HIDDEN, NOISE = 0.2, 0.012
# Probability that the camera follows the person, so that the path is not seen; and that the person stands still before
# or after, and how long at most, in lengths of the window.
FOLLOWED, WAITING, WAIT = 0.4, 0.3, 0.4


@dataclass(frozen=True)
class CaptionedClip:
    """One clip and its phrases, the name of its class first."""

    sequence: SkeletonSequence
    phrases: tuple[str, ...]
    clip_id: str = ""
    subject: int = -1
    source: str = ""
    licence: str = ""


def captioned_dataset(
    clips: Iterable[CaptionedClip], *, rows_per_clip: int = 4, seed: int = 0
) -> tuple[Dataset, list[tuple[str, ...]]]:
    """Rows in 2-D of `LAYOUT`, y downward, and the phrases of each class.

    Args:
        clips: the clips; of several people the first is taken.
        rows_per_clip: rows of each clip.
        seed: of everything random; each clip's draws depend on it and the clip's number only.

    Raises:
        ValueError: no clips, or one without phrases.
    """
    phrases: dict[str, dict[str, None]] = {}
    rows: list[dict[str, Any]] = []
    for number, clip in enumerate(clips):
        if not clip.phrases:
            raise ValueError(f"Clip {clip.clip_id or number} has no phrases; leave out clips without a name.")
        phrases.setdefault(clip.phrases[0], {}).update(dict.fromkeys(clip.phrases))
        label = list(phrases).index(clip.phrases[0])
        rows += _rows(clip, label, rows_per_clip, [seed, number])
    if not rows:
        raise ValueError("There are no clips to caption.")
    return rows_to_dataset(rows, list(phrases)), [tuple(names) for names in phrases.values()]


def captioned_clips(
    dataset: Dataset, phrases: Mapping[str, Sequence[str]], keep: Iterable[int] | None = None
) -> Iterator[CaptionedClip]:
    """The labelled clips of a dataset whose class has phrases.

    Args:
        phrases: class name -> its phrases; other classes are left out.
        keep: rows to take; None: all.
    """
    names = dataset.features["label"].names
    rows = dataset.with_format("numpy")
    for index in range(len(rows)) if keep is None else keep:
        row = rows[int(index)]
        label = int(row["label"])
        if label >= 0 and phrases.get(names[label]):
            origin = {name: str(row[name]) for name in ("clip_id", "source", "licence")}
            yield CaptionedClip(from_row(row), tuple(phrases[names[label]]), subject=int(row["subject"]), **origin)


def described_clips(dataset: Dataset) -> Iterator[CaptionedClip]:
    """The clips of a built dataset that words describe: its captions, else the name of its class, else its segments.

    Captions are brought to what joints show (`canonical_description`), with those left out that say nothing of it.
    Of a clip with segments and no caption, each segment of at least `FEWEST` frames is a clip of its class.
    """
    names = getattr(dataset.features["label"], "names", [])
    for row in dataset.with_format("numpy"):
        origin = {name: str(row[name]) for name in ("source", "licence")}
        texts = [canonical_description(text) for text in str(row["caption"]).splitlines()]
        said = tuple(dict.fromkeys(text for text in texts if text))
        clip, label, subject = from_row(row), int(row["label"]), int(row["subject"])
        if not said and 0 <= label < len(names):
            said = tuple(class_texts(names[label]))
        if said:
            yield CaptionedClip(clip, said, str(row["clip_id"]), subject, **origin)
            continue
        for number, (category, start, end) in enumerate(segments_of(row)):
            if end - start >= FEWEST and 0 <= category < len(names):
                part = clip.replace(keypoints=clip.keypoints[:, start:end], confidence=None)
                phrases = tuple(class_texts(names[category]))
                yield CaptionedClip(part, phrases, f"{row['clip_id']}_{number}", subject, **origin)


def entailment_mask(phrases: Sequence[Sequence[str]]) -> np.ndarray:
    """`(classes, classes)` bool: the first class entails the name of the second ("walk slowly" entails "walk").

    A phrase entails a name (first phrase) whose words it begins with, unless the next word makes another verb ("sit",
    "sit up"). Entailed names are no negatives; the reverse are negatives.
    """
    names: dict[tuple[str, ...], list[int]] = {}
    for number, texts in enumerate(phrases):
        names.setdefault(tuple(texts[0].casefold().split()), []).append(number)
    found = np.zeros((len(phrases), len(phrases)), dtype=bool)
    for number, texts in enumerate(phrases):
        for words in (text.casefold().split() for text in texts):
            for length in range(1, len(words)):
                if words[length] not in PARTICLES:
                    found[number, names.get(tuple(words[:length]), [])] = True
    np.fill_diagonal(found, False)
    return found


def opposed_mask(phrases: Sequence[Sequence[str]]) -> np.ndarray:
    """`(classes, classes)` bool: one name has a word and the other its opposite ("swipe left", "swipe right")."""
    words = [set(texts[0].casefold().split()) for texts in phrases]
    found = np.zeros((len(phrases), len(phrases)), dtype=bool)
    for first, second in OPPOSITES:
        one, other = (np.array([word in own for own in words]) for word in (first, second))
        alone = np.outer(one & ~other, other & ~one)
        found |= alone | alone.T
    return found


def synthetic_clips(clips_per_motion: int = 10, *, seed: int = 0) -> Iterator[CaptionedClip]:
    """All `phrases.captioned_motions`, each with `clips_per_motion` random bodies, speeds and styles."""
    for number, motion in enumerate(captioned_motions()):
        for take in range(clips_per_motion):
            chance = np.random.default_rng([seed, number, take])
            speed, style = float(chance.uniform(0.7, 1.5)), float(chance.uniform(0.75, 1.2))
            variety = float(chance.uniform(0.5, 3.5))
            sequence = generate(
                motion.motion, seed=chance, left_handed=motion.mirror, speed=speed, style=style, variety=variety
            )
            name = f"synthetic_{seed}_{number:03d}_{take:02d}"
            yield CaptionedClip(sequence, motion.phrases, name, take, "motionhub-synthetic", "CC0-1.0")


def _rows(clip: CaptionedClip, label: int, count: int, seed: Sequence[int]) -> Iterator[dict[str, Any]]:
    for view in range(count):
        sequence = _random_view(clip.sequence, np.random.default_rng([*seed, view]))
        if sequence is not None:
            yield to_row(
                sequence,
                label=label,
                subject=clip.subject,
                camera=view,
                clip_id=f"{clip.clip_id}#{view}",
                caption="\n".join(clip.phrases),
                source=clip.source,
                licence=clip.licence,
            )


def _random_view(sequence: SkeletonSequence, chance: np.random.Generator) -> SkeletonSequence | None:
    """A window of the first person in 2-D, with a random body and camera; None where no joint is visible."""
    part = _window(sequence.person(0), chance)
    body, camera = RANGES.draw_body(chance), RANGES.draw_camera(chance)
    camera = replace(camera, elevation=float(chance.triangular(*ELEVATION)))
    if part.num_dims == 3:
        root = part.layout.index(part.layout.root)
        if not part.joint_mask[0, :, root].any():
            return None
        part = seen_by(with_bone_lengths(part, body), camera)
    if part.layout.name != LAYOUT:
        part = convert_layout(part, LAYOUT)
    points = _hidden(part.keypoints, part.layout.joints, chance)
    if not np.isfinite(points).any():
        return None
    spread = np.nanmax(points, axis=(0, 1, 2)) - np.nanmin(points, axis=(0, 1, 2))
    size = 0.25 * float(spread.max())  # about the standard deviation of a standing body's joints
    points = points + size * chance.uniform(0, NOISE) * chance.standard_normal(points.shape)
    if chance.random() < FOLLOWED:
        points = points - middles(points)
    return part.replace(keypoints=points.astype(np.float32), confidence=None)


def _window(sequence: SkeletonSequence, chance: np.random.Generator) -> SkeletonSequence:
    length = max(2, round(float(chance.uniform(*WINDOW)) * sequence.fps))
    start = int(chance.integers(max(1, sequence.num_frames - length + 1)))
    waits = chance.random() < WAITING
    before, after = (chance.uniform(0, WAIT, 2) * length * waits * chance.dirichlet((1, 1))).astype(int)
    frames = np.arange(start - before, min(start + length, sequence.num_frames) + after)
    frames = frames.clip(0, sequence.num_frames - 1)
    return sequence.replace(keypoints=sequence.keypoints[:, frames], confidence=None)


def middles(points: np.ndarray) -> np.ndarray:
    """`(people, frames, 1, dims)`: the mean of each frame's joints, held where none was detected."""
    found = np.isfinite(points).all(-1)
    sums = np.where(found[..., None], points, 0).sum(2, keepdims=True)
    return sums / np.maximum(found.sum(2), 1)[..., None, None]


def _hidden(points: np.ndarray, joints: Sequence[str], chance: np.random.Generator) -> np.ndarray:
    """The clip without its lower body, one arm or some joints, with probability `HIDDEN`."""
    lot, side, lost = chance.random(), chance.choice(["left", "right"]), chance.random(len(joints)) < 0.2
    if lot >= HIDDEN:
        return points
    if lot < HIDDEN * 0.4:
        lost = np.array([limb_group(joint) in ("leg", "pelvis") or joint == "mid_hip" for joint in joints])
    elif lot < HIDDEN * 0.7:
        lost = np.array([limb_group(joint) == "arm" and joint.startswith(side) for joint in joints])
    return np.where(lost[None, None, :, None], np.nan, points)
