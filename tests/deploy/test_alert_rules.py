"""The promises made about every alerting rule: what it says, waits for, reads and links to."""

import re

import promql_parser
import pytest

from tests.deploy.metric_names import SERIES
from tests.deploy.support import ROOT, alert_rules, load, metric_names, nodes, recording_rules

RULES = alert_rules()
RECORDED = {rule["record"] for rule in recording_rules()}
# What users may record themselves (docs/alerts.md).
OBJECTIVES = {f"modelmeter:objective:{one}" for one in ("model", "team", "instance")}
KNOWN = SERIES | RECORDED | OBJECTIVES
DECISIONS = re.compile(
    r"model_(metric_limit_breached|\w+_drift_detected|feature_quality_detected)\{[^}]*\} == 1"
)
GAUGE_DRIVEN = ("_over_time(", "increase(", "rate(")
DASHBOARDS = {
    board["uid"]: board
    for board in (load(file) for file in sorted((ROOT / "grafana/dashboards").glob("*.json")))
}
PAGES = {
    "ModelMetricBeyondLimit",
    "ModelTrafficAbsent",
    "ModelLatencyBudgetBurn",
    "ModelServerDown",
    "ModelServerOomKilled",
    "ModelmeterDown",
    "ModelmeterAbsent",
    "ModelmeterJournalFailing",
}
named = pytest.mark.parametrize(
    "rule", RULES, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}"
)


@named
def test_an_alert_says_what_it_is(rule):
    assert re.fullmatch(r"Model(meter)?([A-Z][a-z]+)+", rule["alert"])
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    summary, description = (rule["annotations"][key] for key in ("summary", "description"))
    assert summary.endswith(".")
    assert "{{" not in summary, "a summary is a static sentence"
    assert "$labels." in description or rule["expr"].startswith("absent(")
    assert "$value" not in str(rule["labels"])


def test_what_pages_is_what_was_decided_to_page():
    pages = {rule["alert"] for rule in RULES if rule["labels"]["severity"] == "critical"}
    assert pages == PAGES


@named
def test_a_decision_waits_for_nothing_and_a_measurement_does(rule):
    if DECISIONS.search(rule["expr"]):
        assert "for" not in rule
        assert rule["keep_firing_for"] == "15m"
    else:
        assert "for" in rule or any(way in rule["expr"] for way in GAUGE_DRIVEN)


@named
def test_an_alert_reads_metrics_that_exist(rule):
    assert metric_names(rule["expr"]) <= KNOWN


@named
def test_what_a_description_looks_up_exists(rule):
    looked_up = re.findall(r"printf `([^`]+)`", rule["annotations"]["description"])
    for query in looked_up:
        names = set(re.findall(r"(?<![\w:])([a-z_:%]+)\{", query))
        assert names <= KNOWN | {"model_%s"}
        assert "%s{" in query or "%s" not in query, "labels are quoted: %q"


@pytest.mark.parametrize("rule", [*RULES, *recording_rules()], ids=lambda r: next(iter(r.values())))
def test_a_division_is_guarded(rule):
    for node in nodes(rule["expr"]):
        if isinstance(node, promql_parser.BinaryExpr) and str(node.op) == "/":
            assert _is_positive(node.rhs), f"may divide by 0: {node.rhs}"


def _is_positive(node) -> bool:
    if isinstance(node, promql_parser.NumberLiteral):
        return node.val > 0
    if isinstance(node, promql_parser.ParenExpr):
        return _is_positive(node.expr)
    comparison = isinstance(node, promql_parser.BinaryExpr) and str(node.op) == ">"
    return comparison and str(node.rhs) == "0"


@named
def test_a_decision_names_what_it_is_about_in_its_description(rule):
    if DECISIONS.search(rule["expr"]):
        labels = ["model", "version", "window"]
        labels += ["feature"] if "model_feature" in rule["expr"] else []
        labels += ["metric", "bound"] if "model_metric" in rule["expr"] else []
        for label in labels:
            assert f"$labels.{label} }}}}" in rule["annotations"]["description"]


@named
def test_what_is_about_a_model_has_its_team_and_fires_without_one(rule):
    """By `or ignoring (team)`, or by a record that holds every model that has predictions."""
    expr = rule["expr"]
    if rule["alert"].startswith("Modelmeter") and rule["alert"] != "ModelmeterDown":
        return
    assert "or ignoring (team" in expr or expr.endswith(
        "* on (job, namespace, model) group_left (team) model:model_info:team\n"
    )


@named
def test_the_dashboard_exists_and_takes_the_variables(rule):
    path, _, query = rule["annotations"]["dashboard"].partition("?")
    board = DASHBOARDS[path.removeprefix("/d/")]
    variables = {one["name"] for one in board["templating"]["list"]}
    given = re.findall(r"var-(\w+)=\{\{ \$labels\.(\w+) \| urlquery \}\}", query)
    assert query.count("var-") == len(given)
    for variable, label in given:
        assert variable in variables
        assert variable == label


@named
def test_its_runbook_names_panels_of_the_same_dashboard(rule):
    page = (ROOT / f"docs/runbooks/{rule['alert']}.md").read_text(encoding="utf-8")
    ((title, uid, panels),) = re.findall(
        r"^Dashboard: \[([\w ]+)\]\(http://localhost:3000/d/([\w-]+)\), panels? (.+)\.$", page, re.M
    )
    assert rule["annotations"]["dashboard"].partition("?")[0] == f"/d/{uid}"
    board = DASHBOARDS[uid]
    assert board["title"] == title
    assert set(re.findall(r'"([^"]+)"', panels)) <= {panel["title"] for panel in board["panels"]}
