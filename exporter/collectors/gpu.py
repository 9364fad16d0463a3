"""GPUs beside the model: ``model_gpu_*``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from exporter.families import Family
from exporter.gpu.board import Shown
from exporter.gpu.gpus import Gpus

GAUGES: Final = {
    "utilization_ratio": "Share of the time in which the GPU ran something.",
    "memory_used_bytes": "Memory in use, in bytes.",
    "memory_total_bytes": "Memory in all, in bytes.",
    "power_watts": "Power drawn, in watts.",
    "power_limit_watts": "Power that the GPU may draw, in watts.",
    "temperature_celsius": "Temperature of the GPU, in degrees Celsius.",
    "process_memory_bytes": "Memory of the model server's own processes, in bytes.",
}
BY_LABEL: Final = {
    "clock_hertz": ("domain", "Clock, in hertz."),
    "throttled": ("reason", "Whether the GPU is held back for a reason."),
}


class GpuCollector:
    """What the threads that read GPUs know by now."""

    name = "gpu"

    def __init__(self, gpus: Gpus, clock: Callable[[], float]) -> None:
        self._gpus = gpus
        self._clock = clock

    @property
    def applies(self) -> bool:
        """Whether there are GPUs, or should be."""
        return self._gpus.applies

    @property
    def failing(self) -> bool:
        """Whether GPUs that are there, or required, cannot be read."""
        return self._gpus.failing

    @property
    def degraded(self) -> bool:
        """Whether the right to read something lacks."""
        return self._gpus.degraded

    def collect(self) -> Iterable[Family]:
        """Return the families of all devices."""
        shown = self._gpus.shown(self._clock())
        up = Family("model_gpu_up", "Whether the GPU answers.", "gauge")
        sampled = Family(
            "model_gpu_last_sample_timestamp_seconds", "When the GPU was last read.", "gauge"
        )
        use = Family(
            "model_gpu_usage_ratio",
            "Quantiles of the GPU's use, sampled over the window.",
            "summary",
            "quantile",
        )
        xids = Family("model_gpu_xid_errors_total", "XID errors reported.", "counter", "total")
        for one in shown:
            labels = one.device.labels
            if one.up is not None:
                up.add(labels, one.up)
            if one.sampled_at is not None:
                sampled.add(labels, one.sampled_at)
            for window, quantiles in one.use.items():
                for quantile, value in quantiles.items():
                    use.add({**labels, "window": window, "quantile": quantile}, value)
            for xid, count in sorted(one.xids.items()):
                xids.add({**labels, "xid": str(xid)}, count)
        return [up, sampled, use, xids, *_samples(shown)]


def _samples(shown: list[Shown]) -> Iterable[Family]:
    """Return the families of what the devices showed last."""
    good = [(one.device.labels, one.sample) for one in shown if one.sample is not None]
    for name, help_ in GAUGES.items():
        gauge = Family(f"model_gpu_{name}", help_, "gauge")
        for labels, sample in good:
            value = getattr(sample, name)
            if value is not None:
                gauge.add(labels, value)
        yield gauge
    for name, (label, help_) in BY_LABEL.items():
        gauge = Family(f"model_gpu_{name}", help_, "gauge")
        for labels, sample in good:
            for key, value in getattr(sample, name).items():
                gauge.add({**labels, label: key}, value)
        yield gauge
    energy = Family("model_gpu_energy_joules_total", "Energy used, in joules.", "counter", "total")
    ecc = Family("model_gpu_ecc_errors_total", "Memory errors counted.", "counter", "total")
    for labels, sample in good:
        if sample.energy_joules is not None:
            energy.add(labels, sample.energy_joules)
        for error, count in sample.ecc_errors.items():
            ecc.add({**labels, "error": error}, count)
    yield from (energy, ecc)
