"""A control group made for the test, with limits that are felt, where the machine lets one be made.

With version 1 or 2 of each controller, whichever is mounted; what is missing is named.
"""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.config import ModelServerSettings
from tests.resources.groups import MIB, NoGroup, group, limit_cpu, limit_memory
from tests.resources.support import BUSY, IDLE, Watch, launched, until

LIMIT = 256 * MIB


@pytest.fixture
def inside():
    """Start a program in a group with a controller."""
    with ExitStack() as stack:

        def start(controller: str, code: str):
            process = launched(code)
            try:
                made = stack.enter_context(group(controller, process.pid))
            except NoGroup as missing:
                pytest.skip(str(missing))
            finally:
                stack.callback(process.stdout.close)
                stack.callback(process.stdin.close)
                stack.callback(process.wait)
                stack.callback(process.kill)
            return *made, process

        yield start


def test_a_limit_on_cpu_is_seen_and_its_throttling(inside):
    folder, version, process = inside("cpu", BUSY)
    limit_cpu(folder, version, 0.2)
    watch = Watch(ModelServerSettings(pid=process.pid))
    before = watch.sample()
    assert before["model_server_cpu_limit_cores"] == pytest.approx(0.2)
    throttled = "model_server_cpu_throttled_seconds_total"
    until(lambda: watch.sample()[throttled] > before[throttled] + 0.2)
    shown = watch.values()
    assert shown["model_server_cpu_throttled_periods_total"] > 0
    findings = watch.sampler.facts(watch.now).findings
    assert any("CPU throttled in " in finding for finding in findings)


def test_a_limit_on_memory_is_seen_and_the_working_set(inside):
    folder, version, process = inside("memory", IDLE)
    limit_memory(folder, version, LIMIT)
    shown = Watch(ModelServerSettings(pid=process.pid)).sample()
    assert shown["model_server_memory_limit_bytes"] == LIMIT
    assert 0 <= shown["model_server_working_set_bytes"] < LIMIT
    assert shown["model_server_oom_kills_total"] == 0


def test_a_kill_for_want_of_memory_is_counted(inside):
    """The child takes more than there is, and is killed; the server goes on."""
    code = """
import subprocess, sys
print("ready", flush=True)
sys.stdin.readline()
child = "x = bytearray(600 * 2**20); x[::4096] = bytes(len(x[::4096]))"
print(subprocess.run([sys.executable, "-c", child]).returncode, flush=True)
sys.stdin.read()
"""
    folder, version, process = inside("memory", code)
    limit_memory(folder, version, LIMIT)
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


INSIDE = """
set -e
echo $$ > {folder}/cgroup.procs
exec unshare --cgroup --mount sh -c '
    mount -t tmpfs none /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup || exit 77
    exec "$@"' sh "$@"
"""
READER = """
import sys
from tests.resources.support import Watch
from exporter.config import ModelServerSettings
watch = Watch(ModelServerSettings(pid=int(sys.argv[1])))
watch.sample()
print(watch.servers[0]._chains)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make namespaces of groups")
def test_a_sidecar_sees_the_group_of_the_other_container():
    """Two containers of a pod: each has a group, a namespace of groups and a mount of its own."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    point = next((line.split()[4] for line in mounts if " cgroup2 " in line), "")
    if not point:
        pytest.skip("no hierarchy of version 2 is mounted")
    with ExitStack() as stack:
        shells = []
        for name in ("server", "sidecar"):
            folder = Path(point) / f"modelmeter-test-{os.getpid()}-{name}"
            try:
                folder.mkdir()
            except OSError as error:
                pytest.skip(f"no group can be made in {point}: {error.strerror}")
            stack.callback(folder.rmdir)
            stack.callback(until, lambda f=folder: not (f / "cgroup.procs").read_text())
            shells.append(["sh", "-c", INSIDE.format(folder=folder), "sh", sys.executable, "-c"])
        server, sidecar = shells
        target = subprocess.Popen(
            [*server, IDLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for end in (target.stdout.close, target.wait, target.kill, target.stdin.close):
            stack.callback(end)
        if target.stdout.readline() != "ready\n":
            pytest.skip("no namespace of groups with a mount of its own can be made")
        done = subprocess.run(
            [*sidecar, READER, str(target.pid)], capture_output=True, text=True, check=True
        )
        assert repr(("/proc/%d/root/sys/fs/cgroup" % target.pid,)) in done.stdout  # noqa: UP031
