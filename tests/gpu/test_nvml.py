"""NVIDIA GPUs through the real `pynvml` and a stand-in for the driver's library."""

import json
import math

import pynvml
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.gpu.device import REASONS, XIDS
from tests.gpu.support import GIB, H100, TWO, Driver, Reader, of, up

ALL = {
    "up": 1, "utilization_ratio": 0.37, "memory_used_bytes": 8 * GIB,
    "memory_total_bytes": 80 * GIB, "power_watts": 250, "power_limit_watts": 700,
    "temperature_celsius": 45, "energy_joules_total": 123_456.789,
    'clock_hertz/domain="sm"': 1.98e9, 'clock_hertz/domain="memory"': 2.619e9,
    'ecc_errors_total/error="corrected"': 3, 'ecc_errors_total/error="uncorrected"': 0,
    **{f'throttled/reason="{reason}"': 0 for reason in REASONS},
    **{f'xid_errors_total/xid="{xid}"': 0 for xid in XIDS},
    **{f'usage_ratio/quantile="{q}"/{w}': 0.37 for w in ("5m", "1h") for q in (0.5, 0.95, 1.0)},
}  # fmt: skip
SUCCESS = 'modelmeter_scrape_collector_success{collector="gpu"}'
DEGRADED = 'modelmeter_collector_degraded{collector="gpu"}'


def complete(shown):
    return shown and all(
        "xid" in " ".join(of(shown, gpu)) and of(shown, gpu).get("up") for gpu in (0, 1)
    )


def without(gpu, *keys):
    return {key: value for key, value in gpu.items() if key not in keys}


def test_all_that_two_gpus_show(reading):
    _, reader = reading(TWO)
    shown = reader.until(complete)
    first = of(shown, 0)
    assert first.pop("last_sample_timestamp_seconds") > 1.7e9
    assert first == ALL
    assert of(shown, 1)["temperature_celsius"] == 50
    assert 'model_gpu_up{gpu="1",name="Fake H100",uuid="GPU-0b"}' in shown
    assert (shown[SUCCESS], shown[DEGRADED]) == (1, 0)


def test_what_a_device_does_not_support_has_no_series(reading):
    few = without(H100, *list(H100)[2::2])
    _, reader = reading({"count": 1, "0": few})
    shown = of(reader.until(up), 0)
    assert "last_sample_timestamp_seconds" in shown
    names = {name.partition("/")[0] for name in shown}
    assert names == {
        "up", "last_sample_timestamp_seconds", "power_watts", "power_limit_watts",
        "energy_joules_total", "clock_hertz", "throttled", "ecc_errors_total",
    } - ({"throttled"} if "reasons" not in few else set())  # fmt: skip


def test_reasons_that_cannot_be_told_have_no_series(reading):
    gpu = H100 | {"supported_reasons": 0x05, "reasons": 0x04}
    _, reader = reading({"count": 1, "0": gpu})
    shown = of(reader.until(up), 0)
    assert {k: v for k, v in shown.items() if k.startswith("throttled")} == {
        'throttled/reason="sw_power_cap"': 1
    }


def test_what_the_driver_recorded_between_two_reads_is_in_the_windows(reading):
    """Bursts of a fifth of a second: no read of the moment sees them."""
    gpu = H100 | {"utilization": 0, "samples": "1000000:99 15000000:98"}
    driver, reader = reading({"count": 1, "0": gpu})
    most = 'usage_ratio/quantile="1.0"/5m'
    reader.until(up)
    recorded = " ".join(f"{16_000_000 + i * 200_000}:{use}" for i, use in enumerate((0, 74, 26, 0)))
    driver.write({"count": 1, "0": gpu | {"samples": f"{gpu['samples']} {recorded}"}})
    shown = of(reader.until(lambda s: of(s, 0).get(most)), 0)
    assert shown[most] == 0.74, "what was before the first read is left out"
    assert shown['usage_ratio/quantile="0.5"/5m'] == 0
    assert shown["utilization_ratio"] == 0


def test_an_old_driver_shows_the_same_by_older_functions(reading):
    state = {"count": 1, "events": 1, "0": H100 | {"processes": "77:4096"}}
    _, reader = reading(state, "-DOLD", pids=[77])
    shown = of(reader.until(lambda s: "xid" in " ".join(s) and up(s)), 0)
    del shown["last_sample_timestamp_seconds"]
    # The older function counts what the driver reserves as used.
    assert shown == ALL | {"memory_used_bytes": 9 * GIB, "process_memory_bytes": 4096}


def test_instances_of_a_partitioned_gpu(reading):
    instance = {"uuid": "MIG-a", "name": "Fake H100 MIG 1g.10gb", "memory": f"{GIB} {10 * GIB} 0"}
    other = instance | {"uuid": "MIG-b", "memory": f"{2 * GIB} {10 * GIB} 0"}
    gpu = without(H100, "utilization") | {"mig": "1 7", "mig0": instance, "mig3": other}
    driver, reader = reading({"count": 1, "0": gpu})
    shown = reader.until(lambda s: len(up(s)) == 3)
    assert up(shown) == {"0": 1, "0/0": 1, "0/3": 1}
    assert 'model_gpu_up{gpu="0",mig="3",name="Fake H100 MIG 1g.10gb",uuid="MIG-b"}' in shown
    part = of(shown, 0, "3")
    del part["last_sample_timestamp_seconds"]
    assert part == {"up": 1, "memory_used_bytes": 2 * GIB, "memory_total_bytes": 10 * GIB}
    assert not any("usage" in name or "utilization" in name for name in of(shown, 0))
    driver.write({"count": 1, "0": without(gpu, "mig3")})
    assert up(reader.until(lambda s: len(up(s)) == 2)) == {"0": 1, "0/0": 1}


@pytest.mark.parametrize(
    ("processes", "shown"),
    [
        ("77:4096 78:1024 99:512", 5120),
        ("99:512", None),
        ("77:na 99:512", None),
        ("77:na 78:1024", 1024),
        ("", None),
    ],
)
def test_memory_of_the_model_servers_own_processes(reading, processes, shown):
    gpu = H100 | {"processes": processes, "mps_processes": "77:4096" if "4096" in processes else ""}
    _, reader = reading({"count": 1, "0": gpu}, pids=[77, 78])
    assert of(reader.until(up), 0).get("process_memory_bytes") == shown


def test_without_a_known_process_nothing_is_matched(reading):
    _, reader = reading({"count": 1, "0": H100 | {"processes": "77:4096"}})
    assert "process_memory_bytes" not in of(reader.until(up), 0)


def test_what_is_forbidden_degrades(reading):
    _, reader = reading({"count": 1, "0": H100 | {"power": "error 4", "energy": "error 4"}})
    shown = reader.until(up)
    assert "power_watts" not in of(shown, 0)
    assert (shown[SUCCESS], shown[DEGRADED]) == (1, 1)
    told = [line for line in reader.log() if "permission" in line]
    assert told == ["WARNING no permission to read of NVIDIA GPUs: energy, power"]


def test_a_gpu_of_others_is_left_alone(reading):
    _, reader = reading(TWO | {"1": {"handle": "error 4"}})
    shown = reader.until(lambda s: up(s) == {"0": 1})
    assert shown[SUCCESS] == 1


def test_no_permission_for_any_gpu_is_a_failure(reading):
    _, reader = reading({"count": 1, "0": {"handle": "error 4"}})
    reader.until(lambda s: s.get(SUCCESS) == 0)
    assert "WARNING no permission to read any NVIDIA GPU" in reader.log()


def test_counts_since_the_drivers_load_where_the_board_keeps_no_others(reading):
    gpu = without(H100, "ecc_aggregate_corrected", "ecc_aggregate_uncorrected")
    gpu |= {"ecc_volatile_corrected": 5, "ecc_volatile_uncorrected": 1}
    _, reader = reading({"count": 1, "0": gpu})
    shown = of(reader.until(up), 0)
    assert shown['ecc_errors_total/error="corrected"'] == 5
    assert shown['ecc_errors_total/error="uncorrected"'] == 1


def test_errors_are_counted_as_they_come(reading):
    driver, reader = reading(TWO)
    reader.until(complete)
    for n, (gpu, xid) in enumerate([(0, 31), (1, 79), (0, 31), (0, 154)], 1):
        driver.write(TWO | {"event": f"{n} {gpu} {xid}"})
        while driver.noted("event") < n:
            reader.scrape()
    shown = reader.until(lambda s: 'xid="154"' in " ".join(s))
    assert of(shown, 0)['xid_errors_total/xid="31"'] == 2
    assert of(shown, 0)['xid_errors_total/xid="154"'] == 1
    assert of(shown, 1)['xid_errors_total/xid="79"'] == 1
    assert of(shown, 1)['xid_errors_total/xid="31"'] == 0


def test_without_events_there_are_no_error_counts(reading):
    _, reader = reading(without(TWO, "events"))
    assert "xid" not in " ".join(reader.until(lambda s: len(up(s)) == 2))


def test_the_highest_use_between_two_scrapes_is_seen(reading):
    driver, reader = reading({"count": 1, "0": H100})
    top = 'usage_ratio/quantile="1.0"/5m'
    reader.until(up)
    driver.write({"count": 1, "0": H100 | {"utilization": 99}})
    reader.until(lambda s: of(s, 0)[top] == 0.99)
    driver.write({"count": 1, "0": H100})
    shown = of(reader.until(lambda s: of(s, 0)["utilization_ratio"] == 0.37), 0)
    assert shown[top] == 0.99
    assert shown['usage_ratio/quantile="0.5"/5m'] in (0.37, 0.99)


@pytest.fixture(scope="module")
def asked(tmp_path_factory):
    """A process that reads one GPU when it is asked to."""
    folder = tmp_path_factory.mktemp("asked")
    driver = Driver(folder, {"count": 1, "0": H100})
    with Reader(driver.env, folder, interval=3600) as reader:
        yield driver, reader


@pytest.mark.parametrize(
    ("reason", "constant"),
    {
        "sw_power_cap": "SwPowerCap", "hw_slowdown": "HwSlowdown", "sync_boost": "SyncBoost",
        "sw_thermal": "SwThermalSlowdown", "hw_thermal": "HwThermalSlowdown",
        "hw_power_brake": "HwPowerBrakeSlowdown",
    }.items(),
)  # fmt: skip
def test_reasons_are_named_as_nvidia_numbers_them(asked, reason, constant):
    driver, reader = asked
    bits = getattr(pynvml, f"nvmlClocksEventReason{constant}")
    driver.write({"count": 1, "0": H100 | {"reasons": bits}})
    (shown,) = reader.ask("read")
    assert shown["throttled"] == {other: float(other == reason) for other in REASONS}


counts = st.integers(0, 2**31)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    utilization=st.integers(0, 100), power=counts, power_limit=counts,
    temperature=st.integers(-20, 150),
    energy=st.integers(0, 2**53), clock_sm=st.integers(0, 5000), reasons=st.integers(0, 0x1FF),
    sizes=st.tuples(st.integers(0, 2**40), st.integers(1, 2**40)),
)  # fmt: skip
def test_units(asked, sizes, **values):
    driver, reader = asked
    used, free = sizes
    gpu = H100 | values | {"memory": f"{used} {used + free} 0"}
    driver.write({"count": 1, "0": gpu})
    (shown,) = reader.ask("read")
    assert shown["utilization_ratio"] == values["utilization"] / 100
    assert 0 <= shown["utilization_ratio"] <= 1
    assert (shown["memory_used_bytes"], shown["memory_total_bytes"]) == (used, used + free)
    assert shown["power_watts"] * 1000 == pytest.approx(values["power"])
    assert shown["power_limit_watts"] * 1000 == pytest.approx(values["power_limit"])
    assert shown["temperature_celsius"] == values["temperature"]
    assert shown["energy_joules"] * 1000 == pytest.approx(values["energy"])
    assert shown["clock_hertz"]["sm"] == values["clock_sm"] * 1e6
    assert sum(shown["throttled"].values()) == (values["reasons"] & 0xFC).bit_count()
    assert not any(math.isnan(v) for v in shown.values() if isinstance(v, float))
    assert json.dumps(shown)
