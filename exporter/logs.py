"""Log lines on standard error: one a record, logfmt or JSON."""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any, Final, TextIO

LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}
_LEVEL_NAMES: Final = {level: name for name, level in LEVELS.items()}
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {
    "asctime",
    "color_message",  # uvicorn's copy of the message for terminals
    "message",
    "taskName",
}
_PLAIN: Final = re.compile(r'[^\s"=\\]+')
_ESCAPES: Final = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return what a record says: time (UTC, to the millisecond), level, message, extras, error."""
    moment = datetime.fromtimestamp(record.created, UTC)
    said = {
        "ts": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": _LEVEL_NAMES.get(record.levelno, record.levelname.lower()),
        "logger": record.name,
        "msg": record.getMessage(),
    }
    extras = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    said |= {key: value for key, value in extras.items() if value is not None}
    if record.exc_info:
        said["error"] = logging.Formatter().formatException(record.exc_info)
    return said


def quoted(value: object) -> str:
    """Return a logfmt value: plain where that is unambiguous, else quoted and escaped."""
    text = str(value)
    if text.isprintable() and _PLAIN.fullmatch(text):
        return text
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(sign: str) -> str:
    if sign in _ESCAPES:
        return _ESCAPES[sign]
    return sign if sign.isprintable() else f"\\u{ord(sign):04x}"


class LogfmtFormatter(logging.Formatter):
    """Writes ``ts=… level=info logger=… msg="…" key=value``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's one line."""
        return " ".join(f"{key}={quoted(value)}" for key, value in fields(record).items())


class JsonFormatter(logging.Formatter):
    """Writes one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's one line."""
        return json.dumps(fields(record), default=str)


FORMATTERS: Final[dict[str, type[logging.Formatter]]] = {
    "logfmt": LogfmtFormatter,
    "json": JsonFormatter,
}


def configure(level: str = "info", form: str = "logfmt", stream: TextIO | None = None) -> None:
    """Send every log record of this level and above to ``stream`` (standard error) in ``form``."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(FORMATTERS[form]())
    logging.basicConfig(level=LEVELS[level], handlers=[handler], force=True)
    logging.captureWarnings(True)
