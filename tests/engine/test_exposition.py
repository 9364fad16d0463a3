"""What we write, beside what prometheus_client writes of the same families."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.utils import floatToGoString

from exporter.exposition import openmetrics, text
from exporter.families import Family, number
from exporter.labels import Labels

values = st.one_of(
    st.floats(allow_nan=False), st.integers(-(10**9), 10**9).map(float), st.just(math.nan)
)
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
texts = st.one_of(st.text(max_size=8), st.text('\\"\n{},=# ', max_size=8))
labels = st.dictionaries(names, texts, max_size=4)
types = st.sampled_from(["gauge", "counter", "summary"])


class Registry:
    def __init__(self, families):
        self.families = families

    def collect(self):
        return self.families


@st.composite
def families(draw):
    made = []
    for i in range(draw(st.integers(0, 4))):
        kind = draw(types)
        name = f"model_{i}_total" if kind == "counter" else f"model_{i}"
        family = Family(name, draw(texts), kind)
        for known, value in draw(st.lists(st.tuples(labels, values), max_size=4)):
            family.add(known, value)
        made.append(family)
    return made


def lines(body, by):
    """The lines, each series as its name, its sorted labels and its value as written."""
    found = []
    for line in body.decode().split("\n"):
        if line.startswith("#") or not line:
            found.append(line)
        else:
            (family,) = by(line)
            found.append(family)
    return found


def series(line):
    name, _, rest = line.partition("{")
    inside, _, value = rest.rpartition("} ")
    if not rest:
        name, _, value = line.rpartition(" ")
    parts, part, quoted, escaped = [], "", False, False
    for character in inside:
        if character == "," and not quoted:
            parts.append(part)
            part = ""
            continue
        quoted ^= character == '"' and not escaped
        escaped = character == "\\" and not escaped
        part += character
    return [(name, sorted([*parts, part]), value)]


@given(families())
def test_the_same_is_written_but_for_the_order_of_labels(made):
    for ours, theirs in ((text, generate_latest), (openmetrics, openmetrics_latest)):
        assert lines(ours(made), series) == lines(theirs(Registry(made)), series)


@given(families())
def test_it_reads_back(made):
    ours, theirs = (
        [
            (one.name, one.documentation, one.type, sample.name, sorted(sample.labels.items()),
             repr(sample.value))
            for one in parse_text(body.decode())
            for sample in one.samples
        ]
        for body in (text(made), generate_latest(Registry(made)))
    )  # fmt: skip
    assert ours == theirs


@given(values)
def test_numbers_are_written_as_prometheus_client_does(value):
    assert number(value) == floatToGoString(value)


@pytest.mark.parametrize("value", [0.0, -0.0, 999999.0, 1e6, 1e6 + 0.5, 1e16, 1e-7, -1e9, 5e-324])
def test_numbers_at_the_bounds(value):
    assert number(value) == floatToGoString(value)


def test_a_metric_of_prometheus_client_is_taken_as_it_is():
    registry = CollectorRegistry()
    Counter("a", "A.", ["x"], registry=registry).labels('q"').inc(2)
    Gauge("b", "B.", registry=registry).set(1e9)
    Histogram("c", "C.", registry=registry, buckets=(1, 2)).observe(1.5)
    Info("d", "D.", registry=registry).info({"k": "v"})
    made = [Family.of(one) for one in registry.collect()]
    drop = ("_created", "d_info", "# TYPE d", "# HELP d")
    for ours, theirs in ((text, generate_latest), (openmetrics, openmetrics_latest)):
        both = [
            [one for one in lines(body, series) if not any(name in str(one) for name in drop)]
            for body in (ours(made), theirs(registry))
        ]
        assert both[0] == both[1]


def test_what_is_written_is_openmetrics():
    histogram = Family("model_h", "Help.", "histogram")
    histogram.add_histogram({"model": "m"}, (0.5, 1.0), (2, 0, 3), 7.5)
    counter = Family("model_c_total", 'With "quotes".', "counter")
    counter.add({"model": "m"}, 3)
    found = list(parse_openmetrics(openmetrics([histogram, counter]).decode()))
    assert [one.name for one in found] == ["model_h", "model_c"]


@given(labels, st.lists(st.tuples(names, texts), max_size=3))
def test_labels_and_more_are_those_labels_at_once(known, more):
    fresh = [(f"{name}_more{i}", value) for i, (name, value) in enumerate(more)]
    one, other = Labels.of(known).and_(*fresh), Labels.of({**known, **dict(fresh)})
    assert (one.pairs, one.text) == (other.pairs, other.text)
