"""Every registered family is documented as it is, and named as Prometheus wants it."""

import re
from pathlib import Path

import pytest

from exporter.registry import METRICS, TOTALS

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()
ROWS = {
    cells[0].strip("`"): cells
    for line in PAGE.splitlines()
    if line.startswith("| `")
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}
FAMILIES = METRICS | TOTALS


def kind(one):
    if one.name in METRICS:
        return "summary" if one.summary else "gauge"
    return "histogram" if one.edges else "counter"


@pytest.mark.parametrize("one", FAMILIES.values(), ids=lambda one: one.name)
def test_documented(one):
    _, documented, labels, meaning, *_ = ROWS[one.name]
    assert documented == kind(one)
    if documented != "histogram":
        assert tuple(re.findall(r"`(\w+)`", labels)) == one.labels
    assert meaning.endswith(".")


@pytest.mark.parametrize("one", FAMILIES.values(), ids=lambda one: one.name)
def test_named_as_prometheus_wants(one):
    assert re.fullmatch(r"model_[a-z0-9_]+", one.name)
    assert one.help.endswith(".")
    assert one.help[0].isupper()
    assert one.name.endswith("_total") == (kind(one) == "counter")
    assert ("seconds" in one.help) == ("_seconds" in one.name)
    assert not {"type", "job", "instance", "env", "le"} & set(one.labels)


@pytest.mark.parametrize("one", FAMILIES.values(), ids=lambda one: one.name)
def test_leaves_in_its_turn(one):
    """When there are too many series, families leave by group."""
    groups = {"counter": "total", "histogram": "histogram", "summary": "quantile"}
    if kind(one) in groups:
        assert one.group == groups[kind(one)]
    if one.labels == ("class",) and one.name.startswith("model_class"):
        assert one.group == "class"


def test_edges_are_documented():
    for one in TOTALS.values():
        if one.edges and one.name != "model_prediction_score":
            numbers = [float(number) for number in ROWS[one.name][2].split()]
            assert tuple(numbers) == one.edges


def test_windows_of_n_labels_show_what_labels_tell():
    assert METRICS["model_accuracy_ratio"].on == "labels"
    assert METRICS["model_window_span_seconds"].on == "labels"
    assert METRICS["model_window_predictions"].on == "predictions"
    assert METRICS["model_latency_quantile_seconds"].on == "predictions"
