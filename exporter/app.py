"""Wiring: the one place that knows every part, and the only reader of the clock."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Final

import uvicorn

from exporter import registry
from exporter.collectors.gpu import GpuCollector
from exporter.collectors.model_server import ModelServerCollector
from exporter.config import ConfigError, Settings, parse_address
from exporter.environment import Beside
from exporter.gpu.gpus import Gpus, drivers
from exporter.ledger import Disk, DiskError
from exporter.scrape import Collector
from exporter.server.sampler import Sampler
from exporter.server.server import Server as ModelServer
from exporter.service import Clock, Service
from exporter.store.folder import Folder
from exporter.web import tls
from exporter.web.application import build
from exporter.web.connections import Connections, Limits, most_connections
from exporter.web.live import WebConfig
from exporter.web.server import Server

log = logging.getLogger("modelmeter")

DRAIN_SECONDS: Final = 4


def create_service(
    settings: Settings, read_settings: Callable[[], Settings] | None = None
) -> Service:
    """Return a service on the machine's own clocks."""
    registry.discover()
    machine = _MachineClock()
    clock = Clock(machine.monotonic, time.time, machine.forward)
    more: list[Collector] = []
    beside: list[Beside] = []
    pids: Callable[[], Collection[int]] = tuple
    if settings.servers:
        servers = [ModelServer(name, target) for name, target in settings.servers.items()]
        cpus = os.cpu_count() or 1
        sampler = Sampler(servers, settings, clock.monotonic, clock.wall, cpus)
        more.append(ModelServerCollector(sampler, clock.monotonic))
        beside.append(sampler)
        pids = sampler.pids
    if settings.gpu != "off":
        gpus = Gpus(drivers(), settings, clock.monotonic, clock.wall, pids)
        more.append(GpuCollector(gpus, clock.monotonic))
        beside.append(gpus)
    return Service(settings, clock, read_settings, more, _disk(settings), beside)


class _MachineClock:
    """Seconds that never step, near Unix time at the start: panes begin at round times of day."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def monotonic(self) -> float:
        return time.monotonic() + self._offset

    def forward(self, now: float) -> None:
        self._offset += max(0.0, now - self.monotonic())


def _disk(settings: Settings) -> Disk | None:
    """Return where state is kept; raises ``OSError`` where that cannot be."""
    if not settings.persist:
        return None
    folder = Folder(Path(settings.data_dir), sync=settings.durability == "disk")
    return Disk(
        folder,
        journals=settings.durability != "none",
        most=settings.max_journal_bytes,
        on_error=settings.on_disk_error,
    )


def serve(settings: Settings, *, reload: Callable[[], Settings] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    try:
        web = None if settings.web_config_file is None else WebConfig(settings.web_config_file)
        service = create_service(settings, reload)
    except ConfigError as error:
        for problem in error.problems:
            log.error("%s", problem)
        return 1
    except OSError as error:
        log.error(
            "cannot keep state in %s: %s; choose another --data-dir, or --no-persist",
            settings.data_dir, error.strerror or error,
        )  # fmt: skip
        return 1
    context = None if web is None else tls.each_connection(web.context)
    config = uvicorn.Config(
        build(service, web=web),
        loop="uvloop",
        http="httptools",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        ssl_context_factory=None if context is None else lambda *_: context,
    )
    try:
        listening = _listen(settings.listen_address)
    except OSError as error:
        log.error("cannot listen on %s: %s", settings.listen_address, error)
        return 1
    log.info("listening", extra={"address": _shown(listening), "tls": context is not None})
    # A scrape of many models makes so many objects that by the usual thresholds everything would be
    # looked through for garbage each time; there is next to none.
    gc.set_threshold(50_000, 20, 20)
    with listening:
        _Server(config, service).run(sockets=[listening])
    # The interpreter would look through all that was counted for garbage, a second long, and again.
    gc.freeze()
    log.info("stopped")
    return int(service.failed)


class _Server(Server):
    """A server with our signals: a stop is a success, and SIGHUP reloads."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        limits = Limits(connections=most_connections(Limits.connections))
        super().__init__(config, Connections(limits, service.requests))
        self._service = service

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle signals on the event loop while serving."""
        loop = asyncio.get_running_loop()
        handlers: Mapping[signal.Signals, Callable[[], None]] = {
            signal.SIGTERM: self._stop,
            signal.SIGINT: self._stop,
            signal.SIGHUP: self._reload,
        }
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        if self._service.stopping:
            log.info("stopped at once, by a second signal")
            # Not by returning: what is being restored or saved would be waited for.
            os._exit(1)
        log.info("stopping")
        self._service.stopping = True
        self._service.references.builder.end()
        self.should_exit = True

    def _reload(self) -> None:
        def work() -> None:
            # A bad configuration is logged and shown in a metric; nobody waits for an answer.
            try:
                with contextlib.suppress(ConfigError, DiskError):
                    self._service.reload()
            except Exception:
                log.exception("configuration not reloaded")

        asyncio.get_running_loop().run_in_executor(None, work)


def _listen(address: str) -> socket.socket:
    host, port = parse_address(address)
    if host == "" and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _shown(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
