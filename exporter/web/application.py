"""The application: every route, behind the guard."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from exporter import __version__
from exporter.service import Service
from exporter.web import access, errors, landing, references, routes, schemas
from exporter.web.auth import Guard
from exporter.web.events import EventsRoute
from exporter.web.life import Threads, living
from exporter.web.live import WebConfig
from exporter.web.room import BODY_SECONDS, SLOW_SECONDS
from exporter.web.scrapes import Scrapes
from exporter.web.yielding import Precedence


class Application(FastAPI):
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
        """Answer what the guard lets in."""
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
) -> Application:
    """Return the application that serves ``service``; a body may take ``body_seconds`` to come.

    After ``slow_seconds`` it makes room for others if there is none left. ``web`` is the
    configuration that says who may come in.
    """
    guard = Guard(service, web)
    threads = Threads()
    precedence = Precedence()

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with living(service, threads, precedence):
            yield
        guard.close()

    app = Application(
        EventsRoute(
            service, threads.counting, threads.reading, body_seconds, slow_seconds, precedence
        ),
        guard,
        title="modelmeter",
        version=__version__,
        summary="Prometheus exporter for the quality of a model in production",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    errors.install(app, service.requests)
    scrapes = Scrapes(service.scraper, threads.scraping, precedence)
    app.include_router(routes.router(service, scrapes))
    app.include_router(references.router(service))
    app.include_router(landing.router(service, threads.showing, precedence))
    return app
