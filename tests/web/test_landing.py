"""The landing page, by HTTP and in a real browser."""

import gzip
import json
import re
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from exporter.config import Limit, ModelSettings, Settings, WindowSpec
from exporter.service import Service
from exporter.web.page import content
from tests.programs import program
from tests.web.browser import browse
from tests.web.support import HOST, Time, running, until

ROOT = Path(__file__).parents[2]
LIMITS = (Limit("accuracy_ratio", "min", 0.9),)
SETTINGS = Settings(
    windows=(WindowSpec("5m", 300.0),),
    decision_interval=0.1,
    models=(ModelSettings("fraud", team="risk", limits=LIMITS), ModelSettings("later")),
)
WRONG = [{"model": "fraud", "version": "3", "score": 0.9, "label": i % 4 > 0} for i in range(400)]


def texts(page: str) -> str:
    """What a person reads, without the style and the script."""
    page = re.sub(r"<(style|script|title)>.*?</\1>", "", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_without_models_it_says_how_to_send_an_event(tmp_path) -> None:
    with running() as client:
        page, complaints = browse(tmp_path, client.url + "/")
        assert "No events yet" in page
        assert f"curl http://{HOST}:{client.port}/v1/events" in page
        assert 'href="metrics"' in page
        assert "modelmeter itself" in page
        assert complaints == ""


def test_it_shows_the_models_and_updates_itself(tmp_path, monkeypatch) -> None:
    with running(SETTINGS) as client:
        client.post(WRONG)
        until(lambda: client.sum("model_metric_limit_breached") > 0, "the decision")
        made = content.content

        def then_more(*given):
            """What comes once the page has been made is there when it has asked again."""
            shown = made(*given)
            client.post({"model": "later", "score": 1})
            return shown

        monkeypatch.setattr("exporter.web.landing.content", then_more)
        page, complaints = browse(tmp_path, client.url + "/", "--virtual-time-budget=9000")
        found = texts(page)
        assert "2 models : 1 critical , 1 not judged" in found
        assert (
            "✖ critical fraud version 3 · binary · team risk accuracy 0.750 ✖ below 0.9 5m" in found
        )
        assert "100 % 400 of 400, 5m" in found
        assert re.search(r"accuracy 0.750 0.70\d – 0.79\d ✖ below 0.9", found)
        assert '<a href="?model=later">' in page
        assert complaints == ""


def test_nothing_that_was_sent_can_run(tmp_path) -> None:
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    models = (ModelSettings("m", team=evil[:60]), ModelSettings("n", team='"><b onclick="x'))
    reference = [
        {"score": i % 100 / 100, "label": i % 2, "features": {evil: i % 7, "'\"&": i % 3}}
        for i in range(3000)
    ]  # fmt: skip
    now = Time()
    with running(Settings(models=models), clock=now.clock) as client:
        answer = client.request(
            "PUT", "/v1/reference?model=m&independent=true", json.dumps(reference).encode(),
            {"Content-Type": "application/json"},
        )  # fmt: skip
        assert answer.status == 200, answer.body
        client.post(
            [{"model": "m", "score": 0.5, "features": {evil: 3, "'\"&": None}}] * 2000
            + [{"model": "n", "score": 1}]
        )
        now.now += 61
        until(lambda: client.sum("model_drifted_features") > 0, "the decision")
        page, complaints = browse(tmp_path, client.url + "/", "--virtual-time-budget=9000")
    assert "<title>modelmeter</title>" in page
    assert "&lt;img src=x onerror=" in page
    assert "drifted" in texts(page)
    live = page[page.index("<main") : page.index("</main>")]
    assert not re.search(r"<(img|script|b on|iframe|link|style)|<[^>]*\son\w+\s*=", live)
    assert complaints == ""


def test_scripts_and_styles_that_are_not_its_own_are_kept_out(tmp_path, monkeypatch) -> None:
    planted = "<img src=x onerror=\"document.title='owned'\"><b style='color:red'>b</b>"
    monkeypatch.setattr("exporter.web.landing.content", lambda *given: planted)
    with running() as client:
        page, complaints = browse(tmp_path, client.url + "/", "--virtual-time-budget=9000")
    assert "<title>modelmeter</title>" in page
    assert "Content Security Policy" in complaints


def test_without_scripts_it_is_a_whole_table_in_the_first_answer() -> None:
    with running(SETTINGS) as client:
        client.post(WRONG)
        until(lambda: client.sum("model_metric_limit_breached") > 0, "the decision")
        answer = client.get("/")
        page = answer.body.decode()
    assert "✖ critical" in texts(page)
    assert page.count("<table") == 2
    assert 'style="' not in page
    assert not re.search(r"(src|href)=\"(?!data:,)[a-z]+:", page)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_fragment_is_what_the_page_holds() -> None:
    now = Time()
    with running(clock=now.clock) as client:
        client.post({"model": "m", "score": 1})
        page = client.get("/").body.decode()
        fragment = client.get("/?fragment=true").body.decode()
        packed = client.get("/?fragment=true", Accept_Encoding="gzip")
        # The memory in use is not the same at two looks.
        same = [re.sub(r"[\d.,]+ [KMG]iB", "", one) for one in (page, fragment)]
        assert same[1] in same[0]
        assert "<html" not in fragment
        assert packed.headers["content-encoding"] == "gzip"
        assert "modelmeter itself" in gzip.decompress(packed.body).decode()
        assert client.get("/?fragment=perhaps").status == 422


def test_who_looks_within_a_second_of_another_sees_the_same(monkeypatch) -> None:
    made = []
    monkeypatch.setattr(
        "exporter.web.landing.content", lambda *given: made.append(given) or f"{len(made)}"
    )
    now = Time()
    with running(clock=now.clock) as client:

        def look() -> str:
            return client.get("/?fragment=true").body.decode()

        assert (look(), look()) == ("1", "1")
        now.now += 0.99
        assert look() == "1"
        now.now += 0.02
        assert look() == "2"
        now.now -= 10
        assert look() == "3"
        for i in range(40):
            client.get("/?fragment=true", Host=f"host-{i}")
        assert len(made) == 43
        # Few are kept: the first of them was let go.
        assert look() == "44"


def test_one_model_can_be_asked_for() -> None:
    with running() as client:
        events = [
            {"model": f"m{i}", "version": v, "score": 1} for i in range(9) for v in ("1", "2")
        ]
        client.post(events)
        every, one = client.get("/").body.decode(), client.get("/?model=m7").body.decode()
        assert every.count('<table class="detail"') == content.DETAILED
        assert "12 more: choose one above to see it in full." in every
        assert one.count('<table class="detail"') == 2
        assert "m6" not in one
        gone = client.get("/?model=nobody")
        assert (gone.status, gone.body) == (404, b"This model is not monitored.\n")
        assert client.value("modelmeter_requests_rejected_total", code="404") == 1


def test_grafana_is_linked_where_it_is_known() -> None:
    with running() as client:
        client.post({"model": "m", "version": "2", "score": 1})
        assert "Grafana" not in client.get("/").body.decode()
    with running(Settings(grafana_url="https://grafana.example.org/g")) as client:
        client.post({"model": "m", "version": "2", "score": 1})
        page = client.get("/").body.decode()
    link = "https://grafana.example.org/g/d/modelmeter-model-quality"
    assert f'href="{link}?var-model=m&amp;var-version=2"' in page
    assert f'href="{link}"' in page


def test_while_the_state_is_restored_it_says_so(tmp_path, monkeypatch) -> None:
    with running(folder=tmp_path) as client:
        client.post({"model": "m", "score": 0.5})
    begun, go = threading.Event(), threading.Event()
    restore = Service.restore

    def slow(service):
        begun.set()
        assert go.wait(30)
        restore(service)

    monkeypatch.setattr(Service, "restore", slow)
    found = []

    def look(client):
        assert begun.wait(30)
        found.append(client.get("/"))
        go.set()

    with running(folder=tmp_path, meanwhile=look) as client:
        (answer,) = found
        assert answer.status == 503
        assert answer.headers["content-type"].startswith("text/plain")
        assert b"restoring its state" in answer.body
        assert answer.headers["retry-after"] == "1"
        assert client.get("/").status == 200
        assert client.value("modelmeter_requests_rejected_total", code="503") == 1


def test_200_models_are_shown_quickly_and_nobody_waits_for_it(process) -> None:
    client = process()
    for name in range(0, 200, 10):
        client.post(
            [
                {
                    "model": f"m{name + i}", "score": k % 97 / 97, "label": k % 3 > 0,
                    "latency_seconds": 0.01, "features": {f"f{j}": k * j % 11 for j in range(5)},
                }
                for i in range(10)
                for k in range(100)
            ]
        )  # fmt: skip
    client.get("/")
    done, slowest = threading.Event(), [0.0]

    def ask() -> None:
        while not done.is_set():
            begin = time.monotonic()
            client.get("/-/healthy")
            slowest[0] = max(slowest[0], time.monotonic() - begin)

    asking = threading.Thread(target=ask)
    asking.start()
    took = []
    for i in range(5):
        begin = time.monotonic()
        # Another host is another page: none is one that was kept.
        page = client.get("/", Host=f"host-{i}")
        took.append(time.monotonic() - begin)
    done.set()
    asking.join()
    packed = client.get("/", Accept_Encoding="gzip")
    print(f"200 models: {sorted(took)[2]:.3f} s, {len(page.body):,} bytes, "
          f"{len(packed.body):,} packed; health at most {slowest[0]:.3f} s")  # fmt: skip
    assert page.body.count(b'<th scope="row" class="model">') == 200
    assert len(page.body) < 1_000_000
    assert len(packed.body) < 100_000
    # Bounds for a busy machine; what is usual is printed.
    assert sorted(took)[2] < 2.0
    assert slowest[0] < 1.0


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 600)])
def test_the_picture_can_be_taken_by_anyone(tmp_path, scheme, width) -> None:
    program("chromium", "chromium-browser", "google-chrome")
    file = tmp_path / "page.png"
    script = [
        sys.executable,
        "scripts/landing_picture.py",
        "--scheme",
        scheme,
        "--width",
        str(width),
    ]
    subprocess.run([*script, str(file)], cwd=ROOT, check=True, timeout=180)
    data = file.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (width, 1000)
    assert len(data) > 30_000, "it shows something"
