"""What the page tells of every model version, in one row: gathered here, written in ``rows``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter.config import WindowSpec
from exporter.limits import Decision
from exporter.model import ModelVersion
from exporter.recent import OF_WINDOW, value_of
from exporter.registry import METRICS
from exporter.web.page import verdict
from exporter.web.page.verdict import WORST, Finding, passed
from exporter.window import Window

PLAIN: Final = {"regression": "mean_absolute_error"}
"""What quality is where no limit says so; of classifiers it is the accuracy."""
LATENCY: Final = "latency_quantile_seconds"
HIGH: Final = "0.99"
Windows = Sequence[tuple[WindowSpec, Window]]


@dataclass(frozen=True)
class Quality:
    """A metric in a window, beside its limit where there is one."""

    metric: str
    window: str
    value: float
    limit: Decision | None = None

    @property
    def state(self) -> str:
        """Return how it does."""
        return "unjudged" if self.limit is None else verdict.of_limit(self.limit)


@dataclass(frozen=True)
class Row:
    """One model version."""

    name: str
    version: str
    task: str
    team: str
    state: str
    quality: Sequence[Quality]
    """Whatever is beyond its limit; else the one that counts most; nothing before labels come."""
    estimated: tuple[float, str] | None
    """Accuracy estimated without labels, and the window."""
    findings: Sequence[Finding]
    compared: bool
    """Whether anything could be decided about drift."""
    labels: tuple[int, int, str] | None
    """Labels, predictions and the longest window; ``None`` where no labels are expected."""
    selective: bool
    """Whether labels come for some kinds of predictions only."""
    predictions: float
    """In the last minute that is over; before one is, a minute over the shortest window."""
    latency: float | None
    """Seconds that 99 % of the predictions of the shortest window took at most."""
    recent: Mapping[str, Sequence[float | None]]

    @property
    def order(self) -> tuple[int, str, str]:
        """Return the place: the worst first, then by name."""
        return WORST[self.state], self.name, self.version


def row(model: ModelVersion, now: float) -> Row:
    """Return what is known of a model version at ``now``; asked under the monitor's lock."""
    windows = [] if model.counts is None else list(model.counts.all_windows(now))
    timed = [(spec, window) for spec, window in windows if spec.seconds is not None]
    decisions, settings = model.decisions, model.settings
    held = bool(settings.limits) or model.reference is not None
    quality = _quality(model, windows)
    recent = _recent(model, {one.metric for one in quality}, now)
    return Row(
        name=model.name,
        version=model.version,
        task=model.known.task or "",
        team=settings.team,
        state=verdict.state(decisions, held=held),
        quality=quality,
        estimated=_first(windows, "estimated_accuracy_ratio"),
        findings=verdict.data_findings(decisions),
        compared=bool(decisions.drift),
        labels=_labels(timed) if settings.join else None,
        selective=settings.labels.coverage == "selective",
        predictions=_rate(timed, recent["predictions"]),
        latency=_latency(timed),
        recent=recent,
    )


def _quality(model: ModelVersion, windows: Windows) -> list[Quality]:
    known = [one for one in model.decisions.limits if one.value is not None]
    broken = sorted(
        (one for one in known if one.breached), key=lambda one: WORST[verdict.of_limit(one)]
    )
    if broken:
        # One line a metric: the worst level, in the first window that shows it.
        told = {one.metric: one for one in reversed(broken)}
        return [_held(one, windows) for one in reversed(told.values())]
    if known:
        # What lies beyond its limit and is not proven comes before what holds.
        first = min(known, key=lambda one: (not beyond(one), one.breached is None))
        return [_held(first, windows)]
    metric = PLAIN.get(model.known.task or "", "accuracy_ratio")
    defined = _first(windows, metric)
    return [] if defined is None else [Quality(metric, defined[1], defined[0])]


def _held(decision: Decision, windows: Windows) -> Quality:
    """Return the value as it is now: decisions are older by up to their interval."""
    live = {spec.name: window for spec, window in windows}.get(decision.window)
    value = None if live is None else value_of(live, decision.metric)
    assert decision.value is not None
    shown = decision.value if value is None else value
    return Quality(decision.metric, decision.window, shown, decision)


def beyond(decision: Decision) -> bool:
    """Return whether the value itself lies beyond the limit, be it by chance."""
    value = decision.value
    return value is not None and passed(value, decision.bound, decision.limit)


def _first(windows: Windows, metric: str) -> tuple[float, str] | None:
    """Return a metric in the first window that defines it, and the window's name."""
    for spec, window in windows:
        value = value_of(window, metric)
        if value is not None:
            return value, spec.name
    return None


def _labels(timed: Windows) -> tuple[int, int, str] | None:
    if not timed:
        return None
    spec, window = timed[-1]
    return window.labels, window.predictions, spec.name


def _rate(timed: Windows, minutes: Sequence[float | None]) -> float:
    if minutes and minutes[-1] is not None:
        return minutes[-1]
    if not timed or timed[0][1].span <= 0:
        return 0.0
    # A window younger than a minute tells what came, not what might.
    return timed[0][1].predictions / max(timed[0][1].span, 60.0) * 60.0


def _latency(timed: Windows) -> float | None:
    if not timed:
        return None
    window = timed[0][1]
    found: float | None = (window.value(METRICS[f"model_{LATENCY}"]) or {}).get(HIGH)
    return found


def _recent(
    model: ModelVersion, metrics: set[str], now: float
) -> dict[str, Sequence[float | None]]:
    wanted = ["predictions", *(name for name in OF_WINDOW if name in metrics)]
    return {name: model.recent.last(name, now) for name in wanted}
