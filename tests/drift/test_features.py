"""Data quality and distances through the real way in: what is shown, where, and from when."""

import json

import numpy as np
import pytest

from exporter.config.settings import DriftSettings, WindowSpec
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.reference.build import build
from exporter.web.view import model_view
from tests.engine.support import configured, monitor, only, samples, send

HOUR = WindowSpec("1h", 3600.0)
MINUTE = WindowSpec("1m", 60.0)
ALL = ("psi", "js", "ks", "wasserstein")


def events(size=400, shift=0.0, seed=1):
    rng = np.random.default_rng(seed)
    return [
        {
            "score": round(float(rng.random()), 6),
            "label": int(rng.random() < 0.5),
            "features": {
                "amount": float(rng.normal(shift, 1)),
                "colour": str(rng.choice(["red", "green", "blue"])),
                "name": f"n{rng.integers(1 << 40)}",
            },
        }
        for _ in range(size)
    ]


def reference(rows=None, **settings):
    rows = [{"model": "m", **row} for row in rows or events(1000)]
    columns, _ = check(decode("application/json", json.dumps(rows).encode()))
    return build(columns, configured(**settings))[0]


def watched(drift=None, windows=(MINUTE, HOUR)):
    """A monitor with a model that has a reference."""
    of = monitor(configured(), windows=windows, drift=drift or DriftSettings())
    of.models.find("m", "none", 0.0).adopt(reference(), 0.0)
    return of


def shown(of, name, **labels):
    found = samples(of, 1.0)
    return found.get((name, tuple(sorted({"model": "m", "version": "none", **labels}.items()))))


def families(of):
    return {name for name, _ in samples(of, 1.0)}


def test_totals_start_at_zero_and_count():
    of = watched()
    send(of, {"score": 0.5, "features": {"amount": 0.0, "colour": "red", "name": "x"}})
    assert shown(of, "model_feature_outside_total", feature="amount") == 0
    assert shown(of, "model_feature_unseen_total", feature="colour") == 0
    strange = [
        {"amount": 1e6, "colour": "mauve"},
        {"amount": "text", "colour": 17},
        {"amount": True, "colour": None},
    ]
    for features in strange:
        send(of, {"score": 0.5, "features": features})
    assert shown(of, "model_feature_outside_total", feature="amount") == 2
    assert shown(of, "model_feature_unseen_total", feature="colour") == 2
    assert shown(of, "model_feature_missing_total", feature="colour") == 1
    assert shown(of, "model_feature_unseen_total", feature="amount") is None
    assert shown(of, "model_feature_outside_total", feature="name") is None


def test_ratios_of_a_window():
    of = watched()
    for amount in (0.0, None, 1e6, "text"):
        send(of, {"score": 0.5, "features": {"amount": amount, "colour": "red"}})
    send(of, {"score": 0.5, "features": {"amount": 0.1, "colour": "mauve"}})
    assert shown(of, "model_feature_missing_ratio", feature="amount", window="1h") == 0.2
    assert shown(of, "model_feature_missing_ratio", feature="name", window="1h") == 1
    assert shown(of, "model_feature_outside_ratio", feature="amount", window="1h") == 0.4
    assert shown(of, "model_feature_outside_ratio", feature="colour", window="1h") == 0.2
    assert shown(of, "model_feature_outside_ratio", feature="name", window="1h") is None
    assert shown(of, "model_monitored_features", window="1h") == 3


def test_the_view_tells_of_types():
    of = watched()
    send(of, {"score": 0.5, "features": {"amount": "text", "colour": "mauve"}})
    told = model_view(of.models, only(of), 1.0)["windows"]["1h"]["features"]
    assert told["amount"] == {"events": 1, "missing": 0, "outside": 0, "unseen": 0, "other_type": 1}
    assert told["colour"]["unseen"] == 1
    assert told["name"]["missing"] == 1


def test_totals_outlive_the_reference():
    of = watched()
    send(of, {"score": 0.5, "features": {"amount": 1e6, "colour": "mauve"}})
    shifted = [{**row, "features": {**row["features"], "amount": 1e6 + i}}
               for i, row in enumerate(events(300))]  # fmt: skip
    only(of).adopt(reference(shifted), 0.5)
    send(of, {"score": 0.5, "features": {"amount": 1e6 + 5, "colour": "red"}})
    assert shown(of, "model_feature_outside_total", feature="amount") == 1
    assert shown(of, "model_feature_unseen_total", feature="colour") == 1


def test_only_in_the_windows_of_drift():
    of = watched()
    send(of, *events())
    assert shown(of, "model_feature_psi", feature="amount", window="1h") is not None
    assert shown(of, "model_feature_psi", feature="amount", window="1m") is None
    assert shown(of, "model_feature_missing_ratio", feature="amount", window="1m") is None
    of = watched(DriftSettings(windows=("1m",)))
    send(of, *events())
    assert shown(of, "model_feature_psi", feature="amount", window="1h") is None
    assert shown(of, "model_feature_psi", feature="amount", window="1m") is not None


def test_only_the_distances_that_are_asked_for():
    of = watched()
    send(of, *events())
    distances = {name for name in families(of) if name.endswith(("psi", "distance", "statistic"))}
    assert distances == {"model_feature_psi", "model_prediction_psi", "model_label_psi"}
    of = watched(DriftSettings(distances=("ks",)))
    send(of, *events())
    distances = {name for name in families(of) if name.endswith(("psi", "distance", "statistic"))}
    assert distances == {"model_feature_ks_statistic", "model_prediction_ks_statistic"}


def test_a_shift_is_seen_in_every_distance():
    drift = DriftSettings(distances=ALL)
    same, moved = watched(drift), watched(drift)
    send(same, *events(seed=2))
    send(moved, *events(shift=1.0, seed=2))
    for name in ("psi", "js_distance", "ks_statistic", "wasserstein_distance"):
        pair = [
            shown(of, f"model_feature_{name}", feature="amount", window="1h")
            for of in (same, moved)
        ]
        assert pair[1] > 2 * pair[0] > 0
    found = shown(moved, "model_feature_wasserstein_distance", feature="amount", window="1h")
    assert found == pytest.approx(1.0, abs=0.15)
    assert shown(moved, "model_feature_ks_statistic", feature="colour", window="1h") is None


def test_nothing_without_a_reference():
    of = monitor(configured(), windows=(HOUR,), drift=DriftSettings(distances=ALL))
    send(of, *events())
    assert not any("psi" in name or "outside" in name for name in families(of))
    assert "model_monitored_features" not in families(of)
    assert shown(of, "model_feature_missing_ratio", feature="amount", window="1h") == 0


def regression_events(size, shift, seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(shift, 1, (size, 2)).tolist()
    return [{"prediction": value, "label": label} for value, label in values]


def test_outputs_and_labels_of_a_regression():
    settings = {"task": "regression"}
    of = monitor(configured(**settings), windows=(HOUR,), drift=DriftSettings(distances=ALL))
    known = reference(regression_events(1000, 0, 1), **settings)
    of.models.find("m", "none", 0.0).adopt(known, 0.0)
    send(of, *regression_events(500, 1, 2))
    assert shown(of, "model_prediction_psi", window="1h") > 0.5
    assert shown(of, "model_prediction_ks_statistic", window="1h") == pytest.approx(0.38, abs=0.08)
    assert shown(of, "model_prediction_js_distance", window="1h") > 0.2
    assert shown(of, "model_label_psi", window="1h") > 0.5


def test_outputs_of_a_multiclass_model_are_its_classes():
    def rows(shares, seed):
        rng = np.random.default_rng(seed)
        chosen = rng.choice(["a", "b", "c"], 500, p=shares).tolist()
        return [{"prediction": one, "label": one} for one in chosen]

    settings = {"task": "multiclass"}
    of = monitor(configured(**settings), windows=(HOUR,), drift=DriftSettings(distances=ALL))
    of.models.find("m", "none", 0.0).adopt(reference(rows([0.4, 0.3, 0.3], 1), **settings), 0.0)
    send(of, *rows([0.1, 0.1, 0.8], 2), {"prediction": "new", "label": "new"})
    assert shown(of, "model_prediction_psi", window="1h") > 0.5
    assert shown(of, "model_label_psi", window="1h") > 0.5
    assert shown(of, "model_prediction_ks_statistic", window="1h") is None
