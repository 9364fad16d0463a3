"""Features as columns, whichever way they came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from exporter.ingest.columns import Features
from exporter.rows import ABSENT


def feature_names(features: Features | None) -> set[str]:
    """Return the names that any event carries."""
    if features is None:
        return set()
    if isinstance(features, dict):
        return set(features)
    return set().union(*(row for row in features if row))


def feature_columns(
    features: Features | None, names: Sequence[str], size: int
) -> dict[str, Any] | None:
    """Return a column for each of ``names``; ``None`` is missing, ``ABSENT`` has no features."""
    if features is None:
        return None
    if isinstance(features, dict):
        missing = [name for name in names if name not in features]
        table = {name: [None] * size for name in missing} | dict(features)
        return {name: table[name] for name in names}
    rows: list[Any] = list(features)
    gaps = [i for i, row in enumerate(rows) if row is None] if None in rows else []
    for i in gaps:
        rows[i] = {}
    columns: dict[str, Any] = {}
    for name in names:
        column: list[Any] = [row.get(name) for row in rows]
        for i in gaps:
            column[i] = ABSENT
        columns[name] = column
    return columns
