"""What is compared: one feature, the outputs or the labels of a window with those of its reference.

Both sides are counts in the same bins, so that every distance is a function of a few arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from exporter.bins import MISSING, SPECIAL, FeatureBins, FeatureCounts
from exporter.registry import Floats
from exporter.window import Window


@dataclass(frozen=True)
class Side:
    """What was counted on one side."""

    counts: Floats
    """Events a bin, those below and above the usual range included."""
    missing: float = 0.0
    strange: float = 0.0
    """Events in no bin: an unseen category, or a value of another type."""
    sums: Floats | None = None
    """Sum of the values a bin, of numbers."""

    @property
    def events(self) -> float:
        """Events that were counted."""
        return float(self.counts.sum()) + self.missing + self.strange


@dataclass(frozen=True)
class Comparison:
    """A window and its reference, counted in the same bins; both have events."""

    reference: Side
    live: Side
    ordered: bool
    """Whether the bins have an order: numbers, not categories."""
    tails: bool = False
    """Whether the first and the last bin lie outside the reference's usual range."""
    edges: Floats | None = None
    """Inner edges of the bins, of numbers with sums."""
    scale: float = 0.0
    """Standard deviation of the reference, of numbers with sums."""


def features(window: Window) -> dict[str, Comparison]:
    """Return each feature that can be compared."""
    if window.reference is None:
        return {}
    known = window.reference.features
    pairs = {
        name: _numbers_or_categories(known[name], live)
        for name, live in window.features.items()
        if live.bins.kind != "identifier" and name in known
    }
    return {name: one for name, one in pairs.items() if one is not None}


def outputs(window: Window) -> Comparison | None:
    """Return the outputs: scores if the reference has them, else classes or numbers."""
    reference = window.reference
    if reference is None:
        return None
    name = output_statistic(reference)
    if name == "output_bins":
        return _values(window, reference, name, window.schema.outputs)
    known, live = reference.get(name), window.get(name)
    if name == "predicted" or known is None or live is None:
        return _classes(known, live)
    return _compared(Side(known.sum(axis=0)), Side(live.sum(axis=0)))


def output_statistic(reference: Window) -> str:
    """Return the statistic that outputs are compared by."""
    if reference.schema.task == "regression":
        return "output_bins"
    scores = reference.get("predicted_score_bins")
    return "predicted_score_bins" if scores is not None and scores.any() else "predicted"


def targets(window: Window) -> Comparison | None:
    """Return the labels: classes or numbers."""
    reference = window.reference
    if reference is None:
        return None
    if window.schema.task == "regression":
        return _values(window, reference, "target_bins", window.schema.targets)
    cells = [one.get("confusion") for one in (reference, window)]
    if cells[0] is None or cells[1] is None:
        return None
    return _classes(cells[0].sum(axis=1), cells[1].sum(axis=1))


def groups(reference: Floats, ends: Floats) -> NDArray[np.int64]:
    """Return where to begin each group of neighbouring bins, for ``np.add.reduceat``.

    The groups end at about those ``ends``, ascending shares inside (0, 1), of the ``reference``,
    which must not be empty; a bin is not split.
    """
    below = np.cumsum(reference)
    wanted = below[-1] * ends
    above = np.clip(below.searchsorted(wanted), 1, len(below) - 1)
    nearer = wanted - below[above - 1] < below[above] - wanted
    reached = np.unique(below[np.where(nearer, above - 1, above)])
    reached = reached[(reached > 0) & (reached < below[-1])]
    return np.concatenate(([0], below.searchsorted(reached) + 1))


def even(count: int) -> Floats:
    """Return where ``count`` groups of the same share end."""
    return np.arange(1, count) / count


def merged(both: Comparison, most: int) -> tuple[Floats, Floats]:
    """Return both sides' counts in few bins, then what is outside them, then what is missing.

    Numbers are merged to at most ``most`` groups of about equal share; categories stay.
    """
    sides = both.reference, both.live
    inside = [side.counts[1:-1] if both.tails else side.counts for side in sides]
    outside = [
        side.strange + (float(side.counts[0] + side.counts[-1]) if both.tails else 0.0)
        for side in sides
    ]
    if both.ordered and inside[0].any():
        starts = groups(inside[0], even(most))
        inside = [np.add.reduceat(counts, starts) for counts in inside]
    first, second = (
        np.concatenate((counts, (beyond, side.missing)))
        for counts, beyond, side in zip(inside, outside, sides, strict=True)
    )
    return first, second


def _compared(reference: Side, live: Side, ordered: bool = True) -> Comparison | None:
    if not reference.events or not live.events:
        return None
    return Comparison(reference, live, ordered)


def _classes(reference: Floats | None, live: Floats | None) -> Comparison | None:
    if reference is None or live is None:
        return None
    return _compared(Side(reference), Side(live), ordered=False)


def _values(
    window: Window, reference: Window, name: str, bins: FeatureBins | None
) -> Comparison | None:
    known, live = reference.get(name), window.get(name)
    if bins is None or known is None or live is None:
        return None
    return _numbers_or_categories(FeatureCounts(bins, known), FeatureCounts(bins, live))


def _numbers_or_categories(reference: FeatureCounts, live: FeatureCounts) -> Comparison | None:
    if not reference.total or not live.total:
        return None
    numeric = live.bins.kind == "numeric"
    return Comparison(
        _side(reference),
        _side(live),
        ordered=numeric,
        tails=numeric,
        edges=live.bins.edges if numeric else None,
        scale=live.bins.scale,
    )


def _side(one: FeatureCounts) -> Side:
    numeric = one.bins.kind == "numeric"
    strange = float(one.array[:SPECIAL].sum() - one.array[MISSING])
    return Side(one.all_counts, one.missing, strange, one.sums if numeric else None)
