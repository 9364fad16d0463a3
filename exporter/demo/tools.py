"""Finds Prometheus and Alertmanager on this machine, and says what to do without them."""

import dataclasses
import shutil

PROMETHEUS = ("prometheus",)
ALERTMANAGER = ("prometheus-alertmanager", "alertmanager")


@dataclasses.dataclass(frozen=True, slots=True)
class Tools:
    """Paths of the programs, None for those not installed."""

    prometheus: str | None
    alertmanager: str | None


def find() -> Tools:
    """Return the programs found on PATH; Alertmanager only beside a Prometheus to feed it."""
    prometheus = _first(PROMETHEUS)
    return Tools(prometheus, _first(ALERTMANAGER) if prometheus else None)


def _first(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def missing(tools: Tools) -> list[str]:
    """Return lines that say what is missing and how to get it; none when all is there."""
    if tools.prometheus is None:
        return [
            "Prometheus is not installed: modelmeter runs alone, on its page and /metrics.",
            *_install("prometheus prometheus-alertmanager"),
        ]
    if tools.alertmanager is None:
        return [
            "Alertmanager is not installed: alerts show in Prometheus only; none is delivered.",
            *_install("prometheus-alertmanager"),
        ]
    return []


def _install(packages: str) -> list[str]:
    return [
        f"  Debian, Ubuntu: apt-get install --no-install-recommends {packages}",
        "  elsewhere: https://prometheus.io/download/, then put the programs on PATH",
    ]
