"""A disk that is full, read-only, broken or slow: what it refuses is not counted."""

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.config import Settings
from exporter.ledger import DiskError
from exporter.store.folder import Folder
from tests.store.support import SETTINGS, alive
from tests.web.support import Process, running, until

EVENT = {"model": "m", "score": 0.5}
ABOUT = {"model": "m", "version": "none"}


@pytest.fixture
def tiny(tmp_path):
    """A file system of its own, of 256 KiB."""
    path = tmp_path / "tiny"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(path)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a file system needs root")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(path):
    to = f"of={path / 'filler'}"
    done = subprocess.run(
        ["dd", "if=/dev/zero", to, "bs=1k"], check=False, capture_output=True, text=True
    )
    assert "No space left" in done.stderr


def sent(client, count):
    answers = [client.post({**EVENT, "id": i}) for i in range(count)]
    return [answer.status for answer in answers]


def test_a_full_disk_refuses_events_and_recovers_by_itself(tiny, tmp_path):
    server = Process(tmp_path, data=tiny)
    try:
        assert set(sent(server, 20)) == {200}
        fill(tiny)
        statuses = [server.post({**EVENT, "padding": "x" * 5000}).status for _ in range(3)]
        refused = server.post({**EVENT, "features": {"x": "y" * 9000}})
        assert statuses[-1] == refused.status == 503
        assert refused.headers["retry-after"] == "5"
        assert "No space left" in refused.json()["error"]
        assert server.get("/-/healthy").status == 200
        assert server.value("modelmeter_journal_failing") == 1
        assert server.value("modelmeter_requests_rejected_total", code="503") >= 1
        counted = server.value("model_predictions_total", **ABOUT)
        assert counted == 20 + statuses.count(200)
        (tiny / "filler").unlink()
        assert server.post({**EVENT, "id": "after"}).status == 200
        assert server.value("modelmeter_journal_failing") == 0
        assert server.log().count("the data folder cannot be written") == 1
    finally:
        server.end()
    again = Process(tmp_path, data=tiny)
    try:
        assert again.value("model_predictions_total", **ABOUT) == counted + 1
        assert again.value("modelmeter_store_damaged_total") == 0
    finally:
        again.end()


def test_a_start_on_a_full_disk_shows_everything_and_takes_events_when_there_is_room(
    tiny, tmp_path
):
    server = Process(tmp_path, data=tiny)
    try:
        assert set(sent(server, 20)) == {200}
    finally:
        server.end()
    fill(tiny)
    again = Process(tmp_path, {"join": {"max_pending": 10}}, data=tiny)
    try:
        assert again.value("model_predictions_total", **ABOUT) == 20
        assert again.value("model_pending_predictions", **ABOUT) == 10
        assert again.post(EVENT).status == 503
        (tiny / "filler").unlink()
        assert again.post(EVENT).status == 200
    finally:
        again.end()
    third = Process(tmp_path, data=tiny)
    try:
        assert third.value("model_predictions_total", **ABOUT) == 21
        assert third.value("model_pending_predictions", **ABOUT) == 10
    finally:
        third.end()


def test_where_that_is_asked_for_events_are_taken_without_the_disk(tiny, tmp_path):
    config = {"on_disk_error": "continue"}
    server = Process(tmp_path, config, data=tiny)
    try:
        assert set(sent(server, 5)) == {200}
        fill(tiny)
        body = {**EVENT, "features": {"x": "y" * 9000}}
        assert [server.post(body).status for _ in range(3)] == [200] * 3
        assert server.value("modelmeter_events_unjournalled_total") >= 2
        assert server.value("model_predictions_total", **ABOUT) == 8
    finally:
        server.end()
    (tiny / "filler").unlink()
    again = Process(tmp_path, config, data=tiny)
    try:
        # What was counted beyond the journal is lost: counters begin anew, never slightly lower.
        assert again.value("model_predictions_total", **ABOUT) == 0
        assert again.value("model_window_predictions", **ABOUT, window="5m") >= 5
        assert again.post({**EVENT, "id": "new"}).status == 200
    finally:
        again.end()


def test_after_the_disk_is_back_a_snapshot_holds_what_was_not_journalled(tiny, tmp_path):
    server = Process(tmp_path, {"on_disk_error": "continue"}, data=tiny)
    try:
        fill(tiny)
        body = {**EVENT, "features": {"x": "y" * 9000}}
        assert [server.post(body).status for _ in range(3)] == [200] * 3
        before = server.value("modelmeter_snapshot_timestamp_seconds")
        (tiny / "filler").unlink()
        assert server.post({**EVENT, "id": "after"}).status == 200
        until(lambda: server.value("modelmeter_snapshot_timestamp_seconds") > before, "a snapshot")
    finally:
        server.end()
    again = Process(tmp_path, data=tiny)
    try:
        assert again.value("model_predictions_total", **ABOUT) == 4
    finally:
        again.end()


def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path):
    held = tmp_path / "data"
    with alive(held):
        command = [sys.executable, "-m", "exporter", "serve", "--web.listen-address=127.0.0.1:0"]
        for folder, why in (
            (held, "in use by another modelmeter"),
            (tmp_path / "f" / "g", "Not a"),
        ):
            (tmp_path / "f").touch()
            done = subprocess.run(
                [*command, "--data-dir", str(folder)],
                check=False, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            assert done.returncode == 1
            assert why in done.stderr + done.stdout
            assert "--no-persist" in done.stderr + done.stdout


@pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
@pytest.mark.parametrize("code", [errno.EROFS, errno.EIO, errno.ENOSPC])
def test_what_the_disk_refused_is_not_there_after_a_restart(tmp_path, monkeypatch, call, code):
    with alive(tmp_path) as run:
        run.folder._sync = run.folder._segment._sync = True
        run.send(EVENT)
        real = getattr(os, call)

        def broken(descriptor, *arguments):
            if call == "pwritev":
                real(descriptor, [b"".join(arguments[0])[:30]], *arguments[1:])
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, call, broken)
        for _ in range(3):
            with pytest.raises(DiskError, match=os.strerror(code)):
                run.send(EVENT, EVENT)
        assert run.ledger.errors == 3
        assert not run.ledger.save()
        monkeypatch.setattr(os, call, real)
        run.send(EVENT)
        assert not run.ledger.failing
    with alive(tmp_path) as again:
        assert not again.restored.lost
        assert again.shown()["model_predictions_total", tuple(ABOUT.items())] == 2


def test_what_is_counted_without_the_disk_while_a_snapshot_is_written_is_known_to_be_lost(
    tmp_path, monkeypatch
):
    with alive(tmp_path, on_error="continue") as run:
        run.send(EVENT)
        write, append = Folder.save, Folder.append

        def refuse(self, records):
            raise OSError(errno.ENOSPC, "No space left on device")

        def save(self, number, parts):
            write(self, number, parts)
            monkeypatch.setattr(Folder, "append", refuse)
            run.send(EVENT)
            monkeypatch.setattr(Folder, "append", append)

        monkeypatch.setattr(Folder, "save", save)
        assert run.ledger.save()
        assert run.folder.beyond
        monkeypatch.setattr(Folder, "save", write)
        assert run.ledger.save()
        assert not run.folder.beyond


def test_a_journal_that_no_snapshot_cuts_is_bounded(tmp_path, monkeypatch):
    with alive(tmp_path, most=20_000) as run:

        def full(self, number, parts):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Folder, "save", full)

        def on_and_on():
            for _ in range(1000):
                run.send(EVENT)
                run.ledger.save_if_due()

        with pytest.raises(DiskError, match="the journal is full"):
            on_and_on()
        assert run.folder.journal_bytes < 25_000
        monkeypatch.undo()
        # By itself, and soon: nothing is taken until then.
        for _ in range(2):
            run.now += 6.0
            run.ledger.save_if_due()
        run.send(EVENT)


@contextmanager
def slow_disk(monkeypatch):
    """A disk that answers when it is let to; counts what it was asked."""
    go, asked, real = threading.Event(), [], os.fdatasync

    def slow(descriptor):
        asked.append(descriptor)
        assert go.wait(30)
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", slow)
    yield go, asked
    go.set()


def test_a_slow_disk_holds_up_events_together_and_no_scrape(tmp_path, monkeypatch):
    with running(Settings(), folder=tmp_path) as client, slow_disk(monkeypatch) as (go, asked):
        with ThreadPoolExecutor(20) as pool:
            posts = [pool.submit(client.post, {**EVENT, "id": i}) for i in range(20)]
            until(lambda: asked, "the first write")
            assert client.get("/metrics").status == 200
            assert client.value("model_predictions_total", **ABOUT) in (None, 0)
            assert client.get("/-/ready").status == 200
            assert not any(post.done() for post in posts)
            go.set()
            assert [post.result(30).status for post in posts] == [200] * 20
        assert client.value("model_predictions_total", **ABOUT) == 20
        # Those that came while it waited were written in one go.
        assert len(asked) <= 10


def test_references_are_refused_too_while_nothing_can_be_saved(tmp_path, monkeypatch):
    with running(SETTINGS, folder=tmp_path) as client:
        assert client.post(EVENT).status == 200

        def broken(*_):
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(os, "pwritev", broken)
        for method, path in (("DELETE", "/v1/models/m"), ("POST", "/-/reload")):
            answer = client.request(method, path)
            assert answer.status == 503 or path == "/-/reload"
            assert client.value("model_predictions_total", **ABOUT) == 1
        monkeypatch.undo()
        assert client.request("DELETE", "/v1/models/m").status == 200


@pytest.mark.parametrize("policy", ["refuse", "continue"])
def test_what_can_neither_be_journalled_nor_noted_is_refused(tmp_path, monkeypatch, policy):
    """After a crash counters would be slightly lower, and nobody would know."""
    with alive(tmp_path, on_error=policy) as run:
        run.send(EVENT)

        def broken(*_):
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(os, "pwrite", broken)  # of the mark
        monkeypatch.setattr(os, "pwritev", broken)
        with pytest.raises(DiskError, match="Read-only"):
            run.send(EVENT)
        monkeypatch.undo()
        run.send(EVENT)
        before = run.counters()
    with alive(tmp_path) as again:
        assert not again.restored.lost
        assert again.counters() == pytest.approx(before, rel=1e-7)


@pytest.mark.parametrize("saved", [True, False])
def test_what_a_failed_beginning_left_is_in_nobodys_way(tmp_path, monkeypatch, saved):
    with alive(tmp_path) as run:
        run.send(EVENT)

        def broken(*_, **__):
            raise OSError(errno.EROFS, "Read-only file system")

        with monkeypatch.context() as patched:
            patched.setattr(os, "pwritev", broken)
            patched.setattr(Path, "unlink", broken)
            assert not run.ledger.save()
        if saved:
            assert run.ledger.save()
        run.send(EVENT)
    with alive(tmp_path) as again:
        assert not again.restored.lost
        assert again.shown()["model_predictions_total", tuple(ABOUT.items())] == 2


@pytest.mark.parametrize("call", ["pwritev", "fdatasync"])
def test_what_was_refused_does_not_stay_behind_in_an_older_segment(tmp_path, monkeypatch, call):
    with alive(tmp_path) as run:
        run.folder._sync = True
        assert run.ledger.save()
        run.send({**EVENT, "id": 2})
        real = getattr(os, call)

        def broken(descriptor, *arguments):
            if call == "pwritev":
                real(descriptor, [b"".join(arguments[0])[:30]], *arguments[1:])
            raise OSError(errno.EIO, "Input/output error")

        def uncut(*_):
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(os, call, broken)
            patched.setattr(os, "ftruncate", uncut)
            with pytest.raises(DiskError):
                run.send({**EVENT, "id": 3})
            patched.setattr(os, call, real)
            assert not run.ledger.save()
        assert run.ledger.save()
        run.send({**EVENT, "id": 4})
        before = run.counters()
    newest = max(tmp_path.glob("snapshot-*"))
    newest.write_bytes(newest.read_bytes()[:-3])
    with alive(tmp_path) as again:
        assert not again.restored.lost
        assert again.counters() == pytest.approx(before, rel=1e-7)
