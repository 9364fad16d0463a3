"""Metrics of multiclass models beside their scikit-learn twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from tests.metrics.build import multiclass, show

PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=200)
MACRO = {"average": "macro", "zero_division": 0}
OF_CLASSES = [
    ("accuracy_ratio", sk.accuracy_score),
    ("precision_ratio", lambda y, c: sk.precision_score(y, c, **MACRO)),
    ("recall_ratio", lambda y, c: sk.recall_score(y, c, **MACRO)),
    ("f1_ratio", lambda y, c: sk.f1_score(y, c, **MACRO)),
]


def drawn(rng, classes, size, sharpness=2.0):
    """Labels, and probabilities that know something about them."""
    label = rng.integers(0, classes, size)
    raw = rng.normal(size=(size, classes))
    raw[np.arange(size), label] += sharpness
    scores = np.exp(raw)
    return label, scores / scores.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("name", "twin"), OF_CLASSES, ids=[one[0] for one in OF_CLASSES])
@given(PAIRS)
def test_macro(name, twin, pairs):
    label, predicted = map(np.array, zip(*pairs, strict=True))
    found = show(multiclass(label, predicted=predicted, classes=6), name)
    assert found == pytest.approx(twin(label, predicted), abs=1e-9)


@given(PAIRS)
def test_balanced_accuracy_and_correlation(pairs):
    label, predicted = map(np.array, zip(*pairs, strict=True))
    window = multiclass(label, predicted=predicted, classes=5)
    some, varied = len(set(label)) > 1, len(set(predicted)) > 1
    recalls = [np.mean(predicted[label == k] == k) for k in set(label)]
    expected = np.mean(recalls) if some else None
    assert show(window, "balanced_accuracy_ratio") == (expected and pytest.approx(expected))
    correlation = sk.matthews_corrcoef(label, predicted) if some and varied else None
    found = show(window, "matthews_correlation")
    assert found == (pytest.approx(correlation, abs=1e-9) if some and varied else None)


@given(PAIRS)
def test_per_class(pairs):
    label, predicted = map(np.array, zip(*pairs, strict=True))
    window = multiclass(label, predicted=predicted, classes=5)
    names = {"class_precision_ratio": 0, "class_recall_ratio": 1, "class_f1_ratio": 2}
    known = {"labels": range(5), "zero_division": np.nan}
    twins = sk.precision_recall_fscore_support(label, predicted, **known)
    for name, place in names.items():
        expected = {f"c{k}": v for k, v in enumerate(twins[place]) if not np.isnan(v)}
        assert show(window, name) == pytest.approx(expected)


@pytest.mark.parametrize("classes", [3, 10, 100])
def test_of_probabilities(classes):
    label, scores = drawn(np.random.default_rng(classes), classes, 3000)
    window = multiclass(label, scores)
    known = {"labels": range(classes)}
    assert show(window, "log_loss") == pytest.approx(sk.log_loss(label, scores, **known), abs=1e-9)
    hot = np.eye(classes)[label]
    assert show(window, "brier_score") == pytest.approx(np.square(scores - hot).sum(axis=1).mean())
    auc = sk.roc_auc_score(label, scores, multi_class="ovr", average="macro")
    bound = show(window, "roc_auc_error_bound")
    assert abs(show(window, "roc_auc_ratio") - auc) <= bound
    assert bound < 0.03
    precision = sk.average_precision_score(hot, scores, average="macro")
    assert show(window, "average_precision_ratio") == pytest.approx(precision, abs=0.05)


@given(st.integers(0, 2**32 - 1), st.integers(3, 8), st.integers(1, 60))
def test_confidence(seed, classes, size):
    label, scores = drawn(np.random.default_rng(seed), classes, size, 0.5)
    top, right = scores.max(axis=1), scores.argmax(axis=1) == label
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], top, side="right")
    expected = sum(abs((right - top)[bins == b].sum()) for b in range(10)) / size
    found = show(multiclass(label, scores), "expected_calibration_error_ratio")
    assert found == pytest.approx(expected, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(3, 8), st.integers(1, 80), st.integers(0, 3))
def test_macro_auc_within_its_bound(seed, classes, size, decimals):
    rng = np.random.default_rng(seed)
    label, scores = drawn(rng, classes, size, 1.0)
    scores = np.round(scores, decimals)  # ties
    both = [k for k in range(classes) if 0 < np.count_nonzero(label == k) < size]
    window = multiclass(label, scores)
    if not both:
        assert show(window, "roc_auc_ratio") is None
        return
    exact = np.mean([sk.roc_auc_score(label == k, scores[:, k]) for k in both])
    bound = show(window, "roc_auc_error_bound")
    assert abs(show(window, "roc_auc_ratio") - exact) <= bound + 1e-12


def test_a_label_that_no_score_names():
    label, scores = np.array([0, 2, 1]), np.array([[0.9, 0.1], [0.3, 0.7], [0.2, 0.8]])
    window = multiclass(label, scores, classes=3)
    padded = np.column_stack([scores, np.zeros(3)])
    assert show(window, "log_loss") == pytest.approx(sk.log_loss(label, padded, labels=[0, 1, 2]))
    expected = np.mean([0.01 + 0.01, 0.09 + 0.49 + 1, 0.04 + 0.04])
    assert show(window, "brier_score") == pytest.approx(expected)


def test_correct_by_true_names():
    """Two rare classes share a code; whether a prediction was right is known all the same."""
    window = multiclass([2, 2, 0], predicted=[2, 2, 0], classes=3)
    window.layout.view(window.vector, "correct")[0] = 2
    assert show(window, "accuracy_ratio") == pytest.approx(2 / 3)


def test_rows_without_probabilities_count_for_the_classes_alone():
    label, scores = drawn(np.random.default_rng(5), 3, 40)
    blank = scores.copy()
    blank[::2] = np.nan
    predicted = scores.argmax(axis=1)
    window = multiclass(label, blank, predicted=predicted)
    assert show(window, "accuracy_ratio") == pytest.approx(np.mean(predicted == label))
    twin = sk.log_loss(label[1::2], scores[1::2], labels=[0, 1, 2])
    assert show(window, "log_loss") == pytest.approx(twin)
    assert sum(window["confidence"][:, 0]) == 20


def test_confusion_up_to_ten_classes():
    ten = show(multiclass([0, 9, 9], predicted=[0, 9, 1], classes=10), "window_confusion")
    assert len(ten) == 100
    assert ten["c9", "c9"] == ten["c9", "c1"] == ten["c0", "c0"] == 1
    assert sum(ten.values()) == 3
    assert show(multiclass([0], predicted=[10], classes=11), "window_confusion") is None
