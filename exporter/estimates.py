"""Estimates: a metric's value together with how sure the data make it.

Each knows its 95 % interval and its *tail*: the probability of data at least this far beyond a
limit if the true value were exactly at the limit. A small tail says that the true value is beyond.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from exporter.special import special

Bound = Literal["min", "max"]
Interval = tuple[float, float]

Z: Final = float(special.ndtri(0.975))
SURE: Final = 3.719
"""One-sided normal quantile of 1e-4: a reference's own uncertainty is taken this far."""
FEWEST: Final = 200
"""Below so many events the normal tail is not trusted."""
FEWEST_OF_A_CLASS: Final = 30


class Estimate(ABC):
    """What metric functions return where certainty is known."""

    n: int
    """How many events it rests on."""

    @property
    @abstractmethod
    def value(self) -> float | None:
        """The estimate, ``None`` where it is undefined."""

    @abstractmethod
    def interval(self) -> Interval | None:
        """Return the lower and upper 95 % bound, ``None`` where there is none."""

    @abstractmethod
    def reach(self, z: float) -> Interval | None:
        """Return the normal (or Wilson's) bounds at ``z`` standard errors, ``None`` without any."""

    @property
    @abstractmethod
    def standard_error(self) -> float:
        """The standard error; infinite where it is unknown."""

    @abstractmethod
    def tail(self, limit: float, bound: Bound) -> float | None:
        """Return P(at most this low) for ``"min"``, P(at least this high) for ``"max"``.

        The true value is taken to be ``limit``. ``None`` where the estimate is undefined.
        """

    @abstractmethod
    def decidable(self, limit: float, bound: Bound, alpha: float) -> bool:
        """Return whether some outcome at this ``n`` could have a tail under ``alpha``."""


@dataclass(frozen=True)
class Proportion(Estimate):
    """A share of ``n`` events: Wilson's interval, exact binomial tails."""

    successes: int
    n: int

    @property
    def value(self) -> float | None:
        """The share."""
        return self.successes / self.n if self.n else None

    def interval(self) -> Interval | None:
        """Return Wilson's score interval (Wilson 1927)."""
        return self.reach(Z)

    def reach(self, z: float) -> Interval | None:
        """Return Wilson's bounds."""
        return wilson(self.successes, self.n, z) if self.n else None

    @property
    def standard_error(self) -> float:
        """The binomial standard error."""
        if not self.n:
            return math.inf
        share = self.successes / self.n
        return math.sqrt(share * (1 - share) / self.n)

    def tail(self, limit: float, bound: Bound) -> float | None:
        """Return the exact binomial tail."""
        return binomial_tail(self.successes, self.n, limit, bound) if self.n else None

    def decidable(self, limit: float, bound: Bound, alpha: float) -> bool:
        """Return whether none (or all) of ``n`` would be too unlikely at the limit."""
        extreme = 0 if bound == "min" else self.n
        return self.n > 0 and binomial_tail(extreme, self.n, limit, bound) < alpha


@dataclass(frozen=True)
class FScore(Estimate):
    """F1 of ``tp`` hits among ``n = tp + fp + fn``.

    F1 = 2x / (1 + x) with the Jaccard index x = tp / n, a share: intervals and tails are its own.
    """

    tp: int
    n: int

    @property
    def value(self) -> float | None:
        """F1, the harmonic mean of precision and recall."""
        return 2 * self.tp / (self.n + self.tp) if self.n else None

    def interval(self) -> Interval | None:
        """Return Wilson's interval of the Jaccard index, mapped to F1."""
        return self.reach(Z)

    def reach(self, z: float) -> Interval | None:
        """Return Wilson's bounds of the Jaccard index, mapped to F1."""
        if not self.n:
            return None
        lower, upper = wilson(self.tp, self.n, z)
        return 2 * lower / (1 + lower), 2 * upper / (1 + upper)

    @property
    def standard_error(self) -> float:
        """That of the Jaccard index, mapped to F1 by the derivative."""
        if not self.n:
            return math.inf
        slope = 2 / (1 + self.tp / self.n) ** 2
        return slope * Proportion(self.tp, self.n).standard_error

    def tail(self, limit: float, bound: Bound) -> float | None:
        """Return the exact binomial tail of the Jaccard index."""
        return Proportion(self.tp, self.n).tail(jaccard(limit), bound)

    def decidable(self, limit: float, bound: Bound, alpha: float) -> bool:
        """Return whether the worst (or best) F1 at this ``n`` would be too unlikely."""
        return Proportion(self.tp, self.n).decidable(jaccard(limit), bound, alpha)


@dataclass(frozen=True)
class Mean(Estimate):
    """The mean of ``n`` numbers from their sum and sum of squares: t interval, normal tail."""

    n: int
    total: float
    squares: float

    @property
    def value(self) -> float | None:
        """The mean."""
        return self.total / self.n if self.n else None

    @property
    def error(self) -> float:
        """The standard error of the mean; infinite below two numbers.

        Never smaller than what rounding may have hidden.
        """
        if self.n < 2:
            return math.inf
        spread = self.squares - self.total * self.total / self.n
        hidden = np.finfo(np.float64).eps * self.squares
        return math.sqrt(max(spread, float(hidden)) / (self.n - 1) / self.n)

    def interval(self) -> Interval | None:
        """Return Student's t interval, ``None`` below two numbers."""
        if self.n < 2:
            return None
        return self.reach(float(special.stdtrit(self.n - 1, 0.975)))

    def reach(self, z: float) -> Interval | None:
        """Return the mean and ``z`` standard errors to both sides."""
        if self.n < 2:
            return None
        mean, half = self.total / self.n, z * self.error
        return mean - half, mean + half

    @property
    def standard_error(self) -> float:
        """The standard error of the mean."""
        return self.error

    def tail(self, limit: float, bound: Bound) -> float | None:
        """Return the normal tail."""
        return normal_tail(self.total / self.n, limit, self.error, bound) if self.n else None

    def decidable(self, limit: float, bound: Bound, alpha: float) -> bool:
        """Return whether there are enough numbers for a normal tail."""
        return self.n >= FEWEST


@dataclass(frozen=True)
class RootMean(Estimate):
    """The root of a mean square, from the sums of e^2 (``squares``) and of e^4 (``fourths``)."""

    n: int
    squares: float
    fourths: float

    @property
    def _mean(self) -> Mean:
        return Mean(self.n, self.squares, self.fourths)

    @property
    def value(self) -> float | None:
        """The root mean square."""
        return math.sqrt(self.squares / self.n) if self.n else None

    def interval(self) -> Interval | None:
        """Return the t interval of the mean square, mapped by the root."""
        return self._root(self._mean.interval())

    def reach(self, z: float) -> Interval | None:
        """Return the bounds of the mean square, mapped by the root."""
        return self._root(self._mean.reach(z))

    @property
    def standard_error(self) -> float:
        """That of the mean square, mapped by the derivative of the root."""
        value = self.value
        return self._mean.error / (2 * value) if value else math.inf

    @staticmethod
    def _root(bounds: Interval | None) -> Interval | None:
        return None if bounds is None else (math.sqrt(max(bounds[0], 0)), math.sqrt(bounds[1]))

    def tail(self, limit: float, bound: Bound) -> float | None:
        """Return the normal tail of the mean square."""
        floor = max(limit, 0.0)
        return self._mean.tail(floor * floor, bound)

    def decidable(self, limit: float, bound: Bound, alpha: float) -> bool:
        """Return whether there are enough numbers for a normal tail."""
        return self._mean.decidable(limit, bound, alpha)


@dataclass(frozen=True)
class Normal(Estimate):
    """A value with a standard ``error``, such as an AUC with DeLong's; it lies in [0, 1].

    ``rarer`` is the count of the rarer class. ``slack`` is how far binning may have moved the
    value: it works against an alarm. So does half an observation of the rarer class as the
    smallest error, for DeLong's is 0 where no pair is out of order.
    """

    mean: float
    error: float
    n: int
    rarer: int
    slack: float = 0.0

    @property
    def value(self) -> float | None:
        """The value."""
        return self.mean

    def interval(self) -> Interval | None:
        """Return the normal interval within [0, 1], ``None`` where no spread was observed."""
        if self.rarer < 2 or not self.error:
            return None
        half = Z * self.error
        return max(self.mean - half, 0.0), min(self.mean + half, 1.0)

    def reach(self, z: float) -> Interval | None:
        """Return ``z`` standard errors to both sides, and what binning may have moved."""
        half = z * self.standard_error + self.slack
        return max(self.mean - half, 0.0), min(self.mean + half, 1.0)

    @property
    def standard_error(self) -> float:
        """The error, and at least half an observation of the rarer class."""
        return max(self.error, 0.5 / self.rarer) if self.rarer else math.inf

    def tail(self, limit: float, bound: Bound) -> float | None:
        """Return the normal tail, ``slack`` nearer to the limit."""
        nearer = self.mean + (self.slack if bound == "min" else -self.slack)
        return normal_tail(nearer, limit, self.standard_error, bound)

    def decidable(self, limit: float, bound: Bound, alpha: float) -> bool:
        """Return whether there are enough events, of both classes, for a normal tail."""
        return self.n >= FEWEST and self.rarer >= FEWEST_OF_A_CLASS


def wilson(successes: float, n: int, z: float = Z) -> Interval:
    """Return Wilson's score interval of ``successes`` in ``n`` (Wilson 1927): 95 % unless told."""
    share, weight = successes / n, z * z / n
    middle = share + weight / 2
    half = math.sqrt(weight * (share * (1 - share) + weight / 4))
    return max((middle - half) / (1 + weight), 0.0), min((middle + half) / (1 + weight), 1.0)


def binomial_tail(successes: int, n: int, p: float, bound: Bound) -> float:
    """Return P(X <= successes) for ``"min"``, P(X >= successes) for ``"max"``, X ~ Bin(n, p)."""
    p = min(max(p, 0.0), 1.0)
    if bound == "min":
        return float(special.bdtr(successes, n, p))
    return float(special.bdtrc(successes - 1, n, p)) if successes else 1.0


def normal_tail(value: float, limit: float, error: float, bound: Bound) -> float:
    """Return the normal probability of a value at least this far beyond ``limit``."""
    beyond = value - limit if bound == "min" else limit - value
    if not error:
        return 0.0 if beyond < 0 else 1.0
    return float(special.ndtr(beyond / error))


def jaccard(f1: float) -> float:
    """Return the Jaccard index that belongs to an F1."""
    return f1 / (2 - f1) if f1 < 2 else 1.0
