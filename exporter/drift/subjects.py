"""What can drift in a window: each feature, the outputs, and the labels.

Where their counts stand in a window's vector is worked out once for a reference: a decision is then
a few operations on whole arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np

from exporter.bins import SPECIAL, FeatureBins
from exporter.comparison import groups, output_statistic
from exporter.drift.effect import Codes, Floats, Runs
from exporter.window import Window

Kind = Literal["feature", "prediction", "label"]
_LOW: Final = (0.00625, 0.0125, 0.025, 0.05, 0.1, 0.25)
ENDS: Final = np.array([*_LOW, 0.5, *(1 - np.array(_LOW[::-1]))])
"""Shares of the reference at which the groups end that numbers are compared in.

They are coarse in the middle and fine towards both ends: a shift changes the ends most, and more
groups in the middle would only dilute it.
"""
HEAVY: Final = 0.1
"""A bin of more than this share is a group of its own: one value of few."""


@dataclass(frozen=True)
class Subject:
    """Something that is compared with the reference; ``name`` is that of a feature."""

    kind: Kind
    name: str
    places: Codes
    """Places in a window's vector."""
    group: Codes
    """The group that each place belongs to, from 0."""
    ordered: bool

    @cached_property
    def key(self) -> str:
        """The name that natural variability is kept under."""
        return key_of(self.kind, self.name)

    @cached_property
    def size(self) -> int:
        """How many groups there are."""
        return int(self.group.max(initial=-1)) + 1


@dataclass(frozen=True)
class Subjects:
    """All subjects of a reference."""

    every: Sequence[Subject]
    reference: Floats
    """The reference's counts, group by group."""
    runs: Runs
    _places: Codes
    _groups: Codes

    def repeated(self, times: int) -> tuple[Floats, Runs]:
        """Return the reference's counts and runs so many times over, for as many windows."""
        if times not in self._repeated:
            runs = Runs.of(self.runs.sizes.tolist() * times, list(self.runs.ordered) * times)
            self._repeated[times] = np.tile(self.reference, times), runs
        return self._repeated[times]

    @cached_property
    def _repeated(self) -> dict[int, tuple[Floats, Runs]]:
        return {}

    def counts(self, window: Window) -> Floats:
        """Return a window's counts, group by group."""
        return _gather(window.vector, self._places, self._groups, len(self.reference))


def key_of(kind: Kind, name: str = "") -> str:
    """Return the name that natural variability is kept under."""
    return f"feature:{name}" if kind == "feature" else kind


def subjects(reference: Window) -> Subjects | None:
    """Return what windows can be compared in with their reference; ``None`` if there is nothing."""
    if "subjects" not in reference.kept:
        reference.kept["subjects"] = _subjects(reference)
    found: Subjects | None = reference.kept["subjects"]
    return found


def _subjects(reference: Window) -> Subjects | None:
    every = [one for one in _found(reference) if reference.vector[one.places].any()]
    if not every:
        return None
    runs = Runs.of([one.size for one in every], [one.ordered for one in every])
    places = np.concatenate([one.places for one in every])
    of = np.concatenate([one.group + start for one, start in zip(every, runs.starts, strict=True)])
    size = int(runs.sizes.sum())
    known = _gather(reference.vector, places, of, size)
    return Subjects(every, known, runs, places, of)


def _gather(vector: Floats, places: Codes, of: Codes, size: int) -> Floats:
    return np.asarray(np.bincount(of, vector[places], size), np.float64)


def _found(reference: Window) -> Iterator[Subject]:
    start = _start(reference, "feature_bins")
    for bins in reference.schema.bins:
        # Missing, unseen and outside have a decision of their own.
        if bins.kind != "identifier":
            yield _in_bins(reference, "feature", bins, start, outside=False)
        start += bins.size
    schema, name = reference.schema, output_statistic(reference)
    if schema.outputs is not None:
        yield _in_bins(reference, "prediction", schema.outputs, _start(reference, name))
    elif reference[name].any():
        yield _of_classes(reference, name)
    if schema.targets is not None:
        yield _in_bins(reference, "label", schema.targets, _start(reference, "target_bins"))
    elif reference["confusion"].any():
        actual = np.repeat(np.arange(len(schema.classes)), len(schema.classes))
        yield Subject("label", "", _all(reference, "confusion"), actual, False)


def _of_classes(reference: Window, name: str) -> Subject:
    """Return the outputs as predicted classes, or as scores whatever the class."""
    places = _all(reference, name)
    if name == "predicted":
        return Subject("prediction", "", places, np.arange(len(places)), ordered=False)
    scores = reference[name]
    groups_of = np.tile(_grouped(scores.sum(axis=0)), len(scores))
    return Subject("prediction", "", places, groups_of, ordered=True)


def _in_bins(
    reference: Window, kind: Kind, bins: FeatureBins, start: int, *, outside: bool = True
) -> Subject:
    """Return a subject that is counted as a feature is, with or without what is ``outside``."""
    ordered = bins.kind == "numeric"
    places = np.arange(start + SPECIAL, start + SPECIAL + bins.bins)
    if ordered and not outside:
        places = places[1:-1]
    group = _grouped(reference.vector[places]) if ordered else np.arange(len(places))
    return Subject(kind, bins.name if kind == "feature" else "", places, group, ordered)


def _grouped(counts: Floats) -> Codes:
    """Return the group of each of many ordered bins; those of an empty reference are one."""
    found = np.zeros(len(counts), np.int64)
    if counts.any():
        found[group_starts(counts)[1:]] = 1
    return np.cumsum(found)


def group_starts(counts: Floats) -> Codes:
    """Return where each group of ordered bins begins, from a reference's counts (not all 0)."""
    shares = np.cumsum(counts) / counts.sum()
    heavy = np.flatnonzero(counts > HEAVY * counts.sum())
    # Before the first bin comes the last one's share, 1: an end that changes nothing.
    around = np.concatenate([shares[heavy], shares[heavy - 1]])
    return groups(counts, np.union1d(ENDS, around))


def _start(window: Window, statistic: str) -> int:
    place = window.layout.places.get(statistic)
    return 0 if place is None else place[0].start


def _all(window: Window, statistic: str) -> Codes:
    place = window.layout.places[statistic][0]
    return np.arange(place.start, place.stop)
