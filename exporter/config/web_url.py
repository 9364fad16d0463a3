"""Addresses of pages that links may lead to."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from exporter.config.values import Value

EXPECTED: Final = (
    "an address such as https://grafana.example.org, with http or https and without user, query "
    "or fragment"
)
MAX_LENGTH: Final = 1000
_ALLOWED: Final = re.compile(rf"[A-Za-z0-9._~:/\[\]!$&()*+,;=%-]{{1,{MAX_LENGTH}}}")


def web_url(value: Value) -> str:
    """Return the address of a page, without a slash at its end."""
    found = value.text(EXPECTED)
    if not is_web_url(found):
        # What was given stays unsaid: people write passwords into addresses.
        value.fail(f"must be {EXPECTED}")
    return found.rstrip("/")


def is_web_url(given: str) -> bool:
    """Return whether this is an address by HTTP, of a host, and of nothing but its path."""
    if not _ALLOWED.fullmatch(given):
        return False
    try:
        parts = urlsplit(given)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
