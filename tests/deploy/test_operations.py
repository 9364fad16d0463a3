"""The manifests in docs/operations.md: they say of modelmeter what is so."""

import re
from pathlib import Path

import pytest
import yaml

from exporter.cli.parser import build
from exporter.config import Settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "operations.md").read_text()
BLOCK = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[0]
WORKLOAD, MONITOR = yaml.safe_load_all(BLOCK)
POD = WORKLOAD["spec"]["template"]["spec"]
(SIDECAR,) = POD["initContainers"]


def test_the_sidecar_is_a_native_one_that_runs_as_the_image_does():
    assert SIDECAR["restartPolicy"] == "Always"
    assert POD["shareProcessNamespace"] is True
    user = POD["securityContext"]["runAsUser"]
    assert f"USER {user}" in (ROOT / "Dockerfile").read_text()
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert SIDECAR["image"] == compose["services"]["modelmeter"]["image"]


def test_its_arguments_are_flags_of_serve():
    build("serve").parse_args(SIDECAR["args"])


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_ask_what_there_is(probe):
    assert SIDECAR[probe]["httpGet"]["path"] in ("/-/ready", "/-/healthy")
    assert SIDECAR[probe]["httpGet"]["port"] == SIDECAR["ports"][0]["name"]


def test_it_is_scraped_where_it_listens_and_under_the_name_that_rules_look_for():
    assert SIDECAR["ports"][0]["containerPort"] == int(Settings().listen_address.lstrip(":"))
    (endpoint,) = MONITOR["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == SIDECAR["ports"][0]["name"]
    (job,) = endpoint["relabelings"]
    assert job["targetLabel"] == "job"
    assert re.match("modelmeter.*", job["replacement"])
    labels = WORKLOAD["spec"]["template"]["metadata"]["labels"]
    assert MONITOR["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_every_mount_has_its_volume():
    volumes = {one["name"] for one in POD["volumes"]}
    volumes |= {one["metadata"]["name"] for one in WORKLOAD["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in SIDECAR["volumeMounts"]} <= volumes
