"""The landing page in a real browser."""

import re
import subprocess
from pathlib import Path

from exporter.config import Limit, ModelSettings, Settings, WindowSpec
from exporter.web import landing
from tests.programs import program
from tests.web.support import HOST, running, until

SCREEN = "--window-size=1200,560"


def browse(folder: Path, url: str, *options: str) -> str:
    """The page as the browser has it after some virtual time (or nothing with ``--screenshot``)."""
    name = program("chromium", "chromium-browser", "google-chrome")
    done = subprocess.run(
        [
            name, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={folder}", SCREEN,
            *options, url,
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells(page: str) -> list[str]:
    return re.findall(r"<t[dh][^>]*>([^<]*)</t[dh]>", page)


def test_without_models_it_says_how_to_send_an_event(tmp_path) -> None:
    with running() as client:
        page = browse(tmp_path, client.url + "/", "--dump-dom")
        assert "No events yet" in page
        assert f"curl http://{HOST}:{client.port}/v1/events" in page
        assert 'href="metrics"' in page


def test_it_shows_the_models_and_updates_itself(tmp_path, monkeypatch) -> None:
    limits = (Limit("accuracy_ratio", "min", 0.9),)
    settings = Settings(
        windows=(WindowSpec("5m", 300.0),),
        decision_interval=0.1,
        models=(ModelSettings("fraud", limits=limits), ModelSettings("later")),
    )
    with running(settings) as client:
        events = [
            {"model": "fraud", "version": "3", "score": 0.9, "label": i % 4 > 0} for i in range(400)
        ]
        client.post(events)
        until(lambda: client.sum("model_metric_limit_breached") > 0, "the decision")

        table = landing.table

        def table_then_more(views):
            """What comes once the page has been made is there when it has asked again."""
            shown = table(views)
            client.post({"model": "later", "score": 1})
            return shown

        monkeypatch.setattr(landing, "table", table_then_more)
        page = browse(tmp_path, client.url + "/", "--dump-dom", "--virtual-time-budget=9000")
        row = ["fraud", "3", "binary", "5m", "400", "400", "0.750"]
        found = cells(page)
        at = found.index("fraud")
        assert found[at : at + len(row)] == row
        assert "accuracy &lt; 0.9" in found[at:]
        assert "later" in found
