"""Files of bearer tokens: one a line, empty lines and ``#`` comments apart."""

import re
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 2**16
_TOKEN: Final = re.compile(rb"[!-~]+")


class TokenError(ValueError):
    """A file that holds no tokens; the message shows nothing of it but its path."""


def read(path: str) -> tuple[bytes, ...]:
    """Return the tokens of a file, at least one. Raises TokenError."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise TokenError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if len(content) > MAX_BYTES:
        raise TokenError(f"{path}: larger than {MAX_BYTES // 1024} KiB")
    lines = [line.strip() for line in content.splitlines()]
    for number, line in enumerate(lines, 1):
        if line and not line.startswith(b"#") and not _TOKEN.fullmatch(line):
            raise TokenError(f"{path}:{number}: a token is visible ASCII without spaces")
    found = tuple(line for line in lines if line and not line.startswith(b"#"))
    if not found:
        raise TokenError(f"{path}: holds no token")
    return found
