import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator

import pytest

from exporter import logs


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "modelmeter", "levelno": logging.WARNING, "levelname": "WARNING",
         "msg": message, "created": 1_767_225_600.25, **extra}
    )  # fmt: skip


def test_a_logfmt_line() -> None:
    line = logs.LogfmtFormatter().format(record("no labels", model="fraud", n=3, path="/a b"))
    assert line == (
        "ts=2026-01-01T00:00:00.250Z level=warn logger=modelmeter "
        'msg="no labels" model=fraud n=3 path="/a b"'
    )


def test_a_json_line() -> None:
    line = logs.JsonFormatter().format(record("no labels", model="fraud", n=3))
    assert json.loads(line) == {
        "ts": "2026-01-01T00:00:00.250Z",
        "level": "warn",
        "logger": "modelmeter",
        "msg": "no labels",
        "model": "fraud",
        "n": 3,
    }


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("", '""'),
        ("a=b", '"a=b"'),
        ('say "x"', r'"say \"x\""'),
        ("back\\slash", r'"back\\slash"'),
        ("two\nlines\r\t", r'"two\nlines\r\t"'),
        ("\x1b[31m\x00", r'"\u001b[31m\u0000"'),
        ("a\u2028b", r'"a\u2028b"'),
        ("größe", "größe"),
    ],
)
def test_logfmt_values_stay_on_their_line(text: str, written: str) -> None:
    assert logs.quoted(text) == written


@pytest.mark.parametrize("form", ["logfmt", "json"])
def test_one_line_a_record_even_with_a_traceback(form: str) -> None:
    stream = io.StringIO()
    logs.configure("info", form, stream)
    logger = logging.getLogger("modelmeter.test")
    logger.debug("not shown")
    logger.info("level=error\nmsg=forged")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logger.exception("failed", extra={"color_message": "never"})
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("a warning", UserWarning, stacklevel=1)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 3
    assert "ValueError: first" in lines[1]
    assert "never" not in lines[1]
    assert "a warning" in lines[2]
    if form == "json":
        assert json.loads(lines[0])["msg"] == "level=error\nmsg=forged"


def test_levels_keep_out_what_is_below() -> None:
    stream = io.StringIO()
    logs.configure("error", "logfmt", stream)
    logging.getLogger("modelmeter").warning("no")
    logging.getLogger("modelmeter").error("yes")
    assert [line.split()[-1] for line in stream.getvalue().splitlines()] == ["msg=yes"]


def test_lines_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logging.getLogger("modelmeter").info("hello")
    captured = capsys.readouterr()
    assert "msg=hello" in captured.err
    assert captured.out == ""
    assert sys.stderr is not None
