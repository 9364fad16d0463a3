"""What is read out of notifications: an alert that comes back is seen, a reminder is none."""

from email.message import EmailMessage

import pytest

from tests.deploy.receivers import Mail, Posted
from tests.e2e.told import FIRING, RESOLVED, all_know, history

LABELS = {"alertname": "ModelServerDown", "severity": "critical"}
WEBHOOK = ("modelmeter", "ModelServerDown{severity=critical}")
PAGER = ("pagerduty", "ModelServerDown")


def hook(status: str) -> Posted:
    return Posted("/modelmeter", None, {"alerts": [{"labels": LABELS, "status": status}]})


def pager(action: str) -> Posted:
    payload = {"payload": {"class": "ModelServerDown"}} if action == "trigger" else {}
    return Posted("/pagerduty", None, {"event_action": action, "dedup_key": "1"} | payload)


def mail(subject: str) -> Mail:
    message = EmailMessage()
    message["To"], message["Subject"] = "growth@example.com", subject
    return Mail("", "", message)


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ([FIRING, FIRING, RESOLVED], [FIRING, RESOLVED]),
        ([FIRING, RESOLVED, FIRING], [FIRING, RESOLVED, FIRING]),
        ([RESOLVED], [RESOLVED]),
    ],
)
def test_an_alert_that_comes_back_is_seen(statuses, told):
    found = history([hook(one) for one in statuses], [])
    assert found == {WEBHOOK: told}
    assert all_know(found) == (told[-1] == RESOLVED)


def test_a_pager_knows_what_is_over_by_the_incident():
    assert history([pager("trigger"), pager("resolve")], []) == {PAGER: [FIRING, RESOLVED]}


def test_mails_are_told_by_their_subject():
    title = "ModelServerDown churn (team growth)"
    found = history([], [mail(f"[WARNING] {title}"), mail(f"[RESOLVED] {title}")])
    assert found == {("growth@example.com", title): [FIRING, RESOLVED]}


def test_what_goes_to_the_chat_is_seen():
    said = Posted("/slack", None, {"attachments": [{"title": "[WARNING] ModelServerDown"}]})
    assert history([said], []) == {("slack", "[WARNING] ModelServerDown"): [FIRING]}
