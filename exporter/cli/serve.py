"""``modelmeter serve``: settings, logs, then the application."""

import argparse
import logging
import os
import sys
from functools import partial

from exporter import __version__, allocator, config, logs
from exporter.cli import settings as cli

log = logging.getLogger("modelmeter")


def run(arguments: argparse.Namespace) -> int:
    """Serve until told to stop; return the exit status, 1 when the settings are not usable."""
    if (count := cli.workers(os.environ)) > 1:
        print(
            f"WEB_CONCURRENCY={count}: modelmeter runs in one process, since all events of a model "
            "must meet in one memory; unset WEB_CONCURRENCY",
            file=sys.stderr,
        )
        return 1
    try:
        settings = cli.load(arguments)
    except config.ConfigError as error:
        cli.complain(error)
        return 1
    logs.configure(settings.log_level, settings.log_format)
    announce(settings)
    allocator.use_one_arena()
    from exporter import app  # noqa: PLC0415 - bad settings are told before anything heavy loads

    return app.serve(settings, reload=partial(cli.load, arguments))


def announce(settings: config.Settings) -> None:
    """Log what starts, what the environment holds in vain, and where the state is."""
    log.info("starting modelmeter", extra={"version": __version__, "config": settings.config_file})
    for warning in config.environment_warnings(os.environ):
        log.warning(warning)
    if not settings.persist:
        log.info("nothing is kept on disk: a restart begins anew")
    else:
        where = {"data_dir": settings.data_dir, "durability": settings.durability}
        log.info("state is kept", extra=where)
