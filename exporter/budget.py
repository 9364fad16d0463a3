"""How many critical decisions a model takes: they share its budget of false alarms."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.config import WindowSpec
from exporter.config.settings import DriftSettings
from exporter.schema import Schema
from exporter.showing import drifts

PROBLEMS = 2
"""Missing and outside."""


def series(
    schema: Schema,
    windows: Sequence[WindowSpec],
    settings: DriftSettings,
    *,
    limits: int,
    compared: bool,
    versions: int,
) -> int:
    """Return the decision series of a model with ``versions`` like this one.

    ``limits`` are those of metrics, in every window; ``compared`` says whether there is a
    reference. Everything that could be decided counts, whether or not it can be now.
    """
    one = limits * len(windows)
    if compared:
        watched = sum(1 if bins.kind == "identifier" else 1 + PROBLEMS for bins in schema.bins)
        outputs_and_labels = 2
        one += (watched + outputs_and_labels) * sum(drifts(spec, settings) for spec in windows)
    return one * versions
