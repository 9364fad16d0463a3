"""Servers for the tests: one application for many tests, and processes of their own."""

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.programs import program
from tests.web.support import Process, Running, running


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    """The application with no settings; tests name models of their own."""
    with running() as client:
        yield client


@pytest.fixture
def process(tmp_path) -> Iterator[Callable[..., Process]]:
    """Starts ``modelmeter serve`` with a configuration; all are ended by their pid."""
    started: list[Process] = []

    def start(config: dict[str, Any] | None = None, *flags: str, **more: Any) -> Process:
        started.append(Process(tmp_path, config, *flags, **more))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory) -> dict[str, str]:
    """What uvicorn takes for TLS: a key and a certificate of its own for 127.0.0.1."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = str(folder / "key.pem"), str(folder / "certificate.pem")
    subprocess.run(
        [program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    return {"ssl_keyfile": key, "ssl_certfile": certificate}
