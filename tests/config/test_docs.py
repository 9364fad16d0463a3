"""The documents name every key, with its true default and variable."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.__main__ import main
from exporter.cli.parser import COMMANDS
from exporter.cli.recorded import FORMATS
from exporter.cli.tables import FIELDS, GROUPS
from exporter.config import ModelSettings, ReferenceSettings, Settings, keys, loads
from exporter.config.environment import variable
from exporter.config.loader import FLAGS

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "configuration.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
EXAMPLE = re.findall(r"```yaml\n(.*?)```", SECTIONS["A full example"], re.DOTALL)[0]


def table(section: str) -> dict[str, tuple[str, str]]:
    """Return default and variable of each key in a section's table."""
    lines = [line.strip("|") for line in SECTIONS[section].splitlines() if line.startswith("| `")]
    rows = [[cell.strip(" `") for cell in line.split("|")] for line in lines]
    return {key: (default, name) for key, default, _, name, _ in rows}


def below(prefix: str) -> list[str]:
    """Return the paths of keys: those of the process for an empty prefix, or a section's."""
    paths = keys.paths(keys.root(()))
    if prefix:
        return [path.removeprefix(prefix) for path in paths if path.startswith(prefix)]
    return [path for path in paths if not path.startswith("defaults.")]


def test_every_key_of_the_process_is_told_and_no_other() -> None:
    assert sorted(table("The whole process")) == sorted(below(""))


def test_every_key_of_a_model_is_told_and_no_other() -> None:
    assert sorted(table("Models")) == sorted([*below("defaults."), "name"])


def test_every_flag_is_told_and_no_other() -> None:
    shown = table("Settings without a key in the file")
    assert sorted(shown) == sorted(flag.flag for flag in FLAGS)
    for flag in FLAGS:
        assert shown[flag.flag][1] == variable(flag.path)


@pytest.mark.parametrize(
    ("section", "prefix"), [("The whole process", ""), ("Models", "defaults.")]
)
def test_variables_are_the_true_ones(section: str, prefix: str) -> None:
    for key, (_, name) in table(section).items():
        if key != "name":
            assert name == variable(prefix + key)


@pytest.mark.parametrize(
    ("section", "prefix"), [("The whole process", ""), ("Models", "defaults.")]
)
def test_defaults_are_the_true_ones(section: str, prefix: str) -> None:
    stated = 0
    for key, (default, name) in table(section).items():
        if default in ("", "none", "empty", "required") or " " in default.replace(", ", ","):
            continue
        environ = {name: default}
        before = Settings()
        if key == "reference.independent":  # stands beside another key only
            environ["MODELMETER_DEFAULTS_REFERENCE_FIRST"] = "1000"
            before = replace(
                before, defaults=ModelSettings(reference=ReferenceSettings(first=1000))
            )
        assert loads("", limit_metrics=(), environ=environ) == before, key
        stated += 1
    assert stated >= 8


def test_the_example_passes_check_config_and_shows_every_key(tmp_path, capsys) -> None:
    file = tmp_path / "modelmeter.yaml"
    file.write_text(EXAMPLE)
    for name in re.findall(r"[a-z]+\.token", EXAMPLE):
        (tmp_path / name).write_text("a-token")
    assert main(["check-config", str(file)]) == 0
    assert "2 models; 4 limits" in capsys.readouterr().out
    for path in [*below(""), *below("defaults.")]:
        if not re.fullmatch(r"model_server\.(pid|pid_file|name|cmdline)", path):
            assert re.search(rf"\b{path.rpartition('.')[2]}\b", EXAMPLE), path


def test_the_command_line_is_told() -> None:
    text = (DOCS / "command-line.md").read_text()
    for name in (*COMMANDS, *FIELDS):
        assert f"`{name}" in text
    for name, endings in FORMATS.items():
        assert f"| {name} |" in text
        assert all(f"`.{ending}`" in text for ending in endings)
    for flag in ("--url", "--model", "--format", "--batch", "--rate", "--retry-for", "--ca-file",
                 "--token-file", "--user-file"):  # fmt: skip
        assert f"| `{flag}` |" in text
    assert all(f"`{group}" in text for group in GROUPS)
