"""Counters over a model's life: what PromQL can window and sum over replicas by itself."""

from __future__ import annotations

from exporter.registry import CLASSIFIERS, REGRESSION, total
from exporter.window import Window


@total("model_predictions_total", "Predictions counted.")
def predictions(life: Window) -> float:
    """Return the count of predictions."""
    return life.predictions


@total("model_labels_total", "Labels that joined their prediction.")
def labels(life: Window) -> float:
    """Return the count of joined labels."""
    return life.labels


@total(
    "model_predicted_class_total",
    "Predictions by predicted class.",
    tasks=CLASSIFIERS,
    labels=("predicted",),
)
def predicted_class(life: Window) -> dict[str, float] | None:
    """Return the count of each known class."""
    counts = life.get("predicted")
    if counts is None:
        return None
    return dict(zip(life.schema.classes, counts.tolist(), strict=True))


@total(
    "model_confusion_total",
    "Joined labels by true and by predicted class.",
    tasks=CLASSIFIERS,
    labels=("actual", "predicted"),
    group="confusion",  # a hundred classes are ten thousand cells
)
def confusion(life: Window) -> dict[tuple[str, str], float] | None:
    """Return every cell of the known classes."""
    return cells(life)


def cells(window: Window) -> dict[tuple[str, str], float] | None:
    """Return (true class, predicted class) to count, ``None`` before a class is known."""
    counts = window.get("confusion")
    if counts is None:
        return None
    names = window.schema.classes
    return {
        (actual, predicted): count
        for actual, row in zip(names, counts.tolist(), strict=True)
        for predicted, count in zip(names, row, strict=True)
    }


@total(
    "model_absolute_error_total",
    "Sum of the absolute differences of prediction and label.",
    tasks=REGRESSION,
)
def absolute_error(life: Window) -> float:
    """Return the sum, in units of the label."""
    return float(life["error_totals"][0])


@total(
    "model_squared_error_total",
    "Sum of the squared differences of prediction and label.",
    tasks=REGRESSION,
)
def squared_error(life: Window) -> float:
    """Return the sum, in squared units of the label."""
    return float(life["error_totals"][1])


@total(
    "model_feature_values_total",
    "Predictions that came with features, by feature; missing values included.",
    labels=("feature",),
)
def feature_values(life: Window) -> dict[str, float] | None:
    """Return the count of each known feature."""
    return _features(life, 0)


@total(
    "model_feature_missing_total",
    "Predictions that came with features but without this one, or with null or NaN for it.",
    labels=("feature",),
)
def feature_missing(life: Window) -> dict[str, float] | None:
    """Return the count of each known feature."""
    return _features(life, 1)


def _features(life: Window, column: int) -> dict[str, float] | None:
    counts = life.get("features")
    if counts is None:
        return None
    return dict(zip(life.schema.features, counts[:, column].tolist(), strict=True))
