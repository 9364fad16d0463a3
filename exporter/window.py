"""A window: the sum of its panes, and what metrics may ask of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, wraps
from typing import Any, TypeVar

import numpy as np

from exporter.bins import FeatureCounts
from exporter.layout import Layout
from exporter.registry import Floats, Metric
from exporter.schema import Schema

Value = TypeVar("Value")


@dataclass(frozen=True)
class Window:
    """What metric functions see: the summary ``vector`` of a window under ``layout``."""

    layout: Layout
    vector: Floats
    name: str = ""
    span: float = 0.0
    """Seconds that the panes of this window cover."""
    per_class: bool = False
    """Whether metrics per class are wanted for a binary model too."""
    reference: Window | None = None
    """The reference, counted in the same bins, where there is one."""
    kept: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was worked out from this window before, by a name for it."""

    @property
    def schema(self) -> Schema:
        """The schema of the panes."""
        return self.layout.schema

    def get(self, name: str) -> Floats | None:
        """Return the array of statistic ``name``, or ``None`` where it does not apply."""
        return self.layout.view(self.vector, name)

    def __getitem__(self, name: str) -> Floats:
        """Return the array of statistic ``name``; an empty one where it does not apply."""
        array = self.get(name)
        return np.zeros(0) if array is None else array

    def count(self, name: str) -> int:
        """Return a statistic that is one count."""
        array = self.get(name)
        return 0 if array is None else int(array[0])

    def value(self, metric: Metric) -> Any:
        """Return what a metric says of this window; it is asked once."""
        if metric.name not in self.kept:
            self.kept[metric.name] = metric.value(self)
        return self.kept[metric.name]

    @cached_property
    def predictions(self) -> int:
        """How many predictions arrived in the window."""
        return self.count("predictions")

    @cached_property
    def labels(self) -> int:
        """How many labels joined in the window."""
        return self.count("labels")

    @cached_property
    def features(self) -> dict[str, FeatureCounts]:
        """What was counted of each feature that the reference tells about."""
        array = self.get("feature_bins")
        if array is None:
            return {}
        counts = {}
        start = 0
        for bins in self.schema.bins:
            counts[bins.name] = FeatureCounts(bins, array[start : start + bins.size])
            start += bins.size
        return counts


def once(function: Callable[[Window], Value]) -> Callable[[Window], Value]:
    """Let what several metrics ask of a window be worked out once."""
    name = f"{function.__module__}.{function.__qualname__}"

    @wraps(function)
    def known(window: Window) -> Value:
        if name not in window.kept:
            window.kept[name] = function(window)
        value: Value = window.kept[name]
        return value

    return known
