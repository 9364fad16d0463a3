"""How often the project's rule alarms without a reason, and how soon with one.

    python -m benchmarks.false_alarms            # 20 months at each rate: two hours
    python -m benchmarks.false_alarms --short    # 2 months at 5 and 50 events a minute
    python -m benchmarks.false_alarms --months 0 # only how soon: half an hour

Streams go through the project's own counts, panes and decisions, on a clock of their own. With
``--keep FILE`` the months that are done are written there, and a run that was broken off goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from scipy import special
from scipy.stats import binom

from benchmarks.rules import CUSTOMARY_WINDOW, Episodes, alarming, customary
from benchmarks.streams import MINUTES_A_DAY, Stream, batches, reference_columns
from exporter.config import ModelSettings, Settings, WindowSpec
from exporter.config.settings import DriftSettings
from exporter.counts import Counts
from exporter.deciding import Decisions, decide
from exporter.reference.build import build
from exporter.reference.reference import Reference
from exporter.registry import discover
from exporter.window import Window

WINDOWS = (WindowSpec("5m", 300.0), WindowSpec("1h", 3600.0), WindowSpec("24h", 86_400.0))
MODEL = ModelSettings(name="m", task="binary", positive_class="1")
MONTH_DAYS = 30
REFERENCE_DAYS = 14
RATES = (5, 50, 500)
REFERENCES = (10_000, 100_000)
RULES = ("critical", "warning", "PSI > 0.2", "mean + 3 sd", "p < .05")
SHIFTS = {0.117: 0.35, 0.238: 0.5, 0.926: 1.0}
"""PSI of a shifted normal variable in ten groups of equal share, and the shift in sd."""
MEASURED_BEFORE = {
    (5, 0.117): 280, (50, 0.117): 37, (500, 0.117): 4,
    (5, 0.238): 55, (50, 0.238): 5, (500, 0.238): 3,
    (5, 0.926): 25, (50, 0.926): 2, (500, 0.926): 1,
}  # fmt: skip
"""Minutes to a critical decision that a prototype of the rule needed."""
SLOWER = 1.5
"""Our delays are at most so many times the prototype's."""
MINUTE = 60
FINER = {500: 15}
"""By events a minute: seconds between decisions in which delays are measured as well.

A delay of a minute or two is rounded up by one decision a minute.
"""
RUN_IN = 1440
LONGEST = 1440
"""Minutes before and after a change."""


@dataclass(frozen=True)
class Case:
    """One stretch of a stream without drift."""

    rate: int
    dependent: bool
    rows: int
    seed: int
    days: int = MONTH_DAYS
    interval: int = 1
    """Minutes between decisions; events are folded as often."""


def settings(seconds: float) -> Settings:
    """Return the settings of the simulation: all defaults, but drift in all three windows."""
    drift = DriftSettings(windows=tuple(spec.name for spec in WINDOWS))
    return Settings(windows=WINDOWS, drift=drift, decision_interval=seconds)


@cache
def reference(rows: int, dependent: bool, seed: int) -> Reference:
    """Return a reference of the two weeks before the stream."""
    columns = reference_columns(seed, rows, REFERENCE_DAYS, dependent)
    return build(columns, MODEL)[0]


class Replay:
    """A model version's counts on a clock of its own, and the decisions about it.

    Time goes in ticks of ``seconds``; every ``interval`` ticks events are folded and decided about.
    """

    def __init__(self, known: Reference, interval: int = 1, seconds: float = 60.0) -> None:
        self.reference = known
        self.settings = settings(seconds * interval)
        self.interval = interval
        self.seconds = seconds
        schema = known.adopted_by(None)
        self.counts = Counts(schema, WINDOWS, 0.0)
        self.counts.adopt(known, schema, 0.0)
        self.tick = 0

    def play(self, stream: Stream, ticks: int) -> Iterator[tuple[Decisions, list[Window]]]:
        """Feed a stream whose rate is that of a tick; yield decisions, and about which windows."""
        for _ in self.feed(stream, ticks):
            yield self._decide(self.tick * self.seconds - 0.1)

    def feed(self, stream: Stream, ticks: int) -> Iterator[None]:
        """Feed a stream, and stop whenever it is time to decide."""
        positive = self.counts.schema.codes["1"]
        step = self.interval
        chunk = step * max(1, min(MINUTES_A_DAY, 200_000 // int(stream.rate)) // step)
        done = 0
        while done < ticks:
            size = min(chunk, ticks - done)
            for predictions, labels in batches(stream, self.tick, size, step, positive):
                now = self.tick * self.seconds
                if predictions is not None:
                    self.counts.add(predictions, labels, now)
                self.counts.flush(now)
                self.tick += step
                yield
            done += size

    def _decide(self, now: float) -> tuple[Decisions, list[Window]]:
        windows = list(self.counts.all_windows(now))
        found = decide(windows, MODEL, self.reference, 1, self.settings)
        return found, [window for _, window in windows]


def quiet(case: Case) -> tuple[Case, Counter]:
    """Return the episodes of each rule in a stretch of a stream without drift."""
    discover()
    seed = case.seed * 1000
    replay = Replay(reference(case.rows, case.dependent, seed), case.interval)
    stream = Stream(seed + 1, case.rate, case.dependent)
    episodes = Episodes()
    for decisions, windows in replay.play(stream, case.days * MINUTES_A_DAY):
        for level in ("critical", "warning"):
            episodes.see(level, alarming(decisions, level))
        shown = next(one for one in windows if one.name == CUSTOMARY_WINDOW)
        for rule, features in customary(shown).items():
            episodes.see(rule, features)
    return case, episodes.begun


def delay(rate: int, shift: float, seed: int, seconds: int = MINUTE) -> float | None:
    """Return the minutes from a shift of one feature to the critical decision that names it.

    Decisions are ``seconds`` apart.
    """
    discover()
    known = replace(reference(100_000, False, seed), variability={}, independent=True)
    replay = Replay(known, seconds=seconds)
    a_minute = 60 / seconds
    stream = Stream(seed + 1, rate / a_minute, False)
    for _ in replay.feed(stream, int(RUN_IN * a_minute)):
        pass
    stream.shift = shift
    for tick, (decisions, _) in enumerate(replay.play(stream, int(LONGEST * a_minute)), 1):
        if any(
            one[3] == "number_5" for one in alarming(decisions, "critical") if one[0] == "drift"
        ):
            return tick / a_minute
    return None


def upper_bound(episodes: int, months: float) -> float:
    """Return the exact one-sided 95 % upper bound of a Poisson rate (Garwood 1936)."""
    return float(special.gammainccinv(episodes + 1, 0.05)) / months


def cases(months: int, rates: Sequence[int], interval: int = 1) -> list[Case]:
    """Return ``months`` at each rate, evenly over references and kinds of stream."""
    kinds = [(dependent, rows) for dependent in (False, True) for rows in REFERENCES]
    return [
        Case(rate, *kinds[i % len(kinds)], seed=1 + i, interval=interval)
        for i in range(months)
        for rate in rates
    ]


def table(done: Iterable[tuple[Case, Counter]]) -> list[str]:
    """Return the lines of a table: episodes a model-month by rule."""
    groups: dict[tuple, list[tuple[Case, Counter]]] = {}
    for case, begun in done:
        for key in ((case.rate, case.dependent, case.rows), (case.rate, None, 0)):
            groups.setdefault(key, []).append((case, begun))
    head = "events a minute | stream | reference | months | critical | 95 % bound | " + " | ".join(
        RULES[1:]
    )
    lines = [f"| {head} |", "|" + " --- |" * (head.count("|") + 1)]
    for (rate, dependent, rows), runs in sorted(groups.items(), key=str):
        months = sum(case.days for case, _ in runs) / MONTH_DAYS
        counts = Counter()
        for _, begun in runs:
            counts.update(begun)
        kind = "all" if dependent is None else "dependent" if dependent else "independent"
        cells = [rate, kind, rows or "all", f"{months:g}", f"{counts['critical'] / months:.2g}"]
        cells.append(f"{upper_bound(counts['critical'], months):.2f}")
        cells += [f"{counts[rule] / months:.3g}" for rule in RULES[1:]]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return lines


def run(jobs: Sequence[tuple[Callable, tuple]], workers: int, label: str) -> Iterator:
    """Yield the results of jobs as they come, with a progress bar."""
    started = time.monotonic()
    with ProcessPoolExecutor(workers) as pool:
        waiting = [pool.submit(function, *arguments) for function, arguments in jobs]
        for number, future in enumerate(as_completed(waiting), 1):
            yield future.result()
            _progress(label, number, len(jobs), time.monotonic() - started)


def months(wanted: Sequence[Case], workers: int, kept: Path | None) -> list[tuple[Case, Counter]]:
    """Return the episodes of the months that are wanted; those ``kept`` are not played again."""
    done = [] if kept is None or not kept.exists() else list(_read(kept))
    known = {case for case, _ in done}
    jobs = [(quiet, (case,)) for case in wanted if case not in known]
    for case, begun in run(jobs, workers, "months"):
        done.append((case, begun))
        if kept is not None:
            with kept.open("a") as file:
                print(json.dumps({"case": asdict(case), "begun": begun}), file=file)
    return [(case, begun) for case, begun in done if case in set(wanted)]


def _read(kept: Path) -> Iterator[tuple[Case, Counter]]:
    for line in kept.read_text().splitlines():
        month = json.loads(line)
        yield Case(**month["case"]), Counter(month["begun"])


def _progress(label: str, done: int, of: int, seconds: float) -> None:
    left = seconds / done * (of - done)
    if sys.stderr.isatty():
        bar = "#" * (30 * done // of)
        end = "\n" if done == of else ""
        text = f"\r{label} [{bar:30}] {done}/{of}, {left / 60:.0f} min left "
        print(text, end=end, file=sys.stderr, flush=True)
    else:
        print(f"{label}: {done}/{of} after {seconds:.0f} s", file=sys.stderr, flush=True)


def _delays(repeats: int, rates: Sequence[int], workers: int) -> tuple[list[str], bool]:
    """Return a table's lines, and whether we are about as soon as the prototype."""
    wanted = [
        (rate, psi, seconds, seed)
        for rate in rates
        for psi in SHIFTS
        for seconds in sorted({MINUTE, finest(rate)})
        for seed in range(repeats)
    ]
    found: dict[tuple[float, int, int], list[float]] = {}
    for cell, minutes in run([(_delay, one) for one in wanted], workers, "delays"):
        found.setdefault(cell, []).append(float("inf") if minutes is None else minutes)
    names = "PSI", "events a minute", "seconds between decisions", "median delay, minutes"
    names = *names, "95 % interval", "prototype"
    lines = [f"| {' | '.join(names)} |", "|" + " --- |" * len(names)]
    close = True
    for (psi, rate, seconds), minutes in sorted(found.items()):
        before = MEASURED_BEFORE[rate, psi]
        median = statistics.median(minutes)
        low, high = around_median(minutes)
        cells = psi, rate, seconds, f"{median:g}", f"{low:g} to {high:g}", before
        lines.append(f"| {' | '.join(map(str, cells))} |")
        if seconds == finest(rate):
            close &= median <= SLOWER * before
    return lines, close


def finest(rate: int) -> int:
    """Return the seconds between decisions by which a delay is held against the prototype's."""
    return FINER.get(rate, MINUTE)


def around_median(values: Sequence[float]) -> tuple[float, float]:
    """Return the order statistics between which the median lies in at least 95 % of samples."""
    ordered = sorted(values)
    place = max(int(binom.ppf(0.025, len(ordered), 0.5)), 1) - 1
    return ordered[place], ordered[-1 - place]


def _delay(
    rate: int, psi: float, seconds: int, seed: int
) -> tuple[tuple[float, int, int], float | None]:
    return (psi, rate, seconds), delay(rate, SHIFTS[psi], 500 + seed, seconds)


def main() -> int:
    """Measure and print; the status is 1 if the promise was not kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--months", type=int, default=20, help="at each rate (20); 0: delays only")
    parser.add_argument("--rates", type=int, nargs="+", default=list(RATES))
    parser.add_argument("--short", action="store_true", help="2 months at 5 and 50 a minute")
    parser.add_argument("--repeats", type=int, default=24, help="of each change (24)")
    parser.add_argument("--keep", type=Path, help="a file for the months that are done")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.short:
        options.months, options.rates, options.repeats = 2, [5, 50], 3
    done = months(cases(options.months, options.rates), options.workers, options.keep)
    print("\n".join(table(done)))
    lines, soon = _delays(options.repeats, options.rates, options.workers)
    print("\n".join(lines))
    kept = all(
        upper_bound(
            sum(begun["critical"] for case, begun in done if case.rate == rate), options.months
        )
        < 1
        for rate in options.rates
        if options.months
    )
    return 0 if (kept and soon) or options.short else 1


if __name__ == "__main__":
    sys.exit(main())
