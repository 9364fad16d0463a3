"""When nothing is taken or shown: before the state is there, and once a stop has begun."""

from __future__ import annotations

from exporter.service import Service
from exporter.web.errors import Refused


def check_restored(service: Service) -> None:
    """Raise ``503`` as long as the state is being brought back from disk."""
    if service.restoring:
        raise _closed("the state is being restored")


def check_open(service: Service) -> None:
    """Raise ``503`` where no change is taken: while it is restored, or stopping."""
    check_restored(service)
    if service.stopping:
        raise _closed("modelmeter is stopping")


def _closed(error: str) -> Refused:
    return Refused(503, error, headers={"retry-after": "1"})
