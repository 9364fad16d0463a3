"""What the page shows of a service: all that changes, as one piece of HTML."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from html import escape
from typing import Final

from exporter.model import ModelVersion
from exporter.service import Service
from exporter.web.environment import environment
from exporter.web.page import details, fleet, links, resources, rows
from exporter.web.page.resources import Itself, OwnUse
from exporter.web.view import model_view

DETAILED: Final = 6
"""So many model versions are shown in full, the worst first; another one is asked for by name."""
DETAILED_OF_ONE: Final = 20

EMPTY: Final = """<p>No events yet. Send one:</p>
<pre>curl {url}v1/events -H 'Content-Type: application/json' \\
  -d '{{"model": "fraud", "id": "a1", "score": 0.93, "label": 1}}'</pre>"""


def content(service: Service, own: OwnUse, base_url: str, model: str | None) -> str:
    """Return the page's live part; with ``model`` the versions of that one alone."""
    now = service.clock.monotonic()
    known = list(service.monitor.models)
    chosen = [one for one in known if model in (None, one.name)]
    found = sorted(((_row(service, one, now), one) for one in chosen), key=lambda it: it[0].order)
    parts = [_models(service, found, model, now)] if found else [EMPTY.format(url=escape(base_url))]
    parts.append(resources.section(environment(service, []), _itself(service, own, now)))
    return _links(service, model) + "".join(parts) + _age(service)


def _models(
    service: Service, found: list[tuple[fleet.Row, ModelVersion]], model: str | None, now: float
) -> str:
    grafana = service.settings.grafana_url
    told = [row for row, _ in found]
    most = DETAILED if model is None else DETAILED_OF_ONE
    shown = [_details(service, one, grafana, now) for _, one in found[:most]]
    left = len(found) - most
    more = f"<p>{left:,} more: choose one above to see it in full.</p>" if left > 0 else ""
    heading = "Versions" if model is not None else "Worst first" if left > 0 else "In full"
    return (
        rows.summary(told) + rows.table(told, grafana) + rows.legend()
        + f"<h2>{heading}</h2>" + "".join(shown) + more
    )  # fmt: skip


def _row(service: Service, model: ModelVersion, now: float) -> fleet.Row:
    with service.monitor.lock:
        return fleet.row(model, now)


def _details(service: Service, model: ModelVersion, grafana: str | None, now: float) -> str:
    with service.monitor.lock:
        view = model_view(service.monitor.models, model, now)
        recent = partial(model.recent.last, now=now)
        return details.details(view, recent, grafana)


def _links(service: Service, model: str | None) -> str:
    """Return links to dashboards, and back from one model to all."""
    told = [] if model is None else [links.link(".", "← all models")]
    if service.settings.grafana_url is not None:
        told += [
            links.link(links.dashboard(service.settings.grafana_url, title), f"Grafana: {title}")
            for title in links.DASHBOARDS
        ]
    return f"<nav>{''.join(told)}</nav>" if told else ""


def _age(service: Service) -> str:
    at = datetime.fromtimestamp(service.clock.wall(), UTC)
    return f'<p class="age">As of {at:%Y-%m-%d %H:%M:%S} UTC.</p>'


def _itself(service: Service, own: OwnUse, now: float) -> Itself:
    cores, resident = own.read(now)
    with service.monitor.lock:
        models = service.monitor.models
        table = models.store.table
        return Itself(
            cores=cores,
            resident=resident,
            received=models.received,
            rejected=sum(models.rejected.values()),
            waiting=table.used,
            most_waiting=table.bound,
            reload_successful=service.requests.reload_successful,
            disk_failing=service.ledger.failing,
        )
