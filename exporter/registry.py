"""What is counted and what is shown: plug-ins that register here when their folder is read.

A *statistic* adds: it folds rows into a fixed-size array of a pane. A *metric* is a pure function
of a window, a *total* one of everything since the start. Each stands in one file of
``exporter/statistics``, ``exporter/metrics`` or ``exporter/drift``; :func:`discover` imports those
folders.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from exporter.events import TASKS, Task
from exporter.schema import Schema

if TYPE_CHECKING:
    from exporter.window import Window

Floats = NDArray[np.float64]
Shape = tuple[int, ...]
Carry = Callable[[Floats, Schema, Schema, Shape], Floats | None]
Kind = Literal["predictions", "labels"]

CLASSIFIERS: Final[tuple[Task, ...]] = ("binary", "multiclass")
REGRESSION: Final[tuple[Task, ...]] = ("regression",)
BINARY: Final[tuple[Task, ...]] = ("binary",)
MULTICLASS: Final[tuple[Task, ...]] = ("multiclass",)

Group = Literal[
    "distance", "class", "confusion", "histogram", "quantile", "output", "bound", "quality",
    "volume", "state", "decision", "total",
]  # fmt: skip
DROP_ORDER: Final[tuple[Group, ...]] = (
    "distance", "class", "confusion", "histogram", "quantile", "output", "bound", "quality",
    "volume", "state", "decision", "total",
)  # fmt: skip
"""Families leave in this order when there are more series than ``max_series``."""


@dataclass(frozen=True)
class Statistic:
    """One array of a summary."""

    name: str
    rows: Kind
    shape: Callable[[Schema], Shape | None]
    fold: Callable[[Floats, Any, Schema], None]
    carry: Carry
    lifetime: bool
    class_axes: tuple[int, ...] = ()
    source: str = ""
    """The statistic that this one is derived from, instead of from rows."""
    reals: slice | None = None
    """The places of a lifetime statistic that are sums of real numbers; the others are counts."""
    given: Callable[[Any, Schema], Any] | None = None
    """What is worked out of the rows once, for all statistics that are made from it."""


@dataclass(frozen=True)
class Metric:
    """One family of gauges over windows."""

    name: str
    help: str
    tasks: tuple[Task, ...]
    labels: tuple[str, ...]
    group: Group
    on: Kind
    summary: bool
    value: Callable[[Window], Any]
    drift: bool = False
    """Whether it is shown only in the windows that are compared with a reference."""
    distance: str | None = None
    """The name by which ``drift.distances`` asks for it."""

    @property
    def key(self) -> str:
        """The name that limits and bounds use: without ``model_``."""
        return self.name.removeprefix("model_")


@dataclass(frozen=True)
class Total:
    """One family of counters (or one histogram, when it has ``edges``) over a model's life."""

    name: str
    help: str
    tasks: tuple[Task, ...]
    labels: tuple[str, ...]
    group: Group
    edges: tuple[float, ...] | None
    value: Callable[[Window], Any]


STATISTICS: dict[str, Statistic] = {}
METRICS: dict[str, Metric] = {}
TOTALS: dict[str, Total] = {}

Function = TypeVar("Function", bound=Callable[..., Any])


def same(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats | None:
    """Carry an array over as it is, or drop it when its shape changed."""
    return array if array.shape == shape else None


def padded(array: Floats, before: Schema, after: Schema, shape: Shape) -> Floats | None:
    """Carry an array over to more classes or features: codes never change, new ones are 0."""
    if len(array.shape) != len(shape) or any(
        a > b for a, b in zip(array.shape, shape, strict=True)
    ):
        return None
    wider = np.zeros(shape)
    wider[tuple(slice(size) for size in array.shape)] = array
    return wider


def statistic(
    name: str,
    *,
    rows: Kind,
    shape: Callable[[Schema], Shape | None],
    carry: Carry = same,
    lifetime: bool = False,
    class_axes: tuple[int, ...] = (),
    source: str = "",
    reals: slice | None = None,
    given: Callable[[Any, Schema], Any] | None = None,
) -> Callable[[Function], Function]:
    """Register ``fold(out, rows, schema)``, which adds ``rows`` to the zeroed array ``out``.

    ``shape(schema)`` is ``None`` where the statistic does not apply; ``carry`` says what becomes
    of a finished array when the schema changes; ``lifetime`` statistics are also kept as totals,
    and must not depend on edges or centres. ``class_axes`` are the axes that stand for classes.
    With a ``source``, ``fold(out, counted, schema)`` takes what that statistic counted, and must be
    linear in it: what was looked at once need not be looked at twice. With ``given(rows, schema)``
    it takes what that returns in place of the rows: once a batch for all statistics that name it.
    ``reals`` are the places of a lifetime statistic that are sums of real numbers, not counts: the
    order of adding shows in them.
    """

    def register(fold: Function) -> Function:
        STATISTICS[name] = Statistic(
            name, rows, shape, fold, carry, lifetime, class_axes, source, reals, given
        )
        return fold

    return register


def metric(
    name: str,
    help: str,
    *,
    tasks: tuple[Task, ...] = TASKS,
    labels: tuple[str, ...] = (),
    group: Group = "quality",
    on: Kind = "labels",
    summary: bool = False,
    drift: bool = False,
    distance: str | None = None,
) -> Callable[[Function], Function]:
    """Register ``value(window)``: a window's value, or ``None`` where it is undefined.

    It returns an :mod:`exporter.estimates` object or a number; with ``labels``, a mapping from the
    label's value (or a tuple of them) to a number. Metrics ``on`` labels are shown for count
    windows too; those of ``drift`` only in the windows of ``drift.windows``, and those with a
    ``distance`` if it is one of ``drift.distances``.
    """

    def register(value: Function) -> Function:
        METRICS[name] = Metric(
            name, help, tasks, labels, group, on, summary, value, drift, distance
        )
        return value

    return register


def total(
    name: str,
    help: str,
    *,
    tasks: tuple[Task, ...] = TASKS,
    labels: tuple[str, ...] = (),
    group: Group = "total",
    edges: tuple[float, ...] | None = None,
) -> Callable[[Function], Function]:
    """Register ``value(life)``: a counter's value over a model's whole life.

    With ``labels`` it returns a mapping, as metrics do; with ``edges`` (upper bounds without +Inf)
    the counts per bin, +Inf last, and the sum of the values. ``None`` has no series.
    """

    def register(value: Function) -> Function:
        TOTALS[name] = Total(name, help, tasks, labels, group, edges, value)
        return value

    return register


def discover() -> None:
    """Import every file of the plug-in folders, so that what they hold is registered."""
    for package in ("exporter.statistics", "exporter.metrics", "exporter.drift"):
        folder = importlib.import_module(package)
        for module in sorted(info.name for info in pkgutil.iter_modules(folder.__path__)):
            importlib.import_module(f"{package}.{module}")


def distances() -> tuple[str, ...]:
    """Return the names by which ``drift.distances`` asks for the distances there are."""
    return tuple(dict.fromkeys(one.distance for one in METRICS.values() if one.distance))


def label_values(key: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return a mapping's key as a tuple of label values."""
    return (key,) if isinstance(key, str) else key


Values = Mapping[str | tuple[str, ...], float]
