"""Where a model is looked at more closely: further down, as JSON, and in Grafana."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import quote, urlencode

DASHBOARDS: Final = {
    "Models overview": "modelmeter-models-overview",
    "Model quality": "modelmeter-model-quality",
    "Drift and data quality": "modelmeter-drift",
    "Server resources": "modelmeter-server-resources",
    "modelmeter itself": "modelmeter-itself",
}
"""Title and uid of dashboards (``grafana/``)."""
OF_MODEL: Final = "Model quality"


def link(address: str, text: str) -> str:
    """Return a link; both are escaped."""
    return f'<a href="{escape(address)}">{escape(text)}</a>'


def detail(name: str) -> str:
    """Return the address of a model's part of the page."""
    return f"?{urlencode({'model': name})}"


def as_json(name: str) -> str:
    """Return the address of a model in the HTTP interface."""
    return f"v1/models/{quote(name)}"


def dashboard(grafana: str, title: str, variables: Mapping[str, str] | None = None) -> str:
    """Return the address of a dashboard, with values for its variables."""
    query = urlencode({f"var-{name}": value for name, value in (variables or {}).items()})
    return f"{grafana}/d/{DASHBOARDS[title]}{'?' if query else ''}{query}"


def of_model(grafana: str, name: str, version: str) -> str:
    """Return the address of a model version's dashboard."""
    return dashboard(grafana, OF_MODEL, {"model": name, "version": version})
