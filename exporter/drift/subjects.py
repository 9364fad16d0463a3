"""What can drift in a window: each feature, the outputs, and the labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from exporter.comparison import Comparison, features, groups, outputs, targets
from exporter.drift.effect import Codes, Floats, Pair
from exporter.window import Window

Kind = Literal["feature", "prediction", "label"]
MOST_BINS: Final = 10
"""Numbers are compared in so many groups of about equal share: more would dilute a shift."""


@dataclass(frozen=True)
class Subject:
    """Something that is compared with the reference; ``name`` is that of a feature."""

    kind: Kind
    name: str
    pair: Pair

    @property
    def key(self) -> str:
        """The name that natural variability is kept under."""
        return key_of(self.kind, self.name)


def key_of(kind: Kind, name: str = "") -> str:
    """Return the name that natural variability is kept under."""
    return f"feature:{name}" if kind == "feature" else kind


def subjects(window: Window) -> list[Subject]:
    """Return what a window can be compared in with its reference; nothing if it has none."""
    reference = window.reference
    if reference is None:
        return []
    found = []
    for kind, name, both in _comparisons(window):
        # Missing, unseen and outside have a decision of their own; outputs and labels have none.
        inner = slice(1, -1) if both.tails and kind == "feature" else slice(None)
        known, live = both.reference.counts[inner], both.live.counts[inner]
        if not known.any():
            continue
        if both.ordered:
            starts = _starts(reference, key_of(kind, name), known)
            known, live = np.add.reduceat(known, starts), np.add.reduceat(live, starts)
        found.append(Subject(kind, name, Pair(live, known, both.ordered)))
    return found


def _comparisons(window: Window) -> Iterator[tuple[Kind, str, Comparison]]:
    for name, both in features(window).items():
        yield "feature", name, both
    others: tuple[tuple[Kind, Comparison | None], ...] = (
        ("prediction", outputs(window)),
        ("label", targets(window)),
    )
    for kind, of in others:
        if of is not None:
            yield kind, "", of


def _starts(reference: Window, key: str, known: Floats) -> Codes:
    """Return where the groups of bins begin; they are the same for the reference's whole life."""
    place = f"drift groups of {key}"
    if place not in reference.kept:
        reference.kept[place] = groups(known, MOST_BINS)
    starts: Codes = reference.kept[place]
    return starts
