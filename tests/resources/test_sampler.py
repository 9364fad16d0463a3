"""The sampler's life: its thread, stale samples, failures, other windows."""

import logging
import threading
import time
from dataclasses import replace

from exporter.config import ModelServerSettings, Settings, WindowSpec
from exporter.server.sampler import Sampler
from exporter.server.server import Server
from tests.resources.frozen import MACHINE, process, write
from tests.resources.support import IDLE, SETTINGS, Start, Watch, found_pid, until


def frozen(root, settings: Settings = SETTINGS) -> Watch:
    proc = write(root, MACHINE, process(7, ticks=5))
    return Watch(ModelServerSettings(pid=7), settings, proc=proc, root=str(root), find=found_pid(7))


def test_a_stale_sample_shows_counters_only(tmp_path):
    watch = frozen(tmp_path)
    fresh = watch.sample()
    watch.now += 5
    assert watch.values() == fresh
    watch.now += 0.1
    stale = watch.values()
    assert stale.keys() == {
        name for name in fresh if name.endswith(("_total", "last_sample_timestamp_seconds"))
    }


def test_before_the_first_sample_there_is_nothing(tmp_path):
    watch = frozen(tmp_path)
    assert watch.values() == {}
    (server,) = watch.sampler.facts(watch.now).shown["servers"]
    assert server["up"] is None
    assert server["windows"] == {}


def test_a_failure_costs_its_own_sample_and_is_logged_once(tmp_path, caplog):
    watch = frozen(tmp_path)
    uptime = tmp_path / "proc/uptime"
    watch.sample()
    content = uptime.read_text()
    uptime.unlink()
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            assert watch.sample()["model_server_up"] == 1, "the last sample still holds"
    assert [record.message for record in caplog.records] == ["the model server cannot be sampled"]
    for _ in range(3):
        gone = watch.sample()
    assert "model_server_up" not in gone
    uptime.write_text(content)
    assert watch.sample()["model_server_up"] == 1


def test_other_windows_start_anew_and_the_same_stay(tmp_path):
    watch = frozen(tmp_path)
    watch.sample()
    name = "model_server_memory_usage_bytes"
    assert len(watch.labelled(name)) == 9
    watch.sampler.configure(replace(SETTINGS, sample_interval=2.0))
    assert len(watch.labelled(name)) == 9
    watch.sampler.configure(replace(SETTINGS, windows=(WindowSpec("2m", 120.0),)))
    assert watch.labelled(name) == {}
    watch.sample()
    assert {window for window, _ in watch.labelled(name)} == {"2m"}


def test_the_thread_samples_until_it_is_told_to_end(start: Start):
    server = Server("", ModelServerSettings(pid=start(IDLE).pid))
    settings = replace(SETTINGS, sample_interval=0.1)
    sampler = Sampler([server], settings, time.monotonic, time.time, 64)

    def seconds() -> float:
        (state,) = sampler.states(time.monotonic())
        return state.windows["5m"].sums["seconds"] if "5m" in state.windows else 0.0

    sampler.start()
    until(lambda: seconds() > 0.3)
    sampler.end()
    assert "sample" not in {thread.name for thread in threading.enumerate()}
    ended = seconds()
    (state,) = sampler.states(time.monotonic())
    assert state.sample.up
    assert ended == seconds()


def test_one_that_never_began_can_end(tmp_path):
    frozen(tmp_path).sampler.end()


def test_a_pause_is_no_shorter_than_half_an_interval(tmp_path):
    """A sample that takes long must not take everything."""
    now = [0.0]
    waits = []
    sampler = Sampler(
        [], SETTINGS, lambda: now.__setitem__(0, now[0] + 3.0) or now[0], time.time, 1
    )

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 2

    sampler._ending.wait = wait
    sampler._run()
    assert waits == [0.5, 0.5]
