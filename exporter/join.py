"""Predictions waiting for labels, and labels waiting for predictions.

Joining is keyed state, no sum, so it lives alone. What is joined does not depend on which of a
prediction and its label comes first, nor on how events are split into batches.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.events import Value
from exporter.slots import JOINED, PENDING, WAITING, Entries, Owner, SlotTable, States


@dataclass
class LabelEntries:
    """Labels to be joined: columns of equal length."""

    ids: Sequence[str]
    values: Sequence[Value]
    ts: Sequence[float]


@dataclass
class Predicted:
    """What became of predictions; numbers are positions in the entries."""

    fresh: Sequence[int]
    """Those with an id that was not known."""
    taken_over: list[int] = field(default_factory=list)
    """Those that took the place of a label with the same version and id."""
    duplicates: list[int] = field(default_factory=list)
    met: list[tuple[int, Value, float]] = field(default_factory=list)
    """Those whose label was already waiting, with the label and its time."""
    superseded: int = 0
    """Labels that waited for a prediction that another label has met."""


@dataclass
class Matches:
    """Labels that met their predictions: positions of the labels, and what was remembered."""

    owner: Owner
    at: list[int]
    code: NDArray[np.int16]
    value: NDArray[np.float64]
    ts: NDArray[np.float64]
    extra: list[Any]

    def drop(self, places: Collection[int]) -> None:
        """Take the matches at ``places`` out."""
        kept = [place for place in range(len(self.at)) if place not in places]
        self.at = [self.at[place] for place in kept]
        self.code, self.value, self.ts = self.code[kept], self.value[kept], self.ts[kept]
        self.extra = [self.extra[place] for place in kept] if self.extra else []


@dataclass
class Labelled:
    """What became of labels; numbers are positions in the entries."""

    matches: list[Matches] = field(default_factory=list)
    duplicates: list[int] = field(default_factory=list)


class JoinStore:
    """All ids of all models, bounded together (see :class:`SlotTable`)."""

    def __init__(self, max_pending: int, ttl: float) -> None:
        self.table = SlotTable(max_pending, ttl)

    def predict(
        self,
        owner: Owner,
        entries: Entries,
        now: float,
        wild: Owner | None = None,
        settled: Sequence[bool] | None = None,
    ) -> Predicted:
        """Remember predictions; say which are repeats and which had a label waiting.

        ``wild`` owns the labels of the same model that name no version; ``settled`` says which
        predictions came with a label of their own.
        """
        self.table.expire(now)
        state = np.full(len(entries.ids), PENDING, np.uint8)
        if settled is not None:
            state[list(settled)] = JOINED
        awaited = wild is not None and wild.slots
        if not awaited and self.table.insert_new(owner, entries, state, now):
            return Predicted(range(len(state)))
        outcome = self._sort_predictions(owner, entries, settled)
        state = state[outcome.fresh]
        if wild is not None and wild.slots:
            self._meet_wild(wild, entries, outcome, state)
        self.table.insert(owner, entries.take(outcome.fresh), state, now)
        return outcome

    def remember(self, owner: Owner, labels: Iterable[tuple[str, Value]]) -> None:
        """Remember what the labels of joined ids said, so that the same again is a repeat."""
        for key, value in labels:
            slot = owner.slots.get(key)
            if slot is not None:
                self.table.truth[slot] = value

    def label(
        self, owner: Owner, labels: LabelEntries, now: float, *, revise: bool = False
    ) -> Labelled:
        """Join labels to the predictions of ``owner``; those that come too early wait."""
        self.table.expire(now)
        at, repeated = _once(labels.ids, last=revise)
        outcome = Labelled(duplicates=repeated)
        found = [owner.slots.get(labels.ids[i]) for i in at]
        taken = self._match(owner, at, found, labels, revise, outcome)
        missing = []
        for i, slot in zip(at, found, strict=True):
            if slot is None:
                missing.append(i)
            elif i not in taken and not self._replace(slot, labels, i, revise):
                outcome.duplicates.append(i)
        self._insert_labels(owner, missing, labels, now, WAITING)
        return outcome

    def label_any(
        self,
        owners: Sequence[Owner],
        wild: Owner,
        labels: LabelEntries,
        now: float,
        *,
        revise: bool = False,
    ) -> Labelled:
        """Join labels that name no version to the predictions of every version in ``owners``.

        A label is kept under ``wild``, so that a version that predicts later meets it too.
        """
        self.table.expire(now)
        at, repeated = _once(labels.ids, last=revise)
        outcome = Labelled(duplicates=repeated)
        fresh, again = [], []
        for i in at:
            slot = wild.slots.get(labels.ids[i])
            if slot is None:
                fresh.append(i)
            elif revise and self.table.truth[slot] != labels.values[i]:
                self.table.truth[slot], self.table.ts[slot] = labels.values[i], labels.ts[i]
                again.append(i)
            else:
                outcome.duplicates.append(i)
        joined, stale = self._match_every(owners, fresh + again, labels, revise, outcome)
        outcome.duplicates.extend(i for i in fresh if i in stale)
        # A label that came second is kept too: a version that predicts later has no other.
        met = joined | stale
        self._insert_labels(wild, [i for i in fresh if i in met], labels, now, JOINED)
        self._insert_labels(wild, [i for i in fresh if i not in met], labels, now, WAITING)
        return outcome

    def _sort_predictions(
        self, owner: Owner, entries: Entries, settled: Sequence[bool] | None
    ) -> Predicted:
        once = set(entries.ids)
        if len(once) == len(entries.ids) and owner.slots.keys().isdisjoint(once):
            return Predicted(range(len(once)))
        found = map(owner.slots.get, entries.ids)
        fresh: list[int] = []
        outcome = Predicted(fresh)
        seen: set[str] = set()
        for i, (key, slot) in enumerate(zip(entries.ids, found, strict=True)):
            if slot is None and key not in seen:
                seen.add(key)
                fresh.append(i)
            elif slot is not None and self.table.state[slot] == WAITING:
                if settled is None or not settled[i]:
                    outcome.met.append((i, self.table.truth[slot], float(self.table.ts[slot])))
                else:
                    outcome.superseded += 1
                self._take_over(owner, slot, entries, i)
                outcome.taken_over.append(i)
            else:
                outcome.duplicates.append(i)
        return outcome

    def _take_over(self, owner: Owner, slot: int, entries: Entries, i: int) -> None:
        """Let a prediction take the slot of the label that waited for it."""
        table = self.table
        table.settle(owner, np.array([slot]))
        table.code[slot] = 0 if entries.code is None else entries.code[i]
        table.value[slot] = np.nan if entries.value is None else entries.value[i]
        table.ts[slot] = entries.ts[i]
        if entries.extra is not None and entries.extra[i] is not None:
            table.extra[slot] = entries.extra[i]

    def _meet_wild(self, wild: Owner, entries: Entries, outcome: Predicted, state: States) -> None:
        table = self.table
        for place, i in enumerate(outcome.fresh):
            slot = wild.slots.get(entries.ids[i])
            if slot is not None and state[place] != JOINED:
                state[place] = JOINED
                outcome.met.append((i, table.truth[slot], float(table.ts[slot])))
                self._stop_waiting(wild, slot)
            elif slot is not None:
                outcome.superseded += self._stop_waiting(wild, slot)
        for i in outcome.taken_over:
            slot = wild.slots.get(entries.ids[i])
            if slot is not None:
                outcome.superseded += self._stop_waiting(wild, slot)

    def _stop_waiting(self, wild: Owner, slot: int) -> bool:
        """Make a label joined whose id was predicted; return whether it was waiting."""
        waiting = bool(self.table.state[slot] == WAITING)
        if waiting:
            self.table.settle(wild, np.array([slot]))
        return waiting

    def _match(
        self,
        owner: Owner,
        at: Sequence[int],
        found: Sequence[int | None],
        labels: LabelEntries,
        revise: bool,
        outcome: Labelled,
    ) -> set[int]:
        """Join the labels ``at`` to the slots ``found``; return the positions that joined."""
        known = [(i, slot) for i, slot in zip(at, found, strict=True) if slot is not None]
        if not known:
            return set()
        table = self.table
        slots = np.array([slot for _, slot in known], np.int64)
        joins = table.state[slots] == PENDING
        if revise:
            changed = [table.truth.get(slot) != labels.values[i] for i, slot in known]
            joins |= (table.state[slots] == JOINED) & np.array(changed)
        matched, positions = slots[joins], [i for i, _ in compress(known, joins)]
        if not positions:
            return set()
        extra = [table.extra.get(slot) for slot in matched.tolist()] if table.extra else []
        outcome.matches.append(
            Matches(
                owner,
                positions,
                table.code[matched],
                table.value[matched],
                table.ts[matched],
                extra,
            )
        )
        table.settle(owner, matched[table.state[matched] == PENDING])
        if revise:
            table.truth.update((slot, labels.values[i]) for i, slot in compress(known, joins))
        return set(positions)

    def _match_every(
        self,
        owners: Sequence[Owner],
        at: Sequence[int],
        labels: LabelEntries,
        revise: bool,
        outcome: Labelled,
    ) -> tuple[set[int], set[int]]:
        """Return the labels that joined somewhere, and those that met only joined predictions."""
        joined: set[int] = set()
        stale: set[int] = set()
        for owner in owners:
            found = [owner.slots.get(labels.ids[i]) for i in at]
            joined |= self._match(owner, at, found, labels, revise, outcome)
            settled = [s is not None and self.table.state[s] == JOINED for s in found]
            stale.update(compress(at, settled))
        return joined, stale - joined

    def _replace(self, slot: int, labels: LabelEntries, i: int, revise: bool) -> bool:
        """Let a label take the place of the one that waits in ``slot``, where that is wanted."""
        table = self.table
        if not revise or table.state[slot] != WAITING or table.truth[slot] == labels.values[i]:
            return False
        table.truth[slot], table.ts[slot] = labels.values[i], labels.ts[i]
        return True

    def _insert_labels(
        self, owner: Owner, at: Sequence[int], labels: LabelEntries, now: float, state: int
    ) -> None:
        if at:
            entries = Entries(
                [labels.ids[i] for i in at],
                [labels.ts[i] for i in at],
                truth=[labels.values[i] for i in at],
            )
            self.table.insert(owner, entries, np.full(len(at), state, np.uint8), now)


def _once(ids: Sequence[str], *, last: bool) -> tuple[list[int], list[int]]:
    """Return one position of each id, the first or the last, and all the others."""
    places: dict[str, int] = {}
    for i, key in enumerate(ids):
        if last or key not in places:
            places[key] = i
    kept = set(places.values())
    return sorted(kept), [i for i in range(len(ids)) if i not in kept] if len(kept) < len(
        ids
    ) else []
