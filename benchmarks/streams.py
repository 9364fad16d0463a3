"""Synthetic traffic of a binary model: 20 features, a calibrated score, and its labels.

Every value comes from a normal variable of its own. In a dependent stream the mean of each moves
with the hour of day (a sine of 0.5 standard deviations, each feature with its own phase) and by an
autoregressive walk of 0.2 standard deviations that forgets within an hour.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import special

from exporter.ingest.columns import Columns
from exporter.rows import Labels, Predictions

MINUTES_A_DAY = 1440
NUMERIC = tuple(f"number_{i}" for i in range(10))
SKEWED = ("skewed_0", "skewed_1")
COUNTS = ("count_0", "count_1")
CATEGORIES = {
    "colour": (0.5, 0.3, 0.2),
    "shop": (0.4, 0.3, 0.15, 0.1, 0.05),
    "browser": (0.6, 0.25, 0.1, 0.04, 0.009, 0.001),
    "city": tuple((1 / np.arange(1, 31)) / (1 / np.arange(1, 31)).sum()),
    "plan": (0.9, 0.0995, 0.0005),
    "device": (0.25, 0.25, 0.25, 0.25),
}
NAMES = (*NUMERIC, *SKEWED, *COUNTS, *CATEGORIES)
WITH_NULLS = {"number_0": 0.05, "number_1": 0.3, "skewed_0": 0.01, "shop": 0.1, "plan": 0.002}
WEIGHTS = np.zeros(len(NAMES))
WEIGHTS[:5] = (1.2, -0.8, 0.6, 0.4, 0.3)


@dataclass
class Stream:
    """An endless stream; ``shift`` is added to the feature number_5 in standard deviations."""

    seed: int
    rate: float
    dependent: bool
    shift: float = 0.0
    _walk: np.ndarray = field(default_factory=lambda: np.zeros(len(NAMES)))

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.seed)
        # The hours of day are a matter of the world, not of one stream of it.
        self._phase = np.random.default_rng(1).random(len(NAMES)) * 2 * np.pi
        self._walk = self._rng.normal(size=len(NAMES)) * 0.2

    def means(self, start: int, minutes: int) -> np.ndarray:
        """Return (minutes, features) means, and move the walk on."""
        if not self.dependent:
            return np.zeros((minutes, len(NAMES)))
        when = np.arange(start, start + minutes)[:, None] / MINUTES_A_DAY
        sine = 0.5 * np.sin(2 * np.pi * when + self._phase)
        keep = np.exp(-1 / 60)
        noise = self._rng.normal(size=(minutes, len(NAMES))) * 0.2 * np.sqrt(1 - keep * keep)
        walk = np.empty_like(noise)
        for minute in range(minutes):
            self._walk = keep * self._walk + noise[minute]
            walk[minute] = self._walk
        return sine + walk

    def rows(self, start: int, minutes: int) -> tuple[np.ndarray, dict, np.ndarray, np.ndarray]:
        """Return the minute of each event, its features, scores and labels, in order."""
        times = self._rng.poisson(self.rate, minutes) if self.rate >= 1 else None
        if times is None:
            times = (self._rng.random(minutes) < self.rate).astype(np.int64)
        minute = np.repeat(np.arange(minutes), times)
        latent = self._rng.normal(size=(len(minute), len(NAMES)))
        latent += self.means(start, minutes)[minute]
        score = special.expit(latent @ WEIGHTS - 0.5)
        label = (self._rng.random(len(minute)) < score).astype(np.int64)
        latent[:, NAMES.index("number_5")] += self.shift
        return start + minute, self._features(latent), score, label

    def _features(self, latent: np.ndarray) -> dict[str, np.ndarray]:
        found = {}
        for place, name in enumerate(NAMES):
            z = latent[:, place]
            if name in CATEGORIES:
                cuts = special.ndtri(np.cumsum(CATEGORIES[name])[:-1])
                words = np.array([f"{name} {i}" for i in range(len(cuts) + 1)], object)
                values = words[cuts.searchsorted(z)]
                nothing: object = None
            else:
                values = z if name in NUMERIC else np.exp(z) if name in SKEWED else _counts(z)
                nothing = np.nan
            if name in WITH_NULLS:
                gone = self._rng.random(len(z)) < WITH_NULLS[name]
                values = np.where(gone, nothing, values)
            found[name] = values
        return found


def _counts(z: np.ndarray) -> np.ndarray:
    """Return whole numbers of 0 to some 20, most often 3."""
    return np.floor(np.exp(1.2 + 0.5 * z))


def reference_columns(seed: int, rows: int, days: int, dependent: bool) -> Columns:
    """Return about ``rows`` labelled events spread over the ``days`` before the stream."""
    minutes = days * MINUTES_A_DAY
    stream = Stream(seed, rows / minutes, dependent)
    minute, features, score, label = stream.rows(0, minutes)
    size = len(minute)
    return Columns(
        range(size),
        ["m"] * size,
        ts=minute * 60.0,
        score=score,
        label=[("0", "1")[one] for one in label.tolist()],
        features={
            name: values.tolist() if name in CATEGORIES else values
            for name, values in features.items()
        },
        predicts=np.ones(size, bool),
    )


def batches(stream: Stream, start: int, minutes: int, step: int, positive: int):
    """Yield the predictions and labels of each ``step`` minutes; class 1 has code ``positive``."""
    minute, features, score, label = stream.rows(start, minutes)
    code = np.where(score >= 0.5, positive, 1 - positive)
    truth = np.where(label == 1, positive, 1 - positive)
    ends = np.searchsorted(minute, np.arange(start, start + minutes + 1, step))
    lists = {name: values.tolist() for name, values in features.items() if name in CATEGORIES}
    for a, b in zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True):
        if a == b:
            yield None, None
            continue
        part = {name: lists[name][a:b] if name in lists else features[name][a:b] for name in NAMES}
        predictions = Predictions(b - a, code=code[a:b], value=score[a:b], features=part)
        labels = Labels(
            b - a,
            code=code[a:b],
            label=truth[a:b],
            correct=code[a:b] == truth[a:b],
            value=score[a:b],
        )
        yield predictions, labels
