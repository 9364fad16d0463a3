"""Random schemas, and random rows that belong to them."""

import numpy as np
from hypothesis import strategies as st

from exporter.bins import FeatureBins
from exporter.edges import class_edges, score_edges
from exporter.rows import ABSENT, Labels, Predictions
from exporter.schema import Schema

TASKS = ("binary", "multiclass", "regression")
SEEDS = st.integers(0, 2**32 - 1)


def schema(rng, task):
    """A schema with classes, features, edges and centres, each maybe missing."""
    known = {"binary": 2, "multiclass": int(rng.integers(3, 7)), "regression": 0}[task]
    edges = None
    if task == "binary" and rng.random() < 0.8:
        edges = score_edges(rng.beta(2, 3, 300), 0.5)
    if task == "multiclass" and rng.random() < 0.8:
        edges = class_edges(rng.dirichlet(np.ones(known), 300))
    features = tuple(f"f{number}" for number in range(rng.integers(0, 4)))
    calibration = None
    if edges is not None and rng.random() < 0.8:
        calibration = np.sort(rng.random((len(edges), edges.shape[1] + 1)))
        calibration[1:][rng.random(len(edges) - 1) < 0.2] = np.nan
    return Schema(
        task,
        tuple(f"c{code}" for code in range(known)),
        positive="c1",
        features=features,
        bins=tuple(bins(rng, name) for name in features if rng.random() < 0.8),
        center=float(rng.normal(0, 100)),
        label_center=float(rng.normal(0, 100)),
        score_edges=edges,
        calibration=calibration,
        outputs=_numbers(rng, "prediction") if task == "regression" else None,
        targets=_numbers(rng, "label") if task == "regression" else None,
    )


def _numbers(rng, name):
    """Bins of a regression's numbers, where a reference tells."""
    edges = np.unique(rng.normal(50, 100, 5))
    return FeatureBins(name, "numeric", edges=edges) if rng.random() < 0.8 else None


def bins(rng, name):
    """Bins of one feature, of any kind."""
    kind = rng.choice(["numeric", "categorical", "identifier"])
    if kind == "numeric":
        return FeatureBins(name, kind, edges=np.unique(rng.normal(1, 1, 5)))
    if kind == "categorical":
        return FeatureBins(name, kind, categories=("x", "2"), rest=bool(rng.random() < 0.5))
    return FeatureBins(name, kind)


def predictions(rng, schema, size):
    """Predictions with the columns that such a model may have."""
    return Predictions(
        size,
        code=_codes(rng, schema, size),
        value=_values(rng, schema, size),
        scores=_scores(rng, schema, size),
        latency=_holed(rng, rng.lognormal(-3, 2, size)),
        features=_features(rng, schema, size) if rng.random() < 0.8 else None,
    )


def labels(rng, schema, size):
    """Labels with the columns that such a model may have."""
    code, label = _codes(rng, schema, size), _codes(rng, schema, size)
    return Labels(
        size,
        code=code,
        label=label,
        correct=None if code is None else code == label,
        value=_values(rng, schema, size),
        truth=rng.normal(50, 100, size) if schema.task == "regression" else None,
        scores=_scores(rng, schema, size),
        delay=_holed(rng, rng.lognormal(5, 3, size)),
    )


def _holed(rng, values):
    return None if rng.random() < 0.2 else np.where(rng.random(len(values)) < 0.2, np.nan, values)


def _codes(rng, schema, size):
    return rng.integers(0, len(schema.classes), size) if schema.classifies else None


def _values(rng, schema, size):
    if schema.task == "multiclass":
        return None
    if schema.task == "regression":
        return _holed(rng, rng.normal(50, 100, size))
    return _holed(rng, np.round(rng.random(size), int(rng.integers(1, 6))))


def _scores(rng, schema, size):
    if schema.task != "multiclass" or rng.random() < 0.2:
        return None
    scores = rng.dirichlet(np.ones(len(schema.classes)), size)
    scores[rng.random(size) < 0.2] = np.nan
    return scores


def _features(rng, schema, size):
    absent = rng.random(size) < 0.2
    choices = [None, float("nan"), 1.5, 2, "x", True]
    columns = {}
    for name in schema.features:
        picked = [choices[k] for k in rng.integers(0, len(choices), size)]
        columns[name] = [ABSENT if a else v for a, v in zip(absent, picked, strict=True)]
    return columns or None
