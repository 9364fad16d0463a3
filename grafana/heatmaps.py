"""Panels of shades: a distribution over time, and a matrix of two labels. One panel a model.

They have a row of the grid to themselves, which Grafana divides among them.
"""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import heatmap, table
from grafana_foundation_sdk.models import common, dashboard, prometheus
from grafana_foundation_sdk.models import heatmap as heatmaps

from grafana.frame import DATASOURCE
from grafana.parts import override, targets
from grafana.queries import Query

ACROSS = 3
"""Panels beside each other, at most."""


def over_time(title: str, description: str, unit: str, missing: str, expr: str) -> heatmap.Panel:
    """How a histogram's values are spread over time; `expr` has the label le only."""
    colors = (
        heatmap.HeatmapColorOptions()
        .mode(heatmaps.HeatmapColorMode.SCHEME)
        .scheme("Blues")
        .fill("blue")
        .scale(heatmaps.HeatmapColorScale.EXPONENTIAL)
        .exponent(0.5)
        .steps(64)
    )
    return (
        heatmap.Panel()
        .title(f"{title} of $model")
        .description(description)
        .datasource(DATASOURCE)
        .unit("short")
        .no_value(missing)
        .height(8)
        .span(24)
        .repeat("model")
        .repeat_direction("h")
        .max_per_row(ACROSS)
        .calculate(False)
        .color(colors)
        .cell_gap(0)
        .y_axis(heatmap.YAxisConfig().unit(unit))
        .show_legend()
        .targets(
            targets([Query(expr, "{{le}}")], instant=False, form=prometheus.PromQueryFormat.HEATMAP)
        )
    )


def matrix(
    title: str, description: str, missing: str, expr: str, row: str, column: str
) -> table.Panel:
    """Shares as shades, with the labels `row` and `column` of `expr` at the sides."""
    return (
        table.Panel()
        .title(f"{title} of $model")
        .description(description)
        .datasource(DATASOURCE)
        .unit("percentunit")
        .decimals(1)
        .min(0)
        .max(1)
        .no_value(missing)
        .height(8)
        .span(24)
        .repeat("model")
        .repeat_direction("h")
        .max_per_row(ACROSS)
        .color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.CONTINUOUS_BLUES))
        .align(common.FieldTextAlignment.CENTER)
        .cell_options(
            common.TableColoredBackgroundCellOptions(
                mode=common.TableCellBackgroundDisplayMode.BASIC
            )
        )
        .override_by_name(
            f"{row}\\{column}",
            override(
                {
                    "displayName": f"{row} ↓   {column} →",
                    "custom.cellOptions": {"type": "auto"},
                    "custom.align": "left",
                }
            ),
        )
        .transformations(
            [
                dashboard.DataTransformerConfig(
                    id_val="groupingToMatrix",
                    options={
                        "rowField": row,
                        "columnField": column,
                        "valueField": "Value",
                        "emptyValue": "null",
                    },
                ),
            ]
        )
        .targets(
            targets([Query(expr, "share")], instant=True, form=prometheus.PromQueryFormat.TABLE)
        )
    )
