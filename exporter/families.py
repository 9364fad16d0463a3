"""Metric families as they are exposed: fresh at each scrape, immutable once handed over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from exporter.registry import Group

Type = Literal["gauge", "counter", "summary", "histogram", "info"]


class Family(Metric):
    """A family of samples, and the group that decides when it leaves if there are too many."""

    def __init__(self, name: str, documentation: str, type: Type, group: Group = "state") -> None:
        super().__init__(
            name.removesuffix("_total") if type == "counter" else name, documentation, type
        )
        self.group = group
        self._sample = name

    def add(self, labels: Mapping[str, str], value: float) -> None:
        """Add one sample."""
        self.add_sample(self._sample, dict(labels), float(value))

    def add_histogram(
        self,
        labels: Mapping[str, str],
        edges: Sequence[float],
        counts: Sequence[float],
        total: float,
    ) -> None:
        """Add a histogram: ``counts`` per bin, the last without upper edge; ``total`` their sum."""
        seen = 0.0
        for edge, count in zip((*edges, float("inf")), counts, strict=True):
            seen += count
            self.add_sample(f"{self.name}_bucket", {**labels, "le": _le(edge)}, seen)
        self.add_sample(f"{self.name}_count", dict(labels), seen)
        self.add_sample(f"{self.name}_sum", dict(labels), float(total))


def _le(edge: float) -> str:
    return str(floatToGoString(edge))  # type: ignore[no-untyped-call]
