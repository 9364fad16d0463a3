"""The rule: what drifted in a window, at the stated rate of false alarms.

Drifted is what has an effect above the (1 - alpha) quantile of the non-central chi-squared
distribution whose non-centrality is what is tolerated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from exporter.decisions import FEWEST, LEVELS
from exporter.drift.effect import Codes, Effects, Floats, compare
from exporter.drift.noncentral import upper_quantiles
from exporter.drift.subjects import Kind, subjects
from exporter.drift.tolerance import Tolerance
from exporter.window import Window


class Level(NamedTuple):
    """What is decided at one level."""

    tolerated: float
    """The effect that does not matter."""
    limit: float
    """The effect above which something drifted."""
    detected: bool


@dataclass(frozen=True)
class DriftDecision:
    """One subject in one window, and the numbers that the decision rests on."""

    window: str
    kind: Kind
    name: str
    n: int
    """Events in the window."""
    n_eff: float
    bins: int
    """Bins left after merging."""
    effect: float
    natural: float | None
    """Natural variability of the effect, where the reference tells."""
    alpha: float
    levels: Mapping[str, Level]


def decide(
    window: Window,
    tolerance: Tolerance,
    alpha: Callable[[int], float],
    kinds: Sequence[Kind] = ("feature", "prediction", "label"),
) -> list[DriftDecision]:
    """Return a decision for each subject of ``kinds`` that has enough events."""
    known = None if window.reference is None else subjects(window.reference)
    if known is None:
        return []
    compared = compare(known.counts(window), known.reference, known.runs, FEWEST)
    some = np.flatnonzero(compared.bins >= 2)
    some = some[[known.every[i].kind in kinds for i in some.tolist()]]
    if not len(some):
        return []
    chosen = [known.every[i] for i in some.tolist()]
    allowed = np.array([alpha(n) for n in compared.n[some].astype(np.int64).tolist()])
    tolerated = np.array([[tolerance.effect(one.key, k) for one in chosen] for k in LEVELS])
    found = limits(compared, some, tolerated, allowed)
    effect = compared.effect[some]
    table = np.stack([tolerated, found, effect > found], axis=-1).swapaxes(0, 1).tolist()
    columns = compared.n[some], compared.n_eff[some], compared.bins[some], effect, allowed
    return [
        DriftDecision(
            window.name,
            one.kind,
            one.name,
            int(n),
            n_eff,
            int(bins),
            size,
            tolerance.natural_effect(one.key),
            tail,
            {
                level: Level(around, limit, bool(over))
                for level, (around, limit, over) in zip(LEVELS, of, strict=True)
                if level in tolerance.effect_levels(one.key)
            },
        )
        for one, n, n_eff, bins, size, tail, of in zip(
            chosen, *(column.tolist() for column in columns), table, strict=True
        )
    ]


def limits(compared: Effects, some: Codes, tolerated: Floats, alpha: Floats) -> Floats:
    """Return the effect above which each of ``some`` drifted: a row for each row of tolerances."""
    n_eff, df = compared.n_eff[some], compared.bins[some] - 1
    return upper_quantiles(alpha, df, n_eff * tolerated) / n_eff


def drifted(decisions: Sequence[DriftDecision], level: str) -> int | None:
    """Return how many features drifted; ``None`` where nothing could be decided."""
    decided = [
        one.levels[level].detected
        for one in decisions
        if one.kind == "feature" and level in one.levels
    ]
    return sum(decided) if decided else None
