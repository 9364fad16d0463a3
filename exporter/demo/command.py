"""The command `modelmeter demo`: its arguments, and what becomes of trouble."""

import argparse
import sys

from exporter.config.units import parse_duration


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the demo's arguments."""
    parser.description = (
        "Run a real model with live traffic, modelmeter beside it, and Prometheus and\n"
        "Alertmanager where they are installed. After a minute the world changes: the model's\n"
        "accuracy falls, an alert is delivered; the world recovers, and the alert is resolved."
    )
    parser.add_argument(
        "--duration",
        type=_duration,
        metavar="TIME",
        help="end by itself after so long: 120, 2m (default: run until Ctrl-C)",
    )
    parser.add_argument(
        "--change-after",
        type=_duration,
        metavar="TIME",
        help="when the world changes (default: 1m, earlier in a short run)",
    )
    for name, what in _PORTS.items():
        parser.add_argument(
            f"--{name}", type=_port, metavar="PORT", help=f"port of {what} (default: a free one)"
        )


_PORTS = {
    "port": "modelmeter",
    "model-port": "the model server",
    "prometheus-port": "Prometheus",
    "alertmanager-port": "Alertmanager",
}


def _duration(text: str) -> float:
    """Return the seconds of `120`, `1.5` or `2m`; argparse shows the message of the error."""
    try:
        seconds = float(text) if text.replace(".", "", 1).isdecimal() else parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 120 or 2m") from error
    if seconds <= 0:
        raise argparse.ArgumentTypeError("must be longer than 0")
    return seconds


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run the demo; return the exit status: 0 if it ended as asked, 1 if a part of it failed."""
    from exporter.demo import runner  # noqa: PLC0415 - help is shown without loading numpy
    from exporter.demo.ports import PortTaken  # noqa: PLC0415
    from exporter.demo.processes import ChildDied  # noqa: PLC0415
    from exporter.demo.stack import NotReady  # noqa: PLC0415

    try:
        runner.run(
            duration=args.duration,
            change_after=args.change_after,
            wanted=runner.WantedPorts(
                args.port, args.model_port, args.prometheus_port, args.alertmanager_port
            ),
        )
    except (ChildDied, NotReady, PortTaken) as error:
        print(f"modelmeter demo: {error}", file=sys.stderr)
        return 1
    return 0
