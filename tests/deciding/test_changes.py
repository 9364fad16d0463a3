"""One change at a time in a real stream: what names it alarms, and nothing but what follows."""

from collections import Counter

import numpy as np
import pytest

from tests.deciding.support import alarms, decided, reference, rows_of, split, traffic
from tests.drift.streams import names

EVENTS = 8000
FEATURES = frozenset(names("carloan"))
QUALITY = frozenset(
    ("limit", metric)
    for metric in (
        "accuracy_ratio", "precision_ratio", "recall_ratio", "roc_auc_ratio", "brier_score"
    )
)  # fmt: skip


def shifted_feature(read):
    read["driver_tenure"] += 0.4 * read["driver_tenure"].std()


def null_category(read):
    read["salary_range"][::10] = [None] * len(read["salary_range"][::10])


def new_category(read):
    read["salary_range"][::10] = ["unheard of"] * len(read["salary_range"][::10])


def unit_change(read):
    read["car_value"] *= 1000


def label_flip(read):
    wrong = np.random.default_rng(5).random(len(read["y_true"])) < 0.08
    read["y_true"][wrong] = 1 - read["y_true"][wrong]


def score_shift(read):
    read["p_a"] = read["p_a"] ** 3


def prior_shift(read):
    """Half of the positives go, and other rows in their place."""
    rng = np.random.default_rng(6)
    zeros, ones = (np.flatnonzero(read["y_true"] == label) for label in (0, 1))
    keep = np.concatenate([zeros, rng.choice(zeros, len(ones) // 2), rng.permutation(ones)[::2]])
    for name, column in read.items():
        read[name] = column[keep] if isinstance(column, np.ndarray) else [column[i] for i in keep]


CHANGES = {
    # change: (what names it, what may follow from it)
    shifted_feature: ({("feature", "driver_tenure")}, {("outside", "driver_tenure")}),
    null_category: ({("missing", "salary_range")}, set()),
    new_category: ({("outside", "salary_range")}, set()),
    unit_change: ({("outside", "car_value")}, {("feature", "car_value")}),
    label_flip: ({("limit", "accuracy_ratio"), ("limit", "brier_score")}, QUALITY),
    score_shift: ({("prediction",)}, QUALITY),
    # features and scores go with the classes; the share of right positives goes with their share
    prior_shift: ({("label",)}, QUALITY | {("prediction",)} | {("feature", f) for f in FEATURES}),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_raises_the_decision_that_names_it(change):
    found = alarms(decided([traffic(rows_of(EVENTS, 1), change=change)]))
    named, follows = CHANGES[change]
    assert named <= found
    assert found <= named | follows


@pytest.mark.parametrize("seed", range(6))
def test_the_reference_shuffled_raises_nothing(seed):
    found = decided([traffic(rows_of(5000, seed))])
    assert not alarms(found, "critical")
    assert not alarms(found, "warning")
    assert len(found.drift) == len(FEATURES) + 2
    assert len(found.quality) == 2 * len(FEATURES)
    assert Counter(one.breached for one in found.limits) == {False: 10}


def test_order_and_batches_do_not_matter():
    places = rows_of(3000, 3)
    whole = decided([traffic(places, change=shifted_feature)])
    assert alarms(whole)
    rng = np.random.default_rng(4)
    parts = split(traffic(places, change=shifted_feature), [1, 7, 992, 2000])
    for order in (parts, [parts[i] for i in rng.permutation(4)]):
        again = decided(order)
        assert again.drift == whole.drift
        assert again.quality == whole.quality
        assert [one.breached for one in again.limits] == [one.breached for one in whole.limits]


def test_warning_comes_with_critical():
    found = decided([traffic(rows_of(EVENTS, 1), change=score_shift)])
    assert alarms(found, "critical") <= alarms(found, "warning")


def test_numbers_that_a_decision_rests_on():
    found = decided([traffic(rows_of(EVENTS, 1))])
    assert found.series == (7 * 3 + 2) + 5
    for one in found.drift:
        assert one.n <= EVENTS
        assert one.n_eff == pytest.approx(1 / (1 / one.n + 1 / 50_000), rel=0.01)
        assert one.alpha == pytest.approx(0.5 / 43_200 / found.series)
        for level in one.levels.values():
            assert level.tolerated == 0.02
            assert level.limit > level.tolerated
    assert reference().independent


def test_what_is_missing_or_outside_leaves_the_effect_alone():
    def odd(read):
        read["car_value"][::10] = 1e9
        read["driver_tenure"][::10] = np.nan

    places = rows_of(EVENTS, 1)
    found = decided([traffic(places, change=odd)])
    assert alarms(found) == {("outside", "car_value"), ("missing", "driver_tenure")}
    kept = decided([traffic(np.delete(places, np.arange(0, EVENTS, 10)))])
    for name in ("car_value", "driver_tenure"):
        with_odd, without = (next(d for d in one.drift if d.name == name) for one in (found, kept))
        assert with_odd.n == without.n
        assert with_odd.effect == without.effect
