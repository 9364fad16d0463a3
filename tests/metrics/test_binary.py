"""Metrics of binary models beside their scikit-learn twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from tests.metrics.build import binary, show

POWERS = st.sampled_from([0.0, 1.0, 1e-300, 1 - 1e-16, 0.5, np.nextafter(0.5, 0), 1e-9, 0.1, 0.3])
SCORES = st.one_of(POWERS, st.floats(0, 1), st.integers(0, 100).map(lambda k: k / 100))
EVENTS = st.lists(st.tuples(st.integers(0, 1), SCORES), min_size=1, max_size=300)


def ece(label, score):
    bins = np.searchsorted(np.linspace(0, 1, 11)[1:-1], score, side="right")
    gaps = [abs((label - score)[bins == b].sum()) for b in range(10)]
    return sum(gaps) / len(label)


def specificity(label, predicted):
    return sk.recall_score(label, predicted, pos_label=0)


# Name, twin of labels and predicted classes, and when it is defined.
OF_CLASSES = [
    ("accuracy_ratio", sk.accuracy_score, lambda y, c: True),
    ("precision_ratio", sk.precision_score, lambda y, c: c.any()),
    ("recall_ratio", sk.recall_score, lambda y, c: y.any()),
    ("specificity_ratio", specificity, lambda y, c: not y.all()),
    ("f1_ratio", sk.f1_score, lambda y, c: y.any() or c.any()),
    ("balanced_accuracy_ratio", sk.balanced_accuracy_score, lambda y, c: both(y)),
    ("matthews_correlation", sk.matthews_corrcoef, lambda y, c: both(y) and both(c)),
]
# Name, and twin of labels and scores; these are always defined.
OF_SCORES = [
    ("brier_score", lambda y, s: sk.brier_score_loss(y, s, labels=[0, 1])),
    ("log_loss", lambda y, s: sk.log_loss(y, s, labels=[0, 1])),
    ("expected_calibration_error_ratio", ece),
]


def both(codes):
    return len(set(codes.tolist())) == 2


def columns(events):
    label, score = zip(*events, strict=True)
    return np.array(label), np.array(score)


@pytest.mark.parametrize(
    ("name", "twin", "defined"), OF_CLASSES, ids=[one[0] for one in OF_CLASSES]
)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=200))
def test_of_classes(name, twin, defined, events):
    label, predicted = columns(events)
    found = show(binary(label, predicted=predicted), name)
    if defined(label, predicted):
        assert found == pytest.approx(twin(label, predicted), abs=1e-9)
    else:
        assert found is None


@pytest.mark.parametrize(("name", "twin"), OF_SCORES, ids=[one[0] for one in OF_SCORES])
@given(EVENTS)
def test_of_scores(name, twin, events):
    label, score = columns(events)
    assert show(binary(label, score), name) == pytest.approx(twin(label, score), abs=1e-9)


@given(EVENTS)
def test_ranking(events):
    label, score = columns(events)
    window = binary(label, score)
    auc, bound = show(window, "roc_auc_ratio"), show(window, "roc_auc_error_bound")
    if not both(label):
        assert auc is None
        assert bound is None
        assert show(window, "average_precision_ratio") is None
        return
    assert abs(auc - sk.roc_auc_score(label, score)) <= bound + 1e-12
    assert 0 <= bound <= 0.5


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 40)), min_size=8, max_size=300))
def test_ranking_is_exact_where_every_score_has_its_bin(events):
    label, score = columns([(y, s / 40) for y, s in events])
    if not both(label) or 4 * len(set(score)) > len(score):
        return
    window = binary(label, score)
    assert show(window, "roc_auc_error_bound") == 0
    assert show(window, "roc_auc_ratio") == pytest.approx(sk.roc_auc_score(label, score))
    precision = sk.average_precision_score(label, score)
    assert show(window, "average_precision_ratio") == pytest.approx(precision)


ABOUT_POSITIVE = [
    "precision_ratio", "recall_ratio", "specificity_ratio", "f1_ratio", "roc_auc_ratio",
    "roc_auc_error_bound", "average_precision_ratio", "log_loss", "brier_score",
    "expected_calibration_error_ratio",
]  # fmt: skip


@pytest.mark.parametrize("name", ABOUT_POSITIVE)
def test_unknown_positive_class(name):
    label, score = [0, 1, 1, 0, 1, 0], [0.1, 0.9, 0.4, 0.6, 0.8, 0.2]
    assert show(binary(label, score), name) is not None
    assert show(binary(label, score, positive=None), name) is None
    assert show(binary(label, score, positive=None), "accuracy_ratio") == pytest.approx(4 / 6)


def test_positive_class_that_never_came():
    window = binary([0, 0, 1], [0.1, 0.2, 0.3], positive="fraud")
    assert show(window, "precision_ratio") is None
    assert show(window, "recall_ratio") is None
    assert show(window, "specificity_ratio") == 1
    assert show(window, "roc_auc_ratio") is None
    assert show(window, "brier_score") == pytest.approx((0.01 + 0.04 + 0.09) / 3)
    assert show(window, "expected_calibration_error_ratio") == pytest.approx(0.2)


def test_the_other_class_may_be_positive():
    label, score = np.array([0, 1, 1, 0, 0]), np.array([0.9, 0.2, 0.6, 0.7, 0.4])
    predicted = (score < 0.5).astype(int)  # a score is of class "0" here
    window = binary(label, score, predicted=predicted, positive="0")
    positive = label == 0
    assert show(window, "precision_ratio") == sk.precision_score(label, predicted, pos_label=0)
    assert show(window, "roc_auc_ratio") == pytest.approx(sk.roc_auc_score(positive, score))
    assert show(window, "log_loss") == pytest.approx(sk.log_loss(positive, score))


def test_events_without_score_count_for_the_classes_alone():
    window = binary([1, 0, 1], [0.8, np.nan, 0.4], predicted=[1, 1, 0])
    assert show(window, "accuracy_ratio") == pytest.approx(1 / 3)
    assert show(window, "brier_score") == pytest.approx((0.04 + 0.36) / 2)
    assert show(window, "log_loss") == pytest.approx(sk.log_loss([1, 1], [0.8, 0.4], labels=[0, 1]))


def test_an_event_at_the_threshold_is_positive():
    window = binary([1, 0], [0.5, np.nextafter(0.5, 0)])
    assert show(window, "f1_ratio") == 1
    assert show(window, "roc_auc_ratio") == 1


def test_no_labels():
    window = binary([], [])
    for name in [*ABOUT_POSITIVE, "accuracy_ratio", "balanced_accuracy_ratio"]:
        assert show(window, name) is None
    assert show(window, "window_labels") == 0
    assert set(show(window, "window_confusion").values()) == {0}


def test_metrics_per_class_only_where_wanted():
    label, predicted = [0, 1, 1, 0, 1], [0, 1, 0, 1, 1]
    assert show(binary(label, predicted=predicted), "class_recall_ratio") is None
    window = binary(label, predicted=predicted, per_class=True)
    assert show(window, "class_recall_ratio") == pytest.approx({"0": 1 / 2, "1": 2 / 3})
    assert show(window, "class_precision_ratio") == pytest.approx({"0": 1 / 2, "1": 2 / 3})
    assert show(window, "class_f1_ratio") == pytest.approx({"0": 1 / 2, "1": 2 / 3})
