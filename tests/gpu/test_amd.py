"""AMD GPUs through a stand-in of amdsmi's functions: no such GPU was at hand."""

import importlib
import sys
from pathlib import Path

import pytest

from exporter.gpu.amd import Amd
from exporter.gpu.device import Device, Sample
from exporter.gpu.driver import GpuLost, NoDriver

MI300 = {
    "name": "AMD Instinct MI300X", "uuid": "a-1", "activity": {"gfx_activity": 37},
    "VRAM used": 8, "VRAM total": 192, "power": {"current_socket_power": 550},
    "cap": {"power_cap": 750_000_000}, "energy": {"energy_accumulator": 1000,
    "counter_resolution": 15.3}, "HOTSPOT CURRENT": 61, "EDGE CURRENT": 50,
    "GFX clock": {"clk": 2100}, "MEM clock": {"clk": 1300},
    "ecc": {"correctable_count": 4, "uncorrectable_count": 0, "deferred_count": 0},
    "processes": [{"pid": 77, "memory_usage": {"vram_mem": 5}},
                  {"pid": 99, "memory_usage": {"vram_mem": 3}}],
}  # fmt: skip


@pytest.fixture
def amdsmi(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).with_name("amd"))
    module = importlib.import_module("amdsmi")
    yield module
    del sys.modules["amdsmi"]


def read(amdsmi, gpu, pids=(77,)):
    amdsmi.STATE[:] = [gpu]
    driver = Amd()
    assert driver.open() == 1
    try:
        ((device, sample),) = driver.gpu(0).read(pids, 0.0)
    finally:
        driver.close()
    assert amdsmi.OPEN == [0]
    return device, sample


def test_all_that_a_gpu_shows(amdsmi):
    assert read(amdsmi, MI300) == (
        Device("0", "a-1", "AMD Instinct MI300X"),
        Sample(
            utilization_ratio=0.37, memory_used_bytes=8, memory_total_bytes=192, power_watts=550,
            power_limit_watts=750, temperature_celsius=61, energy_joules=pytest.approx(0.0153),
            process_memory_bytes=5, clock_hertz={"sm": 2.1e9, "memory": 1.3e9},
            ecc_errors={"corrected": 4, "uncorrected": 0},
        ),
    )  # fmt: skip


def test_what_it_does_not_support_is_left_out(amdsmi):
    few = {key: MI300[key] for key in ("name", "uuid", "EDGE CURRENT")}
    few |= {"activity": {"gfx_activity": "N/A"}, "power": {"current_socket_power": "N/A"}}
    assert read(amdsmi, few)[1] == Sample(temperature_celsius=50)


def test_what_is_forbidden_is_told(amdsmi):
    denied = MI300 | {"processes": amdsmi.AmdSmiLibraryException(10)}
    assert read(amdsmi, denied)[1].denied == {"processes"}


def test_names_of_older_releases(amdsmi):
    older = MI300 | {
        "power": {"current_socket_power": "N/A", "average_socket_power": 500},
        "energy": {"power": 2000, "counter_resolution": 1.0},
        "GFX clock": {"cur_clk": 1700},
    }
    sample = read(amdsmi, older)[1]
    assert sample.power_watts == 500
    assert sample.energy_joules == pytest.approx(2e-3)
    assert sample.clock_hertz["sm"] == 1.7e9


def test_a_gpu_that_answers_nothing_is_lost(amdsmi):
    silent = dict.fromkeys(MI300, amdsmi.AmdSmiLibraryException(34))
    with pytest.raises(GpuLost):
        read(amdsmi, silent | {"name": "A", "uuid": "a"})


def test_a_package_without_its_library_says_so_and_prints_nothing(monkeypatch, tmp_path, capsys):
    (tmp_path / "amdsmi.py").write_text("print('no library')\n{}['libamd_smi.so']\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(NoDriver, match=r"libamd_smi\.so"):
        Amd().open()
    assert capsys.readouterr().out == ""
