"""Distances between a window and its reference: one file each in ``exporter/drift``.

A distance is registered once; its families for features, outputs and labels follow from that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from exporter.comparison import Comparison, features, outputs, targets
from exporter.registry import Kind, metric
from exporter.window import Window

Distance = Callable[[Comparison], float | None]

_ONE: Final[dict[str, tuple[Callable[[Window], Comparison | None], Kind, str]]] = {
    "prediction": (outputs, "predictions", "outputs"),
    "label": (targets, "labels", "labels"),
}


def distance(
    key: str, name: str, what: str, *, of: tuple[str, ...] = ("feature",)
) -> Callable[[Distance], Distance]:
    """Register ``value(comparison)``, which is ``None`` where the distance has no meaning.

    ``key`` is the name in ``drift.distances``, ``name`` the end of the families' names, ``of`` says
    which families there are: ``feature``, ``prediction``, ``label``. ``what`` begins their help.
    """

    def register(value: Distance) -> Distance:
        if "feature" in of:
            _of_features(key, name, what, value)
        for kind in of:
            if kind in _ONE:
                _of_one(key, name, what, value, kind)
        return value

    return register


def _of_features(key: str, name: str, what: str, value: Distance) -> None:
    @metric(
        f"model_feature_{name}",
        f"{what} between the values of a feature and those of the reference.",
        labels=("feature",),
        group="distance",
        on="predictions",
        drift=True,
        distance=key,
    )
    def show(window: Window) -> dict[str, float] | None:
        found = {feature: value(one) for feature, one in features(window).items()}
        return {feature: one for feature, one in found.items() if one is not None} or None


def _of_one(key: str, name: str, what: str, value: Distance, kind: str) -> None:
    compared, on, said = _ONE[kind]

    @metric(
        f"model_{kind}_{name}",
        f"{what} between {said} and those of the reference.",
        group="distance",
        on=on,
        drift=True,
        distance=key,
    )
    def show(window: Window) -> float | None:
        one = compared(window)
        return None if one is None else value(one)
