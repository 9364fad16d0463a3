"""On a machine with an NVIDIA GPU: what modelmeter shows beside what `nvidia-smi` says.

`python -m pytest -s tests/gpu/test_real.py` prints both, and what a sample costs.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import time
from dataclasses import fields

import pytest

from exporter.gpu.device import Sample
from exporter.gpu.nvml import Nvml
from tests.gpu.support import Reader, of, up

SMI = shutil.which("nvidia-smi")
MIB = 2**20
COMPARED = {
    # Ours: theirs, what one of theirs is of ours, and how far apart two readings may be.
    "memory_total_bytes": ("memory.total", MIB, MIB),
    "memory_used_bytes": ("memory.used", MIB, 64 * MIB),
    "power_watts": ("power.draw.instant", 1, 60),
    "power_limit_watts": ("enforced.power.limit", 1, 0.01),
    "temperature_celsius": ("temperature.gpu", 1, 5),
    'clock_hertz/domain="sm"': ("clocks.sm", 1e6, 600e6),
    'clock_hertz/domain="memory"': ("clocks.mem", 1e6, 1500e6),
    "utilization_ratio": ("utilization.gpu", 0.01, 0.25),
    'ecc_errors_total/error="corrected"': ("ecc.errors.corrected.aggregate.total", 1, 0),
    'ecc_errors_total/error="uncorrected"': ("ecc.errors.uncorrected.aggregate.total", 1, 0),
    'throttled/reason="sw_power_cap"': ("clocks_event_reasons.sw_power_cap", 1, 0),
    'throttled/reason="hw_slowdown"': ("clocks_event_reasons.hw_slowdown", 1, 0),
    'throttled/reason="hw_thermal"': ("clocks_event_reasons.hw_thermal_slowdown", 1, 0),
    'throttled/reason="hw_power_brake"': ("clocks_event_reasons.hw_power_brake_slowdown", 1, 0),
    'throttled/reason="sw_thermal"': ("clocks_event_reasons.sw_thermal_slowdown", 1, 0),
}
BUSY = """
import ctypes, sys
cuda = ctypes.CDLL("libcuda.so.1")
def do(name, *arguments):
    code = getattr(cuda, name)(*arguments)
    assert code == 0, f"{name}: {code}"
device, context, memory = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p()
size = ctypes.c_size_t(2**30)
do("cuInit", 0)
do("cuDeviceGet", ctypes.byref(device), 0)
do("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
do("cuCtxSetCurrent", context)
do("cuMemAlloc_v2", ctypes.byref(memory), size)
print("ready", flush=True)
while True:
    for _ in range(100):
        do("cuMemsetD8_v2", memory, ctypes.c_ubyte(1), size)
    do("cuCtxSynchronize")
"""
"""Takes 1 GiB of a GPU and keeps it busy, by the driver alone: no CUDA toolkit is needed."""
WORDS = {"Active": 1.0, "Not Active": 0.0}

pytestmark = pytest.mark.skipif(
    SMI is None, reason="nvidia-smi is not installed: this test needs an NVIDIA GPU and its driver"
)


def smi(*queried: str) -> list[list[str]]:
    command = [SMI, f"--query-gpu={','.join(queried)}", "--format=csv,noheader,nounits"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]


def number(cell: str) -> float | None:
    if cell in WORDS:
        return WORDS[cell]
    return None if cell.startswith("[") or cell == "N/A" else float(cell)


def known(query: str) -> bool:
    done = subprocess.run(
        [SMI, f"--query-gpu={query}", "--format=csv"], capture_output=True, check=False, timeout=60
    )
    return done.returncode == 0


def test_each_value_is_what_nvidia_smi_says(tmp_path):
    ids = smi("index", "uuid", "name")
    asked = [ours for ours, (theirs, *_) in COMPARED.items() if known(theirs)]
    with Reader(dict(os.environ), tmp_path, interval=0.2) as reader:
        shown = reader.until(lambda s: len([key for key in up(s) if "/" not in key]) == len(ids))
        rows = smi(*(COMPARED[ours][0] for ours in asked))
        shown = reader.scrape()
    compared = 0
    for (index, uuid, name), row in zip(ids, rows, strict=True):
        assert shown[f'model_gpu_up{{gpu="{index}",name="{name}",uuid="{uuid}"}}'] == 1
        ours_all = of(shown, index)
        print(f"\nGPU {index} {name}")
        for ours, cell in zip(asked, row, strict=True):
            theirs, unit, tolerance = COMPARED[ours]
            value, expected = ours_all.get(ours), number(cell)
            print(f"  {ours:40} {value!s:>18}   {theirs}: {cell}")
            if value is not None and expected is not None:
                compared += 1
                assert value == pytest.approx(expected * unit, abs=tolerance), ours
        rest = {k: v for k, v in ours_all.items() if k not in COMPARED and "xid" not in k}
        print("  beside these:", rest)
        print("  XID series:", sum("xid" in key for key in ours_all))
    assert compared >= 6 * len(ids)


@pytest.fixture
def busy():
    """A process that keeps the first GPU busy."""
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        pytest.skip(f"nothing can be computed here: {error}")
    command = [sys.executable, "-c", BUSY]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_a_busy_process_is_seen(tmp_path, busy):
    top = 'usage_ratio/quantile="1.0"/5m'
    with Reader(dict(os.environ), tmp_path, interval=0.2, pids=[busy.pid]) as reader:
        everything = reader.until(lambda s: max_use(s, top) > 0.5)
    shown = max((of(everything, gpu) for gpu in up(everything)), key=lambda one: one.get(top, 0))
    own = shown.get("process_memory_bytes")
    print(f"\nuse {shown[top]}, power {shown.get('power_watts')} W, own memory {own}")
    # Where the driver names processes otherwise than this machine does, there is no series.
    assert own is None or 2**30 <= own <= shown["memory_used_bytes"]


def max_use(shown, top):
    return max((of(shown, key).get(top, 0) for key in up(shown) if "/" not in key), default=0)


def test_what_a_sample_costs():
    driver = Nvml()
    began = time.perf_counter()
    count = driver.open()
    opened = time.perf_counter() - began
    gpus = [driver.gpu(index) for index in range(count)]
    rounds = 50
    wall, cpu = time.perf_counter(), time.thread_time()
    for _ in range(rounds):
        for gpu in gpus:
            ((_, sample), *_) = gpu.read([os.getpid()], time.monotonic())
    wall = (time.perf_counter() - wall) / rounds / count
    cpu = (time.thread_time() - cpu) / rounds / count
    told = [
        one.name
        for one in fields(Sample)
        if getattr(sample, one.name) not in (None, {}, frozenset())
    ]
    print(f"\nopening {opened * 1e3:.1f} ms; a sample of one GPU {wall * 1e3:.2f} ms,")
    print(f"{cpu * 1e3:.2f} ms of it on the CPU: {cpu:.2%} of a core at one a second; {told}")
    driver.close()
    assert cpu < 0.05
