"""What the server says of itself at /openapi.json: bodies, examples and errors of each route."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from motionhub.serving.messages import ANSWERS, FILES, MOTIONS, Problem
from motionhub.serving.models import OF_ZERO_SHOT, ServedModel


DESCRIPTION = (
    "Names the actions of skeleton sequences and videos. A request is JSON with keypoints, or a form with a file of "
    "any format that motionhub reads, or a video. Every error is one line in `detail`."
)
_SUMMARIES = {
    "labels": "The action of each person",
    "intervals": "The actions of each person over time",
    "embeddings": "A vector of each person",
}
_ERRORS = {
    400: "No form that can be read",
    403: "Another host name, or a page of another site",
    404: "No such model, or it has no such answer",
    408: "The request has not arrived in time",
    413: "Too many bytes or frames",
    415: "Neither JSON nor a form",
    422: "Fields, keypoints or a file that are refused",
    429: "Too many requests wait; Retry-After says when to come again",
    503: "The server stops, or the answer takes too long",
}


def documented(model: ServedModel, kind: str) -> dict[str, Any]:
    """Arguments of the route of a model and a kind: summary, body with an example, answer and errors."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem, "description": reason} for status, reason in _ERRORS.items()
    }
    responses[200] = {"model": ANSWERS[kind], "description": "The answer"}
    motion, file = (_schema(table[kind], model, kind) for table in (MOTIONS, FILES))
    file["properties"] = {"file": {"type": "string", "format": "binary"}, **file["properties"]}
    file["required"] = ["file", *file.get("required", ())]
    content = {
        "application/json": {"schema": motion, "example": example(kind, model.zero_shot, model.num_dims)},
        "multipart/form-data": {"schema": file},
    }
    return {
        "summary": _SUMMARIES[kind],
        "tags": [model.name],
        "operation_id": f"{kind}_{model.name}",
        "responses": responses,
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
    }


def _schema(message: type[BaseModel], model: ServedModel, kind: str) -> dict[str, Any]:
    """The fields that this model takes."""
    schema = message.model_json_schema()
    if model.zero_shot and kind != "embeddings":
        schema["required"] = [*schema.get("required", ()), "candidate_labels"]
    else:
        schema["properties"] = {
            name: field for name, field in schema["properties"].items() if name not in OF_ZERO_SHOT
        }
    return schema


def example(kind: str, zero_shot: bool, num_dims: int = 2) -> dict[str, Any]:
    """A request whose person, in the 17 joints of COCO, raises the right wrist over four frames.

    Args:
        kind: of the answer.
        zero_shot: whether it has labels.
        num_dims: of the model; 3 gives metres, three before the camera.
    """
    still: list[list[float]] = [
        [320, 100], [326, 94], [314, 94], [334, 98], [306, 98], [352, 150], [288, 150], [364, 205], [276, 205],
        [368, 258], [272, 258], [340, 270], [300, 270], [342, 350], [298, 350], [344, 430], [296, 430],
    ]  # fmt: skip
    frames: list[list[list[float]]] = [
        [*still[:10], [272 - 6 * step, 258 - 50 * step], *still[11:]] for step in range(4)
    ]
    facts: dict[str, Any] = {"layout": "coco-17", "fps": 4, "unit": "pixel", "image_size": [640, 480]}
    if num_dims == 3:
        frames = [[[(x - 320) / 200, (y - 270) / 200, 3.0] for x, y in frame] for frame in frames]
        facts = {"layout": "coco-17", "fps": 4, "unit": "metre", "up": "-y"}
    labels = {"candidate_labels": ["wave", "sit down"]} if zero_shot and kind != "embeddings" else {}
    return {"keypoints": [frames], **facts, **labels}


def documented_schema(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made once; FastAPI's own error of validation does not occur."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        for name in ("HTTPValidationError", "ValidationError"):
            made.get("components", {}).get("schemas", {}).pop(name, None)
        app.openapi_schema = made
    return app.openapi_schema
