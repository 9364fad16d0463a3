"""Metric families as they are exposed: fresh at each scrape, immutable once handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from exporter.labels import NONE, Labels
from exporter.registry import Group

Type = Literal["gauge", "counter", "summary", "histogram"]
Row = tuple[str, Labels, float]
"""The name of a sample, its labels and its value."""


class Family:
    """A family of samples, and the group that decides when it leaves if there are too many.

    prometheus_client's writers take it too.
    """

    unit = ""

    def __init__(
        self, name: str, documentation: str, type: Type, group: Group | None = "state"
    ) -> None:
        """``name`` is that of the samples; a family without ``group`` never leaves."""
        self.name = name.removesuffix("_total") if type == "counter" else name
        self.documentation = documentation
        self.type = type
        self.group = group
        self.rows: list[Row] = []
        self._sample = name

    @classmethod
    def of(cls, metric: Metric) -> Family:
        """Return the family of a metric of prometheus_client."""
        family = cls(metric.name, metric.documentation, metric.type, None)  # type: ignore[arg-type]
        family.rows = [
            (one.name, Labels.of(one.labels), float(one.value)) for one in metric.samples
        ]
        return family

    @property
    def samples(self) -> list[Sample]:
        """The samples as prometheus_client knows them."""
        return [Sample(name, dict(labels.pairs), value) for name, labels, value in self.rows]

    def add(self, labels: Labels | Mapping[str, str], value: float) -> None:
        """Add one sample."""
        self.rows.append((self._sample, _labels(labels), float(value)))

    def add_histogram(
        self,
        labels: Labels | Mapping[str, str],
        edges: Sequence[float],
        counts: Sequence[float],
        total: float,
    ) -> None:
        """Add a histogram: ``counts`` per bin, the last without upper edge; ``total`` their sum."""
        known, name = _labels(labels), f"{self.name}_bucket"
        seen = 0.0
        for edge, count in zip((*edges, float("inf")), counts, strict=True):
            seen += float(count)
            self.rows.append((name, known.and_(("le", number(edge))), seen))
        self.rows.append((f"{self.name}_count", known, seen))
        self.rows.append((f"{self.name}_sum", known, float(total)))


def number(value: float) -> str:
    """Return a number as Prometheus' own libraries write it."""
    # From 1e6 on Go writes exponents; below, it writes what Python does.
    return repr(value) if -1e6 < value < 1e6 else str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _labels(labels: Labels | Mapping[str, str]) -> Labels:
    if isinstance(labels, Labels):
        return labels
    return Labels.of(labels) if labels else NONE
