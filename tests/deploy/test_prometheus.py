"""Prometheus' configuration and rules, read by promtool, and the promises made about alerts."""

import re
import shutil

import pytest

from tests.deploy.metric_names import SERIES
from tests.deploy.support import (
    ROOT,
    RULE_FILES,
    RULE_TESTS,
    alert_rules,
    load,
    metric_names,
    ok,
    recording_rules,
    run,
)

RULES = alert_rules()
ALERTS = sorted({rule["alert"] for rule in RULES})
RUNBOOKS = "https://github.com/modelmeter/modelmeter/blob/main/"
QUERY = re.compile(r"```promql\n(.*?)```", re.DOTALL)
named = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])


def test_configuration_is_valid():
    assert "1 rule files found" in ok("promtool", "check", "config", "prometheus/prometheus.yml")


def test_rules_pass_every_lint():
    ok("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


def test_rules_pass_their_unit_tests():
    ok("promtool", "test", "rules", *RULE_TESTS)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('limit_breached{level="critical"} == 1', 'limit{level="critical"} == 1'),
        ('model_metric_limit_breached{level="warning"} == 1', "model_metric_limit_breached >= 0"),
        ("max_over_time(model_server_up[1m]) == 0", "model_server_up >= 0"),
        ("increase(model_server_restarts_total[15m]) > 2", "model_server_restarts_total > 0"),
        ('max_over_time(up{job=~"modelmeter.*"}[1m]) == 0', "up == 0"),
        ("modelmeter_scrape_collector_success[5m]", "modelmeter_scrape_collector_success[1m]"),
        ("            > 0.01\n", "            > 0.0001\n"),
        ("[5m])) > 0.02", "[5m])) > 0"),
        ("offset 15m)) > 0", "offset 15m)) >= 0"),
        ("/ (model_server_cpu_limit_cores > 0)", "* model_server_cpu_limit_cores"),
        ("/ (model_server_memory_limit_bytes > 0)", "/ 2000"),
        (
            "/ (rate(model_server_cpu_periods_total[5m]) > 0)",
            "/ rate(model_server_cpu_periods_total[5m])",
        ),
        (
            "rate(model_server_pressure_seconds_total[5m])",
            "increase(model_server_pressure_seconds_total[5m])",
        ),
        (
            "(rate(model_server_cpu_seconds_total[5m])) > 0)",
            "(rate(model_server_cpu_seconds_total[5m])))",
        ),
        ("(model_server_resident_memory_bytes) > 0)", "(model_server_working_set_bytes) > 0)"),
    ],
)
def test_the_unit_tests_notice_a_changed_rule(tmp_path, right, wrong):
    shutil.copytree(ROOT / "prometheus", tmp_path, dirs_exist_ok=True)
    rules = tmp_path / "rules/modelmeter.yml"
    text = rules.read_text()
    assert right in text
    rules.write_text(text.replace(right, wrong))
    done = run("promtool", "test", "rules", *sorted((tmp_path / "tests").glob("*.yml")))
    assert done.returncode != 0


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_test_that_fires_and_one_that_is_silent(alert):
    cases = [
        case
        for file in RULE_TESTS
        for test in _tests(file)
        for case in test.get("alert_rule_test", ())
    ]
    expected = [bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert]
    assert True in expected, "no test in which it fires"
    assert False in expected, "no test in which it stays silent"


RECORDED = recording_rules()
recorded = pytest.mark.parametrize("rule", RECORDED, ids=lambda rule: rule["record"])


@recorded
def test_what_is_recorded_says_its_level_metric_and_operations(rule):
    level, metric, operations = rule["record"].split(":")
    assert re.fullmatch(r"instance(_server|_gpu)?", level)
    assert re.fullmatch(r"model(meter|_server|_gpu)_[a-z_]+", metric)
    assert not metric.endswith("_total")
    assert re.fullmatch(r"(ratio|ratio_rate5m|rate5m)", operations)
    assert ("rate(" in rule["expr"]) == operations.endswith("rate5m")
    assert ("/" in rule["expr"]) == operations.startswith("ratio")


@recorded
def test_what_is_recorded_reads_metrics_that_exist(rule):
    assert metric_names(rule["expr"]) <= SERIES
    for denominator in re.findall(r"/\s*(\(.*)", rule["expr"]):
        assert "> 0)" in denominator


@recorded
def test_what_is_recorded_has_a_test_with_a_value(rule):
    cases = [c for file in RULE_TESTS for t in _tests(file) for c in t.get("promql_expr_test", ())]
    assert any(case["expr"] == rule["record"] and case["exp_samples"] for case in cases)


def _tests(file):
    return load(file)["tests"]


@named
def test_an_alert_says_what_it_is(rule):
    assert re.fullmatch(r"Model(meter)?([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    summary, description = (rule["annotations"][key] for key in ("summary", "description"))
    assert summary.endswith(".")
    assert "{{" not in summary, "a summary is a static sentence"
    assert "{{" in description or rule["expr"].startswith("absent("), "names what it is about"
    assert "$value" not in str(rule["labels"])


@named
def test_a_decision_waits_for_nothing_and_a_measurement_does(rule):
    if "model_metric_limit_breached" in rule["expr"]:
        assert "for" not in rule
    else:
        assert "for" in rule or "_over_time(" in rule["expr"] or "increase(" in rule["expr"]


@named
def test_an_alert_reads_metrics_that_exist(rule):
    assert metric_names(rule["expr"]) <= SERIES


@named
def test_a_division_is_guarded(rule):
    for denominator in re.findall(r"/\s*(\(.*)", rule["expr"]):
        assert "> 0)" in denominator


@named
def test_an_alert_about_a_model_names_it_in_its_description(rule):
    described = rule["annotations"]["description"]
    if "model_metric_limit_breached" in rule["expr"]:
        for label in ("model", "version", "window", "metric"):
            assert f"$labels.{label} " in described
    else:
        assert "$labels." in described or rule["expr"].startswith("absent(")


@named
def test_the_runbook_exists_and_is_complete(rule):
    url = rule["annotations"]["runbook_url"]
    assert url == f"{RUNBOOKS}docs/runbooks/{rule['alert']}.md"
    text = (ROOT / url.removeprefix(RUNBOOKS)).read_text(encoding="utf-8")
    assert text.startswith(f"# {rule['alert']}\n")
    for heading in (
        "What it means",
        "Look at these first",
        "Likely causes",
        "What to do",
        "Silencing and tuning",
    ):
        assert f"\n## {heading}\n" in text
    queries = QUERY.findall(text)
    assert len(queries) == 3
    for query in queries:
        assert metric_names(query) <= SERIES
    assert rule["labels"]["severity"] in text.split("## What it means")[0]


def test_every_runbook_belongs_to_an_alert():
    pages = {page.stem for page in (ROOT / "docs/runbooks").glob("Model*.md")}
    assert pages == set(ALERTS)
    index = (ROOT / "docs/runbooks/README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\((\w+)\.md\)", index)) == pages
