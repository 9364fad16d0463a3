"""Where each statistic stands in a summary: one flat vector, so that summaries add in one step.

``fold(A + B) = fold(A) + fold(B)``; the zero vector is the identity; adding commutes. Statistics
that are kept for life come first, so that totals are the head of the vector.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporter.registry import Floats, Shape, Statistic
from exporter.rows import Labels, Predictions
from exporter.schema import Schema

Places = NDArray[np.uint16] | NDArray[np.int32]
Sparse = tuple[Places, Floats]
"""The places that are not 0, and their values. Places are of two bytes where that is enough."""
ROOM: Final = 32
"""Of a sparse summary: so many places more at a time."""
SHORT: Final = 2**16
"""So many places have numbers of two bytes."""


class Layout:
    """The places of ``statistics`` under ``schema``; those that do not apply have none."""

    def __init__(self, schema: Schema, statistics: Iterable[Statistic]) -> None:
        self.schema = schema
        ordered = sorted(statistics, key=lambda one: (not one.lifetime, one.name))
        self.statistics: list[Statistic] = []
        self.places: dict[str, tuple[slice, Shape]] = {}
        self.size = self.lifetime_size = 0
        for one in ordered:
            shape = one.shape(schema)
            if shape is None:
                continue
            end = self.size + math.prod(shape)
            self.statistics.append(one)
            self.places[one.name] = (slice(self.size, end), shape)
            self.size = end
            if one.lifetime:
                self.lifetime_size = end

    def zero(self) -> Floats:
        """Return the summary of nothing."""
        return np.zeros(self.size)

    def view(self, vector: Floats, name: str) -> Floats | None:
        """Return the array of statistic ``name`` inside ``vector``, or ``None`` if it has none."""
        place = self.places.get(name)
        if place is None or place[0].stop > len(vector):
            return None
        return vector[place[0]].reshape(place[1])

    def fold(self, predictions: Predictions | None, labels: Labels | None) -> Floats:
        """Return the summary of the rows."""
        vector = self.zero()
        rows: dict[str, Any] = {"predictions": predictions, "labels": labels}
        derived = []
        prepared: dict[Any, Any] = {}
        for one in self.statistics:
            batch = rows[one.rows]
            if batch is None or not batch.size:
                continue
            if one.source:
                derived.append(one)
                continue
            where, shape = self.places[one.name]
            told = self._told(one, batch, prepared)
            one.fold(vector[where].reshape(shape), told, self.schema)
        for one in derived:
            source, target = self.view(vector, one.source), self.view(vector, one.name)
            if source is not None and target is not None:
                one.fold(target, source, self.schema)
        return vector

    def _told(self, one: Statistic, batch: Any, prepared: dict[Any, Any]) -> Any:
        """Return what a statistic takes: the rows, or what is worked out of them once a batch."""
        if one.given is None:
            return batch
        key = (one.given, one.rows)
        if key not in prepared:
            prepared[key] = one.given(batch, self.schema)
        return prepared[key]

    def carry(self, vector: Floats, after: Layout) -> Floats:
        """Return ``vector`` in the layout ``after``; what cannot be carried over is 0."""
        carried = np.zeros(after.lifetime_size if len(vector) == self.lifetime_size else after.size)
        for one in after.statistics:
            source = self.view(vector, one.name)
            target = after.view(carried, one.name)
            if source is None or target is None:
                continue
            moved = one.carry(source, self.schema, after.schema, target.shape)
            if moved is not None:
                target[...] = moved
        return carried

    def dump(self) -> dict[str, Any]:
        """Return the schema, and which statistic has which shape."""
        shapes = [(one.name, list(self.places[one.name][1])) for one in self.statistics]
        return {"schema": self.schema.dump(), "shapes": shapes}

    @classmethod
    def load(
        cls, dumped: Mapping[str, Any], statistics: Iterable[Statistic]
    ) -> tuple[Layout, Moves]:
        """Return a layout of the schema that was dumped, and how to move summaries into it.

        Another release may count more, or less: what is not counted any more is dropped.
        """
        layout = cls(Schema.load(dumped["schema"]), statistics)
        there = np.full(sum(math.prod(shape) for _, shape in dumped["shapes"]), -1, np.int64)
        start = 0
        for name, shape in dumped["shapes"]:
            end = start + math.prod(shape)
            place = layout.places.get(name)
            if place is not None and place[1] == tuple(shape):
                there[start:end] = np.arange(place[0].start, place[0].stop)
            start = end
        return layout, Moves(layout, there)

    def higher(self, life: Floats, by: float) -> Floats:
        """Return lifetime sums with those of real numbers ``by`` so much higher; counts stay."""
        raised = life.copy()
        for one in self.statistics:
            place = self.view(raised, one.name)
            if one.reals is not None and place is not None:
                place[one.reals] *= 1 + by
        return raised

    def reorder(self, vector: Floats, after: Layout) -> Floats:
        """Return ``vector`` in a layout of the same bins, with more classes or in another order."""
        places = [after.schema.codes.get(name, 0) for name in self.schema.classes]
        moved = after.zero()
        for one in after.statistics:
            source, target = self.view(vector, one.name), after.view(moved, one.name)
            if source is None or target is None or source.ndim != target.ndim:
                continue
            axes = [
                places[: source.shape[axis]]
                if axis in one.class_axes
                else range(source.shape[axis])
                for axis in range(source.ndim)
            ]
            if all(
                max(axis, default=0) < size for axis, size in zip(axes, target.shape, strict=True)
            ):
                target[np.ix_(*axes)] = source
        return moved

    @cached_property
    def empty(self) -> Sparse:
        """The sparse form of the summary of nothing."""
        return sparse(self.zero())


class Moves(NamedTuple):
    """How summaries that were dumped come into a layout."""

    layout: Layout
    there: NDArray[np.int64]
    """Where each place of theirs is now; -1 is nowhere."""

    def dense(self, vector: Floats) -> Floats:
        """Return a summary, or the lifetime part of one."""
        kept = np.flatnonzero(self.there[: len(vector)] >= 0)
        moved = self.layout.zero()
        moved[self.there[kept]] = vector[kept]
        return moved

    def sparse(self, where: Places, values: Floats) -> Sparse:
        """Return a sparse summary."""
        there = self.there[where]
        kept = there >= 0
        return there[kept].astype(np.int32), values[kept]


def sparse(vector: Floats) -> Sparse:
    """Return the sparse form of ``vector``; most of a pane is empty bins.

    Its length is a multiple of :data:`ROOM`, filled up with zeros at place 0, which add nothing:
    where panes come and go by the second, the memory of one fits the next.
    """
    found = np.flatnonzero(vector)
    room = -(-len(found) // ROOM) * ROOM
    short = len(vector) <= SHORT
    where: Places = np.zeros(room, np.uint16) if short else np.zeros(room, np.int32)
    values = np.zeros(room)
    where[: len(found)] = found
    values[: len(found)] = vector[found]
    return where, values


def total(parts: Iterable[Sparse], size: int) -> Floats:
    """Return the sum of sparse vectors, dense."""
    pairs = list(parts)
    if not pairs:
        return np.zeros(size)
    where = np.concatenate([pair[0] for pair in pairs])
    values = np.concatenate([pair[1] for pair in pairs])
    return np.bincount(where, weights=values, minlength=size).astype(np.float64, copy=False)
