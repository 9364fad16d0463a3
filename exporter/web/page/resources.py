"""What the model server and modelmeter itself use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from exporter.collectors.own import Cost
from exporter.web.page import words
from exporter.web.page.rows import mark

LEAST_SECONDS = 5.0
"""CPU use over less than this is noise."""


@dataclass(frozen=True)
class Itself:
    """What modelmeter takes, and what became of events."""

    cores: float
    """CPU in use, averaged since the look before."""
    resident: float
    received: int
    rejected: int
    waiting: int
    """Ids that wait for their label or their prediction, or are remembered."""
    most_waiting: int
    reload_successful: bool
    disk_failing: bool


class OwnUse:
    """CPU in use between two looks; time is given, never read."""

    def __init__(self, now: float) -> None:
        self._cost = Cost()
        self._at, self._seconds = now, self._cost.read()[0]
        self._cores = 0.0

    def read(self, now: float) -> tuple[float, float]:
        """Return cores in use since the look before (or the one before that), and bytes."""
        seconds, resident = self._cost.read()
        if now - self._at >= LEAST_SECONDS:
            self._cores = (seconds - self._seconds) / (now - self._at)
            self._at, self._seconds = now, seconds
        return self._cores, resident


def section(environment: Mapping[str, Any], itself: Itself) -> str:
    """Return the resources as HTML; ``environment`` is what the HTTP interface tells of them."""
    servers = [_server(one) for one in environment["servers"]]
    found = "".join(f"<li>{mark('warning', one)}</li>" for one in environment["findings"])
    told = f"<ul>{found}</ul>" if found else ""
    if not servers:
        servers = ["<p>No model server is watched: set <code>model_server</code>.</p>"]
    parts = (*servers, _gpus(environment.get("gpus") or []), _itself(itself))
    return f"<section><h2>Resources</h2>{told}{''.join(parts)}</section>"


def _server(server: Mapping[str, Any]) -> str:
    name = f"Model server {server['server']}" if server["server"] else "Model server"
    state = {
        True: mark("fine", "up"),
        False: mark("critical", "down"),
        None: mark("early", "unknown"),
    }
    windows: Mapping[str, Mapping[str, Any]] = server["windows"]
    rows = {
        "CPU, 95 %": [_cpu(one) for one in windows.values()],
        "memory, highest": [_memory(one) for one in windows.values()],
        "CPU throttled": [_share(one["cpu_throttled_periods_ratio"]) for one in windows.values()],
        "restarts": [f"{one['restarts']:,.0f}" for one in windows.values()],
        "OOM kills": [_count(one["oom_kills"]) for one in windows.values()],
    }
    return (
        f"<h3>{escape(name)} <small>{state[server['up']]}</small></h3>{_table(list(windows), rows)}"
    )


def _table(windows: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    if not windows:
        return ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in windows)
    body = "".join(
        f'<tr><th scope="row">{name}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for name, cells in rows.items()
        if any(cells)
    )
    return (
        f'<div class="scroll"><table class="detail"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _gpus(gpus: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of GPUs, a row each."""
    if not gpus:
        return ""
    names = ("in use, 95 %", "memory", "temperature", "power", "throttled by")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{_gpu_name(one)}</th>'
        f"{''.join(f'<td>{cell}</td>' for cell in _gpu(one))}</tr>"
        for one in gpus
    )
    return (
        '<h3>GPUs</h3><div class="scroll"><table class="detail"><thead><tr><td></td>'
        f"{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _gpu_name(gpu: Mapping[str, Any]) -> str:
    part = "" if gpu["mig"] is None else f" instance {gpu['mig']}"
    name = escape(f"{gpu['gpu']}{part}")
    return name if gpu["up"] is not False else f"{name} {mark('critical', 'does not answer')}"


def _gpu(gpu: Mapping[str, Any]) -> list[str]:
    """Return the cells of one GPU; empty where the driver does not tell."""
    window, used = next(
        ((name, one["usage_ratio"]) for name, one in gpu["windows"].items() if one["usage_ratio"]),
        ("", None),
    )
    use = "" if used is None else f"{words.share(used['0.95'])} <small>{escape(window)}</small>"
    heat = gpu["temperature_celsius"]
    return [
        use,
        _of(gpu["memory_used_bytes"], gpu["memory_total_bytes"], words.size),
        "" if heat is None else f"{heat:.0f} °C",
        _of(gpu["power_watts"], gpu["power_limit_watts"], lambda watts: f"{watts:.0f} W"),
        escape(", ".join(gpu["throttled"] or ())),
    ]


def _of(value: float | None, most: float | None, told: Callable[[float], str]) -> str:
    if value is None:
        return ""
    return told(value) if most is None else f"{told(value)} <small>of {told(most)}</small>"


def _cpu(window: Mapping[str, Any]) -> str:
    used, of_limit = window["cpu_usage_cores"], window["cpu_usage_limit_ratio"]
    return "" if used is None else _used(f"{used['0.95']:.3g} cores", of_limit, "0.95")


def _memory(window: Mapping[str, Any]) -> str:
    used, of_limit = window["memory_usage_bytes"], window["memory_usage_limit_ratio"]
    return "" if used is None else _used(words.size(used["1.0"]), of_limit, "1.0")


def _used(told: str, of_limit: Mapping[str, float] | None, share: str) -> str:
    if of_limit is None:
        return told
    return f"{told} <small>{words.share(of_limit[share])} of its limit</small>"


def _share(value: float | None) -> str:
    return "" if value is None else words.share(value)


def _count(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _itself(it: Itself) -> str:
    told = [
        f"{it.cores:.2f} cores, {words.size(it.resident)}",
        f"{words.count(it.received, 'event')} received, {it.rejected:,} rejected",
        f"{it.waiting:,} of {it.most_waiting:,} ids kept for joining",
    ]
    lines = f"<p>{'; '.join(told)}.</p>"
    if not it.reload_successful:
        lines += (
            f"<p>{mark('warning', 'the last configuration was refused; the old one stays')}</p>"
        )
    if it.disk_failing:
        lines += f"<p>{mark('critical', 'state cannot be written to disk')}</p>"
    return f"<h3>modelmeter itself</h3>{lines}"
