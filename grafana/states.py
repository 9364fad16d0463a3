"""States that several dashboards show: one number from modelmeter's decisions, and its texts."""

from grafana.parts import BAD, GOOD, UNKNOWN, WORSE
from grafana.queries import BY_MODEL, MODEL, WINDOW, any_of

RUNBOOKS = "https://github.com/modelmeter/modelmeter/blob/main/docs/runbooks"

MODELS = {
    "4": ("■ Quality beyond limit", WORSE),
    "3": ("▲ Drift, or bad inputs", BAD),
    "2": ("△ Warning", "yellow"),
    "1": ("● Nothing found", GOOD),
    "0": ("○ Not decidable yet", UNKNOWN),
}
"""Texts of `of_models`; signs beside colours, for eyes that do not tell those apart."""

FEATURES = {
    "2": ("■ Drifted", WORSE),
    "1": ("△ Warning", BAD),
    "0": ("● As in the reference", GOOD),
    "-1": ("○ Cannot be watched in this window", UNKNOWN),
}
"""Texts of `of_features`."""

BREACHED = "model_metric_limit_breached"
DRIFTED = [
    "model_feature_drift_detected",
    "model_prediction_drift_detected",
    "model_label_drift_detected",
    "model_feature_quality_detected",
]
BY_FEATURE = "by (job, instance, model, version, window, feature)"


def of_models() -> str:
    """The state of each model and version over the chosen windows, worst decision first."""
    breached = f'max {BY_MODEL} ({BREACHED}{{{WINDOW},level="critical"}})'
    critical, warning = f'{WINDOW},level="critical"', f'{WINDOW},level="warning"'
    drifted = f"max {BY_MODEL} ({any_of(DRIFTED, critical)})"
    warned = f"max {BY_MODEL} ({any_of([BREACHED, *DRIFTED], warning)})"
    known = f"max {BY_MODEL} (model_info{{{MODEL}}})"
    return f"4 * ({breached} > 0) or 3 * ({drifted} > 0) or 1 + {warned} or 0 * {known}"


def of_features(selector: str = WINDOW) -> str:
    """The state of each feature and window; -1 where nothing can be decided."""
    detected = f"sum {BY_FEATURE} (model_feature_drift_detected{{{selector}}})"
    seen = f"max {BY_FEATURE} (model_feature_missing_ratio{{{selector}}})"
    return f"{detected} or 0 * {seen} - 1"
