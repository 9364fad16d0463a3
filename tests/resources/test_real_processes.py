"""The model server's processes, sampled for real: busy, forking, ending, another user's."""

import itertools
import logging
import os
import subprocess
import sys
import time

import psutil
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from exporter.config import ModelServerSettings
from exporter.server.find import Hidden
from tests.resources.support import (
    BUSY,
    IDLE,
    LISTEN,
    PARENT,
    Start,
    Watch,
    until,
)

GAUGES = {
    f"model_server_{name}"
    for name in (
        "processes", "resident_memory_bytes", "unique_memory_bytes", "swap_bytes", "threads",
        "open_fds", "max_fds", "start_time_seconds",
    )
}  # fmt: skip
COUNTERS = {
    f"model_server_{name}_total"
    for name in (
        "restarts", "cpu_seconds", "read_bytes", "written_bytes", "context_switches",
    )
}  # fmt: skip
ALWAYS = {"model_server_up", "model_server_last_sample_timestamp_seconds"}
FORKS = """
import os, sys
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(4):
        pid = os.fork()
        if pid == 0:
            while sum(os.times()[:2]) < 0.1: sum(range(1000))
            os._exit(0)
        os.waitpid(pid, 0)
    print("waited", flush=True)
"""
THREADS = """
import sys, threading
def switch(go=threading.Event()):
    for _ in range(500): go.wait(0.0001)
    print("switched", flush=True)
    sys.stdin.read()
thread = threading.Thread(target=switch); thread.start()
thread.join()
"""
ANOTHER_USER = """
import os, sys
sys.path.insert(0, os.getcwd())
from exporter.config import ModelServerSettings
from tests.resources.support import Watch
os.setuid(65534)
watch = Watch(ModelServerSettings(**{sys.argv[1]: sys.argv[2]} if len(sys.argv) > 3 else
              {sys.argv[1]: int(sys.argv[2])}))
for _ in range(3):
    shown = watch.sample()
print(*shown, int(watch.collector.degraded), int(shown["model_server_up"]))
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another user's process")


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()


def test_a_busy_process_shows_everything(start: Start) -> None:
    process = start(BUSY)
    watch = Watch(ModelServerSettings(pid=process.pid))
    first = watch.sample()
    assert first.keys() >= ALWAYS | GAUGES | COUNTERS
    assert first["model_server_up"] == 1
    assert first["model_server_processes"] == 1
    assert first["model_server_restarts_total"] == 0
    assert abs(first["model_server_start_time_seconds"] - time.time()) < 60
    truth = psutil.Process(process.pid)
    assert first["model_server_max_fds"] == truth.rlimit(psutil.RLIMIT_NOFILE)[0]
    assert first["model_server_open_fds"] == truth.num_fds()
    assert first["model_server_threads"] == 1
    memory = truth.memory_full_info()
    assert first["model_server_resident_memory_bytes"] == pytest.approx(memory.rss, rel=0.05)
    assert first["model_server_unique_memory_bytes"] == pytest.approx(memory.uss, rel=0.05)
    cpu = "model_server_cpu_seconds_total"
    until(lambda: watch.sample()[cpu] >= first[cpu] + 0.1)
    times = truth.cpu_times()
    assert watch.values()[cpu] <= times.user + times.system + 0.02


def test_a_child_counts_and_its_exit_lowers_nothing(start: Start) -> None:
    parent = start(PARENT)
    watch = Watch(ModelServerSettings(pid=parent.pid))
    until(lambda: watch.sample()["model_server_cpu_seconds_total"] > 0.3)
    with_child = watch.values()
    alone = psutil.Process(parent.pid)
    assert with_child["model_server_processes"] == 2
    assert with_child["model_server_resident_memory_bytes"] > alone.memory_info().rss + 30e6
    assert with_child["model_server_threads"] == 2
    parent.stdin.write("end\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "reaped\n"
    without = watch.sample()
    assert without["model_server_processes"] == 1
    for name in COUNTERS:
        assert without[name] >= with_child[name], name
    assert (
        without["model_server_resident_memory_bytes"]
        < with_child["model_server_resident_memory_bytes"] - 30e6
    )
    truth = alone.cpu_times()
    spent = truth.user + truth.system + truth.children_user + truth.children_system
    # Once more: what the kernel adds to the parent may come after the child has gone.
    total = watch.sample()["model_server_cpu_seconds_total"]
    assert total == pytest.approx(spent, abs=0.05), "the child counts once, not twice"


def test_children_that_no_sample_sees_count_when_they_are_waited_for(start: Start) -> None:
    process = start(FORKS)
    watch = Watch(ModelServerSettings(pid=process.pid))
    before = watch.sample()
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "waited\n"
    after = watch.sample()
    assert after["model_server_processes"] == 1
    cpu = "model_server_cpu_seconds_total"
    assert after[cpu] - before[cpu] >= 0.35


def test_switches_of_all_threads_count(start: Start) -> None:
    process = start(THREADS)
    assert process.first_line == "switched"
    shown = Watch(ModelServerSettings(pid=process.pid)).sample()
    assert shown["model_server_threads"] == 2
    main_alone = psutil.Process(process.pid).num_ctx_switches()
    assert shown["model_server_context_switches_total"] > sum(main_alone) + 400


def test_a_server_that_started_us_does_not_count_us() -> None:
    program = """
import os
from exporter.config import ModelServerSettings
from tests.resources.support import Watch
print(Watch(ModelServerSettings(pid=os.getppid())).sample()["model_server_processes"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) == len(psutil.Process().children(recursive=True)) + 1


def test_exit_and_restart_keep_the_counters(start: Start, tmp_path) -> None:
    pid_file = tmp_path / "server.pid"
    first = start(BUSY)
    pid_file.write_text(f"{first.pid}\n")
    watch = Watch(ModelServerSettings(pid_file=str(pid_file)))
    until(lambda: watch.sample()["model_server_cpu_seconds_total"] > 0.2)
    before = watch.values()
    end(first)
    gone = watch.sample()
    assert gone["model_server_up"] == 0
    assert not gone.keys() & GAUGES
    assert gone.keys() >= ALWAYS | COUNTERS
    assert all(gone[name] >= before[name] for name in COUNTERS)
    assert gone["model_server_restarts_total"] == 0
    second = start(IDLE)
    pid_file.write_text(str(second.pid))
    after = watch.sample()
    assert after["model_server_up"] == 1
    assert after["model_server_restarts_total"] == 1
    assert all(after[name] >= gone[name] for name in COUNTERS)
    assert watch.sample()["model_server_restarts_total"] == 1


def test_a_pid_file_that_is_away_for_a_moment_counts_nothing_twice(start: Start, tmp_path) -> None:
    pid_file = tmp_path / "server.pid"
    process = start(IDLE)
    pid_file.write_text(str(process.pid))
    watch = Watch(ModelServerSettings(pid_file=str(pid_file)))
    before = watch.sample()
    assert before["model_server_context_switches_total"] > 0
    pid_file.write_text("")
    assert watch.sample()["model_server_up"] == 0
    pid_file.write_text(str(process.pid))
    after = watch.sample()
    assert after["model_server_up"] == 1
    assert after["model_server_restarts_total"] == 0
    counted = sum(psutil.Process(process.pid).num_ctx_switches())
    assert after["model_server_context_switches_total"] <= counted


def test_a_worker_is_of_the_server_that_is_found_by_its_port(start: Start) -> None:
    forking = LISTEN.replace(
        "print(",
        "import os\npid = os.fork()\nif pid == 0: sys.stdin.read(); os._exit(0)\nprint(",
        1,
    )
    process = start(forking)
    watch = Watch(ModelServerSettings(port=int(process.first_line)))
    assert watch.sample()["model_server_processes"] == 2


def test_a_server_that_leaves_its_port_and_lives_on_is_followed_by_the_next(start: Start) -> None:
    leaving = start(LISTEN + "server.close(); print('left', flush=True)\nwhile True: sum(range(9))")
    port = leaving.first_line
    watch = Watch(ModelServerSettings(port=int(port)))
    watch.sample()
    leaving.stdin.close()
    assert leaving.stdout.readline() == "left\n"
    shown = watch.sample(60)
    assert (shown["model_server_up"], shown["model_server_restarts_total"]) == (1, 0)
    assert watch.sampler.pids() == {leaving.pid}, "as long as nobody else listens"
    taking = start(LISTEN.replace(", 0))", f", {port}))"))
    assert watch.sample(60)["model_server_restarts_total"] == 1
    assert watch.sampler.pids() == {taking.pid}


def test_a_server_that_stays_away_is_looked_for_every_other_second() -> None:
    looked = []
    watch = Watch(ModelServerSettings(name="none"), find=lambda _: looked.append(watch.now))
    for _ in range(60):
        assert watch.sample()["model_server_up"] == 0
    assert {b - a for a, b in itertools.pairwise(looked)} == {2}


def test_nothing_found_is_down_with_counters_at_zero(tmp_path) -> None:
    zeros = dict.fromkeys(COUNTERS, 0.0) | {"model_server_up": 0.0}
    for content in ("", "no number", "99999999999999999999", None):
        if content is None:
            (tmp_path / "pid").unlink()
        else:
            (tmp_path / "pid").write_text(content)
        shown = Watch(ModelServerSettings(pid_file=str(tmp_path / "pid"))).sample()
        del shown["model_server_last_sample_timestamp_seconds"]
        assert shown == zeros


@as_root
def test_another_user_sees_what_the_kernel_shows(start: Start) -> None:
    """A sidecar of another user sees memory, CPU and threads, and the rest is absent."""
    process = start(IDLE)
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_USER, "pid", str(process.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *names, degraded, up = done.stdout.split()
    assert (degraded, up) == ("1", "1")
    assert set(names) >= ALWAYS
    assert {
        f"model_server_{name}"
        for name in ("resident_memory_bytes", "cpu_seconds_total", "threads", "max_fds",
                     "context_switches_total", "processes", "start_time_seconds")
    } <= set(names)  # fmt: skip
    refused = {"open_fds", "read_bytes_total", "written_bytes_total", "unique_memory_bytes"}
    assert not {f"model_server_{name}" for name in refused} & set(names)
    lines = [line for line in done.stderr.splitlines() if "cannot read" in line]
    assert len(lines) == len(set(lines)), "once each, not at every sample"


@as_root
def test_a_port_of_another_user_is_up_and_degraded(start: Start) -> None:
    """The same is seen where the network is shared, and the processes are not."""
    process = start(LISTEN)
    done = subprocess.run(
        [sys.executable, "-c", ANOTHER_USER, "port", process.first_line],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *names, degraded, up = done.stdout.split()
    assert (degraded, up) == ("1", "1")
    assert set(names) == ALWAYS | {"model_server_restarts_total"} | COUNTERS - {
        "model_server_cpu_seconds_total"
    }
    assert done.stderr.count("cannot read the model server's process") == 1


def test_a_right_that_comes_back_is_no_longer_lacking(start: Start, caplog) -> None:
    pid = start(IDLE).pid
    hides = [True]

    def find(_) -> int:
        if hides[0]:
            raise Hidden("another user's")
        return pid

    watch = Watch(ModelServerSettings(port=1), find=find)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert watch.sample(10)["model_server_up"] == 1
            assert watch.collector.degraded
    assert len(caplog.records) == 1
    hides[0] = False
    shown = watch.sample(10)
    assert not watch.collector.degraded
    assert shown["model_server_processes"] == 1


def test_several_servers_are_told_apart(start: Start) -> None:
    one, other = start(IDLE), start(IDLE)
    watch = Watch(
        {"triton": ModelServerSettings(pid=one.pid), "ranker": ModelServerSettings(pid=other.pid)}
    )
    assert watch.sample() == {}, "every series has the label"
    assert watch.labelled("model_server_up") == {("triton",): 1.0, ("ranker",): 1.0}
    end(other)
    watch.sample()
    assert watch.labelled("model_server_up") == {("triton",): 1.0, ("ranker",): 0.0}
    assert set(watch.labelled("model_server_memory_usage_bytes")) == {
        (server, window, quantile)
        for server in ("triton", "ranker")
        for window in ("5m", "1h", "24h")
        for quantile in ("0.5", "0.95", "1.0")
    }


def test_help_texts_end_with_a_full_stop_and_render(start: Start) -> None:
    watch = Watch(ModelServerSettings(pid=start(IDLE).pid))
    watch.sample()
    watch.sample()
    registry = CollectorRegistry()
    watch.collector.describe = list
    registry.register(watch.collector)
    text = generate_latest(registry).decode()
    helps = [line for line in text.splitlines() if line.startswith("# HELP")]
    assert len(helps) >= len(ALWAYS) + len(GAUGES) + len(COUNTERS) + 3
    assert all(line.endswith(".") for line in helps)
    assert "# TYPE model_server_cpu_usage_cores summary" in text
    assert 'model_server_memory_usage_bytes{quantile="1.0",window="5m"}' in text
