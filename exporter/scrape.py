"""One scrape: every collector under a guard, the bound on series, and the text.

A collector that raises takes its own families away, never the scrape.
"""

from __future__ import annotations

import gzip
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric

from exporter.exposition import openmetrics, text
from exporter.families import Family
from exporter.registry import DROP_ORDER

log = logging.getLogger("modelmeter")


class Collector(Protocol):
    """A source of families.

    Attributes that it may have too: ``degraded``, whether it lacked rights at the last scrape;
    ``applies``, whether it has anything to read here; ``failing``, whether it could not read that.
    """

    name: str

    def collect(self) -> Iterable[Family | Metric]:
        """Return fresh families; prometheus_client's are taken too."""


class Scraper:
    """All collectors, guarded."""

    def __init__(
        self,
        collectors: Sequence[Collector],
        max_series: Callable[[], int],
        dropped: Callable[[int], None],
    ) -> None:
        """``dropped`` is told how many more series than before had to leave."""
        self._collectors = collectors
        self._max_series = max_series
        self._tell_dropped = dropped
        self._failing: set[str] = set()
        self._dropped = 0

    def collect(self) -> list[Family]:
        """Return all families with samples, and how each collector did."""
        success = Family(
            "modelmeter_scrape_collector_success", "Whether a collector succeeded.", "gauge"
        )
        seconds = Family(
            "modelmeter_scrape_collector_duration_seconds", "How long a collector took.", "gauge"
        )
        degraded = Family(
            "modelmeter_collector_degraded", "Whether a collector lacks rights.", "gauge"
        )
        families: list[Family] = []
        for collector in self._collectors:
            if not getattr(collector, "applies", True):
                continue
            start = time.perf_counter()
            collected, good = self._guarded(collector)
            families += collected
            success.add({"collector": collector.name}, good)
            seconds.add({"collector": collector.name}, time.perf_counter() - start)
            if hasattr(collector, "degraded"):
                degraded.add({"collector": collector.name}, collector.degraded)
        families = self._bounded([family for family in families if family.rows])
        series = Family("modelmeter_series", "Series of this exposition about models.", "gauge")
        series.add({}, sum(len(f.rows) for f in families if f.name.startswith("model_")))
        told = (success, seconds, degraded, series)
        return [*families, *(family for family in told if family.rows)]

    def _guarded(self, collector: Collector) -> tuple[list[Family], bool]:
        try:
            collected = list(collector.collect())
            families = [one if isinstance(one, Family) else Family.of(one) for one in collected]
        except Exception:
            if collector.name not in self._failing:
                self._failing.add(collector.name)
                log.exception("collector failed: %s", collector.name)
            return [], False
        self._failing.discard(collector.name)
        return families, not getattr(collector, "failing", False)

    def _bounded(self, families: list[Family]) -> list[Family]:
        """Drop families about models, by group, until there are few enough series."""
        over = sum(len(f.rows) for f in families if f.group is not None) - self._max_series()
        gone: set[str] = set()
        dropped = 0
        for group in DROP_ORDER:
            members = [f for f in families if f.group == group]
            for family in sorted(members, key=lambda f: -len(f.rows)):
                if dropped < over and family.name.startswith("model_"):
                    gone.add(family.name)
                    dropped += len(family.rows)
        if dropped > self._dropped:
            self._tell_dropped(dropped - self._dropped)
            log.warning("more series than max_series: left out %s", ", ".join(sorted(gone)))
        self._dropped = dropped
        return [family for family in families if family.name not in gone]


def render(families: list[Family], accept: str, encoding: str) -> tuple[bytes, dict[str, str]]:
    """Return the exposition as the client wants it, and the headers that say so."""
    write, content_type = (
        (openmetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8")
        if wants_openmetrics(accept)
        else (text, CONTENT_TYPE_PLAIN_0_0_4)
    )
    body = write(families)
    headers = {"content-type": content_type, "vary": "Accept, Accept-Encoding"}
    if wants_gzip(encoding):
        return gzip.compress(body, 1), {**headers, "content-encoding": "gzip"}
    return body, headers


def wants_openmetrics(accept: str) -> bool:
    """Return whether ``accept`` prefers OpenMetrics 1.0.0 over the text format 0.0.4.

    A version that is not known is not wanted: the answer is then the text format.
    """
    best = {"openmetrics": 0.0, "text": 0.0}
    for media, parameters, quality in _accepted(accept):
        version = parameters.get("version")
        if media == "application/openmetrics-text" and version in (None, "1.0.0", "0.0.1"):
            best["openmetrics"] = max(best["openmetrics"], quality)
        elif media in ("text/plain", "text/*", "*/*") and version in (None, "0.0.4"):
            best["text"] = max(best["text"], quality)
    return best["openmetrics"] > 0 and best["openmetrics"] >= best["text"]


def wants_gzip(encoding: str) -> bool:
    """Return whether ``Accept-Encoding`` allows gzip."""
    return _quality(encoding, "gzip") > 0


def _quality(header: str, wanted: str) -> float:
    """Return how much ``wanted`` is wanted by a header such as ``Accept-Encoding``."""
    named = {name: quality for name, _, quality in _accepted(header)}
    return named.get(wanted, named.get("*", 0.0))


def _accepted(header: str) -> Iterable[tuple[str, dict[str, str], float]]:
    for part in header.split(","):
        name, *rest = (piece.strip() for piece in part.split(";"))
        if not name:
            continue
        pairs = (piece.partition("=") for piece in rest)
        parameters = {key.strip().lower(): value.strip().strip('"') for key, _, value in pairs}
        try:
            quality = float(parameters.get("q", "1"))
        except ValueError:
            quality = 0.0
        yield name.lower(), parameters, quality
