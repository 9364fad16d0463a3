"""What GPUs had to do with it: their state over the windows, and what stands out of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from exporter.gpu.board import Shown

NOTABLE: Final = 0.01
"""Throttling for a smaller share of a window is not worth a sentence."""
FULL: Final = 0.95
"""Memory used beyond this share leaves little for the next request."""
CAUSES: Final = {
    "sw_power_cap": "its power limit",
    "hw_power_brake": "the power supply",
    "sw_thermal": "its temperature",
    "hw_thermal": "its temperature (in hardware)",
    "sync_boost": "the GPUs that it is coupled with",
}
"""Not ``hw_slowdown``: it holds whenever one of the other two of the hardware does."""


def told(shown: Sequence[Shown]) -> dict[str, Any]:
    """Return each GPU's state, and findings in plain words, the devices in order."""
    return {
        "gpus": [_state(one) for one in shown],
        "findings": [finding for one in shown for finding in findings(one)],
    }


def findings(one: Shown) -> Iterable[str]:
    """Return what stands out of one device, a sentence each."""
    name = _name(one)
    if one.up is False:
        yield f"{name} does not answer"
    yield from _throttled(one, name)
    sample = one.sample
    if sample and sample.memory_used_bytes is not None and sample.memory_total_bytes:
        share = sample.memory_used_bytes / sample.memory_total_bytes
        if share > FULL:
            yield f"{name} has {share:.0%} of its memory in use"
    seen = [f"{xid} ({count})" for xid, count in sorted(one.xids.items()) if count]
    if seen:
        yield f"{name} reported XID errors since modelmeter started: {', '.join(seen)}"


def _throttled(one: Shown, name: str) -> Iterator[str]:
    for window, shares in one.throttled.items():
        for reason, cause in CAUSES.items():
            share = shares.get(reason, 0.0)
            if share >= NOTABLE:
                yield f"{name} was throttled by {cause} for {share:.0%} of {window}"


def _name(one: Shown) -> str:
    part = "" if one.device.mig is None else f" instance {one.device.mig}"
    return f"GPU {one.device.gpu}{part}"


def _state(one: Shown) -> dict[str, Any]:
    sample = one.sample
    state: dict[str, Any] = {**one.device.labels, "up": one.up, "windows": _windows(one)}
    if sample is not None:
        state |= {
            "utilization_ratio": sample.utilization_ratio,
            "memory_used_bytes": sample.memory_used_bytes,
            "memory_total_bytes": sample.memory_total_bytes,
            "temperature_celsius": sample.temperature_celsius,
            "power_watts": sample.power_watts,
            "throttled": sorted(reason for reason, on in sample.throttled.items() if on),
        }
    return {key: value for key, value in state.items() if value is not None}


def _windows(one: Shown) -> dict[str, Any]:
    names = [*one.use, *(name for name in one.throttled if name not in one.use)]
    return {
        name: {
            "usage_ratio": dict(one.use.get(name, {})),
            "throttled_ratio": dict(one.throttled.get(name, {})),
        }
        for name in names
    }
