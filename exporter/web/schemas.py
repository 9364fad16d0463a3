"""What ``/openapi.json`` says of the ingest route and of errors."""

from __future__ import annotations

from typing import Any, Final

from exporter.events import (
    MAX_CLASS,
    MAX_EVENTS,
    MAX_FEATURE,
    MAX_ID,
    MAX_LISTED_REJECTIONS,
    MAX_MODEL,
    MAX_VERSION,
    TASKS,
)
from exporter.ingest import FORMATS

_NAME: Final = r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$"
_VALUE: Final = {"oneOf": [{"type": "string", "minLength": 1, "maxLength": MAX_CLASS},
                           {"type": "boolean"}, {"type": "number"}]}  # fmt: skip
_SCORE: Final = {"type": "number", "minimum": 0, "maximum": 1}
_FEATURE: Final = {"type": ["number", "string", "boolean", "null"]}


def name_schema(longest: int) -> dict[str, Any]:
    """Return what the name of a model or a version may be."""
    return {"maxLength": longest, "pattern": _NAME}


_PROPERTIES: Final[dict[str, Any]] = {
    "model": {
        "type": "string", "maxLength": MAX_MODEL, "pattern": _NAME,
        "description": "Required, unless the header X-Model or a single configured model gives it.",
    },
    "version": {"type": "string", "maxLength": MAX_VERSION, "pattern": _NAME,
                "description": "`none` if absent; a label without version joins every version."},
    "id": {"oneOf": [{"type": "string", "minLength": 1, "maxLength": MAX_ID}, {"type": "integer"}],
           "description": "Prediction id: joins a later label, and makes retries harmless."},
    "ts": {"oneOf": [{"type": "number", "minimum": 0}, {"type": "string", "format": "date-time"}],
           "description": "Unix seconds or RFC 3339; the arrival if absent."},
    "task": {"type": "string", "enum": list(TASKS)},
    "prediction": {**_VALUE, "description": "Class or value."},
    "score": {**_SCORE, "description": "Probability of the positive class."},
    "scores": {"type": "object", "minProperties": 1, "additionalProperties": _SCORE,
               "description": "Probability of each class."},
    "label": {**_VALUE, "description": "Ground truth."},
    "features": {"type": "object", "additionalProperties": _FEATURE,
                 "description": f"Inputs; names have 1-{MAX_FEATURE} characters, null is missing."},
    "segments": {"type": "object", "additionalProperties": {"type": "string"}},
    "latency_seconds": {"type": "number", "minimum": 0},
}  # fmt: skip


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    """A field that is null is an absent field."""
    return {"anyOf": [schema, {"type": "null"}]}


def _column(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    column = {"type": "array", "items": _nullable(schema)}
    if name in ("features", "scores", "segments"):
        values = {"type": "array", "items": _nullable(schema["additionalProperties"])}
        return {"type": "object", "additionalProperties": values}
    return column


EVENT: Final[dict[str, Any]] = {
    "type": "object",
    "description": "A prediction, a label, or both.",
    "properties": {name: _nullable(schema) for name, schema in _PROPERTIES.items()},
}
_COLUMNS: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["columns"],
    "description": "Many events, a column a field; all columns are equally long.",
    "properties": {
        **{name: _nullable(_PROPERTIES[name]) for name in ("model", "version", "task")},
        "columns": {
            "type": "object",
            "properties": {name: _column(name, one) for name, one in _PROPERTIES.items()},
        },
    },
}
_BODY: Final[dict[str, Any]] = {
    "anyOf": [_COLUMNS, EVENT, {"type": "array", "items": EVENT}],
}
REJECTION: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["index", "field", "error"],
    "properties": {
        "index": {"type": "integer", "description": "Place of the event in the body."},
        "field": {"type": "string"},
        "error": {"type": "string"},
    },
}
_COUNTS: Final[dict[str, Any]] = {
    "accepted": {"type": "integer"},
    "duplicates": {"type": "integer"},
    "rejected": {"type": "array", "items": REJECTION, "maxItems": MAX_LISTED_REJECTIONS},
    "rejected_total": {"type": "integer"},
}
_ANSWER: Final = {"type": "object", "required": list(_COUNTS), "properties": _COUNTS}
_ERROR: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["error", "detail"],
    "properties": {"error": {"type": "string"}, "detail": {"type": "array"}},
}
_MEANING: Final = {
    400: "The body is not what its type says; `detail` has the position.",
    401: "No user or token that is known; see `WWW-Authenticate`.",
    403: "The token is known and has not the scope that this needs; `detail` has it.",
    404: "Not known.",
    405: "Not a method of this route.",
    408: "The body did not arrive in time.",
    413: "The body is larger than `max_body_bytes`, before or after decompression, "
    f"or holds more than {MAX_EVENTS} events.",
    415: "The content type or encoding is not known.",
    422: "Every event was rejected.",
    429: "More events than `max_events_per_second`, or more requests than `rate_limit`; "
    "see `Retry-After`.",
    500: "The configuration is bad; the old one stays.",
    503: "Overloaded, or stopping; see `Retry-After`.",
}

METRICS_RESPONSE: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "content": {
            "text/plain; version=0.0.4": {"schema": {"type": "string"}},
            "application/openmetrics-text; version=1.0.0": {"schema": {"type": "string"}},
        }
    }
}


def errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these status codes."""
    return {
        code: {
            "description": _MEANING[code],
            "content": {"application/json": {"schema": _ERROR}},
        }
        for code in codes
    }


def ingest_operation() -> dict[str, Any]:
    """Return the OpenAPI operation of ``POST /v1/events``."""
    bodies = {
        "application/json": {"schema": _BODY},
        **{
            media_type: {"schema": {"type": "string", "format": "binary"}}
            for media_type in FORMATS
            if media_type != "application/json"
        },
    }
    header = {"in": "header", "required": False}
    refusals = {str(code): response for code, response in errors(
        400, 405, 408, 413, 415, 422, 429, 503).items()}  # fmt: skip
    every = {"allOf": [_ERROR, _ANSWER]}
    refusals["422"]["content"] = {"application/json": {"schema": every}}
    return {
        "tags": ["events"],
        "summary": "Send predictions and labels",
        "description": "Good events count even when others of the same body are rejected.",
        "operationId": "ingest_events",
        "parameters": [
            {**header, "name": "X-Model", "schema": _PROPERTIES["model"],
             "description": "The model of events that name none."},
            {**header, "name": "Idempotency-Key", "schema": {"type": "string"},
             "description": "A repeat within 10 minutes gets the first answer."},
            {**header, "name": "Content-Encoding", "schema": {"type": "string", "enum": ["gzip"]}},
        ],
        "requestBody": {"required": True, "content": bodies},
        "responses": {
            "200": {
                "description": "Counted in the next scrape.",
                "content": {"application/json": {"schema": _ANSWER}},
            },
            **refusals,
        },
    }  # fmt: skip
