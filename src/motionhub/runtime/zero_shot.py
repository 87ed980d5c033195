"""Zero-shot scores in NumPy: windows, views, and similarities as probabilities. Shared by pipelines and predictor."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from motionhub.intervals.decode import DecodingRule
from motionhub.runtime.answers import RULES, Span, sigmoid, softmax
from motionhub.runtime.phrases import checked_texts, normalised_spelling
from motionhub.runtime.steps import align_gravity
from motionhub.skeletons import repair
from motionhub.skeletons.sequence import SkeletonSequence


WHOLE = 1.6  # clips up to this many windows long are not cut
VIEWS = (0.0, -35.0, 35.0)  # degrees about the vertical from which a 2-D model sees a 3-D clip
SOFTNESS = 0.35  # of the maximum over the windows of a clip, in units of similarity
HOP = 0.2  # seconds from window to window of segmentation; short hops make exact borders
NONE = "none of these"


class Levels(NamedTuple):
    """What a calibration fits: see `TMorConfig`."""

    temperature: float
    rejection: float | None
    stacking: float


def windows_of(
    part: SkeletonSequence,
    process: Callable[[SkeletonSequence], dict[str, Any]],
    *,
    upright: bool,
    num_dims: int,
    window: float,
    hop: float | None = None,
    views: Sequence[float] = VIEWS,
) -> list[tuple[Span, dict[str, Any]]]:
    """The windows of one person, each from every view of `views` where the clip is 3-D and the model 2-D.

    Gravity is aligned over the whole clip, so a person who falls stays lying.

    Args:
        process: the processor of one piece.
        upright, num_dims: of the processor.
        window, hop: seconds; no hop: half a window, and clips up to 1.6 windows long are not cut.
    """
    if upright:
        part = part.replace(keypoints=align_gravity(part.keypoints, part.layout, part.up), up="-y")
    turned = [part]
    if part.up == "-y" and part.num_dims == 3 and num_dims == 2:
        turned = [turned_about_y(part, degrees) for degrees in views]
    found = []
    for span in spans_of(part, window, hop):
        pieces = [repair.part(each, *span) for each in turned]
        found += [(span, process(piece)) for piece in pieces if piece.joint_mask.any()]
    return found


def spans_of(part: SkeletonSequence, seconds: float, hop: float | None) -> list[Span]:
    """Windows from the first to the last frame in which the person is detected."""
    frames = np.flatnonzero(part.joint_mask.any(axis=(0, 2)))
    if not len(frames):
        return []
    begin, end = int(frames[0]), int(frames[-1]) + 1
    length = max(1, round(seconds * part.fps))
    if end - begin <= (WHOLE if hop is None else 1) * length:
        return [(begin, end)]
    step = max(1, round((hop or seconds / 2) * part.fps))
    starts = [*range(begin, end - length, step), end - length]
    return [(start, start + length) for start in starts]


def turned_about_y(sequence: SkeletonSequence, degrees: float) -> SkeletonSequence:
    """A 3-D sequence turned about its y axis."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    rotation = np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]], np.float32)
    return sequence.replace(keypoints=sequence.keypoints @ rotation)


def over_views(spans: Sequence[Span], embeds: np.ndarray) -> tuple[np.ndarray, list[Span]]:
    """`(windows, size)` unit embeddings, the mean over the samples `(samples, size)` of each window; its spans."""
    own = {span: [index for index, each in enumerate(spans) if each == span] for span in dict.fromkeys(spans)}
    means = np.stack([embeds[indices].mean(0) for indices in own.values()])
    return unit(means), list(own)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1 along the last axis."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True).clip(min=1e-12))


def over_windows(similarity: np.ndarray) -> np.ndarray:
    """`(labels,)`: the soft maximum over the windows `(windows, labels)` of a clip, which shows an action in some."""
    scaled = similarity / SOFTNESS
    most = scaled.max(0)
    sums = np.log(np.exp(scaled - most).sum(0)) + most
    return np.asarray(SOFTNESS * (sums - math.log(len(similarity))), similarity.dtype)


def probabilities_of(
    similarity: np.ndarray, new: np.ndarray, levels: Levels, multi_label: bool, none: bool
) -> np.ndarray:
    """`(n, labels (+ 1))`: of exclusive labels, "none of these" last; or, multi-label, of each independently.

    Whether any label applies is decided without the bonus of new labels, which would let them win on nothing.

    Args:
        similarity: `(n, labels)`.
        new: `(labels,)` bool: not among what the checkpoint was trained with.
    """
    if multi_label:
        return sigmoid((similarity - (levels.rejection or 0.0)) / levels.temperature)
    bonus = np.asarray(levels.stacking * new, similarity.dtype)
    among = softmax((similarity + bonus) / levels.temperature)
    if not none or levels.rejection is None:
        return among
    edge = np.full((len(similarity), 1), levels.rejection, similarity.dtype)
    nothing = softmax(np.concatenate([similarity, edge], axis=1) / levels.temperature)[:, -1:]
    return np.concatenate([among * (1 - nothing), nothing], axis=1)


def over_frames(likely: np.ndarray, spans: Sequence[Span]) -> tuple[np.ndarray, int]:
    """Probabilities of frames from those of windows `(windows, labels)`, and the first frame.

    Each frame has the mean over its windows, weighted by a triangle that peaks in the middle of a window.
    """
    begin, end = spans[0][0], max(last for _, last in spans)
    total = np.zeros((end - begin, likely.shape[1]), np.float32)
    weights = np.zeros((end - begin, 1), np.float32)
    for row, (first, last) in zip(likely, spans, strict=True):
        place = (np.arange(last - first, dtype=np.float32) + np.float32(0.5)) / np.float32(last - first)
        weight = (1 - np.abs(2 * place - 1) + np.float32(1e-3))[:, None]
        total[first - begin : last - begin] += weight * row
        weights[first - begin : last - begin] += weight
    # Frames outside all windows (no person detected around them) have no probability.
    return (total / weights.clip(min=1e-9)).clip(0, 1).astype(np.float64), begin


def decoding_rule(given: Mapping[str, Any], multi_label: bool) -> DecodingRule:
    """The rule of a call of zero-shot segmentation, with its defaults."""
    own = {name: given[name] for name in RULES if name in given and name != "background"}
    exclusive = bool(own.get("exclusive", not multi_label))
    defaults = {"threshold": 0.0 if exclusive else 0.5, "min_duration": 0.4, "max_gap": 0.3, "exclusive": exclusive}
    return DecodingRule(**{**defaults, **own})


def with_background(candidate_labels: Any, background: Any) -> tuple[Any, int]:
    """The labels followed by the background's, and the number of the latter."""
    added = [background] if isinstance(background, str) else list(background)
    if isinstance(candidate_labels, str):
        candidate_labels = [label.strip() for label in candidate_labels.split(",")]
    if hasattr(candidate_labels, "items"):
        return {**candidate_labels, **dict.fromkeys(added, ())}, len(added)
    return [*(candidate_labels or ()), *added], len(added)


def checked_labels(candidate_labels: Any) -> dict[str, tuple[str, ...]]:
    """Label -> its phrasings, itself first. Raises ValueError for none, a blank one, or two that are spelled alike."""
    if isinstance(candidate_labels, str):
        candidate_labels = [label.strip() for label in candidate_labels.split(",")]
    further: Mapping[str, Any] = candidate_labels if isinstance(candidate_labels, Mapping) else {}
    if candidate_labels is None or not isinstance(candidate_labels, Mapping | Sequence) or not len(candidate_labels):
        raise ValueError(
            'candidate_labels must be a list of at least one label, such as ["sit down", "wave"], got '
            f"{candidate_labels!r}."
        )
    phrasings: dict[str, tuple[str, ...]] = {}
    spelled: dict[str, str] = {}
    for label in candidate_labels:
        if not isinstance(label, str) or not label.strip():
            raise ValueError(f"candidate_labels must be texts with something in them, got {label!r}.")
        first = spelled.setdefault(normalised_spelling(label) or label.strip(), label)
        if label in phrasings or first is not label:
            raise ValueError(f"candidate_labels must differ, got {first!r} and {label!r}; leave one out.")
        others = further.get(label) or ()
        phrasings[label] = (label, *([others] if isinstance(others, str) else others))
    return phrasings


def fill_templates(labels: Sequence[str], templates: Sequence[str] | str) -> list[list[str]]:
    """Every label in every template: one list of texts per label, in the order of the templates.

    Raises:
        ValueError: there is no template, or one lacks its "{}".
    """
    sentences = [templates] if isinstance(templates, str) else list(templates)
    if not sentences or any(sentence.count("{}") != 1 for sentence in sentences):
        raise ValueError(f"Expected templates with one {{}} for the label, got {sentences}.")
    return [[sentence.replace("{}", label) for sentence in sentences] for label in checked_texts(labels)]
