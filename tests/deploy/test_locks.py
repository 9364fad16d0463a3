"""The lock files: every package with hashes, nothing about where it came from, one version each."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy.support import ROOT

LOCKS = sorted(ROOT.glob("requirements*.lock"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]
each_lock = pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)


def entries(path) -> dict[str, tuple[str, str]]:
    """Name -> version and the rest of its entry."""
    text = path.read_text(encoding="utf-8")
    found = re.findall(r"^([\w.-]+)==(\S+)((?:.*\n)(?:[ \t]+.*\n)*)", text, re.MULTILINE)
    return {name: (version, rest) for name, version, rest in found}


def test_all_five_are_there():
    assert [path.name for path in LOCKS] == [
        "requirements-arrow.lock",
        "requirements-build.lock",
        "requirements-dev.lock",
        "requirements-fuzz.lock",
        "requirements.lock",
    ]


@each_lock
def test_every_package_has_hashes(lock):
    packages = entries(lock)
    assert packages
    for name, (_, rest) in packages.items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), name


@each_lock
def test_every_line_is_a_package_a_hash_or_a_comment(lock):
    for line in lock.read_text(encoding="utf-8").splitlines():
        package = re.match(r"[\w.-]+==[\w.!+]+( ; [^\\]+)? \\$", line)
        digest = re.match(r"    --hash=sha256:[0-9a-f]{64}( \\)?$", line)
        assert package or digest or re.match(r"\s*#", line), line


@each_lock
def test_no_address_and_no_path_is_in_it(lock):
    text = lock.read_text(encoding="utf-8")
    for trace in ("://", "--index-url", "--extra-index-url", "--find-links", "--trusted-host"):
        assert trace not in text
    assert not re.search(r"(?<![\w.])/\w", text), "a path of some machine"


def test_all_locks_agree_on_versions():
    everything = entries(ROOT / "requirements-fuzz.lock")
    for lock in LOCKS:
        for name, (version, _) in entries(lock).items():
            assert everything[name][0] == version, f"{name} in {lock.name}"


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("requirements.lock", PROJECT["project"]["dependencies"]),
        ("requirements-arrow.lock", PROJECT["project"]["dependencies"] + EXTRAS["arrow"]),
        ("requirements-build.lock", PROJECT["build-system"]["requires"]),
        ("requirements-build.lock", PROJECT["dependency-groups"]["build"]),
        ("requirements-dev.lock", EXTRAS["dev"]),
        ("requirements-fuzz.lock", EXTRAS["dev"] + EXTRAS["fuzz"]),
    ],
)
def test_what_the_project_asks_for_is_locked(lock, wanted):
    locked = entries(ROOT / lock)
    for text in wanted:
        requirement = Requirement(text)
        if requirement.name == PROJECT["project"]["name"]:
            continue
        version, _ = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), text


def test_run_time_stays_small():
    assert "pyarrow" not in entries(ROOT / "requirements.lock")
    assert "scikit-learn" not in entries(ROOT / "requirements-arrow.lock")


def test_each_dependency_has_its_reason_written_down():
    record = (ROOT / "docs/adr/0001-dependencies.md").read_text(encoding="utf-8")
    for text in [
        *PROJECT["project"]["dependencies"],
        *EXTRAS["arrow"],
        *EXTRAS["dev"],
        *EXTRAS["fuzz"],
    ]:
        name = Requirement(text).name
        known = name in record or name.startswith(("types-", "modelmeter"))
        assert known, f"{name} is not in docs/adr/0001-dependencies.md"
