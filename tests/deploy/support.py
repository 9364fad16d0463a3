"""What the tests of the deployment files share: the repository's root, tools, YAML, PromQL."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).resolve().parents[2]
RULE_FILES = sorted((ROOT / "prometheus/rules").glob("*.yml"))
RULE_TESTS = sorted((ROOT / "prometheus/tests").glob("*.yml"))


def program(*names: str) -> str:
    """The path of the first program found beside this Python or on PATH; fails if none is."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for name in names:
        found = shutil.which(name, path=path)
        if found:
            return found
    raise AssertionError(f"none of {names} is installed (`make test` installs them as root)")


def run(*command: str | Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """The finished command, run in the repository's root, output as text."""
    full = [program(str(command[0])), *map(str, command[1:])]
    return subprocess.run(full, cwd=ROOT, capture_output=True, text=True, check=False, env=env)


def ok(*command: str | Path) -> str:
    """The output of a command that must succeed."""
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def load(path: str | Path) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def alert_rules() -> list[dict[str, Any]]:
    return [rule for rule in _rules() if "alert" in rule]


def recording_rules() -> list[dict[str, Any]]:
    return [rule for rule in _rules() if "record" in rule]


def _rules() -> list[dict[str, Any]]:
    groups = [group for file in RULE_FILES for group in load(file)["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def nodes(expr: str) -> list[promql_parser.Expr]:
    """All nodes of a PromQL expression; Grafana's variables are put in where PromQL wants a
    duration. Raises ValueError if it does not parse."""
    found: list[promql_parser.Expr] = []
    tree = promql_parser.parse(expr.replace("$__rate_interval", "5m").replace("$__range", "6h"))
    promql_parser.walk(tree, found.append)
    return found


def selectors(expr: str) -> list[promql_parser.VectorSelector]:
    """Every vector selector of an expression, those inside ranges included."""
    return [node for node in nodes(expr) if isinstance(node, promql_parser.VectorSelector)]


def metric_names(expr: str) -> set[str]:
    """The metrics an expression reads, those of `__name__=~"a|b"` included."""
    return {name for selector in selectors(expr) for name in names_of(selector)}


def names_of(selector: promql_parser.VectorSelector) -> list[str]:
    """The metrics that a selector reads: its name, or those that __name__ lists."""
    if selector.name:
        return [selector.name]
    listed = [m.value for m in selector.matchers.matchers if m.name == "__name__"]
    return listed[0].split("|") if listed else []
