"""What modelmeter says at the moment, read from its /metrics as Prometheus reads it."""

import dataclasses
import http
from collections.abc import Iterator

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exporter.demo.connection import Connection
from exporter.demo.model import MODEL

_READ = (
    "model_predictions_total{",
    "model_labels_total{",
    "model_accuracy_ratio{",
    "model_metric_limit_breached{",
)


@dataclasses.dataclass(slots=True)
class Status:
    """Counts, accuracy by window, and the windows in which the accuracy's limit is broken."""

    predictions: int = 0
    labels: int = 0
    accuracy: dict[str, float] = dataclasses.field(default_factory=dict)
    broken: set[str] = dataclasses.field(default_factory=set)


def parse(exposition: str) -> Status:
    """Return what an exposition in the text format says about the demo's model."""
    status = Status()
    for sample in _samples(exposition):
        window = sample.labels.get("window", "")
        if sample.name == "model_predictions_total":
            status.predictions += int(sample.value)
        elif sample.name == "model_labels_total":
            status.labels += int(sample.value)
        elif sample.name == "model_accuracy_ratio":
            status.accuracy[window] = sample.value
        elif _is_broken_limit(sample):
            status.broken.add(window)
    return status


def _samples(exposition: str) -> Iterator[Sample]:
    lines = [line for line in exposition.splitlines() if line.startswith(_READ)]
    for family in text_string_to_metric_families("\n".join([*lines, ""])):
        yield from (sample for sample in family.samples if sample.labels.get("model") == MODEL)


def _is_broken_limit(sample: Sample) -> bool:
    return (
        sample.labels.get("metric") == "accuracy_ratio"
        and sample.labels.get("level") == "critical"
        and sample.value == 1
    )


def read(connection: Connection) -> Status | None:
    """Return modelmeter's status, None when it does not answer."""
    answer = connection.get("/metrics")
    if answer is None or answer.status != http.HTTPStatus.OK:
        return None
    return parse(answer.body.decode())
