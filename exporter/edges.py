"""Edges of score histograms, and counting into their bins.

Everywhere a bin is ``np.searchsorted(edges, x, side="right")``: bin ``b`` holds the scores of
``[edges[b - 1], edges[b])``, so a score exactly at the decision threshold lies above it. A value
that many events share gets a bin of its own, so that ties lose nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LOGIT_EDGES: Final = 48
UNIFORM_EDGES: Final = 20
QUANTILE_EDGES: Final = 100
TAIL_EDGES: Final = 8
"""Further quantiles at each end."""
DISCRETE_VALUES: Final = 128
"""Up to so many different scores each has a bin of its own."""
CLASS_BINS: Final = 1300
"""Edges that all classes of a multiclass model share among them."""
FEWEST_CLASS_BINS: Final = 24
_STEEPEST_LOGIT: Final = 14.0
"""Scores of 1e-6 and 1 - 1e-6: beyond them only quantiles and heavy values tell apart."""
_TOP: Final = float(np.nextafter(1.0, 2.0))


def score_edges(scores: Floats, threshold: float) -> Floats:
    """Return the (1, B) edges for the score of a binary model, made from ``scores`` seen so far.

    They unite a logit-spaced and a uniform grid, quantiles of ``scores`` and ``threshold``; a
    value heavier than one bin's share, or one of few, is alone in its bin. NaN is ignored, and
    the grid alone is the answer to no scores.
    """
    grid = np.union1d(_grid(LOGIT_EDGES, UNIFORM_EDGES), [threshold])
    known = _known(scores)
    bins = len(grid) + QUANTILE_EDGES
    heavy = _heavy(known, bins, bins)
    shares = _shares(QUANTILE_EDGES, TAIL_EDGES)
    fitted = _fitted(known, heavy, np.concatenate([shares, 1 - shares[-TAIL_EDGES:]]))
    return np.union1d(grid, fitted).reshape(1, -1)


def class_edges(scores: Floats) -> Floats:
    """Return the (K, B) edges for the (rows, K) class probabilities ``scores``.

    Each class has quantiles of its own column. ``K * B`` is about ``CLASS_BINS``, but a class has
    at least ``FEWEST_CLASS_BINS``; shorter rows repeat their last edge (their last bins are empty).
    """
    classes = scores.shape[1]
    budget = max(FEWEST_CLASS_BINS, CLASS_BINS // max(classes, 1))
    rows = [_class_row(scores[:, k], budget) for k in range(classes)]
    return np.array(rows).reshape(classes, budget)


def more_class_edges(edges: Floats, classes: int) -> Floats:
    """Return ``edges`` with rows for ``classes`` classes: the new ones know the grid alone."""
    new = _class_row(np.zeros(0), edges.shape[1])
    return np.vstack([edges, *[new] * (classes - len(edges))])


def counts(values: Floats, edges: Floats) -> Floats:
    """Return how many of ``values`` fall into each of ``len(edges) + 1`` bins; NaN into none.

    Sorting the values and searching the edges in them is several times cheaper than the reverse.
    """
    return _differences(np.sort(values), edges, "left")


def counts_up_to(values: Floats, edges: Floats) -> Floats:
    """Return :func:`counts` with a value at an edge below it, as Prometheus' ``le`` wants.

    One more place at the end holds the sum of the values.
    """
    ordered = np.sort(values)
    known = ordered[: ordered.searchsorted(np.inf, side="right")]
    return np.append(_differences(ordered, edges, "right"), known.sum())


def atoms(edges: Floats) -> NDArray[np.bool_]:
    """Return which of the bins between (…, B) ``edges`` hold at most one score of [0, 1].

    Inside them nothing is lost: their events are ties in truth. The shape is (…, B + 1).
    """
    ends = np.ones((*edges.shape[:-1], 1))
    limits = np.concatenate((0 * ends, edges, _TOP * ends), axis=-1)
    return np.asarray(limits[..., 1:] <= np.nextafter(limits[..., :-1], np.inf))


def _differences(ordered: Floats, edges: Floats, side: str) -> Floats:
    below = np.empty(len(edges) + 2)
    below[0] = 0
    below[1:-1] = ordered.searchsorted(edges, side=side)  # type: ignore[call-overload]
    below[-1] = ordered.searchsorted(np.inf, side="right")
    return below[1:] - below[:-1]


def _class_row(scores: Floats, budget: int) -> Floats:
    grid = _grid(budget // 6, budget // 12)
    known = _known(scores)
    room = budget - len(grid)
    heavy = _heavy(known, budget, room // 4)
    quantiles = room - 2 * len(heavy)
    top = min(quantiles // 2, TAIL_EDGES)
    row = np.union1d(grid, _fitted(known, heavy, _shares(quantiles - top, top)))
    return np.pad(row, (0, budget - len(row)), mode="edge")


def _known(scores: Floats) -> Floats:
    return np.sort(scores[~np.isnan(scores)])


def _grid(logit: int, uniform: int) -> Floats:
    """Fixed edges inside (0, 1): fine towards both ends, and even in the middle."""
    logits = np.linspace(-_STEEPEST_LOGIT, _STEEPEST_LOGIT, logit)
    return np.union1d(1 / (1 + np.exp(-logits)), np.linspace(0, 1, uniform + 2)[1:-1])


def _heavy(known: Floats, bins: int, most: int) -> Floats:
    """Return the values to keep apart, the heaviest first: those of more than a bin's share.

    Where there are few values at all (scores of two decimals, say) that is each of them.
    """
    values, times = np.unique(known, return_counts=True)
    often = times * bins > len(known)
    if len(known) <= bins:  # every value has more than a bin's share: only true ties matter
        often = times > 1
    if len(values) <= min(most, DISCRETE_VALUES) and 4 * len(values) <= len(known):
        often = times > 0
    values, times = values[often], times[often]
    return values[np.argsort(-times, kind="stable")[:most]]


def _fitted(known: Floats, heavy: Floats, shares: Floats) -> Floats:
    """Return the quantiles of the sorted ``known`` at ``shares``, and edges around ``heavy``."""
    around = np.concatenate([heavy, np.nextafter(heavy, 2.0)])
    if not len(known):
        return around
    places = np.rint(shares * (len(known) - 1)).astype(np.int64)
    return np.concatenate([known[places], around])


def _shares(even: int, top: int) -> Floats:
    """Return ``even`` shares evenly in (0, 1), and ``top`` that halve what is left above them.

    Where the positives are rare they are all at the top, and so is the ranking that matters.
    """
    left = 0.5 ** np.arange(1, top + 1) / (even + 1)
    return np.concatenate([np.linspace(0, 1, even + 2)[1:-1], 1 - left])
