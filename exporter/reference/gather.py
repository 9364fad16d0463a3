"""Batches of events into the columns that a reference is built of, compactly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy as np

from exporter.events import MAX_LISTED_REJECTIONS, FieldError, Rejection
from exporter.features import feature_columns, feature_names
from exporter.ingest import BodyError, Raw
from exporter.ingest.columns import Columns, Floats, check

MAX_ROWS: Final = 20_000_000
"""More events make no better reference; a small file may say that it has any number."""
_UNNAMED: Final = "unnamed"
_NUMBERS: Final = frozenset({int, float, bool, type(None)})
_UNUSED: Final = ("version", "segments", "latency_seconds")
_FEW: Final = 100_000


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
        self._known: dict[Any, Any] = {}

    def add(self, raw: Raw) -> None:
        """Check and keep the events of a batch. Raises :class:`BodyError` for far too many."""
        if self.size + len(raw.at) > MAX_ROWS:
            raise BodyError(f"more than {MAX_ROWS} events: take a sample of them")
        for name in _UNUSED:
            raw.fields.pop(name, None)
        named = raw.fields.get("model") or [None] * len(raw.at)
        raw.fields["model"] = [_UNNAMED if name is None else name for name in named]
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
                column = np.array([hash(key) if key is not None else 0 for key in column], np.int64)
                column = column.view(np.float64)
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
            self._features.setdefault(name, _Column()).add(self.size, self._compact(column))

    def _compact(self, column: Any) -> Floats | list[Any]:
        if isinstance(column, np.ndarray):
            return column.astype(np.float64, copy=False)
        if set(map(type, column)) <= _NUMBERS:
            try:
                return np.array(column, np.float64)
            except OverflowError:
                pass
        return self._shared(column)

    def _shared(self, column: Sequence[Any]) -> list[Any]:
        """Return values; equal ones are one object, not copies."""
        if len(self._known) > _FEW:
            self._known.clear()
        known = self._known
        return [known.setdefault((type(value), value), value) for value in column]

    def _nothing(self) -> str:
        if self.others and not self.size:
            return f"a reference needs events with predictions; all {self.others} name other models"
        return "a reference needs events with predictions"


def gather(raws: Iterable[Raw], into: Gathered) -> Columns:
    """Return the columns that batches make."""
    for raw in raws:
        into.add(raw)
    return into.columns()


class _Column:
    """A column that grows: numbers as bytes, or values of any kind; gaps are NaN or ``None``."""

    def __init__(self) -> None:
        # A bytearray grows in place, where arrays would have to be copied together.
        self._numbers: bytearray | None = bytearray()
        self._values: list[Any] = []

    def add(self, start: int, part: Floats | list[Any]) -> None:
        """Put ``part`` at the places from ``start`` on."""
        if isinstance(part, np.ndarray) and self._numbers is not None:
            self._fill(start)
            self._numbers += np.ascontiguousarray(part).data.cast("B")
            return
        if self._numbers is not None:
            self._values = np.frombuffer(self._numbers).tolist()
            self._numbers = None
        self._fill(start)
        self._values.extend(part.tolist() if isinstance(part, np.ndarray) else part)

    def finish(self, size: int) -> Floats | list[Any]:
        """Return the whole column of ``size`` places."""
        self._fill(size)
        return self._values if self._numbers is None else np.frombuffer(self._numbers)

    def _fill(self, size: int) -> None:
        if self._numbers is None:
            self._values.extend([None] * (size - len(self._values)))
        elif len(self._numbers) < 8 * size:
            self._numbers += np.full(size - len(self._numbers) // 8, np.nan).tobytes()


def _joined(columns: Columns) -> Columns:
    """Return the predictions; a label alone goes to the prediction of its id that has none."""
    ids, predicts = columns.id, columns.predicts
    columns.id = None
    if predicts.all():
        return columns
    if ids is not None and columns.label is not None:
        keys = np.asarray(ids).view(np.int64)
        alone = np.flatnonzero(~predicts).tolist()
        rows = {keys[i]: i for i in np.flatnonzero(predicts & (keys != 0)).tolist()}
        labels = list(columns.label)
        for i in alone:
            row = rows.get(keys[i])
            if row is not None and labels[row] is None:
                labels[row] = labels[i]
        columns.label = labels
    return columns.take(np.flatnonzero(predicts).tolist())
