"""Rows of a table to events: a column is an event's field, or ``features.<name>`` and the like."""

import csv
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any, Final

from exporter.cli.rows import DataError, Row, dump
from exporter.config.problems import nearest
from exporter.ingest.cells import TEXTS, as_text, as_value

FIELDS: Final = (
    "model",
    "version",
    "id",
    "ts",
    "task",
    "prediction",
    "score",
    "label",
    "latency_seconds",
)
GROUPS: Final = ("features", "scores", "segments")
Plan = list[tuple[str, str | None]]
"""For each column: its field, and the name below it in a group."""


def plan(columns: Sequence[str], wholes: Sequence[str] = ()) -> Plan:
    """Return what each column means; ``wholes`` may stand as whole groups. Raises DataError."""
    found: Plan = []
    for column in columns:
        group, dot, name = column.partition(".")
        if column in FIELDS or column in wholes:
            found.append((column, None))
        elif group in GROUPS and dot and name:
            found.append((group, name))
        else:
            hint = nearest(column, FIELDS)
            raise DataError(
                f"column {column!r} is no field of an event{hint or ';'} fields: "
                f"{', '.join(FIELDS)}; inputs are features.<name>, class probabilities "
                "scores.<class>, slices segments.<name>"
            )
    if len(set(columns)) < len(columns):
        raise DataError("a column is named twice")
    for group in GROUPS:
        if {(group, None)} < {meaning for meaning in found if meaning[0] == group}:
            raise DataError(f"{group} stands both as a whole and in columns of its own")
    return found


def event(meanings: Plan, values: Sequence[Any]) -> dict[str, Any]:
    """Return the event of a row; None is absent, but a feature's None says that it is missing."""
    made: dict[str, Any] = {}
    for (field, name), value in zip(meanings, values, strict=True):
        if name is not None:
            if value is not None or field == "features":
                made.setdefault(field, {})[name] = value
        elif isinstance(value, dict) and field != "features":
            made[field] = {key: part for key, part in value.items() if part is not None}
        elif value is not None:
            made[field] = value
    return made


def csv_rows(lines: IO[str]) -> Iterator[Row]:
    """Return the rows of a CSV file; numbers are what reads as one, ``007`` does not."""
    reader = csv.reader(lines)
    header = next(reader, None)
    if header is None:
        raise DataError("empty: a header of field names is needed")
    meanings = plan([column.strip() for column in header])
    converts = [as_text if field in TEXTS else as_value for field, _ in meanings]
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise DataError(f"line {reader.line_num}: {error}") from None
        if cells is None:
            return
        if cells:
            yield _row(f"line {reader.line_num}", meanings, converts, cells)


def _row(
    place: str, meanings: Plan, converts: Sequence[Callable[[str], Any]], cells: list[str]
) -> Row:
    if len(cells) != len(meanings):
        return Row(place, b"", f"has {len(cells)} cells, the header has {len(meanings)}")
    values = [convert(cell) for convert, cell in zip(converts, cells, strict=True)]
    return Row(place, dump(event(meanings, values)))
