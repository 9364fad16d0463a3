"""NVIDIA GPUs, by the library that the driver brings: NVML through ``pynvml``.

Newer functions are tried first, older ones where the driver lacks them. What is never asked for:
PCIe throughput, which takes 20 ms a direction.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import math
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any, Final

from exporter.gpu.asking import Asking, Call, translated
from exporter.gpu.device import Device, Reading, Sample
from exporter.gpu.driver import GpuError, GpuForbidden, GpuLost, NoDriver
from exporter.gpu.recorded import Recorded
from exporter.gpu.xid import XidErrors

LIBRARY: Final = "libnvidia-ml.so.1"
"""Loaded before ``pynvml``, which costs memory where there is no GPU."""
THROTTLING: Final = {
    "sw_power_cap": 0x04,
    "hw_slowdown": 0x08,
    "sync_boost": 0x10,
    "sw_thermal": 0x20,
    "hw_thermal": 0x40,
    "hw_power_brake": 0x80,
}
"""Bits of NVML's ``nvmlClocksEventReasons``."""
ECC: Final = {"corrected": 0, "uncorrected": 1}
AGGREGATE, VOLATILE = 1, 0
ENERGY_SECONDS: Final = 10.0
"""How often the counter of energy is read: that takes 4 ms, all the rest together a tenth of it."""


class Nvml:
    """All NVIDIA GPUs of the machine."""

    name = "NVIDIA"

    def __init__(self) -> None:
        self._opened = 0
        self._nvml: Any = None

    def open(self) -> int:
        """Begin, and return how many GPUs there are; raises :class:`GpuError`."""
        try:
            ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise NoDriver(f"{LIBRARY} cannot be loaded: {error}") from None
        try:
            self._nvml = importlib.import_module("pynvml")
        except ImportError:
            raise NoDriver("the Python package nvidia-ml-py is not installed") from None
        try:
            self._nvml.nvmlInit()
            self._opened += 1
            return int(self._nvml.nvmlDeviceGetCount())
        except self._nvml.NVMLError as error:
            self.close()
            missing = (self._nvml.NVMLError_DriverNotLoaded, self._nvml.NVMLError_LibraryNotFound)
            raise (NoDriver if isinstance(error, missing) else GpuError)(str(error)) from None

    def gpu(self, index: int) -> NvmlGpu:
        """Return one GPU; raises :class:`GpuError`."""
        try:
            with translated(self._nvml):
                return NvmlGpu(self._nvml, index)
        except self._nvml.NVMLError_NoPermission as error:
            raise GpuForbidden(str(error)) from None
        except self._nvml.NVMLError as error:
            raise GpuError(str(error)) from None

    def errors(self, count: int) -> XidErrors | None:
        """Listen for XID errors; ``None`` where the driver has no events."""
        with contextlib.suppress(self._nvml.NVMLError):
            listening = XidErrors(self._nvml, count)
            if listening.gpus:
                return listening
            listening.close()
        return None

    def close(self) -> None:
        """End; the library stays loaded."""
        while self._opened:
            self._opened -= 1
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()


class NvmlGpu:
    """One GPU, with its instances if it is partitioned."""

    def __init__(self, nvml: Any, index: int) -> None:
        self._nvml = nvml
        self._handle = nvml.nvmlDeviceGetHandleByIndex(index)
        self._device = self._identity(self._handle, str(index))
        self._ask = Asking(nvml)
        self._ecc = self._kept_longest()
        self._reasons = self._supported()
        self._recorded = Recorded(nvml, self._handle)
        self._energy: float | None = None
        self._energy_due = -math.inf

    def read(self, pids: Collection[int], now: float) -> Sequence[Reading]:
        """Return what the GPU and each of its instances show; raises :class:`GpuError`."""
        self._ask = Asking(self._nvml)
        whole = self._sample(pids, now)
        return [(self._device, whole), *self._instances(pids)]

    def _identity(self, handle: Any, index: str, mig: str | None = None) -> Device:
        uuid, name = self._nvml.nvmlDeviceGetUUID(handle), self._nvml.nvmlDeviceGetName(handle)
        return Device(index, uuid, name, mig)

    def _sample(self, pids: Collection[int], now: float) -> Sample:
        nvml, handle, ask = self._nvml, self._handle, self._ask
        rates = ask("utilization", lambda: nvml.nvmlDeviceGetUtilizationRates(handle))
        used, total = self._memory(handle)
        sample = Sample(
            utilization_ratio=None if rates is None else min(1.0, rates.gpu / 100),
            recorded=self._recorded.read(ask, now),
            memory_used_bytes=used,
            memory_total_bytes=total,
            power_watts=_thousandths(ask("power", lambda: nvml.nvmlDeviceGetPowerUsage(handle))),
            power_limit_watts=_thousandths(
                ask("power limit", lambda: nvml.nvmlDeviceGetEnforcedPowerLimit(handle))
            ),
            temperature_celsius=self._temperature(),
            energy_joules=self._energy_used(now),
            process_memory_bytes=self._process_memory(handle, pids),
            clock_hertz=self._clocks(),
            throttled=self._throttled(),
            ecc_errors=self._ecc_errors(),
            denied=frozenset(ask.denied),
        )
        if not ask.answered:
            raise GpuLost(ask.failure or "it answers no question")
        return sample

    def _instances(self, pids: Collection[int]) -> Iterator[Reading]:
        """Return what instances show: memory alone, since the rest belongs to the whole GPU."""
        nvml, ask, whole = self._nvml, self._ask, self._handle
        mode = ask("MIG mode", lambda: nvml.nvmlDeviceGetMigMode(whole))
        if mode is None or mode[0] != nvml.NVML_DEVICE_MIG_ENABLE:
            return
        most = ask("MIG instances", lambda: nvml.nvmlDeviceGetMaxMigDeviceCount(whole))
        for number in range(most or 0):
            named = partial(nvml.nvmlDeviceGetMigDeviceHandleByIndex, whole, number)
            handle = ask("MIG instances", named)
            identity = partial(self._identity, handle, self._device.gpu, str(number))
            device = handle and ask("MIG instances", identity)
            if device:
                used, total = self._memory(handle)
                own = self._process_memory(handle, pids)
                yield (
                    device,
                    Sample(
                        memory_used_bytes=used,
                        memory_total_bytes=total,
                        process_memory_bytes=own,
                        denied=frozenset(ask.denied),
                    ),
                )

    def _memory(self, handle: Any) -> tuple[float | None, float | None]:
        """Return the bytes in use and in all; without those that the driver reserves, if it can."""
        nvml = self._nvml
        memory = self._ask(
            "memory",
            lambda: nvml.nvmlDeviceGetMemoryInfo(handle, nvml.nvmlMemory_v2),
            lambda: nvml.nvmlDeviceGetMemoryInfo(handle),
        )
        return (None, None) if memory is None else (float(memory.used), float(memory.total))

    def _temperature(self) -> float | None:
        nvml, handle = self._nvml, self._handle
        degrees = self._ask(
            "temperature",
            lambda: nvml.nvmlDeviceGetTemperatureV(handle, nvml.NVML_TEMPERATURE_GPU),
            lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
        )
        return None if degrees is None else float(degrees)

    def _energy_used(self, now: float) -> float | None:
        """Return joules as of the last few seconds."""
        if now >= self._energy_due:
            self._energy_due = now + ENERGY_SECONDS
            call = partial(self._nvml.nvmlDeviceGetTotalEnergyConsumption, self._handle)
            self._energy = _thousandths(self._ask("energy", call))
        return self._energy

    def _clocks(self) -> dict[str, float]:
        nvml, found = self._nvml, {}
        for domain, kind in (("sm", nvml.NVML_CLOCK_SM), ("memory", nvml.NVML_CLOCK_MEM)):
            clock = self._ask("clocks", partial(nvml.nvmlDeviceGetClockInfo, self._handle, kind))
            if clock is not None:
                found[domain] = clock * 1e6
        return found

    def _throttled(self) -> dict[str, float]:
        nvml, handle = self._nvml, self._handle
        bits = self._ask(
            "throttling",
            lambda: nvml.nvmlDeviceGetCurrentClocksEventReasons(handle),
            lambda: nvml.nvmlDeviceGetCurrentClocksThrottleReasons(handle),
        )
        if bits is None:
            return {}
        return {name: float(bool(bits & bit)) for name, bit in self._reasons.items()}

    def _supported(self) -> dict[str, int]:
        """Return the reasons that this GPU can tell; all of them where it does not say."""
        nvml, handle = self._nvml, self._handle
        bits = self._ask(
            "throttling",
            lambda: nvml.nvmlDeviceGetSupportedClocksEventReasons(handle),
            lambda: nvml.nvmlDeviceGetSupportedClocksThrottleReasons(handle),
        )
        return {name: bit for name, bit in THROTTLING.items() if bits is None or bits & bit}

    def _kept_longest(self) -> int:
        """Return which counts of errors to read: the board's life-long ones, if it keeps them.

        Others count from the loading of the driver. Neither falls unless it is cleared or begins
        anew, and one GPU never changes from one to the other.
        """
        ask = Asking(self._nvml)
        count = ask("ECC errors", self._ecc_call(AGGREGATE, ECC["uncorrected"]))
        return VOLATILE if count is None and ask.answered else AGGREGATE

    def _ecc_errors(self) -> dict[str, float]:
        asked = {
            name: self._ask("ECC errors", self._ecc_call(self._ecc, kind))
            for name, kind in ECC.items()
        }
        return {name: float(count) for name, count in asked.items() if count is not None}

    def _ecc_call(self, kept: int, kind: int) -> Call:
        return lambda: self._nvml.nvmlDeviceGetTotalEccErrors(self._handle, kind, kept)

    def _process_memory(self, handle: Any, pids: Collection[int]) -> float | None:
        """Return the bytes of ``pids`` on the device, ``None`` where none of them is seen there.

        In a container the driver may name processes as the host does, or hide their memory.
        """
        if not pids:
            return None
        nvml, own = self._nvml, set(pids)
        most: dict[int, float] = {}
        for newer, older in (
            (
                nvml.nvmlDeviceGetComputeRunningProcesses_v3,
                nvml.nvmlDeviceGetComputeRunningProcesses_v2,
            ),
            (
                nvml.nvmlDeviceGetMPSComputeRunningProcesses_v3,
                nvml.nvmlDeviceGetMPSComputeRunningProcesses_v2,
            ),
        ):
            calls = (partial(newer, handle), partial(older, handle))
            for process in self._ask("processes", *calls) or ():
                if process.pid in own and process.usedGpuMemory is not None:
                    # A process that is listed by both functions is still one.
                    most[process.pid] = max(most.get(process.pid, 0.0), process.usedGpuMemory)
        return sum(most.values()) if most else None


def _thousandths(value: Any) -> float | None:
    return None if value is None else value / 1000
