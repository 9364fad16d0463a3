"""The example's receivers, each with its secret from a file, through a real Alertmanager."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
import yaml

from tests.deploy.alertmanagers import Alertmanager, running, wait_for
from tests.deploy.receivers import Mail, Posted, http, smtp
from tests.deploy.support import ROOT, load

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


def adapted(example: dict[str, Any], folder, web: int, mail: int) -> dict[str, Any]:
    """The example, sent to loopback, at once and at any time of the day."""
    secrets = {"slack-url": f"http://127.0.0.1:{web}/slack", "smtp-password": "mail-secret",
               "pagerduty-key": "pager-secret", "webhook-token": "hook-secret"}  # fmt: skip
    for name, value in secrets.items():
        (folder / name).write_text(value)
    text = yaml.safe_dump(example).replace("/etc/alertmanager/secrets/", f"{folder}/")
    text = text.replace("https://hooks.example.com/", f"http://127.0.0.1:{web}/")
    config = yaml.safe_load(text)
    config["global"] |= {
        "smtp_smarthost": f"127.0.0.1:{mail}",
        "smtp_require_tls": False,
        "pagerduty_url": f"http://127.0.0.1:{web}/pagerduty",
    }
    config["templates"] = [str(ROOT / "alertmanager/templates/*.tmpl")]
    _hurry(config["route"])
    return config


def _hurry(route: dict[str, Any]) -> None:
    route.pop("active_time_intervals", None)
    route |= {"group_wait": "50ms", "group_interval": "1s"}
    for below in route.get("routes", ()):
        _hurry(below)


@pytest.fixture
def everything(tmp_path) -> Iterator[Everything]:
    with ExitStack() as stack:
        web, posted = stack.enter_context(http())
        mail, mails = stack.enter_context(smtp())
        file = tmp_path / "alertmanager.yml"
        example = load("alertmanager/alertmanager.example.yml")
        file.write_text(yaml.safe_dump(adapted(example, tmp_path, web, mail)))
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
