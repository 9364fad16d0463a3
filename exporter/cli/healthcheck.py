"""``modelmeter healthcheck``: for container health checks, so it starts fast."""

import argparse
import http.client
import os
import ssl
import sys

from exporter import config
from exporter.cli import clients
from exporter.cli import settings as cli
from exporter.cli.parser import add_address_flag, add_web_config_flag

TIMEOUT_SECONDS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``healthcheck``."""
    add_address_flag(parser, "address that modelmeter listens on")
    add_web_config_flag(parser)
    clients.add_certificate_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 when ``/-/healthy`` answers 200 at the configured address, else say why and 1."""
    try:
        settings = config.process_settings(cli.flags(arguments), os.environ)
    except config.ConfigError as error:
        cli.complain(error)
        return 1
    address = config.loopback_address(settings.listen_address)
    try:
        problems = [check(*address, way) for way in _ways(settings.web_config_file, arguments)]
    except clients.ClientError as error:
        problems = [str(error)]
    if all(problems):
        print(f"not healthy: {problems[0]}", file=sys.stderr)
    return 1 if all(problems) else 0


def _ways(web_config: str | None, arguments: argparse.Namespace) -> list[ssl.SSLContext | None]:
    """Return how to ask: with TLS where the web configuration has it.

    Both ways where it is bad, since the server may run on with the one that it read before.
    """
    if web_config is None:
        return [None]
    from exporter.config import web  # noqa: PLC0415 - for those who have one

    try:
        ways = [web.load(web_config).tls is not None]
    except config.ConfigError:
        ways = [True, False]
    asking = clients.loopback_context(arguments.cert_file, arguments.key_file)
    return [asking if encrypted else None for encrypted in ways]


def check(host: str, port: int, context: ssl.SSLContext | None = None) -> str:
    """Return what is wrong with the modelmeter at an address, or an empty string."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    if context is not None:
        connection = http.client.HTTPSConnection(
            host, port, timeout=TIMEOUT_SECONDS, context=context
        )
    try:
        connection.request("GET", "/-/healthy")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{host}:{port}: {error or type(error).__name__}"
    finally:
        connection.close()
    return "" if status == http.client.OK else f"{host}:{port} answered {status}"
