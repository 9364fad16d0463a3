"""The streams with their features, as a reference and as windows against it."""

from functools import cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from exporter.config import ModelSettings
from exporter.ingest.columns import Columns
from exporter.layout import Layout
from exporter.reference.build import build
from exporter.registry import STATISTICS
from exporter.rows import Predictions
from exporter.window import Window

STREAMS = Path(__file__).parents[1] / "data" / "streams"
CHUNK = {"carloan": 5000, "housing": 700}
OUTPUTS = {"id", "ts", "y_true", "p_a", "pred_a"}


@cache
def table(stream, part):
    """The columns of one part of a stream; numbers as float64."""
    found = {}
    read = pq.read_table(STREAMS / stream / f"{part}.parquet")
    for name in read.column_names:
        column = read[name].to_numpy()
        found[name] = column.astype(np.float64) if column.dtype == np.float32 else column
    return found


def names(stream):
    return [name for name in table(stream, "reference") if name not in OUTPUTS]


def feature(stream, part, name, rows=slice(None)):
    """A feature as events carry it."""
    column = table(stream, part)[name][rows]
    return column if column.dtype == np.float64 else column.tolist()


def columns(stream, part, rows=slice(None)):
    read = table(stream, part)
    label, score, predicted = (read[name][rows] for name in ("y_true", "p_a", "pred_a"))
    size = len(label)
    return Columns(
        range(size),
        ["m"] * size,
        prediction=[str(one) for one in predicted.tolist()],
        score=score,
        label=[str(int(one)) for one in label.tolist()],
        features={name: feature(stream, part, name, rows) for name in names(stream)},
        predicts=np.ones(size, bool),
    )


@cache
def reference(stream):
    return build(columns(stream, "reference"), ModelSettings())[0]


def window(stream, part, rows=slice(None)):
    """What a live window of these rows holds, against the stream's reference."""
    about = reference(stream)
    layout = Layout(about.schema, STATISTICS.values())
    read = table(stream, part)
    score = read["p_a"][rows]
    predicted = np.array([about.schema.codes[str(c)] for c in read["pred_a"][rows].tolist()])
    features = {name: feature(stream, part, name, rows) for name in names(stream)}
    rows = Predictions(len(score), code=predicted, value=score, features=features)
    return Window(layout, layout.fold(rows, None), reference=about.under(about.schema))


def chunks(stream, part="analysis"):
    """The slices of the chunks that the answers are of."""
    size = len(table(stream, part)["p_a"])
    step = CHUNK[stream]
    return {f"[{i}:{min(i + step, size) - 1}]": slice(i, i + step) for i in range(0, size, step)}
