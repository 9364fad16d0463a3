"""A dashboard with the answers to its queries, as renderer/render.tsx shows it."""

import json
import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from grafana.heatmaps import ACROSS
from grafana.pictures.asking import Board, filled, values
from grafana.pictures.installation import Installation

COLUMNS = 24
POINTS = 400
"""Of a graph, at most."""

HTML = """<!doctype html><html><head><meta charset="utf-8"><title>{title}</title>
<link rel="stylesheet" href="render.css"></head>
<body style="margin:0;background:{background}"><div id="root"></div>
<script>window.PAGE = {page};</script><script src="render.js"></script></body></html>"""
BACKGROUND = {True: "#111217", False: "#f4f5f5"}
HEAD, CELL, GAP = 64, 30, 8
"""Pixels, as in render.tsx."""


def shown(
    there: Installation, board: Board, chosen: Mapping[str, str], window: Mapping[str, int]
) -> list[dict[str, Any]]:
    """The panels, repeated ones as often as their variable has values, with the answers."""
    found, below = [], 0
    for panel in board["panels"]:
        place = panel["gridPos"]
        repeated = _values_of(there, board, panel.get("repeat"), chosen)
        across = min(len(repeated), ACROSS)
        for number, value in enumerate(repeated):
            own = dict(chosen) | ({panel["repeat"]: value} if value is not None else {})
            wide = place["w"] // across
            row, column = divmod(number, across)
            found.append(
                {
                    "panel": panel,
                    "title": panel["title"].replace("$model", own.get("model", "")),
                    "place": place
                    | {
                        "x": place["x"] + column * wide,
                        "y": place["y"] + below + row * place["h"],
                        "w": wide,
                    },
                    "answers": [
                        _answer(there, target, own, window) for target in panel.get("targets", [])
                    ],
                }
            )
        below += (math.ceil(len(repeated) / across) - 1) * place["h"]
    return found


def _values_of(
    there: Installation, board: Board, name: str | None, chosen: Mapping[str, str]
) -> list[Any]:
    if name is None:
        return [None]
    if name in chosen:
        return chosen[name].split("|")
    (variable,) = (v for v in board["templating"]["list"] if v["name"] == name)
    return values(there, variable, chosen)


def _answer(
    there: Installation, target: Board, chosen: Mapping[str, str], window: Mapping[str, int]
) -> dict[str, Any]:
    expr = filled(target["expr"], chosen, f"{window['to'] - window['from']}s")
    if target.get("instant"):
        at = there.query(expr, time=str(window["to"]))
        series = [{"metric": s["metric"], "values": [s["value"]]} for s in at]
    else:
        grid = {"start": window["from"], "end": window["to"], "step": window["step"]}
        series = there.ask("query_range", query=expr, **{k: str(v) for k, v in grid.items()})[
            "result"
        ]
    return {"refId": target["refId"], "legend": target["legendFormat"], "series": series}


def chosen_of(board: Board, chosen: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Labels of the variables beside what is chosen."""
    for variable in board["templating"]["list"][1:]:
        value = chosen.get(variable["name"], "All")
        yield variable["label"], value.replace("|", " + ")


def html(
    there: Installation,
    board: Board,
    chosen: Mapping[str, str],
    span: tuple[int, int],
    *,
    dark: bool,
    width: int,
) -> tuple[str, int]:
    """The page, and how high it is in pixels."""
    start, end = span
    window = {"from": start, "to": end, "step": max(1, math.ceil((end - start) / POINTS))}
    panels = shown(there, board, chosen, window)
    page = {
        "title": board["title"],
        "variables": list(chosen_of(board, chosen)),
        "shown": panels,
        "window": window,
        "dark": dark,
        "width": width,
    }
    text = HTML.format(
        title=escape(board["title"]),
        background=BACKGROUND[dark],
        page=json.dumps(page).replace("</", "<\\/"),
    )
    bottom = max(one["place"]["y"] + one["place"]["h"] for one in panels)
    return text, HEAD + bottom * (CELL + GAP) + GAP
