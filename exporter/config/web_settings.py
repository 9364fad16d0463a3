"""The settings of a web configuration file, as Prometheus' exporter-toolkit has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from exporter.config.problems import Problem


@dataclass(frozen=True)
class TlsSettings:
    """How connections are encrypted, and which clients may connect.

    Certificates are the paths of PEM files, or PEM text itself where the name has no ``_file``.
    """

    cert: str | None = None
    key: str | None = field(default=None, repr=False)
    client_ca: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    client_ca_file: str | None = None
    client_auth_type: str = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Return the paths of what is read when a connection is made."""
        named = (self.cert_file, self.key_file, self.client_ca_file)
        return tuple(path for path in named if path is not None)

    @property
    def verifies_clients(self) -> bool:
        """Return whether certificates of clients are looked at."""
        return self.client_auth_type in ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")


@dataclass(frozen=True)
class HttpSettings:
    """Headers that every answer has; ``http2`` is None where nothing is said of it."""

    http2: bool | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class RequestRate:
    """One request every ``interval`` seconds, ``burst`` at once; no limit at interval 0."""

    interval: float = 0.0
    burst: int = 0


@dataclass(frozen=True)
class WebSettings:
    """A whole web configuration file; users are names and bcrypt hashes."""

    file: str
    tls: TlsSettings | None = None
    http: HttpSettings = HttpSettings()
    users: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    rate_limit: RequestRate = RequestRate()
    notices: tuple[str, ...] = ()
    lines: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}), repr=False)

    def problem(self, key_path: str, message: str, *allowed: str) -> Problem:
        """Return a problem at a key, with its line."""
        return Problem(self.file, self.lines.get(key_path), key_path, message, allowed)
