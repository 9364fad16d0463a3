"""The table of all model versions: a row each, the worst first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Final

from exporter.web.page import links, verdict, words
from exporter.web.page.fleet import Quality, Row
from exporter.web.page.plot import plot
from exporter.web.page.verdict import STATES, Finding

NAMES_SHOWN: Final = 4
Cell = Callable[[Row], str]


def summary(rows: Sequence[Row]) -> str:
    """Return one sentence: how many there are, and how many do how well."""
    many = Counter(row.state for row in rows)
    parts = [
        f'<span class="{state}">{many[state]:,} {escape(text[2:])}</span>'
        for state, text in STATES.items()
        if many[state]
    ]
    models = len({row.name for row in rows})
    told = words.count(models, "model")
    if models != len(rows):
        told += f" in {words.count(len(rows), 'version')}"
    return f'<p class="summary"><b>{told}</b>: {", ".join(parts)}</p>'


def table(rows: Sequence[Row], grafana: str | None) -> str:
    """Return the table; a column that no row fills is left out."""
    cells: dict[str, tuple[str, Cell]] = {
        "state": ("state", _state),
        "model": ("model", lambda row: _model(row, grafana)),
        "quality": ("quality", _quality),
        "estimate": ("estimated", _estimated),
        "drift": ("drift and data", _drift),
        "labels": ("labels", _labels),
        "rate": ("predictions/min", _rate),
        "latency": ("p99 latency", _latency),
    }
    written = {name: [cell(row) for row in rows] for name, (_, cell) in cells.items()}
    shown = [name for name, texts in written.items() if any(texts)]
    head = "".join(f'<th scope="col" class="{n}">{cells[n][0]}</th>' for n in shown)
    lines = ("".join(_cell(n, written[n][i]) for n in shown) for i in range(len(rows)))
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return (
        '<div class="scroll"><table class="fleet">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _cell(name: str, text: str) -> str:
    if name == "model":
        return f'<th scope="row" class="model">{text}</th>'
    return f'<td class="{name}">{text}</td>'


def mark(state: str, text: str | None = None) -> str:
    """Return a state's sign and word (or another text in place of the word), coloured."""
    sign, word = STATES[state].split(" ", 1)
    return f'<span class="{state}">{sign} {escape(word if text is None else text)}</span>'


def _state(row: Row) -> str:
    return mark(row.state)


def _model(row: Row, grafana: str | None) -> str:
    about = [f"version {row.version}", row.task, f"team {row.team}" if row.team else ""]
    told = " · ".join(escape(one) for one in about if one)
    name = links.link(links.detail(row.name), row.name)
    more = ""
    if grafana is not None:
        more = " " + links.link(links.of_model(grafana, row.name, row.version), "Grafana")
    return f"{name}<small>{told}{more}</small>"


def _quality(row: Row) -> str:
    return "".join(_one_quality(one, row.recent) for one in row.quality)


def _one_quality(one: Quality, recent: Mapping[str, Sequence[float | None]]) -> str:
    told = ""
    if one.limit is not None:
        told = " " + beside(one.state, one.value, one.limit.bound, one.limit.limit)
    limits = () if one.limit is None else (one.limit.limit,)
    line = plot(words.named(one.metric), [*recent.get(one.metric, ()), one.value], limits)
    name = f"{words.named(one.metric)} <b>{words.number(one.value)}</b>"
    window = f"<small>{escape(one.window)}</small>"
    return f'<div class="value"><span>{name}{told} {window}</span>{line}</div>'


def beside(state: str, value: float | None, bound: str, limit: float) -> str:
    """Return how a value stands to its limit; beyond it, and not surely so, is said as such."""
    side = f"{'below' if bound == 'min' else 'above'} {words.limit(limit)}"
    if state in ("critical", "warning"):
        return mark(state, side)
    if value is not None and verdict.passed(value, bound, limit):
        return mark("early", f"{side}, not proven")
    wanted = f"{'≥' if bound == 'min' else '≤'} {words.limit(limit)}"
    return mark(state, wanted if state == "fine" else f"{wanted}, too early")


def _estimated(row: Row) -> str:
    if row.estimated is None:
        return ""
    value, window = row.estimated
    return f"{words.number(value)} <small>{escape(window)}</small>"


def _drift(row: Row) -> str:
    if row.findings:
        return findings(row.findings)
    return mark("fine", "none") if row.compared else ""


def findings(found: Sequence[Finding]) -> str:
    """Return what is wrong with data: a line for each level, and names."""
    lines = []
    for level in ("critical", "warning"):
        told = [one.what for one in found if one.level == level]
        if told:
            lines.append(f"<div>{mark(level, words.some(told, NAMES_SHOWN))}</div>")
    return "".join(lines)


def _labels(row: Row) -> str:
    if row.labels is None:
        return "none expected"
    labels, predictions, window = row.labels
    if not predictions:
        return f"{labels:,} <small>{escape(window)}</small>" if labels else ""
    kind = ", of some kinds" if row.selective else ""
    of = f"{labels:,} of {predictions:,}, {escape(window)}{kind}"
    return f"{words.share(min(1.0, labels / predictions))} <small>{of}</small>"


def _rate(row: Row) -> str:
    line = plot("predictions a minute", row.recent.get("predictions", ()), least=0.0)
    return f'<div class="value"><span>{words.rate(row.predictions)}</span>{line}</div>'


def _latency(row: Row) -> str:
    return "" if row.latency is None else words.duration(row.latency)


def legend() -> str:
    """Return what the states mean."""
    told = "; ".join(f"{mark(state)}: {verdict.MEANINGS[state]}" for state in STATES)
    return f'<p class="legend">{told}.</p>'
