"""Windows made from plain arrays, as tests need them."""

import numpy as np

from exporter.edges import class_edges, score_edges
from exporter.estimates import Estimate
from exporter.layout import Layout
from exporter.registry import METRICS, STATISTICS, TOTALS
from exporter.rows import Labels, Predictions
from exporter.schema import Schema
from exporter.window import Window


def window(schema, predictions=None, labels=None, **about):
    layout = Layout(schema, STATISTICS.values())
    return Window(layout, layout.fold(predictions, labels), **about)


def binary(label, score=None, predicted=None, *, positive="1", edges=None, threshold=0.5, **about):
    """A window of a binary model; label and predicted are codes of the classes "0" and "1"."""
    label = np.asarray(label, dtype=np.int64)
    if score is not None:
        score = np.asarray(score, dtype=np.float64)
        edges = score_edges(score, threshold) if edges is None else edges
    if predicted is None:
        predicted = (score >= threshold).astype(np.int64)
    predicted = np.asarray(predicted, dtype=np.int64)
    schema = Schema("binary", ("0", "1"), positive, threshold, score_edges=edges)
    size = len(label)
    return window(
        schema,
        Predictions(size, code=predicted, value=score),
        Labels(size, code=predicted, label=label, correct=predicted == label, value=score),
        **about,
    )


def multiclass(label, scores=None, predicted=None, *, classes=None, edges=None, **about):
    """A window of a multiclass model; classes are named "c0", "c1" and so on."""
    label = np.asarray(label, dtype=np.int64)
    if predicted is None:
        predicted = np.argmax(scores, axis=1)
    predicted = np.asarray(predicted, dtype=np.int64)
    if classes is None:
        classes = int(max(label.max(), predicted.max())) + 1 if scores is None else scores.shape[1]
    if scores is not None and edges is None:
        edges = class_edges(scores)
    names = tuple(f"c{code}" for code in range(classes))
    size = len(label)
    return window(
        Schema("multiclass", names, score_edges=edges),
        Predictions(size, code=predicted, scores=scores),
        Labels(size, code=predicted, label=label, correct=predicted == label, scores=scores),
        **about,
    )


def regression(truth, value, center=None, **about):
    """A window of a regression, centred at its first label unless told otherwise."""
    truth, value = np.asarray(truth, dtype=np.float64), np.asarray(value, dtype=np.float64)
    center = float(truth[0]) if center is None else center
    return window(
        Schema("regression", center=center, label_center=center),
        Predictions(len(value), value=value),
        Labels(len(truth), value=value, truth=truth),
        **about,
    )


def show(window, name):
    """The number, the mapping or the ``None`` that a metric or a total shows for a window."""
    found = METRICS.get(f"model_{name}") or TOTALS[f"model_{name}"]
    answer = found.value(window)
    return answer.value if isinstance(answer, Estimate) else answer


def estimate(window, name):
    """What a metric returns, its certainty included."""
    return METRICS[f"model_{name}"].value(window)
