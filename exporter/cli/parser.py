"""What the command line offers, and which function answers each command."""

import argparse
import importlib
from collections.abc import Callable
from typing import Final

DESCRIPTION: Final = """\
A Prometheus exporter beside a model server: it takes predictions and labels over HTTP and
exposes the model's rolling quality, its limits and the server's own resources on /metrics.
"""
EPILOG: Final = """\
Without a command, modelmeter serves: "modelmeter --config modelmeter.yaml" is
"modelmeter serve --config modelmeter.yaml".  "modelmeter COMMAND --help" lists a command's flags.

Every setting can also come from the environment, as MODELMETER_ and its name in upper case:
MODELMETER_WEB_LISTEN_ADDRESS=:9920, MODELMETER_WINDOWS=5m,1h, MODELMETER_JOIN_TTL=1d.
A flag wins over the environment, the environment over the file, the file over the default.
"""
Add = Callable[[argparse.ArgumentParser], None]


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps paragraphs as written, and gives flags room beside their help."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=34, width=100)
        self._action_max_length = 16  # argparse forgets that commands are indented twice


def add_process_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a running modelmeter."""
    parser.add_argument(
        "--config", metavar="FILE", help="configuration file in YAML (default: none)"
    )
    add_address_flag(parser, "address to listen on")
    add_web_config_flag(parser)
    parser.add_argument(
        "--data-dir", metavar="DIR", help="folder for state on disk (default: ./modelmeter-data)"
    )
    parser.add_argument(
        "--no-persist", action="store_const", const="true", help="keep nothing on disk"
    )
    parser.add_argument(
        "--log.level", metavar="LEVEL", help="debug, info, warn or error (default: info)"
    )
    parser.add_argument("--log.format", metavar="FORMAT", help="logfmt or json (default: logfmt)")


def add_address_flag(parser: argparse.ArgumentParser, help_: str) -> None:
    """Add ``--web.listen-address``."""
    parser.add_argument(
        "--web.listen-address",
        metavar="ADDRESS",
        help=f"{help_}: :port, host:port or [::1]:port (default: :9920)",
    )


def add_web_config_flag(parser: argparse.ArgumentParser) -> None:
    """Add ``--web.config.file``."""
    parser.add_argument(
        "--web.config.file",
        metavar="FILE",
        help="TLS and users, in the format of Prometheus' exporter-toolkit (default: none)",
    )


def _check_config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help="configuration file in YAML")
    add_web_config_flag(parser)


def _healthcheck(parser: argparse.ArgumentParser) -> None:
    importlib.import_module("exporter.cli.healthcheck").add_arguments(parser)


def _replay(parser: argparse.ArgumentParser) -> None:
    importlib.import_module("exporter.cli.replay").add_arguments(parser)


def _demo(parser: argparse.ArgumentParser) -> None:
    importlib.import_module("exporter.demo").add_arguments(parser)


def _reference(parser: argparse.ArgumentParser) -> None:
    importlib.import_module("exporter.cli.reference").add_arguments(parser)


def _nothing(parser: argparse.ArgumentParser) -> None:
    pass


COMMANDS: Final[dict[str, tuple[str, str, Add]]] = {
    "serve": (
        "exporter.cli.serve",
        "take events and expose metrics (the default)",
        add_process_flags,
    ),
    "demo": ("exporter.demo", "watch a real model's quality fall and recover", _demo),
    "check-config": ("exporter.cli.check_config", "check a configuration file", _check_config),
    "reference": (
        "exporter.cli.reference",
        "build a reference file from recorded events",
        _reference,
    ),
    "replay": ("exporter.cli.replay", "send recorded events to a modelmeter", _replay),
    "healthcheck": ("exporter.cli.healthcheck", "ask a modelmeter if it is healthy", _healthcheck),
    "version": ("exporter.cli.version", "print the version", _nothing),
}
"""Each command's module (which has ``run(arguments) -> int``), its help and its arguments."""


def build(command: str | None) -> argparse.ArgumentParser:
    """Return the parser; only the chosen command's arguments are there, the others cost nothing."""
    parser = argparse.ArgumentParser(
        prog="modelmeter",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=HelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    for name, (_, help_, add) in COMMANDS.items():
        sub = commands.add_parser(
            name,
            help=help_,
            description=f"{help_[0].upper()}{help_[1:]}.",
            formatter_class=HelpFormatter,
            allow_abbrev=False,
        )
        if name == command:
            add(sub)
    return parser


def chosen(argv: list[str]) -> list[str]:
    """Return the arguments with the command in front: ``serve`` where none is given."""
    if argv and (not argv[0].startswith("-") or argv[0] in ("-h", "--help", "--version")):
        return argv
    return ["serve", *argv]


def run(argv: list[str]) -> int:
    """Run the command that the arguments name and return its exit status."""
    argv = chosen(argv)
    arguments = build(argv[0]).parse_args(argv)
    command = "version" if arguments.version else arguments.command
    status: int = importlib.import_module(COMMANDS[command][0]).run(arguments)
    return status
