"""TLS of the server: what the web configuration says, as an ``ssl.SSLContext``."""

from __future__ import annotations

import ipaddress
import logging
import os
import ssl
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NoReturn

from exporter.config.problems import ConfigError
from exporter.config.tls_names import CURVES, OLD_VERSIONS, SUITES, VERSIONS
from exporter.config.web_settings import TlsSettings, WebSettings

log = logging.getLogger("modelmeter")

_VERSIONS: Final = dict(
    zip(
        VERSIONS,
        (
            ssl.TLSVersion.TLSv1,
            ssl.TLSVersion.TLSv1_1,
            ssl.TLSVersion.TLSv1_2,
            ssl.TLSVersion.TLSv1_3,
        ),
        strict=True,
    )
)
_OLD_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES"
_CLIENTS: Final = {
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}


class _Fault(Exception):
    """A setting that does not work, and why."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key
        self.message = message


def context(settings: WebSettings) -> ssl.SSLContext | None:
    """Return what encrypts connections from now on, None where nothing does.

    Reads certificates and keys. Raises ConfigError.
    """
    tls = settings.tls
    if tls is None:
        return None
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_alpn_protocols(["http/1.1"])
    made.options |= ssl.OP_NO_RENEGOTIATION
    try:
        _set_versions(made, tls)
        _set_suites(made, tls)
        _set_curves(made, tls)
        _set_certificate(made, tls)
        _set_clients(made, tls)
    except _Fault as fault:
        key = f"tls_server_config.{fault.key}"
        raise ConfigError([settings.problem(key, fault.message)]) from None
    return made


def each_connection(current: Callable[[], ssl.SSLContext | None]) -> ssl.SSLContext | None:
    """Return a context that gives each connection the one of its moment; None where none is."""
    return None if current() is None else _EachConnection(current)


class _EachConnection(ssl.SSLContext):
    """Asks ``current`` whenever a connection is made."""

    def __new__(cls, current: Callable[[], ssl.SSLContext | None]) -> _EachConnection:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, current: Callable[[], ssl.SSLContext | None]) -> None:
        self._current = current

    def wrap_bio(self, *arguments: Any, **named: Any) -> ssl.SSLObject:
        """Return the server's side of a connection, as the event loop asks for it."""
        now = self._current()
        assert now is not None  # TLS comes or goes with a restart only
        return now.wrap_bio(*arguments, **named)


def _set_versions(made: ssl.SSLContext, tls: TlsSettings) -> None:
    least = tls.min_version
    if tls.cipher_suites and not set(tls.cipher_suites) & set(SUITES):
        least = "TLS13"  # as in Go: the older versions have no suite left
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        try:
            made.minimum_version = _VERSIONS[least]
        except ValueError:
            raise _Fault("min_version", f"this OpenSSL has no {least}") from None
        try:
            made.maximum_version = _VERSIONS[tls.max_version]
        except ValueError:
            raise _Fault("max_version", f"this OpenSSL has no {tls.max_version}") from None


def _set_suites(made: ssl.SSLContext, tls: TlsSettings) -> None:
    suites = ":".join(SUITES[name] for name in tls.cipher_suites if name in SUITES)
    if tls.min_version in OLD_VERSIONS:
        # OpenSSL 3 calls their SHA-1 insecure, and it is; somebody asked for it all the same.
        suites = f"{suites or _OLD_SUITES}:@SECLEVEL=0"
    if suites:
        made.set_ciphers(suites)
    if tls.prefer_server_cipher_suites:
        made.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        made.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def _set_curves(made: ssl.SSLContext, tls: TlsSettings) -> None:
    curves = [CURVES[name] for name in tls.curve_preferences]
    try:
        if hasattr(made, "set_groups") and curves:
            made.set_groups(":".join(curves))
        elif len(curves) > 1:
            told = "several curves need Python 3.15; name one, or none for OpenSSL's own order"
            raise _Fault("curve_preferences", told)
        elif curves:
            made.set_ecdh_curve(curves[0])
    except (ValueError, ssl.SSLError):
        raise _Fault("curve_preferences", "not in this build of OpenSSL") from None


def _set_certificate(made: ssl.SSLContext, tls: TlsSettings) -> None:
    cert_key = "cert_file" if tls.cert is None else "cert"
    key_key = "key_file" if tls.key is None else "key"
    with ExitStack() as stack:
        cert = stack.enter_context(_as_file(tls.cert_file, tls.cert))
        key = stack.enter_context(_as_file(tls.key_file, tls.key))
        for name, path in ((cert_key, cert), (key_key, key)):
            _check_readable(name, path)
        try:
            made.load_cert_chain(cert, key, _no_password)
        except _Encrypted:
            said = "is encrypted, and no password is asked for"
            raise _Fault(key_key, _of(tls.key_file, said)) from None
        except OSError as error:
            if not _loads_certificates(made, cert):
                raise _Fault(cert_key, _of(tls.cert_file, "holds no certificate in PEM")) from None
            reason = getattr(error, "reason", None) or "unreadable"
            said = f"holds no usable private key in PEM ({reason})"
            if reason == "KEY_VALUES_MISMATCH":
                said = "is not the key of the certificate"
            raise _Fault(key_key, _of(tls.key_file, said)) from None


def _set_clients(made: ssl.SSLContext, tls: TlsSettings) -> None:
    if not tls.verifies_clients:
        return
    made.verify_mode = _CLIENTS[tls.client_auth_type]
    # As in Go, what stands in the file is trusted, whether or not it signed itself.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if tls.client_allowed_sans:
        made.sslobject_class = _checking(frozenset(tls.client_allowed_sans))
    if tls.client_ca is None and tls.client_ca_file is None:
        made.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    key = "client_ca_file" if tls.client_ca is None else "client_ca"
    with _as_file(tls.client_ca_file, tls.client_ca) as path:
        _check_readable(key, path)
        if not _loads_certificates(made, path):
            raise _Fault(key, _of(tls.client_ca_file, "holds no certificate in PEM"))


def _checking(allowed: frozenset[str]) -> type[ssl.SSLObject]:
    """Return connections that end where the client's certificate has none of these names."""

    class Checking(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            if not allowed & set(names(self.getpeercert() or {})):
                log.info("a client's certificate has none of client_allowed_sans")
                raise ssl.SSLCertVerificationError("none of client_allowed_sans")

    return Checking


def names(certificate: dict[str, Any]) -> Iterator[str]:
    """Give the DNS names, addresses, e-mail addresses and URIs of a certificate, as Go has them."""
    for kind, name in certificate.get("subjectAltName", ()):
        if kind in ("DNS", "email", "URI"):
            yield name
        elif kind == "IP Address":
            yield ipaddress.ip_address(name.strip()).compressed


class _Encrypted(Exception):
    """A private key that needs a password."""


def _no_password() -> NoReturn:
    # OpenSSL would ask for it on the terminal.
    raise _Encrypted


@contextmanager
def _as_file(path: str | None, text: str | None) -> Iterator[str]:
    """Give the path of a file, or of one in memory alone that holds a text."""
    if text is None:
        yield path or ""
        return
    number = os.memfd_create("pem")
    try:
        os.write(number, text.encode())
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)


def _check_readable(key: str, path: str) -> None:
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise _Fault(key, f"{path}: {(error.strerror or str(error)).lower()}") from None


def _loads_certificates(made: ssl.SSLContext, path: str) -> bool:
    """Trust what a file holds; return whether it holds certificates."""
    try:
        made.load_verify_locations(path)
    except OSError:
        return False
    return True


def _of(path: str | None, said: str) -> str:
    return said if path is None else f"{path}: {said}"
