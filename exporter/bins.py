"""How the values of one feature are counted: edges or categories, taken from a reference.

A numeric feature has edges at quantiles of the reference; the first and the last bin lie outside
its [.05 %, 99.95 %]. A categorical one has the reference's most frequent categories. What is
missing, never seen, or of another type is counted beside the bins.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
FeatureKind = Literal["numeric", "categorical", "identifier"]

MAX_CATEGORIES: Final = 50
MISSING: Final = 0
UNSEEN: Final = 1
MISTYPED: Final = 2
SPECIAL: Final = 3
"""Places before the bins: missing, a category never seen, a value of another type."""


@dataclass(frozen=True)
class FeatureBins:
    """One feature's bins.

    An identifier (more than half of its values distinct) has one for all of its values: only
    missing is watched.
    """

    name: str
    kind: FeatureKind
    edges: Floats = field(default_factory=lambda: np.zeros(0), compare=False, repr=False)
    """Numeric: inner edges, ascending; ``edges[0]`` and below ``edges[-1]`` is the usual range."""
    categories: tuple[str, ...] = ()
    """Categorical: the names that have bins, most frequent first."""
    rest: bool = False
    """Categorical: whether the reference had more categories; then others are no surprise."""
    scale: float = field(default=0.0, compare=False)
    """Numeric: standard deviation of the reference, the unit of the Wasserstein distance."""

    def dump(self) -> dict[str, Any]:
        """Return everything as plain objects and arrays."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> FeatureBins:
        """Return what was dumped."""
        return cls(**{**dumped, "categories": tuple(dumped["categories"])})

    @property
    def bins(self) -> int:
        """How many bins there are."""
        if self.kind == "numeric":
            return len(self.edges) + 1
        return len(self.categories) + self.rest if self.kind == "categorical" else 1

    @property
    def size(self) -> int:
        """How many places a summary needs: special ones, bins, and sums of numbers a bin."""
        return SPECIAL + self.bins * (2 if self.kind == "numeric" else 1)

    @cached_property
    def codes(self) -> Mapping[str, int]:
        """Category to bin."""
        return {name: code for code, name in enumerate(self.categories)}

    @cached_property
    def fingerprint(self) -> str:
        """Names the bins: counts of other fingerprints never combine."""
        parts = repr((self.name, self.kind, self.categories, self.rest)).encode()
        return hashlib.sha256(parts + self.edges.tobytes()).hexdigest()[:16]


@dataclass(frozen=True)
class FeatureCounts:
    """What was counted of one feature in a window or in a reference."""

    bins: FeatureBins
    array: Floats

    @property
    def missing(self) -> float:
        """Events without a value."""
        return float(self.array[MISSING])

    @property
    def counts(self) -> Floats:
        """Events a bin; of a numeric feature without the two bins outside the usual range."""
        inside = self.all_counts
        return inside[1:-1] if self.bins.kind == "numeric" else inside

    @property
    def all_counts(self) -> Floats:
        """Events a bin, those outside the usual range included."""
        return self.array[SPECIAL : SPECIAL + self.bins.bins]

    @property
    def sums(self) -> Floats:
        """Sum of the values a bin, of a numeric feature."""
        return self.array[SPECIAL + self.bins.bins :]

    @property
    def outside(self) -> float:
        """Events outside the usual range, of an unseen category, or of another type."""
        strange = float(self.array[UNSEEN] + self.array[MISTYPED])
        if self.bins.kind == "numeric":
            strange += float(self.all_counts[0] + self.all_counts[-1])
        return strange

    @property
    def unseen(self) -> float:
        """Events of a category that the reference does not have."""
        return float(self.array[UNSEEN])

    @property
    def mistyped(self) -> float:
        """Events whose value is of another type than the reference's."""
        return float(self.array[MISTYPED])

    @property
    def total(self) -> float:
        """All events that came with features."""
        return float(self.array[: SPECIAL + self.bins.bins].sum())
