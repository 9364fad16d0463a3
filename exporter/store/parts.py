"""A state's parts as the records of a snapshot; long columns are split: none takes long to pack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final

import numpy as np

from exporter.packing import packed, unpacked

CHUNK: Final = 20_000


def records(parts: Iterable[tuple[str, Any]]) -> Iterator[bytes]:
    """Yield the records of named parts."""
    for name, part in parts:
        if not isinstance(part, dict):
            yield packed((name, part))
            continue
        long = {key: one for key, one in part.items() if _is_long(one)}
        yield packed((name, {key: [] if key in long else one for key, one in part.items()}))
        for key, values in long.items():
            for start in range(0, len(values), CHUNK):
                yield packed((None, [key, values[start : start + CHUNK]]))


def parts(records: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """Yield the parts that records were made of."""
    held: tuple[str, Any] | None = None
    split: dict[str, list[Any]] = {}
    for record in records:
        name, part = unpacked(record)
        if name is None and held is not None:
            split.setdefault(part[0], []).append(part[1])
            continue
        if held is not None:
            yield _whole(*held, split)
        held, split = (name, part), {}
    if held is not None:
        yield _whole(*held, split)


def _whole(name: str, part: Any, split: dict[str, list[Any]]) -> tuple[str, Any]:
    for key, pieces in split.items():
        arrays = isinstance(pieces[0], np.ndarray)
        part[key] = np.concatenate(pieces) if arrays else list(chain.from_iterable(pieces))
    return name, part


def _is_long(value: Any) -> bool:
    return isinstance(value, list | np.ndarray) and len(value) > CHUNK
