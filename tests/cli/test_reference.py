"""``modelmeter reference build`` from outside."""

import gzip

from exporter.reference.file import load
from tests.cli.test_commands import command
from tests.reference.events import binary, multiclass, ndjson

CONFIG = "models: [{name: fraud, features: {grade: {kind: numeric}}}]\n"


def build(path, *arguments):
    output = path.with_name("out.mmref")
    return command("reference", "build", str(path), "-o", str(output), *arguments), output


def test_a_file_is_built_and_what_was_found_is_printed(tmp_path):
    data = tmp_path / "events.ndjson.gz"
    data.write_bytes(gzip.compress(ndjson(binary())))
    done, output = build(data)
    assert done.returncode == 0, done.stderr
    reference = load(output)
    assert (reference.rows, reference.source) == (400, "events.ndjson.gz")
    assert "100% 400 events" in done.stderr
    assert "binary model; 400 events; 400 labels; classes" in done.stdout
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    assert lines["feature"].split()[:6] == [
        "feature",
        "kind",
        "because",
        "missing",
        "distinct",
        "from",
    ]
    assert "numeric" in lines["amount"]
    assert "5.00%" in lines["amount"]
    assert "categorical  4 distinct integers" in lines["grade"]
    assert "identifier" in lines["key"]


def test_the_configuration_says_the_kind(tmp_path):
    data = tmp_path / "events.ndjson"
    other = [{**event, "model": "spam"} for event in multiclass(10)]
    data.write_bytes(ndjson(binary(150) + other) + b'{"score": 2}\n')
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    done, output = build(data, "--config", str(config), "--model", "fraud", "--independent")
    assert done.returncode == 0, done.stderr
    grade = next(one for one in load(output).found if one.name == "grade")
    assert (grade.kind, grade.chosen) == ("numeric", "configured")
    assert load(output).independent
    assert "10 events of other models were left out" in done.stderr
    assert "rejected event 160: score: must be between 0 and 1" in done.stderr


def test_what_makes_no_reference_is_told(tmp_path):
    data = tmp_path / "events.json"
    data.write_bytes(b'[{"label": 1, "id": "a"}]')
    done, output = build(data)
    assert (done.returncode, output.exists()) == (1, False)
    assert "prediction: a reference needs events with predictions" in done.stderr
    data.write_bytes(b"[")
    assert "body is not JSON" in build(data)[0].stderr
    done, _ = build(tmp_path / "nothing.csv")
    assert (done.returncode, "no such file" in done.stderr) == (2, True)
    assert build(tmp_path / "events.xyz")[0].returncode == 2
    assert command("reference").returncode == 2
    assert command("reference", "build", str(data)).returncode == 2


def test_build_has_help():
    shown = command("reference", "build", "--help").stdout
    assert shown.startswith("usage: modelmeter reference build")
    for flag in ("--output", "--model", "--config", "--format", "--independent"):
        assert flag in shown
    assert max(map(len, shown.splitlines())) <= 100
