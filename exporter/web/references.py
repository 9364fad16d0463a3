"""``/v1/reference``: what live traffic is compared with, sent, shown and forgotten."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from starlette.types import Message

from exporter.building import BuildError, Built, body_job
from exporter.events import MAX_MODEL, MAX_VERSION, FieldError, check_name
from exporter.reference.describe import described
from exporter.reference.file import MEDIA_TYPE, dumps
from exporter.reference.formats import MEDIA_TYPES
from exporter.service import Service
from exporter.web.errors import Refused
from exporter.web.gate import check_open, check_restored
from exporter.web.schemas import errors, name_schema
from exporter.web.view_schemas import DELETED_RESPONSE, PUT_RESPONSE, SHOWN

MAX_BYTES: Final = 256 * 2**20
PART_SECONDS: Final = 30.0
"""How long a client may pause while it sends its body."""
BODY_SECONDS: Final = 600.0
"""How long a client may take in all; nobody else can send a reference meanwhile."""
PART_BYTES: Final = 2**20
LOOK_SECONDS: Final = 0.5
"""How often a request that waits looks whether modelmeter stops."""

Model = Annotated[
    str, Query(description="The model.", json_schema_extra=dict(name_schema(MAX_MODEL)))
]
Version = Annotated[
    str | None,
    Query(
        description="One version; without it, every version that has no reference of its own.",
        json_schema_extra=dict(name_schema(MAX_VERSION)),
    ),
]
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_BODY: Final = {
    "requestBody": {
        "required": True,
        "description": "Events as in `POST /v1/events`, or a file of `modelmeter reference build`.",
        "content": dict.fromkeys((*MEDIA_TYPES, MEDIA_TYPE), _BINARY),
    },
    "parameters": [
        {"in": "header", "name": "Content-Encoding", "required": False,
         "schema": {"type": "string", "enum": ["gzip"]}},
    ],
}  # fmt: skip
_SHOWN: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/json": {"schema": SHOWN}, MEDIA_TYPE: _BINARY}}
}


def _errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    told = errors(*codes)
    meaning = {
        413: f"The body is larger than {MAX_BYTES} bytes, before or after decompression.",
        422: "No model is named, or the events make no reference, or one of another task; `detail` "
        "has the field.",
    }
    return {
        code: {**one, "description": meaning.get(int(code), one["description"])}
        for code, one in told.items()
    }


def router(service: Service) -> APIRouter:
    """Return the routes of references."""
    routes = APIRouter(tags=["references"])

    @routes.put(
        "/v1/reference",
        responses={**PUT_RESPONSE, **_errors(400, 408, 413, 415, 422, 503)},
        openapi_extra=_BODY,
        response_class=Response,
    )
    async def put(request: Request, model: Model, version: Version = None) -> Response:
        """Compare a model with these events from now on.

        The reference is built beside the server. Totals stay, and so do histograms whose edges
        stay; the others start anew.
        """
        _check(model, version)
        check_open(service)
        turn = service.references.builder.turn
        if not turn.acquire(blocking=False):
            raise Refused(503, "a reference is being built", headers={"retry-after": "5"})
        try:
            built = await _built(service, request, model)
        finally:
            turn.release()
        reference = replace(built.reference, source=built.reference.source or "PUT /v1/reference")
        try:
            serves = await asyncio.to_thread(service.references.put, model, version, reference)
        except FieldError as error:
            told = {"field": error.field, "error": error.error}
            raise Refused(422, f"{error.field} {error.error}", [told]) from None
        answer = {
            **_head(model, version),
            "serves_versions": serves,
            "rejected": built.listed,
            "rejected_total": built.rejected,
            "other_models": built.others,
            "reference": described(reference),
        }
        return Response(orjson.dumps(answer), media_type="application/json")

    @routes.get(
        "/v1/reference", responses={**_SHOWN, **_errors(404, 422, 503)}, response_class=Response
    )
    def get(request: Request, model: Model, version: Version = None) -> Response:
        """Show the reference that serves a model or a version; as a file where that is accepted."""
        check_restored(service)
        reference = service.references.get(model, version)
        if reference is None:
            raise _unknown(model, version)
        if MEDIA_TYPE in request.headers.get("accept", ""):
            return Response(dumps(reference), media_type=MEDIA_TYPE, headers={"vary": "accept"})
        answer = {**_head(model, version), "reference": described(reference)}
        return Response(
            orjson.dumps(answer), media_type="application/json", headers={"vary": "accept"}
        )

    @routes.delete("/v1/reference", responses={**DELETED_RESPONSE, **_errors(404, 422, 503)})
    def delete(model: Model, version: Version = None) -> dict[str, int]:
        """Forget a reference that was sent; one that is configured serves again."""
        check_restored(service)
        if not service.references.delete(model, version):
            raise _unknown(model, version, "reference that was sent")
        return {"deleted": 1}

    return routes


async def _built(service: Service, request: Request, model: str) -> Built:
    form, zipped = _form(request), _zipped(request)
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BYTES:
        raise _too_large()
    job = body_job(service.settings.for_model(model), form, model, MAX_BYTES, zipped=zipped)
    try:
        build = await asyncio.to_thread(service.references.builder.start, job)
    except BuildError as error:
        raise _refused(error) from None
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in _parts(service, request):
                await asyncio.to_thread(build.write, part)
        return await asyncio.to_thread(build.result)
    except TimeoutError:
        told = f"body did not arrive in {BODY_SECONDS:g} s"
        raise Refused(408, told, headers={"connection": "close"}) from None
    except BuildError as error:
        raise _refused(error) from None
    finally:
        # Not awaited: a request that is cancelled must not wait, and killing takes no time.
        threading.Thread(target=build.end).start()


def _refused(error: BuildError) -> Refused:
    extra = {"retry-after": "5"} if error.status == 503 else {}
    return Refused(error.status, error.error, error.detail, extra)


async def _parts(service: Service, request: Request) -> AsyncIterator[bytes]:
    """Give the body in large parts, as it comes."""
    gathered = bytearray()
    size = 0
    more = True
    while more:
        message = await _message(service, request)
        if message["type"] == "http.disconnect":
            raise Refused(400, "the client went away before its body was whole")
        part: bytes = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(part)
        if size > MAX_BYTES:
            raise _too_large()
        gathered += part
        if len(gathered) >= PART_BYTES or (gathered and not more):
            yield bytes(gathered)
            gathered.clear()


async def _message(service: Service, request: Request) -> Message:
    """Return the next part as it was received, unless it takes too long."""
    waited = 0.0
    while waited < PART_SECONDS:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                return await request.receive()
        except TimeoutError:
            waited += LOOK_SECONDS
        check_open(service)
    told = f"the body paused for {PART_SECONDS:g} s"
    raise Refused(408, told, headers={"connection": "close"})


def _form(request: Request) -> str | None:
    """Return the format of the body; ``None`` is a built file."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type == MEDIA_TYPE:
        return None
    if media_type not in MEDIA_TYPES:
        allowed = [{"allowed": [*MEDIA_TYPES, MEDIA_TYPE]}]
        raise Refused(415, f"content type {media_type or '(none)'} is not known", allowed)
    return MEDIA_TYPES[media_type]


def _zipped(request: Request) -> bool:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity", ""):
        raise Refused(415, f"content encoding {encoding} is not known", [{"allowed": ["gzip"]}])
    return encoding == "gzip"


def _check(model: str, version: str | None) -> None:
    try:
        check_name("model", model, MAX_MODEL)
        if version is not None:
            check_name("version", version, MAX_VERSION)
    except FieldError as error:
        told = {"field": error.field, "error": error.error}
        raise Refused(422, f"{error.field} {error.error}", [told]) from None


def _head(model: str, version: str | None) -> dict[str, Any]:
    return {"model": model, "version": version}


def _unknown(model: str, version: str | None, lacks: str = "reference") -> Refused:
    what = f"model {model}" if version is None else f"version {version} of model {model}"
    return Refused(404, f"{what} has no {lacks}")


def _too_large() -> Refused:
    return Refused(413, f"body is larger than {MAX_BYTES} bytes", headers={"connection": "close"})
