"""Every query of every dashboard and runbook, run in a real Prometheus that scrapes a real
modelmeter with five models in it: two-class ones, one of three classes, and regressions."""

import random
import re
import time
import urllib.error
from contextlib import ExitStack

import pytest

from grafana.pictures import world
from grafana.pictures.asking import filled, values
from grafana.pictures.installation import installed, until
from tests.deploy.support import ROOT, program
from tests.deploy.test_dashboards import BOARDS, TARGETS
from tests.gpu.support import H100, TWO, Driver
from tests.resources.groups import NoGroup, group, limit_cpu, limit_memory
from tests.resources.support import BUSY, launched

BLOCK = re.compile(r"```promql\n(.*?)```", re.DOTALL)
RUNBOOK_QUERIES = [
    pytest.param(query, id=f"{page.stem}:{number}")
    for page in sorted((ROOT / "docs/runbooks").glob("Model*.md"))
    for number, query in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")), 1)
]
TURNS, EACH = 4, 120
FRESH = 'ALERTS{alertname="ModelMetricBeyondLimit",model="churn",alertstate="firing"}'
OF_LIMITS = re.compile(r"model_server_(cpu_limit|memory_limit|cpu_throttled|cpu_periods)")
"""What a server has in a container with limits only."""


def model_server(stack: ExitStack) -> tuple[int, bool]:
    """A busy model server, and whether it could be put into groups with limits."""
    server = launched(BUSY)
    limited = True
    try:
        folder, version = stack.enter_context(group("cpu", server.pid))
        limit_cpu(folder, version, 0.1)
        if version == 1:  # where a group has one controller only
            folder, version = stack.enter_context(group("memory", server.pid))
        limit_memory(folder, version, 2**28)
    except (NoGroup, OSError):
        limited = False
    for end in (server.stdout.close, server.stdin.close, server.wait, server.kill):
        stack.callback(end)
    return server.pid, limited


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    folder = tmp_path_factory.mktemp("installation")
    rng = random.Random(1)
    with ExitStack() as stack:
        pid, limited = model_server(stack)
        settings = world.settings(rng, folder) | {"model_server": {"pid": pid}}
        gpus = Driver(folder, TWO | {"0": H100 | {"processes": f"{pid}:4096"}})
        there = stack.enter_context(installed(folder, program("prometheus"), settings, gpus.env))
        there.limited = limited
        # In turns, each seen by a scrape, so that rates have something to rise over.
        sent = 0
        for turn in range(TURNS):
            there.send(world.batch(rng, EACH, time.time(), changed=turn > 0))
            sent += EACH
            seen = f"min(model_predictions_total) >= {sent}"
            until(lambda expr=seen: there.query(expr), 30)
        until(lambda: there.query("sum(model_drifted_features) > 0"), 30)
        until(lambda: there.query(FRESH), 30)
        yield there


@pytest.mark.parametrize("target", TARGETS)
def test_a_query_of_a_dashboard_returns_series(installation, target):
    found = installation.query(filled(target["expr"]))
    # Without groups on this machine it is seen only that such a query can be run.
    assert found or (OF_LIMITS.search(target["expr"]) and not installation.limited)


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_variables_and_marks_find_something(installation, board):
    for variable in board["templating"]["list"][1:]:
        assert values(installation, variable, {})
    for mark in board["annotations"]["list"]:
        range_of = {"start": str(time.time() - 120), "end": str(time.time()), "step": "1"}
        assert installation.ask("query_range", query=filled(mark["expr"]), **range_of)["result"]


def test_the_feature_that_drifted_furthest_is_the_first_choice(installation):
    variable = BOARDS["drift.json"]["templating"]["list"][-1]
    everything = values(installation, variable, {})
    assert everything[0] == "amount"
    assert set(everything) == {"amount", "age", "country", "visits", "size"}


def test_the_worst_model_is_told_from_the_others(installation):
    panel = next(p for p in BOARDS["models-overview.json"]["panels"] if p["type"] == "table")
    asked = {target["legendFormat"]: filled(target["expr"]) for target in panel["targets"]}
    told = {s["metric"]["model"]: s["value"][1] for s in installation.query(asked["State"])}
    assert told["churn"] == "4", "its quality is beyond its limit"
    assert told["fraud"] == "3", "its inputs have drifted"
    assert told["species"] == "0", "it has neither limits nor a reference"
    (nearest,) = (s for s in installation.query(asked["Room"]) if s["metric"]["model"] == "churn")
    assert nearest["metric"]["metric"] == "accuracy_ratio"
    assert float(nearest["value"][1]) < 0


@pytest.mark.parametrize("query", RUNBOOK_QUERIES)
def test_a_query_of_a_runbook_can_be_run(installation, query):
    try:
        installation.query(query)
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from None


def test_the_metric_that_is_beyond_its_limit_alerts(installation):
    firing = installation.query(FRESH)
    assert {alert["metric"]["metric"] for alert in firing} == {"accuracy_ratio"}
