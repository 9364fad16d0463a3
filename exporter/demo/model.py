"""The demo's model: a logistic regression in numpy, trained in well under a second."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from exporter.demo.dataset import BUSY, QUIET, Hour

MODEL, VERSION = "bike-demand", "1"
THRESHOLD = 0.5
WEATHER = ("clear", "misty", "light rain or snow", "heavy rain or snow")
MEASURES = ("temperature_celsius", "humidity_percent", "wind_kmh")

_RIDGE = 0.1
_NEWTON_STEPS = 30
_CONVERGED = 1e-9

Array = NDArray[np.float64]
Features = Mapping[str, float | str | bool]


def _one_hot(position: int, size: int) -> list[float]:
    return [float(i == position) for i in range(size)]


def _time_columns(features: Features) -> list[float]:
    """Return the hour of a working day, the hour of a day off, and the month, one-hot."""
    hour, working = int(features["hour"]), bool(features["working_day"])
    place = hour if working else 24 + hour
    return _one_hot(place, 48) + _one_hot(int(features["month"]) - 1, 12)


def _weather_column(features: Features) -> list[float]:
    """Return the weather one-hot; heavy rain counts as light rain, it is too rare to learn."""
    return _one_hot(min(WEATHER.index(str(features["weather"])), 2), 3)


def _measures(rows: Sequence[Features]) -> Array:
    return np.array([[float(row[name]) for name in MEASURES] for row in rows])


def _design(rows: Sequence[Features], mean: Array, scale: Array) -> Array:
    """Return the rows as numbers, shape (rows, columns)."""
    standard = (_measures(rows) - mean) / scale
    categories = np.array([_time_columns(row) + _weather_column(row) for row in rows])
    return np.hstack([categories, standard, standard**2])


def _sigmoid(x: Array) -> Array:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)))


def fit_logistic(design: Array, positive: Array, ridge: float = _RIDGE) -> Array:
    """Return the weights of a ridge-penalised logistic regression, shape (columns,).

    Newton's method (iteratively reweighted least squares; Hastie, Tibshirani and Friedman,
    *The Elements of Statistical Learning*, 4.4.1). `positive` holds 0 and 1.
    """
    weights = np.zeros(design.shape[1])
    penalty = ridge * np.eye(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        probability = _sigmoid(design @ weights)
        gradient = design.T @ (positive - probability) - ridge * weights
        curvature = (design.T * (probability * (1 - probability))) @ design + penalty
        step = np.linalg.solve(curvature, gradient)
        weights += step
        if float(np.abs(step).max()) < _CONVERGED:
            break
    return weights


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """Says how probable it is that an hour will be busy."""

    weights: Array
    mean: Array
    scale: Array

    def scores(self, rows: Sequence[Features]) -> Array:
        """Return the probability of a busy hour for each row, shape (rows,)."""
        return _sigmoid(_design(rows, self.mean, self.scale) @ self.weights)

    def predict(self, features: Features) -> tuple[str, float]:
        """Return the predicted class of one hour and the probability that it is busy."""
        score = float(self.scores([features])[0])
        return (BUSY if score >= THRESHOLD else QUIET), score


def train(hours: Sequence[Hour]) -> Model:
    """Return a model that has learnt from these hours; the same hours give the same model."""
    rows = [hour.features() for hour in hours]
    measures = _measures(rows)
    mean, scale = measures.mean(axis=0), measures.std(axis=0)
    positive = np.array([float(hour.label == BUSY) for hour in hours])
    return Model(fit_logistic(_design(rows, mean, scale), positive), mean, scale)
