"""The model server's collector against real processes."""

import logging
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest
from exporter.collectors.process import ModelServerCollector
from exporter.collectors.processes import find
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from exporter.collectors import process as module
from exporter.config import ModelServerSettings

BUSY = "import sys; print('ready', flush=True)\nwhile True: sum(range(1000))"
IDLE = "import sys; print('ready', flush=True); sys.stdin.read()"
LISTEN = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""
PARENT = """
import subprocess, sys
code = "x = bytearray(40_000_000)\\nwhile True: sum(range(1000))"
child = subprocess.Popen([sys.executable, "-c", code])
print(child.pid, flush=True)
for line in sys.stdin:
    child.kill(); child.wait(); print("reaped", flush=True)
child.kill()
"""
GAUGES = {
    "model_server_processes",
    "model_server_resident_memory_bytes",
    "model_server_threads",
    "model_server_open_fds",
    "model_server_max_fds",
    "model_server_start_time_seconds",
}
COUNTERS = {
    "model_server_restarts_total",
    "model_server_cpu_seconds_total",
    "model_server_read_bytes_total",
    "model_server_written_bytes_total",
    "model_server_context_switches_total",
}
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python programs that end with the test, and wait for their first line."""
    running: list[subprocess.Popen[str]] = []

    def launch(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        process.first_line = process.stdout.readline().strip()
        return process

    yield launch
    for process in running:
        for child in psutil.Process(process.pid).children() if process.poll() is None else []:
            child.kill()
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def values(collector: ModelServerCollector) -> dict[str, float]:
    return {
        sample.name: sample.value for family in collector.collect() for sample in family.samples
    }


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()


def test_a_busy_process_shows_everything(start: Start) -> None:
    process = start(BUSY)
    collector = ModelServerCollector(ModelServerSettings(pid=process.pid))
    first = values(collector)
    assert first.keys() == {"model_server_up"} | GAUGES | COUNTERS
    assert first["model_server_up"] == 1
    assert first["model_server_processes"] == 1
    assert first["model_server_restarts_total"] == 0
    assert abs(first["model_server_start_time_seconds"] - time.time()) < 60
    truth = psutil.Process(process.pid)
    assert first["model_server_max_fds"] == truth.rlimit(psutil.RLIMIT_NOFILE)[0]
    assert first["model_server_open_fds"] == truth.num_fds()
    assert first["model_server_threads"] == 1
    until(
        lambda: (
            values(collector)["model_server_cpu_seconds_total"]
            >= first["model_server_cpu_seconds_total"] + 0.1
        )
    )
    spent = values(collector)["model_server_cpu_seconds_total"]
    times = truth.cpu_times()
    assert spent <= times.user + times.system + 0.02


def test_a_child_counts_and_its_exit_lowers_nothing(start: Start) -> None:
    parent = start(PARENT)
    collector = ModelServerCollector(ModelServerSettings(pid=parent.pid))
    until(lambda: values(collector)["model_server_cpu_seconds_total"] > 0.3)
    with_child = values(collector)
    alone = psutil.Process(parent.pid)
    assert with_child["model_server_processes"] == 2
    assert with_child["model_server_resident_memory_bytes"] > alone.memory_info().rss + 30e6
    assert with_child["model_server_threads"] == 2
    parent.stdin.write("end\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "reaped\n"
    without = values(collector)
    assert without["model_server_processes"] == 1
    assert without["model_server_cpu_seconds_total"] >= with_child["model_server_cpu_seconds_total"]
    assert (
        without["model_server_context_switches_total"]
        >= with_child["model_server_context_switches_total"]
    )
    assert (
        without["model_server_resident_memory_bytes"]
        < with_child["model_server_resident_memory_bytes"] - 30e6
    )


def test_a_server_that_started_us_does_not_count_us() -> None:
    program = """
import os
from exporter.collectors.process import ModelServerCollector
from exporter.config import ModelServerSettings
for family in ModelServerCollector(ModelServerSettings(pid=os.getppid())).collect():
    if family.name == "model_server_processes":
        print(family.samples[0].value)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{len(psutil.Process().children()) + 1}\n"


def test_exit_and_restart_keep_the_counters(start: Start, tmp_path) -> None:
    pid_file = tmp_path / "server.pid"
    first = start(BUSY)
    pid_file.write_text(f"{first.pid}\n")
    collector = ModelServerCollector(ModelServerSettings(pid_file=str(pid_file)))
    until(lambda: values(collector)["model_server_cpu_seconds_total"] > 0.2)
    before = values(collector)
    end(first)
    gone = values(collector)
    assert gone["model_server_up"] == 0
    assert gone.keys() == {"model_server_up"} | COUNTERS
    assert gone["model_server_cpu_seconds_total"] >= before["model_server_cpu_seconds_total"]
    assert gone["model_server_restarts_total"] == 0
    second = start(IDLE)
    pid_file.write_text(str(second.pid))
    after = values(collector)
    assert after["model_server_up"] == 1
    assert after["model_server_restarts_total"] == 1
    assert after["model_server_cpu_seconds_total"] >= gone["model_server_cpu_seconds_total"]
    assert values(collector)["model_server_restarts_total"] == 1


def test_a_pid_file_that_is_away_for_a_moment_counts_nothing_twice(start: Start, tmp_path) -> None:
    pid_file = tmp_path / "server.pid"
    process = start(IDLE)
    pid_file.write_text(str(process.pid))
    collector = ModelServerCollector(ModelServerSettings(pid_file=str(pid_file)))
    before = values(collector)
    assert before["model_server_context_switches_total"] > 0
    pid_file.write_text("")
    assert values(collector)["model_server_up"] == 0
    pid_file.write_text(str(process.pid))
    after = values(collector)
    assert after["model_server_up"] == 1
    assert after["model_server_restarts_total"] == 0
    counted = sum(psutil.Process(process.pid).num_ctx_switches())
    assert after["model_server_context_switches_total"] <= counted


def test_found_by_port_and_its_worker_is_not_preferred(start: Start) -> None:
    forking = LISTEN.replace(
        "print(",
        "import os\npid = os.fork()\nif pid == 0: sys.stdin.read(); os._exit(0)\nprint(",
        1,
    )
    process = start(forking)
    found = find(ModelServerSettings(port=int(process.first_line)))
    assert found is not None
    assert found.pid == process.pid
    collector = ModelServerCollector(ModelServerSettings(port=int(process.first_line)))
    assert values(collector)["model_server_processes"] == 2


def test_a_port_that_is_only_used_as_a_client_is_no_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        port = client.getsockname()[1]
        assert find(ModelServerSettings(port=port)) is None
        client.close()


def test_found_by_command_line_but_never_ourselves(start: Start) -> None:
    mark = f"--mark={os.getpid()}-{time.monotonic_ns()}"
    pattern = ModelServerSettings(cmdline=re.escape(mark) + "$")
    assert find(pattern) is None
    process = start(IDLE, mark)
    assert find(pattern).pid == process.pid
    own = " ".join(psutil.Process().cmdline())
    found = find(ModelServerSettings(cmdline=re.escape(own)))
    assert found is None or found.pid != os.getpid()


def test_found_by_name(tmp_path) -> None:
    program = tmp_path / "scoreserver"
    program.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(program), "60"])
    try:
        until(lambda: find(ModelServerSettings(name="scoreserver")) is not None)
        assert find(ModelServerSettings(name="scoreserver")).pid == process.pid
        assert find(ModelServerSettings(name="scoreserve")) is None
    finally:
        process.kill()
        process.wait()


def test_nothing_found_is_down_with_counters_at_zero(tmp_path) -> None:
    for content in ("", "no number", "99999999999999999999"):
        (tmp_path / "pid").write_text(content)
        shown = values(ModelServerCollector(ModelServerSettings(pid_file=str(tmp_path / "pid"))))
        assert shown == {"model_server_up": 0.0} | dict.fromkeys(COUNTERS, 0.0)
    missing = ModelServerSettings(pid_file=str(tmp_path / "missing"))
    assert values(ModelServerCollector(missing))["model_server_up"] == 0


def test_missing_rights_degrade_and_are_logged_once(
    start: Start, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(process: psutil.Process) -> float:
        raise psutil.AccessDenied(process.pid)

    for name in ("read_bytes", "written_bytes", "open_fds"):
        monkeypatch.setitem(module.READERS, name, refuse)
    collector = ModelServerCollector(ModelServerSettings(pid=start(IDLE).pid))
    with caplog.at_level(logging.WARNING):
        values(collector)
        shown = values(collector)
    absent = {
        "model_server_read_bytes_total",
        "model_server_written_bytes_total",
        "model_server_open_fds",
    }
    assert shown.keys() == ({"model_server_up"} | GAUGES | COUNTERS) - absent
    assert len(caplog.records) == 3
    assert collector.degraded
    monkeypatch.undo()
    values(collector)
    assert not collector.degraded


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
def test_another_user_sees_what_the_kernel_shows(start: Start) -> None:
    """A sidecar of another user sees memory, CPU and threads, and the rest is absent."""
    program = f"""
import os, sys
sys.path.insert(0, {os.getcwd()!r})
from exporter.collectors.process import ModelServerCollector
from exporter.config import ModelServerSettings
os.setuid(65534)
families = ModelServerCollector(ModelServerSettings(pid={start(IDLE).pid})).collect()
print(*(sample.name for family in families for sample in family.samples))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = set(done.stdout.split())
    assert {
        "model_server_up",
        "model_server_resident_memory_bytes",
        "model_server_cpu_seconds_total",
    } <= names
    assert "model_server_open_fds" not in names


def test_help_texts_end_with_a_full_stop_and_render(start: Start) -> None:
    collector = ModelServerCollector(ModelServerSettings(pid=start(IDLE).pid))
    registry = CollectorRegistry()
    collector.describe = list
    registry.register(collector)
    text = generate_latest(registry).decode()
    helps = [line for line in text.splitlines() if line.startswith("# HELP")]
    assert len(helps) == 1 + len(GAUGES) + len(COUNTERS)
    assert all(line.endswith(".") for line in helps)
