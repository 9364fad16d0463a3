"""Prometheus' configuration and rules, read by promtool, and the rules' own tests."""

import re
import shutil

import pytest

from tests.deploy.support import ROOT, RULE_FILES, RULE_TESTS, alert_rules, load, ok, run

RULES = alert_rules()
ALERTS = sorted({rule["alert"] for rule in RULES})


def test_configuration_is_valid():
    told = ok("promtool", "check", "config", "prometheus/prometheus.yml")
    assert f"{len(RULE_FILES)} rule files found" in told


def test_rules_pass_every_lint():
    ok("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda file: file.stem)
def test_rules_pass_their_unit_tests(file):
    ok("promtool", "test", "rules", file)


# The file of rules, the file of tests that notices, what stands there, what is put in its place.
CHANGES = [
    ("quality", "quality", 'breached{level="critical"} == 1', 'breached{level="warning"} == 1'),
    ("quality", "quality", "keep_firing_for: 15m", "keep_firing_for: 1m"),
    ("quality", "quality", "or ignoring (team)", "and ignoring (team)"),
    ("quality", "quality", 'bound="upper"} < 0', 'bound="upper"} > 0'),
    ("quality", "quality", "unless max without (level)", "and max without (level)"),
    ("quality", "quality", ">= 0.5 * (model_window_labels", ">= 0 * (model_window_labels"),
    ("quality", "quality", "and max without (level) (model_metric_limit)\n", ""),
    ("quality", "regressed", "> 4 * sqrt(", "> 0 * sqrt("),
    ("quality", "regressed", ' "predicted", "$1", "actual"', ' "predicted", "$1", "model"'),
    ("drift", "drift", 'problem="missing",level="critical"', 'problem="missing",level="none"'),
    ("drift", "drift", "keep_firing_for: 15m", "for: 15m"),
    (
        "labels",
        "labels_week",
        "by (job, namespace, model) (model_last",
        "by (instance) (model_last",
    ),
    ("labels", "labels_week", ">= 30", ">= 0"),
    ("labels", "labels_week", "model:model_predictions:rate5m[1d]) > 0\n", "up[1d]) > 0\n"),
    ("labels", "labels", 'reason="capacity"', 'reason="ttl"'),
    ("server", "server", "keep_firing_for: 2m", "keep_firing_for: 15s"),
    ("objectives", "labels_week", "2 * max_over_time(", "200 * max_over_time("),
    ("objectives", "labels", 'team{objective="label_staleness"', 'team{objective="none"'),
    ("objectives", "latency", 'model{objective="latency"', 'model{objective="none"'),
    ("objectives", "server", 'instance{objective="memory_use"', 'instance{objective="none"'),
    ("objectives", "traffic", "group by (job, namespace, model)", "group by (job, model)"),
    ("traffic", "traffic", 'ALERTS{alertname="ModelTrafficAbsent"', 'ALERTS{alertname="None"'),
    ("traffic", "traffic", ">= 120", ">= 0"),
    ("traffic", "traffic", ">= 40", ">= 0"),
    ("traffic", "traffic_week", "offset 1w) < 30", "offset 1w) < 0"),
    ("traffic", "traffic", "max_over_time(model_series_anomaly[5m]) == 1", "model_series_anomaly"),
    ("latency", "latency", "> 14.4", "> 0.1"),
    ("latency", "latency", "* 3600 >= 10", "* 3600 >= 0"),
    ("latency", "latency_week", "burnrate1d > 3", "burnrate1d > 30"),
    ("latency", "latency_week", "* 3600 >= 100", "* 3600 >= 0"),
    ("server", "server", "max_over_time(model_server_up[1m]) == 0", "model_server_up >= 0"),
    ("server", "server", "(model_server_restarts_total[15m]) > 2", "(model_server_up[15m]) > 2"),
    ("server", "server", "increase(model_server_oom_kills_total", "max_over_time(model_server_up"),
    (
        "server",
        "resources",
        "/ (model_server_cpu_limit_cores > 0)",
        "* model_server_cpu_limit_cores",
    ),
    ("server", "resources", "/ (model_server_memory_limit_bytes > 0)", "/ 2000"),
    ("server", "resources", "(rate(model_server_cpu_periods_total[5m]) > 0)", "rate(up[5m])"),
    ("server", "resources", "rate(model_server_pressure", "increase(model_server_pressure"),
    ("server", "resources", "(rate(model_server_cpu_seconds_total[5m])) > 0)", "(rate(up[5m])))"),
    ("server", "resources", "(model_server_resident_memory_bytes) > 0)", "(up) > 0)"),
    ("gpu", "gpu", "max_over_time(model_gpu_up[2m]) == 0", "model_gpu_up >= 0"),
    ("gpu", "gpu", "hw_thermal|sw_thermal|hw_power_brake", ".+"),
    ("gpu", "gpu_day", "<= on", ">= on"),
    ("modelmeter", "modelmeter", 'max_over_time(up{job=~"modelmeter.*"}[1m]) == 0', "up == 0"),
    ("modelmeter", "modelmeter", "scrape_collector_success[5m]", "scrape_collector_success[1m]"),
    ("modelmeter", "modelmeter", "            > 0.01\n", "            > 0.0001\n"),
    ("modelmeter", "modelmeter", "[5m])) > 0.02", "[5m])) > 0"),
]


@pytest.mark.parametrize(("file", "noticed_by", "right", "wrong"), CHANGES)
def test_the_unit_tests_notice_a_changed_rule(tmp_path, file, noticed_by, right, wrong):
    shutil.copytree(ROOT / "prometheus", tmp_path, dirs_exist_ok=True)
    rules = tmp_path / f"rules/{file}.yml"
    text = rules.read_text()
    assert right in text
    rules.write_text(text.replace(right, wrong))
    ok("promtool", "check", "rules", rules)
    assert run("promtool", "test", "rules", tmp_path / f"tests/{noticed_by}.yml").returncode != 0


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_test_that_fires_and_one_that_is_silent(alert):
    cases = [
        case
        for file in RULE_TESTS
        for test in load(file)["tests"]
        for case in test.get("alert_rule_test", ())
    ]
    expected = [bool(case["exp_alerts"]) for case in cases if case["alertname"] == alert]
    assert True in expected, "no test in which it fires"
    assert False in expected, "no test in which it stays silent"


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_every_severity_of_an_alert_has_a_test_in_which_it_fires(severity):
    fired = {
        case["alertname"]
        for file in RULE_TESTS
        for test in load(file)["tests"]
        for case in test.get("alert_rule_test", ())
        for alert in case["exp_alerts"]
        if alert["exp_labels"]["severity"] == severity
    }
    assert fired == {rule["alert"] for rule in RULES if rule["labels"]["severity"] == severity}


def test_the_rules_are_told_of_in_the_page_on_alerts():
    page = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| \[(\w+)\]\(runbooks/\1\.md\) \| ([a-z, ]+) \|", page, re.M))
    assert rows == {
        alert: ", ".join(rule["labels"]["severity"] for rule in RULES if rule["alert"] == alert)
        for alert in ALERTS
    }
