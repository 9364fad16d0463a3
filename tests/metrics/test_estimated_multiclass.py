"""Estimated quality of multiclass models: beside sums over single events, and beside the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from exporter.edges import class_edges
from exporter.reference.calibration import calibrated
from exporter.rows import Labels, Predictions
from exporter.schema import Schema
from tests.metrics.build import estimate, show, window

NAMES = ("accuracy", "precision", "recall", "f1", "roc_auc")


def drawn(rng, size, classes=4, power=1.0, prior=1.0):
    """Scores, labels that follow their ``power`` made to sum to 1, and the classes predicted."""
    scores = rng.dirichlet(np.linspace(0.4, 1.5, classes) * prior, size)
    truth = scores**power
    truth /= truth.sum(axis=1, keepdims=True)
    label = (rng.random((size, 1)) > np.cumsum(truth, axis=1)).sum(axis=1)
    return np.minimum(label, classes - 1), scores, scores.argmax(axis=1)


def learned(label, scores):
    names = tuple(f"c{code}" for code in range(scores.shape[1]))
    schema = Schema("multiclass", names, score_edges=class_edges(scores))
    return calibrated(schema, Labels(len(label), code=label, label=label, scores=scores))


def counted(schema, label, scores, predicted):
    size = len(label)
    return window(
        schema,
        Predictions(size, code=predicted, scores=scores),
        Labels(size, code=predicted, label=label, correct=label == predicted, scores=scores),
    )


def by_event(schema, scores, predicted):
    """The expected K x K confusion and the weights of each class, one event after the other."""
    known = len(schema.classes)
    confusion = np.zeros((known, known))
    weights = np.zeros_like(scores)
    for i, row in enumerate(scores):
        places = [
            np.searchsorted(schema.score_edges[k], row[k], side="right") for k in range(known)
        ]
        fitted = np.array([schema.calibration[k, places[k]] for k in range(known)])
        fitted = fitted if fitted.any() else row
        weights[i] = fitted / fitted.sum()
        confusion[predicted[i]] += weights[i]
    return confusion, weights


def directly(confusion, scores, weights):
    """Macro metrics of an expected confusion: rows predicted, columns actual."""
    hits, predicted, actual = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    there = (predicted > 0) | (actual >= 0.5)
    hits, predicted, actual = hits[there], predicted[there], actual[there]
    some = np.where(predicted > 0, predicted, 1)
    kind = np.repeat([1, 0], len(scores))
    aucs = [
        sk.roc_auc_score(
            kind,
            np.tile(scores[:, k], 2),
            sample_weight=np.concatenate([weights[:, k], 1 - weights[:, k]]),
        )
        for k in range(scores.shape[1])
        if weights[:, k].sum() >= 0.5 and (1 - weights[:, k]).sum() >= 0.5
    ]
    return {
        "accuracy": np.trace(confusion) / confusion.sum(),
        "precision": (hits / some).mean(),
        "recall": (hits / actual).mean(),
        "f1": (2 * hits / (predicted + actual)).mean(),
        "roc_auc": np.mean(aucs) if aucs else None,
    }


@given(st.integers(0, 2**32 - 1), st.integers(3, 6), st.integers(1, 60))
def test_estimates_are_sums_over_events(seed, classes, size):
    rng = np.random.default_rng(seed)
    schema = learned(*drawn(rng, 600, classes, power=2.0)[:2])
    label, scores, predicted = drawn(rng, size, classes)
    shown = counted(schema, label, scores, predicted)
    expected = directly(*_with_weights(schema, scores, predicted))
    for name in NAMES[:4]:
        assert show(shown, f"estimated_{name}_ratio") == pytest.approx(expected[name], abs=1e-9)
    right = by_event(schema, scores, predicted)[1][np.arange(size), predicted]
    gap = estimate(shown, "estimated_accuracy_gap_ratio")
    assert gap.value == pytest.approx((right - (label == predicted)).mean(), abs=1e-9)
    assert gap.squares == pytest.approx(((right - (label == predicted)) ** 2).sum(), abs=1e-9)


def _with_weights(schema, scores, predicted):
    confusion, weights = by_event(schema, scores, predicted)
    return confusion, scores, weights


def test_areas_under_curves_are_those_of_weighted_events():
    rng = np.random.default_rng(1)
    schema = learned(*drawn(rng, 20_000, power=2.0)[:2])
    label, scores, predicted = drawn(rng, 2000, power=2.0)
    expected = directly(*_with_weights(schema, scores, predicted))["roc_auc"]
    found = show(counted(schema, label, scores, predicted), "estimated_roc_auc_ratio")
    assert found == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("prior", [0.6, 1.0, 2.0])
def test_estimates_hold_while_scores_keep_their_meaning(power, prior):
    """P(label given scores) stays, the mix of scores may not."""
    rng = np.random.default_rng(2)
    schema = learned(*drawn(rng, 60_000, power=power)[:2])
    shown = counted(schema, *drawn(rng, 30_000, power=power, prior=prior))
    accuracy = show(shown, "accuracy_ratio")
    # Calibrating class by class is a model of its own: beyond sampling error it costs a little.
    beyond = 0.01 if power == 1.0 or prior == 1.0 else 0.03
    error = np.sqrt(accuracy * (1 - accuracy) * (1 / 30_000 + 1 / 60_000))
    assert abs(show(shown, "estimated_accuracy_ratio") - accuracy) < 4 * error + beyond
    for name in NAMES[1:]:
        realised = show(shown, f"{name}_ratio")
        assert abs(show(shown, f"estimated_{name}_ratio") - realised) < 0.02 + beyond


def test_calibrating_matters():
    """Scores that are too sure of themselves would promise far too much."""
    rng = np.random.default_rng(3)
    label, scores, _ = drawn(rng, 20_000, power=0.4)
    live = drawn(rng, 20_000, power=0.4)
    shown = counted(learned(label, scores), *live)
    realised = show(shown, "accuracy_ratio")
    assert live[1].max(axis=1).mean() > realised + 0.08
    assert show(shown, "estimated_accuracy_ratio") == pytest.approx(realised, abs=0.015)


def test_without_calibration_or_scores_there_is_nothing():
    rng = np.random.default_rng(4)
    label, scores, predicted = drawn(rng, 500)
    schema = learned(label, scores)
    bare = Schema("multiclass", schema.classes, score_edges=schema.score_edges)
    silent = np.full_like(scores, np.nan)
    for shown in (
        counted(bare, label, scores, predicted),
        counted(schema, label, silent, predicted),
        counted(schema, label, None, predicted),
        window(schema),
    ):
        for name in (*NAMES, "accuracy_gap"):
            assert show(shown, f"estimated_{name}_ratio") is None


def test_an_event_that_is_nothing_by_calibration_keeps_its_scores():
    schema = Schema(
        "multiclass",
        ("c0", "c1", "c2"),
        score_edges=np.full((3, 2), 0.5),
        calibration=np.zeros((3, 3)),
    )
    scores = np.array([[0.7, 0.2, 0.1]])
    shown = counted(schema, np.array([0]), scores, np.array([0]))
    assert show(shown, "estimated_accuracy_ratio") == pytest.approx(0.7)
