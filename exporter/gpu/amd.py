"""AMD GPUs, by ``amdsmi``: the same values as of NVIDIA's where AMD's library tells them.

Throttling is left out: the library measures it over a tenth of a second, in the call.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from exporter.gpu.device import Device, Reading, Sample
from exporter.gpu.driver import GpuError, GpuLost, NoDriver

NO_PERMISSION: Final = 10
"""``AMDSMI_STATUS_NO_PERM``."""
NOT_SUPPORTED: Final = (2, 3)
"""``AMDSMI_STATUS_NOT_SUPPORTED``, ``AMDSMI_STATUS_NOT_YET_IMPLEMENTED``."""


class Amd:
    """All AMD GPUs of the machine."""

    name = "AMD"

    def __init__(self) -> None:
        self._smi: Any = None
        self._handles: list[Any] = []

    def open(self) -> int:
        """Begin, and return how many GPUs there are; raises :class:`GpuError`."""
        try:
            # It prints, and raises whatever comes, where the library that it wraps is missing.
            with contextlib.redirect_stdout(io.StringIO()):
                self._smi = importlib.import_module("amdsmi")
        except Exception as error:
            raise NoDriver(f"amdsmi cannot be loaded: {error!r}") from None
        try:
            self._smi.amdsmi_init()
            self._handles = list(self._smi.amdsmi_get_processor_handles())
        except self._smi.AmdSmiException as error:
            raise NoDriver(f"amdsmi: {error}") from None
        return len(self._handles)

    def gpu(self, index: int) -> AmdGpu:
        """Return one GPU; raises :class:`GpuError`."""
        try:
            return AmdGpu(self._smi, self._handles[index], index)
        except self._smi.AmdSmiException as error:
            raise GpuError(str(error)) from None

    def errors(self, count: int) -> None:
        """Return nothing: AMD has no XID errors."""

    def close(self) -> None:
        """End."""
        with contextlib.suppress(self._smi.AmdSmiException):
            self._smi.amdsmi_shut_down()


class AmdGpu:
    """One GPU."""

    def __init__(self, smi: Any, handle: Any, index: int) -> None:
        self._smi = smi
        self._handle = handle
        name = smi.amdsmi_get_gpu_asic_info(handle)["market_name"]
        self._device = Device(str(index), smi.amdsmi_get_gpu_device_uuid(handle), name)
        self._answered = False
        self._denied: set[str] = set()

    def read(self, pids: Collection[int], now: float) -> Sequence[Reading]:
        """Return what the GPU shows; raises :class:`GpuLost`."""
        smi = self._smi
        self._answered, self._denied = False, set()
        activity = self._ask("utilization", smi.amdsmi_get_gpu_activity)
        vram = smi.AmdSmiMemoryType.VRAM
        limit = self._ask("power limit", smi.amdsmi_get_power_cap_info)
        energy = self._ask("energy", smi.amdsmi_get_energy_count)
        sample = Sample(
            utilization_ratio=_scaled(_first(activity, "gfx_activity"), 1e-2),
            memory_used_bytes=_number(self._ask("memory", smi.amdsmi_get_gpu_memory_usage, vram)),
            memory_total_bytes=_number(self._ask("memory", smi.amdsmi_get_gpu_memory_total, vram)),
            power_watts=self._power(),
            power_limit_watts=_scaled(_first(limit, "power_cap"), 1e-6),
            temperature_celsius=self._temperature(),
            energy_joules=_energy(energy),
            process_memory_bytes=self._process_memory(pids),
            clock_hertz=self._clocks(),
            ecc_errors=self._ecc_errors(),
            denied=frozenset(self._denied),
        )
        if not self._answered:
            raise GpuLost("it answers no question")
        return [(self._device, sample)]

    def _ask(self, what: str, call: Callable[..., Any], *arguments: Any) -> Any:
        """Return an answer, or ``None`` where there is none."""
        try:
            answer = call(self._handle, *arguments)
        except self._smi.AmdSmiLibraryException as error:
            code = error.get_error_code()
            if code == NO_PERMISSION:
                self._denied.add(what)
            self._answered |= code in (NO_PERMISSION, *NOT_SUPPORTED)
            return None
        except self._smi.AmdSmiException:
            return None
        self._answered = True
        return answer

    def _power(self) -> float | None:
        power = self._ask("power", self._smi.amdsmi_get_power_info)
        return _first(power, "current_socket_power", "socket_power", "average_socket_power")

    def _temperature(self) -> float | None:
        smi = self._smi
        for sensor in (smi.AmdSmiTemperatureType.HOTSPOT, smi.AmdSmiTemperatureType.EDGE):
            now = smi.AmdSmiTemperatureMetric.CURRENT
            degrees = _number(self._ask("temperature", smi.amdsmi_get_temp_metric, sensor, now))
            if degrees is not None:
                return degrees
        return None

    def _clocks(self) -> dict[str, float]:
        smi, found = self._smi, {}
        for domain, kind in (("sm", smi.AmdSmiClkType.GFX), ("memory", smi.AmdSmiClkType.MEM)):
            clock = _first(self._ask("clocks", smi.amdsmi_get_clock_info, kind), "clk", "cur_clk")
            if clock is not None:
                found[domain] = clock * 1e6
        return found

    def _ecc_errors(self) -> dict[str, float]:
        counts = self._ask("ECC errors", self._smi.amdsmi_get_gpu_total_ecc_count)
        names = {"corrected": "correctable_count", "uncorrected": "uncorrectable_count"}
        found = {name: _first(counts, key) for name, key in names.items()}
        return {name: count for name, count in found.items() if count is not None}

    def _process_memory(self, pids: Collection[int]) -> float | None:
        if not pids:
            return None
        processes = self._ask("processes", self._smi.amdsmi_get_gpu_process_list) or ()
        own = [
            _first(process.get("memory_usage"), "vram_mem")
            for process in processes
            if process.get("pid") in set(pids)
        ]
        known = [size for size in own if size is not None]
        return sum(known) if known else None


def _number(value: Any) -> float | None:
    """Return a number; ``None`` for ``N/A`` and the like."""
    return float(value) if isinstance(value, int | float) else None


def _first(answer: Any, *keys: str) -> float | None:
    """Return the first of ``keys`` that is a number: their names differ between releases."""
    numbers = (_number(answer.get(key)) for key in keys) if isinstance(answer, dict) else ()
    return next((number for number in numbers if number is not None), None)


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _energy(answer: Any) -> float | None:
    """Return joules: a count of steps, each of so many microjoules."""
    steps = _first(answer, "energy_accumulator", "power")
    step = _first(answer, "counter_resolution")
    return None if steps is None or step is None else steps * step * 1e-6
