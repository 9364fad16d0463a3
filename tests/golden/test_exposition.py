"""The whole exposition of a fixed scenario, as Prometheus sees it, with references and without.

After a change that is meant, write it anew: ``python -m tests.golden.test_exposition``.
"""

import math
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.registry import METRICS, TOTALS, discover
from exporter.scrape import render
from tests.golden import scenario

GOLDEN = Path(__file__).with_name("exposition.txt")
COMPARED = Path(__file__).with_name("exposition_with_references.txt")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
LIVE = ("process_", "modelmeter_build_info", "modelmeter_scrape_collector_duration_seconds",
        "modelmeter_cpu_seconds_total", "modelmeter_resident_memory_bytes")  # fmt: skip
"""What differs from run to run."""
RESTS_ON_A_REFERENCE = (
    "^model_(feature|label|prediction)_.*(psi|distance|statistic|drift|quality)"
    "|^model_feature_(missing_ratio|outside|unseen)|^model_(estimated|monitored_features|drifted_features|metric_reference)"
)


def exposition(accept="", *, compared=False):
    known = (scenario.COMPARED, scenario.references()) if compared else ()
    scraper, _ = scenario.scraper(scenario.monitor(*known))
    return render(scraper.collect(), accept, "")[0].decode()


def stable(text):
    """The exposition with values of nine digits, without what differs from run to run."""
    lines = []
    for line in text.splitlines():
        name = re.sub(r"^# (HELP|TYPE) ", "", line)
        if name.startswith(LIVE):
            continue
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            line = f"{series} {float(value):.9g}"  # noqa: PLW2901
        lines.append(line)
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def alone():
    return exposition()


@pytest.fixture(scope="module")
def with_references():
    return exposition(compared=True)


@pytest.fixture(params=["alone", "with_references"])
def text(request):
    return request.getfixturevalue(request.param)


def test_the_exposition_is_the_golden_one(alone):
    same(alone, GOLDEN)


def test_the_exposition_with_references_is_the_golden_one(with_references):
    same(with_references, COMPARED)


def same(text, golden):
    found, wanted = stable(text).splitlines(), golden.read_text().splitlines()
    assert [line.rpartition(" ")[0] for line in found] == [
        line.rpartition(" ")[0] for line in wanted
    ]
    for one, other in zip(found, wanted, strict=True):
        if one.startswith("#"):
            assert one == other
        else:
            value, expected = (float(line.rpartition(" ")[2]) for line in (one, other))
            assert value == pytest.approx(expected, rel=1e-7, abs=1e-12), one


def told(text):
    return {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}


def test_every_family_of_the_registry_is_in_it(with_references):
    assert set(METRICS) | set(TOTALS) <= told(with_references)


def test_what_needs_no_reference_is_there_without_one(alone, with_references):
    for name in ("model_info", "model_metric_confidence_bound", "model_metric_limit",
                 "model_metric_limit_breached", "model_labels_orphaned_total",
                 "model_predictions_expired_total", "model_events_duplicate_total",
                 "model_last_label_timestamp_seconds", "modelmeter_events_rejected_total",
                 "modelmeter_series"):  # fmt: skip
        assert name in told(alone)
    more = told(with_references) - told(alone)
    assert all(re.search(RESTS_ON_A_REFERENCE, name) for name in more), more
    assert not [name for name in told(alone) if re.search(RESTS_ON_A_REFERENCE, name)]


def test_promtool_has_nothing_to_say(text):
    promtool = shutil.which("promtool")
    assert promtool, "promtool comes with Prometheus; `make test` installs it"
    done = subprocess.run(
        [promtool, "check", "metrics"],
        check=False,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def read(families):
    """All samples, without what differs from run to run and without ``_created``."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.startswith(LIVE)
    }


@pytest.mark.parametrize("compared", [False, True])
def test_both_formats_say_the_same(compared):
    one = read(parse_text(exposition(compared=compared)))
    other = read(parse_openmetrics(exposition(OPENMETRICS, compared=compared)))
    assert one == other
    assert len(one) > 300
    assert not any(math.isnan(value) for value in one.values())


def test_samples_carry_neither_times_nor_creation(text):
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(len(re.sub(r"\{.*\}", "", line).split()) == 2 for line in lines)
    assert "_created" not in text


def test_le_and_quantile_are_canonical(text):
    values = set(re.findall(r'(?:le|quantile)="([^"]+)"', text))
    assert {"+Inf", "0.5", "1.0", "0.05", "604800.0"} <= values
    assert all(value == "+Inf" or repr(float(value)) == value for value in values)


def test_every_series_about_a_model_names_it_and_windows_theirs(text):
    for family in parse_text(text):
        for sample in family.samples:
            if sample.name.startswith("model_"):
                assert {"model", "version"} <= sample.labels.keys(), sample
            if sample.name.startswith("model_window_"):
                assert sample.labels["window"] in ("1m", "5m", "50 labels")


if __name__ == "__main__":
    discover()
    GOLDEN.write_text(stable(exposition()))
    COMPARED.write_text(stable(exposition(compared=True)))
