"""The routes beside ingest: what is monitored, ``/metrics``, health, reload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import PlainTextResponse, Response

from exporter.config import ConfigError
from exporter.service import Service
from exporter.web.environment import environment
from exporter.web.errors import Refused
from exporter.web.gate import check_open, check_restored
from exporter.web.schemas import METRICS_RESPONSE, errors
from exporter.web.scrapes import Scrapes
from exporter.web.view import model_view
from exporter.web.view_schemas import DELETED_RESPONSE, MODEL_RESPONSE, MODELS_RESPONSE

Version = Annotated[str | None, Query(description="One version; without it, all of them.")]


def router(service: Service, scrapes: Scrapes) -> APIRouter:
    """Return the routes of ``service``; ``scrapes`` renders its metrics off the event loop."""
    routes = APIRouter()

    @routes.get(
        "/metrics",
        tags=["prometheus"],
        responses={**METRICS_RESPONSE, **errors(503)},
        response_class=Response,
    )
    async def metrics(request: Request) -> Response:
        """Expose all metrics, in the text format 0.0.4 or in OpenMetrics 1.0.0."""
        check_restored(service)
        body, headers = await scrapes.get(
            request.headers.get("accept", ""), request.headers.get("accept-encoding", "")
        )
        return Response(body, headers=headers)

    @routes.get("/v1/models", tags=["models"], responses={**MODELS_RESPONSE, **errors(503)})
    def models() -> Response:
        """List what is monitored."""
        check_restored(service)
        return _json({"models": _views(service, None, None)})

    @routes.get(
        "/v1/models/{model:path}", tags=["models"], responses={**MODEL_RESPONSE, **errors(404, 503)}
    )
    def one_model(model: str, version: Version = None) -> Response:
        """Show one model: its versions, windows, values, bounds, limits, decisions, environment."""
        check_restored(service)
        views = _views(service, model, version)
        if not views:
            raise _unknown(model, version)
        return _json(
            {"model": model, "versions": views, "environment": environment(service, views)}
        )

    @routes.delete(
        "/v1/models/{model:path}",
        tags=["models"],
        responses={**DELETED_RESPONSE, **errors(404, 503)},
    )
    def delete(model: str, version: Version = None) -> Response:
        """Forget a model, or one version of it: its series, its windows, what waits for labels."""
        check_restored(service)
        known = service.monitor.models.versions(model)
        if not any(version in (None, one.version) for one in known):
            raise _unknown(model, version)
        return _json({"deleted": service.ledger.forget(model, version)})

    @routes.get("/-/healthy", tags=["health"], response_class=PlainTextResponse)
    async def healthy() -> str:
        """Say that modelmeter runs."""
        return "modelmeter is healthy.\n"

    @routes.get(
        "/-/ready", tags=["health"], response_class=PlainTextResponse, responses=errors(503)
    )
    async def ready() -> str:
        """Say that modelmeter takes events."""
        check_open(service)
        return "modelmeter is ready.\n"

    @routes.post(
        "/-/reload", tags=["health"], response_class=PlainTextResponse, responses=errors(500, 503)
    )
    def reload() -> str:
        """Read the configuration anew; a bad one is refused and the old one stays."""
        check_restored(service)
        try:
            service.reload()
        except ConfigError as error:
            detail = [str(problem) for problem in error.problems]
            raise Refused(500, "configuration not reloaded, the old one stays", detail) from None
        return "configuration reloaded.\n"

    return routes


def _views(service: Service, name: str | None, version: str | None) -> list[dict[str, Any]]:
    views = []
    models = service.monitor.models
    for model in models:
        if name in (None, model.name) and version in (None, model.version):
            with service.monitor.lock:
                views.append(model_view(models, model, service.clock.monotonic()))
    return views


def _unknown(model: str, version: str | None) -> Refused:
    what = f"model {model}" if version is None else f"version {version} of model {model}"
    return Refused(404, f"{what} is not monitored")


def _json(content: Mapping[str, Any]) -> Response:
    return Response(
        orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS), media_type="application/json"
    )
