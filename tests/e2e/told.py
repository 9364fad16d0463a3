"""What receivers were told: of each alert, what in which order."""

from collections.abc import Iterable, Mapping
from typing import Any

from tests.deploy.receivers import Mail, Posted

FIRING, RESOLVED = "firing", "resolved"
OVER = [FIRING, RESOLVED]
"""What is told of an alert that comes once and goes. The same said twice in a row is a reminder."""

History = dict[tuple[str, str], list[str]]
"""Of each receiver and alert, what was told."""


def named(labels: Mapping[str, str]) -> str:
    """An alert as PromQL writes it."""
    name = labels["alertname"]
    rest = (f"{key}={value}" for key, value in sorted(labels.items()) if key != "alertname")
    return f"{name}{{{','.join(rest)}}}"


def history(posted: Iterable[Posted], mails: Iterable[Mail]) -> History:
    """All that was told over HTTP and by mail. A pager is told the name of a group of alerts, and a
    mail's subject as well; a webhook is told each alert with its labels."""
    found: History = {}
    incidents: dict[str, str] = {}
    for one in posted:
        for what, status in _read(one, incidents):
            _add(found, one.path.strip("/"), what, status)
    for mail in mails:
        level, what = mail.message["Subject"].split(maxsplit=1)
        _add(found, mail.message["To"], what, RESOLVED if level == "[RESOLVED]" else FIRING)
    return found


def _read(one: Posted, incidents: dict[str, str]) -> Iterable[tuple[str, str]]:
    body: dict[str, Any] = one.body
    match one.path:
        case "/modelmeter":
            return [(named(alert["labels"]), alert["status"]) for alert in body["alerts"]]
        case "/pagerduty":
            # Only what begins an incident says what it is about.
            if body["event_action"] == "trigger":
                incidents[body["dedup_key"]] = body["payload"]["class"]
            status = {"trigger": FIRING, "resolve": RESOLVED}[body["event_action"]]
            return [(incidents.get(body["dedup_key"], "unknown"), status)]
        case _:
            (said,) = body["attachments"]
            return [(said["title"], FIRING)]


def _add(found: History, receiver: str, what: str, status: str) -> None:
    said = found.setdefault((receiver, what), [])
    if said[-1:] != [status]:
        said.append(status)


def all_know(said: History) -> bool:
    """Everyone who was told that something fires was told that it is over."""
    return all(one[-1] == RESOLVED for one in said.values())
