"""The sampler's life: its thread, stale samples, failures, other windows."""

import logging
import threading
import time
from dataclasses import replace

import pytest

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


def test_a_sample_that_hangs_does_not_delay_the_end():
    asked, answered = threading.Event(), threading.Event()

    def find(_) -> None:
        asked.set()
        answered.wait()

    server = Server("", ModelServerSettings(pid=1), find=find)
    sampler = Sampler([server], SETTINGS, time.monotonic, time.time, 1)
    sampler.start()
    assert asked.wait(20)
    begun = time.monotonic()
    sampler.end()
    assert time.monotonic() - begun < 5
    answered.set()
    until(lambda: "sample" not in {thread.name for thread in threading.enumerate()})


@pytest.mark.parametrize(("took", "pause"), [(0.25, 0.75), (0.75, 0.75), (3.0, 3.0)])
def test_half_of_the_time_is_left_to_others(took, pause):
    now = [0.0]
    waits = []

    def clock() -> float:
        now[0] += took
        return now[0]

    def wait(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) == 2

    sampler = Sampler([], SETTINGS, clock, time.time, 1)
    sampler._ending.wait = wait
    sampler._run()
    assert waits == [pause, pause]
