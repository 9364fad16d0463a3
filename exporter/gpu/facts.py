"""GPUs over windows as plain objects, and what in them would make a model slow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from exporter.environment import Facts
from exporter.gpu.board import Shown

THROTTLED: Final = 0.05
"""Share of a window in which a GPU was held back, from which on it is told."""
BUSY: Final = 0.95
"""Use in half of all samples, from which on it is told: requests wait for each other then."""
FULL: Final = 0.95
"""Share of the memory in use, from which on it is told."""
CAUSES: Final = {
    "sw_power_cap": "its power limit",
    "hw_power_brake": "the power supply",
    "sw_thermal": "its temperature",
    "hw_thermal": "its temperature, by the hardware",
    "sync_boost": "the GPUs that it is coupled with",
}
"""Not ``hw_slowdown``: it holds whenever one of the other two of the hardware does."""


def facts(shown: Sequence[Shown]) -> Facts:
    """Return what is known of each device, and the findings, the shortest window first."""
    findings = [finding for one in shown for finding in _findings(one)]
    return Facts({"gpus": [_state(one) for one in shown]}, findings)


def _findings(one: Shown) -> Iterator[str]:
    name = _name(one)
    if one.up is False:
        yield f"{name} does not answer"
    for window, shares in one.throttled.items():
        for reason, cause in CAUSES.items():
            share = shares.get(reason, 0.0)
            if share >= THROTTLED:
                yield f"{window}: {name} throttled by {cause} {share:.0%} of the time"
    for window, quantiles in one.use.items():
        if quantiles["0.5"] >= BUSY:
            yield f"{window}: {name} in use {quantiles['0.5']:.0%} or more, half of the time"
    used = _memory_ratio(one)
    if used is not None and used >= FULL:
        yield f"{name} has {used:.0%} of its memory in use"
    xids = [f"{xid} ({count})" for xid, count in sorted(one.xids.items()) if count]
    if xids:
        yield f"{name} reported XID errors since modelmeter started: {', '.join(xids)}"


def _name(one: Shown) -> str:
    instance = "" if one.device.mig is None else f" instance {one.device.mig}"
    return f"GPU {one.device.gpu}{instance}"


def _memory_ratio(one: Shown) -> float | None:
    sample = one.sample
    if sample is None or sample.memory_used_bytes is None or not sample.memory_total_bytes:
        return None
    return sample.memory_used_bytes / sample.memory_total_bytes


def _state(one: Shown) -> dict[str, Any]:
    sample = one.sample
    return {
        **one.device.labels,
        "mig": one.device.mig,
        "up": one.up,
        "memory_used_bytes": sample and sample.memory_used_bytes,
        "memory_total_bytes": sample and sample.memory_total_bytes,
        "temperature_celsius": sample and sample.temperature_celsius,
        "power_watts": sample and sample.power_watts,
        "power_limit_watts": sample and sample.power_limit_watts,
        "throttled": sample and sorted(reason for reason, on in sample.throttled.items() if on),
        "windows": {
            name: {"usage_ratio": one.use.get(name), "throttled_ratio": one.throttled.get(name)}
            for name in sorted({*one.use, *one.throttled}, key=[*one.use, *one.throttled].index)
        },
    }
