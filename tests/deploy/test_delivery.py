"""The example's receivers, each with its secret from a file, through a real Alertmanager."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
import yaml

from tests.deploy.alertmanagers import Alertmanager, running, wait_for
from tests.deploy.receivers import Mail, Posted, adapted, http, smtp

FRAUD = {"job": "modelmeter", "instance": "mm:9920", "model": "fraud", "version": "3"}
RUNBOOK = "https://github.com/modelmeter/modelmeter/blob/main/docs/runbooks/"
ANNOTATIONS = {
    "summary": "More values of a feature are missing than its reference can account for.",
    "description": "33% of the values of feature amount & co are missing.",
    "dashboard": "/d/modelmeter-model-quality?var-model=fraud",
    "runbook_url": f"{RUNBOOK}ModelFeatureMissing.md",
}


class Everything(NamedTuple):
    """Alertmanager, and what arrived over HTTP and by mail."""

    manager: Alertmanager
    posted: list[Posted]
    mails: list[Mail]

    def send(self, **labels: str) -> None:
        """One alert that fires from now on."""
        starts = datetime.now(UTC).isoformat()
        alert = FRAUD | {"alertname": "ModelFeatureMissing"} | labels
        self.manager.post([alert], annotations=ANNOTATIONS, startsAt=starts)

    def at(self, path: str) -> Posted:
        """What was sent to that path; waits for it."""
        return wait_for(lambda: next((one for one in self.posted if one.path == path), None))


def hurry(route: dict[str, Any]) -> None:
    """Let no notification wait."""
    route |= {"group_wait": "50ms", "group_interval": "1s"}
    for below in route.get("routes", ()):
        hurry(below)


@pytest.fixture
def everything(tmp_path) -> Iterator[Everything]:
    with ExitStack() as stack:
        web, posted = stack.enter_context(http())
        mail, mails = stack.enter_context(smtp())
        file = tmp_path / "alertmanager.yml"
        config = adapted(tmp_path, web, mail)
        hurry(config["route"])
        file.write_text(yaml.safe_dump(config))
        yield Everything(stack.enter_context(running(file, tmp_path)), posted, mails)


def test_a_page_of_nobody_goes_to_the_pager_and_the_webhook(everything):
    everything.send(severity="critical")
    page = everything.at("/pagerduty").body
    assert page["routing_key"] == "pager-secret"
    assert page["event_action"] == "trigger"
    payload = page["payload"]
    assert payload["summary"] == "[CRITICAL] ModelFeatureMissing fraud version 3"
    assert (payload["severity"], payload["component"]) == ("critical", "fraud")
    assert ANNOTATIONS["description"] in payload["custom_details"]["alerts"]
    assert {"href": ANNOTATIONS["runbook_url"], "text": "Runbook"} in page["links"]
    hook = everything.at("/modelmeter")
    assert hook.authorization == "Bearer hook-secret"
    assert hook.body["version"] == "4"
    (alert,) = hook.body["alerts"]
    assert alert["annotations"] == ANNOTATIONS


def test_a_warning_goes_to_the_chat_with_buttons(everything):
    everything.send(severity="warning", team="risk")
    (said,) = everything.at("/slack").body["attachments"]
    assert said["title"] == "[WARNING] ModelFeatureMissing fraud version 3 (team risk)"
    assert said["title_link"] == ANNOTATIONS["runbook_url"]
    assert "• 33% of the values of feature amount &amp; co are missing." in said["text"]
    assert said["color"] == "warning"
    buttons = {one["text"]: one["url"] for one in said["actions"]}
    assert buttons["Dashboard"] == f"http://localhost:3000{ANNOTATIONS['dashboard']}"
    assert buttons["Silence"].startswith("http://alertmanager:9093/#/silences/new?filter=%7B")
    assert not everything.mails


def test_a_team_that_reads_mail_gets_mail(everything):
    everything.send(severity="warning", team="growth")
    wait_for(lambda: everything.mails)
    (mail,) = everything.mails
    assert (mail.user, mail.password) == ("alertmanager@example.com", "mail-secret")
    assert mail.message["To"] == "growth@example.com"
    assert mail.message["Subject"] == "[WARNING] ModelFeatureMissing fraud version 3 (team growth)"
    plain = mail.message.get_body(("plain",)).get_content()
    html = mail.message.get_body(("html",)).get_content()
    assert ANNOTATIONS["description"] in plain
    assert f"What to do: {ANNOTATIONS['runbook_url']}" in plain
    assert "amount &amp; co are missing" in html
    assert f'href="{ANNOTATIONS["runbook_url"]}"' in html
    assert not everything.posted


def test_an_alert_of_somebody_else_lacks_everything_and_is_told(everything):
    everything.manager.post([{"alertname": "NodeFull"}])
    (said,) = everything.at("/slack").body["attachments"]
    assert said["title"] == "[FIRING] NodeFull"
