"""Pictures of every dashboard: `python -m grafana.pictures`.

A real modelmeter and a real Prometheus answer; Grafana's own components draw, in a browser.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grafana import build
from grafana.pictures import page, world
from grafana.pictures.installation import Installation, installed, until

HERE = Path(__file__).parent
IMAGES = HERE.parents[1] / "docs/images"
WIDTH = 1366
"""Of a laptop's screen."""

CHOSEN = {
    "models-overview.json": {},
    "model-quality.json": {"model": "churn", "window": "1m"},
    "drift.json": {"model": "fraud", "version": "2026.2", "window": "1m", "feature": "amount|age"},
    "server-resources.json": {},
    "modelmeter-itself.json": {},
}
"""What a reader would have chosen, of each dashboard."""

A_SECOND = 6
"""Predictions of each version."""

SERVER = """
import math, time
kept = []
while True:
    now = time.time()
    while time.time() < now + 0.03 + 0.02 * math.sin(now / 20):
        math.sqrt(now)
    if len(kept) < 300:
        kept.append(b"x" * 100_000)
    time.sleep(0.1)
"""
"""Busy to a changing degree, as a model server is."""


def program(*names: str) -> str:
    """The first of the programs that is installed; raises SystemExit if none is."""
    for name in names:
        if found := shutil.which(name):
            return found
    raise SystemExit(f"pictures need one of {', '.join(names)}")


def renderer(folder: Path) -> None:
    """Write render.js and render.css to `folder`; fetches Grafana's components once."""
    source = HERE / "renderer"
    if not (source / "node_modules").exists():
        print("fetching Grafana's components (650 MB)")
        subprocess.run([program("npm"), "ci", "--no-audit", "--no-fund"], cwd=source, check=True)
    command = [str(source / "node_modules/.bin/esbuild"), "render.tsx", "--bundle", "--minify"]
    command += ["--loader:.svg=text", "--loader:.ttf=empty", "--log-level=warning"]
    command += ['--define:process.env.NODE_ENV="production"', f"--outfile={folder}/render.js"]
    subprocess.run(command, cwd=source, check=True)


def watched(there: Installation, seconds: int) -> tuple[int, int]:
    """Send what happens in `world`, changed from the middle on; return start and end."""
    rng, start = random.Random(1), time.time()
    while (now := time.time()) < start + seconds:
        there.send(world.batch(rng, A_SECOND, now, changed=now > start + seconds / 2))
        time.sleep(max(0.0, now + 1 - time.time()))
        if sys.stderr.isatty():
            print(f"\r{now - start:4.0f} of {seconds} s", end="", file=sys.stderr)
    until(lambda: there.query('ALERTS{alertname="ModelFeatureDrifted"}'), 60)
    return round(start), round(time.time())


def picture(folder: Path, html: str, height: int, width: int, image: Path) -> None:
    """Take a picture of a page."""
    (folder / "page.html").write_text(html, encoding="utf-8")
    command = [program("chromium", "chromium-browser", "google-chrome"), "--headless=new"]
    command += [
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--allow-file-access-from-files",
    ]
    command += [f"--window-size={width},{height}", "--virtual-time-budget=15000"]
    command += [f"--screenshot={image}", f"--user-data-dir={folder / 'profile'}"]
    command += ["--enable-logging=stderr", (folder / "page.html").as_uri()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    if faults := [
        line for line in done.stderr.splitlines() if "Error" in line and ":CONSOLE" in line
    ]:
        raise SystemExit("\n".join(faults[:5]))


@contextmanager
def model_server() -> Iterator[int]:
    """A process to watch; it ends with the block."""
    with subprocess.Popen([sys.executable, "-c", SERVER]) as running:
        try:
            yield running.pid
        finally:
            running.kill()


def pictures(there: Installation, span: tuple[int, int], folder: Path, to: Path) -> None:
    """Take one of every dashboard, light and dark."""
    for name, chosen in CHOSEN.items():
        board = json.loads((build.FOLDER / name).read_text(encoding="utf-8"))
        for dark in (False, True):
            html, height = page.html(there, board, chosen, span, dark=dark, width=WIDTH)
            image = to / f"{name.removesuffix('.json')}{'-dark' if dark else ''}.png"
            picture(folder, html, height, WIDTH, image)
            print(f"{image}: {WIDTH} x {height}")


def main() -> None:
    """Take them all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=420, help="of traffic, half of it changed")
    parser.add_argument("--to", type=Path, default=IMAGES, help="folder of the pictures")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, model_server() as pid:
        folder = Path(made)
        renderer(folder)
        settings = world.settings(random.Random(2), folder) | {"model_server": {"pid": pid}}
        with installed(folder, program("prometheus"), settings) as there:
            pictures(there, watched(there, options.seconds), folder, options.to)


if __name__ == "__main__":
    main()
