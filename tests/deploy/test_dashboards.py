"""The dashboards: the JSON is what the code writes, and keeps the rules of a good dashboard.

The rules are those of Grafana's dashboard-linter, written anew. Left out: rules on Loki and on
mixins, which do not apply.
"""

import json
import re

import promql_parser
import pytest
import yaml

from grafana import build
from tests.deploy.metric_names import COUNTERS, SERIES
from tests.deploy.support import ROOT, metric_names, names_of, nodes, selectors

FILES = sorted((ROOT / "grafana/dashboards").glob("*.json"))
BOARDS = {file.name: json.loads(file.read_text(encoding="utf-8")) for file in FILES}
PANELS = [
    pytest.param(panel, id=f"{name}:{panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
    if panel["type"] != "row"
]
TARGETS = [
    pytest.param(target, id=f"{param.id}:{target['refId']}")
    for param in PANELS
    for target in param.values[0]["targets"]
]
each_board = pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
each_panel = pytest.mark.parametrize("panel", PANELS)
each_target = pytest.mark.parametrize("target", TARGETS)

# Metrics that carry the labels of a model; the others are about the server, GPUs or modelmeter.
OF_MODEL = re.compile(r"model_(?!server_|gpu_)")
NAMED = re.compile(r"\b(?:model(?:meter)?_\w+|process_\w+|scrape_duration_seconds|up|ALERTS)\b")
"""A metric in a description."""


def test_the_files_are_what_the_code_writes():
    assert set(BOARDS) == set(build.DASHBOARDS)
    for file in FILES:
        assert file.read_text(encoding="utf-8") == build.render(file.name), (
            f"{file.name} is out of date: run `make dashboards`"
        )


@each_board
def test_a_board_has_what_its_readers_need(board):
    assert re.fullmatch(r"modelmeter-[a-z-]+", board["uid"])
    assert "modelmeter" in board["tags"]
    assert 39 <= board["schemaVersion"] <= 42
    assert board["editable"] is False
    assert board["graphTooltip"] == 1, "the crosshair is shared"
    (link,) = board["links"]
    assert link["keepTime"]
    assert link["includeVars"]
    assert link["tags"] == ["modelmeter"]
    assert [a["name"] for a in board["annotations"]["list"]] == ["New versions", "Alerts"]


@each_board
def test_panels_have_ids_and_places_of_their_own(board):
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, f"{panel['title']} covers another panel"
        assert place["x"] + place["w"] <= 24
        taken |= cells


@each_board
def test_variables_are_asked_from_the_data_and_follow_each_other(board):
    datasource, *others = board["templating"]["list"]
    assert (datasource["name"], datasource["type"]) == ("datasource", "datasource")
    names = [v["name"] for v in others]
    assert names[:5] == ["job", "instance", "model", "version", "window"]
    assert names[5:] == (["feature"] if board["uid"] == "modelmeter-drift" else [])
    for position, variable in enumerate(others[:5]):
        assert variable["type"] == "query"
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["allValue"] == ".+"
        assert variable["refresh"] == 2, "asked again when the time range changes"
        assert variable["label"] == variable["name"].capitalize()
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"])
        assert asked
        assert asked[2] == variable["name"]
        (selector,) = selectors(asked[1])
        assert selector.name in SERIES
        before = {v["name"] for v in others[:position]}
        assert {matcher.name for matcher in selector.matchers.matchers} == before


def test_the_features_to_choose_from_are_those_of_the_chosen_models():
    feature = BOARDS["drift.json"]["templating"]["list"][-1]
    (asked,) = re.fullmatch(r"query_result\((.+)\)", feature["definition"]).groups()
    assert metric_names(asked) <= SERIES
    for selector in selectors(asked):
        assert_chosen(selector, ["job", "instance", "model", "version", "window"])
    assert feature["multi"]
    assert feature["refresh"] == 2


@each_board
def test_marks_read_metrics_that_exist(board):
    for mark in board["annotations"]["list"]:
        assert metric_names(mark["expr"]) <= SERIES
        for selector in selectors(mark["expr"]):
            assert {"job", "instance"} <= {m.name for m in selector.matchers.matchers}


@each_panel
def test_a_panel_explains_itself(panel):
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert defaults["unit"]
    assert defaults["noValue"], "says what is missing"
    assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert panel["targets"]
    told = set(NAMED.findall(panel["description"]))
    shown = {name for target in panel["targets"] for name in metric_names(target["expr"])}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in shown} == told


@each_panel
def test_a_panel_has_queries_of_their_own_names(panel):
    names = [target["refId"] for target in panel["targets"]]
    assert len(set(names)) == len(names)
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"]
        assert target["legendFormat"]


@each_target
def test_a_query_reads_metrics_that_exist(target):
    assert metric_names(target["expr"])
    assert metric_names(target["expr"]) <= SERIES


@each_target
def test_a_query_asks_for_the_chosen_series_only(target):
    for selector in selectors(target["expr"]):
        of_model = all(OF_MODEL.match(name) for name in names_of(selector))
        assert_chosen(selector, ["job", "instance"] + ["model", "version"] * of_model)


def assert_chosen(selector, variables):
    """A selector names the variables; an alert may also be about all of what one stands for."""
    more = "|" if selector.name == "ALERTS" else ""
    matchers = {m.name: (m.op, m.value) for m in selector.matchers.matchers}
    for name in variables:
        assert matchers[name] == (promql_parser.MatchOp.Re, f"${name}{more}")


@each_target
def test_a_counter_is_shown_as_a_rate(target):
    inside = set()
    for call in nodes(target["expr"]):
        if isinstance(call, promql_parser.Call) and call.func.name in {"rate", "increase"}:
            inside.add(call.args[0].vector_selector.name)
    counters = set(COUNTERS) | {name for name in SERIES if name.endswith("_bucket")}
    assert metric_names(target["expr"]) & counters == inside


@each_panel
def test_a_rate_spans_the_interval_of_the_graph_or_a_number_all_of_it(panel):
    for target in panel["targets"]:
        allowed = {"$__rate_interval"} | ({"$__range"} if target.get("instant") else set())
        assert set(re.findall(r"\[([^]]+)\]", target["expr"])) <= allowed


@each_target
def test_a_division_is_guarded(target):
    for node in nodes(target["expr"]):
        if isinstance(node, promql_parser.BinaryExpr) and str(node.op) == "/":
            assert isinstance(node.rhs, promql_parser.ParenExpr)
            assert str(node.rhs.expr.op) == ">"
            assert str(node.rhs.expr.rhs) == "0"


@each_panel
def test_rows_of_a_table_can_be_merged_since_no_name_of_a_metric_tells_them_apart(panel):
    if panel["type"] == "table" and len(panel["targets"]) > 1:
        for target in panel["targets"]:
            assert not isinstance(nodes(target["expr"])[0], promql_parser.VectorSelector)


@each_panel
def test_a_table_and_a_number_are_of_one_moment(panel):
    now = panel["type"] in {"stat", "table"}
    assert all(bool(target.get("instant")) is now for target in panel["targets"])


def test_provisioning_offers_the_data_source_and_the_folder_of_the_compose_file():
    folder = ROOT / "grafana/provisioning"
    (source,) = yaml.safe_load((folder / "datasources/prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    assert source["isDefault"]
    assert source["jsonData"]["timeInterval"] == "15s"
    (provider,) = yaml.safe_load((folder / "dashboards/modelmeter.yml").read_text())["providers"]
    assert provider["allowUiUpdates"] is False
    mounts = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in mounts["volumes"]
