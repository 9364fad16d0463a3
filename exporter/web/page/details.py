"""One model version in full: a row a metric, a column a window, values beside their limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any, Final

from exporter.recent import SERIES
from exporter.web.page import links, verdict, words
from exporter.web.page.plot import plot
from exporter.web.page.rows import beside, mark
from exporter.web.page.verdict import WORST

METRICS: Final = (
    "accuracy_ratio",
    "precision_ratio",
    "recall_ratio",
    "f1_ratio",
    "roc_auc_ratio",
    "expected_calibration_error_ratio",
    "mean_absolute_error",
    "root_mean_squared_error",
    "mean_error",
    "r_squared",
    "estimated_accuracy_ratio",
    "estimated_f1_ratio",
    "estimated_roc_auc_ratio",
)
"""Shown where they are defined, and after them whatever else has a limit."""
LATENCY: Final = "latency_quantile_seconds"
SHOWN: Final = 10
"""Features named in a cell."""
View = Mapping[str, Any]
Recent = Callable[[str], Sequence[float | None]]


def details(view: View, recent: Recent, grafana: str | None) -> str:
    """Return a model version's table; ``view`` is what the HTTP interface tells of it."""
    windows = view["windows"]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in windows)
    body = "".join(_rows(view, recent))
    table = (
        '<div class="scroll"><table class="detail"><thead><tr><td></td>'
        f'{head}<th scope="col" class="hour">last hour</th></tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )
    return f"<section><h3>{_heading(view, grafana)}</h3>{_about(view)}{table}</section>"


def _heading(view: View, grafana: str | None) -> str:
    name, version = view["model"], view["version"]
    shown = [links.link(links.as_json(name), "JSON")]
    if grafana is not None:
        shown.append(links.link(links.of_model(grafana, name, version), "Grafana"))
    return f"{escape(name)} <small>version {escape(version)} · {' · '.join(shown)}</small>"


def _about(view: View) -> str:
    """Return what is compared with, what waits, and why there may be no critical level."""
    told = []
    reference = view["reference"]
    if reference is not None:
        told.append(f"reference: {reference['source']}")
    pending = view["pending"]
    if pending["predictions"]:
        told.append(f"{words.count(pending['predictions'], 'prediction')} waiting for labels")
    if pending["labels"]:
        told.append(f"{words.count(pending['labels'], 'label')} waiting for predictions")
    if view["deciding"]["no_critical_because"]:
        told.append(f"no critical level for drift: {view['deciding']['no_critical_because']}")
    return f"<p>{escape('; '.join(told))}</p>" if told else ""


def _rows(view: View, recent: Recent) -> list[str]:
    windows: Sequence[View] = list(view["windows"].values())
    rows = [
        _row("predictions", [f"{one['predictions']:,}" for one in windows],
             plot("predictions a minute", recent("predictions"), least=0.0)),
        _row("labels", [_labels(one) for one in windows]),
    ]  # fmt: skip
    limited = dict.fromkeys(one["metric"] for window in windows for one in window["decisions"])
    for metric in dict.fromkeys((*METRICS, *limited)):
        cells = [_value(window, metric) for window in windows]
        if any(cells):
            rows.append(_row(words.named(metric), cells, _plot(metric, windows, recent)))
    rows.append(_row("p99 latency", [_latency(one) for one in windows],
                     plot("mean latency in seconds", recent("latency_seconds"))))  # fmt: skip
    rows.append(_row("drift", [_drift(one) for one in windows]))
    rows.append(_row("missing, unusual", [_quality(one) for one in windows]))
    return [row for row in rows if row]


def _row(name: str, cells: Sequence[str], line: str = "") -> str:
    """Return a row; nothing where no window has anything to tell."""
    if not any(cells):
        return ""
    told = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row">{escape(name)}</th>{told}<td class="hour">{line}</td></tr>'


def _labels(window: View) -> str:
    labels, predictions = window["labels"], window["predictions"]
    covered = (
        f" <small>{words.share(min(1.0, labels / predictions))}</small>" if predictions else ""
    )
    return f"{labels:,}{covered}"


def _value(window: View, metric: str) -> str:
    """Return a value, its 95 % bounds, and how it stands to its limit."""
    value = window["values"].get(metric)
    held = _worst([one for one in window["decisions"] if one["metric"] == metric])
    if not isinstance(value, int | float):
        return ""
    told = f"<b>{words.number(value)}</b>"
    bounds = window["bounds"].get(metric)
    if bounds is not None:
        told += f" <small>{words.number(bounds['lower'])} – {words.number(bounds['upper'])}</small>"
    if held is not None:
        state = _state(held)
        told += f"<div>{beside(state, value, held['bound'], held['limit'])}</div>"
    return told


def _state(decision: View) -> str:
    return verdict.level(decision["breached"], decision["levels"])


def _worst(decisions: Sequence[View]) -> View | None:
    return min(decisions, key=lambda one: WORST[_state(one)], default=None)


def _plot(metric: str, windows: Sequence[View], recent: Recent) -> str:
    if metric not in SERIES:
        return ""
    now = windows[0]["values"].get(metric)
    decisions = [one for one in windows[0]["decisions"] if one["metric"] == metric]
    limits = sorted({one["limit"] for one in decisions})
    return plot(words.named(metric), [*recent(metric), now], limits)


def _latency(window: View) -> str:
    quantiles = window["values"].get(LATENCY) or {}
    return words.duration(quantiles["0.99"]) if "0.99" in quantiles else ""


def _drift(window: View) -> str:
    """Return what drifted, the largest effect first, each with how far it is beyond its limit."""
    found = []
    for one in window["drift"]:
        levels = one["levels"]
        detected = [level for level in levels if levels[level]["detected"]]
        if detected:
            level = "critical" if "critical" in detected else "warning"
            far = one["effect"] / levels[level]["limit"]
            found.append((WORST[level], -far, one["feature"] or f"{one['of']}s", level))
    if not found:
        return mark("fine", "none") if window["drift"] else ""
    return "".join(
        f"<div>{mark(level, name)} <small>{-far:.3g} × its limit</small></div>"
        for _, far, name, level in sorted(found)[:SHOWN]
    ) + _left(len(found))


def _left(many: int) -> str:
    return f"<div>and {many - SHOWN} more</div>" if many > SHOWN else ""


def _quality(window: View) -> str:
    """Return which values are missing or unusual, with their share."""
    wrong = [one for one in window["quality"] if one["detected"]]
    if not wrong:
        return mark("fine", "none") if window["quality"] else ""
    told = [
        f"<div>{mark(verdict.level(True, one['levels']), one['feature'])} "
        f"<small>{words.share(one['share'])} {escape(one['problem'])}</small></div>"
        for one in wrong[:SHOWN]
    ]
    return "".join(told) + _left(len(wrong))
