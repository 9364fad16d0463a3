"""A control group made for the test, with limits that are felt, where the machine lets one be made.

With version 1 or 2 of each controller, whichever is mounted; what is missing is named.
"""

import os
import time
from pathlib import Path

import pytest

from exporter.config import ModelServerSettings
from tests.resources.support import BUSY, IDLE, Watch, launched, until

LIMIT = 256 * 2**20


def mounted(controller: str) -> tuple[Path, int] | None:
    """Where groups with a controller can be made, and of which version they are."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        place, _, kind = line.partition(" - ")
        name, _, options = kind.split()[:3]
        point = Path(place.split()[4])
        if name == "cgroup" and controller in options.split(","):
            return point, 1
        if name == "cgroup2":
            given = (point / "cgroup.subtree_control").read_text().split()
            if controller in given:
                return point, 2
    return None


@pytest.fixture
def group():
    """Make groups by controller, and put a process into each."""
    made, running = [], []

    def make(controller: str, code: str):
        found = mounted(controller)
        if found is None:
            pytest.skip(f"no group with the controller {controller} can be made: not mounted")
        point, version = found
        folder = point / f"modelmeter-test-{os.getpid()}-{time.monotonic_ns()}"
        try:
            folder.mkdir()
        except OSError as error:
            pytest.skip(f"no group can be made in {point}: {error.strerror}")
        made.append(folder)
        process = launched(code)
        running.append(process)
        (folder / "cgroup.procs").write_text(str(process.pid))
        return folder, version, process

    yield make
    for process in running:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
    for folder in made:
        until(lambda folder=folder: not (folder / "cgroup.procs").read_text())
        folder.rmdir()


def test_a_limit_on_cpu_is_seen_and_its_throttling(group):
    folder, version, process = group("cpu", BUSY)
    if version == 2:
        (folder / "cpu.max").write_text("20000 100000")
    else:
        (folder / "cpu.cfs_period_us").write_text("100000")
        (folder / "cpu.cfs_quota_us").write_text("20000")
    watch = Watch(ModelServerSettings(pid=process.pid))
    before = watch.sample()
    assert before["model_server_cpu_limit_cores"] == pytest.approx(0.2)
    throttled = "model_server_cpu_throttled_seconds_total"
    until(lambda: watch.sample()[throttled] > before[throttled] + 0.2)
    shown = watch.values()
    assert shown["model_server_cpu_throttled_periods_total"] > 0
    findings = watch.sampler.facts(watch.now).findings
    assert any("CPU throttled in " in finding for finding in findings)


def test_a_limit_on_memory_is_seen_and_the_working_set(group):
    folder, version, process = group("memory", IDLE)
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    (folder / name).write_text(str(LIMIT))
    shown = Watch(ModelServerSettings(pid=process.pid)).sample()
    assert shown["model_server_memory_limit_bytes"] == LIMIT
    assert 0 <= shown["model_server_working_set_bytes"] < LIMIT
    assert shown["model_server_oom_kills_total"] == 0


def test_a_kill_for_want_of_memory_is_counted(group):
    """The child takes more than there is, and is killed; the server goes on."""
    code = """
import subprocess, sys
print("ready", flush=True)
sys.stdin.readline()
child = "x = bytearray(600 * 2**20); x[::4096] = bytes(len(x[::4096]))"
print(subprocess.run([sys.executable, "-c", child]).returncode, flush=True)
sys.stdin.read()
"""
    folder, version, process = group("memory", code)
    name = "memory.max" if version == 2 else "memory.limit_in_bytes"
    (folder / name).write_text(str(LIMIT))
    watch = Watch(ModelServerSettings(pid=process.pid))
    assert watch.sample()["model_server_oom_kills_total"] == 0
    process.stdin.write("go\n")
    process.stdin.flush()
    assert process.stdout.readline() == "-9\n"
    shown = watch.sample()
    assert shown["model_server_oom_kills_total"] == 1
    assert shown["model_server_up"] == 1


def test_pressure_is_told_where_the_kernel_keeps_it():
    if not os.path.exists("/proc/pressure/cpu"):
        pytest.skip("this kernel keeps no pressure (CONFIG_PSI)")
    watch = Watch(ModelServerSettings(pid=os.getpid()))
    watch.sample()
    stalls = watch.labelled("model_server_pressure_seconds_total")
    assert ("cpu", "some") in stalls
    assert all(value >= 0 for value in stalls.values())
