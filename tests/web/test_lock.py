"""What holds the monitor's lock holds up scrapes and other events: only counting does."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.app import create_service
from exporter.config import Settings
from exporter.web.events import EventsRoute


@pytest.mark.parametrize("body", [b'[{"model": "m", "score": 0.5}]', b'[{"model": "m"}, 1]'])
def test_a_large_body_is_checked_before_the_lock_is_taken(monkeypatch, body):
    """A body full of faults takes seconds to check."""
    service = create_service(Settings())
    locked = []
    check, count = service.check, service.count

    def watched(step):
        def run(argument):
            locked.append(service.monitor.lock.locked())
            return step(argument)

        return run

    monkeypatch.setattr(service, "check", watched(check))
    monkeypatch.setattr(service, "count", watched(count))
    with ThreadPoolExecutor(1) as thread:
        EventsRoute(service, thread)._whole("application/json", body, False, None)
    assert locked == [False, True]
