"""What the Prometheus operator and Grafana's sidecar take: copies of one source each."""

import re

import pytest
import yaml

from deploy.kubernetes import build
from tests.deploy.manifests import built, of_kind, one, sidecar
from tests.deploy.support import ROOT, RULE_FILES, load, ok

PAGE = (ROOT / "docs/kubernetes.md").read_text("utf-8")
MONITORING = ["monitoring", "overlays/monitoring-tls"]
BOARDS = sorted((ROOT / "grafana/dashboards").glob("*.json"))
each = pytest.mark.parametrize("folder", MONITORING)


def test_the_rules_are_what_the_code_writes():
    assert build.WRITTEN.read_text("utf-8") == build.render(), (
        "prometheusrules.yaml is out of date: run `make manifests`"
    )


def test_a_second_file_of_rules_becomes_a_second_resource(tmp_path):
    rules = "# why\ngroups:\n  - name: a\n    rules: []\n"
    for name in ("modelmeter.yml", "use.yml"):
        (tmp_path / name).write_text(rules)
    first, second = yaml.safe_load_all(build.render(tmp_path))
    assert (first["metadata"]["name"], second["metadata"]["name"]) == (
        "modelmeter",
        "modelmeter-use",
    )
    assert first["spec"] == second["spec"] == yaml.safe_load(rules)


@each
def test_the_rules_are_those_of_prometheus(folder, tmp_path):
    resources = of_kind(built(folder), "PrometheusRule")
    specs = {one["metadata"]["name"]: one["spec"] for one in resources}
    assert specs == {build.resource_name(file): load(file) for file in RULE_FILES}
    assert len(resources) == len(RULE_FILES)
    for number, resource in enumerate(resources):
        file = tmp_path / f"{number}.yml"
        file.write_text(yaml.safe_dump(resource["spec"]))
        ok("promtool", "check", "rules", "--lint=all", "--lint-fatal", file)


@each
def test_every_dashboard_is_taken_as_it_is(folder):
    maps = of_kind(built(folder), "ConfigMap")
    assert all(one["metadata"]["labels"]["grafana_dashboard"] == "1" for one in maps)
    held = [item for one in maps for item in one["data"].items()]
    assert dict(held) == {file.name: file.read_text("utf-8") for file in BOARDS}, (
        "grafana/kustomization.yaml has to list every dashboard"
    )
    assert len(held) == len(maps) == len(BOARDS), "one map each, so that none grows too large"


@each
def test_names_of_dashboards_stay(folder):
    """A hash in them would leave the old dashboard beside the new one."""
    names = {one["metadata"]["name"] for one in of_kind(built(folder), "ConfigMap")}
    assert names == {f"modelmeter-dashboard-{file.stem}" for file in BOARDS}


@each
def test_every_sidecar_is_scraped_under_the_name_that_rules_look_for(folder):
    spec = one(folder, "PodMonitor")["spec"]
    assert spec["namespaceSelector"] == {"any": True}
    labels = one("base", "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    (endpoint,) = spec["podMetricsEndpoints"]
    (port,) = sidecar("base")["ports"]
    assert endpoint["port"] == port["name"]
    job, instance = endpoint["relabelings"]
    assert job["targetLabel"] == "job"
    wanted = re.findall(
        r'up\{job=~"([^"]+)"\}', (ROOT / "prometheus/rules/modelmeter.yml").read_text("utf-8")
    )
    assert wanted
    for pattern in wanted:
        assert re.fullmatch(pattern, job["replacement"])
    assert instance["targetLabel"] == "instance"


def test_the_path_is_prometheus_own():
    (endpoint,) = one("monitoring", "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert endpoint.keys() == {"port", "interval", "relabelings"}
    (secured,) = one("overlays/monitoring-tls", "PodMonitor")["spec"]["podMetricsEndpoints"]
    assert secured["scheme"] == "https"
    assert {key: secured[key] for key in endpoint} == endpoint


@each
def test_all_have_the_label_by_which_the_operator_finds_them(folder):
    for resource in built(folder):
        assert resource["metadata"]["labels"]["release"] == "kube-prometheus-stack"


def test_the_scrape_configuration_without_the_operator_is_valid(tmp_path):
    (text,) = re.findall(r"```yaml\n(scrape_configs:.*?)```", PAGE, re.S)
    (job,) = yaml.safe_load(text)["scrape_configs"]
    # Debian's Prometheus is built without Kubernetes; the rest it reads.
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": [job]}))
    ok("promtool", "check", "config", tmp_path / "prometheus.yml")
    keep = job["relabel_configs"][0]
    (port,) = sidecar("base")["ports"]
    labels = one("base", "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert re.fullmatch(keep["regex"], f"{labels['modelmeter']};{port['name']}")
