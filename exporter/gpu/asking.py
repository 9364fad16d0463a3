"""Asking NVML for single values, each of which may be missing, or say more than that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from exporter.gpu.driver import DriverGone, GpuLost

Call = Callable[[], Any]


class Asking:
    """Asks for single values, each of which may be missing, and remembers how that went."""

    def __init__(self, nvml: Any) -> None:
        self._nvml = nvml
        self.answered = False
        """Whether the GPU said anything at all, if only that something is not supported."""
        self.denied: set[str] = set()
        self.failure: str | None = None

    def __call__(self, what: str, *calls: Call) -> Any:
        """Return the first answer of ``calls``, the newest function first, or ``None``.

        Raises :class:`GpuLost` and :class:`DriverGone`.
        """
        nvml = self._nvml
        for call in calls:
            try:
                with translated(nvml):
                    answer = call()
            except nvml.NVMLError_FunctionNotFound:
                continue
            except nvml.NVMLError_NoPermission:
                self.denied.add(what)
            except nvml.NVMLError_NotSupported:
                pass
            except nvml.NVMLError as error:
                self.failure = f"{what}: {error}"
                return None
            else:
                self.answered = True
                return answer
            self.answered = True
            return None
        return None


@contextlib.contextmanager
def translated(nvml: Any) -> Iterator[None]:
    """Turn what concerns a whole GPU or the whole driver into our errors."""
    try:
        yield
    except (nvml.NVMLError_GpuIsLost, nvml.NVMLError_ResetRequired) as error:
        raise GpuLost(str(error)) from None
    except (
        nvml.NVMLError_Uninitialized,
        nvml.NVMLError_DriverNotLoaded,
        nvml.NVMLError_LibRmVersionMismatch,
    ) as error:
        raise DriverGone(str(error)) from None
