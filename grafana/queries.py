"""PromQL of the dashboards: selectors, and the queries that several panels share."""

from collections.abc import Sequence
from typing import NamedTuple

# Every query names job and instance, so that a dashboard shows one installation at a time.
SCRAPED = 'job=~"$job",instance=~"$instance"'
MODEL = SCRAPED + ',model=~"$model",version=~"$version"'
WINDOW = MODEL + ',window=~"$window"'

BY_MODEL = "by (job, instance, model, version)"
"""One series a row of the overview."""

OF_MODEL = "{{model}} {{version}}"
OF_WINDOW = OF_MODEL + " {{window}}"

LIMITED = """
accuracy_ratio brier_score estimated_accuracy_gap_ratio f1_ratio log_loss mean_absolute_error
mean_absolute_percentage_error_ratio mean_error precision_ratio recall_ratio roc_auc_ratio
root_mean_squared_error specificity_ratio
""".split()
"""Metrics that can have a limit, without `model_`."""


DERIVED = """
accuracy_ratio precision_ratio recall_ratio roc_auc_ratio brier_score mean_absolute_error
root_mean_squared_error mean_error
""".split()
"""Those of them that have a limit by the reference alone, another one for each level."""


class Query(NamedTuple):
    """A PromQL expression and the legend of its series."""

    expr: str
    legend: str


def window(metric: str, legend: str = "", matchers: str = "") -> Query:
    """The query of a window gauge, for the chosen models and windows."""
    selector = f"{WINDOW},{matchers}" if matchers else WINDOW
    return Query(f"{metric}{{{selector}}}", f"{OF_WINDOW} {legend}".strip())


def rate(metric: str, by: str, legend: str, selector: str = MODEL) -> Query:
    """What a counter rises by a second, summed by the labels `by`."""
    return Query(f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))", legend)


def of_model(metric: str, legend: str) -> Query:
    """What a counter rises by a second, for each model and version."""
    return rate(metric, "model, version", f"{OF_MODEL} {legend}".strip())


def limits(metric: str) -> list[Query]:
    """The limits of a metric; the warning's only where the critical one is another."""
    only = f'{WINDOW},metric="{metric}"'
    critical = f'model_metric_limit{{{only},level="critical"}}'
    warning = f'model_metric_limit{{{only},level="warning"}}'
    found = [Query(critical, f"{OF_WINDOW} limit")]
    if metric in DERIVED:
        other = f"{warning} unless ignoring (level) ({critical} == ignoring (level) {warning})"
        found.append(Query(other, f"{OF_WINDOW} limit (warning)"))
    return found


def reference(metric: str) -> Query:
    """The metric's value in the reference, which is the same for all windows."""
    only = f'model_metric_reference{{{WINDOW},metric="{metric}"}}'
    return Query(f"max by (model, version) ({only})", f"{OF_MODEL} in the reference")


def bounds(metric: str) -> Query:
    """The 95 % interval of a metric, both ends."""
    return window("model_metric_confidence_bound", "95 % {{bound}}", f'metric="{metric}"')


def quality(metric: str, *, estimated: bool = False) -> list[Query]:
    """A metric beside all it is judged by: estimate, 95 % band, limits, reference."""
    queries = [window(f"model_{metric}")]
    if estimated:
        queries.append(window(f"model_estimated_{metric}", "estimated"))
    return [*queries, bounds(metric), *limits(metric), reference(metric)]


def any_of(names: Sequence[str], matchers: str) -> str:
    """One selector of several metrics, written out."""
    return f'{{__name__=~"{"|".join(names)}",{matchers}}}'
