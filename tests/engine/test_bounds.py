"""What holds whatever arrives: models, features, and who makes room for whom."""

import pytest

from exporter.config import WindowSpec
from tests.engine.support import MINUTE, configured, monitor, samples, send, value

HOUR = WindowSpec("1h", 3600.0)


def names(of):
    return [model.name for model in of.models]


def predict(of, *models, now=0.0):
    return send(of, *({"model": name, "prediction": "yes"} for name in models), now=now)


def test_three_thousand_names_in_one_batch():
    fed = monitor(max_models=200)
    outcome = predict(fed, *(f"m{n}" for n in range(3000)), *["m0"] * 5, *["m2999"] * 7)
    assert outcome.accepted == 3012
    shown = {dict(labels)["model"] for _, labels in samples(fed)}
    assert len(shown) == len(fed.models) == 200
    assert fed.models.over_by_reason()["max_models"] == 2807
    assert fed.models.received == 3012
    assert value(fed, "model_predictions_total", model="m0") == 6


@pytest.mark.parametrize("window", [MINUTE, WindowSpec("100 labels", labels=100)])
def test_labels_of_unknown_models_are_bounded_too(window):
    fed = monitor(max_models=3, windows=[window])
    outcome = send(fed, *({"model": f"m{n}", "id": "a", "label": "yes"} for n in range(10)))
    assert outcome.accepted == 10
    assert len(fed.models) == 3
    assert fed.models.over_by_reason()["max_models"] == 7
    assert fed.models.store.table.used == 3


def test_the_model_idle_longest_makes_room_after_the_longest_window():
    fed = monitor(max_models=2, windows=[MINUTE, HOUR])
    predict(fed, "old", now=0.0)
    predict(fed, "young", now=100.0)
    predict(fed, "early", now=3599.0)
    assert names(fed) == ["old", "young"]
    predict(fed, "new", now=3600.0)
    assert names(fed) == ["young", "new"]
    predict(fed, "next", now=3699.0)
    assert names(fed) == ["young", "new"]
    assert fed.models.over_by_reason()["max_models"] == 2


def test_what_a_model_sent_keeps_it():
    fed = monitor(max_models=2)
    predict(fed, "a", "b")
    send(fed, {"model": "a", "id": "x", "label": "yes"}, now=50.0)
    predict(fed, "c", now=70.0)
    assert names(fed) == ["a", "c"]


@pytest.mark.parametrize("rounds", [1, 4])
def test_never_the_newest_when_windows_have_no_length(rounds):
    fed = monitor(max_models=2, windows=[WindowSpec("100 labels", labels=100)])
    for now in range(rounds):
        predict(fed, "a", "b", "c", "d", now=float(now))
    assert names(fed) == ["a", "b"]
    assert fed.models.over_by_reason()["max_models"] == 2 * rounds


def test_a_silent_model_leaves_after_its_time_if_nothing_waits():
    fed = monitor(model_ttl=100.0, ttl=500.0)
    predict(fed, "plain")
    send(fed, {"model": "pending", "id": "a", "prediction": "yes"})
    send(fed, {"model": "waiting", "id": "a", "label": "yes"})
    assert fed.models.idle(99.0) == []
    assert [one.name for one in fed.models.idle(110.0)] == ["plain"]
    fed.delete("plain")
    assert names(fed) == ["pending", "waiting"]
    fed.tick(512.0)
    for one in fed.models.idle(512.0):
        fed.delete(one.name, one.version)
    assert names(fed) == []
    assert fed.models.store.table.used == 0
    assert samples(fed, 512.0) == {}


def test_features_over_the_bound_are_counted_by_event():
    fed = monitor()
    many = {f"f{number:03d}": 1.0 for number in range(250)}
    send(fed, {"prediction": "yes", "features": many}, {"prediction": "no", "features": many})
    send(fed, {"prediction": "yes", "features": {"f000": None, "f199": 2.0}})
    values = [name for name, _ in samples(fed) if name == "model_feature_values_total"]
    assert len(values) == 200
    assert fed.models.over_by_reason()["max_features"] == 2
    assert value(fed, "model_feature_values_total", feature="f199") == 3
    assert value(fed, "model_feature_missing_total", feature="f000") == 1
    assert value(fed, "model_feature_missing_total", feature="f100") == 1
    assert value(fed, "model_feature_values_total", feature="f200") is None


def test_events_without_features_are_not_missing_any():
    fed = monitor()
    send(fed, {"prediction": "yes", "features": {"a": 1}}, {"prediction": "yes"})
    send(fed, {"prediction": "yes", "features": {"b": "x"}}, {"prediction": "yes", "features": {}})
    assert value(fed, "model_feature_values_total", feature="a") == 3
    assert value(fed, "model_feature_missing_total", feature="a") == 2


def test_what_was_dropped_is_still_counted_when_its_model_is_gone():
    fed = monitor()
    send(fed, {"prediction": "yes", "features": {f"f{n}": 1 for n in range(201)}})
    before = fed.models.over_by_reason()
    fed.delete("m")
    assert fed.models.over_by_reason() == before == {"max_features": 1, "max_classes": 0}


def test_owners_of_ids_are_used_again():
    fed = monitor(max_models=2)
    for number in range(500):
        send(fed, {"model": f"m{number}", "id": "a", "prediction": "yes"}, now=number * 100.0)
        send(fed, {"model": f"m{number}", "id": "b", "label": "yes"}, now=number * 100.0)
    table = fed.models.store.table
    assert len(fed.models) == 2
    assert len(table._owners) == 4
    assert max(table._owners) < 10
    assert table.used == 4


def test_other_windows_start_anew_and_totals_stay():
    fed = monitor(configured(), windows=[MINUTE])
    predict(fed, *["m"] * 1500)
    fed.tick(1.0)
    fed.configure(monitor(windows=[HOUR]).settings, 2.0)
    assert value(fed, "model_predictions_total", 2.0) == 1500
    assert value(fed, "model_window_predictions", 2.0, window="1m") is None
    assert value(fed, "model_window_predictions", 2.0, window="1h") == 0
    predict(fed, "m", now=3.0)
    assert value(fed, "model_window_predictions", 3.0, window="1h") == 1
    assert value(fed, "model_predictions_total", 3.0) == 1501
