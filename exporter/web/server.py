"""uvicorn's server, with bounds on connections."""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn
from uvicorn.config import STARTUP_FAILURE, Config

from exporter.web.connection import Connection
from exporter.web.connections import Connections
from exporter.web.listener import Listener, Opening


class Server(uvicorn.Server):
    """Serves an application on listening sockets."""

    def __init__(self, config: Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then accept connections on ``sockets``."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        listeners = [
            # TLS may be set up anew while we serve.
            Listener(one, self._connection, lambda: self.config.ssl, self._connections)
            for one in sockets or ()
        ]
        self.servers = listeners  # type: ignore[assignment] # they are closed, and no more
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """End what has lasted too long; return whether to stop."""
        self._connections.expire(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    def _connection(self, opening: Opening) -> Connection:
        return Connection(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            connections=self._connections,
            opening=opening,
        )
