"""The image's recipe and the compose file, read by hadolint and docker-compose."""

import json
import re
import tomllib

import pytest

from tests.deploy.support import ROOT, load, ok, run

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = json.loads(ok("docker-compose", "config", "--format", "json"))
SERVICES = COMPOSE["services"]
each_service = pytest.mark.parametrize("name", sorted(SERVICES))
# They offer nothing that could be asked; `restart` brings them back.
WITHOUT_PORT = {"traffic", "notifications"}


def test_the_recipe_is_clean():
    ok("hadolint", "Dockerfile")


def test_hadolint_would_object(tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python:latest\nRUN pip install numpy\n")
    assert run("hadolint", tmp_path / "Dockerfile").returncode != 0


def test_the_image_is_built_in_stages_from_a_base_one_can_choose():
    stages = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", DOCKERFILE, re.MULTILINE)
    assert stages == [("${BASE_IMAGE}", "build"), ("${BASE_IMAGE}", "")]
    assert re.search(r"^ARG BASE_IMAGE=python:3\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)


def test_the_image_installs_locked_packages_only():
    installs = re.findall(r"install (.*?)(?: \\)?\n", DOCKERFILE)
    assert len(installs) == 3
    for options in installs:
        assert "--require-hashes" in options or {"--no-deps", "--no-index"} <= set(options.split())


def test_the_last_stage_needs_no_shell_and_no_root():
    last = DOCKERFILE.split("FROM ${BASE_IMAGE}\n")[-1]
    assert "\nRUN " not in last
    assert re.search(r"^USER \d+:\d+$", last, re.MULTILINE)
    for instruction in ("ENTRYPOINT", "CMD", "HEALTHCHECK .* CMD"):
        (form,) = re.findall(rf"^{instruction} (.+)$", last, re.MULTILINE)
        assert isinstance(json.loads(form), list), "exec form"
    assert 'CMD ["modelmeter", "healthcheck"]' in last
    assert "\nEXPOSE 9920\n" in last


def test_the_build_sees_only_what_it_copies():
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    for path in " ".join(copied).split():
        assert (ROOT / path).exists()
        assert any(
            re.fullmatch(pattern.replace(".", r"\.").replace("*", ".*"), path)
            for pattern in allowed
        ), path


@each_service
def test_a_service_has_no_rights_it_does_not_need(name):
    service = SERVICES[name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    for port in service.get("ports", []):
        assert port["host_ip"] == "127.0.0.1"


@each_service
def test_a_service_is_pinned(name):
    image = SERVICES[name]["image"]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", image)
    if image.startswith("modelmeter:"):
        assert image == f"modelmeter:{tomllib.loads(_read('pyproject.toml'))['project']['version']}"


@each_service
def test_a_service_is_watched(name):
    check = SERVICES[name]["healthcheck"]
    assert ("test" in check) == (name not in WITHOUT_PORT)
    assert SERVICES[name]["restart"] == "unless-stopped"


@each_service
def test_what_is_mounted_is_there_and_read_only(name):
    for mount in SERVICES[name].get("volumes", []):
        if mount["type"] == "volume":
            assert mount["source"] in COMPOSE["volumes"]
        else:
            assert mount["read_only"]
            assert (ROOT / mount["source"]).exists()


def test_modelmeter_sees_the_model_server_as_the_same_user():
    assert SERVICES["modelmeter"]["pid"] == "service:model"
    assert SERVICES["modelmeter"]["user"] == SERVICES["model"]["user"]
    assert SERVICES["model"]["user"].split(":")[0] != "0"
    assert f"USER {SERVICES['model']['user']}\n" in DOCKERFILE


def test_services_know_each_other_by_the_names_in_the_configuration_files():
    scraped = [
        target.split(":")
        for job in load("prometheus/prometheus.yml")["scrape_configs"]
        for group in job["static_configs"]
        for target in group["targets"]
    ]
    assert ["modelmeter", "9920"] in scraped
    for host, _ in scraped:
        assert host in {*SERVICES, "localhost"}
    for receiver in load("alertmanager/alertmanager.yml")["receivers"]:
        for hook in receiver.get("webhook_configs", []):
            host = re.match(r"http://([^:/]+):(\d+)/", hook["url"])
            assert host
            assert host[1] in SERVICES
            assert host[2] in SERVICES[host[1]]["command"]


def test_the_settings_of_the_compose_file_are_valid():
    done = run("python", "-m", "exporter", "check-config", "deploy/modelmeter.yml")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["model", "traffic", "notifications"])
def test_the_demo_parts_accept_the_arguments_they_are_given(name):
    module = SERVICES[name]["entrypoint"][-1]
    told = ok("python", "-m", module, "--help")
    for argument in SERVICES[name]["command"]:
        if argument.startswith("--"):
            assert argument.split("=")[0] in told


def _read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")
