"""What an event costs in the process alone: to read, to check, to join and to count it.

    python -m benchmarks.inside [--quick]

The bodies of `benchmarks.ingest`, without HTTP, threads and journal; processor time, medians of
several runs, each with ids of its own.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator

from benchmarks.ingest import Load, Variant, load_of
from benchmarks.local import Local
from benchmarks.result import Row, report, show
from exporter import ledger

TOGETHER = 8
"""Single events of sixteen connections that are counted at once: half of them, by turns."""
LOADS = (
    ("one event", 1),
    ("one event", TOGETHER),
    ("rows of 1000", 1),
    ("columns of 1000", 1),
    ("Arrow of 1000", 1),
)
"""A format, and how many bodies are counted together."""
RUNS = 5


def cost(local: Local, load: Load, together: int) -> list[float]:
    """Return microseconds an event to read, to check and to count."""
    spent = [0.0, 0.0, 0.0]
    for first in range(0, len(load.bodies), together):
        times = [time.process_time()]
        contents = load.bodies[first : first + together]
        bodies = [local.service.read(load.media_type, one, None, None) for one in contents]
        times.append(time.process_time())
        checked = ledger.checked(bodies)
        times.append(time.process_time())
        local.service.ledger.events(bodies, checked)
        times.append(time.process_time())
        for place in range(3):
            spent[place] += times[place + 1] - times[place]
    return [1e6 * one / len(load.numbers) for one in spent]


def rows(quick: bool) -> Iterator[Row]:
    """Yield a row for each format."""
    gc.set_threshold(50_000, 20, 20)  # as the service does
    for name, together in LOADS:
        events = 3000 if quick or name == "one event" else 50_000
        show(f"inside: {name}")
        local = Local()
        cost(local, load_of(Variant(name), range(2000)), together)
        runs = 1 if quick else RUNS
        loads = (
            load_of(Variant(name), range(run * events, (run + 1) * events))
            for run in range(1, runs + 1)
        )
        found = [cost(local, load, together) for load in loads]
        read, check, count = (statistics.median(part) for part in zip(*found, strict=True))
        total = statistics.median(map(sum, found))
        parts = f"read {read:.2f}, check {check:.2f}, join and count {count:.2f}"
        several = f", {together} together" if together > 1 else ""
        yield Row(f"{name}{several}, in the process alone", f"{total:.2f} us", parts)


if __name__ == "__main__":
    raise SystemExit(report(__doc__, rows))
