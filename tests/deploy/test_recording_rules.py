"""What is recorded: names, metrics, and that its values are tested."""

import re

import pytest

from tests.deploy.support import RULE_TESTS, alert_rules, load, metric_names, recording_rules
from tests.deploy.test_alert_rules import KNOWN

RECORDED = recording_rules()
recorded = pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule["record"])


@recorded
def test_its_name_says_level_metric_and_operations(rule):
    level, metric, operations = rule["record"].split(":")
    assert level in {"instance", "instance_server", "instance_gpu", "model", "modelmeter"}
    assert re.fullmatch(r"[a-z_]+", metric)
    assert not metric.endswith("_total")
    assert re.fullmatch(r"[a-z0-9_]+", operations)


@recorded
def test_a_ratio_and_a_rate_of_a_resource_are_called_so(rule):
    level, metric, operations = rule["record"].split(":")
    if level.startswith("instance") and "objective" not in metric:
        assert ("rate(" in rule["expr"]) == operations.endswith("rate5m")
        assert ("/" in rule["expr"]) == operations.startswith("ratio")


@recorded
def test_it_reads_metrics_that_exist(rule):
    assert metric_names(rule["expr"]) <= KNOWN


@recorded
def test_its_value_is_tested_or_an_alert_that_is_tested_reads_it(rule):
    cases = [
        case
        for file in RULE_TESTS
        for test in load(file)["tests"]
        for case in test.get("promql_expr_test", ())
    ]
    with_value = any(case["expr"] == rule["record"] and case["exp_samples"] for case in cases)
    assert with_value or rule["record"] in read_by_alerts()


def read_by_alerts() -> set[str]:
    """What alerts read, directly or by what is recorded from it."""
    read = set().union(*(metric_names(rule["expr"]) for rule in alert_rules()))
    for _ in RECORDED:
        read |= {
            name
            for rule in RECORDED
            if rule["record"] in read
            for name in metric_names(rule["expr"])
        }
    return read
