"""Alertmanager's configurations, read by amtool and amlint: routes, inhibition, secrets."""

import json
import re

import pytest

from tests.deploy.support import RULE_TESTS, alert_rules, load, ok

SHIPPED, EXAMPLE = "alertmanager/alertmanager.yml", "alertmanager/alertmanager.example.yml"
FILES = [SHIPPED, EXAMPLE]
CONFIG = load(SHIPPED)
each = pytest.mark.parametrize("file", FILES)


@each
def test_configuration_is_valid(file):
    ok("amtool", "check-config", file)


@each
def test_routes_and_inhibition_fit_the_rules(file):
    """Strictly but for one finding: `nobody` drops what is information, on purpose."""
    ok(
        "amlint",
        "check",
        "--strict",
        "--ignore=empty-receiver",
        "--rules=prometheus/rules/*.yml",
        file,
    )


@pytest.mark.parametrize(
    ("file", "labels", "receiver"),
    [
        (SHIPPED, ["severity=critical", "alertname=ModelMetricBeyondLimit"], "critical"),
        (SHIPPED, ["severity=critical", "team=risk"], "critical"),
        (SHIPPED, ["severity=warning", "alertname=ModelMetricBeyondLimit"], "warning"),
        (SHIPPED, ["severity=info", "alertname=ModelAnything"], "nobody"),
        (SHIPPED, ["alertname=SomethingElse"], "warning"),
        (EXAMPLE, ["severity=critical"], "pager"),
        (EXAMPLE, ["severity=critical", "team=unheard-of"], "pager"),
        (EXAMPLE, ["severity=warning"], "chat"),
        (EXAMPLE, ["severity=warning", "team=unheard-of"], "chat"),
        (EXAMPLE, ["severity=critical", "team=risk"], "risk-pager"),
        (EXAMPLE, ["severity=warning", "team=risk"], "risk-chat"),
        (EXAMPLE, ["severity=critical", "team=growth"], "pager"),
        (EXAMPLE, ["severity=warning", "team=growth"], "growth-mail"),
        (EXAMPLE, ["severity=info", "team=risk"], "nobody"),
        (EXAMPLE, ["alertname=SomethingElse"], "chat"),
    ],
)
def test_routes(file, labels, receiver):
    told = ok("amtool", "config", "routes", "test", "--config.file", file, *labels)
    assert told.split() == [receiver]


@each
def test_the_root_route_takes_everything_and_groups(file):
    root = load(file)["route"]
    assert not {"match", "match_re", "matchers", "continue"} & set(root)
    assert {"alertname", "job", "model", "version"} <= set(root["group_by"])


@each
def test_no_page_waits_for_business_hours(file):
    """Neither by a route of its own, nor by one above it."""

    def pages(route, waits=False):
        waits = "active_time_intervals" in route or "mute_time_intervals" in route
        critical = 'severity="critical"' in route.get("matchers", ())
        return [waits] * critical + [
            one for below in route.get("routes", ()) for one in pages(below)
        ]

    assert not any(pages(load(file)["route"]))


def test_warnings_wait_for_them_in_the_example():
    routes = load(EXAMPLE)["route"]["routes"]
    waiting = [one["receiver"] for one in routes if one.get("active_time_intervals")]
    assert waiting == ["risk-chat", "growth-mail", "chat"]


@each
def test_matchers_are_written_in_the_present_form(file):
    text = json.dumps(load(file))
    for old in ('"match":', '"match_re":', '"source_match":', '"target_match":'):
        assert old not in text


@each
def test_no_secret_is_written_into_the_file(file):
    text = json.dumps(load(file))
    for key in (
        "password",
        "smtp_auth_password",
        "slack_api_url",
        "api_url",
        "routing_key",
        "service_key",
        "bot_token",
        "credentials",
    ):
        assert f'"{key}":' not in text


def test_the_shipped_one_needs_no_file_but_its_templates():
    assert "_file" not in json.dumps(CONFIG)


def test_both_hold_back_the_same():
    assert CONFIG["inhibit_rules"] == load(EXAMPLE)["inhibit_rules"]
    assert CONFIG["templates"] == load(EXAMPLE)["templates"] == ["templates/*.tmpl"]


MATCHER = re.compile(r'(\w+)(=~|!=|=)"(.*)"')
FIRED = [
    {"alertname": case["alertname"], **alert["exp_labels"]}
    for file in RULE_TESTS
    for test in load(file)["tests"]
    for case in test.get("alert_rule_test", ())
    for alert in case["exp_alerts"]
]


def matches(labels: dict[str, str], matchers: list[str]) -> bool:
    for text in matchers:
        name, operator, value = MATCHER.fullmatch(text).groups()
        is_so = re.fullmatch(value, labels.get(name, "")) is not None
        if is_so == (operator == "!="):
            return False
    return True


def lacking(matchers: list[str], equal: list[str]) -> set[tuple[str, str]]:
    """Alerts of the rules' own tests that the matchers take, and the labels that they lack."""
    taken = [labels for labels in FIRED if matches(labels, matchers)]
    assert taken, matchers
    return {(one["alertname"], label) for one in taken for label in equal if label not in one}


@pytest.mark.parametrize("rule", CONFIG["inhibit_rules"])
def test_inhibiting_labels_exist_on_what_they_compare(rule):
    """A label missing on both sides counts as equal, so it must exist on what is held back."""
    assert rule["equal"]
    assert not lacking(rule["target_matchers"], rule["equal"])
    several_models = {("ModelServerDown", "model"), ("ModelmeterDown", "model")}
    assert lacking(rule["source_matchers"], rule["equal"]) <= several_models


@pytest.mark.parametrize("rule", CONFIG["inhibit_rules"])
def test_inhibition_names_alerts_that_exist(rule):
    names = {rule["alert"] for rule in alert_rules()}
    for text in rule["source_matchers"] + rule["target_matchers"]:
        name, operator, value = MATCHER.fullmatch(text).groups()
        if name == "alertname" and operator != "!=":
            assert set(value.split("|")) <= names


def test_drift_never_holds_back_what_labels_show():
    for rule in CONFIG["inhibit_rules"]:
        sources = {one["alertname"] for one in FIRED if matches(one, rule["source_matchers"])}
        held_back = {one["alertname"] for one in FIRED if matches(one, rule["target_matchers"])}
        if any(re.search("Drifted|ModelFeature", name) for name in sources):
            assert not held_back & {"ModelMetricBeyondLimit", "ModelQualityRegressed"}
