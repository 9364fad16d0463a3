"""What a labelled reference adds to counting the events of a multiclass model.

    python -m benchmarks.folding [--classes 3,10] [--rows 1000]

Batches of predictions that meet their labels at once, folded with and without the calibration that
estimates need; processor time, the least of several runs.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from typing import Final

import numpy as np

from exporter.edges import class_edges
from exporter.layout import Layout
from exporter.registry import STATISTICS, discover
from exporter.rows import Labels, Predictions
from exporter.schema import Schema

RUNS: Final = 15
ROWS_A_RUN: Final = 20_000


def main() -> None:
    """Print a row for each number of classes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--classes", default="3,10", help="numbers of classes")
    parser.add_argument("--rows", type=int, default=1000, help="events of a batch")
    options = parser.parse_args()
    discover()
    print(f"{'classes':>8}{'us/event':>10}{'with a reference':>18}{'ratio':>8}")
    for classes in map(int, options.classes.split(",")):
        plain = schema(classes)
        batch = events(classes, options.rows)
        costs = [cost(one, *batch) for one in (plain, labelled(plain))]
        without, beside = (1e6 * seconds / options.rows for seconds in costs)
        print(f"{classes:>8}{without:>10.2f}{beside:>18.2f}{beside / without:>8.1f}")


def schema(classes: int) -> Schema:
    """Return the schema of a model without a reference."""
    edges = class_edges(scores(classes, 5000))
    return Schema("multiclass", tuple(f"c{k}" for k in range(classes)), score_edges=edges)


def labelled(plain: Schema) -> Schema:
    """Return the schema that counts as a labelled reference wants it."""
    shape = (len(plain.classes), plain.score_bins)
    return replace(plain, calibration=np.sort(np.random.default_rng(2).random(shape), axis=1))


def scores(classes: int, rows: int) -> np.ndarray:
    """Return class probabilities."""
    return np.random.default_rng(1).dirichlet(np.full(classes, 0.5), rows)


def events(classes: int, rows: int) -> tuple[Predictions, Labels]:
    """Return predictions and the labels that they meet."""
    told = scores(classes, rows)
    code, label = told.argmax(axis=1), np.random.default_rng(3).integers(0, classes, rows)
    joined = Labels(rows, code=code, label=label, correct=code == label, scores=told)
    return Predictions(rows, code=code, scores=told), joined


def cost(under: Schema, predictions: Predictions, labels: Labels) -> float:
    """Return the processor seconds of folding one batch."""
    layout = Layout(under, STATISTICS.values())
    times = max(1, ROWS_A_RUN // predictions.size)
    least = float("inf")
    for _ in range(RUNS):
        start = time.process_time()
        for _ in range(times):
            layout.fold(predictions, labels)
        least = min(least, time.process_time() - start)
    return least / times


if __name__ == "__main__":
    main()
