"""A real browser without a screen."""

import subprocess
from pathlib import Path

from tests.programs import program


def browse(folder: Path, url: str, *options: str) -> tuple[str, str]:
    """The page as the browser has it in the end (``--dump-dom``), and what it complained of."""
    name = program("chromium", "chromium-browser", "google-chrome")
    done = subprocess.run(
        [
            name, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={folder}",
            "--window-size=1200,560", "--enable-logging=stderr", "--dump-dom", *options, url,
        ],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return done.stdout, "\n".join(complaints)
