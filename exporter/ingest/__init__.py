"""Bytes to columns of events: one file, one wire format.

A format is a function ``decode(body, defaults) -> Raw``, registered in :data:`FORMATS` under its
media type. It raises :class:`BodyError` when the body is not what its type says; what is wrong with
a single event is found in ``columns.check``, for all formats alike.
"""

from __future__ import annotations

import importlib
import pkgutil

from exporter.ingest.formats import (
    FORMATS,
    BodyError,
    Raw,
    TooManyEvents,
    Unavailable,
    decode,
    together,
)

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "FORMATS",
    "BodyError",
    "Raw",
    "TooManyEvents",
    "Unavailable",
    "decode",
    "together",
]
