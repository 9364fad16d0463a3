"""A reference from events: their schema, and their summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from exporter.bins import MAX_CATEGORIES, FeatureBins, FeatureKind
from exporter.coded import Coded
from exporter.config import ModelSettings
from exporter.encode import Encoder
from exporter.events import FieldError, class_name
from exporter.faults import contradictions
from exporter.features import feature_columns, feature_names
from exporter.ingest.columns import Columns
from exporter.known import Codes, Known
from exporter.layout import Layout
from exporter.reference.calibration import calibrated
from exporter.reference.reference import FeatureSummary, Reference
from exporter.reference.variability import variability
from exporter.registry import STATISTICS, Floats
from exporter.rows import ABSENT, Labels, Predictions
from exporter.start import fitted
from exporter.statistics.feature_bins import LARGEST, occurrences

QUANTILE_BINS: Final = 40
EVEN_EDGES: Final = 32
"""Edges evenly over the usual range: live values may lie where the reference has few."""
TAIL_EDGES: Final = 4
"""Further quantiles at each end, each halving what is left."""
USUAL: Final = (0.0005, 0.9995)
"""Quantiles of the reference that bound the usual range."""
FEW_INTEGERS: Final = 10
"""A feature of at most so many distinct integers, and no other numbers, has categories."""
DISTINCT_FROM: Final = 100
"""With fewer values than this a feature is not taken for an identifier."""

_FEW_CLASSES: Final = 1000

Progress = Callable[[str, int, int], None]
"""Told what is being done, and how many of how many steps are."""


def build(
    columns: Columns,
    settings: ModelSettings,
    *,
    source: str = "",
    independent: bool = False,
    progress: Progress = lambda what, done, steps: None,
) -> tuple[Reference, list[FeatureSummary]]:
    """Return the reference that checked events make, and what was found of each feature.

    Raises :class:`FieldError` when they hold no prediction, or contradict each other's task.
    """
    known = Known(settings)
    known.learn_task(columns)
    if known.schema is None:
        raise FieldError("prediction", "a reference needs events with predictions")
    _learn_classes(known, columns)
    columns = _usable(known, columns)
    known.add_features(sorted(feature_names(columns.features)))
    names = known.schema.features
    table = feature_columns(columns.features, names, len(columns)) or {}
    found = []
    bins = []
    for step, name in enumerate(names):
        progress(f"feature {name}", step, len(names))
        one, summary = feature(name, table[name], settings)
        bins.append(one)
        found.append(summary)
    labelled = _labelled(columns)
    predictions, labels = rows(Encoder(known), columns, table, labelled)
    assert known.schema is not None
    schema = replace(
        fitted(known.schema, predictions, labels),
        bins=tuple(bins),
        outputs=_value_bins("prediction", known, predictions.value),
        targets=_value_bins("label", known, labels.truth if labels is not None else None),
    )
    schema = calibrated(schema, labels)
    vector = Layout(schema, STATISTICS.values()).fold(predictions, labels)
    reference = Reference(
        schema,
        vector,
        rows=predictions.size,
        labels=labels.size if labels is not None else 0,
        covers=_covers(columns.ts),
        independent=independent,
        source=source,
        found=tuple(found),
    )
    measured = variability(reference, predictions, labels, columns.ts, labelled, progress)
    return replace(reference, variability=measured), found


def _usable(known: Known, columns: Columns) -> Columns:
    """Return the events that predict and contradict nothing; raises :class:`FieldError` if none."""
    faults = contradictions(known, columns)
    kept = columns.predicts.copy()
    kept[list(faults)] = False
    if not kept.any():
        raise FieldError(*next(iter(faults.values())))
    return columns if kept.all() else columns.take(np.flatnonzero(kept).tolist())


def rows(
    encoder: Encoder, columns: Columns, table: Mapping[str, Any], where: Codes
) -> tuple[Predictions, Labels | None]:
    """Return checked events as rows; those with a label, at ``where``, are joined already."""
    encoded = encoder.predictions(columns)
    predictions = Predictions(
        size=len(columns),
        code=encoded.code,
        value=encoded.value,
        scores=encoded.scores,
        latency=columns.latency,
        features=table or None,
    )
    if not len(where) or columns.label is None:
        return predictions, None
    part = encoded if len(where) == len(columns) else encoded.take(where.tolist())
    values = [value for value in columns.label if value is not None]
    label, truth, _ = encoder.labels(values)
    joined = Labels(
        size=len(where),
        code=part.code,
        label=label,
        correct=None if label is None or part.code is None else part.code == label,
        value=part.value,
        truth=truth,
        scores=part.scores,
    )
    return predictions, joined


def feature(
    name: str, column: Sequence[Any], settings: ModelSettings
) -> tuple[FeatureBins, FeatureSummary]:
    """Return the bins of one feature and what was found of it."""
    if isinstance(column, Coded):
        column = column.where_not(ABSENT)
    elif isinstance(column, list) and ABSENT in column:
        column = [value for value in column if value is not ABSENT]
    texts: Counter[str] = Counter()
    numbers = _as_numbers(column)
    configured = settings.features.get(name)
    if numbers is not None:
        known = np.sort(numbers[np.isfinite(numbers)])
        distinct = len(_runs(known))
        few = distinct <= FEW_INTEGERS and bool((known == np.floor(known)).all())
        kind: FeatureKind = "categorical" if few else "numeric"
        chosen = f"{distinct} distinct integers" if few else "numbers"
        values = len(known)
    else:
        texts = _categories(column)
        values, distinct = texts.total(), len(texts)
        unique = values >= DISTINCT_FROM and distinct > values / 2
        kind = "identifier" if unique else "categorical"
        chosen = "more than half of the values are distinct" if unique else "strings"
    if configured is not None:
        kind, chosen = configured.kind, "configured"
    if kind == "numeric" and numbers is not None:
        bins = numeric_bins(name, known)
        low, high = (float(known[0]), float(known[-1])) if len(known) else (None, None)
    elif kind == "numeric":
        raise FieldError(f"features.{name}", "is configured as numeric, but holds other values")
    else:
        low = high = None
        bins = FeatureBins(name, kind)
        if kind == "categorical":
            bins = category_bins(name, texts or _categories(column))
    summary = FeatureSummary(name, kind, chosen, values, len(column) - values, distinct, low, high)
    return bins, summary


def numeric_bins(name: str, ordered: Floats) -> FeatureBins:
    """Return bins for ascending values: at quantiles and evenly; heavy values are alone in theirs.

    Chosen so that the Kolmogorov-Smirnov and Wasserstein distances are near to those of raw values.
    """
    if not len(ordered):
        return FeatureBins(name, "identifier")
    ordered = np.clip(ordered, -LARGEST, LARGEST)
    low, high = quantiles(ordered, np.array(USUAL))
    tail = 0.5 ** np.arange(1, TAIL_EDGES + 1) / QUANTILE_BINS
    shares = np.concatenate([tail, np.linspace(0, 1, QUANTILE_BINS + 1)[1:-1], 1 - tail])
    inner = quantiles(ordered, shares)
    even = np.linspace(low, high, EVEN_EDGES + 2)[1:-1]
    starts = _runs(ordered)
    times = np.diff(starts, append=len(ordered))
    heavy = ordered[starts[times * QUANTILE_BINS > len(ordered)]]
    edges = np.concatenate([inner, even, heavy, np.nextafter(heavy, np.inf)])
    ends = [low, np.nextafter(high, np.inf)]
    inside = edges[(edges > low) & (edges < ends[1])]
    edges = np.unique(np.concatenate([inside, ends]))
    scale = float(np.std(ordered))
    return FeatureBins(name, "numeric", edges=edges, scale=scale)


def quantiles(ordered: Floats, shares: Floats) -> Floats:
    """Return what :func:`numpy.quantile` does, of values that are ascending already."""
    places = shares * (len(ordered) - 1)
    below = np.floor(places)
    part = places - below
    lower = ordered[below.astype(np.int64)]
    upper = ordered[np.minimum(below + 1, len(ordered) - 1).astype(np.int64)]
    step = upper - lower
    found: Floats = np.where(part < 0.5, lower + step * part, upper - step * (1 - part))
    return found


def _runs(ordered: Floats) -> Codes:
    """Return where each distinct one of ascending values begins."""
    return np.flatnonzero(np.concatenate([ordered[:1] == ordered[:1], ordered[1:] != ordered[:-1]]))


def _value_bins(name: str, known: Known, values: Floats | None) -> FeatureBins | None:
    """Return bins for the numbers of a regression, ``None`` where there are none."""
    if known.task != "regression" or values is None:
        return None
    there = np.sort(values[~np.isnan(values)])
    return numeric_bins(name, there) if len(there) else None


def category_bins(name: str, times: Counter[str]) -> FeatureBins:
    """Return bins for the most frequent categories."""
    kept = tuple(category for category, _ in times.most_common(MAX_CATEGORIES))
    return FeatureBins(name, "categorical", categories=kept, rest=len(times) > len(kept))


def _categories(column: Any) -> Counter[str]:
    """Return how often each category stands in a column; what is missing is none."""
    times: Counter[str] = Counter()
    for value, count in occurrences(column):
        if value is not None and value == value:
            times[class_name(value)] += count
    return times


def _learn_classes(known: Known, columns: Columns) -> None:
    """See each class once: what is known already is found at once."""
    if known.task == "regression":
        return
    first: dict[Any, int] = {}
    for column in (columns.label, columns.prediction):
        for i, value in enumerate(column or ()):
            if value not in first and len(first) < _FEW_CLASSES and columns.predicts[i]:
                first[value] = i
    if not first:
        return
    sample = columns.take(sorted(set(first.values())))
    faults = contradictions(known, sample)
    sample = sample.take([i for i in range(len(sample)) if i not in faults])
    if len(sample):
        encoder = Encoder(known)
        encoder.predictions(sample)
        encoder.labels([value for value in sample.label or () if value is not None])


def _as_numbers(column: Any) -> Floats | None:
    if isinstance(column, np.ndarray):
        return column.astype(np.float64, copy=False)
    if isinstance(column, Coded):
        numbers = _as_numbers(column.values)
        return None if numbers is None else column.looked_up(numbers)
    if not set(map(type, column)) <= {int, float, bool, type(None)}:
        return None
    try:
        return np.array(column, np.float64)
    except OverflowError:
        return None


def _labelled(columns: Columns) -> Codes:
    if columns.label is None:
        return np.zeros(0, np.int64)
    if None not in columns.label:
        return np.arange(len(columns))
    told = (value is not None for value in columns.label)
    return np.flatnonzero(np.fromiter(told, np.bool_, len(columns)))


def _covers(ts: Floats | None) -> float | None:
    known = ts[~np.isnan(ts)] if ts is not None else np.zeros(0)
    return float(known.max() - known.min()) if len(known) else None
