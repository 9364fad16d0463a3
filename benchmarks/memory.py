"""What a model version takes in memory once all panes of its windows are full.

    python -m benchmarks.memory [--quick]

Twenty features, three windows, labels, a reference; a service in this process on a clock of its
own, that a day passes for. Resident memory before and after.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator

import numpy as np
import psutil

from benchmarks.local import Local, reference
from benchmarks.result import Row, report, show
from exporter import allocator
from exporter.registry import discover

FEATURES = 20
AIM_MB = 4.0


def times(now: float) -> list[float]:
    """Return times of a day that fill sixty panes of 5 minutes, an hour and a day."""
    spans = (86_400.0, 3600.0, 300.0)
    return sorted({now - span * i / 60 for span in spans for i in range(61)})


def resident() -> int:
    """Return resident bytes, once all that is free has gone back."""
    gc.collect()
    allocator.give_back()
    return int(psutil.Process().memory_info().rss)


def rows(quick: bool) -> Iterator[Row]:
    """Yield one row."""
    discover()
    allocator.use_one_arena()  # as the service does
    models = 2 if quick else 20
    rng = np.random.default_rng(1)
    local = Local()
    end = local.now + 86_400
    local.send(local.events(rng, "warm", 1200, FEATURES))
    shared = reference(rng, FEATURES)
    before = resident()
    show(f"memory: a day of {models} models")
    for number in range(models):
        local.now = end - 86_400
        local.send(local.events(rng, f"m{number}", 1200, FEATURES))
        (model,) = local.service.monitor.models.versions(f"m{number}")
        model.adopt(shared, local.now)
    for now in times(end):
        local.now = now
        for number in range(models):
            local.send(local.events(rng, f"m{number}", 50, FEATURES))
        local.service.tick()
    each = (resident() - before) / models / 1e6
    what = f"memory of a model version: {FEATURES} features, 3 windows, a reference"
    yield Row(what, f"{each:.2f} MB", "", f"< {AIM_MB:g} MB", each < AIM_MB)


if __name__ == "__main__":
    sys.exit(report(__doc__, rows))
