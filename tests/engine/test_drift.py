"""Decisions about a live model: made when they are due, held, and shown with their numbers."""

import json

import numpy as np
import pytest

from exporter.config import Limit, WindowSpec
from exporter.config.settings import DriftSettings
from exporter.ingest.columns import Columns
from exporter.intake import Moment
from exporter.reference.build import build
from exporter.rows import Predictions, concat
from exporter.web.page.fleet import row
from exporter.web.page.rows import table
from exporter.web.view import model_view
from tests.engine.support import WALL, configured, monitor, only, value

HOUR = WindowSpec("1h", 3600.0)


def events(count, seed, shift=0.0, missing=0.0, at=0.0):
    """Checked events of a binary model with two features and labels."""
    rng = np.random.default_rng(seed)
    score = rng.random(count)
    number = rng.normal(size=count) + shift
    number[rng.random(count) < missing] = np.nan
    return Columns(
        range(count),
        ["m"] * count,
        ts=np.full(count, WALL + at),
        score=score,
        label=[("0", "1")[int(one)] for one in rng.random(count) < score],
        features={"number": number, "letter": ["abc"[i] for i in rng.integers(0, 3, count)]},
        predicts=np.ones(count, bool),
    )


@pytest.fixture
def watched():
    """A monitor with a model that has a reference, and 2000 events like it."""
    settings = configured(task="binary", positive_class="1")
    of = monitor(settings, windows=(HOUR,))
    known, _ = build(events(20_000, 1), settings, independent=True)
    of.models.find("m", "none", 0.0).adopt(known, 0.0)
    send(of, events(2000, 2), 0.0)
    of.tick(60.0)
    return of


def send(of, columns, now):
    outcome = of.ingest(columns, [], Moment(now, WALL + now))
    assert not outcome.rejected


def test_nothing_is_wrong(watched):
    for name, labels in (
        ("model_feature_drift_detected", {"feature": "number"}),
        ("model_feature_quality_detected", {"feature": "number", "problem": "missing"}),
        ("model_feature_quality_detected", {"feature": "letter", "problem": "outside"}),
        ("model_prediction_drift_detected", {}),
        ("model_label_drift_detected", {}),
        ("model_drifted_features", {}),
        ("model_metric_limit_breached", {"metric": "accuracy_ratio", "bound": "min"}),
    ):
        for level in ("warning", "critical"):
            assert value(watched, name, 60.0, **labels, level=level, window="1h") == 0, name


def test_a_shift_is_seen_at_the_next_decision_and_held_until_then(watched):
    send(watched, events(2000, 3, shift=1.5, missing=0.2), 70.0)
    watched.tick(80.0)
    about = {"feature": "number", "level": "critical", "window": "1h"}
    assert value(watched, "model_feature_drift_detected", 80.0, **about) == 0
    watched.tick(121.0)
    assert value(watched, "model_feature_drift_detected", 121.0, **about) == 1
    assert value(watched, "model_drifted_features", 121.0, level="critical") == 1
    effect = value(watched, "model_feature_drift_effect", 121.0, feature="number")
    assert effect > value(watched, "model_feature_drift_limit", 121.0, **about)
    missing = {"problem": "missing", "level": "critical"}
    assert value(watched, "model_feature_quality_detected", feature="number", **missing) == 1
    assert value(watched, "model_feature_quality_detected", feature="letter", **missing) == 0
    assert value(watched, "model_feature_drift_detected", feature="letter", level="critical") == 0


def test_too_few_events_decide_nothing():
    settings = configured(task="binary", positive_class="1")
    of = monitor(settings, windows=(HOUR,))
    known, _ = build(events(20_000, 1), settings, independent=True)
    of.models.find("m", "none", 0.0).adopt(known, 0.0)
    send(of, events(199, 2), 0.0)
    of.tick(60.0)
    for name in ("model_feature_drift_effect", "model_feature_drift_detected"):
        assert value(of, name, 60.0, feature="number", level="critical") is None
    assert value(of, "model_drifted_features", 60.0, level="critical") is None


def test_only_windows_of_an_hour_and_more_are_compared_unless_told():
    for drift, shown in ((DriftSettings(), {"1h"}), (DriftSettings(windows=("5m",)), {"5m"})):
        settings = configured(task="binary", positive_class="1")
        of = monitor(settings, windows=(WindowSpec("5m", 300.0), HOUR), drift=drift)
        known, _ = build(events(20_000, 1), settings, independent=True)
        of.models.find("m", "none", 0.0).adopt(known, 0.0)
        send(of, events(2000, 2), 0.0)
        of.tick(60.0)
        found = only(of).decisions
        assert {one.window for one in found.drift} == shown
        assert {one.window for one in found.quality} == shown
        assert {one.window for one in found.limits} == {"5m", "1h"}


def test_all_series_of_all_versions_share_the_budget(watched):
    one = only(watched).decisions
    # two features with drift, missing and outside; outputs; labels; five derived limits
    assert one.series == 2 * 3 + 2 + 5
    columns = events(10, 5)
    columns.version = ["other"] * 10
    send(watched, columns, 100.0)
    watched.tick(130.0)
    found = {model.version: model.decisions for model in watched.models.versions("m")}
    assert found["none"].series == 2 * one.series
    assert found["none"].drift[0].alpha == pytest.approx(one.drift[0].alpha / 2)


@pytest.mark.parametrize(
    ("sent", "seconds", "filled"), [(2000, 60.0, 2), (2000, 600.0, 1), (199, 60.0, 0)]
)
def test_windows_with_too_few_events_take_no_share_of_the_budget(sent, seconds, filled):
    settings = configured(task="binary", positive_class="1")
    drift = DriftSettings(windows=("5m", "1h"))
    of = monitor(settings, windows=(WindowSpec("5m", 300.0), HOUR), drift=drift)
    known, _ = build(events(20_000, 1), settings, independent=True)
    of.models.find("m", "none", 0.0).adopt(known, 0.0)
    send(of, events(sent, 2), 0.0)
    of.tick(seconds)
    found = only(of).decisions
    # in each filled window as above; five derived limits in both
    assert found.series == filled * (2 * 3 + 2) + 5 * 2
    assert len({one.window for one in found.quality}) == filled
    every = [*found.drift, *found.quality, *found.limits]
    critical = {(type(one), *one[:3]): one.alpha for one in every if "critical" in one.levels}
    assert 0 < sum(critical.values()) <= 0.5 / 43_200 * 1.000001


def test_limits_without_a_reference_have_the_budget_to_themselves():
    of = monitor(configured(limits=(Limit("accuracy_ratio", "min", 0.5),)), windows=(HOUR,))
    send(of, events(2000, 2), 0.0)
    of.tick(60.0)
    found = only(of).decisions
    assert found.series == 1
    assert not found.drift
    assert value(of, "model_metric_reference", 60.0) is None


def test_the_numbers_are_in_the_json_view(watched):
    view = model_view(watched.models, only(watched), 60.0)
    shown = json.loads(json.dumps(view))
    assert shown["deciding"] == {"series": 13, "no_critical_because": None}
    window = shown["windows"]["1h"]
    (drift,) = [one for one in window["drift"] if one["feature"] == "number"]
    assert drift["events"] == pytest.approx(2000, abs=10)
    assert drift["effect"] < drift["levels"]["critical"]["limit"]
    (missing,) = [
        one
        for one in window["quality"]
        if (one["feature"], one["problem"]) == ("number", "missing")
    ]
    assert missing["affected"] == 0
    assert missing["accountable_share"] == pytest.approx(0.01 + 0.0007, abs=1e-4)
    assert {one["limit_from"] for one in window["decisions"]} == {"reference"}
    for one in window["decisions"]:
        sign = {"min": -1, "max": 1}[one["bound"]]
        assert one["limit"] == one["reference_bound"] + sign * one["tolerated"]


def test_without_the_reference_its_decisions_go(watched):
    only(watched).adopt(None, 61.0)
    watched.tick(200.0)
    assert not only(watched).decisions.drift
    assert value(watched, "model_feature_drift_effect", 200.0, feature="number") is None


def test_features_that_wait_together_may_be_arrays_and_lists():
    array = Predictions(2, features={"x": np.array([1.0, np.nan])})
    several = Predictions(2, features={"x": [3, None], "y": ["a", "b"]})
    assert concat([array, array]).features["x"][2] == 1.0
    found = concat([array, several]).features
    assert [type(one) for one in found["x"]] == [float, float, int, type(None)]
    assert found["y"] == [None, None, "a", "b"]


def test_the_landing_page_names_what_is_wrong(watched):
    def page(now):
        return table([row(only(watched), now)], None)

    assert '<td class="drift"><span class="fine">✔ none</span></td>' in page(60.0)
    send(watched, events(2000, 3, shift=1.5, missing=0.2), 70.0)
    watched.tick(121.0)
    assert '<span class="critical">✖ number drifted, number missing</span>' in page(121.0)


def test_another_reference_is_decided_by_at_once(watched):
    assert (
        value(watched, "model_feature_drift_detected", 60.0, feature="number", level="critical")
        == 0
    )
    shifted, _ = build(events(20_000, 3, shift=2.0), only(watched).settings, independent=True)
    only(watched).adopt(shifted, 61.0)
    assert only(watched).decisions.limits == []
    send(watched, events(2000, 4), 61.1)
    watched.tick(61.2)
    assert (
        value(
            watched, "model_metric_limit_breached", 61.2, metric="accuracy_ratio", level="critical"
        )
        == 0
    )
    assert (
        value(watched, "model_feature_drift_detected", 61.2, feature="number", level="critical")
        == 1
    )
