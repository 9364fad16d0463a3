"""A labelled stream as live traffic, changed or not, against the reference that it made."""

from functools import cache
from itertools import pairwise

import numpy as np

from exporter.config import ModelSettings, Settings, WindowSpec
from exporter.counts import Counts
from exporter.deciding import decide
from exporter.reference.build import build
from exporter.rows import Labels, Predictions, select
from tests.drift.streams import columns, feature, names, table

HOUR = WindowSpec("1h", 3600.0)
MODEL = ModelSettings(task="binary", positive_class="1")


@cache
def reference(stream="carloan"):
    """The stream's reference, with a user who vouches that its events are independent."""
    return build(columns(stream, "reference"), MODEL, independent=True)[0]


def traffic(which, stream="carloan", change=None):
    """Rows of the reference part as predictions and labels, after ``change`` to its columns."""
    read = {name: column[which].copy() for name, column in table(stream, "reference").items()}
    for name in names(stream):
        read[name] = feature(stream, "reference", name, which)
    if change is not None:
        change(read)
    codes = reference(stream).schema.codes
    predicted = np.array([codes[str(int(one))] for one in read["pred_a"]])
    label = np.array([codes[str(int(one))] for one in read["y_true"]])
    size = len(label)
    predictions = Predictions(
        size,
        code=predicted,
        value=read["p_a"],
        features={name: list(map(plain, read[name])) for name in names(stream)},
    )
    labels = Labels(
        size, code=predicted, label=label, correct=predicted == label, value=read["p_a"]
    )
    return predictions, labels


def plain(value):
    """A value as events carry it."""
    return value.item() if isinstance(value, np.generic) else value


def rows_of(count, seed, stream="carloan"):
    """Places of so many events of the reference, in any order."""
    return np.random.default_rng(seed).permutation(len(table(stream, "reference")["p_a"]))[:count]


def decided(parts, known=None, model=MODEL, windows=(HOUR,)):
    """What is decided about a model that was sent ``parts`` of predictions and labels."""
    known = known or reference()
    counts = Counts(known.schema, windows, 0.0)
    counts.adopt(known, known.schema, 0.0)
    for predictions, labels in parts:
        counts.add(predictions, labels, 10.0)
    settings = Settings(windows=windows)
    return decide(list(counts.all_windows(3599.0)), model, known, 1, settings)


def alarms(decisions, level="critical"):
    """What alarms: (kind, what)."""
    found = {
        (one.kind, one.name) if one.name else (one.kind,)
        for one in decisions.drift
        if level in one.levels and one.levels[level].detected
    }
    found |= {(one.problem, one.feature) for one in decisions.quality if one.detected}
    return found | {
        ("limit", one.metric) for one in decisions.limits if one.breached and level in one.levels
    }


def split(part, sizes):
    """The same rows in several batches."""
    ends = np.cumsum([0, *sizes])
    return [tuple(select(rows, np.arange(a, b)) for rows in part) for a, b in pairwise(ends)]
