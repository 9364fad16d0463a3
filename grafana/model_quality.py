"""The dashboard "Model quality": how good each model is now, and whether that is beyond a limit."""

from grafana_foundation_sdk.builders import dashboard as builders

from grafana.parts import (
    MODEL,
    OF_MODEL,
    SCRAPED,
    Query,
    Row,
    alarm,
    bounds_and_limits,
    graph,
    number,
    page,
    timeline,
    up_or_down,
    window,
)

UID = "modelmeter-model-quality"

NO_LABELS = "No labels in this window yet"
NO_CLASSIFIER = "No labelled classifier in this window"
NO_SCORES = "No labelled scores of two classes in this window"
NO_REGRESSION = "No labelled regression model in this window"
NO_EVENTS = "No predictions yet"
NO_LIMITS = "No limits are set, or none is decidable yet"
NO_SERVER = "No model server is configured"
NO_MODELMETER = "modelmeter is not scraped"


def _rate(metric: str, by: str, legend: str, selector: str = MODEL) -> Query:
    return Query(f"sum by ({by}) (rate({metric}{{{selector}}}[$__rate_interval]))", legend)


def _of_model(metric: str, legend: str) -> Query:
    return _rate(metric, "model, version", f"{OF_MODEL} {legend}".strip())


def _delay(quantile: float) -> Query:
    buckets = f"rate(model_label_delay_seconds_bucket{{{MODEL}}}[$__rate_interval])"
    expr = f"histogram_quantile({quantile}, sum by (model, version, le) ({buckets}))"
    return Query(expr, f"{OF_MODEL} p{quantile * 100:.0f}")


def _overview() -> Row:
    labels = window("model_window_labels").expr
    predictions = window("model_window_predictions").expr
    by = "sum by (model, version, window)"
    breached = window("model_metric_limit_breached", matchers='level="critical"').expr
    rate = f"rate(model_predictions_total{{{MODEL}}}[$__rate_interval])"
    return Row(
        "Now",
        [
            alarm(
                "Metrics beyond a limit",
                "How many metrics are decided to be beyond their critical limit "
                "(model_metric_limit_breached).",
                NO_LIMITS,
                Query(f"sum({breached})", "beyond"),
            ),
            number(
                "Accuracy",
                "The share of right predictions among the labelled ones (model_accuracy_ratio).",
                "percentunit",
                NO_CLASSIFIER,
                [window("model_accuracy_ratio")],
            ),
            number(
                "Label coverage",
                "Labels that arrived in the window over predictions made in it "
                "(model_window_labels, model_window_predictions).",
                "percentunit",
                NO_EVENTS,
                [
                    Query(
                        f"{by} ({labels}) / ({by} ({predictions}) > 0)",
                        "{{model}} {{version}} {{window}}",
                    )
                ],
            ),
            number(
                "Predictions",
                "Predictions a second over all chosen models (model_predictions_total).",
                "cps",
                NO_EVENTS,
                [Query(f"sum({rate})", "predictions")],
            ),
            up_or_down(
                "Model server",
                "Whether the model server's process runs (model_server_up).",
                NO_SERVER,
                Query(f"min(model_server_up{{{SCRAPED}}})", "model server"),
            ),
            up_or_down(
                "modelmeter",
                "Whether Prometheus can scrape every chosen modelmeter (up).",
                NO_MODELMETER,
                Query(f"min(up{{{SCRAPED}}})", "modelmeter"),
            ),
        ],
    )


def _limits() -> Row:
    return Row(
        "Limits",
        [
            timeline(
                "Decisions",
                "For each limit, whether the data say that the true value is beyond it "
                "(model_metric_limit_breached).",
                NO_LIMITS,
                [window("model_metric_limit_breached", "{{metric}} {{bound}} {{level}}")],
            ),
        ],
    )


def _classification() -> Row:
    auc, bound = window("model_roc_auc_ratio").expr, window("model_roc_auc_error_bound").expr
    return Row(
        "Classification",
        [
            graph(
                "Accuracy",
                "model_accuracy_ratio with its 95 % bounds (model_metric_confidence_bound) and "
                "limits (model_metric_limit).",
                "percentunit",
                NO_CLASSIFIER,
                [window("model_accuracy_ratio"), *bounds_and_limits("accuracy_ratio")],
            ),
            graph(
                "Balanced accuracy and correlation",
                "Measures that a rare class does not fool: model_balanced_accuracy_ratio and "
                "model_matthews_correlation (-1 to 1).",
                "none",
                NO_CLASSIFIER,
                [
                    window("model_balanced_accuracy_ratio", "balanced accuracy"),
                    window("model_matthews_correlation", "correlation"),
                ],
            ),
            graph(
                "Precision, recall and specificity",
                "model_precision_ratio, model_recall_ratio and, for two classes, "
                "model_specificity_ratio.",
                "percentunit",
                NO_CLASSIFIER,
                [
                    window("model_precision_ratio", "precision"),
                    window("model_recall_ratio", "recall"),
                    window("model_specificity_ratio", "specificity"),
                ],
            ),
            graph(
                "F1",
                "model_f1_ratio: of the positive class, or macro over the classes, with bounds "
                "(model_metric_confidence_bound) and limits (model_metric_limit).",
                "percentunit",
                NO_CLASSIFIER,
                [window("model_f1_ratio"), *bounds_and_limits("f1_ratio")],
            ),
            graph(
                "Area under the ROC curve",
                "model_roc_auc_ratio, and how far binning can have moved it "
                "(model_roc_auc_error_bound).",
                "none",
                NO_SCORES,
                [
                    window("model_roc_auc_ratio"),
                    Query(f"{auc} - {bound}", "{{model}} {{version}} {{window}} at least"),
                    Query(f"{auc} + {bound}", "{{model}} {{version}} {{window}} at most"),
                ],
            ),
            graph(
                "Average precision",
                "model_average_precision_ratio: the area under precision over recall.",
                "none",
                NO_SCORES,
                [window("model_average_precision_ratio")],
            ),
            graph(
                "Log loss and Brier score",
                "How far the scores are from the truth: model_log_loss (nats) and "
                "model_brier_score. Lower is better.",
                "none",
                NO_SCORES,
                [
                    window("model_log_loss", "log loss"),
                    window("model_brier_score", "Brier score"),
                ],
            ),
            graph(
                "Calibration error",
                "model_expected_calibration_error_ratio: how far a score of 0.8 is from right 8 "
                "times in 10.",
                "percentunit",
                NO_SCORES,
                [window("model_expected_calibration_error_ratio")],
            ),
            graph(
                "Confusion",
                "Labelled predictions a second by true and predicted class "
                "(model_confusion_total).",
                "cps",
                NO_LABELS,
                [
                    _rate(
                        "model_confusion_total",
                        "model, version, actual, predicted",
                        "{{model}} {{version}} {{actual}} as {{predicted}}",
                    )
                ],
            ),
        ],
    )


def _regression() -> Row:
    return Row(
        "Regression",
        [
            graph(
                "Mean absolute error",
                "model_mean_absolute_error and model_root_mean_squared_error, in the label's unit.",
                "none",
                NO_REGRESSION,
                [
                    window("model_mean_absolute_error", "mean absolute"),
                    window("model_root_mean_squared_error", "root mean squared"),
                ],
            ),
            graph(
                "Bias",
                "model_mean_error: prediction minus label. Above 0 the model predicts too much.",
                "none",
                NO_REGRESSION,
                [window("model_mean_error")],
            ),
            graph(
                "Explained variance",
                "model_r_squared: 1 is perfect, 0 is as good as the mean, below 0 is worse.",
                "none",
                NO_REGRESSION,
                [window("model_r_squared")],
            ),
            graph(
                "Absolute error by quantile",
                "model_absolute_error_quantile: half, nine tenths and 99 % of the errors are "
                "smaller.",
                "none",
                NO_REGRESSION,
                [window("model_absolute_error_quantile", "q{{quantile}}")],
            ),
            graph(
                "Mean absolute percentage error",
                "model_mean_absolute_percentage_error_ratio; labels of 0 are skipped.",
                "percentunit",
                NO_REGRESSION,
                [window("model_mean_absolute_percentage_error_ratio")],
            ),
        ],
    )


def _outputs() -> Row:
    return Row(
        "What the model says",
        [
            graph(
                "Predicted classes",
                "model_prediction_class_ratio: the share of each class among the predictions.",
                "percentunit",
                "No classifier has predicted in this window",
                [window("model_prediction_class_ratio", "{{class}}")],
            ),
            graph(
                "Mean and spread of the output",
                "model_prediction_mean and model_prediction_stddev, of the score if there is one, "
                "else of the value.",
                "none",
                "No scores or values in this window",
                [
                    window("model_prediction_mean", "mean"),
                    window("model_prediction_stddev", "standard deviation"),
                ],
            ),
            graph(
                "Latency",
                "model_latency_quantile_seconds: how long predictions took, as the events say.",
                "s",
                "The events carry no latency_seconds",
                [window("model_latency_quantile_seconds", "q{{quantile}}")],
            ),
        ],
    )


def _arrivals() -> Row:
    return Row(
        "Predictions and labels",
        [
            graph(
                "Predictions and labels a second",
                "model_predictions_total, and model_labels_total: labels that met their "
                "prediction.",
                "cps",
                NO_EVENTS,
                [
                    _of_model("model_predictions_total", "predictions"),
                    _of_model("model_labels_total", "labels"),
                ],
            ),
            graph(
                "Waiting to be joined",
                "Predictions that wait for a label (model_pending_predictions) and labels that "
                "wait for a prediction (model_pending_labels).",
                "short",
                NO_EVENTS,
                [
                    Query(f"model_pending_predictions{{{MODEL}}}", f"{OF_MODEL} predictions"),
                    Query(f"model_pending_labels{{{MODEL}}}", f"{OF_MODEL} labels"),
                ],
            ),
            graph(
                "Label delay",
                "How long after the prediction its label came (model_label_delay_seconds).",
                "s",
                "No label has met its prediction in this time",
                [_delay(0.5), _delay(0.9)],
            ),
            graph(
                "Not joined",
                "Labels without a prediction (model_labels_orphaned_total), predictions that never "
                "got one (model_predictions_expired_total) and repeats "
                "(model_events_duplicate_total), a second.",
                "cps",
                NO_EVENTS,
                [
                    _of_model("model_labels_orphaned_total", "orphaned labels"),
                    _rate(
                        "model_predictions_expired_total",
                        "model, version, reason",
                        OF_MODEL + " expired by {{reason}}",
                    ),
                    _of_model("model_events_duplicate_total", "duplicates"),
                ],
            ),
            graph(
                "Labelled events in the window",
                "model_window_labels: what the metrics of the window rest on.",
                "short",
                NO_LABELS,
                [window("model_window_labels")],
            ),
            graph(
                "Since the last prediction",
                "Time since model_last_prediction_timestamp_seconds.",
                "s",
                NO_EVENTS,
                [
                    Query(
                        f"time() - model_last_prediction_timestamp_seconds{{{MODEL}}}",
                        OF_MODEL,
                    )
                ],
            ),
        ],
    )


def _server() -> Row:
    who = "{{instance}} {{server}}"
    cpu = f"rate(model_server_cpu_seconds_total{{{SCRAPED}}}[$__rate_interval])"
    return Row(
        "Model server",
        [
            graph(
                "CPU",
                "Cores in use, children included (model_server_cpu_seconds_total).",
                "none",
                NO_SERVER,
                [Query(f"sum by (instance, server) ({cpu})", who)],
            ),
            graph(
                "Memory",
                "model_server_resident_memory_bytes, children included.",
                "bytes",
                NO_SERVER,
                [Query(f"model_server_resident_memory_bytes{{{SCRAPED}}}", who)],
            ),
            graph(
                "Open files and threads",
                "model_server_open_fds and model_server_threads.",
                "short",
                NO_SERVER,
                [
                    Query(f"model_server_open_fds{{{SCRAPED}}}", f"{who} open files"),
                    Query(f"model_server_threads{{{SCRAPED}}}", f"{who} threads"),
                ],
            ),
        ],
    )


def _modelmeter() -> Row:
    return Row(
        "modelmeter itself",
        [
            graph(
                "Events",
                "Events received (modelmeter_events_received_total) and rejected "
                "(modelmeter_events_rejected_total), a second.",
                "cps",
                NO_MODELMETER,
                [
                    _rate(
                        "modelmeter_events_received_total",
                        "instance",
                        "{{instance}} received",
                        SCRAPED,
                    ),
                    _rate(
                        "modelmeter_events_rejected_total",
                        "instance, reason",
                        "{{instance}} rejected: {{reason}}",
                        SCRAPED,
                    ),
                ],
            ),
            graph(
                "Collectors",
                "What each collector takes of a scrape "
                "(modelmeter_scrape_collector_duration_seconds).",
                "s",
                NO_MODELMETER,
                [
                    Query(
                        f"modelmeter_scrape_collector_duration_seconds{{{SCRAPED}}}",
                        "{{instance}} {{collector}}",
                    )
                ],
            ),
            graph(
                "Series",
                "modelmeter_series, and what was left out at a bound, a second "
                "(modelmeter_series_dropped_total).",
                "short",
                NO_MODELMETER,
                [
                    Query(f"modelmeter_series{{{SCRAPED}}}", "{{instance}} series"),
                    _rate(
                        "modelmeter_series_dropped_total",
                        "instance, reason",
                        "{{instance}} left out: {{reason}}",
                        SCRAPED,
                    ),
                ],
            ),
        ],
    )


def build() -> builders.Dashboard:
    """The dashboard "Model quality"."""
    return page(
        UID,
        "Model quality",
        "How good each model is now, over each window, and what that rests on.",
        [
            _overview(),
            _limits(),
            _classification(),
            _regression(),
            _outputs(),
            _arrivals(),
            _server(),
            _modelmeter(),
        ],
    )
