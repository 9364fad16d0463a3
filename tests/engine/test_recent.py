"""The latest joined rows, from which better score edges are made: the same whatever the batches."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import WindowSpec
from exporter.counts import RECENT_BATCHES, RECENT_ROWS, Counts
from exporter.registry import discover
from exporter.rows import Labels
from exporter.schema import Schema

WINDOWS = (WindowSpec("5m", 300.0),)


def labels(start, size):
    scores = np.arange(start, start + size) / 1e6
    return Labels(
        size=size,
        code=np.zeros(size, np.int64),
        label=np.ones(size, np.int64),
        correct=np.zeros(size, bool),
        value=scores,
    )


@given(st.lists(st.sampled_from([1, 7, 40, 400, 1999, 2000, 2001, 5000]), max_size=80))
def test_they_are_the_last_of_all(sizes):
    discover()
    counts = Counts(Schema("binary", classes=("0", "1"), positive="1"), WINDOWS, 0.0)
    seen = 0
    for size in sizes:
        counts.add(None, labels(seen, size), 0.0)
        counts.flush(0.0)
        seen += size
        kept = counts.dump(0.0)["recent"]
        assert len(kept) <= RECENT_BATCHES
        assert sum(rows["size"] for rows in kept) <= 2 * RECENT_ROWS
        values = np.concatenate([rows["value"] for rows in kept])[-RECENT_ROWS:]
        assert (
            values.tolist()
            == labels(max(0, seen - RECENT_ROWS), min(seen, RECENT_ROWS)).value.tolist()
        )
