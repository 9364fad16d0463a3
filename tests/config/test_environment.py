import pytest

from exporter.config import ConfigError, ModelServerSettings, Settings, load, loads
from exporter.config.environment import variable
from exporter.config.loader import environment_paths, environment_warnings

METRICS = ("accuracy_ratio",)


def read(text: str = "", **environ: str) -> Settings:
    return loads(text, limit_metrics=METRICS, environ=environ)


def test_flag_over_environment_over_file_over_default(tmp_path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("max_models: 7\nmax_series: 700\njoin: {ttl: 2d, max_pending: 5000}\n")
    environ = {
        "MODELMETER_CONFIG": str(file),
        "MODELMETER_MAX_MODELS": "8",
        "MODELMETER_JOIN_TTL": "1d",
        "MODELMETER_LOG_LEVEL": "debug",
        "MODELMETER_DATA_DIR": "/data",
        "MODELMETER_NO_PERSIST": "true",
        "MODELMETER_WEB_LISTEN_ADDRESS": ":1",
    }
    flags = {"--log.level": "error", "--web.listen-address": None}
    settings = load(flags, environ=environ, limit_metrics=())
    assert settings.config_file == str(file)
    assert (settings.max_models, settings.max_series) == (8, 700)
    assert (settings.join.ttl, settings.join.max_pending) == (86_400, 5000)
    assert (settings.log_level, settings.log_format) == ("error", "logfmt")
    assert (settings.data_dir, settings.persist) == ("/data", False)
    assert settings.listen_address == ":1"
    other = load({"--config": None, "--no-persist": "true"}, environ={}, limit_metrics=())
    assert (other.config_file, other.persist) == (None, False)


@pytest.mark.parametrize("written", ["5m,1h", "5m, 1h", "[5m, 1h]", "[1h,5m]", '["5m", "1h"]'])
def test_lists(written: str) -> None:
    assert [w.name for w in read(MODELMETER_WINDOWS=written).windows] == ["5m", "1h"]
    assert [w.name for w in read(MODELMETER_WINDOWS="50 labels").windows] == ["50 labels"]


def test_values_are_yaml_scalars() -> None:
    settings = read(
        MODELMETER_DEFAULTS_THRESHOLD="0.25",
        MODELMETER_DEFAULTS_JOIN="false",
        MODELMETER_DEFAULTS_LIMITS="{accuracy_ratio: {min: 0.5}}",
        MODELMETER_MODELS="[{name: a}, {name: b, team: x}]",
        MODELMETER_MODEL_SERVER_CMDLINE="gunicorn: worker, .*",
        MODELMETER_GPU="off",
        MODELMETER_MAX_MEMORY="1GiB",
    )
    assert settings.for_model("b").threshold == 0.25
    assert settings.for_model("b").limits[0].value == 0.5
    assert settings.for_model("b").team == "x"
    assert settings.defaults.join is False
    assert settings.model_server == ModelServerSettings(cmdline="gunicorn: worker, .*")
    assert (settings.gpu, settings.max_memory) == ("off", 2**30)


def test_empty_variables_give_nothing() -> None:
    assert read(MODELMETER_WINDOWS="", MODELMETER_LOG_LEVEL="", MODELMETER_GPU=" ") == Settings()


def test_a_way_to_find_the_server_replaces_the_files() -> None:
    assert read("model_server: {pid: 7}", MODELMETER_MODEL_SERVER_PORT="80").model_server == (
        ModelServerSettings(port=80)
    )


def test_the_files_tree_is_left_alone_by_an_alias() -> None:
    text = "defaults: {labels: &l {revise: true}}\nmodels: [{name: a, labels: *l}]"
    settings = read(text, MODELMETER_DEFAULTS_LABELS_REVISE="false")
    assert settings.defaults.labels.revise is False
    assert settings.for_model("a").labels.revise is True


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MODELMETER_JOIN_TTL", "7", "MODELMETER_JOIN_TTL: join.ttl: must be a duration"),
        ("MODELMETER_WINDOWS", "5m,,1h", "MODELMETER_WINDOWS: windows: must be a list"),
        ("MODELMETER_WINDOWS", "[5m", "MODELMETER_WINDOWS: not YAML"),
        (
            "MODELMETER_JOIN",
            "{tll: 1d}",
            "MODELMETER_JOIN: join.tll: unknown key; did you mean ttl?",
        ),
        (
            "MODELMETER_LOG_LEVEL",
            "loud",
            "MODELMETER_LOG_LEVEL: unknown value loud; allowed: debug",
        ),
        ("MODELMETER_NO_PERSIST", "maybe", "MODELMETER_NO_PERSIST: must be true or false"),
    ],
)
def test_problems_name_the_variable(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read("max_models: 0", **{name: value})
    assert len(caught.value.problems) == 2
    assert said in str(caught.value)


def test_problems_name_the_flag() -> None:
    with pytest.raises(ConfigError) as caught:
        load({"--log.level": "loud", "--config": "/none"}, environ={}, limit_metrics=())
    assert "--log.level: unknown value loud; allowed: debug, info, warn, error" in str(caught.value)
    assert "/none: no such file" in str(caught.value)


def test_unknown_variables_are_warned_of_and_kubernetes_ones_are_not() -> None:
    environ = {
        "MODELMETER_JOIN_TLL": "7d",
        "MODELMETER_SERVICE_HOST": "10.0.0.1",
        "MODELMETER_SERVICE_PORT": "9920",
        "MODELMETER_SERVICE_PORT_HTTP": "9920",
        "MODELMETER_PORT": "tcp://10.0.0.1:9920",
        "MODELMETER_PORT_9920_TCP": "tcp://10.0.0.1:9920",
        "MODELMETER_PORT_9920_TCP_ADDR": "10.0.0.1",
        "MODELMETER_JOIN_TTL": "7d",
        "MODELMETER_LOG_LEVEL": "info",
        "OTHER": "x",
    }
    assert environment_warnings(environ) == (
        "unknown environment variable MODELMETER_JOIN_TLL; did you mean MODELMETER_JOIN_TTL?",
    )


def test_a_service_called_modelmeter_model_server_sets_no_port() -> None:
    settings = read(MODELMETER_MODEL_SERVER_PORT="tcp://10.0.0.1:80")
    assert settings.model_server is None


def test_no_two_settings_share_a_variable() -> None:
    names = [variable(path) for path in environment_paths()]
    assert len(names) == len(set(names))
    assert {"MODELMETER_MODEL_SERVER_PORT", "MODELMETER_WEB_LISTEN_ADDRESS"} < set(names)
