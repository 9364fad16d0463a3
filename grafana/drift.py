"""The dashboard "Drift and data quality": what arrives, beside what the reference knows."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard

from grafana import heatmaps, states
from grafana.frame import Row, page, variable
from grafana.parts import alarm, graph, number, timeline
from grafana.queries import MODEL, OF_MODEL, OF_WINDOW, WINDOW, Query, window
from grafana.states import BY_FEATURE
from grafana.tables import Column, opening, ranked

UID = "modelmeter-drift"

NO_REFERENCE = "No reference, or no window of drift.windows is chosen"
NO_DECISION = "Too few events, or no reference: nothing could be decided yet"
NO_FEATURES = "The events carry no features"
NO_LABELS = "No labelled reference, or too few labels in the window"
NO_OUTPUTS = "No predictions in this window"
NO_DISTANCES = "No reference, or drift.distances leaves this out"

FEATURE = WINDOW + ',feature=~"$feature"'
SCORES = "model_prediction_score_bucket"
TOTALS = MODEL + ',feature=~"$feature"'

RATIO = (
    f"model_feature_drift_effect{{{WINDOW}}} / on (job, instance, model, version, window, feature) "
    f"(min {BY_FEATURE} (model_feature_drift_limit{{{WINDOW}}}) > 0)"
)
"""Effect over the lowest limit, the warning's: from 1 on a feature has drifted."""


def _feature(metric: str, legend: str = "") -> Query:
    return Query(f"{metric}{{{FEATURE}}}", f"{OF_WINDOW} {{{{feature}}}} {legend}".strip())


def _most(metric: str) -> str:
    """A gauge without its name, so that a table can put it beside the others."""
    return f"max {BY_FEATURE} (model_feature_{metric}{{{WINDOW}}})"


def _share(kind: str) -> Query:
    by = "sum by (model, version, feature)"
    some = f"{by} (rate(model_feature_{kind}_total{{{TOTALS}}}[$__rate_interval]))"
    every = f"{by} (rate(model_feature_values_total{{{TOTALS}}}[$__rate_interval]))"
    return Query(f"{some} / ({every} > 0)", f"{OF_MODEL} {{{{feature}}}} {kind}")


def _of(what: str, level: str) -> str:
    return f'model_{what}_detected{{{WINDOW},level="{level}"}}'


def _now() -> Row:
    unwatched = f"count({states.of_features()} == -1) or 0 * count(model_info{{{MODEL}}})"
    return Row(
        "Now",
        [
            number(
                "Features watched",
                "Features that the reference tells about (model_monitored_features), of the model "
                "with the most.",
                "short",
                NO_REFERENCE,
                [Query(f"max(model_monitored_features{{{WINDOW}}})", "features")],
            ),
            alarm(
                "Drifted",
                "Features that have drifted in one of the chosen windows, at the level of a "
                "warning (model_feature_drift_detected).",
                NO_DECISION,
                Query(
                    "sum(max by (job, instance, model, version, feature) "
                    f"({_of('feature_drift', 'warning')}))",
                    "features",
                ),
            ),
            alarm(
                "Unusual values",
                "Features of which more values are missing, or outside what the reference knows, "
                "than it can account for (model_feature_quality_detected).",
                NO_DECISION,
                Query(
                    "sum(max by (job, instance, model, version, feature) "
                    f"({_of('feature_quality', 'warning')}))",
                    "features",
                ),
            ),
            alarm(
                "Outputs drifted",
                "Models of which the outputs have drifted (model_prediction_drift_detected).",
                NO_DECISION,
                Query(
                    "sum(max by (job, instance, model, version) "
                    f"({_of('prediction_drift', 'warning')}))",
                    "models",
                ),
            ),
            alarm(
                "Labels drifted",
                "Models of which the labels have drifted (model_label_drift_detected).",
                NO_LABELS,
                Query(
                    "sum(max by (job, instance, model, version) "
                    f"({_of('label_drift', 'warning')}))",
                    "models",
                ),
            ),
            number(
                "Not watched",
                "Features and windows for which nothing can be decided: under 200 values, no "
                "reference, or an identifier (model_feature_missing_ratio without "
                "model_feature_drift_detected; model_info, so that 0 is shown).",
                "short",
                NO_FEATURES,
                [Query(unwatched, "features and windows")],
            ),
        ],
    )


def _table() -> Row:
    limit = f"{BY_FEATURE} (model_feature_drift_limit{{{WINDOW},level="
    columns = [
        Column(
            "Feature",
            label="feature",
            width=150,
            link=("Show it below", opening(UID, feature=True)),
        ),
        Column("State", states.of_features(), texts=states.FEATURES, width=245),
        Column("Effect over limit", RATIO, unit="none", decimals=2, width=150, gauge=2),
        Column("Effect", _most("drift_effect"), decimals=4, width=75),
        Column("Limit (warning)", f'max {limit}"warning"}})', decimals=4, width=120),
        Column("Limit (critical)", f'max {limit}"critical"}})', decimals=4, width=115),
        Column("PSI", _most("psi"), decimals=3, width=60),
        Column(
            "Missing",
            _most("missing_ratio"),
            unit="percentunit",
            decimals=1,
            width=80,
        ),
        Column(
            "Unusual",
            _most("outside_ratio"),
            unit="percentunit",
            decimals=1,
            width=80,
        ),
        Column("Model", label="model", width=100),
        Column("Version", label="version", width=70),
        Column("Window", label="window", width=75),
        Column("Instance", label="instance", width=140),
        Column("Job", label="job", width=100),
    ]
    return Row(
        "Features, by how far they have drifted",
        [
            ranked(
                "Features",
                "Effect (model_feature_drift_effect) over the limit of a warning "
                "(model_feature_drift_limit): from 1 on it has drifted "
                "(model_feature_drift_detected). model_feature_psi, model_feature_missing_ratio "
                "and model_feature_outside_ratio (unusual) are shown, and not what is decided on. "
                "A limit that is empty: at that level nothing can be decided. A click shows "
                "the feature below.",
                NO_FEATURES,
                columns,
                by=[("Effect over limit", True), ("State", True)],
                height=11,
            ),
        ],
    )


def _features() -> Row:
    return Row(
        "The chosen features over time",
        [
            graph(
                "Effect and limits",
                "model_feature_drift_effect, and the effects from which it is drift "
                "(model_feature_drift_limit; long dashes).",
                "none",
                NO_DECISION,
                [
                    _feature("model_feature_drift_effect"),
                    Query(
                        f'model_feature_drift_limit{{{FEATURE},level="critical"}}',
                        f"{OF_WINDOW} {{{{feature}}}} limit",
                    ),
                    Query(
                        f'model_feature_drift_limit{{{FEATURE},level="warning"}}',
                        f"{OF_WINDOW} {{{{feature}}}} limit (warning)",
                    ),
                ],
                span=12,
            ),
            graph(
                "Missing, outside and unseen",
                "Shares of the values as they arrive: without a value "
                "(model_feature_missing_total), outside the reference's range "
                "(model_feature_outside_total), of a category that it does not have "
                "(model_feature_unseen_total), over model_feature_values_total.",
                "percentunit",
                NO_FEATURES,
                [_share("missing"), _share("outside"), _share("unseen")],
                span=12,
            ),
            graph(
                "Population stability index",
                "model_feature_psi. It knows nothing of how many events there are: not decided on.",
                "none",
                NO_DISTANCES,
                [_feature("model_feature_psi")],
                span=12,
            ),
            graph(
                "Missing and outside in the window",
                "model_feature_missing_ratio, and model_feature_outside_ratio: outside the range, "
                "an unseen category, or another type.",
                "percentunit",
                NO_FEATURES,
                [
                    _feature("model_feature_missing_ratio", "missing"),
                    _feature("model_feature_outside_ratio", "outside"),
                ],
                span=12,
            ),
            timeline(
                "States of features",
                "As in the table (model_feature_drift_detected; where there is none, "
                "model_feature_missing_ratio tells that the feature comes).",
                NO_FEATURES,
                [
                    Query(
                        states.of_features(FEATURE), "{{model}} {{version}} {{feature}} {{window}}"
                    )
                ],
                states.FEATURES,
            ),
        ],
    )


def _outputs() -> Row:
    return Row(
        "Outputs and labels",
        [
            heatmaps.over_time(
                "Scores",
                "How many predictions had which score (model_prediction_score), the darker the "
                "more; one panel a model.",
                "none",
                "No scores have come in this time",
                f"sum by (le) (increase({SCORES}{{{MODEL}}}[$__rate_interval]))",
            ),
            graph(
                "Predicted classes",
                "model_prediction_class_ratio: the share of each class among the predictions.",
                "percentunit",
                NO_OUTPUTS,
                [window("model_prediction_class_ratio", "{{class}}")],
                span=12,
            ),
            graph(
                "Mean and spread of the output",
                "model_prediction_mean and model_prediction_stddev, of the score if there is one, "
                "else of the value; in the reference: model_metric_reference.",
                "none",
                NO_OUTPUTS,
                [
                    window("model_prediction_mean", "mean"),
                    window("model_prediction_stddev", "standard deviation"),
                    Query(
                        f"max by (model, version, metric) (model_metric_reference{{{WINDOW},"
                        'metric=~"prediction_mean|prediction_stddev"})',
                        f"{OF_MODEL} {{{{metric}}}} in the reference",
                    ),
                ],
                span=12,
            ),
            graph(
                "Drift of outputs",
                "model_prediction_drift_effect and its limits (model_prediction_drift_limit).",
                "none",
                NO_DECISION,
                [
                    window("model_prediction_drift_effect"),
                    window("model_prediction_drift_limit", "limit", 'level="critical"'),
                    window("model_prediction_drift_limit", "limit (warning)", 'level="warning"'),
                ],
            ),
            graph(
                "Drift of labels",
                "model_label_drift_effect and its limits (model_label_drift_limit), of the labels "
                "that joined in the window.",
                "none",
                NO_LABELS,
                [
                    window("model_label_drift_effect"),
                    window("model_label_drift_limit", "limit", 'level="critical"'),
                    window("model_label_drift_limit", "limit (warning)", 'level="warning"'),
                ],
            ),
            graph(
                "Stability index of outputs and labels",
                "model_prediction_psi and model_label_psi.",
                "none",
                NO_DISTANCES,
                [
                    window("model_prediction_psi", "outputs"),
                    window("model_label_psi", "labels"),
                ],
            ),
        ],
    )


def _chosen() -> builders.QueryVariable:
    """The features of the graphs: at first the one that has drifted furthest."""
    furthest = f"max by (feature) ({RATIO})"
    seen = f"0 * max by (feature) (model_feature_missing_ratio{{{WINDOW}}}) - 1"
    asked = f"query_result(sort_desc({furthest} or {seen}))"
    return (
        variable("feature", "Feature", asked)
        .regex('/feature="([^"]+)"/')
        .sort(dashboard.VariableSort.DISABLED)
        .include_all(False)
        .current(dashboard.VariableOption(text="", value="", selected=False))
    )


def build() -> builders.Dashboard:
    """The dashboard "Drift and data quality"."""
    return page(
        UID,
        "Drift and data quality",
        "Which features, outputs and labels differ from the reference, by how much, since when.",
        [_now(), _table(), _features(), _outputs()],
        [_chosen()],
    )
