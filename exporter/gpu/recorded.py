"""Use of a GPU that its driver recorded between two reads.

What NVML calls utilization is of the last fifth of a second or so: a burst of work between two
reads is not in it. But the driver keeps what it measured for some seconds.
"""

from __future__ import annotations

import math
from typing import Any, Final

from exporter.gpu.asking import Asking

SHORTEST: Final = 1.0
LONGEST: Final = 5.0
"""Seconds between two questions: each costs two milliseconds, however little is new."""
_MEMBERS: Final = ("dVal", "uiVal", "ulVal", "ullVal", "sllVal")
"""Where a value stands, by NVML's ``nvmlValueType_t``."""


class Recorded:
    """What is new since it was last asked for."""

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle
        self._since = 0
        self._pause = SHORTEST
        self._due = -math.inf

    def read(self, ask: Asking, now: float) -> tuple[float, ...] | None:
        """Return use of 0 to 1 that was not returned yet, none of it before it is time.

        ``None`` where the driver keeps nothing. What was before the first question is left out.
        """
        if now < self._due:
            return ()
        found = ask("recorded utilization", self._samples)
        if found is None:
            return None
        first, self._due = self._since == 0, now + self._pause
        kind, samples = found
        if not samples:
            return ()
        if first:
            # Twice in what the driver keeps, so that nothing is missed.
            kept = (samples[-1].timeStamp - samples[0].timeStamp) / 1e6
            self._pause = min(max(kept / 2, SHORTEST), LONGEST)
        since, self._since = self._since, samples[-1].timeStamp
        member = _MEMBERS[kind]
        values = [getattr(s.sampleValue, member) for s in samples if s.timeStamp > since > 0]
        return tuple(min(1.0, value / 100) for value in values)

    def _samples(self) -> tuple[int, Any]:
        nvml = self._nvml
        try:
            kind, samples = nvml.nvmlDeviceGetSamples(
                self._handle, nvml.NVML_GPU_UTILIZATION_SAMPLES, self._since
            )
        except nvml.NVMLError_NotFound:
            return 0, []  # Nothing is new.
        return kind, samples
