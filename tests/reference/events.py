"""Recorded events for references, the same ones every time."""

import json

import numpy as np

KINDS = {"amount": "numeric", "grade": "categorical", "color": "categorical", "key": "identifier"}


def binary(rows=400, seed=7, start=1_790_000_000.0):
    """Events of a binary model; half an hour of them, an event a few seconds."""
    rng = np.random.default_rng(seed)
    scores = rng.beta(2, 3, rows)
    labels = rng.random(rows) < scores
    return [
        {
            "id": f"id-{i}",
            "ts": start + 4.5 * i,
            "score": float(scores[i]),
            "label": int(labels[i]),
            "features": {
                "amount": None if i % 20 == 0 else float(rng.normal(50, 9)),
                "grade": int(rng.integers(0, 4)),
                "color": str(rng.choice(["red", "green", "blue"])),
                "key": f"k-{i}",
            },
        }
        for i in range(rows)
    ]


def multiclass(rows=300, seed=8):
    """Events of a model with three classes."""
    rng = np.random.default_rng(seed)
    events = []
    for row in rng.dirichlet([2, 2, 1], rows):
        scores = dict(zip(("a", "b", "c"), map(float, row), strict=True))
        events.append({"scores": scores, "label": str(rng.choice(list("abc"), p=row))})
    return events


def regression(rows=300, seed=9):
    """Events of a regression."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(100, 20, rows)
    return [
        {"prediction": float(y + rng.normal(0, 5)), "label": float(y), "features": {"x": float(y)}}
        for y in truth
    ]


def ndjson(events):
    """Events as a body, a line each."""
    return "".join(json.dumps(event) + "\n" for event in events).encode()
