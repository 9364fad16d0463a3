"""A quiet day, and the same day with four incidents: none alerts, and exactly those do."""

import json
from typing import Any

import pytest

from tests.deploy.days import MINUTES, Day, Incidents, promtool_tests
from tests.deploy.support import run

OBJECTIVE = """
groups:
  - name: our-objectives
    rules:
      - record: modelmeter:objective:model
        expr: vector(3600)
        labels: {objective: label_staleness, model: churn}
"""
INCIDENTS = Incidents(
    worse=range(240, 300),
    missing=range(480, 540),
    down=range(720, 780),
    unlabelled=range(960, 1200),
)
FIRED = (
    'group without (job, instance, alertstate) (count_over_time(ALERTS{alertstate="firing"}[%ds]))'
)

TWICE = {
    "expr": f"changes(ALERTS_FOR_STATE[{MINUTES * 60 - 1}s]) > 0",
    "eval_time": f"{MINUTES - 1}m",
    "exp_samples": [],
}
"""No alert comes, goes and comes again: none is even pending twice."""

Alerts = list[dict[str, str]]
"""The labels of each, without those of the target."""


def fleet(name: str, severity: str) -> Alerts:
    return [{"alertname": name, "severity": severity, "model": "churn", "team": "growth"}]


def decision(name: str, severities: dict[str, str], **labels: str) -> Alerts:
    """A decision's alert at the level critical and at the level warning."""
    return [
        alert | labels | {"version": "7", "level": level}
        for level, severity in severities.items()
        for alert in fleet(name, severity)
    ]


def worse(window: str) -> Alerts:
    severities = {"critical": "critical", "warning": "warning"}
    of = {"metric": "accuracy_ratio", "bound": "min", "window": window}
    return decision("ModelMetricBeyondLimit", severities, **of)


def missing(window: str) -> Alerts:
    """Drift and broken data never page: docs/adr/0014-what-pages.md."""
    severities = {"critical": "warning", "warning": "info"}
    of = {"feature": "amount", "problem": "missing", "window": window}
    return decision("ModelFeatureMissing", severities, **of)


DOWN = fleet("ModelServerDown", "critical")
UNUSED = [*fleet("ModelTrafficAbsent", "critical"), *fleet("ModelPredictionsStopped", "warning")]
"""Consequences of that, held back by it: tests/deploy/test_inhibition.py."""
STALE = fleet("ModelLabelsStale", "warning")

Slices = list[tuple[int, int, Alerts]]
"""From one minute until before another: exactly what fires at any time in it."""

QUIET: Slices = [(0, MINUTES, [])]
EVENTFUL: Slices = [
    (0, 240, []),
    (240, 250, worse("5m")),
    (250, 380, worse("5m") + worse("1h")),
    (380, 480, []),
    (480, 490, missing("1h")),
    (490, 630, missing("1h") + missing("24h")),
    # An hour without values stays long in a day's window.
    (630, 720, missing("24h")),
    (720, 725, missing("24h") + DOWN),
    (725, 790, missing("24h") + DOWN + UNUSED),
    (790, 1020, missing("24h")),
    (1020, 1030, missing("24h") + STALE),
    (1030, 1210, missing("24h") + STALE),
    (1210, 1350, missing("24h")),
    (1350, MINUTES, []),
]
"""The first slice of each incident says how soon it is told, the first after it that it ends."""


def promtool_test(begin: int, end: int, alerts: Alerts) -> dict[str, Any]:
    """A slice as promtool takes it; its range does not reach the minute before it."""
    over = (end - begin) * 60 - 1
    samples = [{"labels": _written(one), "value": 1} for one in alerts]
    return {"expr": FIRED % over, "eval_time": f"{end - 1}m", "exp_samples": samples}


def _written(labels: dict[str, str]) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("incidents", "slices"),
    [(Incidents(), QUIET), (INCIDENTS, EVENTFUL)],
    ids=["quiet", "incidents"],
)
def test_exactly_the_incidents_of_a_day_alert(incidents, slices, tmp_path):
    series = Day(tmp_path, incidents).series()
    assert 'model_metric_limit_breached{job="modelmeter"' in "".join(series), "it could be told"
    own, file = tmp_path / "own.yml", tmp_path / "day.yml"
    own.write_text(OBJECTIVE)
    # JSON is YAML too, and read faster.
    file.write_text(
        json.dumps(promtool_tests(series, own, [promtool_test(*one) for one in slices]))
    )
    done = run("promtool", "test", "rules", file)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
