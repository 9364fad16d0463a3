"""Dashboards' queries as Grafana sends them: variables filled in."""

import re
from collections.abc import Mapping
from typing import Any

Board = dict[str, Any]


def filled(expr: str, chosen: Mapping[str, str] | None = None, range_: str = "5m") -> str:
    """The expression with everything chosen, but for what `chosen` names."""
    chosen = chosen or {}

    def value(match: re.Match[str]) -> str:
        return chosen.get(match[1], ".+")

    expr = expr.replace("$__rate_interval", "15s").replace("$__range", range_)
    return re.sub(r"\$(job|instance|model|version|window|feature)\b", value, expr)


def panels(board: Board) -> list[dict[str, Any]]:
    """The panels of a dashboard that show something: all but rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def values(there: Any, variable: Mapping[str, Any], chosen: Mapping[str, str]) -> list[str]:
    """What a variable offers, in its order; `there` is an Installation."""
    definition = variable["definition"]
    if asked := re.fullmatch(r"label_values\((.+), (\w+)\)", definition):
        selector, label = asked.groups()
        found: list[str] = there.ask(
            f"label/{label}/values", **{"match[]": filled(selector, chosen)}
        )
        return found
    (expr,) = re.fullmatch(r"query_result\((.+)\)", definition).groups()  # type: ignore[union-attr]
    pattern = re.compile(variable["regex"].strip("/"))
    series = there.query(filled(expr, chosen))
    lines = ["{" + ",".join(f'{k}="{v}"' for k, v in s["metric"].items()) + "}" for s in series]
    return [match[1] for line in lines if (match := pattern.search(line))]
