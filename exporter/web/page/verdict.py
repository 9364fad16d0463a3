"""How a model does in one word, by what was decided of its limits, its drift and its data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.deciding import Decisions
from exporter.drift.rule import DriftDecision
from exporter.limits import Decision

STATES: Final = {
    "critical": "✖ critical",
    "warning": "▲ warning",
    "early": "… too early",
    "fine": "✔ fine",
    "unjudged": "– not judged",
}
"""States, worst first, with a sign and a word: colour is not all that tells them apart."""
WORST: Final = {state: place for place, state in enumerate(STATES)}
MEANINGS: Final = {
    "critical": "beyond a limit, or drifted, at the critical level",
    "warning": "beyond a limit, or drifted, at the warning level",
    "early": "there are limits or a reference, and too few events to decide",
    "fine": "nothing is known to be wrong",
    "unjudged": "no limit and no reference to hold it to",
}


@dataclass(frozen=True)
class Finding:
    """Something that is wrong in some windows."""

    level: str
    what: str
    windows: tuple[str, ...]


def level(breached: bool | None, levels: Iterable[str]) -> str:
    """Return the state that one decision is."""
    if breached is None:
        return "early"
    if not breached:
        return "fine"
    return "critical" if "critical" in levels else "warning"


def drift_level(decision: DriftDecision) -> str:
    """Return the state that a decision about drift is."""
    found = [name for name, one in decision.levels.items() if one.detected]
    return level(bool(found), found)


def of_limit(decision: Decision) -> str:
    """Return the state that a decision about a limit is."""
    return level(decision.breached, decision.levels)


def passed(value: float, bound: str, limit: float) -> bool:
    """Return whether a value lies beyond a limit."""
    return value < limit if bound == "min" else value > limit


def state(decisions: Decisions, *, held: bool) -> str:
    """Return the worst state; ``held`` says that there are limits or a reference."""
    found = [of_limit(one) for one in decisions.limits]
    found += [drift_level(one) for one in decisions.drift]
    found += [level(one.detected, one.levels) for one in decisions.quality]
    # What cannot be decided in one window is no news where it can in another.
    decided = [one for one in found if one != "early"]
    if decided:
        return min(decided, key=WORST.__getitem__)
    return "early" if held or found else "unjudged"


def data_findings(decisions: Decisions) -> list[Finding]:
    """Return what drifted, and which values are missing or unusual; the worst first, then by name.

    Each is told once, with its windows.
    """
    told: dict[str, list[tuple[str, str]]] = {}
    for one in decisions.drift:
        what = f"{one.name} drifted" if one.kind == "feature" else f"{one.kind}s drifted"
        told.setdefault(what, []).append((drift_level(one), one.window))
    for it in decisions.quality:
        what = f"{it.feature} {it.problem}"
        told.setdefault(what, []).append((level(it.detected, it.levels), it.window))
    found = [_finding(what, places) for what, places in told.items()]
    wrong = [one for one in found if one.level in ("critical", "warning")]
    return sorted(wrong, key=lambda one: (WORST[one.level], one.what))


def _finding(what: str, places: Sequence[tuple[str, str]]) -> Finding:
    worst = min((state for state, _ in places), key=WORST.__getitem__)
    windows = tuple(window for state, window in places if state in ("critical", "warning"))
    return Finding(worst, what, windows)
