"""The landing page: a live table of the models, in one file without outside assets."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from exporter import __version__
from exporter.service import Service
from exporter.web.view import model_view

COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("accuracy", "accuracy_ratio"),
    ("F1", "f1_ratio"),
    ("AUC", "roc_auc_ratio"),
    ("ECE", "expected_calibration_error_ratio"),
    ("MAE", "mean_absolute_error"),
    ("R²", "r_squared"),
)
"""Heading and metric; a column that no model has is left out."""

_EMPTY: Final = """<p>No events yet. Send one:</p>
<pre>curl {url}v1/events -H 'Content-Type: application/json' \\
  -d '{{"model": "fraud", "id": "a1", "score": 0.93, "label": 1}}'</pre>"""


def router(service: Service) -> APIRouter:
    """Return the route of the landing page."""
    page = Template((files("exporter.web") / "landing.html").read_text("utf-8"))
    routes = APIRouter()

    @routes.get("/", response_class=HTMLResponse, include_in_schema=False)
    def landing(request: Request) -> str:
        views = []
        models = service.monitor.models
        for model in models:
            with service.monitor.lock:
                views.append(model_view(models, model, service.clock.monotonic()))
        content = table(views) or _EMPTY.format(url=escape(str(request.base_url)))
        return page.substitute(version=escape(__version__), content=content)

    return routes


def table(views: list[dict[str, Any]]) -> str:
    """Return the models as an HTML table, a row a window; nothing when there are none."""
    rows = [(view, name, i == 0) for view in views for i, name in enumerate(view["windows"])]
    if not rows:
        return ""
    shown = [
        (heading, key)
        for heading, key in COLUMNS
        if any(key in view["windows"][name]["values"] for view, name, _ in rows)
    ]
    headings = ["model", "version", "task", "window", "predictions", "labels"]
    headings += [heading for heading, _ in shown] + ["limits", "drift"]
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    keys = [key for _, key in shown]
    body = "".join(_row(view, name, keys, first=first) for view, name, first in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def _row(view: dict[str, Any], name: str, keys: list[str], *, first: bool) -> str:
    window = view["windows"][name]
    of_model = (view["model"], view["version"], view["task"] or "") if first else ("", "", "")
    cells = [
        *(f"<td>{escape(text)}</td>" for text in of_model),
        f"<td>{escape(name)}</td>",
        f"<td>{window['predictions']:,}</td><td>{window['labels']:,}</td>",
        *(_number(window["values"].get(key)) for key in keys),
        _limits(window["decisions"]),
        _drift(window),
    ]
    return f"<tr{' class=first' if first else ''}>{''.join(cells)}</tr>"


def _number(value: float | None) -> str:
    if value is None:
        return "<td></td>"
    return f"<td>{value:.3f}</td>" if abs(value) < 10 else f"<td>{value:,.4g}</td>"


def _limits(decisions: list[dict[str, Any]]) -> str:
    broken = [_broken(one) for one in decisions if one["breached"]]
    if broken:
        return f'<td class="breached">{", ".join(broken)}</td>'
    if any(one["breached"] is False for one in decisions):
        return '<td class="held">held</td>'
    return "<td></td>"


def _drift(window: dict[str, Any]) -> str:
    """Show what drifted, and what is missing or outside, at any level."""
    wrong = [
        escape(one["feature"] or one["of"])
        for one in window["drift"]
        if any(level["detected"] for level in one["levels"].values())
    ]
    wrong += [
        escape(f"{one['feature']} {one['problem']}") for one in window["quality"] if one["detected"]
    ]
    if wrong:
        return f'<td class="breached">{", ".join(wrong)}</td>'
    if window["drift"] or window["quality"]:
        return '<td class="held">none</td>'
    return '<td class="none"></td>'


def _broken(decision: dict[str, Any]) -> str:
    sign = "<" if decision["bound"] == "min" else ">"
    return escape(f"{decision['metric'].removesuffix('_ratio')} {sign} {decision['limit']:g}")
