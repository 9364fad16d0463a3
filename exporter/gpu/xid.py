"""XID errors of NVIDIA GPUs, as the driver reports them."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Collection
from typing import Any, Final

from exporter.gpu.asking import translated
from exporter.gpu.driver import GpuError

XID_EVENTS: Final = 0x08
"""NVML's ``nvmlEventTypeXidCriticalError``."""


class XidErrors:
    """XID errors of all GPUs, as the driver reports them."""

    def __init__(self, nvml: Any, count: int) -> None:
        """Raises an ``NVMLError`` where the driver has no events."""
        self._nvml = nvml
        self._set = nvml.nvmlEventSetCreate()
        self._places: dict[int | None, int] = {}
        for index in range(count):
            with contextlib.suppress(nvml.NVMLError):
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                if nvml.nvmlDeviceGetSupportedEventTypes(handle) & XID_EVENTS:
                    nvml.nvmlDeviceRegisterEvents(handle, XID_EVENTS, self._set)
                    self._places[_address(handle)] = index

    @property
    def gpus(self) -> Collection[int]:
        """The numbers of the GPUs that are listened to."""
        return self._places.values()

    def wait(self, seconds: float) -> tuple[int, int] | None:
        """Return the next error, ``None`` if none came in time; raises :class:`GpuError`."""
        nvml = self._nvml
        try:
            with translated(nvml):
                event = nvml.nvmlEventSetWait_v2(self._set, round(seconds * 1000))
        except nvml.NVMLError_Timeout:
            return None
        except nvml.NVMLError as error:
            raise GpuError(str(error)) from None
        place = self._places.get(_address(event.device))
        if place is None or event.eventType != XID_EVENTS:
            return None
        return place, int(event.eventData)

    def close(self) -> None:
        """Listen no more."""
        with contextlib.suppress(self._nvml.NVMLError):
            self._nvml.nvmlEventSetFree(self._set)


def _address(handle: Any) -> int | None:
    """Return where a handle points to: two handles of one GPU are the same place."""
    return ctypes.cast(handle, ctypes.c_void_p).value
