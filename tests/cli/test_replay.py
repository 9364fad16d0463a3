"""Replay against a small HTTP server whose answers a test chooses."""

import io
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.__main__ import main
from exporter.cli.progress import Progress
from exporter.cli.recorded import Row
from exporter.cli.replay import MAX_BATCH_BYTES, Tally, batches, pace, send
from exporter.cli.sender import Sender, SendError, endpoint

Answer = tuple[int, dict[str, object] | bytes, dict[str, str]]


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    lines: list[bytes]


@dataclass
class Server:
    url: str
    answer: Callable[[Request], Answer | None]
    requests: list[Request] = field(default_factory=list)


def accept(request: Request) -> Answer:
    return (
        200,
        {"accepted": len(request.lines), "duplicates": 0, "rejected": [], "rejected_total": 0},
        {},
    )


@contextmanager
def serving(answer: Callable[[Request], Answer | None]) -> Iterator[Server]:
    """Serve what ``answer`` says; None hangs up without an answer."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            request = Request(self.path, dict(self.headers), body.splitlines())
            found.requests.append(request)
            reply = found.answer(request)
            if reply is None:
                self.close_connection = True
                return
            status, content, headers = reply
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(raw))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Server(f"http://127.0.0.1:{server.server_address[1]}", answer)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


class Time:
    """A clock that moves only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []
        self.notices: list[str] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    @contextmanager
    def sender(self, url: str, patience: float = 60.0) -> Iterator[Sender]:
        with closing(
            Sender(
                url,
                headers={},
                patience=patience,
                clock=self.clock,
                sleep=self.sleep,
                notice=self.notices.append,
            )
        ) as sender:
            yield sender


def in_turn(*answers: Answer | None) -> Callable[[Request], Answer | None]:
    left = list(answers)
    return lambda request: left.pop(0) if left else accept(request)


def ndjson(path: Path, count: int) -> Path:
    path.write_text("".join(f'{{"id": {i}}}\n' for i in range(count)))
    return path


def test_everything_is_sent_once_in_order(tmp_path, capsys) -> None:
    data = ndjson(tmp_path / "e.ndjson", 2500)
    with serving(accept) as server:
        assert main(["replay", str(data), "--url", server.url, "--model", "m"]) == 0
    assert [len(request.lines) for request in server.requests] == [1000, 1000, 500]
    assert (
        b"\n".join(line for r in server.requests for line in r.lines) == data.read_bytes().strip()
    )
    first = server.requests[0]
    assert first.path == "/v1/events"
    assert first.headers["X-Model"] == "m"
    assert first.headers["Content-Type"] == "application/x-ndjson"
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 3
    captured = capsys.readouterr()
    assert captured.out == "2500 accepted, 0 duplicates, 0 rejected\n"
    assert captured.err == "100% 2500 events\n"


def test_rejections_are_shown_with_their_place(tmp_path, capsys) -> None:
    data = tmp_path / "e.csv"
    data.write_text("id,score\n" + "".join(f"{i},{i}\n" for i in range(10)) + "x\n")

    def reject_most(request: Request) -> Answer:
        wrong = [
            {"index": i, "field": "score", "error": f"got {json.loads(line)['score']}"}
            for i, line in enumerate(request.lines)
            if json.loads(line)["score"] > 1
        ]
        status = 200 if len(wrong) < len(request.lines) else 422
        if status == 422:
            return 422, {"error": "every event was rejected", "detail": wrong}, {}
        good = len(request.lines) - len(wrong)
        body = {"accepted": good, "duplicates": 1, "rejected": wrong, "rejected_total": len(wrong)}
        return 200, body, {}

    with serving(reject_most) as server:
        assert main(["replay", str(data), "--url", server.url, "--batch", "4"]) == 1
    captured = capsys.readouterr()
    assert captured.out == "2 accepted, 1 duplicates, 9 rejected\n"
    assert captured.err.splitlines()[-6:] == [
        "rejected line 4: score: got 2",
        "rejected line 5: score: got 3",
        "rejected line 6: score: got 4",
        "rejected line 7: score: got 5",
        "rejected line 8: score: got 6",
        "… and 4 more",
    ]


def test_rejections_that_are_not_listed_are_counted() -> None:
    tally = Tally()
    body = {"accepted": 0, "rejected": [{"index": 0, "error": "e"}], "rejected_total": 300}
    rows = [Row(f"line {i}", b"{}") for i in range(300)]
    with serving(in_turn((200, body, {}))) as server, Time().sender(server.url) as sender:
        send(sender, rows, tally)
    assert (tally.rejected, tally.sent, len(tally.first)) == (300, 300, 1)


def test_a_busy_server_is_waited_for_as_it_asks() -> None:
    time = Time()
    busy: Answer = (503, {"error": "restoring"}, {"Retry-After": "7"})
    answers = in_turn(busy, (429, {}, {}), (503, {}, {"Retry-After": "soon"}))
    with serving(answers) as server, time.sender(server.url) as sender:
        assert sender.post(b"{}").status == 200
    assert time.slept == [7.0, 1.0, 2.0]
    assert len(server.requests) == 4
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert time.notices[0] == "the server answered 503: restoring; trying again in 7 s"


def test_patience_has_an_end() -> None:
    time = Time()
    with (
        serving(lambda _: (503, {}, {})) as server,
        time.sender(server.url, patience=20) as sender,
        pytest.raises(SendError, match="gave up after 20 s"),
    ):
        sender.post(b"{}")
    assert time.slept == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_server_that_asks_for_too_long_a_wait_is_given_up_at_once() -> None:
    time = Time()
    long: Answer = (503, {}, {"Retry-After": "3600"})
    with (
        serving(lambda _: long) as server,
        time.sender(server.url) as sender,
        pytest.raises(SendError, match="Service Unavailable"),
    ):
        sender.post(b"{}")
    assert time.slept == []


def test_a_lost_answer_is_asked_for_again_with_the_same_key() -> None:
    time = Time()
    with serving(in_turn(None, None)) as server, time.sender(server.url) as sender:
        assert sender.post(b"{}").status == 200
    assert len({request.headers["Idempotency-Key"] for request in server.requests}) == 1
    assert len(server.requests) == 3


def test_a_server_that_is_away_is_given_up_in_the_end() -> None:
    with serving(accept) as server:
        pass
    time = Time()
    with (
        time.sender(server.url, patience=5) as sender,
        pytest.raises(SendError, match="Connection refused"),
    ):
        sender.post(b"{}")
    assert time.slept


@pytest.mark.parametrize("status", [400, 401, 403, 404, 415, 500])
def test_other_answers_end_the_replay(tmp_path, capsys, status: int) -> None:
    data = ndjson(tmp_path / "e.ndjson", 20)
    reply: Answer = (status, {"error": "no such thing", "detail": []}, {})
    with serving(in_turn((200, {"accepted": 10}, {}), reply)) as server:
        assert main(["replay", str(data), "--url", server.url, "--batch", "10"]) == 1
    assert len(server.requests) == 2
    captured = capsys.readouterr()
    assert captured.out == "10 accepted, 0 duplicates, 0 rejected\n"
    assert f"stopped after 10 events: the server answered {status}: no such thing" in captured.err


def test_a_server_that_is_no_modelmeter_is_noticed(tmp_path, capsys) -> None:
    data = ndjson(tmp_path / "e.ndjson", 1)
    with serving(lambda _: (200, b"<html>welcome</html>", {})) as server:
        assert main(["replay", str(data), "--url", server.url]) == 1
    assert "is it a modelmeter?" in capsys.readouterr().err


def test_batches_too_large_for_the_server_are_halved() -> None:
    def small(request: Request) -> Answer:
        fits = len(request.lines) <= 3 and b"huge" not in request.lines
        return accept(request) if fits else (413, {"error": "too large"}, {})

    tally = Tally()
    rows = [Row(f"line {i}", b"huge" if i == 7 else b"%d" % i) for i in range(10)]
    with serving(small) as server, Time().sender(server.url) as sender:
        send(sender, rows, tally)
    assert (tally.accepted, tally.rejected, tally.sent) == (9, 1, 10)
    assert tally.first == ["line 7: too large for the server"]


@given(st.lists(st.integers(0, MAX_BATCH_BYTES * 2), max_size=12), st.integers(1, 5))
def test_batches_hold_every_row_and_keep_their_bounds(sizes: list[int], most: int) -> None:
    rows = [Row(str(i), b"x" * size) for i, size in enumerate(sizes)]
    made = list(batches(rows, most))
    assert [row for batch in made for row in batch] == rows
    for batch in made:
        assert 1 <= len(batch) <= most
        assert len(batch) == 1 or sum(len(row.body) + 1 for row in batch) <= MAX_BATCH_BYTES + 1


def test_the_rate_is_kept() -> None:
    time = Time()
    wait = pace(50.0, time.clock, time.sleep)
    for sent in (0, 10, 20):
        wait(sent)
    assert time.slept == pytest.approx([0.2, 0.2])
    time.now += 5
    wait(30)
    assert len(time.slept) == 2
    pace(None, time.clock, time.sleep)(10**9)
    assert len(time.slept) == 2


def test_a_rate_makes_smaller_batches(tmp_path) -> None:
    data = ndjson(tmp_path / "e.ndjson", 60)
    with serving(accept) as server:
        assert main(["replay", str(data), "--url", server.url, "--rate", "100"]) == 0
    assert [len(request.lines) for request in server.requests] == [25, 25, 10]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--batch", "0"], ["--batch", "x"], ["--rate", "-1"], ["--rate", "inf"],
        ["--retry-for", "5"], ["--format", "xml"], ["--url", "localhost:9920"],
    ],
)  # fmt: skip
def test_usage_errors(tmp_path, wrong: list[str], capsys) -> None:
    data = ndjson(tmp_path / "e.ndjson", 1)
    with pytest.raises(SystemExit) as caught:
        main(["replay", str(data), "--url", "http://127.0.0.1:1", *wrong])
    assert caught.value.code == 2
    assert wrong[0] in capsys.readouterr().err


def test_an_unreadable_file_is_a_usage_error(tmp_path, capsys) -> None:
    assert main(["replay", str(tmp_path / "no.csv"), "--url", "http://127.0.0.1:1"]) == 2
    assert capsys.readouterr().err == f"{tmp_path}/no.csv: no such file or directory\n"


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    data = tmp_path / "e.parquet"
    data.write_bytes(b"")
    assert main(["replay", str(data), "--url", "http://127.0.0.1:1"]) == 2
    assert "pip install 'modelmeter[arrow]'" in capsys.readouterr().err


def test_standard_input(tmp_path) -> None:
    with serving(accept) as server:
        command = [sys.executable, "-m", "exporter", "replay", "-", "--url", server.url]
        done = subprocess.run(
            command, input='{"id": 1}\n{"id": 2}\n', capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout) == (0, "2 accepted, 0 duplicates, 0 rejected\n")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://h:1", "/v1/events"),
        ("http://h:1/", "/v1/events"),
        ("http://h/proxy/v1/events?x=1", "/proxy/v1/events?x=1"),
    ],
)
def test_endpoints(url: str, path: str) -> None:
    assert endpoint(url).path == path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_on_a_terminal_stays_on_its_line() -> None:
    time, stream = Time(), Terminal()
    progress = Progress(stream, time.clock)
    progress.update(0.1, "a longer text")
    progress.update(0.2, "too soon")
    time.now += 1
    progress.update(0.5, "half")
    progress.finish(1.0, "done")
    first, second, last = stream.getvalue().split("\r")[1:]
    assert first == f"[###{'.' * 27}]  10% a longer text"
    assert second.rstrip() == f"[{'#' * 15}{'.' * 15}]  50% half"
    assert len(second) == len(first)
    assert last.rstrip() == f"[{'#' * 30}] 100% done"
    assert stream.getvalue().endswith("\n")


def test_plain_lines_elsewhere() -> None:
    time, stream = Time(), io.StringIO()
    progress = Progress(stream, time.clock)
    for step in range(100):
        progress.update(step / 100, f"{step} events")
        time.now += 0.125
    progress.finish(1.0, "100 events")
    assert stream.getvalue() == " 40% 40 events\n 80% 80 events\n100% 100 events\n"


def test_interrupting_tells_how_far_it_came(tmp_path) -> None:
    data = ndjson(tmp_path / "e.ndjson", 100)
    came = threading.Event()

    def note(request: Request) -> Answer:
        came.set()
        return accept(request)

    with serving(note) as server:
        command = [sys.executable, "-m", "exporter", "replay", str(data), "--url", server.url]
        process = subprocess.Popen(
            [*command, "--rate", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert came.wait(30)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "accepted" in out
    assert "events: interrupted" in err
