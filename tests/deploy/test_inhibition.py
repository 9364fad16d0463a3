"""What holds back what, tried in a real Alertmanager with the shipped configuration."""

import pytest

from tests.deploy.alertmanagers import running, wait_for
from tests.deploy.support import ROOT

INSTANCE = {"job": "modelmeter", "instance": "mm:9920"}
MODEL = INSTANCE | {"model": "fraud", "version": "3"}
FLEET = {"job": "modelmeter", "model": "fraud"}
LIMIT = MODEL | {"window": "5m", "metric": "accuracy_ratio", "bound": "min"}


def alert(name: str, severity: str, labels: dict[str, str], **more: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity, **labels, **more}


CRITICAL = alert("ModelMetricBeyondLimit", "critical", LIMIT, level="critical")
WARNING = alert("ModelMetricBeyondLimit", "warning", LIMIT, level="warning")
REGRESSED = alert("ModelQualityRegressed", "warning", FLEET)
MISSING = alert(
    "ModelFeatureMissing", "warning", MODEL, window="1h", feature="amount", problem="missing"
)
OUTPUTS = alert("ModelPredictionDrifted", "warning", MODEL, window="1h", level="critical")
SERVER_DOWN = alert("ModelServerDown", "critical", INSTANCE, model="fraud")
ABSENT = alert("ModelTrafficAbsent", "critical", FLEET)
STALE = alert("ModelLabelsStale", "warning", FLEET)
DOWN = alert("ModelmeterDown", "critical", INSTANCE, model="fraud")
FULL_DISK = alert("ModelmeterJournalFailing", "critical", INSTANCE)
SNAPSHOT = alert("ModelmeterSnapshotStale", "warning", INSTANCE)
BURN = alert("ModelLatencyBudgetBurn", "critical", FLEET)
SLOW = alert("ModelLatencyHigh", "warning", FLEET)


@pytest.mark.parametrize(
    ("fires", "held_back"),
    [
        ([CRITICAL, WARNING, WARNING | {"metric": "f1_ratio"}], [WARNING]),
        ([CRITICAL, REGRESSED, REGRESSED | {"model": "churn"}], [REGRESSED]),
        (
            [MISSING, OUTPUTS, OUTPUTS | {"window": "24h"}, CRITICAL, REGRESSED | {"model": "x"}],
            [OUTPUTS],
        ),
        (
            [
                MISSING,
                MISSING | {"severity": "info"},
                MISSING | {"severity": "info", "feature": "b"},
            ],
            [MISSING | {"severity": "info"}],
        ),
        ([SERVER_DOWN, ABSENT, STALE, ABSENT | {"model": "churn"}], [ABSENT, STALE]),
        ([ABSENT, STALE, STALE | {"model": "churn"}], [STALE]),
        ([DOWN, WARNING, WARNING | {"instance": "other:9920"}, CRITICAL], [WARNING]),
        ([FULL_DISK, SNAPSHOT, SNAPSHOT | {"instance": "other:9920"}], [SNAPSHOT]),
        ([BURN, SLOW, SLOW | {"model": "churn"}], [SLOW]),
        # Several models are watched there: nothing is held back by a model that is not named.
        (
            [{k: v for k, v in SERVER_DOWN.items() if k != "model"}, ABSENT, STALE],
            [STALE],
        ),
    ],
)
def test_causes_hold_back_their_symptoms_only(tmp_path, fires, held_back):
    with running(ROOT / "alertmanager/alertmanager.yml", tmp_path) as manager:
        manager.post(fires)
        wait_for(lambda: len(manager.get("/alerts")) == len(fires))
        wait_for(lambda: len(manager.suppressed()) >= len(held_back))
        key = lambda labels: sorted(labels.items())  # noqa: E731
        assert sorted(manager.suppressed(), key=key) == sorted(held_back, key=key)
