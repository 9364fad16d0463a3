"""Peers, each in a locked environment of its own, without a network while it runs.

    python -m benchmarks.beside [--quick]

The environments are made at the first use, in ``.peers`` (git ignores it): River, Evidently and
whylogs. prometheus_client and scikit-learn are in the environment of the tests. The same rows go
through modelmeter in this process. All figures are processor time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric
from sklearn import metrics

from benchmarks.local import Local, named, reference_of, seconds
from benchmarks.result import Row, report, show
from exporter.collectors.windows import WindowsCollector
from exporter.config import Settings, WindowSpec
from exporter.families import Family
from exporter.registry import discover

HERE: Final = Path(__file__).parent / "peers"
MADE: Final = Path(".peers")
EVENTS: Final = 20_000
WINDOW: Final = 100_000
ROWS, FEATURES = 10_000, 10
SAME: Final = 1e-9
AN_HOUR: Final = Settings(windows=(WindowSpec("1h", 3600.0),))


def rows(quick: bool) -> Iterator[Row]:
    """Yield a row for each piece of work."""
    discover()
    runs = 1 if quick else 5
    rng = np.random.default_rng(1)
    scores = rng.random(WINDOW).round(6)
    labels = (rng.random(WINDOW) < scores).astype(int)
    yield counting(scores, labels, runs)
    yield scrape(scores, labels, runs)
    yield drift(rng, runs)


def counting(scores: np.ndarray, labels: np.ndarray, runs: int) -> Row:
    """Return what it costs to count an event and its label, JSON included, for all metrics."""
    show("beside: River, prometheus_client")
    local = Local()
    ours = seconds(lambda: _fill(local, scores[:EVENTS], labels[:EVENTS]), runs) / EVENTS
    with _Data(scores=scores[:EVENTS], labels=labels[:EVENTS]) as file:
        river = _peer("river", file)
    counter = Counter("predictions", "", ["model"], registry=CollectorRegistry()).labels("m")
    histogram = Histogram("score", "", ["model"], registry=CollectorRegistry()).labels("m")

    def observe() -> None:
        for score in scores[:EVENTS].tolist():
            counter.inc()
            histogram.observe(score)

    theirs = seconds(observe, runs) / EVENTS
    beside = (
        f"River, 5 rolling metrics: {river * 1e6:.1f} us, ratio {river / ours:.1f}; "
        f"prometheus_client, a counter and a histogram: {theirs * 1e6:.1f} us, "
        f"ratio {theirs / ours:.1f}"
    )
    return Row("count an event with its label", f"{ours * 1e6:.2f} us", beside)


def scrape(scores: np.ndarray, labels: np.ndarray, runs: int) -> Row:
    """Return what all metrics of a window cost at a scrape, beside scikit-learn."""
    show("beside: scikit-learn")
    local = Local(AN_HOUR)
    _fill(local, scores, labels)
    local.service.tick()

    windows = WindowsCollector(local.service.monitor, lambda: local.now)

    def read() -> None:
        local.now += 1.0  # so that nothing is the same as before
        for _ in windows.collect():
            pass

    ours = seconds(read, 5 * runs)
    predicted = (scores >= 0.5).astype(int)
    (accuracy,) = _samples(windows.collect(), "model_accuracy_ratio")
    if abs(accuracy - metrics.accuracy_score(labels, predicted)) > SAME:
        raise ValueError("the window does not hold the same labels")

    def recompute() -> None:
        metrics.accuracy_score(labels, predicted)
        metrics.precision_recall_fscore_support(labels, predicted, average="binary")
        metrics.matthews_corrcoef(labels, predicted)
        metrics.roc_auc_score(labels, scores)
        metrics.average_precision_score(labels, scores)
        metrics.log_loss(labels, scores)
        metrics.brier_score_loss(labels, scores)

    theirs = seconds(recompute, runs)
    what = f"metrics of a 1 h window of {WINDOW:,} labels, a scrape"
    beside = f"scikit-learn {theirs * 1e3:.0f} ms, ratio {theirs / ours:.0f}"
    holds = ours < 1e-3 and theirs / ours >= 100
    return Row(what, f"{ours * 1e3:.2f} ms", beside, "< 1 ms, >= 100 x", holds)


def drift(rng: np.random.Generator, runs: int) -> Row:
    """Return what drift of ten thousand rows costs: JSON, counting, distances and decisions.

    Our reference was built before, once for all windows; the preset looks at both each time.
    """
    reference = rng.normal(size=(ROWS, FEATURES)).round(6)
    current = rng.normal(0.1, 1, (ROWS, FEATURES)).round(6)

    def work() -> None:
        local = Local(AN_HOUR)
        local.send({"columns": _columns(current[:1])})  # a model is known from its first event
        (model,) = local.service.monitor.models.versions("m")
        model.adopt(known, local.now)
        for start in range(0, ROWS, 1000):
            local.send({"columns": _columns(current[start : start + 1000])})
        local.now += 60
        local.service.tick()
        decided = _samples(local.service.scraper.collect(), "model_feature_drift_detected")
        if len(decided) != FEATURES:
            raise ValueError(f"{len(decided)} features were decided on, not {FEATURES}")

    known = reference_of({"model": "m", "columns": _columns(reference)})
    show("beside: Evidently, whylogs")
    ours = seconds(work, runs)
    with _Data(reference=reference, current=current) as file:
        preset, profile = _peer("evidently", file), _peer("whylogs", file)
    beside = (
        f"Evidently's preset {preset * 1e3:.0f} ms, ratio {preset / ours:.0f}; "
        f"whylogs's profile {profile * 1e3:.0f} ms, ratio {profile / ours:.1f}"
    )
    return Row(f"drift of {ROWS:,} rows x {FEATURES}", f"{ours * 1e3:.0f} ms", beside)


def _samples(families: Iterable[Family | Metric], name: str) -> list[float]:
    """Return the values of a family; that what is timed was done."""
    return [s.value for family in families if family.name == name for s in family.samples]


def _columns(features: np.ndarray) -> dict[str, Any]:
    return {"score": [0.5] * len(features), "features": named(features)}


def _fill(local: Local, scores: np.ndarray, labels: np.ndarray) -> None:
    for start in range(0, len(scores), 1000):
        some = slice(start, start + 1000)
        local.send({"columns": {"score": scores[some].tolist(), "label": labels[some].tolist()}})
    local.service.monitor.tick(local.now)


class _Data(tempfile.TemporaryDirectory[str]):
    """A file with arrays, for as long as the block."""

    def __init__(self, **arrays: np.ndarray) -> None:
        super().__init__()
        self._file = Path(self.name) / "rows.npz"
        np.savez(self._file, **arrays)  # type: ignore[arg-type]

    def __enter__(self) -> Path:  # type: ignore[override]
        return self._file


def _peer(name: str, file: Path) -> float:
    """Run a peer's program; return the seconds that it prints."""
    python = _environment(name)
    # A network namespace of its own has no way out; where it is forbidden, telemetry is still off.
    cut = [shutil.which("unshare") or "", "-rn"]
    alone = subprocess.run([*cut, "true"], capture_output=True, check=False) if cut[0] else None
    command = [*(cut if alone and alone.returncode == 0 else []), str(python)]
    command += [str(HERE / f"run_{name}.py"), str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def _environment(name: str) -> Path:
    lock, folder = HERE / f"{name}.lock", (MADE / name).resolve()
    stamp = folder / ".made"
    if not stamp.exists() or stamp.read_text() != lock.read_text():
        show(f"beside: an environment for {name}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check", "install"]
        # Without looking at what they depend on: the lock has it all, under names without extras.
        options = ["--quiet", "--no-deps", "--require-hashes", "-r", str(lock)]
        subprocess.run([*pip, *options], check=True)
        stamp.write_text(lock.read_text())
    return folder / "bin/python"


if __name__ == "__main__":
    sys.exit(report(__doc__, rows))
