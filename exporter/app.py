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
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from exporter import __version__, registry
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
from exporter.web import access, errors, landing, references, routes, schemas, tls
from exporter.web.auth import Guard
from exporter.web.connections import Connections, Limits, most_connections
from exporter.web.events import EventsRoute
from exporter.web.live import WebConfig
from exporter.web.room import BODY_SECONDS, SLOW_SECONDS
from exporter.web.scrapes import Scrapes
from exporter.web.server import Server
from exporter.web.yielding import Precedence

log = logging.getLogger("modelmeter")

TICK_SECONDS: Final = 0.1
"""How long an event waits at most before it is folded."""
LOOK_SECONDS: Final = 0.5
"""How often it is looked whether first events are there, or a snapshot is due."""
DRAIN_SECONDS: Final = 4


class _Application(FastAPI):
    """FastAPI, with the ingest route in front: it carries nearly all of the traffic.

    In front of both stands the guard.
    """

    def __init__(self, events: EventsRoute, guard: Guard, **options: Any) -> None:
        super().__init__(**options)
        self._events = events
        self._guard = guard
        # Registered too, so that another method or path is answered as for any route.
        self.router.routes.append(Route("/v1/events", events, methods=["POST"], name="events"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            passed = await self._guard.admit(scope, send)
            if passed is None:
                return
            send = passed
        if scope["type"] == "http" and scope["path"] == "/v1/events" and scope["method"] == "POST":
            await self._events(scope, receive, send)
        elif scope["type"] == "http" and scope["method"] == "HEAD":
            # The server sends the headers alone, since to it the method is still HEAD.
            await super().__call__({**scope, "method": "GET"}, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document, the ingest route included."""
        document = super().openapi()
        for operations in document["paths"].values():
            for operation in operations.values():
                # FastAPI says it of every route with parameters; ours take any text.
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
        document.pop("components", None)
        document["paths"]["/v1/events"] = {"post": schemas.ingest_operation()}
        access.tell(document)
        return document


def build(
    service: Service,
    body_seconds: float = BODY_SECONDS,
    slow_seconds: float = SLOW_SECONDS,
    web: WebConfig | None = None,
) -> FastAPI:
    """Return the application that serves ``service``; a body may take ``body_seconds`` to come.

    After ``slow_seconds`` it makes room for others if there is none left. ``web`` is the
    configuration that says who may come in.
    """
    guard = Guard(service, web)
    counting = ThreadPoolExecutor(1, "count")
    reading = ThreadPoolExecutor(1, "read")
    saving = ThreadPoolExecutor(1, "save")
    scraping = ThreadPoolExecutor(1, "scrape")
    building = ThreadPoolExecutor(1, "references")
    showing = ThreadPoolExecutor(1, "page")
    precedence = Precedence()

    def tick() -> None:
        precedence.give_way()
        service.tick()

    def build_first() -> None:
        # Before the state is back, a collection that is whole may have become a reference already.
        if not service.restoring:
            service.references.build_first()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(_restore(service, saving)),
            asyncio.create_task(_again(TICK_SECONDS, tick, counting)),
            asyncio.create_task(_again(LOOK_SECONDS, build_first, building)),
            asyncio.create_task(_again(LOOK_SECONDS, service.ledger.save_if_due, saving)),
        ]
        for one in service.beside:
            one.start()
        yield
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        service.references.builder.end()

        def end() -> None:
            for one in service.beside:
                one.end()
            for executor in (building, reading, counting, scraping, saving, showing):
                executor.shutdown()
            guard.close()
            service.close()

        # Not on the event loop: a second signal must be heard meanwhile.
        await asyncio.to_thread(end)

    app = _Application(
        EventsRoute(service, counting, reading, body_seconds, slow_seconds, precedence),
        guard,
        title="modelmeter",
        version=__version__,
        summary="Prometheus exporter for the quality of a model in production",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    errors.install(app, service.requests)
    app.include_router(routes.router(service, Scrapes(service.scraper, scraping, precedence)))
    app.include_router(references.router(service))
    app.include_router(landing.router(service, showing, precedence))
    return app


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


async def _restore(service: Service, thread: ThreadPoolExecutor) -> None:
    """Bring the state back; without it there is nothing to serve."""
    try:
        await asyncio.get_running_loop().run_in_executor(thread, service.restore)
    except Exception:
        log.exception("the state cannot be restored")
        service.failed = True
        signal.raise_signal(signal.SIGTERM)


async def _again(seconds: float, work: Callable[[], None], thread: ThreadPoolExecutor) -> None:
    """Do ``work`` in a thread again and again, with a pause between."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(seconds)
        try:
            await loop.run_in_executor(thread, work)
        except Exception:
            log.exception("failed: %s", work.__name__)


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
