"""A reference as JSON, for people and their tools."""

from __future__ import annotations

from typing import Any

from exporter.config.units import format_duration
from exporter.reference.reference import FEWEST_WINDOWS, FeatureSummary, Reference, Variability


def described(reference: Reference) -> dict[str, Any]:
    """Return what is known of a reference."""
    schema = reference.schema
    bins = {one.name: one.bins for one in schema.bins}
    return {
        "source": reference.source,
        "rows": reference.rows,
        "labels": reference.labels,
        "covers_seconds": reference.covers,
        "independent": reference.independent,
        "task": schema.task,
        "classes": list(schema.classes),
        "positive_class": schema.positive,
        "features": {one.name: _feature(one, bins.get(one.name, 0)) for one in reference.found},
        "variability": {
            format_duration(seconds): _variability(one)
            for seconds, one in sorted(reference.variability.items())
        },
    }


def _feature(one: FeatureSummary, bins: int) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "because": one.chosen,
        "values": one.values,
        "missing": one.missing,
        "distinct": one.distinct,
        "min": one.low,
        "max": one.high,
        "bins": bins,
    }


def _variability(one: Variability) -> dict[str, Any]:
    return {
        "windows": one.windows,
        "enough": one.windows >= FEWEST_WINDOWS,
        "effects": dict(one.effects),
        "variances": dict(one.variances),
    }
