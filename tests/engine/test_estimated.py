"""Estimated quality of live models: from a reference that they adopt, through the way in."""

from operator import itemgetter

import msgspec
import numpy as np
import pytest

from exporter.config import ModelSettings, WindowSpec
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.layout import Layout
from exporter.reference.build import build
from exporter.registry import METRICS, STATISTICS
from exporter.window import Window
from tests.engine.support import configured, monitor, only, samples, send, value

ESTIMATES = [f"model_estimated_{name}_ratio" for name in ("accuracy", "precision", "recall", "f1")]
ESTIMATES.append("model_estimated_roc_auc_ratio")
GAP = "model_estimated_accuracy_gap_ratio"


def reference(events, **settings):
    body = msgspec.json.encode([{"model": "m", **event} for event in events])
    columns, rejected = check(decode("application/json", body))
    assert not rejected
    return build(columns, ModelSettings(name="m", **settings))[0]


def binary(size, seed=1, names=("no", "yes")):
    """Events of a model that is right with the probability that its scores say."""
    rng = np.random.default_rng(seed)
    score = rng.random(size).round(2)
    label = rng.random(size) < score
    return [
        {"score": s, "prediction": names[s >= 0.5], "label": names[int(y)]}
        for s, y in zip(score.tolist(), label.tolist(), strict=True)
    ]


def multiclass(size, seed=1, names=("a", "b", "c")):
    """Events of a model that thinks too little of its first class, too much of its last."""
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet((1, 2, 3), size).round(3)
    truth = np.cumsum(scores * (2.5, 1, 0.6), axis=1)
    label = (rng.random((size, 1)) * truth[:, -1:] > truth).sum(axis=1)
    return [
        {
            "scores": dict(zip(names, row, strict=True)),
            "prediction": names[int(np.argmax(row))],
            "label": names[min(y, len(names) - 1)],
        }
        for row, y in zip(scores.tolist(), label.tolist(), strict=True)
    ]


def unlabelled(events):
    return [{k: v for k, v in event.items() if k != "label"} for event in events]


def live(events, of=None, **settings):
    """A monitor whose model ``m`` compares with the reference ``of``."""
    fed = monitor(configured("m", **settings))
    if of is not None:
        fed.models.find("m", "none", 0.0).adopt(of, 0.0)
    assert not send(fed, *events).rejected
    return fed


def shown(fed):
    return {name: value(fed, name) for name in (*ESTIMATES, GAP)}


@pytest.mark.parametrize("events", [binary, multiclass])
def test_estimates_come_before_labels(events):
    of = reference(events(4000), positive_class="yes" if events is binary else None)
    fed = live(unlabelled(events(3000, seed=2)), of)
    found = shown(fed)
    assert found.pop(GAP) is None
    labelled = live(events(3000, seed=2), of)
    for name, estimated in found.items():
        realised = value(labelled, name.replace("estimated_", ""))
        assert estimated == pytest.approx(realised, abs=0.04)
    assert value(labelled, GAP) == pytest.approx(
        found["model_estimated_accuracy_ratio"] - value(labelled, "model_accuracy_ratio"), abs=1e-9
    )
    bound = value(labelled, "model_metric_confidence_bound", metric=GAP[6:], bound="upper")
    assert value(labelled, GAP) < bound


def test_windows_of_labels_show_the_gap_alone():
    fed = monitor(configured("m"), windows=(WindowSpec("100 labels", labels=100),))
    fed.models.find("m", "none", 0.0).adopt(reference(binary(2000), positive_class="yes"), 0.0)
    send(fed, *binary(500, seed=2))
    names = {name for name, _ in samples(fed)}
    assert GAP in names
    assert not names & set(ESTIMATES)


def test_no_series_where_it_cannot_be_estimated():
    events = binary(1000)
    yes = {"positive_class": "yes"}
    few = [*(e for e in events if e["label"] == "no"), *binary(5)]
    scoreless = [{"prediction": e["prediction"], "label": e["label"]} for e in events]
    numbers = [{"prediction": float(n), "label": n + 0.5} for n in range(100)]
    for fed in (
        live(events, **yes),
        live(events, reference(unlabelled(events), **yes), **yes),
        live(events, reference(few, **yes), **yes),
        live(scoreless, reference(events, **yes), **yes),
        live(numbers, reference(numbers)),
    ):
        assert set(shown(fed).values()) == {None}


def test_a_calibration_tells_of_its_own_positive_class():
    of = reference(binary(2000), positive_class="yes")
    assert set(shown(live(binary(500), of, positive_class="no")).values()) == {None}
    running = live(binary(500), positive_class="no")
    only(running).adopt(of, 0.0)
    send(running, *binary(500, seed=4))
    assert set(shown(running).values()) == {None}
    fed = live(binary(500), of, positive_class="yes")
    assert None not in shown(fed).values()
    only(fed).configure(configured("m", positive_class="no"), fed.settings.windows, 0.0)
    send(fed, *binary(500, seed=3))
    assert set(shown(fed).values()) == {None}


@pytest.mark.parametrize("events", [binary, multiclass])
def test_classes_in_another_order(events):
    """A model that ran before its reference came has its classes in the order of its events."""
    settings = {"positive_class": "yes"} if events is binary else {}
    of = reference(events(3000), **settings)
    turned = events is multiclass
    sent = sorted(events(2000, seed=2), key=itemgetter("label", "prediction"), reverse=turned)
    if events is multiclass:
        sent = [{**e, "scores": dict(reversed(e["scores"].items()))} for e in sent]
    before = live(sent[:1], **settings)
    only(before).adopt(of, 0.0)
    send(before, *sent[1:])
    assert only(before).counts.schema.classes != of.schema.classes
    first = live(sent[1:], of, **settings)
    found, expected = shown(before), shown(first)
    for name, one in expected.items():
        assert found[name] == pytest.approx(one, abs=0.002)


def test_a_class_that_the_reference_did_not_know():
    """Nothing is lost when it comes, and its scores count as they are sent."""
    of = reference(multiclass(3000))
    fed = live(multiclass(1000, seed=2), of)
    before = value(fed, ESTIMATES[0])
    send(fed, {"scores": {"a": 0.1, "d": 0.9}, "prediction": "d"})
    after = value(fed, ESTIMATES[0])
    assert after == pytest.approx((1000 * before + 0.9) / 1001, abs=2e-4)


def test_another_reference_counts_anew_and_none_shows_nothing():
    fed = live(multiclass(1000, seed=2), reference(multiclass(3000)))
    only(fed).adopt(reference(multiclass(3000, seed=5)), 1.0)
    assert shown(fed)[ESTIMATES[0]] is None
    send(fed, *multiclass(50, seed=6))
    assert shown(fed)[ESTIMATES[0]] is not None
    only(fed).adopt(None, 2.0)
    assert set(shown(fed).values()) == {None}


def test_a_reference_says_of_itself_what_it_realised():
    """But for scores about the threshold that calibration pools, expected is realised."""
    events = binary(5000)
    window = reference(events, positive_class="yes")
    shown = Window(Layout(window.schema, STATISTICS.values()), window.vector)
    realised = np.mean([e["prediction"] == e["label"] for e in events])
    assert METRICS[ESTIMATES[0]].value(shown) == pytest.approx(realised, abs=0.005)
