"""The project's rule and the customary ones, asked about the same windows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from exporter.deciding import Decisions
from exporter.drift.effect import Runs, compare
from exporter.drift.subjects import subjects
from exporter.window import Window

CUSTOMARY_WINDOW = "1h"
PSI = 0.2


@dataclass
class Episodes:
    """Alarms that begin: one that lasts is one episode of its series."""

    begun: Counter = field(default_factory=Counter)
    _before: dict[str, frozenset] = field(default_factory=dict)

    def see(self, rule: str, alarming: Iterable[Hashable]) -> None:
        """Take the series that alarm by a rule now."""
        now = frozenset(alarming)
        self.begun[rule] += len(now - self._before.get(rule, frozenset()))
        self._before[rule] = now


def alarming(decisions: Decisions, level: str) -> list[tuple]:
    """Return the series of all kinds that the project's rule alarms for."""
    found: list[tuple] = [
        ("drift", one.window, one.kind, one.name)
        for one in decisions.drift
        if level in one.levels and one.levels[level].detected
    ]
    found += [
        ("quality", one.window, one.feature, one.problem)
        for one in decisions.quality
        if one.detected and level in one.levels
    ]
    found += [
        ("limit", one.window, one.metric, one.bound)
        for one in decisions.limits
        if one.breached and level in one.levels
    ]
    return found


def customary(window: Window) -> dict[str, list[str]]:
    """Return the features that customary rules alarm for, in one window.

    Their bins are tenths of the reference's numbers, or its categories.
    """
    known = subjects(window.reference)
    live = known.counts(window)
    found = compare(live, known.reference, known.runs)
    features = [i for i, one in enumerate(known.every) if one.kind == "feature" and found.n[i]]
    names = np.array([known.every[i].name for i in features], object)
    df, statistic = (found.bins - 1)[features], found.statistic[features]
    # Windows of a reference differ from it by k - 1 on average, with variance 2 (k - 1).
    three = statistic > df + 3 * np.sqrt(2 * df)
    small = special.chdtrc(df, statistic) < 0.05
    shown = psi(live, known.reference, known.runs)[features] > PSI
    return {
        "PSI > 0.2": names[shown].tolist(),
        "mean + 3 sd": names[three & (df > 0)].tolist(),
        "p < .05": names[small & (df > 0)].tolist(),
    }


def psi(live: np.ndarray, known: np.ndarray, runs: Runs) -> np.ndarray:
    """Return the population stability index of each run, half an event added to each bin."""
    shares = []
    for counts in (live, known):
        more = counts + 0.5
        shares.append(more / np.repeat(np.add.reduceat(more, runs.starts), runs.sizes))
    return np.add.reduceat((shares[0] - shares[1]) * np.log(shares[0] / shares[1]), runs.starts)
