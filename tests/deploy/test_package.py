"""The wheel: all that the command needs, and nothing else."""

import zipfile

import pytest

from tests.deploy.support import ROOT, ok

DATA = {".html", ".csv", ".css", ".js", ".svg", ".yml"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    build = ["python", "-m", "hatchling", "build", "--target", "wheel", "--directory", folder]
    ok(*build)
    (file,) = folder.glob("modelmeter-*.whl")
    with zipfile.ZipFile(file) as opened:
        yield opened


def test_every_module_and_data_file_is_in_it(wheel):
    names = set(wheel.namelist())
    for path in (ROOT / "exporter").rglob("*"):
        if path.suffix in {".py", *DATA}:
            assert str(path.relative_to(ROOT)) in names
    for rules in (ROOT / "prometheus/rules").glob("*.yml"):
        packed = wheel.read(f"exporter/demo/rules/{rules.name}")
        assert packed == rules.read_bytes()


def test_nothing_else_is_in_it(wheel):
    assert {name.split("/")[0] for name in wheel.namelist()} == {
        "exporter",
        "modelmeter-0.1.0.dist-info",
    }


def test_it_says_what_it_is(wheel):
    (metadata,) = [name for name in wheel.namelist() if name.endswith("dist-info/METADATA")]
    text = wheel.read(metadata).decode()
    for line in ("Name: modelmeter", "Requires-Python: >=3.11", "License-Expression: Apache-2.0"):
        assert f"\n{line}\n" in text
    assert "Provides-Extra: arrow" in text
    (points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "modelmeter = exporter.__main__:main" in wheel.read(points).decode()
