"""What the numbers of a model mean: its task, classes, features, edges and centres.

A schema is immutable. When a class or a feature is seen for the first time, or edges are set or
adapted, the model gets a new schema, and every pane is carried over to it (see ``layout``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from exporter.bins import FeatureBins
from exporter.events import OTHER_CLASS, Task

Floats = NDArray[np.float64]

MAX_CLASSES: Final = 100
MAX_FEATURES: Final = 200


@dataclass(frozen=True)
class Schema:
    """The meaning of one model version's arrays.

    ``classes`` are in order of first sight: the index of a class is its code, and never changes.
    ``score_edges`` is ``None`` until enough was seen; one row for a binary score, one a class for
    a multiclass model; row ``k`` cuts [0, 1] into ``len(row) + 1`` bins.
    """

    task: Task
    classes: tuple[str, ...] = ()
    positive: str | None = None
    threshold: float = 0.5
    features: tuple[str, ...] = ()
    center: float = 0.0
    label_center: float = 0.0
    score_edges: Floats | None = field(default=None, compare=False, repr=False)
    bins: tuple[FeatureBins, ...] = ()
    """How features are counted, of those that a reference tells about."""
    outputs: FeatureBins | None = None
    """How a regression's predicted numbers are counted, where a reference tells."""
    targets: FeatureBins | None = None
    """How a regression's labels are counted, where a labelled reference tells."""
    calibration: Floats | None = field(default=None, compare=False, repr=False)
    """(classes, score bins) probability of a class given its score, from a labelled reference."""

    def dump(self) -> dict[str, Any]:
        """Return everything as plain objects and arrays."""
        dumped = {one.name: getattr(self, one.name) for one in fields(self)}
        for name in ("outputs", "targets"):
            dumped[name] = None if dumped[name] is None else dumped[name].dump()
        return {**dumped, "bins": [one.dump() for one in self.bins]}

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> Schema:
        """Return what was dumped."""
        values = dict(dumped)
        for name in ("classes", "features"):
            values[name] = tuple(values[name])
        for name in ("outputs", "targets"):
            values[name] = None if values[name] is None else FeatureBins.load(values[name])
        return cls(**{**values, "bins": tuple(map(FeatureBins.load, values["bins"]))})

    @cached_property
    def codes(self) -> dict[str, int]:
        """Class name to code."""
        return {name: code for code, name in enumerate(self.classes)}

    @cached_property
    def edges_fingerprint(self) -> str:
        """Names the edges: histograms of different fingerprints never combine."""
        if self.score_edges is None:
            return ""
        shape = repr(self.score_edges.shape).encode()
        return hashlib.sha256(shape + self.score_edges.tobytes()).hexdigest()[:16]

    @cached_property
    def fingerprint(self) -> str:
        """Names everything that decides the shape and the meaning of a summary."""
        parts = (self.task, self.classes, self.features, self.center, self.label_center)
        calibration = b"" if self.calibration is None else self.calibration.tobytes()
        text = repr(parts) + self.edges_fingerprint + self.bins_fingerprint
        text += hashlib.sha256(calibration).hexdigest()
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def bins_fingerprint(self) -> str:
        """Names the bins of all features, of outputs and of labels."""
        numbers = (self.outputs, self.targets)
        return ",".join("" if one is None else one.fingerprint for one in (*self.bins, *numbers))

    @property
    def classifies(self) -> bool:
        """Whether the model predicts classes."""
        return self.task != "regression"

    @property
    def score_bins(self) -> int:
        """How many bins a score falls into; 0 before the edges are known."""
        return 0 if self.score_edges is None else self.score_edges.shape[1] + 1

    @property
    def positive_code(self) -> int | None:
        """The code of the positive class, if it is known and was seen."""
        return None if self.positive is None else self.codes.get(self.positive)

    def with_classes(self, names: list[str]) -> Schema:
        """Return this schema with ``names`` added, as far as the bound allows.

        Past the bound one class ``__other__`` stands for all the rest.
        """
        known = list(self.classes)
        for name in names:
            if name in known or OTHER_CLASS in known:
                continue
            known.append(name if len(known) < MAX_CLASSES else OTHER_CLASS)
        return replace(self, classes=tuple(known))

    def with_features(self, names: list[str]) -> Schema:
        """Return this schema with the features ``names`` added, as far as the bound allows."""
        room = MAX_FEATURES - len(self.features)
        return replace(self, features=self.features + tuple(names[:room]))
