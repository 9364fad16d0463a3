"""Where Grafana is: an address that a link may safely lead to."""

import pytest

from exporter.config import ConfigError, Settings, loads
from exporter.config.web_url import is_web_url


def read(text: str) -> Settings:
    return loads(text, limit_metrics=())


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://grafana.example.org", "https://grafana.example.org"),
        ("http://localhost:3000/", "http://localhost:3000"),
        ("https://example.org/grafana//", "https://example.org/grafana"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_addresses_are_kept_without_a_slash_at_their_end(given: str, kept: str) -> None:
    assert read(f"grafana_url: {given!r}").grafana_url == kept


@pytest.mark.parametrize(
    "given",
    [
        "javascript:alert(1)", "data:text/html,x", "ftp://example.org", "//example.org", "https://",
        "grafana:3000", "https://user:hunter2@example.org", "https://example.org/?a=1",
        "https://example.org/#x", "https://example.org:0", "https://example.org:99999",
        'https://example.org/"onclick="', "https://example.org/<b>", "https://exa mple.org",
        "https://example.org\\@evil", "https://[::1", "java\nscript:x", "https://" + "a" * 1000,
    ],
)  # fmt: skip
def test_anything_else_is_refused_and_not_repeated(given: str) -> None:
    assert not is_web_url(given)
    with pytest.raises(ConfigError, match="grafana_url: must be an address such as") as caught:
        loads("", limit_metrics=(), environ={"MODELMETER_GRAFANA_URL": repr(given)})
    assert "hunter2" not in str(caught.value)
