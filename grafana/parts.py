"""The parts every dashboard is made of: selectors, queries, panels, variables, annotations."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.models import common, dashboard

TAG = "modelmeter"
DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

# Every query names job and instance, so that a dashboard shows one installation at a time.
SCRAPED = 'job=~"$job",instance=~"$instance"'
MODEL = SCRAPED + ',model=~"$model",version=~"$version"'
WINDOW = MODEL + ',window=~"$window"'

OF_MODEL = "{{model}} {{version}}"
OF_WINDOW = OF_MODEL + " {{window}}"


class Query(NamedTuple):
    """A PromQL expression and the legend of its series."""

    expr: str
    legend: str


def window(metric: str, legend: str = "", matchers: str = "") -> Query:
    """The query of a window gauge, for the chosen models and windows."""
    selector = f"{WINDOW},{matchers}" if matchers else WINDOW
    return Query(f"{metric}{{{selector}}}", f"{OF_WINDOW} {legend}".strip())


def bounds_and_limits(metric: str) -> list[Query]:
    """The queries of a metric's 95 % bounds and of the limits set for it."""
    only = f'metric="{metric}"'
    return [
        window("model_metric_confidence_bound", "95% {{bound}}", only),
        window("model_metric_limit", "{{level}} {{bound}} limit", only),
    ]


class Row(NamedTuple):
    """A row's title and its panels."""

    title: str
    panels: Sequence[timeseries.Panel | stat.Panel | statetimeline.Panel]


def _targets(queries: Sequence[Query], *, instant: bool) -> list[prometheus.Dataquery]:
    targets = []
    for position, query in enumerate(queries):
        target = (
            prometheus.Dataquery()
            .datasource(DATASOURCE)
            .expr(query.expr)
            .legend_format(query.legend)
            .ref_id(chr(ord("A") + position))
        )
        targets.append(target.instant() if instant else target.range())
    return targets


def _thresholds(steps: Sequence[tuple[float | None, str]]) -> builders.ThresholdsConfig:
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(value=value, color=color) for value, color in steps])
    )


def _mapping(texts: dict[str, tuple[str, str]]) -> list[dashboard.ValueMapping]:
    options = {
        value: dashboard.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(texts.items())
    }
    return [dashboard.ValueMap(options=options)]


def graph(
    title: str, description: str, unit: str, missing: str, queries: Sequence[Query]
) -> timeseries.Panel:
    """A panel of lines over time, a third of a row wide.

    `description` names the metrics shown, `missing` says what is lacking when there is no series.
    """
    return (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(missing)
        .height(8)
        .span(8)
        .fill_opacity(0)
        .line_width(1)
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
        .targets(_targets(queries, instant=False))
    )


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
        .thresholds(_thresholds([(None, "text")]))
        .targets(_targets(queries, instant=True))
    )


def alarm(
    title: str, description: str, missing: str, query: Query, *, bad_from: float = 1
) -> stat.Panel:
    """A count that is green below `bad_from` and red from there."""
    panel = number(title, description, "short", missing, [query])
    return panel.thresholds(_thresholds([(None, "green"), (bad_from, "red")]))


def up_or_down(title: str, description: str, missing: str, query: Query) -> stat.Panel:
    """A 0-or-1 gauge written as Down or Up."""
    panel = number(title, description, "bool", missing, [query])
    return panel.mappings(_mapping({"0": ("Down", "red"), "1": ("Up", "green")}))


def timeline(
    title: str, description: str, missing: str, queries: Sequence[Query]
) -> statetimeline.Panel:
    """A panel that shows over time which 0-or-1 series were 1, a full row wide."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("bool")
        .no_value(missing)
        .height(8)
        .span(24)
        .mappings(_mapping({"0": ("within", "green"), "1": ("beyond", "red")}))
        .targets(_targets(queries, instant=False))
    )


def _variable(name: str, label: str, definition: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query({"query": definition, "refId": f"variable-{name}"})
        .definition(definition)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".+")
        .current(dashboard.VariableOption(text="All", value="$__all", selected=True))
    )


def variables() -> list[builders.DatasourceVariable | builders.QueryVariable]:
    """The data source and the labels a reader may choose, each narrowed by those before it."""
    default = dashboard.VariableOption(text="default", value="default", selected=True)
    of_model = f'model_predictions_total{{{SCRAPED},model=~"$model"}}'
    return [
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(default),
        _variable("job", "Job", "label_values(modelmeter_build_info, job)"),
        _variable(
            "instance", "Instance", 'label_values(modelmeter_build_info{job=~"$job"}, instance)'
        ),
        _variable("model", "Model", f"label_values(model_predictions_total{{{SCRAPED}}}, model)"),
        _variable("version", "Version", f"label_values({of_model}, version)"),
        _variable("window", "Window", f"label_values(model_window_predictions{{{MODEL}}}, window)"),
    ]


def _annotation(
    name: str, expr: str, title: str, text: str, color: str
) -> builders.AnnotationQuery:
    return (
        builders.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(color)
        .expr(expr)
        .title_format(title)
        .text_format(text)
        .step("60s")
    )


def annotations() -> list[builders.AnnotationQuery]:
    """Marks on every graph: versions that appeared, and alerts that fire."""
    here = f"count by (model, version) (model_info{{{MODEL}}})"
    before = f"count by (model, version) (model_info{{{MODEL}}} offset 2m)"
    return [
        _annotation(
            "New versions",
            f"{here} unless {before}",
            "New version",
            "{{model}} {{version}}",
            "blue",
        ),
        _annotation(
            "Alerts",
            f'ALERTS{{alertstate="firing",alertname=~"Model.+",{SCRAPED}}}',
            "{{alertname}}",
            "{{severity}} {{model}} {{version}} {{window}} {{metric}}",
            "red",
        ),
    ]


def page(uid: str, title: str, description: str, rows: Sequence[Row]) -> builders.Dashboard:
    """A whole dashboard: rows of panels with the common variables, marks and links."""
    link = (
        builders.DashboardLink("modelmeter dashboards")
        .type(dashboard.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
    built = (
        builders.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags([TAG])
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .link(link)
        .annotations(annotations())
        .variables(variables())
    )
    numbers = itertools.count(1)  # panel ids: stable as long as the order is
    for row in rows:
        built.with_row(builders.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            built.with_panel(panel.id(next(numbers)))
    return built
