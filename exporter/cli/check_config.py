"""``modelmeter check-config``."""

import argparse

from exporter import config
from exporter.cli import settings as cli


def run(arguments: argparse.Namespace) -> int:
    """Print a summary of a file that is right and return 0, else every problem and return 1.

    The environment stays out of it: the file itself is judged.
    """
    try:
        settings = config.load({"--config": arguments.file}, **cli.known())
    except config.ConfigError as error:
        cli.complain(error)
        return 1
    print(f"{arguments.file}: OK ({summary(settings)})")
    return 0


def summary(settings: config.Settings) -> str:
    """Return what a configuration sets up, in a few words."""
    models = settings.models
    limits = sum(len(model.limits) for model in models or (settings.defaults,))
    windows = ", ".join(window.name for window in settings.windows)
    return f"windows {windows}; {_count(len(models), 'model')}; {_count(limits, 'limit')}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
