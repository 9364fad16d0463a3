"""The layers of the code, read from its imports: upwards only, and one reader of the clock."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    "special",
    "exporter events rows edges logbins estimates rate bins answers coded labels client",
    "schema slots curves config logs allocator packing",
    "environment registry join ingest store operations",
    "layout families start decisions statistics showing features",
    "window panes exposition anomalies",
    "reference.reference comparison metrics scrape usage",
    "known",
    "counts encode faults distances gpu server recent",
    "drift",
    "limits budget",
    "reference deciding",
    "model building references",
    "models",
    "intake",
    "monitor told",
    "ledger",
    "restore collectors reference_store",
    "service",
    "web",
    "app",
    "cli",
    "demo",
    "__main__",
)
"""Bottom to top. Names are modules or whole packages; one layer's names do not know each other."""

OF_PLUG_INS = {"events", "registry", "schema", "rows", "edges", "estimates", "logbins", "curves",
               "bins", "window", "coded", "special"}  # fmt: skip
PURE = {"__future__", "collections", "collections.abc", "functools", "math", "typing",
        "dataclasses", "numpy", "numpy.typing", "scipy.special"}  # fmt: skip
CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "process_time", "now",
          "utcnow", "today", "localtime", "gmtime"}  # fmt: skip
READS_CLOCK = {
    "app": CLOCKS,
    "scrape": {"perf_counter"},
    "client": {"monotonic", "perf_counter", "time"},  # it runs in other programs
}
"""Besides ``cli`` and ``demo``, which are programs of their own."""


def name_of(path):
    parts = path.relative_to(ROOT / "exporter").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "exporter"


@cache
def modules():
    return {name_of(path): ast.parse(path.read_text()) for path in ROOT.glob("exporter/**/*.py")}


def for_types_only(tree):
    """The nodes under ``if TYPE_CHECKING``."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }


def imported(tree):
    """Full names of what a module imports: ``from a import b`` is ``a.b`` where that is one."""
    left_out = for_types_only(tree)
    for node in ast.walk(tree):
        if node in left_out:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name their module in full"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                submodule = whole.removeprefix("exporter.") in modules() or node.module == "scipy"
                yield whole if submodule else node.module


def ours(name):
    """The modules of ours that module ``name`` imports."""
    whole = (one for one in imported(modules()[name]) if one.split(".")[0] == "exporter")
    return {one.removeprefix("exporter.") for one in whole} - {name}


@cache
def place(name):
    """The layer of a module, and the name that put it there."""
    for number, layer in enumerate(LAYERS):
        for known in layer.split():
            if name == known:
                return number, known
    assert "." in name, f"{name} belongs to no layer"
    return place(name.rpartition(".")[0])


def test_every_layer_is_there():
    packages = {name.split(".")[0] for name in modules()} | set(modules())
    assert {name for layer in LAYERS for name in layer.split()} <= packages


@pytest.mark.parametrize("name", sorted(modules()))
def test_imports_run_upwards_only(name):
    number, group = place(name)
    for other in ours(name):
        below, of = place(other)
        assert below < number or of == group, f"{name} imports {other}, which is not below it"


def test_there_is_no_cycle():
    graph = {name: ours(name) for name in modules()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize(
    "name", [n for n in sorted(modules()) if n.startswith(("metrics.", "statistics."))]
)
def test_plug_ins_are_pure(name):
    for one in imported(modules()[name]):
        if one.startswith("exporter"):
            inner = one.removeprefix("exporter.")
            plugged = inner.split(".")[0] in ("statistics", name.split(".")[0])
            assert inner in OF_PLUG_INS or plugged, f"{name} imports {one}"
        else:
            assert one in PURE, f"{name} imports {one}"


def clocks_read(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in ("time", "datetime", "date") and node.attr in CLOCKS:
                yield node.attr
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("name", sorted(modules()))
def test_time_is_given_never_read(name):
    if name.split(".")[0] not in ("cli", "demo"):
        assert set(clocks_read(modules()[name])) <= READS_CLOCK.get(name, set())


def test_events_and_schema_stand_alone():
    assert ours("events") == set()
    assert ours("bins") == set()
    assert ours("client") == set()
    assert ours("schema") == {"bins", "events"}
    assert ours("registry") == {"events", "schema"}


def test_serving_loads_no_more_than_it_needs():
    heavy = ("scipy.optimize", "scipy.stats", "scipy.sparse", "pyarrow", "exporter.reference.build",
             "numpy.f2py", "numpy.testing", "numpy.random", "numpy.polynomial")  # fmt: skip
    program = (
        "import sys, exporter.app; from exporter.registry import discover; discover();"
        f"print(*[name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
