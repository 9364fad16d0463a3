"""The table of every key of the configuration file: its name and what may stand there."""

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, Final

import yaml

from exporter.config import document, tokens
from exporter.config.parsers import (
    Parser,
    Section,
    boolean,
    choice,
    duration,
    integer,
    list_of,
    mapping,
    number,
    size,
    text,
)
from exporter.config.problems import nearest
from exporter.config.secrets import unshown
from exporter.config.settings import (
    DriftSettings,
    FeatureSettings,
    JoinSettings,
    ModelServerSettings,
    ReferenceSettings,
    TokenSettings,
    WindowSpec,
)
from exporter.config.units import parse_duration
from exporter.config.values import Invalid, Value, shown
from exporter.config.web_url import web_url
from exporter.events import MAX_CLASS, MAX_FEATURE, MAX_MODEL, class_name

SECOND, DAY = 1.0, 86_400.0
MIB, GIB = 2**20, 2**30
MAX_WINDOWS: Final = 8
MAX_CLASSES: Final = 100
DURABILITIES: Final = ("disk", "process", "none")
DISK_ERRORS: Final = ("refuse", "continue")
GPU_MODES: Final = ("auto", "off", "required")
TASKS: Final = ("binary", "multiclass", "regression")
DISTANCES: Final = ("psi", "js", "ks", "wasserstein")
"""Those there are where nobody tells of others."""
COVERAGES: Final = ("complete", "selective")
KINDS: Final = ("numeric", "categorical")
BOUNDS: Final = ("min", "max", "drop")
SCOPES: Final = ("ingest", "read", "admin")
MAX_TOKEN_FILES: Final = 100

_MODEL = re.compile(rf"[A-Za-z0-9*?\[][A-Za-z0-9._:/*?\[\]!-]{{0,{MAX_MODEL - 1}}}")
_SERVER = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LABEL_WINDOW = re.compile(r"([0-9]{1,9}) +labels")


def window(value: Value) -> WindowSpec:
    """Return a window of 1s to 1y, or of the last 1 to 10 million labels."""
    expected = "a duration from 1s to 1y such as 5m, or 1 to 10000000 labels such as 1000 labels"
    name = value.text(expected)
    if match := _LABEL_WINDOW.fullmatch(name):
        count = int(match[1])
        if 1 <= count <= 10_000_000:
            return WindowSpec(f"{count} labels", labels=count)
        value.fail(f"must be {expected}, got {shown(value.node)}")
    try:
        seconds = parse_duration(name)
    except ValueError:
        seconds = 0.0
    if not SECOND <= seconds <= 365 * DAY:
        value.fail(f"must be {expected}, got {shown(value.node)}")
    return WindowSpec(name, seconds=seconds)


def windows(value: Value) -> tuple[WindowSpec, ...]:
    """Return the windows, durations first, each kind ascending; the same length twice is wrong."""
    found = list_of(window, "a list of windows such as [5m, 1h]", 1, MAX_WINDOWS)(value)
    lengths: dict[tuple[float | None, int | None], str] = {}
    for spec in found:
        other = lengths.setdefault((spec.seconds, spec.labels), spec.name)
        if other != spec.name:
            value.report(f"{other} and {spec.name} are the same window")
    return tuple(sorted(found, key=lambda spec: (spec.labels or 0, spec.seconds or 0.0)))


def a_class(value: Value) -> str:
    """Return a class named as events name it: ``1``, ``1.0``, ``"1"`` and ``true`` are ``1``."""
    expected = f"a class: text of 1 to {MAX_CLASS} characters, a number or a boolean"
    name = class_name(value.scalar(expected))
    if not 0 < len(name) <= MAX_CLASS:
        value.fail(f"must be {expected}, got {shown(value.node)}")
    return name


def pattern(value: Value) -> str:
    """Return a regular expression that compiles."""
    found = value.text("a regular expression")
    try:
        re.compile(found)
    except (re.error, OverflowError, RecursionError) as error:
        value.fail(f"must be a regular expression: {error}")
    if not found:
        value.fail("must be a regular expression, got empty text")
    return found


def _some(text_: str) -> bool:
    return bool(text_.strip())


def _feature_name(value: Value, name: str) -> None:
    if not 0 < len(name) <= MAX_FEATURE:
        value.fail(f"a feature's name has 1 to {MAX_FEATURE} characters")


def _server_name(value: Value, name: str) -> None:
    if not _SERVER.fullmatch(name):
        value.fail("a model server's name has 1 to 64 of A-Z a-z 0-9 . _ -")


def _metric_name(known: Collection[str]) -> Callable[[Value, str], None]:
    def check(value: Value, name: str) -> None:
        if name not in known:
            hint = nearest(name.removeprefix("model_"), known)
            value.fail(f"not a metric that can have a limit{hint}", *sorted(known))

    return check


def _bounds(value: Value) -> dict[str, float]:
    finite = number(-1e300, 1e300, expected="a number")
    keys = {"min": finite, "max": finite, "drop": number(0, 1e300, above=True)}
    bounds: dict[str, float] = Section(keys)(value)
    if bounds.get("min", -1e300) > bounds.get("max", 1e300):
        value.fail(f"min {bounds['min']:g} is above max {bounds['max']:g}")
    return bounds


def _beside(value: Value, path: str) -> str:
    """Return a path as it is seen from the configuration file, as Prometheus does."""
    line = document.line_of(value.node)
    return path if line is None else document.beside(value.node.start_mark.name, path)


def _file(value: Value) -> str:
    return _beside(value, text("the path of a file", _some)(value))


def _token_file(value: Value) -> str:
    path = _file(value)
    try:
        tokens.read(path)
    except tokens.TokenError as error:
        value.fail(str(error))
    return path


def _scope(value: Value) -> frozenset[str]:
    """Return one scope or several."""
    one = choice(*SCOPES)
    if isinstance(value.node, yaml.SequenceNode):
        return frozenset(list_of(one, "a list of scopes", 1)(value))
    return frozenset((one(value),))


FEATURE: Final = Section({"kind": choice(*KINDS)}, build=FeatureSettings, required=("kind",))
JOIN: Final = Section(
    {"ttl": duration(SECOND, 365 * DAY), "max_pending": integer(1, 100_000_000)},
    build=JoinSettings,
)
DRIFT: Final[Mapping[str, Parser[Any]]] = MappingProxyType(
    {
        "windows": list_of(text("the name of a window", _some), "a list such as [1h, 24h]"),
        "min_effect": number(0, 1),
        "warning": number(0, 1e6, above=True),
        "critical": number(0, 1e6, above=True),
    }
)
MODEL_SERVER: Final = Section(
    {
        "port": integer(1, 65_535),
        "pid": integer(1, 2**22),
        "pid_file": _file,
        "name": text("the name of a program", _some),
        "cmdline": pattern,
    },
    build=ModelServerSettings,
    one_of=("port", "pid", "pid_file", "name", "cmdline"),
)
MODEL_SERVERS: Final = mapping(MODEL_SERVER, _server_name)
TOKEN: Final = unshown(
    Section({"file": _token_file, "scope": _scope}, build=TokenSettings, required=("file", "scope"))
)
_TOKEN_LIST: Final = "a list such as [{file: token, scope: ingest}]"
TOKENS: Final = unshown(
    list_of(TOKEN, _TOKEN_LIST, 0, MAX_TOKEN_FILES), yaml.SequenceNode, _TOKEN_LIST
)
LABELS: Final = Section({"coverage": choice(*COVERAGES), "revise": boolean})
REFERENCE: Final = Section(
    {"file": _file, "independent": boolean, "first": integer(100, 10_000_000)},
    build=ReferenceSettings,
    one_of=("file", "first"),
)

MODEL: Final[Mapping[str, Parser[Any]]] = MappingProxyType(
    {
        "team": text("text of at most 128 characters", lambda team: len(team) <= 128),
        "task": choice(*TASKS),
        "positive_class": a_class,
        "classes": list_of(a_class, "a list of classes", 0, MAX_CLASSES),
        "threshold": number(0, 1),
        "join": boolean,
        "labels": LABELS,
        "features": mapping(FEATURE, _feature_name),
        "reference": REFERENCE,
        "segments": list_of(text("the name of a segment", _some), "a list such as [region]"),
        "per_class": boolean,
    }
)
MODEL_NAME: Final = text(
    f"a model's name or a glob: 1-{MAX_MODEL} of A-Z a-z 0-9 . _ : / - and * ? [ ] !",
    _MODEL.fullmatch,
)


def model_keys(limit_metrics: Collection[str]) -> dict[str, Parser[Any]]:
    """Return the keys that ``defaults`` and every model may have."""
    return {**MODEL, "limits": mapping(_bounds, _metric_name(limit_metrics))}


def drift(distances: Collection[str]) -> Section:
    """Return the parser of what is shown and tolerated as drift."""
    named = list_of(choice(*distances), "a list such as [psi, ks]")
    return Section({**DRIFT, "distances": named}, build=DriftSettings)


def root(limit_metrics: Collection[str], distances: Collection[str] = DISTANCES) -> Section:
    """Return the parser of the whole file.

    ``limit_metrics`` are the metrics that take limits, ``distances`` those that can be shown.
    """
    model = model_keys(limit_metrics)
    return Section(
        {
            "windows": windows,
            "decision_interval": duration(0.1, 3600),
            "max_body_bytes": size(1, 256 * MIB),
            "max_models": integer(1, 10_000),
            "max_series": integer(1, 1_000_000),
            "max_memory": size(64 * MIB, 1024 * GIB),
            "max_events_per_second": number(0, 1e9, above=True),
            "model_ttl": duration(SECOND, 365 * DAY),
            "join": JOIN,
            "drift": drift(distances),
            "durability": choice(*DURABILITIES),
            "on_disk_error": choice(*DISK_ERRORS),
            "max_journal_bytes": size(4 * MIB, 64 * GIB),
            "model_server": MODEL_SERVER,
            "model_servers": MODEL_SERVERS,
            "sample_interval": duration(0.1, 60),
            "gpu": choice(*GPU_MODES),
            "grafana_url": web_url,
            "tokens": TOKENS,
            "defaults": Section(model),
            "models": models(Section({"name": MODEL_NAME, **model}, required=("name",))),
        }
    )


def models(entry: Section) -> Parser[list[tuple[Value, dict[str, Any]]]]:
    """Return a parser of the list of models: each entry's place and the keys it gives."""

    def parse(value: Value) -> list[tuple[Value, dict[str, Any]]]:
        found: dict[str, tuple[Value, dict[str, Any]]] = {}
        for item in value.items("a list of models, each with a name"):
            try:
                given = entry(item)
            except Invalid:
                continue
            if given["name"] in found:
                item.report(f"the model {given['name']} is configured twice")
            found[given["name"]] = (item, given)
        return list(found.values())

    return parse


def paths(section: Section, prefix: str = "") -> list[str]:
    """Return the key path of every key below a section, sections included."""
    found = []
    for key, parser in section.keys.items():
        found.append(f"{prefix}{key}")
        if isinstance(parser, Section):
            found += paths(parser, f"{prefix}{key}.")
    return found
