"""Scores of models as answers: labels best first, intervals, probabilities. Shared by pipelines and the predictor."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from motionhub.intervals.decode import DecodingRule


Span = tuple[int, int]
RULES = tuple(field.name for field in dataclasses.fields(DecodingRule))


def softmax(values: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    powers = np.exp(values - values.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)))


def best_scores(
    labels: Mapping[int, str] | Sequence[str], scores: np.ndarray, top_k: int | None
) -> list[dict[str, Any]]:
    """`{"label", "score"}` of `scores (labels,)`, best first; ties go to the earlier label."""
    order = np.argsort(-scores, kind="stable")[:top_k].tolist()
    return [{"label": labels[index], "score": float(scores[index])} for index in order]


def coverage(samples: Sequence[Mapping[str, Any]]) -> float:
    """Share of detected joints in the valid frames, averaged over the samples of a processor."""
    masks = [(np.asarray(sample["joint_mask"]), np.asarray(sample["attention_mask"])) for sample in samples]
    return float(np.mean([joints[frames].mean() for joints, frames in masks]))


def interval_rows(
    decode: DecodingRule,
    track_id: int | None,
    times: np.ndarray,
    probabilities: np.ndarray,
    names: Mapping[int, str] | Sequence[str],
) -> list[dict[str, Any]]:
    """The intervals of one person, by time; labels without a name give none."""
    return [
        {
            "track_id": track_id,
            "start_s": float(times[start]),
            "end_s": float(times[end]),
            "label": names[label],
            "score": score,
        }
        for label, start, end, score in decode(probabilities, times)
        if label < len(names)
    ]


def segmentation_rule(
    names: Mapping[int, str], exclusive_model: bool, background: Any = ..., exclusive: bool | None = None, **rule: Any
) -> DecodingRule:
    """The rule of a call of action segmentation: by default "background", if there is one, gives no intervals.

    Args:
        names: label -> name.
        exclusive_model: whether the model was trained for one action at a time.
    """
    places = {str(name): int(label) for label, name in names.items()}
    index = None
    if background is ...:
        index = places.get("background")
    elif background is not None:
        if background not in places:
            raise ValueError(f"background must be a label of the model, {list(places)[:10]}, got {background!r}.")
        index = places[background]
    return DecodingRule(background=index, exclusive=exclusive_model if exclusive is None else exclusive, **rule)


def times_of_sample(sample: Mapping[str, Any], num_frames: int, fps: float) -> np.ndarray:
    """`(frames + 1,)` seconds: start of each frame of a sample, end of the last; repeated frames do not count.

    Args:
        sample: of the processor, with the source frame of each frame as `"frames"`.
        num_frames, fps: of the source.
    """
    real = np.atleast_1d(np.asarray(sample["attention_mask"]).any(axis=0))
    frames = np.asarray(sample["frames"], dtype=np.float64).reshape(len(real), -1)[:, 0][real]
    falls = np.flatnonzero(np.diff(frames) < 0)
    frames = frames[: falls[0] + 1] if len(falls) else frames
    return np.asarray(np.append(frames, num_frames) / fps)


def window_starts(frames: int, window: int, hop: int) -> list[int]:
    """First frames of the windows that cover a clip; the last window ends with the clip."""
    if window < 1 or not 1 <= hop <= window:
        raise ValueError(f"Windows expect window >= 1 and 1 <= hop <= window, got window={window}, hop={hop}.")
    last = max(frames - window, 0)
    return sorted({*range(0, last, hop), last})


def frames_of_clip(attention_mask: np.ndarray) -> np.ndarray:
    """`(..., frames)` bool: frames up to the last True one; a hole inside a clip is a frame, not padding."""
    return np.asarray(attention_mask[..., ::-1].cumsum(-1)[..., ::-1] > 0)
