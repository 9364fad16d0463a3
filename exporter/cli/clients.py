"""How the commands that ask a modelmeter present themselves: TLS, and a user or a token."""

import argparse
import base64
import ssl
from collections.abc import Mapping
from pathlib import Path

from exporter.config.environment import CLIENT_TOKEN, CLIENT_USER


class ClientError(ValueError):
    """A certificate or a credential that cannot be used; the message shows nothing secret."""


def add_certificate_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the certificate that a client shows."""
    parser.add_argument("--cert-file", metavar="FILE", help="certificate to show, in PEM")
    parser.add_argument("--key-file", metavar="FILE", help="its private key, in PEM")


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a client that sends events."""
    parser.add_argument(
        "--ca-file",
        metavar="FILE",
        help="certificates that vouch for an https server, in PEM (default: the system's)",
    )
    add_certificate_flags(parser)
    parser.add_argument(
        "--token-file", metavar="FILE", help=f"file with a bearer token (or {CLIENT_TOKEN})"
    )
    parser.add_argument(
        "--user-file", metavar="FILE", help=f"file with user:password (or {CLIENT_USER})"
    )


def context(ca_file: str | None, cert_file: str | None, key_file: str | None) -> ssl.SSLContext:
    """Return what a connection over TLS is made with. Raises ClientError."""
    try:
        made = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ClientError(f"{ca_file}: {_reason(error)}") from None
    _show(made, cert_file, key_file)
    return made


def loopback_context(cert_file: str | None, key_file: str | None) -> ssl.SSLContext:
    """Return the same for a server on this machine, whose certificate names another one.

    It is not verified: nothing secret may be sent. Raises ClientError.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    _show(made, cert_file, key_file)
    return made


def _show(made: ssl.SSLContext, cert_file: str | None, key_file: str | None) -> None:
    if cert_file is None:
        return
    try:
        made.load_cert_chain(cert_file, key_file)
    except OSError as error:
        told = f"{cert_file} and {key_file or 'the key in it'}: {_reason(error)}"
        raise ClientError(told) from None


def authorization(
    token_file: str | None, user_file: str | None, environ: Mapping[str, str]
) -> dict[str, str]:
    """Return the header of a token or a user; the files come before the environment.

    Raises ClientError.
    """
    files = token_file is not None or user_file is not None
    token = _secret(token_file) if files else environ.get(CLIENT_TOKEN, "").strip()
    if token:
        return {"Authorization": f"Bearer {token}"}
    user = _secret(user_file) if files else environ.get(CLIENT_USER, "").strip()
    if not user:
        return {}
    if ":" not in user:
        raise ClientError(f"{user_file or CLIENT_USER}: must be user:password")
    return {"Authorization": f"Basic {base64.b64encode(user.encode()).decode()}"}


def _secret(path: str | None) -> str:
    """Return the one line of a file; empty text without one."""
    if path is None:
        return ""
    try:
        found = Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = _reason(error) if isinstance(error, OSError) else "not UTF-8 text"
        raise ClientError(f"{path}: {reason}") from None
    if not found or "\n" in found or not found.isprintable():
        raise ClientError(f"{path}: must hold one line")
    return found


def _reason(error: OSError) -> str:
    return (getattr(error, "reason", None) or error.strerror or str(error)).lower()
