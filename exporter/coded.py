"""A column of few different values: each value once, and where it stands by its code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.int32]
MOST_VALUES: Final = 100_000
"""With more different values than this, and in half of the rows, a list is smaller."""
_TEXTS: Final = frozenset({str, type(None)})


class Coded(Sequence[Any]):
    """The value of row ``i`` is ``values[codes[i]]``; values are in order of first sight.

    Values differ in type too: ``1`` is not ``True``. Each stands in some row.
    """

    def __init__(self, codes: Codes, values: list[Any]) -> None:
        self.codes = codes
        self.values = values

    def __len__(self) -> int:
        return len(self.codes)

    def __iter__(self) -> Iterator[Any]:
        return map(self.values.__getitem__, self.codes.tolist())

    def __getitem__(self, at: Any) -> Any:
        """Return the value of one row."""
        return self.values[self.codes[at]]

    def take(self, rows: NDArray[np.int64]) -> Coded:
        """Return the column of some rows."""
        codes = self.codes[rows]
        first = _first_rows(codes, len(self.values))
        kept = np.flatnonzero(first < len(codes))
        kept = kept[np.argsort(first[kept])]
        renumbered = np.zeros(len(self.values), np.int32)
        renumbered[kept] = np.arange(len(kept))
        return Coded(renumbered[codes], [self.values[code] for code in kept.tolist()])

    def where_not(self, value: Any) -> Coded:
        """Return the column without the rows that hold the very object ``value``."""
        codes = [code for code, one in enumerate(self.values) if one is value]
        return self.take(np.flatnonzero(~np.isin(self.codes, codes))) if codes else self

    def times(self) -> list[tuple[Any, int]]:
        """Return each value, and in how many rows it stands."""
        counts = np.bincount(self.codes, minlength=len(self.values)).tolist()
        return list(zip(self.values, counts, strict=True))

    def looked_up(self, table: NDArray[Any]) -> NDArray[Any]:
        """Return for each row what ``table`` holds for its value."""
        return table[self.codes]


class Coding:
    """Gives values their codes, the same one whenever a value comes again."""

    def __init__(self) -> None:
        self._codes = _Codes()

    def __len__(self) -> int:
        return len(self._codes)

    def codes(self, column: Sequence[Any]) -> Codes:
        """Return the codes of a column's values; new values get the next ones."""
        if isinstance(column, Coded):
            return column.looked_up(self.codes(column.values))
        keys: Sequence[Any] = column
        if not set(map(type, column)) <= _TEXTS:
            keys = [one if type(one) in _TEXTS else (type(one), one) for one in column]
        return np.fromiter(map(self._codes.__getitem__, keys), np.int32, len(column))

    @property
    def values(self) -> list[Any]:
        """Each value that came, by its code."""
        return [key[1] if type(key) is tuple else key for key in self._codes]


class _Codes(dict[Any, int]):
    def __missing__(self, value: Any) -> int:
        self[value] = code = len(self)
        return code


def _first_rows(codes: Codes, values: int) -> NDArray[np.int64]:
    """Return where each code stands first, past the end for those that stand nowhere."""
    first = np.full(values, len(codes), np.int64)
    # Of what is written to one place more than once, the last stays.
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)
    return first
