"""The two text formats of an exposition.

prometheus_client's writers say the same, at ten times the cost of a sample: they sort and escape
labels anew each time. A test holds both beside each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.families import Family, number


def text(families: Iterable[Family]) -> bytes:
    """Return the exposition in Prometheus' text format 0.0.4."""
    lines: list[str] = []
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        lines += _head(name, family, _escaped(family.documentation))
        lines += _samples(family)
    return "".join(lines).encode()


def openmetrics(families: Iterable[Family]) -> bytes:
    """Return the exposition in OpenMetrics 1.0.0."""
    lines: list[str] = []
    for family in families:
        lines += _head(family.name, family, _escaped(family.documentation).replace('"', r"\""))
        lines += _samples(family)
    lines.append("# EOF\n")
    return "".join(lines).encode()


def _head(name: str, family: Family, help: str) -> Iterator[str]:
    yield f"# HELP {name} {help}\n"
    yield f"# TYPE {name} {family.type}\n"


def _samples(family: Family) -> list[str]:
    return [
        f"{name}{{{labels.text}}} {number(value)}\n" if labels.text else f"{name} {number(value)}\n"
        for name, labels, value in family.rows
    ]


def _escaped(help: str) -> str:
    return help.replace("\\", r"\\").replace("\n", r"\n")
