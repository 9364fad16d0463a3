"""The dashboard "Model quality": how good each model is now, and whether that is beyond a limit."""

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import timeseries

from grafana import heatmaps
from grafana.frame import Row, page
from grafana.parts import LINES, alarm, graph, number, timeline
from grafana.queries import (
    MODEL,
    OF_MODEL,
    WINDOW,
    Query,
    of_model,
    quality,
    rate,
    window,
)
from grafana.tables import Column, ranked

UID = "modelmeter-model-quality"

NO_LABELS = "No labels in this window yet"
NO_CLASSIFIER = "No labelled classifier in this window"
NO_SCORES = "No labelled scores of two classes in this window"
NO_REGRESSION = "No labelled regression model in this window"
NO_EVENTS = "No predictions yet"
NO_LIMITS = "No limits are set, or none is decidable yet"
NO_ESTIMATE = "No estimate: it needs a labelled reference with scores, and live scores"

JUDGED = (
    "model_metric_confidence_bound, model_metric_limit and model_metric_reference: what it is "
    "judged by."
)


def _judged(
    metric: str, title: str, text: str, unit: str, missing: str, *, estimated: bool = False
) -> timeseries.Panel:
    """A metric with its estimate, 95 % band, limits and reference, half a row wide."""
    beside = f" Dashed: model_estimated_{metric}, without labels." if estimated else ""
    description = f"model_{metric}: {text}{beside} {JUDGED}{LINES}"
    queries = quality(metric, estimated=estimated)
    return graph(title, description, unit, missing, queries, span=12)


def _delay(quantile: float) -> Query:
    buckets = f"rate(model_label_delay_seconds_bucket{{{MODEL}}}[$__rate_interval])"
    expr = f"histogram_quantile({quantile}, sum by (model, version, le) ({buckets}))"
    return Query(expr, f"{OF_MODEL} p{quantile * 100:.0f}")


def _coverage() -> str:
    by = "by (model, version, window)"
    predictions = window("model_window_predictions").expr
    # Windows of N labels have no predictions.
    labels = f"sum {by} ({window('model_window_labels').expr})"
    return f"{labels} / (sum {by} ({predictions}) > 0)"


def _overview() -> Row:
    breached = window("model_metric_limit_breached", matchers='level="critical"').expr
    here = f"rate(model_predictions_total{{{MODEL}}}[$__rate_interval])"
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
                "Accuracy, lowest",
                "The share of right predictions among the labelled ones (model_accuracy_ratio), in "
                "the window where it is lowest.",
                "percentunit",
                NO_CLASSIFIER,
                [Query(f"min by (model, version) (model_accuracy_ratio{{{WINDOW}}})", OF_MODEL)],
            ),
            number(
                "Estimated, lowest",
                "Accuracy that is expected without labels (model_estimated_accuracy_ratio), in the "
                "window where it is lowest.",
                "percentunit",
                NO_ESTIMATE,
                [
                    Query(
                        f"min by (model, version) (model_estimated_accuracy_ratio{{{WINDOW}}})",
                        OF_MODEL,
                    )
                ],
            ),
            number(
                "Mean absolute error",
                "In the label's unit (model_mean_absolute_error), in the window where it is "
                "highest.",
                "none",
                NO_REGRESSION,
                [
                    Query(
                        f"max by (model, version) (model_mean_absolute_error{{{WINDOW}}})", OF_MODEL
                    )
                ],
            ),
            number(
                "Label coverage",
                "Labels that arrived in the window over predictions made in it, in the window "
                "where that is highest (model_window_labels, model_window_predictions).",
                "percentunit",
                NO_EVENTS,
                [Query(f"max by (model, version) ({_coverage()})", OF_MODEL)],
            ),
            number(
                "Predictions",
                "Predictions a second over all chosen models (model_predictions_total).",
                "cps",
                NO_EVENTS,
                [Query(f"sum({here})", "predictions")],
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


def _versions() -> Row:
    def column(title: str, metric: str, decimals: int = 3, width: int = 90) -> Column:
        # Without its name, so that the table can put it beside the others.
        expr = f"max by (job, instance, model, version, window) (model_{metric}{{{WINDOW}}})"
        return Column(title, expr, decimals=decimals, unit="none", width=width)

    columns = [
        Column("Model", label="model", width=130),
        Column("Version", label="version"),
        Column("Window", label="window"),
        column("Labels", "window_labels", decimals=0),
        column("Accuracy", "accuracy_ratio"),
        column("Estimated", "estimated_accuracy_ratio"),
        column("Precision", "precision_ratio"),
        column("Recall", "recall_ratio"),
        column("F1", "f1_ratio"),
        column("AUC", "roc_auc_ratio"),
        column("Brier", "brier_score"),
        column("Calibration", "expected_calibration_error_ratio", width=100),
        column("MAE", "mean_absolute_error"),
        column("RMSE", "root_mean_squared_error"),
        column("R²", "r_squared"),
        Column("Instance", label="instance", width=140),
        Column("Job", label="job", width=100),
    ]
    return Row(
        "Versions side by side",
        [
            ranked(
                "By version",
                "model_window_labels, model_accuracy_ratio, model_estimated_accuracy_ratio, "
                "model_precision_ratio, model_recall_ratio, model_f1_ratio, model_roc_auc_ratio, "
                "model_brier_score, model_expected_calibration_error_ratio, "
                "model_mean_absolute_error, model_root_mean_squared_error and model_r_squared.",
                NO_EVENTS,
                columns,
                by=[("Model", False), ("Window", False), ("Version", True)],
                height=8,
            ),
        ],
    )


def _classification() -> Row:
    auc, bound = window("model_roc_auc_ratio").expr, window("model_roc_auc_error_bound").expr
    return Row(
        "Classification",
        [
            _judged(
                "accuracy_ratio",
                "Accuracy",
                "the share that was right.",
                "percentunit",
                NO_CLASSIFIER,
                estimated=True,
            ),
            _judged(
                "f1_ratio",
                "F1",
                "of the positive class, or macro over the classes.",
                "percentunit",
                NO_CLASSIFIER,
                estimated=True,
            ),
            _judged(
                "precision_ratio",
                "Precision",
                "how many that were called positive are so.",
                "percentunit",
                NO_CLASSIFIER,
                estimated=True,
            ),
            _judged(
                "recall_ratio",
                "Recall",
                "how many that are positive were found.",
                "percentunit",
                NO_CLASSIFIER,
                estimated=True,
            ),
            _judged(
                "roc_auc_ratio",
                "Area under the ROC curve",
                "the probability that a positive scores above a negative.",
                "none",
                NO_SCORES,
                estimated=True,
            ),
            _judged(
                "specificity_ratio",
                "Specificity",
                "how many that are negative were called so; two classes only.",
                "percentunit",
                NO_CLASSIFIER,
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
                "Average precision",
                "model_average_precision_ratio: the area under precision over recall.",
                "none",
                NO_SCORES,
                [window("model_average_precision_ratio")],
            ),
            graph(
                "What binning can have moved",
                "model_roc_auc_ratio less and plus model_roc_auc_error_bound: the AUC of the raw "
                "scores lies between.",
                "none",
                NO_SCORES,
                [
                    Query(f"{auc} - {bound}", "{{model}} {{version}} {{window}} at least"),
                    Query(f"{auc} + {bound}", "{{model}} {{version}} {{window}} at most"),
                ],
            ),
        ],
    )


def _calibration() -> Row:
    return Row(
        "Calibration: do scores come true",
        [
            graph(
                "Calibration error",
                "model_expected_calibration_error_ratio: how far a score of 0.8 is from right 8 "
                "times in 10; and in the reference (model_metric_reference; short dashes).",
                "percentunit",
                NO_SCORES,
                quality("expected_calibration_error_ratio")[:1]
                + quality("expected_calibration_error_ratio")[-1:],
                span=12,
            ),
            _judged(
                "estimated_accuracy_gap_ratio",
                "Estimated less realised accuracy",
                "over the labelled events; far from 0 the estimate is not to be trusted.",
                "percentunit",
                NO_ESTIMATE,
            ),
            _judged(
                "brier_score",
                "Brier score",
                "mean squared difference of score and truth; lower is better.",
                "none",
                NO_SCORES,
            ),
            _judged(
                "log_loss",
                "Log loss",
                "how surprised the scores are by the truth, in nats; lower is better.",
                "none",
                NO_SCORES,
            ),
        ],
    )


def _confusion() -> Row:
    cells = (
        f"sum by (actual, predicted) (max without (window) (model_window_confusion{{{WINDOW}}}))"
    )
    truth = f"sum by (actual) (max without (window) (model_window_confusion{{{WINDOW}}}))"
    share = f"{cells} / on (actual) group_left () ({truth} > 0)"
    return Row(
        "Confusion",
        [
            heatmaps.matrix(
                "Confusion",
                "Of each true class, what was predicted, in the chosen window with the most labels "
                "(model_window_confusion): the darker the more. One panel a model.",
                "No labelled classifier of at most 10 classes in this window",
                share,
                "actual",
                "predicted",
            ),
            graph(
                "Confusion over time",
                "Labelled predictions a second by true and predicted class "
                "(model_confusion_total).",
                "cps",
                NO_LABELS,
                [
                    rate(
                        "model_confusion_total",
                        "model, version, actual, predicted",
                        OF_MODEL + " {{actual}} as {{predicted}}",
                    )
                ],
                span=12,
            ),
            graph(
                "Recall by class",
                "model_class_recall_ratio: of several classes, or where class_metrics asks for it.",
                "percentunit",
                "No labelled model with metrics by class",
                [window("model_class_recall_ratio", "{{class}}")],
                span=12,
            ),
        ],
    )


def _regression() -> Row:
    return Row(
        "Regression",
        [
            _judged(
                "mean_absolute_error",
                "Mean absolute error",
                "in the label's unit.",
                "none",
                NO_REGRESSION,
            ),
            _judged(
                "root_mean_squared_error",
                "Root mean squared error",
                "in the label's unit; large errors count more.",
                "none",
                NO_REGRESSION,
            ),
            _judged(
                "mean_error",
                "Bias",
                "prediction minus label. Above 0 the model predicts too much.",
                "none",
                NO_REGRESSION,
            ),
            _judged(
                "mean_absolute_percentage_error_ratio",
                "Mean absolute percentage error",
                "labels of 0 are skipped.",
                "percentunit",
                NO_REGRESSION,
            ),
            graph(
                "Explained variance",
                "model_r_squared: 1 is perfect, 0 is as good as the mean, below 0 is worse.",
                "none",
                NO_REGRESSION,
                [window("model_r_squared")],
                span=12,
            ),
            graph(
                "Absolute error by quantile",
                "model_absolute_error_quantile: half, nine tenths and 99 % of the errors are "
                "smaller.",
                "none",
                NO_REGRESSION,
                [window("model_absolute_error_quantile", "q{{quantile}}")],
                span=12,
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
                    of_model("model_predictions_total", "predictions"),
                    of_model("model_labels_total", "labels"),
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
                "Label coverage",
                "Labels that arrived in the window over predictions made in it "
                "(model_window_labels, model_window_predictions).",
                "percentunit",
                NO_EVENTS,
                [Query(_coverage(), "{{model}} {{version}} {{window}}")],
            ),
            graph(
                "Labels in the window",
                "model_window_labels: what the metrics of the window rest on.",
                "short",
                NO_LABELS,
                [window("model_window_labels")],
            ),
            graph(
                "Predictions in the window",
                "model_window_predictions.",
                "short",
                NO_EVENTS,
                [window("model_window_predictions")],
            ),
            graph(
                "What the window covers",
                "model_window_span_seconds: less than its name while modelmeter has not run for "
                "so long.",
                "s",
                NO_EVENTS,
                [window("model_window_span_seconds")],
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
                "Not joined",
                "Labels without a prediction (model_labels_orphaned_total), predictions that never "
                "got one (model_predictions_expired_total) and repeats "
                "(model_events_duplicate_total), a second.",
                "cps",
                NO_EVENTS,
                [
                    of_model("model_labels_orphaned_total", "orphaned labels"),
                    rate(
                        "model_predictions_expired_total",
                        "model, version, reason",
                        OF_MODEL + " expired by {{reason}}",
                    ),
                    of_model("model_events_duplicate_total", "duplicates"),
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


def build() -> builders.Dashboard:
    """The dashboard "Model quality"."""
    return page(
        UID,
        "Model quality",
        "How good each model is now, over each window, and what that rests on.",
        [
            _overview(),
            _limits(),
            _versions(),
            _classification(),
            _calibration(),
            _confusion(),
            _regression(),
            _arrivals(),
        ],
    )
