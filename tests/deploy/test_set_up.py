"""The Makefile and the scripts behind it."""

import os
import re
import shutil
import stat
import subprocess
import sys

import pytest

from tests.deploy.support import ROOT, ok, run

SCRIPTS = [*sorted((ROOT / "scripts").glob("*.sh")), *sorted((ROOT / "deploy").glob("*.sh"))]
SHELL = [*SCRIPTS, ROOT / ".ci/run"]


@pytest.mark.parametrize("script", SHELL, ids=lambda path: path.name)
def test_scripts_are_sound(script):
    ok("shellcheck", script)
    assert script.stat().st_mode & stat.S_IXUSR
    assert "\nset -euo pipefail\n" in script.read_text(encoding="utf-8")


def test_help_names_every_target():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: ([a-z-]+)$", makefile, re.MULTILINE))
    assert {"demo", "test", "lint", "types", "lock", "image-test", "clean"} <= targets
    told = ok("make", "help")
    for target in targets:
        assert f"make {target} " in told


def test_the_duration_reaches_the_demo():
    assert "-m exporter demo --duration 120" in ok("make", "--dry-run", "demo", "DURATION=120")
    assert "--duration" not in ok("make", "--dry-run", "demo")


def test_ci_runs_lint_types_and_tests_in_this_order():
    text = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.findall(r"^make (\S+)$", text, re.MULTILINE) == ["lint", "types", "test"]


def test_a_changed_lock_makes_the_environment_anew_and_a_changed_project_does_not(tmp_path):
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for lock in ROOT.glob("requirements*.lock"):
        shutil.copy(lock, tmp_path)
    (tmp_path / ".venv").mkdir()
    stamps = [tmp_path / ".venv" / f".stamp-{name}" for name in ("locked", "run", "dev")]

    def plan(newer: str) -> str:
        for stamp in stamps:
            stamp.touch()
        later = stamps[-1].stat().st_mtime + 10
        os.utime(tmp_path / newer, (later, later))
        told = ok("make", "-C", tmp_path, "--dry-run", "lint")
        os.utime(tmp_path / newer, (later - 100, later - 100))
        return told

    for lock in tmp_path.glob("*.lock"):
        os.utime(lock, (0, 0))
    os.utime(tmp_path / "pyproject.toml", (0, 0))
    assert "make-venv" in plan("requirements.lock")
    assert "make-venv" in plan("requirements-build.lock")
    assert "make-venv" not in plan("requirements-dev.lock")
    assert "--editable" in plan("pyproject.toml")
    assert "make-venv" not in plan("pyproject.toml")


def test_a_python_is_found():
    found = ok(ROOT / "scripts/find-python.sh").strip()
    version = subprocess.check_output(
        [found, "-c", "import sys; print(sys.version_info >= (3, 11))"]
    )
    assert version.strip() == b"True"


def _bin(folder, **programs: str) -> dict[str, str]:
    """A PATH that holds bash and the programs given by name and text."""
    for name, text in programs.items():
        file = folder / name.replace("_", "-")
        file.write_text(text)
        file.chmod(0o755)
    for name in ("bash", "env"):
        (folder / name).symlink_to(shutil.which(name) or name)
    return {"PATH": str(folder)}


def test_a_python_that_is_too_old_is_passed_over(tmp_path):
    real = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
    env = _bin(tmp_path, **{"python3": "#!/bin/sh\nexit 1\n", "python3.12": real})
    done = run(ROOT / "scripts/find-python.sh", env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == sys.executable


def test_no_python_is_said_clearly(tmp_path):
    done = run(ROOT / "scripts/find-python.sh", env=_bin(tmp_path, python3="#!/bin/sh\nexit 1\n"))
    assert done.returncode == 1
    assert "needs Python 3.11 or newer" in done.stderr
    assert "PYTHON=" in done.stderr


def test_what_is_missing_is_named_when_it_cannot_be_installed(tmp_path):
    env = _bin(tmp_path, id="#!/bin/sh\necho 1000\n", here="#!/bin/sh\n")
    done = run(ROOT / "scripts/apt-tools.sh", "nothing=a", "here=b", "no|neither=c", env=env)
    assert done.returncode == 0
    assert "not found on PATH: a c " in done.stderr


def test_nothing_is_said_when_all_is_there(tmp_path):
    env = _bin(tmp_path, second="#!/bin/sh\n")
    done = run(ROOT / "scripts/apt-tools.sh", "first|second=a", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_apt_installs_what_is_missing_and_starts_no_service(tmp_path):
    """The real script as root, with an apt-get that writes down how it is called."""
    policy = tmp_path / "policy-rc.d"
    asks = f'"{policy}" prometheus start; echo "$? $DEBIAN_FRONTEND $*" >>"{tmp_path}/calls"'
    env = _bin(tmp_path, id="#!/bin/sh\necho 0\n", apt_get=f"#!/bin/sh\n{asks}\n")
    for name in ("mktemp", "rm", "tail", "chmod"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    env["POLICY_RC_D"] = str(policy)
    done = run(ROOT / "scripts/apt-tools.sh", "nothing-such=prometheus", env=env)
    assert done.returncode == 0, done.stderr
    assert "installing from Debian: prometheus" in done.stdout
    update, install = (tmp_path / "calls").read_text().splitlines()
    assert update.startswith("101 noninteractive update")
    assert install.startswith("101 noninteractive install")
    assert "--no-install-recommends prometheus" in install
    assert not policy.exists()
