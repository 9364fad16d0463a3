"""Four incidents, each told to those who are to know, and to nobody else, and nothing before them.

Real modelmeter, Prometheus and Alertmanager, with the shipped rules, routes, inhibition and
templates, beside a model server that logs with modelmeter's client. What is other than in
production: every duration is a sixtieth (hurried.py), mail and webhooks go to this machine, and
labels are stale after a few seconds.
"""

import time

import pytest

from tests.e2e.asked import ModelServer, Traffic
from tests.e2e.churn import MODEL, VERSION
from tests.e2e.told import OVER, History, named
from tests.e2e.watched import World, world
from tests.web.support import HOST, until

QUIET_SECONDS = 120
RUNBOOKS = "https://github.com/modelmeter/modelmeter/blob/main/docs/runbooks"
FLEET = {"job": "modelmeter", "model": MODEL, "team": "growth"}


def paged(alert: str, *series: dict[str, str]) -> History:
    """What a critical alert tells: the pager, and the webhook each of its series."""
    common = FLEET | {"alertname": alert, "severity": "critical"}
    webhook = {("modelmeter", named(common | one)): OVER for one in series}
    return {("pagerduty", alert): OVER} | webhook


def mailed(alert: str) -> History:
    """What a warning tells the team of this model."""
    return {("growth@example.com", alert): OVER}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_incidents_are_told_to_those_who_are_to_know(tmp_path) -> None:
    with world(tmp_path) as (there, traffic, server):
        two_quiet_minutes(there, traffic)
        quality_falls(there, traffic)
        values_of_a_feature_are_missing(there, traffic)
        the_model_server_is_killed(there, traffic, server)
        labels_stop(there, traffic)


def two_quiet_minutes(there: World, traffic: Traffic) -> None:
    begin = time.monotonic()
    while time.monotonic() < begin + QUIET_SECONDS:
        assert not there.told()
        time.sleep(1)
    # Prometheus saw all of it: nothing fired between two looks either.
    fired = 'last_over_time(ALERTS{alertstate="firing",severity!="info"}[%ds])'
    assert not there.prometheus.query(fired % QUIET_SECONDS)
    assert traffic.unanswered == 0
    for decided in ("model_metric_limit_breached", "model_feature_quality_detected"):
        assert there.prometheus.query(decided), "it could have been told"


def quality_falls(there: World, traffic: Traffic) -> None:
    beyond = {
        "instance": f"{HOST}:{there.meter.port}", "version": VERSION, "level": "critical",
        "metric": "accuracy_ratio", "bound": "min",
    }  # fmt: skip
    page = paged("ModelMetricBeyondLimit", *(beyond | {"window": one} for one in ("15s", "30s")))
    traffic.quality = 0.3
    until(lambda: there.told().keys() >= page.keys(), "a page of both windows", 60)
    traffic.quality = 0.95
    told = there.settles()
    # The warning on the way to the page may have come first.
    warning = mailed(f"ModelMetricBeyondLimit {MODEL} version {VERSION} (team growth)")
    assert told in (page, page | warning)


def values_of_a_feature_are_missing(there: World, traffic: Traffic) -> None:
    mail = mailed(f"ModelFeatureMissing {MODEL} version {VERSION} (team growth)")
    traffic.missing = 0.5
    until(lambda: there.told().keys() >= mail.keys(), "a mail", 60)
    said = there.mails[0].message.get_body(("plain",)).get_content()
    assert f"of feature amount of model {MODEL} (version {VERSION})" in " ".join(said.split())
    assert f"What to do: {RUNBOOKS}/ModelFeatureMissing.md" in said
    traffic.missing = 0.01
    assert there.settles() == mail


def the_model_server_is_killed(there: World, traffic: Traffic, server: ModelServer) -> None:
    page = paged("ModelServerDown", {"instance": f"{HOST}:{there.meter.port}"})
    assert traffic.unanswered == 0
    server.kill()
    until(lambda: there.told().keys() >= page.keys(), "a page", 60)
    # Its consequences come later, and are held back.
    until(lambda: "ModelTrafficAbsent" in there.held_back(), "no traffic", 60)
    assert traffic.unanswered > 0
    server.start()
    assert there.settles() == page


def labels_stop(there: World, traffic: Traffic) -> None:
    mail = mailed(f"ModelLabelsStale {MODEL} (team growth)")
    traffic.labelled = False
    until(lambda: there.told().keys() >= mail.keys(), "a mail", 60)
    traffic.labelled = True
    assert there.settles() == mail
