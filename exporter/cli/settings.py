"""From parsed arguments to settings."""

import argparse
import os
import sys
from collections.abc import Collection, Mapping
from typing import TypedDict

from exporter import config


def flags(arguments: argparse.Namespace) -> dict[str, str | None]:
    """Return the flags of a command by name, such as ``--log.level``; None where not given."""
    return {f"--{name.replace('_', '-')}": value for name, value in vars(arguments).items()}


class Known(TypedDict):
    """What settings may name."""

    limit_metrics: Collection[str]
    distances: Collection[str]


def known() -> Known:
    """Return the metrics that may have limits, without ``model_``, and the distances of drift."""
    from exporter import decisions, registry  # noqa: PLC0415 - numpy and all metrics: for few commands

    registry.discover()
    return {"limit_metrics": decisions.limit_metrics(), "distances": registry.distances()}


def load(arguments: argparse.Namespace) -> config.Settings:
    """Return the settings of flags, environment and file. Raises ConfigError."""
    return config.load(flags(arguments), environ=os.environ, **known())


def complain(error: config.ConfigError) -> None:
    """Print every problem on standard error."""
    for problem in error.problems:
        print(problem, file=sys.stderr)


def workers(environ: Mapping[str, str]) -> int:
    """Return how many worker processes the environment asks uvicorn for."""
    text = environ.get("WEB_CONCURRENCY", "").strip()
    return int(text) if text.isdecimal() else 1
