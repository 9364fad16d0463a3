"""Batches of events into the columns that a reference is built of, compactly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np

from exporter.coded import MOST_VALUES, Coded, Coding
from exporter.events import MAX_LISTED_REJECTIONS, FieldError, Rejection
from exporter.features import feature_columns, feature_names
from exporter.ingest import BodyError, Raw
from exporter.ingest.columns import Columns, Floats, check

MAX_ROWS: Final = 20_000_000
"""More events make no better reference; a small file may say that it has any number."""
_UNNAMED: Final = "unnamed"
_NUMBERS: Final = frozenset({int, float, bool, type(None)})
_UNUSED: Final = ("version", "segments", "latency_seconds")
_NO_ID: Final = hash(None)
_FEW: Final = 100_000

Column = Floats | Coded | list[Any]


class Gathered:
    """Events of one model, gathered batch by batch.

    ``wanted`` says which model names belong to it; events that name none always do.
    """

    def __init__(self, wanted: Callable[[str], bool] = lambda name: True) -> None:
        self._wanted = wanted
        self.models: set[str] = set()
        """The models that the events name, of those that are wanted."""
        self.others = 0
        """Events of other models, left out."""
        self.rejected = 0
        self.listed: list[Rejection] = []
        """The first of the events that were rejected."""
        self.size = 0
        self._columns: dict[str, _Column] = {}
        self._features: dict[str, _Column] = {}
        self._known: defaultdict[type, dict[Any, Any]] = defaultdict(dict)

    def add(self, raw: Raw) -> None:
        """Check and keep the events of a batch. Raises :class:`BodyError` for far too many."""
        if self.size + len(raw.at) > MAX_ROWS:
            raise BodyError(f"more than {MAX_ROWS} events: take a sample of them")
        for name in _UNUSED:
            raw.fields.pop(name, None)
        named = raw.fields.get("model")
        raw.fields["model"] = (
            [_UNNAMED] * len(raw.at)
            if named is None
            else [_UNNAMED if name is None else name for name in named]
        )
        columns, rejected = check(raw)
        self.reject(rejected)
        mine = self._mine(columns)
        self.others += len(columns) - len(mine)
        self._keep(columns.take(mine))

    def reject(self, rejected: Sequence[Rejection]) -> None:
        """Count events that were not taken."""
        self.rejected += len(rejected)
        self.listed += rejected[: MAX_LISTED_REJECTIONS - len(self.listed)]

    def columns(self) -> Columns:
        """Return the predictions, with the labels that name their id; what was kept is let go.

        Raises :class:`FieldError` when there are none.
        """
        whole: dict[str, Any] = {name: one.finish(self.size) for name, one in self._columns.items()}
        columns = Columns(range(self.size), [""] * self.size, **whole)
        if self.size:
            columns.predicts = columns.predicts.astype(bool)
        if not columns.predicts.any():
            raise FieldError("prediction", self._nothing())
        features: dict[str, Any] = {
            name: one.finish(self.size) for name, one in self._features.items()
        }
        columns.features = features or None
        self._columns, self._features = {}, {}
        return _joined(columns)

    def _mine(self, columns: Columns) -> Sequence[int]:
        names = set(columns.model) - {_UNNAMED}
        mine = {name for name in names if self._wanted(name)}
        self.models |= mine
        if mine == names:
            return range(len(columns))
        taken = {_UNNAMED, *mine}
        return [i for i, name in enumerate(columns.model) if name in taken]

    def _keep(self, columns: Columns) -> None:
        for name in ("id", "ts", "task", "prediction", "score", "scores", "label", "predicts"):
            column = getattr(columns, name)
            if column is None:
                continue
            if name == "id":
                # Only equality matters, and numbers are smaller than texts.
                column = np.fromiter(map(hash, column), np.int64, len(column)).view(np.float64)
            elif name == "predicts":
                column = column.astype(np.float64)
            elif name in ("prediction", "label", "task"):
                column = self._shared(column)
            self._columns.setdefault(name, _Column()).add(self.size, column)
        self._keep_features(columns)
        self.size += len(columns)

    def _keep_features(self, columns: Columns) -> None:
        size = len(columns)
        if columns.features is None or not size:
            return
        names = sorted(feature_names(columns.features))
        table = feature_columns(columns.features, names, size) or {}
        for name, column in table.items():
            self._features.setdefault(name, _Column(coded=True)).add(self.size, _compact(column))

    def _shared(self, column: Sequence[Any]) -> list[Any]:
        """Return values; equal ones of a type are one object, not copies."""
        if sum(map(len, self._known.values())) > _FEW:
            self._known.clear()
        kinds = set(map(type, column)) - {type(None)}
        if len(kinds) == 1:
            known = self._known[kinds.pop()].setdefault
            return list(map(known, column, column))
        return [self._known[type(value)].setdefault(value, value) for value in column]

    def _nothing(self) -> str:
        if self.others and not self.size:
            return f"a reference needs events with predictions; all {self.others} name other models"
        return "a reference needs events with predictions"


def gather(raws: Iterable[Raw], into: Gathered) -> Columns:
    """Return the columns that batches make."""
    for raw in raws:
        into.add(raw)
    return into.columns()


def _compact(column: Any) -> Column:
    """Return a column as an array if it holds numbers alone."""
    if isinstance(column, np.ndarray):
        return column.astype(np.float64, copy=False)
    coded = isinstance(column, Coded)
    if set(map(type, column.values if coded else column)) <= _NUMBERS:
        try:
            return np.array(column, np.float64)
        except OverflowError:
            pass
    return column if coded else list(column)


class _Column:
    """A column that grows: numbers, values of any kind, or codes while those are few.

    Gaps are NaN or ``None``.
    """

    def __init__(self, *, coded: bool = False) -> None:
        self._coded = coded
        # A bytearray grows in place, where arrays would have to be copied together.
        self._numbers: bytearray | None = bytearray()
        self._codes: bytearray | None = None
        self._coding = Coding()
        self._values: list[Any] = []

    def add(self, start: int, part: Column) -> None:
        """Put ``part`` at the places from ``start`` on."""
        if isinstance(part, np.ndarray) and self._numbers is not None:
            self._fill(start)
            self._numbers += np.ascontiguousarray(part).data.cast("B")
            return
        if self._numbers is not None:
            before = _objects(np.frombuffer(self._numbers))
            self._numbers = None
            if self._coded:
                self._codes = bytearray()
            self._extend(before)
        self._fill(start)
        self._extend(_objects(part) if isinstance(part, np.ndarray) else part)

    def finish(self, size: int) -> Column:
        """Return the whole column of ``size`` places."""
        self._fill(size)
        if self._numbers is not None:
            return np.frombuffer(self._numbers)
        return self._values if self._codes is None else self._as_coded(self._codes)

    def _fill(self, size: int) -> None:
        if self._numbers is not None:
            if len(self._numbers) < 8 * size:
                self._numbers += np.full(size - len(self._numbers) // 8, np.nan).tobytes()
            return
        done = len(self._values) if self._codes is None else len(self._codes) // 4
        self._extend([None] * (size - done))

    def _extend(self, part: Sequence[Any]) -> None:
        if self._codes is None:
            self._values.extend(part)
            return
        self._codes += self._coding.codes(part).data.cast("B")
        if len(self._coding) > max(MOST_VALUES, len(self._codes) // 8):  # half of the rows
            self._values = list(self._as_coded(self._codes))
            self._codes, self._coding = None, Coding()

    def _as_coded(self, codes: bytearray) -> Coded:
        return Coded(np.frombuffer(codes, np.int32), self._coding.values)


def _objects(numbers: Floats) -> list[Any]:
    return [None if one != one else one for one in numbers.tolist()]


def _joined(columns: Columns) -> Columns:
    """Return the predictions; a label alone goes to the prediction of its id that has none."""
    ids, predicts = columns.id, columns.predicts
    columns.id = None
    if predicts.all():
        return columns
    if ids is not None and columns.label is not None:
        keys = np.asarray(ids).view(np.int64)
        alone = np.flatnonzero(~predicts).tolist()
        rows = {keys[i]: i for i in np.flatnonzero(predicts & (keys != _NO_ID)).tolist()}
        labels = list(columns.label)
        for i in alone:
            row = rows.get(keys[i])
            if row is not None and labels[row] is None:
                labels[row] = labels[i]
        columns.label = labels
    return columns.take(np.flatnonzero(predicts).tolist())
