"""A ledger on a folder, on a clock that goes when it is told; what it shows; and its end."""

import json
from contextlib import contextmanager
from dataclasses import replace

from exporter.config import Settings, WindowSpec
from exporter.intake import Moment
from exporter.ledger import Disk, Ledger, checked, read
from exporter.monitor import Monitor
from exporter.restore import restore
from exporter.store.folder import Folder
from tests.engine.support import samples

SETTINGS = Settings(
    windows=(WindowSpec("1m", 60.0), WindowSpec("1h", 3600.0), WindowSpec("50 labels", labels=50))
)
START = 1_790_000_000.0
COUNTERS = ("_total", "_count", "_sum", "_bucket")


class Run:
    """One life of a monitor: what is on disk is brought back first."""

    def __init__(self, path, settings=SETTINGS, now=START, **disk):
        self.now = now
        self.monitor = Monitor(settings)
        self.folder = Folder(path, sync=False)
        self.disk = Disk(self.folder, **disk)
        self.ledger = Ledger(self.monitor, lambda: Moment(self.now, self.now), self.disk)
        self.restored = restore(self.ledger, self.monitor, self.folder)
        if self.restored.now is not None:
            self.now = max(self.now, self.restored.now)
        self.ledger.begin(settings, {})

    def send(self, *events, key=None):
        named = [{"model": "m", **event} for event in events]
        body = read("application/json", json.dumps(named).encode(), None, key)
        return self.ledger.events([body], checked([body]))[0]

    def shown(self):
        """All samples about models."""
        return samples(self.monitor, self.now)

    def counters(self):
        """The samples that must never fall."""
        return {key: v for key, v in self.shown().items() if key[0].endswith(COUNTERS)}

    def kill(self):
        """End as a process does that is killed: nothing is saved."""
        self.folder.close()

    def stop(self):
        """End in order."""
        self.ledger.save()
        self.folder.at_rest()
        self.folder.close()


@contextmanager
def alive(path, settings=SETTINGS, **about):
    run = Run(path, settings, **about)
    try:
        yield run
    finally:
        run.kill()


def named(**models):
    """Settings with some models configured."""
    return replace(SETTINGS, models=tuple(models.values()))
