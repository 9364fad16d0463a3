"""Picks ports for servers that are about to start."""

import contextlib
import socket
from collections.abc import Mapping

from exporter.demo.connection import HOST


class PortTaken(Exception):
    """A port that was asked for is in use."""


def pick(wanted: Mapping[str, int | None]) -> dict[str, int]:
    """Return a port for every name: the one that is wanted, or a free one for None.

    All are held while picking, so no two names get the same one. Raises PortTaken when a wanted
    port is in use.
    """
    with contextlib.ExitStack() as held:
        return {name: _bound(held, name, port) for name, port in wanted.items()}


def _bound(held: contextlib.ExitStack, name: str, port: int | None) -> int:
    server = held.enter_context(socket.socket())
    # As servers do themselves: a port whose last connections are still closing is free.
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        server.bind((HOST, port or 0))
    except OSError as error:
        raise PortTaken(f"port {port} for {name} cannot be used: {error.strerror}") from error
    return int(server.getsockname()[1])
