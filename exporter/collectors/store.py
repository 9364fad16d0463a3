"""What is kept on disk: how large the journal is, how old the snapshot, what was damaged."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.families import Family
from exporter.ledger import Disk, Ledger


class StoreCollector:
    """Families about the data folder."""

    name = "store"

    def __init__(self, ledger: Ledger, disk: Disk) -> None:
        self._ledger = ledger
        self._disk = disk

    def collect(self) -> Iterable[Family]:
        """Return what is known of the journal and of the snapshots."""
        folder = self._disk.folder
        if self._disk.journals:
            yield _gauge(
                "modelmeter_journal_bytes", "Size of the journal on disk.", folder.journal_bytes
            )
            yield _gauge(
                "modelmeter_journal_failing",
                "Whether the data folder could not be written the last time.",
                self._ledger.failing,
            )
            yield _counter(
                "modelmeter_events_unjournalled_total",
                "Events counted although they could not be journalled (on_disk_error: continue).",
                self._ledger.unjournalled,
            )
        if folder.snapshot_time is not None:
            yield _gauge(
                "modelmeter_snapshot_timestamp_seconds",
                "When the last snapshot was saved.",
                folder.snapshot_time,
            )
        yield _counter(
            "modelmeter_store_errors_total",
            "How often the data folder could not be written.",
            self._ledger.errors,
        )
        yield _counter(
            "modelmeter_store_damaged_total",
            "Files of the data folder that were found damaged and set aside.",
            folder.damaged,
        )


def _gauge(name: str, help: str, value: float) -> Family:
    family = Family(name, help, "gauge")
    family.add({}, value)
    return family


def _counter(name: str, help: str, value: float) -> Family:
    family = Family(name, help, "counter")
    family.add({}, value)
    return family
