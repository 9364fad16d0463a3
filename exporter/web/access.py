"""What may be done where: the scope that each route needs, and what OpenAPI says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from exporter.web.schemas import errors

OPEN: Final = frozenset(("/-/healthy", "/-/ready"))
"""Nobody is asked who they are: who restarts a container has no password."""
EVERYTHING: Final = frozenset(("ingest", "read", "admin"))
_READ: Final = frozenset(
    (
        "/",
        "/metrics",
        "/v1/models",
        "/v1/reference",
        "/docs",
        "/docs/oauth2-redirect",
        "/redoc",
        "/openapi.json",
    )
)
_LOOKING: Final = ("GET", "HEAD")


def is_open(method: str, path: str) -> bool:
    """Return whether anybody may ask this."""
    return path in OPEN and method in _LOOKING


def needed(method: str, path: str) -> str:
    """Return the scope that a request needs; ``admin`` for whatever is not known."""
    if path == "/v1/events":
        return "ingest"
    if method in _LOOKING and (path in _READ or path.startswith("/v1/models/")):
        return "read"
    return "admin"


def allows(scope: frozenset[str], need: str) -> bool:
    """Return whether who has a scope may do what needs ``need``."""
    return need in scope or "admin" in scope


SCHEMES: Final[Mapping[str, Any]] = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A user of `--web.config.file`: may do everything.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of `tokens`, with the scopes `ingest`, `read`, `admin`.",
    },
}


def tell(document: dict[str, Any]) -> None:
    """Add to an OpenAPI document who may do what, and how others are answered."""
    document["components"] = {"securitySchemes": dict(SCHEMES)}
    refusals = {str(code): told for code, told in errors(401, 403, 429).items()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if is_open(method.upper(), path):
                operation["security"] = []
                continue
            scope = needed(method.upper(), path)
            # Without users and tokens nothing is asked for; that is the empty one.
            operation["security"] = [{"basic": []}, {"bearer": [scope]}, {}]
            operation["responses"] = {**refusals, **operation["responses"]}
