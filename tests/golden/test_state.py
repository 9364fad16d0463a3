"""A snapshot that an earlier release wrote is still read, and shows what it showed then.

``state-1.state.gz`` stays as it is; a new format gets a file of its own:
``python -m tests.golden.test_state``.
"""

import gzip
from pathlib import Path

import pytest

from exporter.intake import Moment
from exporter.ledger import Disk, Ledger
from exporter.monitor import Monitor
from exporter.registry import discover
from exporter.restore import restore
from exporter.scrape import render
from exporter.store.folder import Folder
from tests.golden import scenario
from tests.golden.test_exposition import COMPARED, same

STATES = sorted(Path(__file__).parent.glob("state-*.state.gz"))
NAME = "snapshot-00000001.state"


def ledger(path, monitor):
    disk = Disk(Folder(path, sync=False), journals=False)
    return Ledger(monitor, lambda: Moment(scenario.NOW, scenario.NOW), disk)


def test_there_is_one_of_each_format():
    assert [path.name for path in STATES] == ["state-1.state.gz"]


@pytest.mark.parametrize("state", STATES, ids=lambda path: path.name)
def test_a_golden_state_shows_the_golden_exposition(tmp_path, state):
    (tmp_path / NAME).write_bytes(gzip.decompress(state.read_bytes()))
    monitor = Monitor(scenario.COMPARED)
    keeper = ledger(tmp_path, monitor)
    found = restore(keeper, monitor, keeper.disk.folder)
    assert (found.now, found.lost) == (scenario.NOW, False)
    assert keeper.answers.get(b"golden", scenario.NOW).content == b"{}"
    monitor.tick(scenario.NOW)
    scraper, _ = scenario.scraper(monitor)
    same(render(scraper.collect(), "", "")[0].decode(), COMPARED)


if __name__ == "__main__":
    import tempfile

    from exporter.answers import Answer

    discover()
    with tempfile.TemporaryDirectory() as folder:
        keeper = ledger(Path(folder), scenario.monitor(scenario.COMPARED, scenario.references()))
        keeper.answers.keep(b"golden", Answer(scenario.NOW, 200, b"{}"))
        assert keeper.save()
        (written,) = Path(folder).glob("snapshot-*")
        golden = Path(__file__).with_name("state-1.state.gz")
        golden.write_bytes(gzip.compress(written.read_bytes(), 9, mtime=0))
