"""The command ``modelmeter``, also run as ``python -m exporter``."""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    from exporter.cli.parser import run  # noqa: PLC0415 - so that importing this module costs nothing

    return run(sys.argv[1:] if argv is None else list(argv))


if __name__ == "__main__":
    sys.exit(main())
