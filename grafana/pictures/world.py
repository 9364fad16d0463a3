"""Five models whose events have everything that a panel can show, with an incident in two of them.

A function of the random numbers and times that are given. `fraud` and `price` have limits derived
from a reference whose quality varies from hour to hour; `churn` and `demand` have limits that are
stated; `species` has three classes. When the world has changed, `fraud` meets larger amounts,
countries that it does not know and missing ages, and `churn` is wrong more often.
"""

import datetime
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Event = dict[str, Any]

SETTINGS: dict[str, Any] = {
    "windows": ["1m", "5m"],
    "decision_interval": "1s",
    "max_journal_bytes": "4MiB",
    "drift": {"windows": ["1m", "5m"]},
    "models": [
        {"name": "fraud", "team": "risk", "features": {"country": {"kind": "categorical"}}},
        {
            "name": "churn",
            "team": "growth",
            "limits": {
                "accuracy_ratio": {"min": 0.82},
                "f1_ratio": {"min": 0.5},
                "specificity_ratio": {"min": 0.5},
                "log_loss": {"max": 2},
                "estimated_accuracy_gap_ratio": {"min": -0.5, "max": 0.5},
            },
        },
        {"name": "price", "team": "supply"},
        {
            "name": "demand",
            "team": "supply",
            "limits": {"mean_absolute_percentage_error_ratio": {"max": 0.5}},
        },
    ],
}
INDEPENDENT = {"fraud": True, "churn": False, "price": True}
"""Models with a reference. A minute tells nothing of a week: whether we vouch for it."""

VERSIONS = {"fraud": ("2026.1", "2026.2"), "churn": ("7",), "price": ("1",), "demand": ("1",)}
CLASSES = ("setosa", "versicolor", "virginica")
COUNTRIES = ("de", "fr", "it", "us")
BURSTS, APART, A_BURST = 33, 6 * 3600, 150


def features(rng: random.Random, *, changed: bool) -> dict[str, Any]:
    """What a scored model is asked about; much larger amounts when the world has changed."""
    unseen = changed and rng.random() < 0.05
    return {
        "amount": rng.gauss(80 if changed else 50, 20),
        "age": None if rng.random() < (0.1 if changed else 0.01) else rng.uniform(18, 80),
        "country": "br" if unseen else rng.choice(COUNTRIES),
        "visits": rng.randrange(20),
    }


def scored(rng: random.Random, noise: float = 0.0, *, changed: bool = False) -> Event:
    """A score that comes true, but for a share `noise` of cases, and its label."""
    score = 1 / (1 + math.exp(-rng.gauss(-0.5, 2.5)))
    true = rng.random() < score
    if rng.random() < noise:
        true = not true
    return {"score": score, "label": true, "features": features(rng, changed=changed)}


def valued(rng: random.Random, noise: float = 0.0) -> Event:
    """A value and its label; `noise` moves and widens the errors."""
    label = rng.uniform(50, 150)
    return {
        "prediction": label + rng.gauss(1 + 10 * noise, 5 + 20 * noise),
        "label": label,
        "features": {"size": rng.uniform(20, 200)},
    }


def named(rng: random.Random) -> Event:
    """One of three classes, right in eight of ten."""
    label = rng.choice(CLASSES)
    top = label if rng.random() < 0.8 else rng.choice(CLASSES)
    rest = {name: 0.1 for name in CLASSES if name != top}
    return {"scores": {top: 0.8, **rest}, "label": label}


def reference(rng: random.Random, model: str) -> Iterator[Event]:
    """Four bursts of events a day for more than a week, some worse than others."""
    start = datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC).timestamp()
    of = valued if model == "price" else scored
    for number in range(BURSTS):
        noise = rng.choice([0.0, 0.03, 0.06])
        for _ in range(A_BURST):
            yield {**of(rng, noise), "ts": start + number * APART + rng.uniform(0, 200)}


def settings(rng: random.Random, folder: Path) -> dict[str, Any]:
    """The settings of modelmeter, with the references that they name written to `folder`."""
    models = []
    for model in SETTINGS["models"]:
        name = model["name"]
        if name in INDEPENDENT:
            file = folder / f"{name}.ndjson"
            file.write_text("\n".join(map(json.dumps, reference(rng, name))))
            of = {"reference": {"file": str(file), "independent": INDEPENDENT[name]}}
            models.append(model | of)
        else:
            models.append(model)
    return SETTINGS | {"models": models}


def batch(rng: random.Random, count: int, now: float, *, changed: bool = False) -> list[Event]:
    """So many predictions of each version, half a minute old, most with a label of their own."""
    noise = 0.4 if changed else 0.0
    events = []
    for _ in range(count):
        for version in VERSIONS["fraud"]:
            events += _joined(rng, "fraud", version, scored(rng, changed=changed), now)
        events += _joined(rng, "churn", "7", scored(rng, noise), now)
        events += _joined(rng, "price", "1", valued(rng), now)
        events += _joined(rng, "demand", "1", valued(rng), now)
        events += _joined(rng, "species", "1", named(rng), now)
    return events


def _joined(
    rng: random.Random, model: str, version: str, event: Event, now: float
) -> Iterator[Event]:
    """The prediction, and in nine of ten cases the label after it."""
    of = {"model": model, "version": version, "id": f"{rng.getrandbits(60):x}"}
    label = event.pop("label")
    delay = rng.expovariate(1 / 20)
    yield of | event | {"ts": now - delay, "latency_seconds": rng.lognormvariate(-4, 0.7)}
    if rng.random() < 0.9:
        yield of | {"label": label}
