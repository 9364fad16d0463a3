"""The first events of a model, kept raw until they are its reference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from exporter.ingest import Raw
from exporter.ingest.columns import Columns

_FIELDS: Final = ("id", "ts", "task", "prediction", "score", "scores", "label", "features")
_FLOATS: Final = 1


class FirstEvents:
    """At most ``wanted`` predictions and as many labels, packed a batch at a time."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.rows = 0
        self.bytes = 0
        self.parts: list[bytes] = []
        self._labels = 0

    def dump(self) -> dict[str, Any]:
        """Return what was gathered as plain objects."""
        return {
            "wanted": self.wanted,
            "rows": self.rows,
            "labels": self._labels,
            "parts": list(self.parts),
        }

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> FirstEvents:
        """Return what was dumped."""
        first = cls(dumped["wanted"])
        first.rows, first._labels = dumped["rows"], dumped["labels"]
        first.parts = list(dumped["parts"])
        first.bytes = sum(map(len, first.parts))
        return first

    @property
    def full(self) -> bool:
        """Whether there are as many predictions as are wanted."""
        return self.rows >= self.wanted

    def predict(self, columns: Columns) -> None:
        """Keep predictions, with their labels where they carry them."""
        room = self.wanted - self.rows
        if room <= 0 or not len(columns):
            return
        columns = columns.take(range(min(room, len(columns))))
        self.rows += len(columns)
        self._keep({name: getattr(columns, name) for name in _FIELDS})

    def label(self, ids: Sequence[str | None], values: Sequence[Any]) -> None:
        """Keep labels that name the prediction they belong to."""
        room = self.wanted - self._labels
        if room <= 0 or self.full or not len(ids):
            return
        self._labels += min(room, len(ids))
        self._keep({"id": list(ids[:room]), "label": list(values[:room])})

    def _keep(self, fields: dict[str, Any]) -> None:
        given = {name: column for name, column in fields.items() if column is not None}
        try:
            packed = msgspec.msgpack.encode(given, enc_hook=_as_bytes)
        except OverflowError:
            packed = msgspec.msgpack.encode(_short(given), enc_hook=_as_bytes)
        self.parts.append(packed)
        self.bytes += len(packed)


def unpacked(parts: Iterator[bytes]) -> Iterator[Raw]:
    """Return the batches that were packed."""
    done = 0
    for part in parts:
        fields = msgspec.msgpack.decode(part, ext_hook=_as_floats)
        columns = [column for name, column in fields.items() if name != "features"]
        size = max((len(column) for column in columns), default=0)
        yield Raw(range(done, done + size), fields)
        done += size


def _short(value: Any) -> Any:
    """Return a value with integers that MessagePack cannot hold as floats."""
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_short(part) for part in value]
    if type(value) is int and not -(2**63) <= value < 2**63:
        return float(value) if abs(value) < 2**1023 else None
    return value


def _as_bytes(value: Any) -> msgspec.msgpack.Ext:
    if isinstance(value, np.generic):
        return value.item()  # type: ignore[no-any-return]
    return msgspec.msgpack.Ext(_FLOATS, np.ascontiguousarray(value, "<f8").tobytes())


def _as_floats(code: int, data: memoryview) -> Any:
    return np.frombuffer(data, "<f8").astype(np.float64)
