"""Finds the programs that tests run beside modelmeter."""

import os
import shutil

import pytest


def program(*names: str) -> str:
    """The path of the first of these programs that is on PATH.

    Where none is, the test is skipped; in continuous integration (``CI=true``) it fails.
    """
    for name in names:
        if found := shutil.which(name):
            return found
    missing = f"{' or '.join(names)} is not installed (`make test` installs it as root)"
    if os.environ.get("CI") == "true":
        pytest.fail(missing)
    pytest.skip(missing)
