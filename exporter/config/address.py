"""Addresses to listen on, as Go programs write them: ``:9920``, ``host:port``, ``[::1]:9920``."""

import ipaddress
import re

_ADDRESS = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})"
)


def parse_address(text: str) -> tuple[str, int]:
    """Return the host (empty for every interface) and the port; port 0 means any free one.

    Raises ValueError for anything else.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match["port"]) > 65_535:
        raise ValueError(f"not an address: {text!r}")
    if match["six"] is None:
        return match["host"], int(match["port"])
    ipaddress.IPv6Address(match["six"])
    return match["six"], int(match["port"])


def loopback_address(text: str) -> tuple[str, int]:
    """Return the host and port at which a program on this machine reaches a listening address."""
    host, port = parse_address(text)
    return {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port
