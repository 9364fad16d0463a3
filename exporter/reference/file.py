"""A reference as one small file that later releases read too.

A head (what it is, format version, length, checksum) and a MessagePack map. The summary is kept
statistic by statistic under their names, so that a release that counts more reads it as well:
what a file does not tell is nothing. Nothing in a file is ever executed.
"""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np

from exporter.bins import MAX_CATEGORIES, FeatureBins, FeatureKind
from exporter.events import MAX_CLASS, MAX_FEATURE, Task
from exporter.layout import Layout
from exporter.reference.reference import FeatureSummary, Reference, Variability
from exporter.registry import STATISTICS, Floats
from exporter.schema import MAX_CLASSES, MAX_FEATURES, Schema

MEDIA_TYPE: Final = "application/vnd.modelmeter.reference"
MAGIC: Final = b"\x89modelmeter-reference\r\n\x1a\n"
"""As PNG's: it is no text, and a transfer that changes line ends shows."""
FORMAT: Final = 1
MAX_BYTES: Final = 64 * 2**20
_HEAD: Final = struct.Struct("<HII")
_MAX_EDGES: Final = 4096
_MAX_WINDOWS: Final = 1000
_LONGEST: Final = 1e12
"""Seconds (30 000 years) of a window, or between two events."""


class BadFile(ValueError):
    """Bytes that are no reference file, or one that cannot be used."""


class _Array(msgspec.Struct, array_like=True):
    shape: Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=2**32)]], msgspec.Meta(max_length=4)]
    data: bytes
    """Float64, little-endian, row by row."""


Text = Annotated[str, msgspec.Meta(max_length=1000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Name = Annotated[str, msgspec.Meta(max_length=MAX_FEATURE)]
ClassName = Annotated[str, msgspec.Meta(max_length=MAX_CLASS)]


class _Bins(msgspec.Struct):
    name: Name
    kind: FeatureKind
    edges: _Array
    categories: Annotated[list[str], msgspec.Meta(max_length=MAX_CATEGORIES)]
    rest: bool
    scale: float


class _Found(msgspec.Struct):
    name: Name
    kind: FeatureKind
    chosen: Text
    values: Count
    missing: Count
    distinct: Count
    low: float | None
    high: float | None


class _Variability(msgspec.Struct):
    seconds: float
    windows: Count
    effects: dict[str, float]
    variances: dict[str, float]


class _Saved(msgspec.Struct):
    task: Task
    classes: Annotated[list[ClassName], msgspec.Meta(max_length=MAX_CLASSES + 1)]
    positive: ClassName | None
    threshold: float
    features: Annotated[list[Name], msgspec.Meta(max_length=MAX_FEATURES)]
    center: float
    label_center: float
    score_edges: _Array | None
    calibration: _Array | None
    bins: Annotated[list[_Bins], msgspec.Meta(max_length=MAX_FEATURES)]
    outputs: _Bins | None
    targets: _Bins | None
    rows: Count
    labels: Count
    covers: float | None
    independent: bool
    source: Text
    statistics: dict[str, _Array]
    variability: Annotated[list[_Variability], msgspec.Meta(max_length=_MAX_WINDOWS)] = []
    found: Annotated[list[_Found], msgspec.Meta(max_length=MAX_FEATURES)] = []


_DECODER: Final = msgspec.msgpack.Decoder(_Saved)


def is_reference(head: bytes) -> bool:
    """Return whether bytes begin as a reference file does."""
    return head.startswith(MAGIC)


def dumps(reference: Reference) -> bytes:
    """Return a reference as the bytes of a file."""
    body = msgspec.msgpack.encode(_saved(reference))
    return MAGIC + _HEAD.pack(FORMAT, len(body), zlib.crc32(body)) + body


def loads(data: bytes) -> Reference:
    """Return the reference that bytes hold; raises :class:`BadFile`."""
    start = len(MAGIC) + _HEAD.size
    if not is_reference(data) or len(data) < start:
        raise BadFile("not a reference file")
    version, length, checksum = _HEAD.unpack_from(data, len(MAGIC))
    if version > FORMAT:
        raise BadFile(f"reference file of format {version}; this release reads up to {FORMAT}")
    if length > MAX_BYTES:
        raise BadFile(f"reference file says that it holds {length} bytes, {MAX_BYTES} are allowed")
    body = memoryview(data)[start:]
    if len(body) != length:
        raise BadFile(f"reference file has {len(body)} bytes of content, its head says {length}")
    if zlib.crc32(body) != checksum:
        raise BadFile("reference file is damaged: its checksum is another")
    try:
        return _reference(_DECODER.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadFile(f"reference file cannot be read: {error}") from None


def save(reference: Reference, path: str | Path) -> None:
    """Write a reference to a file, whole or not at all. Raises OSError."""
    target = Path(path)
    beside = target.with_name(f".{target.name}.new")
    try:
        beside.write_bytes(dumps(reference))
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def load(path: str | Path) -> Reference:
    """Return the reference in a file. Raises :class:`BadFile` and OSError."""
    with Path(path).open("rb") as file:
        data = file.read(MAX_BYTES + len(MAGIC) + _HEAD.size + 1)
    return loads(data)


def _saved(reference: Reference) -> _Saved:
    schema = reference.schema
    layout = Layout(schema, STATISTICS.values())
    views = {one.name: layout.view(reference.vector, one.name) for one in layout.statistics}
    return _Saved(
        task=schema.task,
        classes=list(schema.classes),
        positive=schema.positive,
        threshold=schema.threshold,
        features=list(schema.features),
        center=schema.center,
        label_center=schema.label_center,
        score_edges=_packed(schema.score_edges),
        calibration=_packed(schema.calibration),
        bins=[_saved_bins(one) for one in schema.bins],
        outputs=None if schema.outputs is None else _saved_bins(schema.outputs),
        targets=None if schema.targets is None else _saved_bins(schema.targets),
        rows=reference.rows,
        labels=reference.labels,
        covers=reference.covers,
        independent=reference.independent,
        source=reference.source,
        statistics={name: _array(view) for name, view in views.items() if view is not None},
        variability=[
            _Variability(seconds, one.windows, dict(one.effects), dict(one.variances))
            for seconds, one in reference.variability.items()
        ],
        found=[_Found(**asdict(one)) for one in reference.found],
    )


def _reference(saved: _Saved) -> Reference:
    schema = _schema(saved)
    _check_told(saved)
    layout = Layout(schema, STATISTICS.values())
    vector = layout.zero()
    for name, array in saved.statistics.items():
        values, place = _numbers(f"statistics.{name}", array), layout.view(vector, name)
        if place is not None and place.shape == values.shape:
            place[...] = values
    return Reference(
        schema,
        vector,
        rows=saved.rows,
        labels=saved.labels,
        covers=saved.covers,
        independent=saved.independent,
        variability={
            one.seconds: Variability(one.windows, one.effects, one.variances)
            for one in saved.variability
        },
        source=saved.source,
        found=tuple(FeatureSummary(**msgspec.structs.asdict(one)) for one in saved.found),
    )


def _schema(saved: _Saved) -> Schema:
    for what, names in (
        ("classes", saved.classes),
        ("features", saved.features),
        ("bins", [one.name for one in saved.bins]),
    ):
        if len(set(names)) < len(names):
            raise BadFile(f"{what}: a name stands there twice")
    schema = Schema(
        task=saved.task,
        classes=tuple(saved.classes),
        positive=saved.positive,
        threshold=saved.threshold,
        features=tuple(saved.features),
        center=saved.center,
        label_center=saved.label_center,
        score_edges=_score_edges(saved),
        bins=tuple(_bins(one) for one in saved.bins),
        outputs=None if saved.outputs is None else _bins(saved.outputs),
        targets=None if saved.targets is None else _bins(saved.targets),
        calibration=_unpacked("calibration", saved.calibration),
    )
    if not all(map(math.isfinite, (schema.threshold, schema.center, schema.label_center))):
        raise BadFile("threshold and centres must be finite")
    if not {one.name for one in schema.bins} <= set(schema.features):
        raise BadFile("bins: of a feature that is none of features")
    _check_calibration(schema)
    return schema


def _check_told(saved: _Saved) -> None:
    """Raise :class:`BadFile` for what is told beside the summary and cannot be."""
    if not all(0 < one.seconds <= _LONGEST for one in saved.variability):
        raise BadFile("variability: seconds must be above 0")
    if saved.covers is not None and not 0 <= saved.covers <= _LONGEST:
        raise BadFile("covers: must be seconds")
    if saved.labels > saved.rows:
        raise BadFile("labels: more than rows")
    numbers = [end for one in saved.found for end in (one.low, one.high) if end is not None]
    for one in saved.variability:
        numbers += [*one.effects.values(), *one.variances.values()]
    if not all(map(math.isfinite, numbers)):
        raise BadFile("variability and found: numbers must be finite")


def _score_edges(saved: _Saved) -> Floats | None:
    if saved.score_edges is None:
        return None
    edges = _numbers("score_edges", saved.score_edges)
    rows = len(saved.classes) if saved.task == "multiclass" else 1
    if edges.ndim != 2 or len(edges) != rows or not 0 < edges.shape[1] <= _MAX_EDGES:
        raise BadFile(f"score_edges: has shape {edges.shape}")
    if not (np.isfinite(edges).all() and (np.diff(edges) >= 0).all()):
        raise BadFile("score_edges: must ascend")
    return edges


def _check_calibration(schema: Schema) -> None:
    table = schema.calibration
    if table is None:
        return
    rows = 0 if schema.score_edges is None else len(schema.score_edges)
    if table.shape != (rows, schema.score_bins) or ((table < 0) | (table > 1)).any():
        raise BadFile("calibration: must be a probability for each bin of the scores")


def _bins(saved: _Bins) -> FeatureBins:
    edges = _numbers(f"bins.{saved.name}", saved.edges)
    numeric = saved.kind == "numeric"
    if edges.ndim != 1 or len(edges) > _MAX_EDGES or numeric == (len(edges) < 2):
        raise BadFile(f"bins.{saved.name}: has edges of shape {edges.shape}")
    if not (np.isfinite(edges).all() and (np.diff(edges) > 0).all()):
        raise BadFile(f"bins.{saved.name}: edges must ascend")
    if len(set(saved.categories)) < len(saved.categories):
        raise BadFile(f"bins.{saved.name}: a category stands there twice")
    if not math.isfinite(saved.scale):
        raise BadFile(f"bins.{saved.name}: scale must be finite")
    categories = tuple(saved.categories)
    return FeatureBins(saved.name, saved.kind, edges, categories, saved.rest, saved.scale)


def _saved_bins(bins: FeatureBins) -> _Bins:
    edges, categories = _array(bins.edges), list(bins.categories)
    return _Bins(bins.name, bins.kind, edges, categories, bins.rest, bins.scale)


def _unpacked(name: str, array: _Array | None) -> Floats | None:
    return None if array is None else _numbers(name, array)


def _packed(array: Floats | None) -> _Array | None:
    return None if array is None else _array(array)


def _array(array: Floats) -> _Array:
    return _Array(list(array.shape), np.ascontiguousarray(array, "<f8").tobytes())


def _numbers(name: str, array: _Array) -> Floats:
    """Return an array; how large it says it is must be how many bytes there are."""
    if math.prod(array.shape) * 8 != len(array.data):
        raise BadFile(f"{name}: has {len(array.data)} bytes for the shape {tuple(array.shape)}")
    values = np.frombuffer(array.data, "<f8").astype(np.float64)
    if not np.isfinite(values).all():
        raise BadFile(f"{name}: numbers must be finite")
    try:
        return values.reshape(array.shape)
    except ValueError:
        # Nothing, in a shape so large that even counting its places overflows.
        raise BadFile(f"{name}: cannot have the shape {tuple(array.shape)}") from None
