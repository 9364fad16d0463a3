"""What a person is told about a window: shares of limits and of time, and what stands out."""

import re

import pytest

from exporter.config import ModelServerSettings
from exporter.server.procfs import TICKS
from tests.resources.frozen import MACHINE, MACHINE_PRESSURE, POD, V2, process, write
from tests.resources.support import Watch, found_pid

SERVER = ModelServerSettings(pid=7)
SCOPE = f"{POD}/server.scope"


def watched(root, *trees, name: str = "") -> Watch:
    proc = write(root, MACHINE, *trees)
    return Watch({name: SERVER}, proc=proc, root=str(root), find=found_pid(7))


def window(watch: Watch, name: str = "5m") -> dict:
    (server,) = watch.sampler.facts(watch.now).shown["servers"]
    return server["windows"][name]


def throttled(seconds: float, periods: int, of: int) -> dict[str, str]:
    text = f"nr_periods {of}\nnr_throttled {periods}\nthrottled_usec {seconds * 1e6:.0f}\n"
    return {f"{POD}/cpu.stat": text}


def test_a_quiet_server_has_no_findings(tmp_path):
    watch = watched(tmp_path, V2, process(7))
    for _ in range(10):
        watch.sample()
    facts = watch.sampler.facts(watch.now)
    assert facts.findings == []
    (server,) = facts.shown["servers"]
    assert (server["server"], server["up"], server["pressure_of"]) == (None, True, "container")
    assert server["cpu_limit_cores"] == 1.5
    told = server["windows"]["5m"]
    assert told["seconds"] == 9
    assert told["cpu_throttled_seconds"] == told["oom_kills"] == told["restarts"] == 0
    assert told["memory_usage_limit_ratio"]["1.0"] == pytest.approx(600e6 / 2**30, rel=0.01)
    assert told["cpu_throttled_periods_ratio"] is None, "no period, no share"
    assert set(told["pressure_ratio"]) == {
        f"{resource}_{kind}" for resource in ("cpu", "memory", "io") for kind in ("some", "full")
    }


def test_what_stands_out_is_told_with_its_numbers(tmp_path):
    watch = watched(tmp_path, V2, process(7), name="triton")
    watch.sample()
    ticks = round(1.45 * TICKS)
    write(
        tmp_path,
        throttled(7.34, 53, 510),
        process(7, ticks=ticks),
        {
            "proc/uptime": "101.00 1\n",
            f"{SCOPE}/memory.current": "1250000000\n",
            f"{SCOPE}/memory.events": "oom_kill 4\n",
            f"{SCOPE}/memory.stat": "inactive_file 200000000\npswpin 266\npswpout 20\n",
            f"{SCOPE}/memory.pressure": (
                "some avg10=0.00 avg60=0.00 avg300=0.00 total=400020\n"
                "full avg10=0.00 avg60=0.00 avg300=0.00 total=200010\n"
            ),
        },
    )
    watch.sample()
    told = window(watch)
    assert told["cpu_throttled_seconds"] == pytest.approx(0.34)
    assert told["cpu_throttled_periods_ratio"] == pytest.approx(0.3)
    assert told["pressure_ratio"]["memory_some"] == pytest.approx(0.4)
    assert told["swapped_in_bytes"] == 2**20
    findings = watch.sampler.facts(watch.now).findings
    assert findings[:6] == [
        "triton, 5m: CPU throttled in 30% of its periods (3 of 10), 0.3 s in all",
        findings[1],
        findings[2],
        "triton, 5m: tasks waited for memory 40% of the time, all of them at once 20%",
        "triton, 5m: 1.0 MiB read back from swap",
        "triton, 5m: 2 OOM kills",
    ]
    assert re.fullmatch(
        r"triton, 5m: CPU p95 at 9\d% of its limit \(1.4\d+ of 1.5 cores\)", findings[1]
    )
    assert re.fullmatch(
        r"triton, 5m: memory peaked at 9\d% of its limit \(\d+\.?\d* of 1024 MiB\)", findings[2]
    )
    assert [finding.split(":")[0] for finding in findings[6::6]] == ["triton, 1h", "triton, 24h"]


def test_waits_for_cpu_and_storage_are_told(tmp_path):
    watch = watched(tmp_path, process(7), MACHINE_PRESSURE, {"proc/7/cgroup": ""})
    watch.sample()
    write(
        tmp_path,
        {
            "proc/pressure/cpu": "some avg10=0.00 total=11250000\n",
            "proc/pressure/io": "some avg10=0.00 total=13150000\nfull avg10=0 total=100013\n",
        },
    )
    watch.sample()
    (server,) = watch.sampler.facts(watch.now).shown["servers"]
    assert server["pressure_of"] == "machine"
    assert [one for one in watch.sampler.facts(watch.now).findings if one.startswith("5m")] == [
        "5m: tasks waited for CPU 25% of the time, all of them at once 0%",
        "5m: tasks waited for storage 15% of the time, all of them at once 10%",
    ]


def test_a_restart_is_told_and_leaves_with_its_window(tmp_path):
    watch = watched(tmp_path, process(7))
    watch.sample()
    write(tmp_path, process(7, started=9999))
    watch.sample()
    assert watch.sampler.facts(watch.now).findings == [
        "5m: 1 restart", "1h: 1 restart", "24h: 1 restart",
    ]  # fmt: skip
    for _ in range(101):
        watch.sample(4)
    assert watch.sampler.facts(watch.now).findings == ["1h: 1 restart", "24h: 1 restart"]


def test_what_is_not_known_is_null(tmp_path):
    watch = watched(tmp_path, process(7))
    watch.sample()
    watch.sample()
    told = window(watch)
    for name in ("cpu_usage_limit_ratio", "memory_usage_limit_ratio", "cpu_throttled_seconds",
                 "oom_kills", "swapped_in_bytes"):  # fmt: skip
        assert told[name] is None, name
    assert told["pressure_ratio"] == {}
