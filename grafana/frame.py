"""What is around the panels of a dashboard: variables, marks, links, rows."""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common, dashboard

from grafana.queries import MODEL, SCRAPED

TAG = "modelmeter"
DATASOURCE = common.DataSourceRef(type_val="prometheus", uid="${datasource}")

Panel = timeseries.Panel | stat.Panel | statetimeline.Panel | table.Panel | heatmap.Panel


class Row(NamedTuple):
    """A row's title and its panels."""

    title: str
    panels: Sequence[Panel]


def variable(name: str, label: str, definition: str) -> builders.QueryVariable:
    """A label of which a reader may choose several values, asked again with the time range."""
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
    of_model = f'model_info{{{SCRAPED},model=~"$model"}}'
    return [
        builders.DatasourceVariable("datasource")
        .label("Data source")
        .type("prometheus")
        .current(default),
        variable("job", "Job", "label_values(model_info, job)"),
        variable("instance", "Instance", 'label_values(model_info{job=~"$job"}, instance)'),
        variable("model", "Model", f"label_values(model_info{{{SCRAPED}}}, model)"),
        variable("version", "Version", f"label_values({of_model}, version)"),
        # Of labels: windows of N labels have no predictions.
        variable("window", "Window", f"label_values(model_window_labels{{{MODEL}}}, window)"),
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
    here = f"count by (job, model, version) (model_info{{{MODEL}}})"
    # A day back, so that a restart of modelmeter is no new version.
    before = f"last_over_time(model_info{{{MODEL}}}[1d] offset 2m)"
    # Alerts over replicas have no instance, those on modelmeter itself no model.
    alerts = 'job=~"$job|",instance=~"$instance|",model=~"$model|"'
    return [
        _annotation(
            "New versions",
            f"{here} unless count by (job, model, version) ({before})",
            "New version",
            "{{model}} {{version}}",
            "blue",
        ),
        _annotation(
            "Alerts",
            f'ALERTS{{alertstate="firing",alertname=~"Model.+",{alerts}}}',
            "{{alertname}}",
            "{{severity}} {{model}} {{version}} {{window}} {{metric}} {{feature}}",
            "orange",
        ),
    ]


def page(
    uid: str,
    title: str,
    description: str,
    rows: Sequence[Row],
    more: Sequence[builders.QueryVariable] = (),
) -> builders.Dashboard:
    """A whole dashboard: rows of panels with the common variables, marks and links.

    `more` are variables that only this dashboard has.
    """
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
        .variables([*variables(), *more])
    )
    numbers = itertools.count(1)  # panel ids: stable as long as the order is
    for row in rows:
        built.with_row(builders.Row(row.title).id(next(numbers)))
        for panel in row.panels:
            built.with_panel(panel.id(next(numbers)))
    return built
