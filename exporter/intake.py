"""One body's way in: each event to its model version, through validation, joining and counting."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple, cast

import numpy as np

from exporter.encode import Encoded
from exporter.events import DEFAULT_VERSION, MAX_AHEAD_SECONDS, Rejection, Value
from exporter.faults import Faults, label_faults, refused_labels
from exporter.ingest.columns import Columns, Floats
from exporter.join import LabelEntries, Labelled
from exporter.model import ModelVersion
from exporter.models import Models
from exporter.slots import Entries


class Moment(NamedTuple):
    """A time: ``now`` on a clock that never steps, ``wall`` in Unix seconds."""

    now: float
    wall: float


@dataclass
class Outcome:
    """What became of the events of one body."""

    size: int = 0
    """How many events there were."""
    duplicates: list[int] = field(default_factory=list)
    """Places of the events that repeated one already counted."""
    rejected: list[Rejection] = field(default_factory=list)

    @property
    def accepted(self) -> int:
        """How many events were taken: neither repeats nor rejected."""
        return self.size - len(self.duplicates) - len(self.rejected)


Met = tuple[int, Value, float]


class Intake:
    """The events of one body, at one moment."""

    def __init__(self, models: Models, at: Moment) -> None:
        self._models = models
        self._at = at
        self.outcome = Outcome()

    def take(self, columns: Columns, rejected: Sequence[Rejection]) -> Outcome:
        """Count ``columns``; ``rejected`` are the events that their format found wanting."""
        self.outcome = Outcome(len(columns) + len(rejected), rejected=list(rejected))
        self._models.received += self.outcome.size
        for (model, version), which in _groups(columns):
            part = columns.take(which)
            if version is None:
                self._label_any(model, part)
            else:
                self._version(model, version, part)
        self.outcome.rejected.sort()
        for rejection in self.outcome.rejected:
            self._models.rejected[rejection.field.partition(".")[0]] += 1
        return self.outcome

    def _version(self, name: str, version: str, columns: Columns) -> None:
        """Take the events of one version."""
        model = self._models.find(name, version, self._at.now)
        if model is None:
            self._models.over("max_models", len(columns), f"{name} {version}")
            return
        model.activity.seen = self._at.now
        columns = self._reject(columns, model.faults(columns))
        predicts = columns.predicts
        if predicts.any():
            self._predict(model, columns.take(np.flatnonzero(predicts).tolist()))
        if not predicts.all():
            self._label(model, columns.take(np.flatnonzero(~predicts).tolist()))

    def _predict(self, model: ModelVersion, columns: Columns) -> None:
        now = self._at.now
        encoded = model.encode(columns)
        ts = self._times(columns.ts, len(columns))
        counted, met, again = self._join(model, columns, encoded, ts)
        if counted:
            model.count_predictions(columns.take(counted), encoded.take(counted), now)
            model.activity.prediction = self._at.wall
            self._models.predicted(model)
        self._count_own_labels(model, columns, encoded, counted)
        self._count_met(model, encoded, ts, met)
        if model.settings.labels.revise:
            self._remember(model, columns, counted, met)
        self._predicted_again(model, columns, again)

    def _join(
        self, model: ModelVersion, columns: Columns, encoded: Encoded, ts: Floats
    ) -> tuple[Sequence[int], list[Met], list[int]]:
        """Return the positions to count, those whose label waited, and the repeats."""
        everything = range(len(columns))
        ids = columns.id if model.settings.join else None
        if ids is None:
            return everything, [], []
        keyed: Sequence[int] = everything
        if None in ids:
            keyed = [i for i, key in enumerate(ids) if key is not None]
            ids, ts = [ids[i] for i in keyed], ts[keyed]
        if not keyed:
            return everything, [], []
        labels = columns.label
        part = encoded.take(keyed)
        keys = cast("Sequence[str]", ids)
        found = self._models.store.predict(
            model.owner,
            Entries(keys, ts, part.code, part.value, part.extra),
            self._at.now,
            self._models.known_wild(model.name),
            None if labels is None else [labels[i] is not None for i in keyed],
        )
        model.duplicates += found.superseded
        met = [(keyed[i], value, at) for i, value, at in found.met]
        again = [keyed[i] for i in found.duplicates]
        if not again:
            return everything, met, again
        gone = set(again)
        return [i for i in everything if i not in gone], met, again

    def _count_own_labels(
        self, model: ModelVersion, columns: Columns, encoded: Encoded, counted: Sequence[int]
    ) -> None:
        """Count the labels that came with their predictions."""
        labels = columns.label
        if labels is None:
            return
        pairs = [(i, value) for i in counted if (value := labels[i]) is not None]
        if pairs:
            where = [i for i, _ in pairs]
            delay = np.zeros(len(pairs))
            values = [value for _, value in pairs]
            model.count_labelled(encoded.take(where), values, delay, self._at.now, together=True)
            model.activity.label = self._at.wall

    def _count_met(
        self, model: ModelVersion, encoded: Encoded, ts: Floats, met: Sequence[Met]
    ) -> None:
        """Count labels that waited; one that contradicts the task has waited in vain."""
        if not met:
            return
        faults = label_faults(model.known, [value for _, value, _ in met])
        model.orphaned += len(faults)
        good = [one for i, one in enumerate(met) if i not in faults]
        if good:
            where = [i for i, _, _ in good]
            delay = np.array([at for _, _, at in good]) - ts[where]
            values = [value for _, value, _ in good]
            model.count_labelled(encoded.take(where), values, delay, self._at.now)
            model.activity.label = self._at.wall

    def _remember(
        self, model: ModelVersion, columns: Columns, counted: Sequence[int], met: Sequence[Met]
    ) -> None:
        """Keep the labels of new predictions: the same label again is a repeat, not a revision."""
        ids, own = columns.id, columns.label
        if ids is None:
            return
        labels = [(i, value) for i, value, _ in met]
        labels += [(i, value) for i in counted if own is not None and (value := own[i]) is not None]
        store = self._models.store
        store.remember(model.owner, [(k, v) for i, v in labels if (k := ids[i]) is not None])

    def _predicted_again(self, model: ModelVersion, columns: Columns, again: Sequence[int]) -> None:
        """Ignore repeated predictions, but not a label that comes with one."""
        labels = columns.label
        labelled = [i for i in again if labels is not None and labels[i] is not None]
        unlabelled = [i for i in again if labels is None or labels[i] is None]
        self._repeat(model, [columns.at[i] for i in unlabelled])
        if labelled:
            self._label(model, columns.take(labelled))

    def _label(self, model: ModelVersion, columns: Columns) -> None:
        """Join labels that name their version."""
        labels = self._label_entries(columns)
        if model.first is not None:
            model.first.label(labels.ids, labels.values)
        found = self._models.store.label(
            model.owner, labels, self._at.now, revise=model.settings.labels.revise
        )
        self._labelled([model], model, found, labels, columns.at)

    def _label_any(self, name: str, columns: Columns) -> None:
        """Join labels that name no version."""
        now = self._at.now
        versions = self._models.versions(name)
        settings = self._models.settings.for_model(name)
        if settings.join:
            faults = _common_faults(versions, columns)
        else:
            fault = ("label", "joining is off for this model: send it with its prediction")
            faults = dict.fromkeys(range(len(columns)), fault)
        columns = self._reject(columns, faults)
        latest = self._models.latest(name, now) if len(columns) else None
        if latest is None:
            if len(columns):
                self._models.over("max_models", len(columns), name)
            return
        labels = self._label_entries(columns)
        for model in versions:
            if model.first is not None:
                model.first.label(labels.ids, labels.values)
        found = self._models.store.label_any(
            [model.owner for model in versions],
            self._models.wild(name),
            labels,
            now,
            revise=settings.labels.revise,
        )
        latest.activity.seen = now
        if len(versions) > 1:
            self._keep_fitting(versions, found, labels)
        self._labelled(versions, latest, found, labels, columns.at)

    def _keep_fitting(
        self, versions: Sequence[ModelVersion], found: Labelled, labels: LabelEntries
    ) -> None:
        """Let go of the matches with versions whose task or classes a label contradicts."""
        models = {model.owner.number: model for model in versions}
        for matches in found.matches:
            model = models[matches.owner.number]
            faults = label_faults(model.known, [labels.values[i] for i in matches.at])
            if faults:
                model.orphaned += len(faults)
                matches.drop(faults)

    def _label_entries(self, columns: Columns) -> LabelEntries:
        assert columns.id is not None
        assert columns.label is not None
        ids = [str(key) for key in columns.id]
        values = [value for value in columns.label if value is not None]
        return LabelEntries(ids, values, self._times(columns.ts, len(columns)).tolist())

    def _labelled(
        self,
        versions: Sequence[ModelVersion],
        latest: ModelVersion,
        found: Labelled,
        labels: LabelEntries,
        at: Sequence[int],
    ) -> None:
        """Count labels that met their predictions, and repeats."""
        models = {model.owner.number: model for model in versions}
        for matches in found.matches:
            if not matches.at:
                continue
            model = models[matches.owner.number]
            model.count_matches(matches, labels.values, labels.ts, self._at.now)
            model.activity.label = self._at.wall
        self._repeat(latest, [at[i] for i in found.duplicates])

    def _repeat(self, model: ModelVersion, places: Sequence[int]) -> None:
        model.duplicates += len(places)
        self.outcome.duplicates.extend(places)

    def _reject(self, columns: Columns, faults: Faults) -> Columns:
        """Reject the events that have faults; return the others."""
        if not faults:
            return columns
        self.outcome.rejected += [Rejection(columns.at[i], *fault) for i, fault in faults.items()]
        return columns.take([i for i in range(len(columns)) if i not in faults])

    def _times(self, ts: Floats | None, size: int) -> Floats:
        """Return event times: the arrival where there is none, and never far in the future."""
        wall = self._at.wall
        if ts is None:
            return np.full(size, wall)
        times = np.where(np.isnan(ts), wall, ts)
        ahead = times > wall + MAX_AHEAD_SECONDS
        self._models.clamped += int(np.count_nonzero(ahead))
        return np.where(ahead, wall, times)


def _groups(columns: Columns) -> list[tuple[tuple[str, str | None], Sequence[int]]]:
    """Return the positions of each (model, version); version ``None`` is a label without one."""
    size = len(columns)
    versions, predicts = columns.version, columns.predicts
    if size and (predicts.all() or not predicts.any()) and len(set(columns.model)) == 1:
        only = {None} if versions is None else set(versions)
        if len(only) == 1:
            version = next(iter(only)) or (DEFAULT_VERSION if predicts[0] else None)
            return [((columns.model[0], version), range(size))]
    groups: dict[tuple[str, str | None], list[int]] = {}
    for i, (model, predicting) in enumerate(zip(columns.model, predicts.tolist(), strict=True)):
        version = None if versions is None else versions[i]
        if version is None and predicting:
            version = DEFAULT_VERSION
        groups.setdefault((model, version), []).append(i)
    # Labels without a version come last, when the predictions of this body are known.
    return sorted(groups.items(), key=lambda item: item[0][1] is None)


def _common_faults(versions: Sequence[ModelVersion], columns: Columns) -> Faults:
    """Return the labels that contradict every version there is."""
    assert columns.label is not None
    common: Faults | None = None
    for model in versions:
        if model.known.task is None:
            return {}
        faults = refused_labels(model.known, columns.label)
        common = faults if common is None else {i: f for i, f in common.items() if i in faults}
    return common or {}


def apart(outcome: Outcome, sizes: Sequence[int]) -> list[Outcome]:
    """Return the outcome of each of the bodies that were counted together."""
    if len(sizes) == 1:
        return [outcome]
    parts = [Outcome(size) for size in sizes]
    starts = [0, *accumulate(sizes)]
    for place in outcome.duplicates:
        body = bisect_right(starts, place) - 1
        parts[body].duplicates.append(place - starts[body])
    for one in outcome.rejected:
        body = bisect_right(starts, one.index) - 1
        rejection = Rejection(one.index - starts[body], one.field, one.error)
        parts[body].rejected.append(rejection)
    return parts
