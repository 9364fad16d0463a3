"""The quality of a model's inputs: what is missing, and what its reference does not know."""

from __future__ import annotations

from exporter.bins import FeatureKind
from exporter.registry import metric, total
from exporter.window import Window


@total(
    "model_feature_outside_total",
    "Values outside the reference's range or of another type, by numeric feature.",
    labels=("feature",),
)
def feature_outside(life: Window) -> dict[str, float] | None:
    """Return the count of each numeric feature that a reference tells about."""
    return _faults(life, "numeric")


@total(
    "model_feature_unseen_total",
    "Values that are no category of the reference, by categorical feature.",
    labels=("feature",),
)
def feature_unseen(life: Window) -> dict[str, float] | None:
    """Return the count of each categorical feature that a reference tells about."""
    return _faults(life, "categorical")


def _faults(life: Window, kind: FeatureKind) -> dict[str, float] | None:
    counts = life.get("feature_faults")
    if counts is None:
        return None
    pairs = zip(life.schema.bins, counts.tolist(), strict=True)
    return {bins.name: count for bins, count in pairs if bins.kind == kind}


@metric(
    "model_feature_missing_ratio",
    "Share of the predictions with features that lacked this one.",
    labels=("feature",),
    group="output",
    on="predictions",
    drift=True,
)
def feature_missing_ratio(window: Window) -> dict[str, float] | None:
    """Return feature to share, with or without a reference."""
    counts = window.get("features")
    if counts is None:
        return None
    pairs = zip(window.schema.features, counts.tolist(), strict=True)
    return {name: missing / events for name, (events, missing) in pairs if events}


@metric(
    "model_feature_outside_ratio",
    "Share of the predictions with features whose value the reference does not know.",
    labels=("feature",),
    group="output",
    on="predictions",
    drift=True,
)
def feature_outside_ratio(window: Window) -> dict[str, float] | None:
    """Return feature to share: outside the usual range, an unseen category, or another type."""
    return {
        name: one.outside / one.total
        for name, one in window.features.items()
        if one.total and one.bins.kind != "identifier"
    } or None


@metric(
    "model_monitored_features",
    "Features that the reference tells about.",
    group="volume",
    on="predictions",
    drift=True,
)
def monitored_features(window: Window) -> float | None:
    """Return how many there are, ``None`` without a reference."""
    return None if window.reference is None else len(window.schema.bins)
