"""What events contradict: the task and the classes that a model version is known to have.

It is told with the field at fault. The classes of what is right are learned on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from exporter.events import Value, class_name
from exporter.ingest.columns import Columns
from exporter.known import Known, has_score, is_class

Faults = dict[int, tuple[str, str]]
"""Field and error, by position."""


def contradictions(known: Known, columns: Columns) -> Faults:
    """Return what contradicts the task, by position; learns the classes of the rest."""
    schema = known.schema
    faults: Faults = {}
    if schema is None:
        return faults
    if schema.task == "binary":
        known.note_scores(columns)
    if columns.task is not None:
        for i, told in enumerate(columns.task):
            if told is not None and told != schema.task and not known.may_become(told):
                faults[i] = ("task", f"is {schema.task} for this model, got {told}")
        schema = known.schema or schema
    check = {
        "regression": _regression_faults,
        "binary": _binary_faults,
        "multiclass": _multiclass_faults,
    }[schema.task]
    check(known, columns, faults)
    return faults


def label_faults(known: Known, values: Sequence[Value | None]) -> Faults:
    """Return the labels that contradict the task, by position; learns the other classes."""
    if known.task != "binary":
        return refused_labels(known, values)
    faults: Faults = {}
    for i, value in enumerate(values):
        if value is not None and value not in known.codes and known.task == "binary":
            fault = known.admit_event([("label", class_name(value))])
            if fault is not None:
                faults[i] = fault
    return faults


def refused_labels(known: Known, values: Sequence[Value | None]) -> Faults:
    """Return the labels that contradict what is known by now, by position; learns nothing."""
    schema = known.schema
    if schema is None or schema.task == "multiclass":
        return {}
    if schema.task == "regression":
        return {
            i: ("task", f"is regression: label must be a number, got {value!r}")
            for i, value in enumerate(values)
            if value is not None and type(value) not in (int, float)
        }
    if known.open_binary() or len(schema.classes) < 2:
        return {}
    return {
        i: known.third_class("label", class_name(value))
        for i, value in enumerate(values)
        if value is not None and class_name(value) not in schema.codes
    }


def _regression_faults(known: Known, columns: Columns, faults: Faults) -> None:
    for i in np.flatnonzero(columns.predicts).tolist():
        if has_score(columns, i) or (columns.scores is not None and columns.scores[i]):
            faults.setdefault(i, ("task", "is regression: it takes no score or scores"))
        elif is_class(columns, i):
            faults.setdefault(i, ("task", "is regression: prediction must be a number"))
    if columns.label is not None:
        _merge(faults, label_faults(known, columns.label))


def _multiclass_faults(known: Known, columns: Columns, faults: Faults) -> None:
    if columns.score is not None:
        for i in np.flatnonzero(~np.isnan(columns.score)).tolist():
            faults.setdefault(i, ("task", "is multiclass: it takes scores, not score"))


def _binary_faults(known: Known, columns: Columns, faults: Faults) -> None:
    if columns.scores is not None:
        for i, row in enumerate(columns.scores):
            if row:
                faults.setdefault(i, ("task", "is binary: it takes score, not scores"))
    assert known.schema is not None
    named = (columns.prediction, columns.label)
    names = {v for column in named if column is not None for v in set(column)}
    by_score = _by_score(columns)
    known_pair = not by_score.any() or set(known.pair()) <= known.schema.codes.keys()
    if not known_pair or not names <= {None, *known.codes}:
        _admit_in_order(known, columns, by_score, faults)


def _by_score(columns: Columns) -> NDArray[np.bool_]:
    """Return which of the events predict by their score alone."""
    if columns.score is None:
        return np.zeros(len(columns), np.bool_)
    scored: NDArray[np.bool_] = ~np.isnan(columns.score)
    if columns.prediction is not None:
        scored &= np.array([value is None for value in columns.prediction], np.bool_)
    return scored


def _admit_in_order(
    known: Known, columns: Columns, by_score: NDArray[np.bool_], faults: Faults
) -> None:
    """Admit the classes of a binary model, event by event: batches must not matter."""
    for i in range(len(columns)):
        if i in faults or known.task != "binary":
            continue
        prediction = None if columns.prediction is None else columns.prediction[i]
        label = None if columns.label is None else columns.label[i]
        named = [("score", name) for name in known.pair()] if by_score[i] else []
        given = (("prediction", prediction), ("label", label))
        named += [(field, class_name(value)) for field, value in given if value is not None]
        fault = known.admit_event(named)
        if fault is not None:
            faults[i] = fault
        elif prediction is not None and columns.score is not None:
            known.learn_positive(class_name(prediction), columns.score[i])


def _merge(faults: Faults, more: Faults) -> None:
    for i, fault in more.items():
        faults.setdefault(i, fault)
