"""The key ``tokens``: files of bearer tokens and what they may do."""

import pytest

from exporter.config import ConfigError, Settings, load, tokens


def read(folder, text: str) -> Settings:
    (folder / "modelmeter.yaml").write_text(text)
    return load({"--config": str(folder / "modelmeter.yaml")}, limit_metrics=())


def test_one_scope_or_several_and_paths_seen_from_the_file(tmp_path) -> None:
    (tmp_path / "a").write_text("first\n\n# told to the scraper\nsecond\n")
    text = "tokens:\n- {file: a, scope: ingest}\n- {file: ./a, scope: [read, admin]}"
    first, second = read(tmp_path, text).tokens
    assert (first.file, first.scope) == (f"{tmp_path}/a", {"ingest"})
    assert second.scope == {"read", "admin"}
    assert tokens.read(first.file) == (b"first", b"second")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tokens: [{file: none, scope: read}]", ":1: tokens[0].file: "),
        ("tokens: [{file: none, scope: read}]", "none: no such file"),
        ("tokens: [{file: empty, scope: read}]", "empty: holds no token"),
        ("tokens: [{file: spaces, scope: read}]", "spaces:2: a token is visible ASCII"),
        ("tokens: [{file: large, scope: read}]", "larger than 64 KiB"),
        ("tokens: [{file: ., scope: read}]", "is a directory"),
        ("tokens:\n- file: a\n  scope: reed", ":3: tokens[0].scope: unknown value reed"),
        ("tokens: [{file: a, scope: []}]", "must have 1 to"),
        ("tokens: [{file: a}]", "tokens[0]: scope is missing"),
        ("tokens: [{scope: read}]", "tokens[0]: file is missing"),
        ("tokens: [{file: a, scopes: read}]", "tokens[0].scopes: unknown key; did you mean scope?"),
        ("tokens: [planted]", "tokens[0]: must be a mapping"),
        ("tokens: planted", "tokens: must be a list such as"),
        ("tokens: {planted: planted}", "tokens: must be a list such as"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_and_not_shown(tmp_path, text: str, said: str) -> None:
    (tmp_path / "a").write_text("a-token")
    (tmp_path / "empty").write_text("\n# nothing\n")
    (tmp_path / "spaces").write_text("fine\nplanted token\n")
    (tmp_path / "large").write_text("x" * 70_000)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "planted" not in str(caught.value)
