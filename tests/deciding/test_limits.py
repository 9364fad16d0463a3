"""Limits: configured, as a drop, and derived from the reference."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from exporter.config import Limit, WindowSpec
from exporter.config.settings import DriftSettings, LabelSettings
from exporter.drift.tolerance import caveat, tolerance
from exporter.reference.reference import WEEK, Variability
from exporter.registry import METRICS
from tests.deciding.support import MODEL, decided, reference, rows_of, traffic

HOUR = 3600.0


def value(key):
    known = reference()
    return METRICS[f"model_{key}"].value(known.under(known.schema))


def by_metric(decisions, level="critical"):
    return {one.metric: one for one in decisions.limits if level in one.levels}


def varying(**about):
    """The reference with other circumstances."""
    return replace(reference(), independent=False, covers=None, **about)


def test_derived_limits_are_1e_4_bounds_of_the_reference():
    found = by_metric(decided([traffic(rows_of(4000, 1))]))
    accuracy = value("accuracy_ratio")
    wilson = stats.binomtest(accuracy.successes, accuracy.n).proportion_ci(
        confidence_level=1 - 2 * stats.norm.sf(3.719), method="wilson"
    )
    assert found["accuracy_ratio"].limit == pytest.approx(wilson.low, rel=1e-9)
    brier = value("brier_score")
    assert found["brier_score"].bound == "max"
    assert found["brier_score"].limit == pytest.approx(brier.value + 3.719 * brier.error)
    auc = value("roc_auc_ratio")
    wanted = auc.value - 3.719 * auc.error - auc.slack
    assert found["roc_auc_ratio"].limit == pytest.approx(wanted)
    assert found["accuracy_ratio"].reference == accuracy.value
    assert found["accuracy_ratio"].source == "reference"


@pytest.mark.parametrize(("key", "sign"), [("accuracy_ratio", -1), ("brier_score", 1)])
def test_natural_variability_moves_a_derived_limit(key, sign):
    about = Variability(10, {}, {key: 1e-4})
    known = replace(varying(variability={900.0: about}), covers=WEEK)
    found = decided([traffic(rows_of(3000, 1))], known).limits
    limits = {one.levels: one for one in found if one.metric == key}
    assert set(limits) == {("warning",), ("critical",)}
    start = by_metric(decided([traffic(rows_of(3000, 1))]))[key].limit
    for level, c in (("warning", 10), ("critical", 28)):
        one = limits[level,]
        assert one.limit == pytest.approx(start + sign * np.sqrt(c * 1e-4))
        assert one.accountable == pytest.approx(start)
        assert one.tolerated == pytest.approx(np.sqrt(c * 1e-4))


def test_configured_limits_take_the_place_of_derived_ones():
    model = replace(MODEL, limits=(Limit("accuracy_ratio", "min", 0.5),))
    found = decided([traffic(rows_of(2000, 1))], model=model).limits
    assert [(one.metric, one.limit, one.source) for one in found] == [
        ("accuracy_ratio", 0.5, "configured")
    ]
    assert found[0].levels == ("warning", "critical")


@pytest.mark.parametrize(
    ("key", "bound", "sign"), [("roc_auc_ratio", "min", -1), ("brier_score", "max", 1)]
)
def test_a_drop_is_relative_to_the_reference(key, bound, sign):
    model = replace(MODEL, limits=(Limit(key, "drop", 0.05),))
    (found,) = decided([traffic(rows_of(2000, 1))], model=model).limits
    assert found.bound == bound
    assert found.limit == pytest.approx(value(key).value + sign * 0.05)
    assert found.breached is False


@pytest.mark.parametrize(
    ("key", "bound", "stated", "strictest"),
    [
        ("roc_auc_ratio", "min", 0.5, "drop"),
        ("roc_auc_ratio", "min", 0.96, "configured"),
        ("brier_score", "max", 0.9, "drop"),
        ("brier_score", "max", 0.06, "configured"),
    ],
)
def test_of_two_limits_to_one_side_the_strictest_counts(key, bound, stated, strictest):
    both = (Limit(key, bound, stated), Limit(key, "drop", 0.05))
    for limits in (both, both[::-1]):
        (found,) = decided([traffic(rows_of(2000, 1))], model=replace(MODEL, limits=limits)).limits
        assert (found.bound, found.source) == (bound, strictest)


def test_a_drop_of_what_should_be_near_zero_is_to_both_sides():
    model = replace(MODEL, limits=(Limit("estimated_accuracy_gap_ratio", "drop", 0.05),))
    found = decided([traffic(rows_of(2000, 1))], model=model).limits
    known = value("estimated_accuracy_gap_ratio").value
    assert {one.bound: one.limit for one in found} == {
        "min": pytest.approx(known - 0.05),
        "max": pytest.approx(known + 0.05),
    }


def test_of_selected_labels_only_precision_is_judged():
    model = replace(MODEL, labels=LabelSettings(coverage="selective"))
    found = decided([traffic(rows_of(2000, 1))], model=model)
    assert {one.metric for one in found.limits} == {"precision_ratio"}
    assert "label" not in {one.kind for one in found.drift}


def test_accuracy_is_not_judged_with_a_rare_class():
    from exporter.reference.build import build
    from tests.drift.streams import columns, table

    labels = table("carloan", "reference")["y_true"]
    rare = np.concatenate([np.flatnonzero(labels == 0)[:20_000], np.flatnonzero(labels == 1)[:900]])
    known, _ = build(columns("carloan", "reference", rare), MODEL, independent=True)
    found = decided([traffic(rows_of(2000, 1))], known)
    assert "accuracy_ratio" not in by_metric(found)
    assert {"precision_ratio", "recall_ratio", "roc_auc_ratio"} <= set(by_metric(found))


def test_without_times_there_is_no_critical_level():
    known = varying(variability={})
    found = decided([traffic(rows_of(3000, 1))], known)
    assert {level for one in found.drift for level in one.levels} == {"warning"}
    assert {one.levels for one in found.limits} == {("warning",)}
    assert {one.levels for one in found.quality} == {("warning", "critical")}
    assert "time stamps" in found.caveat


def some(windows=10, effect=0.001):
    return Variability(windows, {"feature:car_value": effect}, {"accuracy_ratio": 1e-4})


def test_a_window_takes_the_next_shorter_length():
    known = replace(
        varying(variability={900.0: some(effect=0.1), HOUR: some(effect=0.2)}), covers=WEEK
    )
    drift = DriftSettings()
    assert tolerance(known, HOUR, drift).effect("feature:car_value").natural == 0.2
    assert tolerance(known, HOUR - 1, drift).effect("feature:car_value").natural == 0.1
    assert tolerance(known, 86_400.0, drift).effect("feature:car_value").natural == 0.2
    shorter = tolerance(known, 300.0, drift)
    assert shorter.effect("feature:car_value").natural == 0.1
    assert shorter.effect("feature:car_value").levels == ("warning",)


def test_critical_wants_a_week_five_windows_or_a_voucher():
    def levels(**about):
        known = replace(varying(variability={HOUR: some(about.pop("windows", 10))}), **about)
        return tolerance(known, HOUR, DriftSettings()).effect("feature:car_value").levels, known

    both, only = ("warning", "critical"), ("warning",)
    assert levels(covers=WEEK)[0] == both
    assert levels(covers=WEEK - 60.0)[0] == both
    assert levels(covers=6 * 86_400.0)[0] == only
    assert "week" in caveat(levels(covers=6 * 86_400.0)[1])
    assert levels(covers=WEEK, windows=4)[0] == only
    assert levels(covers=None)[0] == only
    assert levels(covers=None, independent=True)[0] == both
    assert caveat(levels(covers=WEEK)[1]) is None
    assert "too few events" in caveat(levels(covers=WEEK, windows=4)[1])


def test_tolerance_is_the_larger_of_both():
    known = replace(varying(variability={HOUR: some(effect=0.003)}), covers=WEEK)
    found = tolerance(known, HOUR, DriftSettings())
    assert found.effect("feature:car_value").tolerated == pytest.approx((0.03, 0.084))
    assert found.effect("feature:driver_tenure").tolerated == (0.02, 0.02)
    assert tolerance(known, HOUR, DriftSettings(min_effect=0.0)).least == 0.01


def test_a_window_that_has_just_begun_is_as_short_as_it_is():
    known = replace(
        varying(variability={HOUR: some(effect=0.5), 86_400.0: some(effect=0.001)}), covers=WEEK
    )
    found = decided([traffic(rows_of(3000, 1))], known, windows=(WindowSpec("24h", 86_400.0),))
    (one,) = [one for one in found.drift if one.name == "car_value"]
    assert one.natural == 0.5
    assert set(one.levels) == {"warning"}
