"""What no file of the project may hold: paths of one machine, index addresses, unfinished parts."""

import re
import subprocess

import pytest

from tests.deploy.support import ROOT, program

BINARY = {".png", ".gz", ".parquet", ".arrow", ".ico", ".npz"}
FORBIDDEN = {
    "a path of somebody's machine": r"(?<![\w.~-])/(?:home|root|Users|work|opt/wheels)/",
    "the address of a package index": r"pypi\.org/simple|--find-links[ =]\S|--index-url[ =]\S",
    "an unfinished part": r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX)\b",
}


def tracked() -> list[str]:
    """The files git tracks, or in an unpacked archive all files."""
    done = subprocess.run(
        [program("git"), "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        return [name for name in done.stdout.split("\0") if name]
    return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if ".venv" not in path.parts]


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what):
    pattern = re.compile(FORBIDDEN[what])
    found = []
    for name in tracked():
        path = ROOT / name
        if not path.is_file() or path.suffix in BINARY or name == "tests/deploy/test_text.py":
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name}: {match[0]}" for match in pattern.finditer(text)]
    assert not found


def test_licence_is_apache_2():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target
