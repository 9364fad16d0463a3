"""One shape for every error: ``{"error": …, "detail": […]}``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from exporter.collectors.own import Requests
from exporter.ledger import DiskError


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(
        self,
        status: int,
        error: str,
        detail: Sequence[Any] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.detail = list(detail)
        self.headers = dict(headers or {})

    @property
    def body(self) -> dict[str, Any]:
        """The error as it is answered."""
        return {"error": self.error, "detail": self.detail}


def install(app: FastAPI, requests: Requests) -> None:
    """Let every error of ``app`` be answered in the one shape, and counted."""

    def answer(
        status: int, error: str, detail: list[Any], headers: Mapping[str, str] | None
    ) -> JSONResponse:
        requests.refused[status] += 1
        return JSONResponse({"error": error, "detail": detail}, status, dict(headers or {}))

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> JSONResponse:
        return answer(error.status, error.error, error.detail, error.headers)

    @app.exception_handler(DiskError)
    async def disk(request: Request, error: DiskError) -> JSONResponse:
        return answer(503, f"nothing can be saved: {error}", [], {"retry-after": "5"})

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        phrase = HTTPStatus(error.status_code).phrase
        what = f"{phrase}: {request.method} {request.url.path}"
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(_allowed(app, request))
        return answer(error.status_code, what, [], headers)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        detail = [
            {"field": ".".join(map(str, fault["loc"])), "error": fault["msg"]}
            for fault in error.errors()
        ]
        return answer(422, "the request is not valid", detail, None)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        return answer(500, "internal error, see the log", [], None)


def _allowed(app: FastAPI, request: Request) -> list[str]:
    """Return all methods of a path; Starlette tells those of its first route only."""
    found = {
        method
        for method in ("DELETE", "GET", "POST", "PUT")
        for route in app.routes
        if route.matches({**request.scope, "method": method})[0] is Match.FULL
    }
    return sorted(found | {"HEAD"} if "GET" in found else found)
