"""What is written to a terminal, and to anything else."""

import contextlib
import io
import os
import pty

from exporter.demo.display import Display, Progress, bar, clock, summary
from exporter.demo.schedule import Phase

WINDOWS = ("15s", "1m")


def progress(**changes: object) -> Progress:
    values = {
        "elapsed": 53.0,
        "total": 120.0,
        "phase": Phase(changed=True, start=45.0, end=69.0),
        "predictions": 3180,
        "labels": 2870,
        "accuracy": {"15s": 0.7214, "1m": 0.842},
        "alerts": "1 ALERT FIRING",
    }
    return Progress(**{**values, **changes})


def test_times_and_bars():
    assert [clock(0), clock(59.9), clock(60), clock(3605)] == ["0:00", "0:59", "1:00", "60:05"]
    assert bar(0.25, 8) == "[##......]"
    assert bar(-1, 4) == "[....]"
    assert bar(7, 4) == "[####]"


def test_the_summary_says_all_in_one_line():
    assert summary(progress(), WINDOWS) == (
        "0:53/2:00 [#####.......] HOUR IN UTC | accuracy 15s 0.721, 1m 0.842"
        " | 1 ALERT FIRING | 2870 of 3180 labelled"
    )


def test_without_an_end_the_bar_is_that_of_the_phase():
    line = summary(progress(total=None, elapsed=51.0), WINDOWS)
    assert line.startswith("0:51 [###.........] HOUR IN UTC")


def test_phases_have_names():
    before = Phase(changed=False, start=0.0, end=45.0)
    after = Phase(changed=False, start=69.0, end=345.0)
    assert "all well" in summary(progress(phase=before), WINDOWS)
    assert "recovered" in summary(progress(phase=after), WINDOWS)


def test_what_is_not_known_yet_is_a_dash():
    assert "accuracy 15s -, 1m -" in summary(progress(accuracy={}), WINDOWS)


def test_elsewhere_than_on_a_terminal_a_plain_line_comes_every_five_seconds():
    stream = io.StringIO()
    display = Display(stream)
    for now in (0.0, 1.0, 4.9, 5.0, 9.9, 10.0):
        display.update(f"at {now}", now)
    display.say("news")
    display.tell(67.0, "x" * 500)
    display.clear()
    assert stream.getvalue() == "at 0.0\nat 5.0\nat 10.0\nnews\n" + f" 1:07  {'x' * 500}\n"


def test_on_a_terminal_the_line_is_redrawn_in_place_and_news_stay():
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as terminal:
        display = Display(terminal)
        display.update("one", 0.0)
        display.update("x" * 500, 0.1)
        display.say("news")
        display.tell(67.0, "word " * 60)
    written = read_all(leader)
    one, long, news, told = written.split("\r\x1b[2K")[1:]
    assert one == "one"
    assert len(long) < 500
    assert news == "news\r\n"
    first, *others = told.rstrip().split("\r\n")
    assert first.startswith(" 1:07  word word")
    assert {line[:12] for line in others} == {"       word "}


def read_all(leader):
    """What was written to the other end, now closed; a terminal hands it over in pieces."""
    pieces = []
    with os.fdopen(leader, "rb", buffering=0) as terminal, contextlib.suppress(OSError):
        while piece := terminal.read(10_000):
            pieces.append(piece)
    return b"".join(pieces).decode()


def test_a_closed_pipe_is_noticed_and_does_not_raise():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        display = Display(pipe)
        display.say("to nobody")
        assert display.is_gone
        display.say("again")
