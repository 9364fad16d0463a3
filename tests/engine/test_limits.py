"""Limits: breached only when the data say so, at the stated rate, and held in between."""

import math

import pytest
from scipy import stats

from exporter import limits
from exporter.config import Limit, WindowSpec
from tests.engine.support import MINUTE, configured, monitor, only, samples, send, value, version
from tests.golden import scenario

LIMIT = 0.9
ACCURACY = configured(limits=(Limit("accuracy_ratio", "min", LIMIT),))
BUDGET = 0.5 * 60 / (30 * 86_400)
"""Half a false alarm a month, decided every minute."""


def answer(of, right, wrong, now=0.0):
    events = [{"prediction": "yes", "label": "yes"}] * right
    send(of, *events, *[{"prediction": "yes", "label": "no"}] * wrong, now=now)


def breached(of, now=0.0, **labels):
    return value(of, "model_metric_limit_breached", now, **{"level": "critical", **labels})


def allowed(n, series):
    return BUDGET / series / (1 if n >= 1000 else 5)


@pytest.mark.parametrize("n", [300, 2000])
def test_breached_where_the_exact_tail_says_so_and_not_one_event_before(n):
    limit = allowed(n, 1)
    fewest = int(stats.binom.ppf(limit, n, LIMIT))
    while stats.binom.cdf(fewest, n, LIMIT) >= limit:
        fewest -= 1
    for right, expected in ((fewest, 1), (fewest + 1, 0), (n, 0)):
        fed = monitor(ACCURACY)
        answer(fed, right, n - right)
        fed.tick(1.0)
        assert breached(fed, 1.0) == expected
        (decision,) = only(fed).decisions.limits
        assert decision.n == n
        assert decision.alpha == pytest.approx(limit)
        assert decision.tail == pytest.approx(stats.binom.cdf(right, n, LIMIT), rel=1e-9)
        assert decision.value == right / n


def test_all_decisions_of_a_model_share_the_budget():
    both = (*ACCURACY.limits, Limit("log_loss", "max", 1.0))
    fed = monitor(configured(limits=both), windows=[MINUTE, WindowSpec("1h", 3600.0)])
    answer(fed, 10, 10)
    send(fed, {"version": "v2", "prediction": "yes"}, {"version": "v3", "prediction": "yes"})
    fed.tick(1.0)
    alphas = [d.alpha for d in version(fed, "none").decisions.limits]
    assert alphas == [pytest.approx(allowed(20, 2 * 2 * 3))] * 4


def test_undecided_before_any_outcome_could_be_unlikely_enough():
    needed = math.ceil(math.log(allowed(1, 1)) / math.log(1 - LIMIT))
    for n, expected in ((needed - 1, None), (needed, 1)):
        fed = monitor(ACCURACY)
        answer(fed, 0, n)
        fed.tick(1.0)
        assert breached(fed, 1.0) == expected
        assert value(fed, "model_metric_limit", 1.0, level="critical", bound="min") == LIMIT


def test_nothing_is_said_without_labels():
    fed = monitor(ACCURACY)
    send(fed, {"prediction": "yes"})
    fed.tick(1.0)
    assert breached(fed, 1.0) is None
    assert value(fed, "model_metric_limit", 1.0, level="warning") == LIMIT


def test_decisions_are_held_between_the_intervals():
    fed = monitor(ACCURACY)
    answer(fed, 500, 0)
    fed.tick(0.0)
    assert breached(fed) == 0
    answer(fed, 0, 500, now=1.0)
    for now in (1.0, 30.0, 59.9):
        fed.tick(now)
        assert breached(fed, now) == 0
    fed.tick(60.0)
    assert breached(fed, 60.0) == 1
    fed.tick(119.0)
    assert breached(fed, 119.0) == 1
    fed.tick(130.0)
    assert breached(fed, 130.0) is None


def test_the_first_model_does_not_wait_an_interval_for_its_decision():
    fed = monitor(ACCURACY)
    fed.tick(0.0)
    answer(fed, 0, 500, now=5.0)
    fed.tick(5.1)
    assert breached(fed, 5.1) == 1


def test_a_warning_is_there_whenever_a_critical_is():
    fed = monitor(ACCURACY)
    answer(fed, 0, 500)
    fed.tick(0.0)
    assert breached(fed, level="warning") == breached(fed, level="critical") == 1


def test_limits_of_other_tasks_and_unknown_values_say_nothing():
    fed = monitor(configured(limits=(Limit("mean_absolute_error", "max", 1.0),)))
    answer(fed, 0, 500)
    fed.tick(0.0)
    assert only(fed).decisions.limits == []


def test_new_settings_are_decided_by_at_once():
    fed = monitor(ACCURACY)
    answer(fed, 400, 100)
    fed.tick(0.0)
    assert breached(fed) == 1
    lower = configured(limits=(Limit("accuracy_ratio", "min", 0.5),))
    fed.configure(monitor(lower).settings, 1.0)
    fed.tick(1.0)
    assert breached(fed, 1.0) == 0


def test_a_limit_on_many_metrics_decides_each():
    keys = ("accuracy_ratio", "f1_ratio", "precision_ratio", "recall_ratio", "specificity_ratio",
            "balanced_accuracy_ratio", "roc_auc_ratio")  # fmt: skip
    fed = monitor(configured(limits=tuple(Limit(key, "min", 0.8) for key in keys)))
    for n in range(600):
        send(fed, {"score": (n % 7) / 7, "label": n % 2})
    fed.tick(0.0)
    shown = {dict(labels)["metric"]: v for (name, labels), v in samples(fed).items()
             if name == "model_metric_limit_breached"}  # fmt: skip
    assert shown.keys() <= set(keys)
    assert shown["accuracy_ratio"] == shown["roc_auc_ratio"] == 1


def test_drops_need_a_reference():
    fed = monitor(configured(limits=(Limit("accuracy_ratio", "drop", 0.05),)))
    answer(fed, 0, 500)
    model = only(fed)
    wanted = limits.tested(model.settings, None)
    assert [one.metric.key for one in wanted] == ["accuracy_ratio"]
    for _, window in model.counts.all_windows(0.0):
        assert limits.decide(window, wanted, None, lambda n: 1e-6) == []
    fed.tick(0.0)
    assert model.decisions.limits == []


def test_every_metric_shows_its_value_in_the_reference_with_a_limit_or_without():
    fed = scenario.monitor(scenario.COMPARED, scenario.references())
    references = {
        (dict(labels)["window"], dict(labels)["metric"]): value
        for (name, labels), value in samples(fed, scenario.NOW).items()
        if name == "model_metric_reference" and ("model", "fraud") in labels
    }
    assert {"f1_ratio", "log_loss", "prediction_mean"} <= {metric for _, metric in references}
    windows = {spec.name for spec in fed.settings.windows}
    assert {window for window, _ in references} == windows
    for metric in ("accuracy_ratio", "f1_ratio", "log_loss"):
        assert len({references[window, metric] for window in windows}) == 1
    assert {metric for window, metric in references if window == "50 labels"}.isdisjoint(
        {"prediction_mean", "estimated_accuracy_ratio"}
    )
