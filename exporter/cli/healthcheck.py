"""``modelmeter healthcheck``: for container health checks, so it starts fast."""

import argparse
import http.client
import os
import sys

from exporter import config
from exporter.cli import settings as cli

TIMEOUT_SECONDS = 3.0


def run(arguments: argparse.Namespace) -> int:
    """Return 0 when ``/-/healthy`` answers 200 at the configured address, else say why and 1."""
    given = cli.flags(arguments)
    try:
        address = config.listen_address(given, os.environ)
    except config.ConfigError as error:
        cli.complain(error)
        return 1
    problem = check(*config.loopback_address(address))
    if problem:
        print(f"not healthy: {problem}", file=sys.stderr)
    return 1 if problem else 0


def check(host: str, port: int) -> str:
    """Return what is wrong with the modelmeter at an address, or an empty string."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/-/healthy")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{host}:{port}: {error or type(error).__name__}"
    finally:
        connection.close()
    return "" if status == http.client.OK else f"{host}:{port} answered {status}"
