"""How much a window holds."""

from __future__ import annotations

from exporter.registry import metric
from exporter.window import Window


@metric(
    "model_window_predictions",
    "Predictions that arrived in the window.",
    group="volume",
    on="predictions",
)
def window_predictions(window: Window) -> float:
    """Return the count of predictions."""
    return window.predictions


@metric("model_window_labels", "Labels that joined their prediction in the window.", group="volume")
def window_labels(window: Window) -> float:
    """Return the count of labels."""
    return window.labels


@metric(
    "model_window_span_seconds",
    "Time that the window really covers, in seconds.",
    group="volume",
)
def window_span(window: Window) -> float:
    """Return the span in seconds."""
    return window.span
