"""What models and references are shown as, in OpenAPI's words."""

from __future__ import annotations

from typing import Any, Final

from exporter.web.schemas import REJECTION


def _object(**properties: Any) -> dict[str, Any]:
    """An object that has all of these."""
    return {"type": "object", "required": list(properties), "properties": properties}


def _or_null(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


_STRINGS: Final = {"type": "array", "items": {"type": "string"}}
_COUNT: Final = {"type": "integer", "minimum": 0}
_NUMBER: Final = {"type": "number"}
_TEXT: Final = {"type": "string"}
_TRUTH: Final = {"type": "boolean"}


def _each(schema: dict[str, Any], description: str = "") -> dict[str, Any]:
    """An object with any names, whose values are all alike."""
    told = {"description": description} if description else {}
    return {"type": "object", **told, "additionalProperties": schema}


def _list(description: str, **properties: Any) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": _object(**properties)}


_WINDOW: Final = _object(
    span_seconds={"type": "number", "description": "What it truly spans: at most a pane more."},
    predictions=_COUNT,
    labels=_COUNT,
    values={"type": "object", "description": "Each metric's value, by its name without `model_`."},
    features=_each(
        _object(events=_COUNT, missing=_COUNT, outside=_COUNT, unseen=_COUNT, other_type=_COUNT),
        "Events with each feature that the reference tells about.",
    ),
    bounds=_each(_object(lower=_NUMBER, upper=_NUMBER), "95 % intervals, by metric."),
    decisions=_list(
        "For each limit: what was decided, and the numbers it rests on.",
        metric=_TEXT,
        bound=_TEXT,
        levels=_STRINGS,
        limit=_NUMBER,
        limit_from=_TEXT,
        reference=_or_null("number"),
        reference_bound=_or_null("number"),
        tolerated=_or_null("number"),
        value=_or_null("number"),
        events=_COUNT,
        tail_probability=_or_null("number"),
        alarm_below=_or_null("number"),
        breached=_or_null("boolean"),
    ),
    drift=_list(
        "For each feature, the outputs and the labels: whether they drifted from the reference.",
        of=_TEXT,
        feature=_or_null("string"),
        events=_NUMBER,
        effective_events=_NUMBER,
        bins=_COUNT,
        effect=_NUMBER,
        natural_effect=_or_null("number"),
        alpha=_NUMBER,
        levels=_each(_object(tolerated=_NUMBER, limit=_NUMBER, detected=_TRUTH)),
    ),
    quality=_list(
        "For each feature: whether more is missing or outside than the reference accounts for.",
        feature=_TEXT,
        problem=_TEXT,
        events=_NUMBER,
        affected=_NUMBER,
        share=_NUMBER,
        accountable_share=_NUMBER,
        tail_probability=_NUMBER,
        alarm_below=_NUMBER,
        levels=_STRINGS,
        detected=_TRUTH,
    ),
)
REFERENCE: Final = _object(
    source=_TEXT,
    rows=_COUNT,
    labels=_COUNT,
    covers_seconds=_or_null("number"),
    independent=_TRUTH,
    task=_TEXT,
    classes=_STRINGS,
    positive_class=_or_null("string"),
    features=_each(
        _object(
            kind=_TEXT,
            because=_TEXT,
            values=_COUNT,
            missing=_COUNT,
            distinct=_COUNT,
            min=_or_null("number"),
            max=_or_null("number"),
            bins=_COUNT,
        )
    ),
    variability=_each(
        _object(windows=_COUNT, enough=_TRUTH, effects=_each(_NUMBER), variances=_each(_NUMBER)),
        "What windows of each length differ of their own accord.",
    ),
)
_GATHERED: Final = _object(source=_TEXT, gathered=_COUNT, wanted=_COUNT)
_MODEL: Final = _object(
    model=_TEXT,
    version=_TEXT,
    team=_TEXT,
    task=_or_null("string"),
    classes=_STRINGS,
    positive_class=_or_null("string"),
    threshold=_or_null("number"),
    features=_STRINGS,
    last_prediction_timestamp_seconds=_or_null("number"),
    last_label_timestamp_seconds=_or_null("number"),
    pending=_object(predictions=_COUNT, labels=_COUNT),
    reference={
        "description": "What it is compared with, or how many first events are gathered for that.",
        "anyOf": [REFERENCE, _GATHERED, {"type": "null"}],
    },
    limits={"type": "array", "items": _object(metric=_TEXT)},
    deciding=_object(series=_COUNT, no_critical_because=_or_null("string")),
    windows=_each(_WINDOW),
    anomalies=_each(_object(value=_NUMBER, usual=_NUMBER, score=_NUMBER, detected=_TRUTH)),
)

_QUANTILES: Final = {
    "type": ["object", "null"],
    "description": "By share: 0.5, 0.95 and 1.0, the highest.",
    "additionalProperties": _NUMBER,
}
_SERVER_WINDOW: Final = _object(
    seconds={"type": "number", "description": "For how long of the window there were samples."},
    cpu_usage_cores=_QUANTILES,
    cpu_usage_limit_ratio=_QUANTILES,
    cpu_throttled_seconds=_or_null("number"),
    cpu_throttled_periods_ratio=_or_null("number"),
    memory_usage_bytes=_QUANTILES,
    memory_usage_limit_ratio=_QUANTILES,
    swapped_in_bytes=_or_null("number"),
    swapped_out_bytes=_or_null("number"),
    pressure_ratio=_each(
        _or_null("number"), "Share of the time that tasks waited, such as `memory_some`."
    ),
    oom_kills=_or_null("number"),
    restarts=_NUMBER,
)
_GPU_WINDOW: Final = _object(
    usage_ratio=_QUANTILES,
    throttled_ratio={
        "type": ["object", "null"],
        "description": "Share of the time that each reason held, and `any` of them; none at 0.",
        "additionalProperties": _NUMBER,
    },
)
_ENVIRONMENT: Final = _object(
    findings={
        "type": "array",
        "items": _TEXT,
        "description": "What is out of the ordinary, with the numbers that it rests on.",
    },
    latency_quantile_seconds=_each(
        _each(_each(_NUMBER)), "How long predictions took: version, window, quantile."
    ),
    servers=_list(
        "Each model server beside modelmeter.",
        server=_or_null("string"),
        up=_or_null("boolean"),
        cpu_limit_cores=_or_null("number"),
        memory_limit_bytes=_or_null("number"),
        swap_bytes=_or_null("number"),
        pressure_of={"enum": ["container", "machine"]},
        windows=_each(_SERVER_WINDOW),
    ),
    gpus=_list(
        "Each GPU beside modelmeter, and each instance of a partitioned one.",
        gpu=_TEXT,
        uuid=_TEXT,
        name=_TEXT,
        mig=_or_null("string"),
        up=_or_null("boolean"),
        memory_used_bytes=_or_null("number"),
        memory_total_bytes=_or_null("number"),
        temperature_celsius=_or_null("number"),
        power_watts=_or_null("number"),
        power_limit_watts=_or_null("number"),
        throttled={"type": ["array", "null"], "items": _TEXT, "description": "Reasons, now."},
        windows=_each(_GPU_WINDOW),
    ),
)


def _answers(schema: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"schema": schema}}}}


MODELS_RESPONSE: Final = _answers(_object(models={"type": "array", "items": _MODEL}))
MODEL_RESPONSE: Final = _answers(
    _object(
        model={"type": "string"},
        versions={"type": "array", "items": _MODEL},
        environment=_ENVIRONMENT,
    )
)
PUT_RESPONSE: Final = _answers(
    _object(
        model=_TEXT,
        version=_or_null("string"),
        serves_versions={**_COUNT, "description": "Live versions that are compared with it."},
        rejected={"type": "array", "items": REJECTION},
        rejected_total=_COUNT,
        other_models={**_COUNT, "description": "Events of other models, left out."},
        reference=REFERENCE,
    )
)
SHOWN: Final = _object(model=_TEXT, version=_or_null("string"), reference=REFERENCE)
DELETED_RESPONSE: Final = _answers(_object(deleted={**_COUNT, "description": "How many versions."}))
