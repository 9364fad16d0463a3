"""``modelmeter check-config``."""

import argparse
import sys
from collections.abc import Callable

from exporter import config
from exporter.cli import settings as cli


def run(arguments: argparse.Namespace) -> int:
    """Print a summary of files that are right and return 0, else every problem and return 1.

    The environment stays out of it: the files themselves are judged.
    """
    web = getattr(arguments, "web.config.file")
    if arguments.file is None and web is None:
        print("check-config needs FILE, --web.config.file or both", file=sys.stderr)
        return 2
    checks = [(arguments.file, _main), (web, _web)]
    return max(_checked(path, summary) for path, summary in checks if path is not None)


def _checked(path: str, summary: Callable[[str], str]) -> int:
    try:
        found = summary(path)
    except config.ConfigError as error:
        cli.complain(error)
        return 1
    print(f"{path}: OK ({found})")
    return 0


def _main(path: str) -> str:
    """Return what a configuration sets up, in a few words."""
    settings = config.load({"--config": path}, **cli.known())
    models = settings.models
    limits = sum(len(model.limits) for model in models or (settings.defaults,))
    windows = ", ".join(window.name for window in settings.windows)
    return f"windows {windows}; {_count(len(models), 'model')}; {_count(limits, 'limit')}"


def _web(path: str) -> str:
    """Return who may come in by a web configuration; its certificates are read."""
    from exporter.config import web  # noqa: PLC0415 - for those who have one
    from exporter.web import tls  # noqa: PLC0415

    settings = web.load(path)
    encrypted = tls.context(settings) is not None
    for notice in settings.notices:
        print(f"{path}: {notice}", file=sys.stderr)
    return f"{'TLS' if encrypted else 'no TLS'}; {_count(len(settings.users), 'user')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
