"""How many critical decisions a model takes at one moment: they share a budget of false alarms."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.decisions import FEWEST
from exporter.schema import Schema
from exporter.window import Window

PROBLEMS = 2
"""Missing and outside."""


def series(
    schema: Schema, *, windows: int, compared: Iterable[Window], limits: int, versions: int
) -> int:
    """Return the decision series of a model with ``versions`` like this one.

    Each of ``limits`` is tested in each of ``windows``. Of the windows that are ``compared`` with
    the reference those with too few events take no share: nothing in them can be decided. How many
    events came says nothing of how they are, so that the union bound holds at every moment.
    """
    watched = sum(1 if bins.kind == "identifier" else 1 + PROBLEMS for bins in schema.bins)
    outputs_and_labels = 2
    filled = sum(max(window.predictions, window.labels) >= FEWEST for window in compared)
    return (limits * windows + (watched + outputs_and_labels) * filled) * versions
