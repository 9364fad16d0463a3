"""What holds the monitor's lock holds up scrapes and other events: only counting does."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter import ledger
from exporter.app import create_service
from exporter.config import Settings
from exporter.web import events
from exporter.web.events import EventsRoute


@pytest.mark.parametrize("body", [b'[{"model": "m", "score": 0.5}]', b'[{"model": "m"}, 1]'])
def test_a_large_body_is_checked_before_the_lock_is_taken(monkeypatch, body):
    """A body full of faults takes seconds to check."""
    service = create_service(Settings(persist=False))
    locked = []

    def watched(step):
        def run(*arguments):
            locked.append(service.monitor.lock.locked())
            return step(*arguments)

        return run

    monkeypatch.setattr(events, "checked", watched(ledger.checked))
    monkeypatch.setattr(service.ledger, "_count", watched(service.ledger._count))
    with ThreadPoolExecutor(1) as thread:
        route = EventsRoute(service, thread, thread)
        route._whole("application/json", body, False, None, None)
    assert locked == [False, True]
