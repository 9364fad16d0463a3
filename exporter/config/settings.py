"""The settings tree: frozen, complete, with every default in one place."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal

Task = Literal["binary", "multiclass", "regression"]
Bound = Literal["min", "max", "drop"]


@dataclass(frozen=True)
class WindowSpec:
    """A window: a duration in seconds, or the last ``labels`` joined labels; never both."""

    name: str
    seconds: float | None = None
    labels: int | None = None


@dataclass(frozen=True)
class JoinSettings:
    """How long and how many predictions wait for their labels (``ttl`` in seconds)."""

    ttl: float = 7 * 86_400.0
    max_pending: int = 1_000_000


@dataclass(frozen=True)
class DriftSettings:
    """Where and how drift is measured; ``windows`` None means every window of 1h and more."""

    windows: tuple[str, ...] | None = None
    distances: tuple[str, ...] = ("psi",)
    min_effect: float = 0.02
    warning: float = 10.0
    critical: float = 28.0


@dataclass(frozen=True)
class ModelServerSettings:
    """How the model server's process is found: exactly one field is set."""

    port: int | None = None
    pid: int | None = None
    pid_file: str | None = None
    name: str | None = None
    cmdline: str | None = None


@dataclass(frozen=True)
class LabelSettings:
    """Whether labels are a complete sample, and whether a second label replaces the first."""

    coverage: Literal["complete", "selective"] = "complete"
    revise: bool = False


@dataclass(frozen=True)
class FeatureSettings:
    """What is known of a feature before its first value."""

    kind: Literal["categorical", "numeric"]


@dataclass(frozen=True)
class ReferenceSettings:
    """Where the reference comes from: a file, or the first so many events."""

    file: str | None = None
    independent: bool = False
    first: int | None = None


@dataclass(frozen=True)
class Limit:
    """A bound on a metric (its name without ``model_``); ``drop`` is relative to a reference."""

    metric: str
    bound: Bound
    value: float


@dataclass(frozen=True)
class ModelSettings:
    """Everything configured about one model, the defaults already merged in."""

    name: str = "*"
    team: str = ""
    task: Task | None = None
    positive_class: str | None = None
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    join: bool = True
    labels: LabelSettings = LabelSettings()
    features: Mapping[str, FeatureSettings] = field(default_factory=lambda: MappingProxyType({}))
    reference: ReferenceSettings | None = None
    limits: tuple[Limit, ...] = ()
    segments: tuple[str, ...] = ()
    per_class: bool = False

    @property
    def is_glob(self) -> bool:
        """Return whether the name is a pattern for many models."""
        return any(sign in self.name for sign in "*?[")


@dataclass(frozen=True)
class TokenSettings:
    """A file of bearer tokens, and what their senders may do."""

    file: str
    scope: frozenset[str]


DEFAULT_WINDOWS = (
    WindowSpec("5m", 300.0),
    WindowSpec("1h", 3600.0),
    WindowSpec("24h", 86_400.0),
)


@dataclass(frozen=True)
class Settings:
    """All settings, read once; times in seconds, sizes in bytes."""

    windows: tuple[WindowSpec, ...] = DEFAULT_WINDOWS
    decision_interval: float = 60.0
    max_body_bytes: int = 4 * 2**20
    max_models: int = 200
    max_series: int = 20_000
    max_memory: int | None = None
    max_events_per_second: float | None = None
    model_ttl: float = 7 * 86_400.0
    join: JoinSettings = JoinSettings()
    drift: DriftSettings = DriftSettings()
    durability: str = "disk"
    on_disk_error: Literal["refuse", "continue"] = "refuse"
    max_journal_bytes: int = 256 * 2**20
    model_server: ModelServerSettings | None = None
    model_servers: Mapping[str, ModelServerSettings] = field(
        default_factory=lambda: MappingProxyType({})
    )
    sample_interval: float = 1.0
    gpu: str = "auto"
    grafana_url: str | None = None
    tokens: tuple[TokenSettings, ...] = ()
    defaults: ModelSettings = ModelSettings()
    models: tuple[ModelSettings, ...] = ()
    listen_address: str = ":9920"
    web_config_file: str | None = None
    data_dir: str = "./modelmeter-data"
    persist: bool = True
    log_level: str = "info"
    log_format: str = "logfmt"
    config_file: str | None = None

    def for_model(self, name: str) -> ModelSettings:
        """Return the settings of a model: its own, else the first matching glob's, else defaults.

        The answer carries the model's true name, not the pattern it matched.
        """
        return replace(self.entry(name), name=name)

    def entry(self, name: str) -> ModelSettings:
        """Return the entry that configures a model, with the name or glob that stands there."""
        exact = (model for model in self.models if model.name == name and not model.is_glob)
        globs = (m for m in self.models if m.is_glob and fnmatchcase(name, m.name))
        return next(exact, None) or next(globs, None) or self.defaults

    @property
    def servers(self) -> Mapping[str, ModelServerSettings]:
        """Return the model servers beside us by name; the only one of ``model_server`` has none."""
        return self.model_servers if self.model_server is None else {"": self.model_server}

    @property
    def single_model(self) -> str | None:
        """Return the name of the only configured model, None when there are more or globs."""
        if len(self.models) == 1 and not self.models[0].is_glob:
            return self.models[0].name
        return None
