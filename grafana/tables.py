"""Tables: one row a model, a version or a feature, with a column for each query."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models import common, dashboard, prometheus

from grafana.frame import DATASOURCE
from grafana.parts import mapping, override, targets
from grafana.queries import Query


class Column(NamedTuple):
    """A column: its heading, and where its values come from.

    With `expr` they are the values of a query, else of the label `label`.
    """

    title: str
    expr: str = ""
    label: str = ""
    unit: str = "short"
    width: int = 90
    decimals: int | None = None
    texts: dict[str, tuple[str, str]] | None = None
    """Texts and colours in place of values."""
    link: tuple[str, str] | None = None
    """The text and the address that a click offers."""
    gauge: float | None = None
    """Drawn as a bar up to this value."""


def opening(uid: str, *, model: bool = True, feature: bool = False) -> str:
    """The address of a dashboard for the row that is clicked; keeps time and variables."""
    fields = ["job", "instance", *(["model", "version"] if model else [])]
    fields += ["feature"] if feature else []
    chosen = "".join(f"&var-{name}=${{__data.fields.{name}}}" for name in fields)
    return (
        f"/d/{uid}?${{__url_time_range}}&${{datasource:queryparam}}{chosen}&${{window:queryparam}}"
    )


def _properties(column: Column) -> dict[str, Any]:
    found: dict[str, Any] = {"custom.width": column.width, "noValue": "–"}
    if column.expr:
        found["unit"] = column.unit
        found["custom.align"] = "right"
    if column.decimals is not None:
        found["decimals"] = column.decimals
    if column.texts:
        found["mappings"] = mapping(column.texts)
        found["custom.align"] = "left"
        found["custom.cellOptions"] = {"type": "color-text"}
    if column.gauge is not None:
        found["custom.cellOptions"] = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
        found["min"], found["max"] = 0, column.gauge
    if column.link:
        title, url = column.link
        found["links"] = [{"title": title, "url": url}]
    return found


def _organized(columns: Sequence[Column], names: Sequence[str]) -> dashboard.DataTransformerConfig:
    """Only the columns, in their order."""
    index = {name: position for position, name in enumerate(names)}
    return dashboard.DataTransformerConfig(
        id_val="organize",
        options={
            "includeByName": dict.fromkeys(names, True),
            "indexByName": index,
            "renameByName": {n: c.title for n, c in zip(names, columns, strict=True) if c.expr},
        },
    )


def ranked(
    title: str,
    description: str,
    missing: str,
    columns: Sequence[Column],
    *,
    by: Sequence[tuple[str, bool]],
    height: int = 9,
) -> table.Panel:
    """A table a full row wide, sorted `by` headings (True: the largest first).

    The queries of the columns must agree in the labels that are columns too.
    """
    queries = [Query(column.expr, column.title) for column in columns if column.expr]
    values = (
        ["Value"] if len(queries) == 1 else [f"Value #{chr(65 + n)}" for n in range(len(queries))]
    )
    of_queries = iter(values)
    names = [next(of_queries) if column.expr else column.label for column in columns]
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(DATASOURCE)
        .unit("short")
        .no_value(missing)
        .height(height)
        .span(24)
        .cell_height(common.TableCellHeight.SM)
        .sort_by([common_builders.TableSortByFieldState().display_name(n).desc(d) for n, d in by])
        .targets(targets(queries, instant=True, form=prometheus.PromQueryFormat.TABLE))
        .transformations(
            [
                *(
                    [dashboard.DataTransformerConfig(id_val="merge", options={})]
                    if len(queries) > 1
                    else []
                ),
                _organized(columns, names),
            ]
        )
    )
    for column, name in zip(columns, names, strict=True):
        properties = _properties(column)
        if not column.expr:
            properties["displayName"] = column.title
        panel.override_by_name(column.title if column.expr else name, override(properties))
    return panel
