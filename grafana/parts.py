"""The panels every dashboard is made of: graphs, numbers, timelines."""

from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models import prometheus as forms

from grafana.frame import DATASOURCE, Row, page
from grafana.queries import (
    MODEL,
    OF_MODEL,
    OF_WINDOW,
    SCRAPED,
    WINDOW,
    Query,
    window,
)

__all__ = [
    "GOOD",
    "MODEL",
    "OF_MODEL",
    "OF_WINDOW",
    "SCRAPED",
    "WINDOW",
    "Query",
    "Row",
    "alarm",
    "graph",
    "mapping",
    "number",
    "page",
    "targets",
    "thresholds",
    "timeline",
    "up_or_down",
    "window",
]

# Blue and orange are told apart by every eye and on both backgrounds; a text says the same.
GOOD, BAD, WORSE, UNKNOWN = "blue", "orange", "dark-orange", "#8e8e8e"

STYLES: dict[str, tuple[str, dict[str, Any]]] = {
    "95 % {{bound}}": (
        "/ 95 % (lower|upper)$/",
        {
            "custom.lineStyle": {"fill": "dot", "dash": [1, 5]},
            "color": {"mode": "fixed", "fixedColor": UNKNOWN},
            "custom.lineWidth": 1,
            "custom.hideFrom": {"legend": True, "tooltip": False, "viz": False},
        },
    ),
    "limit": (
        "/ limit$/",
        {
            "custom.lineStyle": {"fill": "dash", "dash": [10, 5]},
            "color": {"mode": "fixed", "fixedColor": WORSE},
        },
    ),
    "limit (warning)": (
        "/ limit .warning.$/",
        {
            "custom.lineStyle": {"fill": "dash", "dash": [10, 5]},
            "color": {"mode": "fixed", "fixedColor": BAD},
            "custom.lineWidth": 1,
        },
    ),
    "in the reference": (
        "/ in the reference$/",
        {
            "custom.lineStyle": {"fill": "dash", "dash": [2, 4]},
            "color": {"mode": "fixed", "fixedColor": "purple"},
        },
    ),
    "estimated": ("/ estimated$/", {"custom.lineStyle": {"fill": "dash", "dash": [5, 3]}}),
}
"""How a graph draws what a metric is judged by: by the end of its legend."""

LINES = " Dotted: the 95 % interval; long dashes: limits; short dashes: the value in the reference."


def targets(
    queries: Sequence[Query], *, instant: bool, form: forms.PromQueryFormat | None = None
) -> list[Any]:
    """The queries of a panel, named by letters from A on."""
    built = []
    for position, query in enumerate(queries):
        target = (
            prometheus.Dataquery()
            .datasource(DATASOURCE)
            .expr(query.expr)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + position))
        )
        if form:
            target.format(form)
        built.append(target.instant() if instant else target.range())
    return built


def thresholds(steps: Sequence[tuple[float | None, str]]) -> builders.ThresholdsConfig:
    """Colours from a value on; the first step has no value."""
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=value, color=color) for value, color in steps])
    )


def mapping(texts: dict[str, tuple[str, str]]) -> list[dashboard.ValueMapping]:
    """Texts and colours in place of values."""
    options = {
        value: dashboard.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(texts.items())
    }
    return [dashboard.ValueMap(options=options)]


def override(properties: dict[str, Any]) -> list[dashboard.DynamicConfigValue]:
    """What an override sets, in the form of the SDK."""
    return [dashboard.DynamicConfigValue(id_val=name, value=v) for name, v in properties.items()]


def graph(
    title: str,
    description: str,
    unit: str,
    missing: str,
    queries: Sequence[Query],
    *,
    span: int = 8,
) -> timeseries.Panel:
    """A panel of lines over time, a third of a row wide.

    `description` names the metrics shown, `missing` says what is lacking when there is no series.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(missing)
        .height(8)
        .span(span)
        .fill_opacity(0)
        .line_width(2)
        .show_points(common.VisibilityMode.NEVER)
        .tooltip(
            common_builders.VizTooltipOptions()
            .mode(common.TooltipDisplayMode.MULTI)
            .sort(common.SortOrder.DESCENDING)
        )
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .targets(targets(queries, instant=False))
    )
    for end, (pattern, properties) in STYLES.items():
        if any(query.legend.endswith(f" {end}") for query in queries):
            panel.override_by_regexp(pattern, override(properties))
    return panel


def number(
    title: str, description: str, unit: str, missing: str, queries: Sequence[Query]
) -> stat.Panel:
    """A panel of current values, a sixth of a row wide; the texts are as for `graph`."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(missing)
        .height(5)
        .span(4)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .thresholds(thresholds([(None, "text")]))
        .targets(targets(queries, instant=True))
    )


def alarm(
    title: str, description: str, missing: str, query: Query, *, bad_from: float = 1
) -> stat.Panel:
    """A count that is blue below `bad_from`, and orange on its whole panel from there."""
    panel = number(title, description, "short", missing, [query])
    return panel.color_mode(common.BigValueColorMode.BACKGROUND_SOLID).thresholds(
        thresholds([(None, "transparent"), (bad_from, WORSE)])
    )


def up_or_down(title: str, description: str, missing: str, query: Query) -> stat.Panel:
    """A 0-or-1 gauge written as Down or Up."""
    panel = number(title, description, "bool", missing, [query])
    return panel.mappings(mapping({"0": ("Down", WORSE), "1": ("Up", GOOD)}))


def timeline(
    title: str,
    description: str,
    missing: str,
    queries: Sequence[Query],
    texts: dict[str, tuple[str, str]] | None = None,
) -> statetimeline.Panel:
    """A panel that shows over time which state each series was in, a full row wide.

    `texts` maps values to texts and colours; without it 1 is beyond a limit and 0 within.
    """
    states = texts or {"0": ("within", GOOD), "1": ("beyond", WORSE)}
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("short")
        .no_value(missing)
        .height(8)
        .span(24)
        .merge_values(True)
        .show_value(common.VisibilityMode.AUTO)
        .row_height(0.85)
        .mappings(mapping(states))
        .targets(targets(queries, instant=False))
    )
