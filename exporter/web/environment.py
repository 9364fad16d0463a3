"""What surrounds a model beside how long its predictions take, to see what makes it slow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.service import Service

LATENCY = "latency_quantile_seconds"


def environment(service: Service, views: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what every source beside the service knows, and the latency of the ``views``."""
    now = service.clock.monotonic()
    told = [one.facts(now) for one in service.beside]
    shown: dict[str, Any] = {"servers": [], "gpus": []}
    for facts in told:
        shown |= facts.shown
    latency = {view["version"]: _latency(view) for view in views}
    findings = [finding for facts in told for finding in facts.findings]
    return {"findings": findings, "latency_quantile_seconds": latency, **shown}


def _latency(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return the quantiles of the windows that have some."""
    windows = view["windows"].items()
    return {name: one["values"][LATENCY] for name, one in windows if LATENCY in one["values"]}
