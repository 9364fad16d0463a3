"""A fixed scenario: three models, fixed times, every kind of family; with references or without.

Its chance is ``Random.random`` alone, which Python promises to keep as it is.
"""

import json
from dataclasses import replace
from random import Random

from exporter.collectors.anomalies import AnomaliesCollector
from exporter.collectors.decisions import DecisionsCollector
from exporter.collectors.own import OwnCollector, Requests
from exporter.collectors.totals import TotalsCollector
from exporter.collectors.windows import WindowsCollector
from exporter.config import JoinSettings, Limit, ModelSettings, Settings, WindowSpec
from exporter.config.settings import DriftSettings
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.intake import Moment
from exporter.monitor import Monitor
from exporter.reference.build import build
from exporter.scrape import Scraper

NOW = 1_790_000_130.0
SETTINGS = Settings(
    windows=(WindowSpec("1m", 60.0), WindowSpec("5m", 300.0), WindowSpec("50 labels", labels=50)),
    join=JoinSettings(ttl=100.0, max_pending=1000),
    models=(
        ModelSettings(
            name="fraud",
            team="risk",
            positive_class="1",
            limits=(Limit("accuracy_ratio", "min", 0.9),),
        ),
        ModelSettings(name="price", limits=(Limit("mean_absolute_error", "max", 1.0),)),
    ),
)


COMPARED = replace(
    SETTINGS,
    drift=DriftSettings(windows=("5m",), distances=("psi", "js", "ks", "wasserstein")),
    models=(
        *(replace(one, limits=()) for one in SETTINGS.models),
        ModelSettings(name="animals"),
    ),
)
"""Drift in a window of this scenario's length, and limits that the references give."""


def checked(events):
    return check(decode("application/json", json.dumps(events).encode()))


def send(monitor, now, events):
    monitor.ingest(*checked(events), Moment(now, now))


def fraud(rng, number):
    score = round(rng.random() ** 2, 3)
    return {
        "model": "fraud",
        "version": "7",
        "id": number,
        "ts": NOW - 130 + number,
        "score": score,
        "latency_seconds": round(0.001 * 10 ** (3 * rng.random()), 5),
        "features": {"amount": number if number % 9 else None, "country": "DE"},
    }


def animal(rng):
    weights = [rng.random() + bias for bias in (0.5, 0.2, 0.0)]
    names = ("cat", "dog", "cow")
    scores = {name: round(w / sum(weights), 3) for name, w in zip(names, weights, strict=True)}
    label = names[int(3 * rng.random() ** 2)]
    return {"model": "animals", "scores": scores, "label": label}


def price(rng):
    truth = round(80 + 40 * rng.random(), 2)
    prediction = round(truth + 8 * rng.random() - 3, 2)
    return {"model": "price", "version": "v1", "prediction": prediction, "label": truth}


def references():
    """A reference of each model: traffic of the same kind, whose labels came at once."""
    rng = Random(7)
    known = {"fraud": [], "animals": [], "price": []}
    for number in range(1000):
        event = fraud(rng, number % 120)
        truth = int(rng.random() < 0.3 + 0.5 * event["score"])
        known["fraud"].append({**event, "id": number, "label": truth})
        known["animals"].append(animal(rng))
        known["price"].append(price(rng))
    return {
        name: build(checked(events)[0], COMPARED.for_model(name), independent=True)[0]
        for name, events in known.items()
    }


def monitor(settings=SETTINGS, compared=None):
    """All of it has happened by ``NOW``; four predictions expire and one label has no other.

    ``compared`` are references by model, there from the beginning.
    """
    rng = Random(42)
    fed = Monitor(settings)
    fed.models.references.sent = {(name, None): one for name, one in (compared or {}).items()}
    if compared:  # drift is decided from 200 events on
        early = [{**fraud(rng, number % 9), "id": 1000 + number} for number in range(150)]
        rest = [one(rng) for _ in range(150) for one in (animal, price)]
        send(fed, NOW - 130, [*early, *rest])
    for number in range(120):
        now = NOW - 130 + number
        event = fraud(rng, number)
        send(fed, now, [event, animal(rng), price(rng)])
        if number > 10 and number % 5:
            truth = int(rng.random() < 0.3 + 0.5 * event["score"])
            send(fed, now, [{"model": "fraud", "id": number - 10, "label": truth, "ts": now}])
        fed.tick(now)
    send(fed, NOW - 10, [fraud(rng, 119), {"model": "fraud", "id": "lost", "label": 1}])
    send(
        fed,
        NOW - 10,
        [
            {"model": "fraud", "score": 1.7},
            {"model": "price", "version": "v1", "prediction": "cat"},
        ],
    )
    fed.tick(NOW)
    return fed


def scraper(fed, *more, max_series=20_000):
    dropped = []
    collectors = [
        WindowsCollector(fed, lambda: NOW),
        TotalsCollector(fed, lambda: NOW),
        AnomaliesCollector(fed),
        DecisionsCollector(fed),
        *more,
        OwnCollector(fed, Requests()),
    ]
    return Scraper(collectors, lambda: max_series, dropped.append), dropped
