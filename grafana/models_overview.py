"""The dashboard "Models overview": one row a model, the worst first."""

from grafana_foundation_sdk.builders import dashboard as builders

from grafana import model_quality, server_resources, states
from grafana.frame import Row, page
from grafana.parts import alarm, graph, number, timeline, up_or_down
from grafana.queries import BY_MODEL, LIMITED, MODEL, SCRAPED, WINDOW, Query, any_of, of_model
from grafana.tables import Column, opening, ranked

UID = "modelmeter-models-overview"

NO_MODELS = "No model has sent anything yet"
NO_LIMITS = "No limits are set, or none is decidable yet"
NO_SERVER = "No model server is configured"
NO_MODELMETER = "modelmeter is not scraped"
NO_ALERTS = "No alert fires"

FIRING = 'alertstate="firing",alertname=~"Model.+",job=~"$job|",instance=~"$instance|"'
"""Alerts over replicas have no instance."""

ONE = "on (job, instance, model, version, window, metric)"


VALUE = (
    f"label_replace({any_of([f'model_{metric}' for metric in LIMITED], WINDOW)}, "
    '"metric", "$1", "__name__", "model_(.+)")'
)
"""The metrics that can have a limit, by name."""


def _rooms() -> str:
    """How far each metric is within its limit, as a share of the limit; below 0 it is beyond.

    Of each model only the one with the least room.
    """
    lowest = f'model_metric_limit{{{WINDOW},level="warning",bound="min"}}'
    highest = f'model_metric_limit{{{WINDOW},level="warning",bound="max"}}'
    above = f"({VALUE} - {ONE} {lowest}) / {ONE} (abs({lowest}) > 0)"
    below = f"({highest} - {ONE} {VALUE}) / {ONE} (abs({highest}) > 0)"
    lower = f'label_replace({above}, "bound", "min", "", "")'
    upper = f'label_replace({below}, "bound", "max", "", "")'
    return f"bottomk {BY_MODEL} (1, {lower} or {upper})"


def _nearest() -> list[Column]:
    limit = f'model_metric_limit{{{WINDOW},level="warning"}}'
    rooms = _rooms()
    at = "on (job, instance, model, version, window, metric, bound)"
    return [
        Column("Nearest its limit", label="metric", width=180),
        Column("Over", label="window", width=50),
        Column(
            "Value",
            f"sum {BY_MODEL} ({VALUE} and {ONE} {rooms})",
            unit="none",
            decimals=3,
            width=70,
        ),
        Column(
            "Limit", f"sum {BY_MODEL} ({limit} and {at} {rooms})", unit="none", decimals=3, width=70
        ),
        Column("Room", rooms, unit="percentunit", decimals=0, width=70),
    ]


def _of_server(metric: str) -> str:
    """A gauge of the model server, for each model of the same modelmeter."""
    return (
        f"max {BY_MODEL} (model_info{{{MODEL}}}) * on (job, instance) group_left () "
        f"sum by (job, instance) ({metric})"
    )


def _table() -> Row:
    info = f"max {BY_MODEL} (model_info{{{MODEL}}})"
    alerts = f'count by (job, model) (ALERTS{{{FIRING},model=~"$model"}})'
    labels = f"sum {BY_MODEL} (increase(model_labels_total{{{MODEL}}}[$__range]))"
    predictions = f"sum {BY_MODEL} (increase(model_predictions_total{{{MODEL}}}[$__range]))"
    delays = (
        "sum by (job, instance, model, version, le) "
        f"(increase(model_label_delay_seconds_bucket{{{MODEL}}}[$__range]))"
    )
    slowest = f'model_latency_quantile_seconds{{{WINDOW},quantile="0.99"}}'
    cpu = f"rate(model_server_cpu_seconds_total{{{SCRAPED}}}[$__rate_interval])"
    memory = f"model_server_resident_memory_bytes{{{SCRAPED}}}"
    rate = f"sum {BY_MODEL} (rate(model_predictions_total{{{MODEL}}}[$__rate_interval]))"
    drifted = f'max {BY_MODEL} (model_drifted_features{{{WINDOW},level="warning"}})'
    estimated = f"min {BY_MODEL} (model_estimated_accuracy_ratio{{{WINDOW}}})"
    quality = ("Open its quality", opening(model_quality.UID))
    resources = ("Open its resources", opening(server_resources.UID, model=False))
    columns = [
        Column("Model", label="model", width=95, link=quality),
        Column("Version", label="version", width=70),
        Column("State", states.of_models(), texts=states.MODELS, width=180, link=quality),
        Column(
            "Alerts", f"{info} * on (job, model) group_left () {alerts} or 0 * {info}", width=55
        ),
        Column("Predictions", rate, unit="cps", decimals=1, width=90),
        *_nearest(),
        Column("Estimated", estimated, unit="percentunit", decimals=1, width=85),
        Column("Drifted", drifted, width=65),
        Column(
            "Labelled", f"{labels} / ({predictions} > 0)", unit="percentunit", decimals=0, width=75
        ),
        Column("Delay p90", f"histogram_quantile(0.9, {delays})", unit="s", decimals=1, width=85),
        Column("Latency p99", f"max {BY_MODEL} ({slowest})", unit="s", decimals=1, width=90),
        Column("CPU", _of_server(cpu), unit="none", decimals=2, width=60, link=resources),
        Column("Memory", _of_server(memory), unit="bytes", decimals=0, width=80, link=resources),
        Column("Instance", label="instance", width=140),
        Column("Job", label="job", width=100),
    ]
    return Row(
        "Models",
        [
            ranked(
                "Models, the worst first",
                "A row for each model and version; a click opens its quality. State: decisions of "
                "modelmeter in the chosen windows (model_metric_limit_breached, "
                "model_feature_drift_detected, model_prediction_drift_detected, "
                "model_label_drift_detected, model_feature_quality_detected). Nearest its limit: "
                f"of the metrics with a limit ({', '.join(f'model_{m}' for m in LIMITED)}; "
                "model_metric_limit, the warning's) the one with the least room. Estimated "
                "accuracy: the lowest of the windows (model_estimated_accuracy_ratio). Drifted: "
                "features (model_drifted_features). Labelled and delay (of labels): in the time "
                "range shown (model_labels_total, model_predictions_total, "
                "model_label_delay_seconds). Latency: the highest of the windows "
                "(model_latency_quantile_seconds). CPU (cores) and memory: of the model server "
                "beside it (model_server_cpu_seconds_total, model_server_resident_memory_bytes). "
                "Also: model_info, ALERTS.",
                NO_MODELS,
                columns,
                by=[("State", True), ("Alerts", True), ("Room", False)],
                height=10,
            ),
        ],
    )


def _now() -> Row:
    critical, warning = f'{WINDOW},level="critical"', f'{WINDOW},level="warning"'
    severe = f'ALERTS{{{FIRING},severity="critical"}}'
    return Row(
        "Now",
        [
            number(
                "Models",
                "Models and versions that are monitored (model_info).",
                "short",
                NO_MODELS,
                [Query(f"count(count {BY_MODEL} (model_info{{{MODEL}}}))", "models")],
            ),
            alarm(
                "Beyond a limit",
                "Models of which a quality metric is decided to be beyond its critical limit "
                "(model_metric_limit_breached).",
                NO_LIMITS,
                Query(
                    f"sum(max {BY_MODEL} (model_metric_limit_breached{{{critical}}}))",
                    "models",
                ),
            ),
            alarm(
                "With drifted features",
                "Models with features that have drifted, at the level of a warning "
                "(model_drifted_features).",
                "No reference, or nothing could be decided yet",
                Query(
                    f"sum(max {BY_MODEL} (model_drifted_features{{{warning}}}) > bool 0)",
                    "models",
                ),
            ),
            alarm(
                "Critical alerts",
                "Alerts of severity critical that fire (ALERTS; model_info, so that 0 is shown).",
                NO_MODELS,
                Query(f"count({severe}) or 0 * count(model_info{{{MODEL}}})", "alerts"),
            ),
            up_or_down(
                "Model servers",
                "Whether every model server's process runs (model_server_up).",
                NO_SERVER,
                Query(f"min(model_server_up{{{SCRAPED}}})", "model servers"),
            ),
            up_or_down(
                "modelmeter",
                "Whether Prometheus can scrape every chosen modelmeter (up).",
                NO_MODELMETER,
                Query(f"min(up{{{SCRAPED}}})", "modelmeter"),
            ),
        ],
    )


def _past() -> Row:
    return Row(
        "What happened",
        [
            timeline(
                "States of models",
                "As in the table, over time (model_metric_limit_breached, "
                "model_feature_drift_detected, model_prediction_drift_detected, "
                "model_label_drift_detected, model_feature_quality_detected, model_info).",
                NO_MODELS,
                [Query(states.of_models(), "{{model}} {{version}}")],
                states.MODELS,
            ),
            graph(
                "Predictions a second",
                "model_predictions_total.",
                "cps",
                NO_MODELS,
                [of_model("model_predictions_total", "")],
                span=12,
            ),
            graph(
                "Labels a second",
                "model_labels_total: labels that met their prediction.",
                "cps",
                NO_MODELS,
                [of_model("model_labels_total", "")],
                span=12,
            ),
        ],
    )


def _alerts() -> Row:
    named = "alertname, severity, model, version, window, metric, feature, instance"
    link = ("Open the runbook", f"{states.RUNBOOKS}/${{__value.raw}}.md")
    return Row(
        "Alerts",
        [
            ranked(
                "Alerts that fire",
                "Those of the shipped rules, with how many series each is about (ALERTS). A click "
                "opens the runbook.",
                NO_ALERTS,
                [
                    Column("Alert", label="alertname", width=260, link=link),
                    Column("Severity", label="severity"),
                    Column("Model", label="model", width=130),
                    Column("Version", label="version"),
                    Column("Window", label="window"),
                    Column("Metric", label="metric", width=180),
                    Column("Feature", label="feature", width=140),
                    Column("Instance", label="instance", width=140),
                    Column("Series", f"count by ({named}) (ALERTS{{{FIRING}}})", width=70),
                ],
                by=[("Severity", False), ("Alert", False)],
                height=7,
            ),
        ],
    )


def build() -> builders.Dashboard:
    """The dashboard "Models overview"."""
    return page(
        UID,
        "Models overview",
        "Every model in a row: traffic, quality against its limit, drift, labels, resources, "
        "alerts.",
        [_now(), _table(), _past(), _alerts()],
    )
