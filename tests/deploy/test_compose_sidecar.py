"""deploy/compose: modelmeter beside a service of somebody else's compose file."""

import json
import os
import re
import tomllib

import pytest

from exporter.config import environment_warnings, process_settings
from tests.deploy.support import ROOT, run

FOLDER = ROOT / "deploy/compose"
THEIRS = 'services: {model: {image: "server:1", user: "1000:1000", ports: ["8000:9000"]}}\n'


def merged(tmp_path, *files: str, **variables: str):
    (tmp_path / "compose.yml").write_text(THEIRS)
    given = ["-f", tmp_path / "compose.yml"]
    for name in files:
        given += ["-f", FOLDER / name]
    command = ["docker-compose", *given, "config", "--format", "json"]
    done = run(*command, env={**os.environ, **variables})
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def services(tmp_path):
    return merged(tmp_path, "sidecar.yml", MODEL_USER="1000:1000", MODEL_PORT="9000")["services"]


def test_it_shares_processes_network_and_user_with_the_server(services):
    added = services["modelmeter"]
    assert added["pid"] == added["network_mode"] == "service:model"
    assert added["user"] == services["model"]["user"]
    assert added["environment"]["MODELMETER_MODEL_SERVER_PORT"] == "9000"
    assert added["depends_on"].keys() == {"model"}


def test_it_takes_nothing_from_the_server(services, tmp_path):
    alone = merged(tmp_path)["services"]["model"]
    ports = services["model"].pop("ports")
    assert [port["target"] for port in ports] == [9000, 9920]
    assert ports[1]["host_ip"] == "127.0.0.1"
    assert services["model"].items() <= alone.items()


def test_without_more_it_runs_as_the_image_does(tmp_path):
    added = merged(tmp_path, "sidecar.yml")["services"]["modelmeter"]
    assert f"USER {added['user']}\n" in (ROOT / "Dockerfile").read_text("utf-8")


def test_it_has_no_rights_it_does_not_need(services):
    added = services["modelmeter"]
    assert added["read_only"]
    assert added["cap_drop"] == ["ALL"]
    assert added["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in added
    assert "healthcheck" in added


def test_its_image_is_of_this_version_and_its_variables_are_known(services):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert services["modelmeter"]["image"] == f"modelmeter:{version}"
    variables = services["modelmeter"]["environment"]
    assert environment_warnings(variables) == ()
    process_settings({}, variables)


def test_its_state_outlives_it(tmp_path):
    whole = merged(tmp_path, "sidecar.yml")
    added = whole["services"]["modelmeter"]
    (volume,) = added["volumes"]
    assert volume["source"] in whole["volumes"]
    assert volume["target"] == added["environment"]["MODELMETER_DATA_DIR"]
    assert re.search(
        rf"--chown=\d+:\d+ /state {volume['target']}\n", (ROOT / "Dockerfile").read_text()
    )


def test_with_gpus_it_has_the_management_library_alone(tmp_path):
    added = merged(tmp_path, "sidecar.yml", "gpu.yml")["services"]["modelmeter"]
    (device,) = added["deploy"]["resources"]["reservations"]["devices"]
    assert device["driver"] == "nvidia"
    assert device["capabilities"] == ["gpu", "utility"]
    assert added["pid"] == "service:model"
