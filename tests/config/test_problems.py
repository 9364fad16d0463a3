import pytest

from exporter.config import ConfigError, Problem, load, loads
from exporter.config.document import MAX_FILE_BYTES

METRICS = ("accuracy_ratio", "roc_auc_ratio")


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(text, limit_metrics=METRICS)
    return [str(problem) for problem in caught.value.problems]


def test_all_problems_at_once_each_with_its_line() -> None:
    found = problems("""\
max_models: 0
join:
  max_pendng: 3
  ttl: 7
models:
  - name: a
    threshold: 1.5
    limits:
      acuracy_ratio: {min: 0.9}
""")
    assert found == [
        "modelmeter.yaml:1: max_models: must be a whole number from 1 to 10000, got 0",
        "modelmeter.yaml:3: join.max_pendng: unknown key; did you mean max_pending? "
        "allowed: ttl, max_pending",
        "modelmeter.yaml:4: join.ttl: must be a duration from 1s to 1y such as 1h30m, got 7",
        "modelmeter.yaml:7: models[0].threshold: must be a number from 0 to 1, got 1.5",
        "modelmeter.yaml:9: models[0].limits.acuracy_ratio: not a metric that can have a limit; "
        "did you mean accuracy_ratio? allowed: accuracy_ratio, roc_auc_ratio",
    ]


WRONG = [
    ("window: [5m]", 1, "window", "did you mean windows?"),
    ("windows: 5m", 1, "windows", "must be a list of windows"),
    ("windows: []", 1, "windows", "must have 1 to 8 entries, got 0"),
    ("windows: [1m, 2m, 3m, 4m, 5m, 6m, 7m, 8m, 9m]", 1, "windows", "1 to 8 entries, got 9"),
    ("windows: [5m, 300s]", 1, "windows", "5m and 300s are the same window"),
    ("windows:\n- 5m\n- 5m", 3, "windows[1]", "given twice: 5m"),
    ("windows: [999ms]", 1, "windows[0]", "from 1s to 1y"),
    ("windows: [366d]", 1, "windows[0]", "from 1s to 1y"),
    ("windows: [0 labels]", 1, "windows[0]", "1 to 10000000 labels"),
    ("windows: [[5m]]", 1, "windows[0]", "got a list"),
    ("max_models: 1\nmax_models: 2", 2, "max_models", "given twice"),
    ("max_models: '7'", 1, "max_models", "must be a whole number"),
    ("max_models: true", 1, "max_models", "got true"),
    ("max_models: 2.0", 1, "max_models", "got 2.0"),
    ("max_models: {a: 1}", 1, "max_models", "got a mapping"),
    ("max_body_bytes: 1GiB", 1, "max_body_bytes", "a size from 1 to 256MiB"),
    ("decision_interval: 1 m", 1, "decision_interval", "must be a duration"),
    ("max_events_per_second: 0", 1, "max_events_per_second", "a number above 0"),
    ("max_events_per_second: .inf", 1, "max_events_per_second", "a number above 0"),
    ("max_events_per_second: 1e999", 1, "max_events_per_second", "a number above 0"),
    ("durability: disc", 1, "durability", "did you mean disk? allowed: disk, process, none"),
    ("gpu: on", 1, "gpu", "allowed: auto, off, required"),
    ("join: 7d", 1, "join", "must be a mapping of keys to values, got 7d"),
    ("drift: {distances: [psy]}", 1, "drift.distances[0]", "did you mean psi?"),
    ("drift: {windows: [7h]}", 1, "drift.windows", "not one of windows; allowed: 5m, 1h, 24h"),
    ("drift: {critical: 5}", 1, "drift.critical", "critical 5 is below warning 10"),
    ("model_server: {port: 1, pid: 2}", 1, "model_server", "got port and pid; allowed: port, pid"),
    ("model_server: {}", 1, "model_server", "exactly one of these keys, got none"),
    ("model_server: {port: 70000}", 1, "model_server.port", "from 1 to 65535"),
    ("model_server: {cmdline: '('}", 1, "model_server.cmdline", "a regular expression"),
    ("model_server: {cmdline: 'a{%s}'}" % ("9" * 20), 1, "model_server.cmdline", "too large"),
    ("model_server: {cmdline: '%s'}" % ("(" * 5000), 1, "model_server.cmdline", "expression"),
    ("model_servers: {a: {}}", 1, "model_servers.a", "exactly one of these keys, got none"),
    ("model_servers: {'a b': {port: 1}}", 1, "model_servers.a b", "1 to 64 of A-Z"),
    ("model_server: {port: 1}\nmodel_servers: {a: {port: 2}}", 2, "model_servers",
     "stands beside model_server: give one of the two"),
    ("sample_interval: 10ms", 1, "sample_interval", "a duration from 100ms to 1m"),
    ("defaults: {name: x}", 1, "defaults.name", "unknown key"),
    ("defaults: {classes: [a, a]}", 1, "defaults.classes[1]", "given twice: a"),
    ("defaults: {classes: [1, true]}", 1, "defaults.classes[1]", "given twice: true"),
    ("defaults: {join: maybe}", 1, "defaults.join", "must be true or false"),
    ("defaults: {labels: {coverage: all}}", 1, "defaults.labels.coverage", "complete, selective"),
    ("defaults: {features: {a: {}}}", 1, "defaults.features.a", "kind is missing"),
    ("defaults: {features: {a: {kind: text}}}", 1, "defaults.features.a.kind", "numeric"),
    ("defaults: {reference: {file: f, first: 1000}}", 1, "defaults.reference", "file and first"),
    ("models: {name: a}", 1, "models", "must be a list of models"),
    ("models: [{team: a}]", 1, "models[0]", "name is missing"),
    ("models: [{name: '-a'}]", 1, "models[0].name", "a model's name or a glob"),
    ("models: [{name: 'a b'}]", 1, "models[0].name", "a model's name or a glob"),
    ("models:\n- name: a\n- name: a", 3, "models[1]", "the model a is configured twice"),
    ("models: [{name: a, classes: [x, y], positive_class: z}]", 1, "models[0]", "is not one of"),
    ("models: [{name: a, task: binary, classes: [x]}]", 1, "models[0]", "a binary model has 2"),
    ("models: [{name: a, task: regression, classes: [x]}]", 1, "models[0]", "has no classes"),
    ("models: [{name: a, limits: {accuracy_ratio: {min: 2, max: 1}}}]", 1,
     "models[0].limits.accuracy_ratio", "min 2 is above max 1"),
    ("models: [{name: a, limits: {accuracy_ratio: {drop: -1}}}]", 1,
     "models[0].limits.accuracy_ratio.drop", "a number above 0"),
    ("models: [{name: a, limits: {accuracy_ratio: 0.9}}]", 1,
     "models[0].limits.accuracy_ratio", "must be a mapping"),
    ("- a", 1, "", "must be a mapping of keys to values, got a list"),
    ("? [a]\n: b", 1, "", "keys must be text, got a list"),
    ("<<: {max_models: 3}", 1, "<<", "unknown key"),
    ("max_models: !!int x", 1, "max_models", "must be a whole number"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "path", "message"), WRONG)
def test_one_mistake_is_one_problem(text: str, line: int, path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(text, limit_metrics=METRICS)
    (problem,) = caught.value.problems
    assert (problem.line, problem.key_path) == (line, path)
    assert message in str(problem)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1,\nb: 2", "modelmeter.yaml:2: not YAML"),
        ("a: 1\n\tb: 2", "modelmeter.yaml:2: not YAML"),
        ("a: *x", "undefined alias"),
        ("a: 1\n---\nb: 2", "modelmeter.yaml:2: not YAML: expected a single document"),
        ("a: &x [*x]", "an alias inside its own anchor"),
        ("gpu: !!python/object/apply:os.system ['true']", "tags are not supported"),
        ("gpu: !mine x", "tags are not supported"),
        ("gpu: 'a\x00'", "modelmeter.yaml:1: not YAML: character U+0000 is not allowed"),
        ("[" * 20_000, "nested too deeply"),
        ("a: 2026-01-01", "unknown key"),
    ],
)
def test_what_is_not_usable_as_yaml(text: str, message: str) -> None:
    assert message in "\n".join(problems(text))


def test_an_alias_bomb_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    assert "once aliases are written out" in problems("\n".join(lines))[0]


def test_a_syntax_error_has_line_and_column() -> None:
    assert problems("gpu: auto\njoin: {ttl: 7d")[0].startswith("modelmeter.yaml:2: not YAML: ")
    assert "(column " in problems("gpu: auto\njoin: {ttl: 7d")[0]


def loaded(path: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load({"--config": str(path)}, limit_metrics=METRICS)
    return str(caught.value)


def test_files_that_cannot_be_read(tmp_path) -> None:
    assert loaded(tmp_path / "none.yaml") == f"{tmp_path}/none.yaml: no such file"
    assert loaded(tmp_path) == f"{tmp_path}: is a directory, not a file"
    (tmp_path / "latin1.yaml").write_bytes(b"gpu: auto\ndefaults: {team: caf\xe9}\n")
    assert loaded(tmp_path / "latin1.yaml") == f"{tmp_path}/latin1.yaml:2: not UTF-8 text"
    (tmp_path / "big.yaml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert loaded(tmp_path / "big.yaml") == f"{tmp_path}/big.yaml: larger than 4 MiB"


def test_a_byte_order_mark_is_no_problem(tmp_path) -> None:
    (tmp_path / "bom.yaml").write_bytes(b"\xef\xbb\xbfmax_models: 7\n")
    assert load({"--config": str(tmp_path / "bom.yaml")}, limit_metrics=()).max_models == 7


def test_how_a_problem_reads() -> None:
    known = Problem("f.yaml", 7, "join.x", "unknown key; did you mean ttl?", ("ttl", "y"))
    assert str(known) == "f.yaml:7: join.x: unknown key; did you mean ttl? allowed: ttl, y"
    assert str(Problem("f", None, "", "no such file")) == "f: no such file"
    assert str(Problem("f", 1, "a", "bad", ("x",))) == "f:1: a: bad; allowed: x"
