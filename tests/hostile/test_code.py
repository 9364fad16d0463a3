"""No input reaches the file system, a shell or an interpreter: read from the code itself."""

import ast
import io
from pathlib import Path

import pyarrow as pa
import pytest

from exporter.ingest import BodyError
from exporter.reference.formats import batches
from tests.test_layers import modules
from tests.web.test_bodies import arrow

FORBIDDEN_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "joblib", "cloudpickle",
                     "urllib.request", "requests", "httpx",
                     "xml", "code", "runpy"}  # fmt: skip
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "np.load",
                   "numpy.load", "np.loadtxt", "yaml.load", "yaml.load_all", "yaml.unsafe_load",
                   "yaml.full_load", "tempfile.mktemp", "pa.memory_map", "pa.OSFile"}  # fmt: skip
STARTS_PROCESSES = {"building", "demo.processes", "demo.tools", "cli.reference"}
OPENS_FILES = {"config.document", "reference.file", "reference.worker"}
"""Outside of the command line, the demonstration and collectors: each with a path of the
configuration or of a command."""
FROM_INPUT = ("ingest", "web", "reference.formats", "reference.tables", "reference.gather",
              "reference.build", "reference.make", "intake", "join", "service")  # fmt: skip
PATHS = {"open", "read_bytes", "write_bytes", "read_text", "write_text", "unlink", "mkdir"}


def name_of(node) -> str:
    """``a.b`` of an expression that is one."""
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls(tree):
    return ((name_of(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


OPENS_FILES = {"web.landing", "web.tls"}
"""Its own page, and the certificates that the web configuration names."""


@pytest.mark.parametrize("module", sorted(modules()))
def test_nothing_runs_or_unpickles_what_it_reads(module):
    tree = modules()[module]
    outside = module.split(".")[0] in ("cli", "demo")
    for name in imports(tree):
        wrong = {one for one in FORBIDDEN_MODULES if name == one or name.startswith(f"{one}.")}
        assert not wrong - ({"urllib.request"} if outside else set()), f"{module} imports {name}"
    for name, node in calls(tree):
        assert name not in FORBIDDEN_CALLS, f"{module}:{node.lineno} calls {name}"
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        assert given.get("shell", "False") == "False", f"{module}:{node.lineno}"
        assert given.get("allow_pickle", "False") == "False", f"{module}:{node.lineno}"


@pytest.mark.parametrize("module", sorted(modules()))
def test_only_these_start_processes(module):
    started = {name for name, _ in calls(modules()[module]) if name.startswith("subprocess.")}
    assert not started or module in STARTS_PROCESSES | {"cli.reference"} or "demo" in module


@pytest.mark.parametrize("module", sorted(one for one in modules() if one.startswith(FROM_INPUT)))
def test_what_reads_bodies_opens_no_files(module):
    for name, node in calls(modules()[module]):
        opens = name == "open" or (name.rpartition(".")[2] in PATHS and "Path" in name)
        assert not opens or module in OPENS_FILES, f"{module}:{node.lineno} opens a file"


@pytest.mark.parametrize("form", ["csv", "parquet", "arrow", "json", "ndjson"])
def test_a_body_that_is_a_path_or_an_address_is_only_bytes(form, tmp_path):
    """Readers that take names as well as buffers are only ever given buffers."""
    there = tmp_path / "data"
    there.write_bytes(arrow({"prediction": ["a"]}))
    for named in (str(there), f"file://{there}", "s3://bucket/data.parquet"):
        try:
            found = sum(raw.size for raw in batches(io.BytesIO(named.encode()), form))
        except BodyError:
            continue
        assert form == "ndjson"
        assert found == 1


def test_zones_of_time_are_not_looked_up(monkeypatch):
    """A zone's name is a path below a folder of the system."""
    opened = []
    monkeypatch.setattr("zoneinfo.ZoneInfo", opened.append)
    for zone in ("Europe/Berlin", "../../etc/passwd"):
        times = pa.array([1, None], pa.timestamp("s", zone))
        inputs = pa.StructArray.from_arrays([times], ["at"], mask=pa.array([True, False]))
        body = arrow({"ts": times, "prediction": ["a", "b"], "features": inputs})
        assert sum(raw.size for raw in batches(io.BytesIO(body), "arrow")) == 2
    assert opened == []


def test_the_list_of_modules_is_whole():
    root = Path(__file__).parents[2] / "exporter"
    assert len(modules()) == len(list(root.rglob("*.py")))
