"""One model version: what is known of it, and how its events become rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from exporter.anomalies.series import Anomalies
from exporter.config import ModelSettings, WindowSpec
from exporter.counts import Counts
from exporter.deciding import Decisions
from exporter.encode import Encoded, Encoder, Remembered
from exporter.events import Value
from exporter.faults import Faults, contradictions
from exporter.features import feature_columns, feature_names
from exporter.ingest.columns import Columns, Features
from exporter.join import Matches
from exporter.known import Known
from exporter.recent import Recent
from exporter.reference.first import FirstEvents
from exporter.reference.reference import Reference
from exporter.rows import Floats, Labels, Predictions
from exporter.schema import Schema
from exporter.slots import Owner


@dataclass
class Activity:
    """When a model version was last heard of; Unix seconds, ``seen`` on the monotonic clock."""

    seen: float
    prediction: float | None = None
    label: float | None = None


@dataclass
class ModelVersion:
    """The state of one (model, version)."""

    name: str
    version: str
    settings: ModelSettings
    windows: Sequence[WindowSpec]
    owner: Owner
    activity: Activity
    known: Known = field(init=False)
    encoder: Encoder = field(init=False)
    counts: Counts | None = None
    duplicates: int = 0
    orphaned: int = 0
    """Labels without a version that expired while this was the model's latest version."""
    decisions: Decisions = field(default_factory=Decisions)
    anomalies: Anomalies = field(default_factory=Anomalies)
    recent: Recent = field(default_factory=Recent)
    over_features: int = 0
    """Events with features over the bound."""
    reference: Reference | None = None
    undecided: bool = False
    """Whether the reference is another one since the last decisions: those are void."""
    first: FirstEvents | None = None
    """First events while they are gathered to be the reference."""
    _seen: Schema | None = None

    def __post_init__(self) -> None:
        self.known = Known(self.settings)
        self.encoder = Encoder(self.known)

    def dump(self, now: float) -> dict[str, Any]:
        """Return everything but settings, owner and reference as plain objects and arrays."""
        return {
            "seen": self.activity.seen,
            "prediction": self.activity.prediction,
            "label": self.activity.label,
            "encoder": self.known.dump(),
            "counts": None if self.counts is None else self.counts.dump(now),
            "current": self._seen is self.known.schema,
            "duplicates": self.duplicates,
            "orphaned": self.orphaned,
            "over_features": self.over_features,
            "anomalies": self.anomalies.dump(),
            "first": None if self.first is None else self.first.dump(),
        }

    def load(self, dumped: Mapping[str, Any], reference: Reference | None) -> None:
        """Take what was dumped under the same settings and ``reference``."""
        self.activity = Activity(dumped["seen"], dumped["prediction"], dumped["label"])
        self.known.load(dumped["encoder"])
        self.reference, self.undecided = reference, True
        if dumped["counts"] is not None and self.known.schema is not None:
            self.counts = Counts(
                self.known.schema, self.windows, 0.0, per_class=self.settings.per_class
            )
            self.counts.load(dumped["counts"], reference)
            self._seen = self.known.schema if dumped["current"] else None
        self.duplicates, self.orphaned = dumped["duplicates"], dumped["orphaned"]
        self.over_features = dumped["over_features"]
        self.anomalies.load(dumped["anomalies"])
        self.first = None if dumped["first"] is None else FirstEvents.load(dumped["first"])

    def forget_totals(self) -> None:
        """Let every counter begin anew at 0; windows and what waits stay."""
        self.duplicates = self.orphaned = self.over_features = self.known.over_classes = 0
        owner = self.owner
        owner.expired_ttl = owner.expired_capacity = owner.orphaned = 0
        if self.counts is not None:
            self.counts.forget_life()

    def configure(self, settings: ModelSettings, windows: Sequence[WindowSpec], now: float) -> None:
        """Take new settings; other windows start anew, the totals stay."""
        self.windows = windows
        if settings != self.settings:
            self.settings = settings
            self.known.configure(settings)
            self.decisions = Decisions()
        if self.counts is not None:
            self._counts(now).configure(windows, settings.per_class, now)

    def adopt(self, reference: Reference | None, now: float) -> None:
        """Compare with ``reference`` from now on; ``None`` compares with nothing.

        Raises :class:`FieldError` when the reference is of another task.
        """
        self.known.adopt(reference)
        self.reference = reference
        self.decisions, self.undecided = Decisions(), True
        if self.counts is not None and self.known.schema is not None:
            self._counts(now)
            self.counts.adopt(reference, self.known.schema, now)

    def over_by_reason(self) -> dict[str, int]:
        """Return how many events were over a bound of this model, by reason."""
        return {"max_features": self.over_features, "max_classes": self.known.over_classes}

    def faults(self, columns: Columns) -> Faults:
        """Return the events that contradict what is known of this model, by position."""
        self.known.learn_task(columns)
        faults = contradictions(self.known, columns)
        if not self.settings.join and columns.label is not None:
            for i in np.flatnonzero(~columns.predicts).tolist():
                faults.setdefault(
                    i, ("label", "joining is off for this model: send it with its prediction")
                )
        return faults

    def encode(self, columns: Columns) -> Encoded:
        """Return predictions as numbers, and learn their classes and features."""
        encoded = self.encoder.predictions(columns)
        self._learn_features(columns.features)
        return encoded

    def count_predictions(self, columns: Columns, encoded: Encoded, now: float) -> None:
        """Count new predictions."""
        if not len(columns):
            return
        if self.first is not None:
            self.first.predict(columns)
        rows = Predictions(
            size=len(columns),
            code=encoded.code,
            value=encoded.value,
            scores=encoded.scores,
            latency=columns.latency,
            features=feature_columns(columns.features, self._feature_names(), len(columns)),
        )
        self._counts(now).add(rows, None, now)
        self.activity.seen = now

    def count_labelled(
        self,
        encoded: Encoded,
        values: Sequence[Value],
        delay: Floats,
        now: float,
        *,
        together: bool = False,
    ) -> None:
        """Count predictions whose labels are there; ``delay`` is in seconds.

        ``together`` says that each label came in the same event as its prediction.
        """
        if values:
            code = encoded.code
            told = self.encoder.labels(values, code if together else None)
            self._count_labels(code, encoded.value, encoded.extra, told, delay, now)

    def count_matches(
        self, matches: Matches, values: Sequence[Value], ts: Sequence[float], now: float
    ) -> None:
        """Count labels that met the predictions in ``matches``."""
        delay = np.array([ts[i] for i in matches.at]) - matches.ts
        extra: list[Remembered | None] | None = matches.extra or None
        self._count_labels(
            matches.code.astype(np.int64),
            matches.value,
            extra,
            self.encoder.labels([values[i] for i in matches.at]),
            delay,
            now,
        )

    def _count_labels(
        self,
        code: NDArray[np.int64] | None,
        value: Floats | None,
        extra: Sequence[Remembered | None] | None,
        told: tuple[NDArray[np.int64] | None, Floats | None, Sequence[str | None] | None],
        delay: Floats,
        now: float,
    ) -> None:
        label, truth, names = told
        rows = Labels(
            size=len(delay), value=value, truth=truth, delay=np.maximum(delay, 0.0), label=label
        )
        if label is not None and code is not None:
            rows.code = code
            rows.correct = self._correct(code, label, extra, names)
            rows.scores = self._remembered_scores(extra)
            if value is not None and np.isnan(value).all():
                rows.value = None
        self._counts(now).add(None, rows, now)
        self.activity.seen = now

    def _correct(
        self,
        code: NDArray[np.int64],
        label: NDArray[np.int64],
        extra: Sequence[Remembered | None] | None,
        names: Sequence[str | None] | None,
    ) -> NDArray[np.bool_]:
        """Return where prediction and label agree, by their true names where they have no code."""
        correct: NDArray[np.bool_] = code == label
        if names is not None and extra is not None:
            for i in np.flatnonzero(correct).tolist():
                remembered = extra[i]
                if names[i] is not None and remembered is not None:
                    correct[i] = names[i] == remembered.name
        return correct

    def _remembered_scores(self, extra: Sequence[Remembered | None] | None) -> Floats | None:
        """Return the class probabilities that were remembered, as wide as there are classes."""
        if extra is None or not any(one is not None and one.scores is not None for one in extra):
            return None
        assert self.known.schema is not None
        matrix = np.zeros((len(extra), len(self.known.schema.classes)))
        for i, one in enumerate(extra):
            if one is None or one.scores is None:
                matrix[i] = np.nan
            else:
                row = np.frombuffer(one.scores, np.float64)
                matrix[i, : len(row)] = row
        return matrix

    def _counts(self, now: float) -> Counts:
        """Return the counts, brought up to the classes and features that are known by now."""
        schema = self.known.schema
        assert schema is not None
        if self.counts is None:
            self.counts = Counts(schema, self.windows, now, per_class=self.settings.per_class)
            if self.reference is not None:
                self.counts.adopt(self.reference, schema, now)
            self._seen = schema
        elif schema is not self._seen:
            self.counts.evolve(schema, now)
            self._seen = schema
        return self.counts

    def _learn_features(self, features: Features | None) -> None:
        if features is None:
            return
        assert self.known.schema is not None
        names = feature_names(features) - set(self.known.schema.features)
        if names:
            self._drop_features(features, set(self.known.add_features(sorted(names))))

    def _drop_features(self, features: Features, over: set[str]) -> None:
        """Count the events that carried features over the bound."""
        if not over:
            return
        if isinstance(features, dict):
            self.over_features += len(next(iter(features.values())))
        else:
            rows = chain(row for row in features if isinstance(row, dict))
            self.over_features += sum(1 for row in rows if not over.isdisjoint(row))

    def _feature_names(self) -> tuple[str, ...]:
        return self.known.schema.features if self.known.schema is not None else ()
