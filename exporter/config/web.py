"""The web configuration file of ``--web.config.file``: the format of Prometheus' exporter-toolkit.

https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

import yaml

from exporter.config import document, secrets, tls_names
from exporter.config.parsers import (
    Parser,
    Section,
    boolean,
    choice,
    integer,
    list_of,
    mapping,
    text,
)
from exporter.config.problems import ConfigError, Problem
from exporter.config.secrets import secret, unshown
from exporter.config.units import parse_go_duration
from exporter.config.values import Invalid, Value, shown
from exporter.config.web_settings import HttpSettings, RequestRate, TlsSettings, WebSettings

HEADERS: Final[Mapping[str, tuple[str, ...]]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
"""The headers that may be set, and their values where only some are right."""
PAIRS: Final = (("cert", "cert_file"), ("key", "key_file"), ("client_ca", "client_ca_file"))
MAX_BURST: Final = 1_000_000

_HASH: Final = re.compile(r"\$2[abxy]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_HEADER: Final = re.compile(r"[\x20-\x7e\xa0-\xff]*")


def filled(section: Section) -> Parser[Any]:
    """Return a parser for which a key with empty text is not given, as in Go."""

    def parse(value: Value) -> Any:
        node = value.node
        if isinstance(node, yaml.MappingNode):
            pairs = [(key, one) for key, one in node.value if one.value != ""]
            node = yaml.MappingNode(node.tag, pairs, node.start_mark, node.end_mark)
        return section(replace(value, node=node))

    return parse


def _file(value: Value) -> str:
    found = str(value.node.value) if isinstance(value.node, yaml.ScalarNode) else ""
    if "-----BEGIN" in found:
        value.fail("must be the path of a file, got the content of one")
    return document.beside(value.node.start_mark.name, value.text("the path of a file"))


def _header(name: str) -> Parser[str]:
    if HEADERS[name]:
        return choice(*HEADERS[name])
    return text("a header's value on one line", _HEADER.fullmatch)


def _interval(value: Value) -> float:
    expected = "a duration as Go writes it, such as 500ms or 1m30s, or 0 for no limit"
    try:
        return parse_go_duration(value.text(expected))
    except ValueError:
        value.fail(f"must be {expected}, got {shown(value.node)}")


def _user_name(value: Value, name: str) -> None:
    if not name or ":" in name:
        value.fail("a user's name must not be empty or hold a colon")


TLS: Final = Section(
    {
        "cert": secret("a certificate in PEM", str.strip),
        "key": secret("a private key in PEM", str.strip),
        "client_ca": secret("certificates in PEM", str.strip),
        "cert_file": _file,
        "key_file": _file,
        "client_auth_type": choice(*tls_names.CLIENT_AUTH),
        "client_ca_file": _file,
        "client_allowed_sans": list_of(text("a name", str.strip), "a list of names"),
        "min_version": choice(*tls_names.VERSIONS),
        "max_version": choice(*tls_names.VERSIONS),
        "cipher_suites": list_of(
            choice(*tls_names.SUITES, *tls_names.TLS13_SUITES), "a list of Go's cipher suites"
        ),
        "prefer_server_cipher_suites": boolean,
        "curve_preferences": list_of(choice(*tls_names.CURVES), "a list of Go's curves"),
    },
    build=lambda **given: TlsSettings(**given) if given else None,
)
HTTP: Final = Section(
    {
        "http2": boolean,
        "headers": filled(Section({name: _header(name) for name in HEADERS})),
    },
    build=HttpSettings,
)
RATE: Final = Section({"interval": _interval, "burst": integer(0, MAX_BURST)}, build=RequestRate)
WEB: Final = unshown(
    Section(
        {
            "tls_server_config": filled(TLS),
            "http_server_config": HTTP,
            "basic_auth_users": unshown(
                mapping(secret("a bcrypt hash such as $2y$10$…", _HASH.fullmatch), _user_name)
            ),
            "rate_limit": RATE,
        }
    )
)


def load(path: str) -> WebSettings:
    """Return the settings of a web configuration file; raises ConfigError with all problems.

    No message shows a key, a password or a hash. The files that it names are not read.
    """
    node = secrets.read(path)
    problems: list[Problem] = []
    settings = WebSettings(path)
    if node is not None:
        settings = _settings(path, Value(node, "", problems))
    if problems:
        raise ConfigError(problems)
    return settings


def _settings(path: str, value: Value) -> WebSettings:
    """Return the settings of a tree; what is wrong is left with the value's problems."""
    try:
        given = WEB(value)
    except Invalid:
        return WebSettings(path)
    settings = WebSettings(
        path,
        tls=given.get("tls_server_config"),
        http=given.get("http_server_config", HttpSettings()),
        users=given.get("basic_auth_users", {}),
        rate_limit=given.get("rate_limit", RequestRate()),
        lines=dict(_lines(value.node)),
    )
    if settings.tls is not None:
        _check_tls(value.at("tls_server_config"), settings.tls)
    if settings.rate_limit.interval and not settings.rate_limit.burst:
        value.at("rate_limit", "burst").report("must be at least 1 beside an interval")
    return replace(settings, notices=tuple(_notices(settings)))


def _lines(node: yaml.Node, prefix: str = "") -> Iterator[tuple[str, int]]:
    """Give the key path and the line of each key."""
    if isinstance(node, yaml.MappingNode):
        for key, below in node.value:
            yield f"{prefix}{key.value}", document.line_of(key) or 0
            yield from _lines(below, f"{prefix}{key.value}.")


def _check_tls(place: Value, tls: TlsSettings) -> None:
    """Report what is missing, and keys that contradict each other."""
    for inline, file in PAIRS:
        both = [name for name in (inline, file) if getattr(tls, name) is not None]
        if len(both) == 2:
            place.at(inline).report(f"{inline} and {file} are both given")
        if not both and inline != "client_ca":
            place.report(f"one of {file} and {inline} is missing")
    if tls_names.VERSIONS.index(tls.min_version) > tls_names.VERSIONS.index(tls.max_version):
        place.at("min_version").report(f"{tls.min_version} is above max_version {tls.max_version}")
    _check_suites(place, tls)
    _check_clients(place, tls)


def _check_suites(place: Value, tls: TlsSettings) -> None:
    only_new = tls.cipher_suites and not set(tls.cipher_suites) & set(tls_names.SUITES)
    if only_new and tls.max_version != "TLS13":
        place.at("cipher_suites").report(f"none of these is a suite of {tls.max_version}")


def _check_clients(place: Value, tls: TlsSettings) -> None:
    kind = tls.client_auth_type
    if kind in tls_names.UNVERIFIED:
        # https://docs.python.org/3/library/ssl.html#ssl.CERT_REQUIRED: it always verifies.
        place.at("client_auth_type").report(
            f"{kind} takes any certificate unseen, which proves nothing and is not supported",
            *(one for one in tls_names.CLIENT_AUTH if one not in tls_names.UNVERIFIED),
        )
    has_ca = tls.client_ca is not None or tls.client_ca_file is not None
    if has_ca and kind == "NoClientCert":
        where = place.at("client_ca" if tls.client_ca_file is None else "client_ca_file")
        where.report("certificate authorities for clients need a client_auth_type")
    if tls.client_allowed_sans and kind not in (
        "RequireAndVerifyClientCert",
        *tls_names.UNVERIFIED,
    ):
        place.at("client_allowed_sans").report(
            "client_allowed_sans needs client_auth_type RequireAndVerifyClientCert"
        )


def _notices(settings: WebSettings) -> Iterator[str]:
    """Give a line about each setting that does less than it says."""
    if settings.http.http2:
        yield "http_server_config.http2: HTTP/1.1 is all that is spoken here"
    if settings.tls is not None:
        for key, notice in _tls_notices(settings.tls):
            yield f"tls_server_config.{key}: {notice}"
        if settings.tls.client_auth_type == "VerifyClientCertIfGiven" and not settings.users:
            yield "tls_server_config.client_auth_type: who has no certificate may connect as well"


def _tls_notices(tls: TlsSettings) -> Iterator[tuple[str, str]]:
    if set(tls.cipher_suites) & set(tls_names.TLS13_SUITES):
        yield "cipher_suites", "TLS 1.3 offers all of its own, whatever is listed"
    if tls.min_version in tls_names.OLD_VERSIONS:
        yield "min_version", f"{tls.min_version} is broken (RFC 8996)"
    if tls.client_auth_type == "RequestClientCert":
        yield "client_auth_type", "RequestClientCert proves nothing: no certificate is asked for"
    if tls.verifies_clients and tls.client_ca is None and tls.client_ca_file is None:
        yield "client_ca_file", "is not given: the system's authorities vouch for clients"
