"""Flags, environment and file to one settings tree, or to every problem they have."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import yaml

from exporter.config import document, environment, keys
from exporter.config.address import parse_address
from exporter.config.parsers import Parser, Section, boolean, choice, parse_each, text
from exporter.config.problems import ConfigError, Problem
from exporter.config.settings import LabelSettings, Limit, ModelSettings, Settings
from exporter.config.values import Invalid, Value

LOG_LEVELS: Final = ("debug", "info", "warn", "error")
LOG_FORMATS: Final = ("logfmt", "json")
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def _is_address(address: str) -> bool:
    try:
        parse_address(address)
    except ValueError:
        return False
    return True


@dataclass(frozen=True)
class Flag:
    """A setting of the process that is no key of the file: its flag and what it may be."""

    setting: str
    flag: str
    parse: Parser[Any]

    @property
    def path(self) -> str:
        """The flag as a key path, from which the environment variable is named."""
        return self.flag.removeprefix("--").replace("-", "_")


FLAGS: Final = (
    Flag("config_file", "--config", text("the path of a file", bool)),
    Flag(
        "listen_address",
        "--web.listen-address",
        text("an address such as :9920, 127.0.0.1:9920 or [::1]:9920", _is_address),
    ),
    Flag("web_config_file", "--web.config.file", text("the path of a file", bool)),
    Flag("data_dir", "--data-dir", text("the path of a folder", bool)),
    Flag("persist", "--no-persist", lambda value: not boolean(value)),
    Flag("log_level", "--log.level", choice(*LOG_LEVELS)),
    Flag("log_format", "--log.format", choice(*LOG_FORMATS)),
)


def load(
    flags: Mapping[str, str | None] = _NOTHING,
    *,
    environ: Mapping[str, str] = _NOTHING,
    limit_metrics: Collection[str],
    distances: Collection[str] = keys.DISTANCES,
) -> Settings:
    """Return the settings: flag before environment before file before default.

    ``flags`` maps names such as ``--config`` to their text (None: not given); ``limit_metrics``
    are the metrics that may have limits, without ``model_``, and ``distances`` those of drift.
    Raises ConfigError with all problems.
    """
    problems: list[Problem] = []
    process = _process(flags, environ, problems)
    node = None
    if path := process.get("config_file"):
        try:
            node = document.read(path)
        except ConfigError as error:
            problems += error.problems
    return _settings(node, process, environ, keys.root(limit_metrics, distances), problems)


def loads(
    content: str,
    *,
    limit_metrics: Collection[str],
    distances: Collection[str] = keys.DISTANCES,
    environ: Mapping[str, str] = _NOTHING,
    flags: Mapping[str, str | None] = _NOTHING,
    file: str = "modelmeter.yaml",
) -> Settings:
    """Return the settings of a file's text, as :func:`load` does of the file."""
    problems: list[Problem] = []
    process = _process(flags, environ, problems)
    node = document.compose(content, file)
    return _settings(node, process, environ, keys.root(limit_metrics, distances), problems)


def process_settings(flags: Mapping[str, str | None], environ: Mapping[str, str]) -> Settings:
    """Return what flags and environment say of the process, no file read. Raises ConfigError."""
    problems: list[Problem] = []
    process = _process(flags, environ, problems)
    if problems:
        raise ConfigError(problems)
    return Settings(**process)


def environment_paths() -> list[str]:
    """Return every key path and flag that an environment variable can set."""
    return keys.paths(keys.root(())) + [flag.path for flag in FLAGS]


def environment_warnings(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return a warning for each ``MODELMETER_`` variable that sets nothing."""
    known = [environment.variable(path) for path in environment_paths()]
    known += environment.OF_CLIENTS
    return environment.unknown(environ, known)


def _process(
    flags: Mapping[str, str | None], environ: Mapping[str, str], problems: list[Problem]
) -> dict[str, Any]:
    """Return the settings that flags and their variables give."""
    meant = environment.given(environ)
    values: dict[str, Value] = {}
    for flag in FLAGS:
        name = environment.variable(flag.path)
        node = None
        if (content := flags.get(flag.flag)) is not None:
            as_node = document.plain_node if content else document.text_node
            node = as_node(content, flag.flag)
        elif meant.get(name):
            node = document.plain_node(meant[name], document.ENVIRONMENT + name)
        if node is not None:
            values[flag.setting] = Value(node, "", problems)
    return parse_each(values, {flag.setting: flag.parse for flag in FLAGS})


def _settings(
    node: yaml.Node | None,
    process: dict[str, Any],
    environ: Mapping[str, str],
    root: Section,
    problems: list[Problem],
) -> Settings:
    try:
        tree = environment.overlay(node, keys.paths(root), environ, exclusive=("model_server",))
    except ConfigError as error:
        problems += error.problems
        tree = node
    settings = Settings(**process)
    if tree is not None:
        settings = _build(Value(tree, "", problems), root, process)
    if problems:
        raise ConfigError(problems)
    return settings


def _build(value: Value, root: Any, process: dict[str, Any]) -> Settings:
    """Return the settings of a tree; what is wrong is left with the value's problems."""
    try:
        given = root(value)
    except Invalid:
        return Settings()
    defaults = given.get("defaults", {})
    models = given.pop("models", [])
    given["defaults"] = _model(defaults)
    given["models"] = tuple(_model(_merged(defaults, model)) for _, model in models)
    for (place, model), merged in zip(models, given["models"], strict=True):
        _check_model(place, model, merged)
    given["model_servers"] = MappingProxyType(given.get("model_servers", {}))
    settings = Settings(**{**given, **process})
    _check_drift(value, settings)
    if settings.model_server is not None and settings.model_servers:
        value.at("model_servers").report("stands beside model_server: give one of the two")
    return settings


def _merged(defaults: Mapping[str, Any], model: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model over the defaults: mappings key by key, anything else as a whole."""
    merged = {**defaults, **model}
    for key in ("labels", "features", "limits"):
        if key in merged:
            merged[key] = {**defaults.get(key, {}), **model.get(key, {})}
    return merged


def _model(given: Mapping[str, Any]) -> ModelSettings:
    plain = dict(given)
    limits = plain.pop("limits", {})
    labels = LabelSettings(**plain.pop("labels", {}))
    features = MappingProxyType(plain.pop("features", {}))
    each = [
        Limit(metric, bound, v) for metric, bounds in limits.items() for bound, v in bounds.items()
    ]
    return ModelSettings(**plain, labels=labels, features=features, limits=tuple(each))


def _check_model(place: Value, given: Mapping[str, Any], model: ModelSettings) -> None:
    """Report keys of a model that contradict each other."""
    if "positive_class" in given and model.classes and model.positive_class not in model.classes:
        place.report(f"positive_class {model.positive_class} is not one of classes", *model.classes)
    if model.task == "binary" and "classes" in given and len(model.classes) not in (0, 2):
        place.report(f"a binary model has 2 classes, got {len(model.classes)}")
    for key in ("positive_class", "classes"):
        if model.task == "regression" and given.get(key):
            place.report(f"a regression model has no {key}")


def _check_drift(value: Value, settings: Settings) -> None:
    """Report drift windows that are not there, and a critical level below the warning one."""
    drift = settings.drift
    names = [window.name for window in settings.windows if window.seconds is not None]
    for name in drift.windows or ():
        if name not in names:
            value.at("drift", "windows").report(f"{name} is not one of windows", *names)
    if drift.critical < drift.warning:
        place = value.at("drift", "critical")
        place.report(f"critical {drift.critical:g} is below warning {drift.warning:g}")
