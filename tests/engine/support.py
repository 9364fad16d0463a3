"""A monitor fed through the real way in, and what it shows."""

import json
from dataclasses import replace

from exporter.collectors.decisions import DecisionsCollector
from exporter.collectors.totals import TotalsCollector
from exporter.collectors.windows import WindowsCollector
from exporter.config import JoinSettings, ModelSettings, Settings, WindowSpec
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.intake import Moment
from exporter.monitor import Monitor

WALL = 1_790_000_000.0
"""Unix seconds at ``now`` 0 of the tests' monotonic clock."""
MINUTE = WindowSpec("1m", 60.0)


def monitor(*models, windows=(MINUTE,), max_pending=100_000, ttl=7 * 86_400.0, **settings):
    """A monitor that knows the settings of ``models``."""
    join = JoinSettings(ttl=ttl, max_pending=max_pending)
    return Monitor(Settings(windows=tuple(windows), models=models, join=join, **settings))


def configured(name="m", **settings):
    """The settings of one model."""
    return replace(ModelSettings(name=name), **settings)


def send(to, *events, now=0.0):
    """Send events as one JSON body; return what became of them."""
    named = [{"model": "m", **event} for event in events]
    columns, rejected = check(decode("application/json", json.dumps(named).encode()))
    return to.ingest(columns, rejected, Moment(now, WALL + now))


def only(of, name="m"):
    """The one version of a model."""
    (model,) = of.models.versions(name)
    return model


def version(of, wanted, name="m"):
    """A version of a model, or ``None``."""
    return next((m for m in of.models.versions(name) if m.version == wanted), None)


def samples(of, now=0.0):
    """All samples about models: name and labels to value."""
    found = {}
    collectors = WindowsCollector(of, lambda: now), TotalsCollector(of, lambda: now)
    for collector in (*collectors, DecisionsCollector(of)):
        for family in collector.collect():
            for sample in family.samples:
                key = (sample.name, tuple(sorted(sample.labels.items())))
                assert key not in found, key
                found[key] = sample.value
    return found


def value(of, name, now=0.0, **labels):
    """The one sample ``name`` that carries ``labels``, or ``None``."""
    wanted = {(key.rstrip("_"), one) for key, one in labels.items()}
    values = [v for (n, held), v in samples(of, now).items() if n == name and wanted <= set(held)]
    assert len(values) <= 1, values
    return values[0] if values else None


def faults(outcome):
    """Index and field of each rejection."""
    return [(rejection.index, rejection.field) for rejection in outcome.rejected]
