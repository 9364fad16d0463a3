"""What a call of the client costs the model server, beside a plain ``queue.put_nowait``.

    python -m benchmarks.client [--quick]

Events have an id and ten features. Calls come at a thousand a second over all threads, each after a
prediction (a small ensemble in Python, about 0.1 ms) and a ``put_nowait`` of the same event in the
same thread: both find the same caches and the same competition. A modelmeter that runs takes the
events in a process of its own; a dead one refuses connections, and its queue fills up or is full.
*Back to back* are calls with nothing but a prediction between them. *Sends* is the processor time
of the client's own thread, an event.

Medians over the rounds of each percentile. The status is 1 if the aim is missed.
"""

from __future__ import annotations

import logging
import math
import queue
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, Final, NamedTuple

from benchmarks.ingest import FEATURES, free_port, modelmeter
from benchmarks.result import Row, report, show
from exporter.client import Client

RATE: Final = 1000.0
"""Calls a second."""
WRITING: Final = (
    "writing the event as JSON is two thirds of a call, half a microsecond a number; the rest of "
    "the 99th percentile is the machine's: see put_nowait"
)
AIM_US: Final = 50.0
"""For 99 of 100 calls from one thread."""
NAMES: Final = [f"feature{i}" for i in range(FEATURES)]
WEIGHTS: Final = [[Random(i).gauss(0, 1) for _ in range(FEATURES)] for i in range(100)]
PERCENTILES: Final = (0.5, 0.99, 0.999)
THREADS: Final = (1, 8)
STATES: Final = ("modelmeter runs", "dead, queue fills", "dead, queue full", "back to back")


class Round(NamedTuple):
    """Nanoseconds of each call, and processor seconds of the thread that sends."""

    log: list[int]
    put: list[int]
    sending: float = 0.0


def event(number: int, random: Random) -> dict[str, Any]:
    """Return a prediction, as a request makes one."""
    features = {name: random.gauss(0, 1) for name in NAMES}
    sums = [sum(w * x for w, x in zip(one, features.values(), strict=True)) for one in WEIGHTS]
    score = statistics.fmean(1 / (1 + math.exp(-one)) for one in sums)
    return {"version": "1", "id": f"{number:031d}", "score": score, "features": features}


def caller(
    log: Callable[..., None], beside: queue.Queue[Any], mine: range, pause: float, out: Round
) -> None:
    """Log events one after the other, in time, and put down how long each call took."""
    clock, due, random = time.perf_counter_ns, time.perf_counter(), Random(mine.start)
    for number in mine:
        due += pause
        if pause:
            time.sleep(max(0.0, due - time.perf_counter()))
        made = event(number, random)
        before = clock()
        beside.put_nowait(made)
        between = clock()
        log("bench", **made)
        after = clock()
        out.put.append(between - before)
        out.log.append(after - between)


def call(log: Callable[..., None], threads: int, calls: int, rate: float) -> Round:
    """Return what calls of some threads cost."""
    beside, parts = queue.Queue[Any](), [Round([], []) for _ in range(threads)]
    workers = [
        threading.Thread(
            target=caller, args=(log, beside, range(i, calls, threads), threads / rate, part)
        )
        for i, part in enumerate(parts)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return Round([n for p in parts for n in p.log], [n for p in parts for n in p.put])


def one_round(url: str, state: str, threads: int, calls: int, rate: float) -> Round:
    """Return what calls of a client of their own cost."""
    full, runs = state == STATES[2], state in (STATES[0], STATES[3])
    rate = math.inf if state == STATES[3] else rate
    client = Client(url, max_events=100 if full else 20_000, exit_seconds=10.0 if runs else 0.1)
    for number in range(100 if full else 1):
        client.log("bench", **{**event(number, Random(number)), "id": None})
    found = call(client.log, threads, calls, rate)
    if runs and not client.flush(30.0):
        raise RuntimeError(f"not all events were taken: {client.counts()}")
    (thread,) = (one for one in threading.enumerate() if one.name == "modelmeter")
    sending = time.clock_gettime(time.pthread_getcpuclockid(thread.ident or 0))
    client.close()
    return found._replace(sending=sending)


def percentiles(rounds: list[list[int]]) -> list[float]:
    """Return the median over the rounds of each percentile, in microseconds."""
    return [
        statistics.median(sorted(one)[int(part * len(one))] / 1000 for one in rounds)
        for part in PERCENTILES
    ]


@contextmanager
def server(state: str) -> Iterator[str]:
    """Give the URL of a modelmeter, or one where nobody listens."""
    if state not in (STATES[0], STATES[3]):
        yield f"http://127.0.0.1:{free_port()}"
        return
    with modelmeter(journal=False) as (_, port):
        yield f"http://127.0.0.1:{port}"


def rows(quick: bool) -> Iterator[Row]:
    """Yield what was measured in each state, for each number of threads."""
    logging.disable()
    calls, rounds = (400, 1) if quick else (4000, 3)
    for state in STATES:
        for threads in THREADS:
            show(f"client: {state}, {threads} threads")
            with server(state) as url:
                found = [one_round(url, state, threads, calls, RATE) for _ in range(rounds)]
            yield row_of(state, threads, found, calls)


def row_of(state: str, threads: int, rounds: list[Round], calls: int) -> Row:
    """Return the percentiles of calls beside those of ``put_nowait``."""
    log, put = (percentiles([getattr(one, name) for one in rounds]) for name in ("log", "put"))
    sends = statistics.median(one.sending for one in rounds) / calls * 1e6
    figure = " / ".join(f"{one:.1f}" for one in log) + " us"
    beside = f"put_nowait {' / '.join(f'{one:.1f}' for one in put)}; sends {sends:.1f} us"
    what = f"client.log(), {state}, {threads} threads: p50 / p99 / p99.9"
    if threads > 1:  # they wait for the interpreter, with any call
        return Row(what, figure, beside)
    return Row(what, figure, beside, f"p99 < {AIM_US:g} us", log[1] < AIM_US, WRITING)


if __name__ == "__main__":
    sys.exit(report(__doc__, rows))
