"""What is counted of one model version: its life, its panes, and the rows not yet folded.

Rows wait until there are enough of them to fold, or until somebody looks: numpy is called a batch,
never an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from exporter.anomalies.minutes import Minutes
from exporter.config import WindowSpec
from exporter.edges import more_class_edges
from exporter.layout import Layout
from exporter.panes import CountPanes, Panes, apart
from exporter.reference.reference import Reference
from exporter.registry import METRICS, STATISTICS, Floats
from exporter.rows import Labels, Predictions, dump_rows, last, load_rows
from exporter.schema import Schema
from exporter.start import Part, StartBuffer, edges, fitted, merge
from exporter.window import Window

FOLD_ROWS: Final = 500
RECENT_ROWS: Final = 2000
RECENT_BATCHES: Final = 32
ADAPT_ABOVE: Final = 0.01
"""A bound on the error of AUC that calls for better edges."""
_BOUND: Final = "model_roc_auc_error_bound"


class Counts:
    """The summaries of one model version, over its life and over its windows."""

    def __init__(
        self, schema: Schema, windows: Sequence[WindowSpec], now: float, *, per_class: bool = False
    ) -> None:
        self.windows = tuple(windows)
        self.per_class = per_class
        self.layout = Layout(schema, STATISTICS.values())
        self._life = np.zeros(self.layout.lifetime_size)
        self._start: StartBuffer | None = StartBuffer(now)
        self._born = now
        self._panes: Panes | None = None
        self._count_panes: dict[str, CountPanes] = {}
        self._waiting: list[Part] = []
        self._rows = 0
        self._recent: list[Labels] = []
        self._start_sums: dict[tuple[int, int, int | None, Layout], tuple[Layout, Floats]] = {}
        self._adapted = now
        self.reference: Reference | None = None
        self._reference_window: Window | None = None
        self.minutes = Minutes(now)

    def dump(self, now: float) -> dict[str, Any]:
        """Return everything that was counted as plain objects and arrays."""
        self.flush(now)
        panes = self._panes
        return {
            "layout": self.layout.dump(),
            "life": self._life.copy(),
            "start": None if self._start is None else self._start.dump(),
            "born": self._born,
            "panes": None if panes is None else panes.dump(),
            "count_panes": {name: one.dump() for name, one in self._count_panes.items()},
            "recent": [dump_rows(rows) for rows in self._recent],
            "adapted": self._adapted,
            "minutes": self.minutes.dump(),
        }

    def load(self, dumped: Mapping[str, Any], reference: Reference | None) -> None:
        """Take what was dumped under the same windows and ``reference``."""
        self.layout, moves = Layout.load(dumped["layout"], STATISTICS.values())
        self._life = moves.dense(dumped["life"])[: self.layout.lifetime_size]
        self._born, self._adapted = dumped["born"], dumped["adapted"]
        self._start = None if dumped["start"] is None else StartBuffer.load(dumped["start"])
        if dumped["panes"] is not None:
            self._open_panes(self._born).load(dumped["panes"], moves)
        for name, panes in self._count_panes.items():
            panes.load(dumped["count_panes"][name], moves)
        recent = (load_rows(Labels, rows) for rows in dumped["recent"])
        self._recent = [rows for rows in recent if rows is not None]
        self.reference, self._reference_window = reference, None
        self.minutes.load(dumped["minutes"])

    def forget_life(self) -> None:
        """Let the totals begin anew at 0; windows stay."""
        self._life[:] = 0.0

    def raise_life(self, by: float) -> None:
        """Let the totals that are sums of real numbers be ``by`` so much higher."""
        self._life = self.layout.higher(self._life, by)

    @property
    def schema(self) -> Schema:
        """The schema that rows are folded under."""
        return self.layout.schema

    def add(self, predictions: Predictions | None, labels: Labels | None, now: float) -> None:
        """Count rows; they are folded when there are enough, or by :meth:`flush`."""
        # Which pane rows fall into must not depend on when somebody looks.
        if self._waiting and apart(self._waiting[0][0], now, self.windows):
            self.flush(now)
        self._waiting.append((now, predictions, labels))
        self._rows += (predictions.size if predictions else 0) + (labels.size if labels else 0)
        if self._rows >= FOLD_ROWS:
            self.flush(now)

    def flush(self, now: float) -> None:
        """Fold the rows that wait, into the pane that was open when they came."""
        if self._waiting:
            arrived = self._waiting[0][0]
            predictions, labels = merge(self._waiting)
            self._waiting, self._rows = [], 0
            self._fold(predictions, labels, arrived)
        if self._start is not None and self._start.full(now):
            self._end_start(now)

    def evolve(self, schema: Schema, now: float) -> None:
        """Take a schema with more classes or features, or another positive class."""
        if schema is self.schema:
            return
        self.flush(now)
        known = self.schema.score_edges
        if known is not None and schema.task == "multiclass":
            known = more_class_edges(known, len(schema.classes))
        stays = (schema.task, schema.positive) == (self.schema.task, self.schema.positive)
        kept = replace(
            schema,
            center=self.schema.center,
            label_center=self.schema.label_center,
            score_edges=None if schema.task != self.schema.task else known,
            bins=self.schema.bins,
            outputs=self.schema.outputs,
            targets=self.schema.targets,
            calibration=self.schema.calibration if stays else None,
        )
        self._carry(kept)

    def configure(self, windows: Sequence[WindowSpec], per_class: bool, now: float) -> None:
        """Take new settings; if the windows are others, they start anew."""
        self.per_class = per_class
        if tuple(windows) == self.windows:
            return
        self.flush(now)
        self.windows = tuple(windows)
        if self._panes is not None:
            self._open_panes(now)

    def adopt(self, reference: Reference | None, schema: Schema, now: float) -> None:
        """Count in the bins of a reference from now on; ``None`` lets it go.

        Totals stay, and so does whatever is counted in bins that stay.
        """
        self.flush(now)
        if schema.score_edges is None:
            schema = replace(schema, score_edges=self.schema.score_edges)
        self.reference = reference
        self._reference_window = None
        if self._start is not None:
            self._end_start(now, schema)
        else:
            self._carry(schema)

    def life(self, now: float) -> Window:
        """Return everything since the start."""
        self.flush(now)
        return Window(self.layout, self._life.copy(), span=max(0.0, now - self._born))

    def window(self, spec: WindowSpec, now: float) -> Window:
        """Return what a window holds at ``now``."""
        self.flush(now)
        if self._start is not None:
            return self._start_window(self._start, spec, now)
        if spec.seconds is None:
            vector, span = self._count_panes[spec.name].window(now)
        else:
            assert self._panes is not None
            vector, span = self._panes.window(spec.name, now)
        return self._window(self.layout, vector, spec, span)

    def all_windows(self, now: float) -> Iterator[tuple[WindowSpec, Window]]:
        """Return every window at ``now``."""
        for spec in self.windows:
            yield spec, self.window(spec, now)

    def adapt(self, now: float) -> bool:
        """Move the score edges to where scores are now, if they have left them; say whether.

        That is so when binning can have moved the AUC by more than ``ADAPT_ABOVE``, and edges made
        from the latest scores would at least halve that.
        """
        first = next((spec for spec in self.windows if spec.seconds is not None), None)
        if self._panes is None or first is None or not self._recent or first.seconds is None:
            return False
        if self.reference is not None:
            # Live scores are compared with the reference bin by bin: its edges stay.
            return False
        if now - self._adapted < first.seconds or self._auc_bound(first, now) <= ADAPT_ABOVE:
            return False
        recent = self._latest()
        better = Layout(
            replace(self.schema, score_edges=fitted(self.schema, None, recent).score_edges),
            STATISTICS.values(),
        )
        bounds = [_bound(layout, layout.fold(None, recent)) for layout in (self.layout, better)]
        if bounds[1] > bounds[0] / 2:
            return False
        self._adapted = now
        self._carry(better.schema)
        return True

    def _auc_bound(self, spec: WindowSpec, now: float) -> float:
        window = self.window(spec, now)
        return _bound(window.layout, window.vector)

    def _fold(self, predictions: Predictions | None, labels: Labels | None, now: float) -> None:
        summary = self.layout.fold(predictions, labels)
        self._life += summary[: self.layout.lifetime_size]
        if predictions is not None:
            self.minutes.add(self.layout, summary, now)
        if labels is not None and self.schema.classifies:
            self._remember(labels)
        if self._start is not None:
            self._start.add(predictions, labels, now)
            return
        assert self._panes is not None
        # A model may send its first score long after its start.
        if self.schema.score_edges is None and edges(self.schema, predictions, labels) is not None:
            self._carry(fitted(self.schema, predictions, labels))
            summary = self.layout.fold(predictions, labels)
        self._panes.add(summary, now)
        if labels is not None:
            for panes in self._count_panes.values():
                panes.add(labels, now)

    def _end_start(self, now: float, schema: Schema | None = None) -> None:
        """Fold the raw rows into their panes, under ``schema`` or under the one they give."""
        start = self._start
        assert start is not None
        self._start = None
        self._start_sums = {}
        self._carry(schema or start.schema(self.schema))
        panes = self._open_panes(start.since)
        for arrived, predictions, labels in start.panes(panes.width):
            panes.add(self.layout.fold(predictions, labels), arrived)
            if labels is not None:
                for counted in self._count_panes.values():
                    counted.add(labels, arrived)
        panes.advance(now)

    def _open_panes(self, now: float) -> Panes:
        lengths = {s.name: s.seconds for s in self.windows if s.seconds is not None}
        self._panes = Panes(self.layout, lengths, now)
        self._count_panes = {
            s.name: CountPanes(self.layout, s.labels, now) for s in self.windows if s.labels
        }
        return self._panes

    def _start_window(self, start: StartBuffer, spec: WindowSpec, now: float) -> Window:
        if spec.seconds is None:
            first = start.first_of_last(spec.labels or 0)
            since = start.parts[first][0] if first < len(start.parts) else now
        else:
            first = start.first_after(now - spec.seconds)
            since = max(now - spec.seconds, start.since)
        layout, vector = self._start_sum(start, first, spec.labels)
        return self._window(layout, vector, spec, max(0.0, now - since))

    def _start_sum(
        self, start: StartBuffer, first: int, wanted: int | None
    ) -> tuple[Layout, Floats]:
        """Fold the raw rows from part ``first`` on, or of these the last ``wanted`` labels alone.

        Windows of the same rows share the work until more rows come.
        """
        key = (len(start.parts), first, wanted, self.layout)
        if key not in self._start_sums:
            self._start_sums = {k: v for k, v in self._start_sums.items() if k[0] == key[0]}
            layout = Layout(start.schema(self.schema), STATISTICS.values())
            predictions, labels = merge(start.parts[first:])
            if wanted is not None:
                predictions, labels = None, last(labels, wanted) if labels else None
            self._start_sums[key] = (layout, layout.fold(predictions, labels))
        return self._start_sums[key]

    def _window(self, layout: Layout, vector: Floats, spec: WindowSpec, span: float) -> Window:
        reference = self.reference_window(layout)
        return Window(layout, vector, spec.name, span, self.per_class, reference)

    def reference_window(self, layout: Layout) -> Window | None:
        """Return the reference, counted as ``layout`` counts."""
        if self.reference is None:
            return None
        known = self._reference_window
        if known is None or known.schema is not layout.schema:
            self._reference_window = known = self.reference.under(layout.schema)
        return known

    def _remember(self, labels: Labels) -> None:
        """Keep the latest joined rows with scores, to make edges from."""
        if labels.value is None and labels.scores is None:
            return
        self._recent.append(last(labels, RECENT_ROWS))
        # Many small batches would take far more memory than the rows in them.
        many = len(self._recent) > RECENT_BATCHES
        if many or sum(rows.size for rows in self._recent) > 2 * RECENT_ROWS:
            self._recent = [self._latest()]

    def _latest(self) -> Labels:
        """Return the latest joined rows with scores, of which there must be some."""
        rows = merge([(0.0, None, rows) for rows in self._recent])[1]
        assert rows is not None
        return last(rows, RECENT_ROWS)

    def _carry(self, schema: Schema) -> None:
        after = Layout(schema, STATISTICS.values())
        self._life = self.layout.carry(self._life, after)
        for panes in (self._panes, *self._count_panes.values()):
            if panes is not None:
                panes.carry(after)
        self.layout = after


def _bound(layout: Layout, vector: Floats) -> float:
    """Return how far binning can have moved the AUC; 0 where there is none."""
    metric = METRICS.get(_BOUND)
    if metric is None or layout.schema.task not in metric.tasks:
        return 0.0
    value = metric.value(Window(layout, vector))
    return 0.0 if value is None else float(value)
