"""From parsed arguments to settings."""

import argparse
import os
import sys
from collections.abc import Mapping

from exporter import config


def flags(arguments: argparse.Namespace) -> dict[str, str | None]:
    """Return the flags of a command by name, such as ``--log.level``; None where not given."""
    return {f"--{name.replace('_', '-')}": value for name, value in vars(arguments).items()}


def limit_metrics() -> frozenset[str]:
    """Return the metrics that may have limits, without ``model_``."""
    from exporter import decisions, registry  # noqa: PLC0415 - numpy and all metrics: for few commands

    registry.discover()
    return decisions.limit_metrics()


def load(arguments: argparse.Namespace) -> config.Settings:
    """Return the settings of flags, environment and file. Raises ConfigError."""
    return config.load(flags(arguments), environ=os.environ, limit_metrics=limit_metrics())


def complain(error: config.ConfigError) -> None:
    """Print every problem on standard error."""
    for problem in error.problems:
        print(problem, file=sys.stderr)


def workers(environ: Mapping[str, str]) -> int:
    """Return how many worker processes the environment asks uvicorn for."""
    text = environ.get("WEB_CONCURRENCY", "").strip()
    return int(text) if text.isdecimal() else 1
