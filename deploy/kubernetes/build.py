"""Writes the rules as the Prometheus operator takes them: `python -m deploy.kubernetes.build`.

kustomize puts no file into the `spec` of a custom resource, so a copy is kept. It is a copy line by
line, comments and all: the rules are edited in prometheus/rules alone.
"""

import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "prometheus/rules"
WRITTEN = ROOT / "deploy/kubernetes/monitoring/prometheusrules.yaml"
HEAD = """\
# Written by `make manifests` from prometheus/rules/{name}: edit it there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {resource}
spec:
"""


def resource_name(file: Path) -> str:
    """The name of the PrometheusRule that a file of rules becomes."""
    return file.stem if file.stem == "modelmeter" else f"modelmeter-{file.stem}"


def prometheus_rule(file: Path) -> str:
    """The YAML text of one PrometheusRule, whose `spec` is the text of a file of rules."""
    head = HEAD.format(name=file.name, resource=resource_name(file))
    return head + textwrap.indent(file.read_text(encoding="utf-8"), "  ")


def render(folder: Path = RULES) -> str:
    """The YAML text of all files of rules, one document each."""
    return "---\n".join(prometheus_rule(file) for file in sorted(folder.glob("*.yml")))


def main() -> None:
    """Write the file."""
    WRITTEN.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
