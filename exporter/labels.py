"""The labels of a series, and their text: what many series share is written once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

Pairs = tuple[tuple[str, str], ...]


class Labels:
    """Immutable labels, as pairs and as they stand between braces in an exposition."""

    __slots__ = ("pairs", "text")

    def __init__(self, pairs: Pairs, text: str) -> None:
        """``text`` is :func:`written` of ``pairs``; use :meth:`of`, or :meth:`and_` of others."""
        self.pairs = pairs
        self.text = text

    @classmethod
    def of(cls, labels: Mapping[str, str]) -> Labels:
        """Return these labels."""
        pairs = tuple(labels.items())
        return cls(pairs, written(pairs))

    def and_(self, *pairs: tuple[str, str]) -> Labels:
        """Return these labels and more, whose names are others."""
        return Labels(self.pairs + pairs, _joined(self.text, _known(pairs)))

    def following(self, names: Iterable[str], values: Iterable[str]) -> Labels:
        """Return these labels and more, whose names are others; as many ``values`` as names."""
        return self.and_(*zip(names, values, strict=True))


def written(pairs: Pairs) -> str:
    """Return labels as both text formats write them, without braces."""
    return ",".join([f'{name}="{_escaped(value)}"' for name, value in pairs])


# Metrics, levels, classes and features: the same few for every model.
_known = lru_cache(maxsize=16_384)(written)


def _joined(one: str, other: str) -> str:
    return f"{one},{other}" if one and other else one or other


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


NONE = Labels((), "")
"""No labels."""
