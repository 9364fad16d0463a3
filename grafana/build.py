"""Writes the dashboards' JSON: `python -m grafana.build`."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import drift, model_quality, modelmeter_itself, models_overview, server_resources

FOLDER = Path(__file__).parent / "dashboards"
DASHBOARDS = {
    "models-overview.json": models_overview.build,
    "model-quality.json": model_quality.build,
    "drift.json": drift.build,
    "server-resources.json": server_resources.build,
    "modelmeter-itself.json": modelmeter_itself.build,
}


def render(name: str) -> str:
    """The JSON text of the dashboard kept in the file `name`."""
    built = DASHBOARDS[name]().build()
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    """Write every dashboard's file."""
    for name in DASHBOARDS:
        (FOLDER / name).write_text(render(name), encoding="utf-8")


if __name__ == "__main__":
    main()
