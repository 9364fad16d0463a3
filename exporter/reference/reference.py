"""A reference: a schema, and the summary of its rows under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from exporter.bins import FeatureKind
from exporter.edges import more_class_edges
from exporter.layout import Layout
from exporter.registry import STATISTICS, Floats
from exporter.schema import Schema
from exporter.window import Window

HORIZONS: Final = (300.0, 900.0, 3600.0, 21_600.0, 86_400.0, 604_800.0)
"""Lengths of windows, in seconds, for which natural variability is measured."""
FEWEST_WINDOWS: Final = 5
WEEK: Final = 604_800.0


@dataclass(frozen=True)
class Variability:
    """How far windows of one length differ from the rest of the reference, by nature."""

    windows: int
    """How many windows the reference was cut into; fewer than 5 tell nothing."""
    effects: Mapping[str, float] = field(default_factory=dict)
    """Mean drift effect, by ``feature:<name>``, ``prediction`` or ``label``."""
    variances: Mapping[str, float] = field(default_factory=dict)
    """Variance of a metric between windows beyond its standard error, by the metric's key."""


@dataclass(frozen=True)
class FeatureSummary:
    """What was found of one feature, for people."""

    name: str
    kind: FeatureKind
    chosen: str
    """``configured``, or why this kind was inferred."""
    values: int
    missing: int
    distinct: int
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Reference:
    """What live traffic is compared with."""

    schema: Schema
    vector: Floats
    rows: int
    labels: int
    covers: float | None = None
    """Seconds from the first to the last event; ``None`` without time stamps."""
    independent: bool = False
    """Whether a user vouches that its events are independent of each other."""
    variability: Mapping[float, Variability] = field(default_factory=dict)
    """By the length of the windows, in seconds."""
    source: str = ""
    """Where it came from, for people."""
    found: tuple[FeatureSummary, ...] = ()
    """What was found of each feature."""

    @cached_property
    def kept(self) -> dict[Any, Any]:
        """What was worked out from this reference before, by a name for it."""
        return {}

    def under(self, schema: Schema) -> Window:
        """Return the reference as a window under a live schema that adopted it."""
        layout, live = Layout(self.schema, STATISTICS.values()), Layout(schema, STATISTICS.values())
        return Window(live, layout.reorder(self.vector, live), name="reference")

    def adopted_by(self, schema: Schema | None) -> Schema:
        """Return a live schema that counts in the bins of this reference.

        Live classes keep their codes; those that only the reference knows come after them.
        """
        mine = self.schema
        if schema is None:
            return mine
        merged = schema.with_classes(list(mine.classes)) if schema.classifies else schema
        features = tuple(dict.fromkeys((*merged.features, *mine.features)))
        merged = replace(merged, positive=merged.positive or mine.positive)
        return replace(
            merged,
            features=features,
            center=mine.center,
            label_center=mine.label_center,
            bins=mine.bins,
            outputs=mine.outputs,
            targets=mine.targets,
            score_edges=self._edges_for(merged),
            calibration=self._calibration_for(merged),
        )

    def horizon(self, seconds: float) -> Variability | None:
        """Return the variability for a live window: that of the longest length not above it."""
        lengths = [
            length
            for length, one in self.variability.items()
            if length <= seconds and one.windows >= FEWEST_WINDOWS
        ]
        return self.variability[max(lengths)] if lengths else None

    def _edges_for(self, schema: Schema) -> Floats | None:
        """Return the score edges in the order of a live schema's classes."""
        edges = self.schema.score_edges
        if edges is None or self.schema.task != "multiclass":
            return edges
        unknown = more_class_edges(edges, len(edges) + 1)[-1:]
        return self._placed(edges, unknown, schema)

    def _calibration_for(self, schema: Schema) -> Floats | None:
        """Return the calibration in the order of a live schema's classes.

        It has NaN for those that the reference does not know, and is none of another positive
        class.
        """
        table = self.schema.calibration
        if table is None or schema.positive != self.schema.positive:
            return None
        if self.schema.task != "multiclass":
            return table
        return self._placed(table, np.full((1, table.shape[1]), np.nan), schema)

    def _placed(self, table: Floats, unknown: Floats, schema: Schema) -> Floats:
        """Return a row a class of ``schema``; ``unknown`` for those that are not ours."""
        placed = np.repeat(unknown, len(schema.classes), axis=0)
        for place, name in enumerate(self.schema.classes):
            if name in schema.codes:
                placed[schema.codes[name]] = table[place]
        return placed
