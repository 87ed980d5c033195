"""What clients send and get: the fields, their checks, and the same as JSON Schema."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from motionhub.serving.gate import Limits, Refused
from motionhub.skeletons.layouts import stated_layout
from motionhub.skeletons.sequence import SkeletonSequence


FACTS = ("layout", "fps", "unit", "image_size")
# Coordinates beyond are no positions; as 32-bit numbers they would become infinite, which marks a missing joint.
_LARGEST = 1e9
_MOST_PEOPLE = 1000


def _unpacked(value: Any) -> Any:
    """The JSON of a form field that is a list or an object; other texts and values as they are."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _size(value: Any) -> Any:
    """`640x480` and `640 480` of a form, as two numbers."""
    value = _unpacked(value)
    return re.split(r"[x, ]+", value.strip()) if isinstance(value, str) else value


def _texts(value: Any) -> Any:
    """`sit down, wave` of a form, as a list."""
    value = _unpacked(value)
    return [text.strip() for text in value.split(",")] if isinstance(value, str) else value


_Nested = WithJsonSchema({"type": "array", "items": {}, "description": "Nested lists of numbers; null is missing"})
Text = Annotated[str, Field(min_length=1, max_length=300)]
Texts = Annotated[list[Text], BeforeValidator(_texts)]
Phrasings = Annotated[dict[Text, list[Text]] | list[Text], BeforeValidator(_texts)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class Facts(BaseModel):
    """What a file may lack, and every array needs."""

    model_config = ConfigDict(extra="forbid")

    layout: Annotated[str | dict[str, Any] | None, BeforeValidator(_unpacked)] = Field(
        None, description="Name of the joint layout, such as coco-17, or a layout as motionhub.write stores it"
    )
    fps: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = Field(
        None, description="Frames per second"
    )
    unit: Literal["pixel", "normalised", "metre", "centimetre", "millimetre"] | None = Field(
        None, description="Of the coordinates; centimetres and millimetres become metres"
    )
    image_size: Annotated[tuple[int, int] | None, BeforeValidator(_size)] = Field(
        None, description="(width, height) in pixels"
    )


class LabelOptions(BaseModel):
    """Options of labels."""

    top_k: int | None = Field(None, ge=1, le=10_000, description="Labels per person, best first")
    candidate_labels: Phrasings | None = Field(
        None, description="Zero-shot models: the labels, or each with further phrasings"
    )
    hypothesis_template: Text | None = Field(None, description="A sentence with {} for the label")
    multi_label: bool | None = Field(None, description="Zero-shot models: score each label by itself")
    none: bool | None = Field(None, description="Zero-shot models: false never answers 'none of these'")


class IntervalOptions(BaseModel):
    """Options of intervals."""

    candidate_labels: Phrasings | None = Field(
        None, description="Zero-shot models: the labels, or each with further phrasings"
    )
    hypothesis_template: Text | None = Field(None, description="A sentence with {} for the label")
    multi_label: bool | None = Field(None, description="Zero-shot models: score each label by itself")
    none: bool | None = Field(None, description="Zero-shot models: false gives every frame a label")
    background: Texts | None = Field(None, description="Zero-shot models: further labels without intervals")
    threshold: Share | None = Field(None, description="Probability that an action must reach")
    low_threshold: Share | None = Field(None, description="Extend an action while its probability is above this")
    min_duration: Seconds | None = Field(None, description="Seconds; drop shorter actions")
    max_gap: Seconds | None = Field(None, description="Seconds; join actions across shorter gaps")


class EmbeddingOptions(BaseModel):
    """Options of embeddings."""

    level: Literal["sequence", "step"] | None = Field(None, description="A vector per person, or per step of time")
    normalize: bool | None = Field(None, description="Scale vectors to length 1 (default)")


class Motion(Facts):
    """Keypoints as numbers; nothing is inferred from them."""

    layout: str | dict[str, Any] = Field(
        description="Name of the joint layout, such as coco-17, or a layout as motionhub.write stores it"
    )
    fps: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] = Field(description="Frames per second")
    unit: Literal["pixel", "normalised", "metre"] = Field(description="Of the coordinates")
    keypoints: Annotated[list[Any], _Nested] = Field(
        description="(people, frames, joints, 2 or 3), or without the first axis; null marks a missing joint"
    )
    confidence: Annotated[list[Any] | None, _Nested] = Field(None, description="(people, frames, joints), 0 to 1")
    track_ids: list[int] | None = Field(None, max_length=_MOST_PEOPLE, description="One per person")
    up: Literal["x", "-x", "y", "-y", "z", "-z"] | None = Field(None, description="The axis that points up")


class LabelsOfMotion(Motion, LabelOptions):
    """Keypoints whose action is asked."""


class IntervalsOfMotion(Motion, IntervalOptions):
    """Keypoints whose actions over time are asked."""


class EmbeddingsOfMotion(Motion, EmbeddingOptions):
    """Keypoints whose vectors are asked."""


class LabelsOfFile(Facts, LabelOptions):
    """Fields beside a file whose action is asked."""


class IntervalsOfFile(Facts, IntervalOptions):
    """Fields beside a file whose actions over time are asked."""


class EmbeddingsOfFile(Facts, EmbeddingOptions):
    """Fields beside a file whose vectors are asked."""


MOTIONS: dict[str, type[Motion]] = {
    "labels": LabelsOfMotion,
    "intervals": IntervalsOfMotion,
    "embeddings": EmbeddingsOfMotion,
}
OPTIONS: dict[str, type[BaseModel]] = {
    "labels": LabelOptions,
    "intervals": IntervalOptions,
    "embeddings": EmbeddingOptions,
}
FILES: dict[str, type[Facts]] = {
    "labels": LabelsOfFile,
    "intervals": IntervalsOfFile,
    "embeddings": EmbeddingsOfFile,
}


class Score(BaseModel):
    """A label and its probability."""

    label: str
    score: float


class Person(BaseModel):
    """One detected person; `coverage` is the share of the model's joints that were detected."""

    track_id: int | None
    scores: list[Score]
    coverage: float


class Interval(BaseModel):
    """One action of a person, in seconds from the start."""

    track_id: int | None
    start_s: float
    end_s: float
    label: str
    score: float


class Labels(BaseModel):
    """The action of each person."""

    model: str
    people: list[Person]
    warnings: list[str]


class Intervals(BaseModel):
    """The actions of each person over time."""

    model: str
    intervals: list[Interval]
    warnings: list[str]


class Embeddings(BaseModel):
    """(people, size), or (people, steps, size) of level "step"; null for people without valid keypoints."""

    model: str
    embeddings: list[Any]
    warnings: list[str]


class Problem(BaseModel):
    """Why a request is refused, in one line."""

    detail: str


class Model(BaseModel):
    """One model; `labels` is null where the client gives them, or there are none."""

    name: str
    answers: list[Literal["labels", "intervals", "embeddings"]]
    labels: list[str] | None
    zero_shot: bool
    layout: str | None


ANSWERS: dict[str, type[BaseModel]] = {"labels": Labels, "intervals": Intervals, "embeddings": Embeddings}


def parsed(kind: str, body: bytes, limits: Limits) -> tuple[SkeletonSequence, dict[str, Any]]:
    """The clip and the options of a request in JSON.

    Raises:
        Refused: 422 for what is no request, 413 for too many frames.
    """
    try:
        given = MOTIONS[kind].model_validate_json(body)
    except ValidationError as error:
        raise Refused(422, _one_line(error)) from None
    facts = facts_of(given)
    points, confidence = _array(given.keypoints, "keypoints"), None
    if given.confidence is not None:
        confidence = _array(given.confidence, "confidence")
    check_frames(points.shape[0] if points.ndim == 4 else 1, points.shape[-3] if points.ndim > 2 else 0, limits)
    tracks = None if given.track_ids is None else tuple(given.track_ids)
    try:
        clip = SkeletonSequence(points, confidence=confidence, track_ids=tracks, up=given.up, **facts)
    except ValueError as error:
        raise Refused(422, str(error)) from None
    return clip, options_of(kind, given, limits)


def fields_of(kind: str, form: Mapping[str, Any]) -> Facts:
    """The fields beside a file. Raises Refused with 422."""
    try:
        return FILES[kind].model_validate(dict(form))
    except ValidationError as error:
        raise Refused(422, _one_line(error)) from None


def facts_of(given: Facts) -> dict[str, Any]:
    """Layout (never of a path), rate, unit and size. Raises Refused for an unknown layout."""
    facts: dict[str, Any] = {name: getattr(given, name) for name in FACTS}
    if given.layout is not None:
        try:
            facts["layout"] = stated_layout(given.layout)
        except ValueError as error:
            raise Refused(422, f"layout: {error}") from None
    return facts


def options_of(kind: str, given: Facts, limits: Limits) -> dict[str, Any]:
    """The options that are given. Raises Refused for too many labels."""
    options = {name: getattr(given, name) for name in OPTIONS[kind].model_fields if getattr(given, name) is not None}
    labels = options.get("candidate_labels", ())
    phrasings = sum(map(len, labels.values())) if isinstance(labels, dict) else 0
    number = len(labels) + phrasings + len(options.get("background", ()))
    if number > limits.labels:
        raise Refused(422, f"candidate_labels: expected at most {limits.labels} labels and phrasings, got {number}.")
    return options


def check_frames(people: int, frames: int, limits: Limits) -> None:
    """Raises Refused with 413 for more people and frames than the server takes."""
    if people * frames > limits.frames:
        got = f"{people} people x {frames} frames"
        raise Refused(413, f"Expected at most {limits.frames} frames of all people together, got {got}; cut the clip.")


def _array(values: list[Any], name: str) -> np.ndarray:
    """Numbers as float32, null as NaN. Raises Refused for anything else."""
    try:
        array = np.asarray(values)
        nulls = sum(value is None for value in array.ravel()) if array.dtype.kind == "O" else 0
        if array.dtype.kind == "O" and {type(value) for value in array.ravel()} <= {int, float, type(None)}:
            array = array.astype(np.float64)
        if array.dtype.kind not in "iuf":
            raise ValueError
    except (ValueError, OverflowError, TypeError, RecursionError):
        raise Refused(422, f"{name} must be a rectangular array of numbers, null where a joint is missing.") from None
    if unknown := int(np.isnan(array).sum()) - nulls:
        raise Refused(422, f"{name}: got {unknown} NaN, which JSON has not; null marks a missing joint.")
    if bool((np.abs(array) > _LARGEST).any()):
        raise Refused(422, f"{name}: expected numbers up to {_LARGEST:g}, got {np.nanmax(np.abs(array)):g}.")
    return array.astype(np.float32)


def _one_line(error: ValidationError) -> str:
    """The first problem of a request, with its place."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    first = found[0]
    place = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("list[", "dict[", "function-")))
    text = f"{place}: {first['msg']}" if place else str(first["msg"])
    if first["type"] == "json_invalid":
        text += "; a missing joint is null, JSON has no NaN"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{text[:300]}{more}."
