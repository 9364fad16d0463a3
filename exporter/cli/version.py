"""``modelmeter version``."""

import argparse
import platform

from exporter import __version__


def run(arguments: argparse.Namespace) -> int:
    """Print name, version and Python."""
    print(f"modelmeter {__version__} (Python {platform.python_version()})")
    return 0
