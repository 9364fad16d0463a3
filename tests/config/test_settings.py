import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import (
    ConfigError,
    FeatureSettings,
    Limit,
    ModelServerSettings,
    Settings,
    WindowSpec,
    load,
    loads,
    loopback_address,
    parse_address,
)

METRICS = ("accuracy_ratio", "roc_auc_ratio", "mean_absolute_error")
CONTRACT = """
windows: [5m, 1h, 24h]
decision_interval: 1m
max_body_bytes: 4MiB
max_models: 200
max_series: 20000
model_ttl: 7d
join: {ttl: 7d, max_pending: 1000000}
drift: {windows: [1h, 24h], distances: [psi], min_effect: 0.02, warning: 10, critical: 28}
durability: disk
model_server: {port: 8080}
gpu: auto
defaults: {threshold: 0.5}
models:
  - name: fraud
    team: risk
    task: binary
    positive_class: "1"
    classes: ["0", "1"]
    threshold: 0.5
    join: true
    labels: {coverage: complete, revise: false}
    features: {zip: {kind: categorical}, age: {kind: numeric}}
    reference: {file: ref.parquet, independent: false}
    limits: {accuracy_ratio: {min: 0.9}, roc_auc_ratio: {drop: 0.05}}
    segments: [region]
"""


def read(text: str, **environ: str) -> Settings:
    return loads(text, limit_metrics=METRICS, environ=environ)


def test_the_full_example_differs_from_the_defaults_only_where_it_says_so() -> None:
    settings = read(CONTRACT)
    fraud = settings.for_model("fraud")
    assert settings.model_server == ModelServerSettings(port=8080)
    assert settings.drift.windows == ("1h", "24h")
    same = {"models", "model_server", "drift"}
    for field in dataclasses.fields(Settings):
        if field.name not in same:
            assert getattr(settings, field.name) == getattr(Settings(), field.name), field.name
    assert fraud.team == "risk"
    assert fraud.features == {
        "zip": FeatureSettings("categorical"),
        "age": FeatureSettings("numeric"),
    }
    assert fraud.limits == (
        Limit("accuracy_ratio", "min", 0.9),
        Limit("roc_auc_ratio", "drop", 0.05),
    )
    assert (fraud.positive_class, fraud.classes, fraud.segments) == ("1", ("0", "1"), ("region",))
    assert settings.single_model == "fraud"


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "{}", "models:\njoin:\n", "~"])
def test_nothing_given_is_the_defaults(text: str) -> None:
    assert read(text) == Settings()


def test_the_defaults_are_the_contracts() -> None:
    settings = Settings()
    assert [(w.name, w.seconds) for w in settings.windows] == [
        ("5m", 300), ("1h", 3600), ("24h", 86400)
    ]  # fmt: skip
    assert (settings.decision_interval, settings.model_ttl) == (60, 604_800)
    assert (settings.max_body_bytes, settings.max_models, settings.max_series) == (
        4194304,
        200,
        20000,
    )
    assert (settings.join.ttl, settings.join.max_pending) == (604_800, 1_000_000)
    assert settings.max_memory is None
    assert settings.listen_address == ":9920"
    assert settings.data_dir == "./modelmeter-data"


def test_settings_cannot_be_changed() -> None:
    settings = read(CONTRACT)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.gpu = "off"
    with pytest.raises(TypeError):
        settings.models[0].features["x"] = FeatureSettings("numeric")


def test_windows_are_sorted_and_keep_their_names() -> None:
    settings = read("windows: [1000 labels, 60m, 90s, 50 labels]")
    assert settings.windows == (
        WindowSpec("90s", seconds=90.0),
        WindowSpec("60m", seconds=3600.0),
        WindowSpec("50 labels", labels=50),
        WindowSpec("1000 labels", labels=1000),
    )


@pytest.mark.parametrize(
    ("written", "named"),
    [("1", "1"), ("1.0", "1"), ('"1"', "1"), ("true", "1"), ("False", "0"), ("no", "no"),
     ("yes", "yes"), ("off", "off"), ("cat", "cat"), ("0.5", "0.5"), ("5:30", "5:30")],
)  # fmt: skip
def test_classes_are_named_as_events_name_them(written: str, named: str) -> None:
    model = read(f"defaults: {{positive_class: {written}}}").defaults
    assert model.positive_class == named


def test_exact_names_win_over_globs_and_the_first_glob_wins() -> None:
    settings = read("""
models:
  - {name: "fraud-*", team: globs}
  - {name: "fraud-e?", team: later}
  - {name: fraud-eu, team: exact}
""")
    assert settings.for_model("fraud-eu").team == "exact"
    assert settings.for_model("fraud-es").team == "globs"
    assert settings.for_model("fraud-es").name == "fraud-es"
    assert settings.for_model("Fraud-es").team == ""
    assert settings.for_model("other").name == "other"
    assert settings.single_model is None


def test_a_single_glob_is_no_single_model() -> None:
    assert read('models: [{name: "a*"}]').single_model is None
    assert read("models: [{name: a}]").single_model == "a"
    assert Settings().single_model is None


def test_models_lie_over_the_defaults_key_by_key() -> None:
    settings = read("""
defaults:
  threshold: 0.3
  labels: {coverage: selective}
  limits: {accuracy_ratio: {min: 0.9}, roc_auc_ratio: {min: 0.8}}
  features: {age: {kind: numeric}}
  segments: [region]
models:
  - name: fraud
    labels: {revise: true}
    limits: {accuracy_ratio: {}, mean_absolute_error: {max: 3}}
    features: {zip: {kind: categorical}}
    segments: [device]
""")
    fraud, other = settings.for_model("fraud"), settings.for_model("other")
    assert fraud.threshold == other.threshold == 0.3
    assert (fraud.labels.coverage, fraud.labels.revise) == ("selective", True)
    assert (other.labels.coverage, other.labels.revise) == ("selective", False)
    assert set(fraud.limits) == {
        Limit("roc_auc_ratio", "min", 0.8),
        Limit("mean_absolute_error", "max", 3.0),
    }
    assert set(fraud.features) == {"age", "zip"}
    assert fraud.segments == ("device",)


def test_one_model_server_has_no_name_and_several_have_theirs() -> None:
    one = read("model_server: {port: 80}")
    assert one.servers == {"": ModelServerSettings(port=80)}
    several = read("model_servers: {triton: {port: 8000}, ranker: {cmdline: rank}}")
    assert several.servers == {
        "triton": ModelServerSettings(port=8000),
        "ranker": ModelServerSettings(cmdline="rank"),
    }
    assert read("model_server: {port: 80}\nmodel_servers: {}").servers == one.servers
    assert read("").servers == {}


def test_aliases_are_for_use() -> None:
    settings = read("""
models:
  - {name: a, limits: &strict {accuracy_ratio: {min: 0.9}}}
  - {name: b, limits: *strict}
""")
    assert settings.for_model("b").limits == (Limit("accuracy_ratio", "min", 0.9),)


def test_paths_are_seen_from_the_file(tmp_path) -> None:
    file = tmp_path / "modelmeter.yaml"
    file.write_text(
        "model_server: {pid_file: run/server.pid}\n"
        "models: [{name: a, reference: {file: ref.parquet}}, {name: b, reference: {file: /r}}]\n"
    )
    settings = load({"--config": str(file)}, limit_metrics=METRICS)
    assert settings.model_server.pid_file == str(tmp_path / "run/server.pid")
    assert settings.for_model("a").reference.file == str(tmp_path / "ref.parquet")
    assert settings.for_model("b").reference.file == "/r"
    assert settings.config_file == str(file)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [(":9920", "", 9920), ("127.0.0.1:0", "127.0.0.1", 0), ("[::1]:80", "::1", 80),
     ("h-1.x:1", "h-1.x", 1)],
)  # fmt: skip
def test_addresses(text: str, host: str, port: int) -> None:
    assert parse_address(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", "9920", "::1:80", "[::1]", "[::g]:1", "a b:1", "x:65536", "x:"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_address(text)
    with pytest.raises(ConfigError):
        load({"--web.listen-address": text}, limit_metrics=METRICS)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        (":1", "127.0.0.1"),
        ("0.0.0.0:1", "127.0.0.1"),
        ("[::]:1", "::1"),
        ("10.1.2.3:1", "10.1.2.3"),
    ],
)
def test_where_a_neighbour_reaches_an_address(text: str, host: str) -> None:
    assert loopback_address(text) == (host, 1)


@given(st.text(max_size=60))
def test_any_text_gives_settings_or_problems(text: str) -> None:
    with contextlib.suppress(ConfigError):
        assert isinstance(read(text), Settings)
