"""Control groups on frozen trees: version 2, 1 and both, with and without limits and pressure."""

import math
import os
import tempfile
from pathlib import Path

import pytest

from exporter.config import ModelServerSettings
from exporter.server.cgroup import Container, container
from exporter.server.mounts import UNIFIED, chains
from exporter.server.procfs import PAGE
from exporter.server.server import Sample, Server
from tests.resources.frozen import (
    MACHINE,
    MACHINE_PRESSURE,
    POD,
    UNIFIED_MOUNT,
    V1,
    V1_CPU,
    V1_MEMORY,
    V1_MOUNTS,
    V2,
    V2_MOUNT,
    process,
    write,
)
from tests.resources.support import Watch, found_pid


def seen(root: Path, *trees: dict[str, str]) -> Container:
    proc = write(root, *trees)
    found = chains(proc.folder, str(root), 7)
    return container(found, f"{proc.folder}/pressure")


def counters(of: Container) -> dict[str, float]:
    return {name: value for each in of.counters.values() for name, value in each.items()}


def test_version_2_shows_use_limits_and_waits(tmp_path):
    found = seen(tmp_path, V2)
    assert found.values == {
        "cpu_limit_cores": 1.5,
        "memory_limit_bytes": 2.0**30,
        "working_set_bytes": 600_000_000.0,
        "swap_bytes": 4096.0,
        "own_pressure": 1.0,
    }
    assert counters(found) == pytest.approx({
        "cpu_throttled_seconds": 7.0,
        "cpu_periods": 500.0,
        "cpu_throttled_periods": 50.0,
        "oom_kills": 2.0,
        "swapped_in_bytes": 40_960.0,
        "swapped_out_bytes": 81_920.0,
        "cpu_some": 1.5,
        "cpu_full": 0.5,
        "memory_some": 20e-6,
        "memory_full": 10e-6,
        "io_some": 3.0,
        "io_full": 2.0,
    })  # fmt: skip


def test_throttling_is_read_where_the_limit_stands(tmp_path):
    """The pod above has the smaller limit: there it is throttled. Without it, the container is."""
    assert counters(seen(tmp_path, V2))["cpu_throttled_seconds"] == 7.0
    found = seen(tmp_path, {f"{POD}/cpu.max": "max 100000\n"})
    assert found.values["cpu_limit_cores"] == 2.0
    assert counters(found)["cpu_throttled_seconds"] == 2.5


def test_the_smallest_limit_of_the_ancestors_counts(tmp_path):
    found = seen(tmp_path, V2, {f"{POD}/server.scope/memory.max": "2000\n"})
    assert found.values["memory_limit_bytes"] == 2000.0
    found = seen(tmp_path, V2, {"sys/fs/cgroup/kubepods.slice/memory.max": "1000\n"})
    assert found.values["memory_limit_bytes"] == 1000.0


def test_no_limit_is_no_value(tmp_path):
    found = seen(
        tmp_path,
        V2,
        {f"{POD}/cpu.max": "max 100000\n", f"{POD}/server.scope/cpu.max": "max 100000\n"},
        {f"{POD}/memory.max": "max\n", "sys/fs/cgroup/kubepods.slice/memory.max": "max\n"},
    )
    assert not {"cpu_limit_cores", "memory_limit_bytes"} & found.values.keys()
    assert counters(found)["cpu_throttled_seconds"] == 2.5


@pytest.mark.parametrize("gone", sorted(path for path in V2 if path.startswith(f"{POD}/server")))
def test_any_file_may_be_missing(tmp_path, gone):
    write(tmp_path, V2)
    (tmp_path / gone).unlink()
    whole, found = seen(tmp_path / "whole", V2), seen(tmp_path, {})
    if not gone.endswith(("cgroup.type", "cgroup.controllers")):
        assert found.values.keys() <= whole.values.keys()
        assert counters(found).keys() <= counters(whole).keys()


NO_NUMBERS = (
    "", "\n", "garbage", "max", "nan", "-1", "inf", "1 0\n", "0 0\n", "x y\n", "9" * 400, "some\n",
    "some avg10=0.00 total=\n", "some avg10=0.00 total=x\n", "some total=-5\n", "\0", "٣ ٣",
    "a - b\n", "a b c - cgroup2 d e\n",
)  # fmt: skip


@pytest.mark.parametrize("tree", [V1, V2], ids=["v1", "v2"])
def test_what_is_no_number_is_no_value_and_costs_nothing_else(tmp_path, tree):
    """Of any file: the other values stay, and the server's own are shown."""
    proc = write(tmp_path, MACHINE, process(7), tree)

    def sample() -> Sample:
        target = ModelServerSettings(pid=7)
        return Server("", target, proc, str(tmp_path), found_pid(7)).sample(0.0)

    known = {**sample().gauges, **sample().totals}
    for path in tree:
        for content in NO_NUMBERS:
            (tmp_path / path).write_text(content)
            shown = {**sample().gauges, **sample().totals}
            assert shown["processes"] == 1, (path, content)
            assert all(0 <= value < math.inf for value in shown.values()), (path, content)
            if "sys/" in path and "cgroup." not in path:
                assert len(known.keys() - shown.keys()) <= 3, (path, content)
        (tmp_path / path).write_text(tree[path])


def test_version_1_shows_use_limits_and_waits(tmp_path):
    found = seen(tmp_path, V1)
    assert found.values == {
        "cpu_limit_cores": 0.5,
        "memory_limit_bytes": 2.0**31,
        "working_set_bytes": 500_000_000.0,
        "swap_bytes": 8192.0,
    }
    assert counters(found) == {
        "cpu_throttled_seconds": 2.5,
        "cpu_periods": 40.0,
        "cpu_throttled_periods": 10.0,
        "oom_kills": 1.0,
    }


def test_version_1_without_limits(tmp_path):
    unlimited = {
        f"{V1_CPU}/docker/abc/cpu.cfs_quota_us": "-1\n",
        f"{V1_MEMORY}/docker/abc/memory.limit_in_bytes": "9223372036854771712\n",
        f"{V1_MEMORY}/docker/abc/memory.stat": "hierarchical_memory_limit 9223372036854771712\n",
    }
    found = seen(tmp_path, V1, unlimited)
    assert found.values == {"working_set_bytes": 900_000_000.0}


def test_version_1_tells_of_a_limit_that_cannot_be_seen(tmp_path):
    above = {
        f"{V1_MEMORY}/docker/abc/memory.limit_in_bytes": "9223372036854771712\n",
        f"{V1_MEMORY}/docker/abc/memory.stat": "hierarchical_memory_limit 1000000000\n",
    }
    assert seen(tmp_path, V1, above).values["memory_limit_bytes"] == 1e9


def test_both_versions_mixed(tmp_path):
    """Controllers of version 1, and pressure of version 2 beside them."""
    hybrid = {
        "proc/7/cgroup": V1["proc/7/cgroup"] + "0::/docker/abc\n",
        "proc/self/mountinfo": V1_MOUNTS + UNIFIED_MOUNT,
        "sys/fs/cgroup/unified/docker/abc/cgroup.controllers": "\n",
        "sys/fs/cgroup/unified/docker/abc/cgroup.type": "domain\n",
        "sys/fs/cgroup/unified/docker/abc/cpu.stat": "usage_usec 5\n",
        "sys/fs/cgroup/unified/docker/abc/io.pressure": "some avg10=0.00 total=4000000\n",
    }
    found = seen(tmp_path, V1, hybrid, MACHINE_PRESSURE)
    assert found.values["cpu_limit_cores"] == 0.5
    assert found.values["own_pressure"] == 1.0
    assert counters(found)["io_some"] == 4.0
    assert "cpu_some" not in counters(found)


def test_without_pressure_of_its_own_the_machines_is_told(tmp_path):
    found = seen(tmp_path, V1, MACHINE_PRESSURE)
    assert "own_pressure" not in found.values
    assert counters(found)["memory_some"] == 12.0
    assert counters(found)["memory_full"] == pytest.approx(12e-6)


def test_the_top_of_the_whole_machine_is_no_container(tmp_path):
    of_all = {"sys/fs/cgroup/memory.current": "5\n", "sys/fs/cgroup/cpu.pressure": "some total=7\n"}
    found = seen(tmp_path, V2, {"proc/7/cgroup": "0::/\n"}, of_all)
    assert (found.values, counters(found)) == ({}, {})
    top = {"proc/7/cgroup": "4:memory:/\n3:cpu,cpuacct:/\n"}
    top[f"{V1_MEMORY}/memory.usage_in_bytes"] = "9\n"
    assert seen(tmp_path / "v1", V1, top).values == {}


THEIRS = "30 24 0:26 {} /sys/fs/cgroup ro - cgroup2 cgroup rw\n"


def beside(path: str, root: str) -> dict[str, str]:
    """A sidecar: our own mount shows our group alone; the server's shows its own."""
    group = "proc/7/root/sys/fs/cgroup"
    return {
        "proc/self/mountinfo": V2_MOUNT,
        "sys/fs/cgroup/cgroup.controllers": "cpu\n",
        "sys/fs/cgroup/cgroup.type": "domain\n",
        "sys/fs/cgroup/memory.max": "77\n",
        "proc/7/cgroup": f"0::{path}\n",
        "proc/7/mountinfo": THEIRS.format(root),
        f"{group}/cgroup.controllers": "cpu\n",
        f"{group}/cgroup.type": "domain\n",
        f"{group}/memory.max": "1234\n",
        f"{group}/memory.current": "1000\n",
        f"{group}/inner/cgroup.controllers": "cpu\n",
        f"{group}/inner/cgroup.type": "domain\n",
        f"{group}/inner/memory.current": "500\n",
    }


def test_another_containers_groups_are_read_in_its_own_mounts(tmp_path):
    found = seen(tmp_path, beside("/../server.scope", "/../server.scope"))
    assert found.values == {"memory_limit_bytes": 1234.0, "working_set_bytes": 1000.0}
    inner = seen(tmp_path, beside("/../server.scope/inner", "/../server.scope"))
    assert inner.values == {"memory_limit_bytes": 1234.0, "working_set_bytes": 500.0}


def test_what_lies_outside_of_every_mount_is_not_guessed(tmp_path):
    strange = {
        "sys/fs/server.scope/cgroup.controllers": "cpu\n",
        "sys/fs/server.scope/cgroup.type": "domain\n",
    }
    proc = write(tmp_path, beside("/../server.scope", "/../other.scope"), strange)
    assert chains(proc.folder, str(tmp_path), 7) == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_a_mount_that_may_not_be_read_degrades():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        root = Path(folder)
        proc = write(root, beside("/../server.scope", "/../server.scope"), MACHINE, process(7))
        (root / "proc/7/mountinfo").chmod(0)
        watch = Watch(ModelServerSettings(pid=7), proc=proc, root=folder, find=found_pid(7))
        os.seteuid(65534)
        try:
            shown = watch.sample()
        finally:
            os.seteuid(0)
        assert shown["model_server_up"] == 1
        assert watch.collector.degraded
        assert watch.sampler.states(watch.now)[0].sample.lacking == {"container"}


def test_a_mount_of_a_part_is_seen_from_there(tmp_path):
    """Without namespaces of groups, a container's mount shows its part of the whole paths."""
    tree = {
        "proc/7/cgroup": "0::/docker/abc/worker\n",
        "proc/self/mountinfo": "30 24 0:26 /docker/abc /sys/fs/cg\\040roup rw - cgroup2 c rw\n",
        "sys/fs/cg roup/worker/cgroup.type": "domain\n",
        "sys/fs/cg roup/worker/cgroup.controllers": "cpu\n",
        "sys/fs/cg roup/worker/memory.current": "5\n",
    }
    proc = write(tmp_path, tree)
    top = f"{tmp_path}/sys/fs/cg roup"
    assert chains(proc.folder, str(tmp_path), 7) == {UNIFIED: (f"{top}/worker", top)}


def test_a_server_shows_its_container(tmp_path):
    proc = write(tmp_path, V2, MACHINE, process(7, ticks=30, pages=1000))
    watch = Watch(ModelServerSettings(pid=7), proc=proc, root=str(tmp_path), find=found_pid(7))
    shown = watch.sample()
    assert shown["model_server_cpu_limit_cores"] == 1.5
    assert shown["model_server_memory_limit_bytes"] == 2.0**30
    assert shown["model_server_working_set_bytes"] == 600e6
    assert shown["model_server_cpu_throttled_seconds_total"] == 7.0
    assert shown["model_server_cpu_throttled_periods_total"] == 50.0
    assert shown["model_server_cpu_periods_total"] == 500.0
    assert shown["model_server_oom_kills_total"] == 2.0
    assert watch.labelled("model_server_pressure_seconds_total") == {
        ("cpu", "some"): 1.5,
        ("cpu", "full"): 0.5,
        ("memory", "some"): pytest.approx(20e-6),
        ("memory", "full"): pytest.approx(10e-6),
        ("io", "some"): 3.0,
        ("io", "full"): 2.0,
    }
    usage = watch.labelled("model_server_memory_usage_bytes")
    assert usage["5m", "1.0"] == pytest.approx(1000 * PAGE, rel=0.01), "of the process alone"


def test_another_container_counts_on(tmp_path):
    """After a restart in a new container its counters begin at 0: ours go on."""
    proc = write(tmp_path, V2, MACHINE, process(7))
    watch = Watch(ModelServerSettings(pid=7), proc=proc, root=str(tmp_path), find=found_pid(7))
    before = watch.sample()
    new = {
        path.replace("server.scope", "next.scope"): text.replace("server.scope", "next.scope")
        for path, text in V2.items()
    }
    new[f"{POD}/next.scope/memory.events"] = "oom_kill 1\n"
    write(tmp_path, new, process(7, started=9000), {"proc/uptime": "101.00 1\n"})
    after = watch.sample()
    assert after["model_server_restarts_total"] == 1
    assert before["model_server_oom_kills_total"] == 2
    assert after["model_server_oom_kills_total"] == 3


def test_a_kill_is_counted_after_the_server_is_gone(tmp_path):
    proc = write(tmp_path, V2, MACHINE, process(7))
    watch = Watch(ModelServerSettings(pid=7), proc=proc, root=str(tmp_path), find=found_pid(7))
    watch.sample()
    (tmp_path / "proc/7/stat").unlink()
    write(tmp_path, {f"{POD}/server.scope/memory.events": "oom_kill 3\n"})
    gone = watch.sample()
    assert gone["model_server_up"] == 0
    assert gone["model_server_oom_kills_total"] == 3
    assert "model_server_memory_limit_bytes" not in gone
    facts = watch.sampler.facts(watch.now)
    assert facts.shown["servers"][0]["windows"]["5m"]["oom_kills"] == 1
    assert any("1 OOM kill" in finding for finding in facts.findings)
