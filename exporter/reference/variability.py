"""Natural variability: how far a reference's own windows lie from the rest of it.

Events inside a window are not independent: hours, weather and campaigns move whole windows. What a
reference does to itself is no drift.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np

from exporter.bins import FeatureBins
from exporter.coded import Coded
from exporter.drift.effect import Codes, Pair, effects
from exporter.drift.subjects import group_starts, key_of
from exporter.estimates import Estimate
from exporter.layout import Layout
from exporter.limits import DERIVED
from exporter.reference.codes import NOWHERE, feature_codes, number_codes
from exporter.reference.cuts import FEWEST_ROWS, Cuts, cut
from exporter.reference.reference import FEWEST_WINDOWS, HORIZONS, Reference, Variability
from exporter.registry import METRICS, STATISTICS, Floats, Metric
from exporter.rows import Labels, Predictions
from exporter.schema import Schema
from exporter.special import special
from exporter.window import Window

UNSURE: Final = 0.05
"""The variance of few windows is taken at this lower quantile of its chi-squared."""
EXPECTED: Final = 1.0
"""A mean over windows needs no large counts; live windows tell more bins apart than short ones."""
LABEL_ROWS: Final = 50_000
"""Labelled rows looked at for windows of one length."""


@dataclass(frozen=True)
class _Series:
    """One subject: how the reference counted it, and the bin of any of its rows."""

    key: str
    total: Floats
    ordered: bool
    codes: Callable[[Codes], Codes]


def variability(
    reference: Reference,
    predictions: Predictions,
    labels: Labels | None,
    ts: Floats | None,
    labelled: Any,
    progress: Callable[[str, int, int], None],
) -> dict[float, Variability]:
    """Return the variability of windows of each length, by the length in seconds.

    ``ts`` are the times of ``predictions`` and ``labelled`` the places of those with ``labels``.
    Without times there is none. Work is bounded: windows and rows are sampled evenly.
    """
    if ts is None or not np.isfinite(ts).any():
        return {}
    start = float(np.nanmin(ts))
    whole = reference.under(reference.schema)
    of_predictions = list(_of_predictions(whole, predictions))
    of_labels = [] if labels is None else list(_of_labels(whole, labels))
    found = {}
    for step, length in enumerate(HORIZONS):
        progress(f"variability of {length:g} s", step, len(HORIZONS))
        cuts = cut(ts, start, length)
        if cuts.windows < 2:
            continue
        # Of a length that can be decided by, each subject needs windows enough of its own.
        fewest = FEWEST_WINDOWS if cuts.windows >= FEWEST_WINDOWS else 2
        measured = _effects(of_predictions, cuts, fewest)
        variances: dict[str, float] = {}
        if labels is not None:
            label_cuts = cut(ts[labelled], start, length, LABEL_ROWS)
            measured |= _effects(of_labels, label_cuts, fewest)
            variances = _variances(whole, labels, label_cuts, fewest)
        found[length] = Variability(cuts.windows, measured, variances)
    return found


def unsure(freedom: float) -> float:
    """Return the factor that makes up for a variance being known with few degrees of freedom."""
    return float(freedom / special.chdtri(freedom, 1 - UNSURE))


def excess(effect: Floats, chance: Floats, freedom: Floats) -> float:
    """Return the upper bound of what windows differ by beyond chance, as a mean effect.

    Two things hide it, and the larger bound holds: that windows are few (J degrees of freedom of
    what lies beyond chance), and chance itself (J (k - 1) of the whole): where windows are small,
    an excess of 0 is what chance leaves of one that matters.
    """
    few = float((effect - chance).mean()) * unsure(len(effect))
    whole = float(effect.mean()) * unsure(float(freedom.sum())) - float(chance.mean())
    return max(0.0, few, whole)


def _of_predictions(whole: Window, rows: Predictions) -> Iterator[_Series]:
    schema = whole.schema
    table = rows.features or {}
    for name, counts in whole.features.items():
        if counts.bins.kind != "identifier" and name in table:
            codes = _feature(table[name], counts.bins)
            yield _Series(
                key_of("feature", name), counts.counts, counts.bins.kind == "numeric", codes
            )
    yield from _numbers("prediction", schema, schema.outputs, rows.value)
    scores = whole.get("predicted_score_bins")
    if scores is not None and scores.any() and rows.value is not None:
        assert schema.score_edges is not None
        edges, value = schema.score_edges[0], rows.value
        yield _Series("prediction", scores.sum(axis=0), True, lambda at: _bins(value[at], edges))
    elif whole["predicted"].any() and rows.code is not None:
        code = rows.code
        yield _Series("prediction", whole["predicted"], False, lambda at: code[at])


def _of_labels(whole: Window, rows: Labels) -> Iterator[_Series]:
    yield from _numbers("label", whole.schema, whole.schema.targets, rows.truth)
    if rows.label is not None:
        label = rows.label
        total = np.bincount(label, minlength=len(whole.schema.classes)).astype(np.float64)
        yield _Series("label", total, False, lambda at: label[at])


def _numbers(
    key: str, schema: Schema, bins: FeatureBins | None, values: Floats | None
) -> Iterator[_Series]:
    """Return a regression's numbers, those outside the usual range among them."""
    if schema.task != "regression" or bins is None or bins.kind != "numeric" or values is None:
        return
    known = number_codes(values, bins, outside=True)
    total = np.bincount(known + 1, minlength=bins.bins + 1)[1:].astype(np.float64)
    yield _Series(key, total, True, lambda at: known[at])


def _feature(column: Any, bins: FeatureBins) -> Callable[[Codes], Codes]:
    if isinstance(column, Coded):
        each = feature_codes(column, bins)
        return lambda at: each[at]

    def codes(at: Codes) -> Codes:
        part = column[at] if isinstance(column, np.ndarray) else [column[i] for i in at.tolist()]
        return feature_codes(part, bins)

    return codes


def _bins(values: Floats, edges: Floats) -> Codes:
    return np.where(np.isnan(values), NOWHERE, edges.searchsorted(values, side="right"))


def _effects(series: list[_Series], cuts: Cuts, fewest: int) -> dict[str, float]:
    """Return the mean excess effect of windows against the rest, by subject.

    One of which fewer than ``fewest`` windows tell has none.
    """
    found = {}
    for one in series:
        natural = _natural(one, cuts, fewest)
        if natural is not None:
            found[one.key] = natural
    return found


def _natural(one: _Series, cuts: Cuts, fewest: int) -> float | None:
    if not one.total.any():
        return None
    starts = group_starts(one.total) if one.ordered else np.arange(len(one.total))
    total = np.add.reduceat(one.total, starts)
    codes = one.codes(cuts.rows) + 1
    pairs = []
    for where in cuts.slices():
        counts = np.bincount(codes[where], minlength=len(one.total) + 1)[1:]
        own = np.add.reduceat(counts, starts).astype(np.float64)
        if own.sum() >= FEWEST_ROWS:
            rest = np.maximum(total - own * cuts.stride, 0.0)
            pairs.append(Pair(own, rest, one.ordered))
    compared = effects(pairs, EXPECTED)
    told = (compared.bins >= 2) & (compared.n_eff > 0)
    if np.count_nonzero(told) < fewest:
        return None
    return excess(compared.effect[told], compared.chance[told], (compared.bins - 1)[told])


def _variances(whole: Window, labels: Labels, cuts: Cuts, fewest: int) -> dict[str, float]:
    """Return the variance of metrics between windows beyond their standard error."""
    schema = whole.schema
    layout = Layout(schema, [one for one in STATISTICS.values() if one.rows == "labels"])
    rows = _rows(labels, cuts.rows)
    parts = [Window(layout, layout.fold(None, _rows(rows, where))) for where in cuts.slices()]
    metrics = (METRICS[f"model_{key}"] for key in DERIVED)
    asked = [one for one in metrics if schema.task in one.tasks]
    found = {one.key: _variance(one, whole, parts, fewest) for one in asked}
    return {key: variance for key, variance in found.items() if variance is not None}


def _variance(metric: Metric, whole: Window, parts: list[Window], fewest: int) -> float | None:
    center = metric.value(whole)
    values = [metric.value(part) for part in parts]
    known = [one for one in values if isinstance(one, Estimate) and one.n >= FEWEST_ROWS]
    if not isinstance(center, Estimate) or center.value is None or not known:
        return None
    value = np.array([one.value for one in known], np.float64)
    error = np.array([one.standard_error for one in known])
    told = np.isfinite(error)
    if np.count_nonzero(told) < fewest:
        return None
    # The upper bound is of the whole scatter, chance included: where that is most of it, what lies
    # beyond may well be estimated as 0, and is not.
    scatter = float(np.square(value[told] - center.value).mean()) * unsure(int(told.sum()))
    return max(0.0, scatter - float(np.square(error[told]).mean()))


def _rows(labels: Labels, which: Any) -> Labels:
    """Return some rows, by places or as a slice."""
    columns = {
        one.name: getattr(labels, one.name)[which]
        for one in fields(labels)
        if one.name != "size" and getattr(labels, one.name) is not None
    }
    size = which.stop - which.start if isinstance(which, slice) else len(which)
    return Labels(size=size, **columns)
