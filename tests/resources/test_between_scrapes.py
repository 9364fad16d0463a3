"""What a scrape every half minute misses, and samples every second do not: a short use of CPU, and
memory that was needed for a moment. Real processes; the clock is the test's own."""

import itertools

import pytest

from exporter.config import ModelServerSettings
from tests.resources.support import Start, Watch

WORKS = """
import os, sys
print("ready", flush=True)
for line in sys.stdin:
    what, amount = line.split()
    if what == "spin":
        end = sum(os.times()[:2]) + float(amount)
        while sum(os.times()[:2]) < end: sum(range(1000))
    elif what == "take":
        ballast = bytearray(int(amount))
        ballast[::4096] = bytes(len(ballast[::4096]))
    else:
        ballast = None
    print("done", flush=True)
"""
MIB = 2**20


def told(process, what: str, amount: float = 0) -> None:
    """Let the server work, and wait until it is done."""
    process.stdin.write(f"{what} {amount}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def highest(watch: Watch, name: str) -> float:
    return watch.labelled(f"model_server_{name}")["5m", "1.0"]


def test_a_spike_of_200_ms_every_half_minute_is_seen_in_the_window_only(start: Start):
    process = start(WORKS)
    watch = Watch(ModelServerSettings(pid=process.pid))
    cpu = "model_server_cpu_seconds_total"
    scraped = [watch.sample()[cpu]]
    for second in range(1, 91):
        if second % 30 == 10:
            told(process, "spin", 0.2)
        shown = watch.sample()
        if second % 30 == 0:
            scraped.append(shown[cpu])
    assert highest(watch, "cpu_usage_cores") == pytest.approx(0.2, abs=0.05)
    assert watch.labelled("model_server_cpu_usage_cores")["5m", "0.5"] <= 0.02
    rates = [(b - a) / 30 for a, b in itertools.pairwise(scraped)]
    assert max(rates) < 0.02, "over the scrapes it is hardly a hundredth of a core"


def test_a_peak_of_300_mb_between_two_scrapes_is_seen_in_the_window_only(start: Start):
    process = start(WORKS)
    watch = Watch(ModelServerSettings(pid=process.pid))
    resident = "model_server_resident_memory_bytes"
    scraped = []
    for second in range(31):
        if second == 14:
            told(process, "take", 300 * MIB)
        if second == 16:
            told(process, "give")
        shown = watch.sample()
        if second % 15 == 0 and second != 15:
            scraped.append(shown[resident])
    assert max(scraped) - min(scraped) < 20 * MIB
    rest = watch.labelled("model_server_memory_usage_bytes")["5m", "0.5"]
    assert highest(watch, "memory_usage_bytes") - rest > 280 * MIB


def test_a_peak_between_two_samples_is_seen_as_well(start: Start):
    process = start(WORKS)
    watch = Watch(ModelServerSettings(pid=process.pid))
    before = watch.sample()["model_server_resident_memory_bytes"]
    told(process, "take", 300 * MIB)
    told(process, "give")
    after = watch.sample()["model_server_resident_memory_bytes"]
    assert after - before < 20 * MIB
    rest = watch.labelled("model_server_memory_usage_bytes")["5m", "0.5"]
    assert highest(watch, "memory_usage_bytes") - rest > 280 * MIB


def test_memory_that_grows_is_seen_growing(start: Start):
    process = start(WORKS)
    watch = Watch(ModelServerSettings(pid=process.pid))
    seen = []
    for size in (50, 100, 150):
        told(process, "take", size * MIB)
        seen.append(watch.sample()["model_server_resident_memory_bytes"])
    assert seen[1] - seen[0] > 40 * MIB
    assert seen[2] - seen[1] > 40 * MIB
