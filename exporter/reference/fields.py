"""The columns that a table of events may have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from exporter.config.problems import nearest
from exporter.ingest import BodyError
from exporter.ingest.json import FIELDS

GROUPS: Final = ("features", "scores", "segments")
MAX_COLUMNS: Final = 10_000
"""Of a table: a million of them would take gigabytes, and 200 features are counted."""


def check_columns(names: Sequence[str]) -> None:
    """Raise :class:`BodyError` for a column of a table that is no field of an event."""
    if len(names) > MAX_COLUMNS:
        raise BodyError(f"{len(names)} columns, at most {MAX_COLUMNS} are allowed")
    for name in names:
        group, dot, below = name.partition(".")
        if name in FIELDS or (group in GROUPS and dot and below):
            continue
        hint = nearest(name, FIELDS)
        raise BodyError(
            f"column {name!r} is no field of an event{hint or ';'} inputs are features.<name>",
            {"column": name, "allowed": [*FIELDS, *(f"{group}.<name>" for group in GROUPS)]},
        )
    if len(set(names)) < len(names):
        raise BodyError("a column is named twice")
