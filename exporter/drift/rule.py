"""The rule: what drifted in a window, at the stated rate of false alarms.

Drifted is what has an effect above the (1 - alpha) quantile of the non-central chi-squared
distribution whose non-centrality is what is tolerated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import compress, groupby
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


class DriftDecision(NamedTuple):
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


class Asked(NamedTuple):
    """A window that is decided about, and what is tolerated in it."""

    window: Window
    tolerance: Tolerance


def decide(
    asked: Iterable[Asked],
    alpha: Callable[[int], float],
    kinds: Sequence[Kind] = ("feature", "prediction", "label"),
) -> list[DriftDecision]:
    """Return a decision for each subject of ``kinds`` that has enough events, window by window."""
    found: list[DriftDecision] = []
    for _, group in groupby(asked, lambda one: id(one.window.reference)):
        found += _decide(list(group), alpha, kinds)
    return found


def _decide(
    asked: Sequence[Asked], alpha: Callable[[int], float], kinds: Sequence[Kind]
) -> list[DriftDecision]:
    """Decide about windows of one reference together: numpy is called once for all of them."""
    reference = asked[0].window.reference
    known = None if reference is None else subjects(reference)
    if known is None:
        return []
    live = np.concatenate([known.counts(one.window) for one in asked])
    compared = compare(live, *known.repeated(len(asked)), FEWEST)
    some = np.flatnonzero(compared.bins >= 2)
    places = [divmod(i, len(known.every)) for i in some.tolist()]
    chosen = [(asked[of], known.every[which]) for of, which in places]
    wanted = [subject.kind in kinds for _, subject in chosen]
    some, chosen = some[wanted], list(compress(chosen, wanted))
    if not chosen:
        return []
    allowed = np.array([alpha(n) for n in compared.n[some].astype(np.int64).tolist()])
    around = [one.tolerance.effect(subject.key) for one, subject in chosen]
    tolerated = np.array([one.tolerated for one in around]).T
    found = limits(compared, some, tolerated, allowed)
    effect = compared.effect[some]
    table = np.stack([tolerated, found, effect > found], axis=-1).swapaxes(0, 1).tolist()
    columns = compared.n[some], compared.n_eff[some], compared.bins[some], effect, allowed
    return [
        DriftDecision(
            one.window.name,
            subject.kind,
            subject.name,
            int(n),
            n_eff,
            int(bins),
            size,
            allowance.natural,
            tail,
            {
                level: Level(within, limit, bool(over))
                for level, (within, limit, over) in zip(LEVELS, of, strict=True)
                if level in allowance.levels
            },
        )
        for (one, subject), n, n_eff, bins, size, tail, of, allowance in zip(
            chosen, *(column.tolist() for column in columns), table, around, strict=True
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
