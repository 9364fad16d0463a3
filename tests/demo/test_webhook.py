"""Notifications as Alertmanager sends them, told once for every change."""

import json
import signal
import subprocess
import sys

import pytest

from exporter.demo import ports
from exporter.demo.connection import Connection
from exporter.demo.webhook import Inbox, Receiver, parse
from tests.demo.support import wait_until

ALERT = {
    "status": "firing",
    "labels": {"alertname": "ModelMetricBeyondLimit", "severity": "critical", "model": "m"},
    "annotations": {"summary": "A metric.", "description": "accuracy_ratio of model m."},
    "fingerprint": "f1",
    "startsAt": "2026-01-01T00:00:00Z",
}


def body(*alerts: dict[str, object]) -> dict[str, object]:
    return {"version": "4", "status": "firing", "alerts": list(alerts)}


def encoded(*alerts: dict[str, object]) -> bytes:
    return json.dumps(body(*alerts)).encode()


def test_a_notification_names_the_alert_and_says_what_is_wrong():
    (news,) = parse(encoded(ALERT))
    assert str(news) == (
        "ALERT FIRING (critical) ModelMetricBeyondLimit: accuracy_ratio of model m."
    )


def test_a_resolved_alert_does_not_claim_that_it_still_holds():
    (news,) = parse(encoded({**ALERT, "status": "resolved"}))
    assert str(news) == (
        "ALERT RESOLVED (critical) ModelMetricBeyondLimit: no longer: accuracy_ratio of model m."
    )


def test_without_a_description_the_summary_is_told():
    (news,) = parse(encoded({**ALERT, "annotations": {"summary": "A metric."}}))
    assert news.text == "A metric."


def test_each_change_is_told_once():
    inbox = Inbox()
    other = {**ALERT, "fingerprint": "f2"}
    over = {**ALERT, "status": "resolved"}
    for alerts in ([ALERT], [ALERT, other], [over, other], [over]):
        for news in parse(encoded(*alerts)):
            inbox.deliver(news)
    told = [(news.fingerprint, news.status) for news in inbox.take()]
    assert told == [("f1", "firing"), ("f2", "firing"), ("f1", "resolved")]
    assert (inbox.fired, inbox.resolved, inbox.firing) == (2, 1, 1)
    assert list(inbox.take()) == []


def test_it_receives_over_http_and_refuses_what_is_no_notification():
    inbox = Inbox()
    with Receiver(inbox) as receiver:
        connection = Connection(receiver.port)
        assert connection.post("/", {"alerts": [{}]}).status == 400
        assert connection.post("/", [1]).status == 400
        assert connection.post("/", body(ALERT)).status == 200
        connection.close()
    assert [news.name for news in inbox.take()] == ["ModelMetricBeyondLimit"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_as_a_program_of_its_own_it_prints_and_stops_when_told(number):
    port = ports.pick({"webhook": None})["webhook"]
    command = [sys.executable, "-m", "exporter.demo.webhook", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        connection = Connection(port)
        wait_until(lambda: connection.post("/", body(ALERT)) is not None)
        assert "ALERT FIRING (critical) ModelMetricBeyondLimit" in process.stdout.readline()
        connection.close()
        process.send_signal(number)
        assert process.wait(10) == 0
