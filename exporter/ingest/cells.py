"""What the cells of a table of text mean: numbers, booleans, texts, or nothing."""

from __future__ import annotations

import re
from typing import Final

TEXTS: Final = ("model", "version", "id", "task", "segments")
"""Fields whose cells are texts whatever they look like."""
_NUMBER: Final = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_MISSING: Final = ("", "nan", "NaN", "null", "NULL", "None", "NA")


def as_text(cell: str) -> str | None:
    """Return the text of a cell, ``None`` for an empty one."""
    return cell or None


def as_value(cell: str) -> str | float | bool | None:
    """Return the number, boolean or text of a cell, ``None`` for a missing value."""
    cell = cell.strip()
    if cell in _MISSING:
        return None
    if cell.lower() in ("true", "false"):
        return cell.lower() == "true"
    if _NUMBER.fullmatch(cell):
        return int(cell) if cell.lstrip("+-").isdecimal() and len(cell) < 16 else float(cell)
    return cell
