"""Decisions as JSON, with the numbers that each rests on."""

from __future__ import annotations

from typing import Any

from exporter.deciding import Decisions
from exporter.drift.quality import QualityDecision
from exporter.drift.rule import DriftDecision
from exporter.limits import Decision


def window_decisions(decisions: Decisions, window: str) -> dict[str, list[dict[str, Any]]]:
    """Return the decisions in one window: of limits, of drift, and of missing or odd values."""
    return {
        "decisions": [_limit(one) for one in decisions.limits if one.window == window],
        "drift": [_drift(one) for one in decisions.drift if one.window == window],
        "quality": [_quality(one) for one in decisions.quality if one.window == window],
    }


def _limit(decision: Decision) -> dict[str, Any]:
    return {
        "metric": decision.metric,
        "bound": decision.bound,
        "levels": list(decision.levels),
        "limit": decision.limit,
        "limit_from": decision.source,
        "reference": decision.reference,
        "reference_bound": decision.accountable,
        "tolerated": decision.tolerated,
        "value": decision.value,
        "events": decision.n,
        "tail_probability": decision.tail,
        "alarm_below": decision.alpha,
        "breached": decision.breached,
    }


def _drift(decision: DriftDecision) -> dict[str, Any]:
    return {
        "of": decision.kind,
        "feature": decision.name or None,
        "events": decision.n,
        "effective_events": decision.n_eff,
        "bins": decision.bins,
        "effect": decision.effect,
        "natural_effect": decision.natural,
        "alpha": decision.alpha,
        "levels": {
            level: {"tolerated": one.tolerated, "limit": one.limit, "detected": one.detected}
            for level, one in decision.levels.items()
        },
    }


def _quality(decision: QualityDecision) -> dict[str, Any]:
    return {
        "feature": decision.feature,
        "problem": decision.problem,
        "events": decision.n,
        "affected": decision.events,
        "share": decision.events / decision.n,
        "accountable_share": decision.limit,
        "tail_probability": decision.tail,
        "alarm_below": decision.alpha,
        "levels": list(decision.levels),
        "detected": decision.detected,
    }
