"""A quiet day, and the same day with four incidents: none fires, and exactly those."""

import json
from typing import Any

import pytest

from tests.deploy.days import Day, Incidents, promtool_tests
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
FIRED = 'group by (alertname, severity) (count_over_time(ALERTS{alertstate="firing",severity!="info"}[%s]))'  # noqa: E501


def fired(expected: dict[str, str], at: str, over: str) -> dict[str, Any]:
    """A test: which alerts fired within `over` before `at`, and how severe they are."""
    samples = [
        {"labels": f'{{alertname="{name}",severity="{severity}"}}', "value": 1}
        for one, severities in expected.items()
        for name, severity in [(one, each) for each in severities.split()]
    ]
    return {"expr": FIRED % over, "eval_time": at, "exp_samples": samples}


WORSE = {"ModelMetricBeyondLimit": "critical warning"}
MISSING = {"ModelFeatureMissing": "warning"}
"""Until the hour has left the window of a day."""
DOWN = {
    "ModelServerDown": "critical",
    "ModelTrafficAbsent": "critical",
    "ModelPredictionsStopped": "warning",
}
"""The last two are consequences, and held back by the first: tests/deploy/test_inhibition.py."""
STALE = {"ModelLabelsStale": "warning"}


@pytest.mark.parametrize(
    ("incidents", "expected"),
    [
        (Incidents(), [fired({}, "1439m", "1439m")]),
        (
            INCIDENTS,
            [
                fired({}, "239m", "239m"),
                fired(WORSE, "470m", "230m"),
                fired(MISSING, "710m", "230m"),
                fired(DOWN | MISSING, "950m", "230m"),
                fired(STALE | MISSING, "1439m", "479m"),
            ],
        ),
    ],
    ids=["quiet", "incidents"],
)
def test_exactly_the_incidents_of_a_day_alert(incidents, expected, tmp_path):
    series = Day(tmp_path, incidents).series()
    assert 'model_metric_limit_breached{job="modelmeter"' in "".join(series), "it could be told"
    own, file = tmp_path / "own.yml", tmp_path / "day.yml"
    own.write_text(OBJECTIVE)
    # JSON is YAML too, and read faster.
    file.write_text(json.dumps(promtool_tests(series, own, expected)))
    done = run("promtool", "test", "rules", file)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
