"""The scrape: guarded collectors, the bound on series, and what a client gets."""

import gzip
import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.families import Family
from exporter.registry import DROP_ORDER
from exporter.scrape import Scraper, render, wants_openmetrics


class Fixed:
    """A collector of given families, that can be told to fail."""

    def __init__(self, name, *families):
        self.name = name
        self.families = families
        self.fails = False

    def collect(self):
        yield from self.families
        if self.fails:
            raise RuntimeError("broken")


def family(name, samples, group="state"):
    made = Family(name, "Help.", "gauge", group)
    for number in range(samples):
        made.add({"n": str(number)}, number)
    return made


def scraper(*collectors, max_series=1000):
    told = []
    return Scraper(collectors, lambda: max_series, told.append), told


def shown(families):
    return {family.name: {tuple(s.labels.values()): s.value for s in family.samples}
            for family in families}  # fmt: skip


def test_a_collector_that_raises_leaves_the_scrape_whole(caplog):
    good, bad = Fixed("good", family("model_a", 1)), Fixed("bad", family("model_b", 1))
    bad.fails = True
    made, _ = scraper(bad, good)
    with caplog.at_level(logging.ERROR, "modelmeter"):
        first, second = shown(made.collect()), shown(made.collect())
    assert first == {**second, "modelmeter_scrape_collector_duration_seconds": first[
        "modelmeter_scrape_collector_duration_seconds"]}  # fmt: skip
    assert first["modelmeter_scrape_collector_success"] == {("bad",): 0, ("good",): 1}
    assert first["modelmeter_scrape_collector_duration_seconds"].keys() == {("bad",), ("good",)}
    assert "model_b" not in first
    assert first["model_a"] == {("0",): 0}
    assert first["modelmeter_series"] == {(): 1}
    assert len(caplog.records) == 1
    bad.fails = False
    assert shown(made.collect())["modelmeter_scrape_collector_success"][("bad",)] == 1


def test_a_collector_that_may_lack_rights_says_whether_it_does():
    able, other = Fixed("able"), Fixed("other")
    made, _ = scraper(able, other)
    assert "modelmeter_collector_degraded" not in shown(made.collect())
    for lacking in (False, True):
        able.degraded = lacking
        assert shown(made.collect())["modelmeter_collector_degraded"] == {("able",): lacking}


def test_families_without_samples_are_not_shown():
    made, _ = scraper(Fixed("one", family("model_a", 0), family("model_b", 1)))
    assert "model_a" not in shown(made.collect())


def of_every_group():
    return [family(f"model_{group}", 10, group) for group in reversed(DROP_ORDER)]


@pytest.mark.parametrize("kept", range(len(DROP_ORDER) + 1))
def test_families_leave_in_the_documented_order(kept):
    made, told = scraper(Fixed("all", *of_every_group()), max_series=10 * kept)
    left = {name for name in shown(made.collect()) if name.startswith("model_")}
    assert left == {f"model_{group}" for group in DROP_ORDER[len(DROP_ORDER) - kept :]}
    assert told == ([10 * (len(DROP_ORDER) - kept)] if kept < len(DROP_ORDER) else [])


def test_distances_leave_first_and_decisions_and_totals_last():
    assert DROP_ORDER[:3] == ("distance", "class", "confusion")
    assert DROP_ORDER[-2:] == ("decision", "total")


def test_within_a_group_the_largest_leaves_first():
    families = [family("model_a", 5, "class"), family("model_b", 9, "class")]
    made, told = scraper(Fixed("all", *families), max_series=6)
    found = shown(made.collect())
    assert "model_a" in found
    assert "model_b" not in found
    assert found["modelmeter_series"] == {(): 5}
    assert told == [9]


def test_only_more_than_before_is_told():
    growing = Fixed("all", family("model_a", 5, "class"))
    made, told = scraper(growing, max_series=4)
    made.collect()
    made.collect()
    growing.families = (family("model_a", 7, "class"),)
    made.collect()
    assert told == [5, 2]


def test_modelmeters_own_families_stay():
    made, _ = scraper(Fixed("own", family("modelmeter_a", 50)), max_series=1)
    assert len(shown(made.collect())["modelmeter_a"]) == 50


ACCEPT = [
    ("", False),
    ("*/*", False),
    ("text/plain", False),
    ("text/plain;version=0.0.4", False),
    ("application/openmetrics-text", True),
    ("application/openmetrics-text; version=1.0.0", True),
    ('application/openmetrics-text; version="1.0.0"', True),
    ("application/openmetrics-text;version=2.0.0", False),
    ("application/openmetrics-text;version=1.0.0;q=0", False),
    ("application/openmetrics-text;version=1.0.0;q=x", False),
    ("application/openmetrics-text;version=1.0.0;q=0.4,text/plain;version=0.0.4;q=0.5", False),
    ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1", True),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", False),
    ("application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.9", False),
    ("application/openmetrics-text;version=1.0.0;q=0.5,text/*;q=0.9", False),
    (",,;q=1", False),
]  # fmt: skip


@pytest.mark.parametrize(("accept", "openmetrics"), ACCEPT)
def test_the_format_is_negotiated(accept, openmetrics):
    assert wants_openmetrics(accept) is openmetrics
    body, headers = render([family("model_a", 1)], accept, "")
    assert body.endswith(b"# EOF\n") is openmetrics
    expected = "application/openmetrics-text" if openmetrics else "text/plain"
    assert headers["content-type"].startswith(expected)
    assert "Accept" in headers["vary"]


@pytest.mark.parametrize(
    ("encoding", "zipped"),
    [("", False), ("gzip", True), ("gzip;q=0", False), ("*", True), ("deflate, gzip;q=0.5", True),
     ("identity", False), ("gzip;q=0, *", False)],
)  # fmt: skip
def test_gzip_is_given_where_it_is_wanted(encoding, zipped):
    body, headers = render([family("model_a", 3)], "", encoding)
    assert headers.get("content-encoding") == ("gzip" if zipped else None)
    text = (gzip.decompress(body) if zipped else body).decode()
    (found,) = text_string_to_metric_families(text)
    assert len(found.samples) == 3


def test_a_counter_has_its_name_in_both_formats():
    counter = Family("model_x_total", "Help.", "counter", "total")
    counter.add({"a": 'q"\\\n'}, 3)
    for accept in ("", "application/openmetrics-text"):
        body = render([counter], accept, "")[0]
        assert b'model_x_total{a="q\\"\\\\\\n"} 3.0' in body


def test_a_histogram_adds_up_and_ends_at_infinity():
    histogram = Family("model_h", "Help.", "histogram", "histogram")
    histogram.add_histogram({}, (0.5, 1.0), (2, 0, 3), 7.5)
    assert [(s.name, s.labels.get("le"), s.value) for s in histogram.samples] == [
        ("model_h_bucket", "0.5", 2),
        ("model_h_bucket", "1.0", 2),
        ("model_h_bucket", "+Inf", 5),
        ("model_h_count", None, 5),
        ("model_h_sum", None, 7.5),
    ]
