"""The parts of the landing page: words, lines, verdicts, links. Each says what is so."""

import json
import math
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.deciding import Decisions
from exporter.drift.rule import DriftDecision, Level
from exporter.limits import Decision
from exporter.web.page import links, resources, verdict, words
from exporter.web.page.plot import HEIGHT, WIDTH, plot
from exporter.web.page.rows import beside

VALUES = st.lists(st.one_of(st.none(), st.floats(-1e300, 1e300)), max_size=70)
GRAFANA = Path(__file__).parents[2] / "grafana" / "dashboards"


def points(path: str) -> list[tuple[int, int]]:
    """The points of a line as it is written."""
    start, _, steps = path.removeprefix("M").partition("l")
    found = [tuple(map(int, start.split()))]
    numbers = [int(one) for one in steps.split()]
    for dx, dy in zip(numbers[::2], numbers[1::2], strict=True):
        found.append((found[-1][0] + dx, found[-1][1] + dy))
    return found


@given(VALUES, st.lists(st.floats(-1e6, 1e6), max_size=2))
def test_a_plot_is_well_formed_and_stays_within_its_frame(values, limits) -> None:
    text = plot('a <"name">', values, limits)
    known = [value for value in values if value is not None]
    if not known:
        assert text == ""
        return
    svg = ET.fromstring(text)
    assert svg.findtext("title", "").startswith('a <"name">, last hour: from ')
    lines = [one.get("d", "") for one in svg.iter("path") if one.get("class") is None]
    drawn = [point for line in lines for point in points(line)]
    drawn += [(float(one.get("cx")), int(one.get("cy"))) for one in svg.iter("circle")]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in drawn)
    assert len(drawn) == len([value for value in values[-60:] if value is not None])


def test_a_plot_rises_with_its_values_and_gaps_are_gaps() -> None:
    svg = ET.fromstring(plot("x", [1.0, 2.0, None, 3.0], [2.5]))
    line = next(one for one in svg.iter("path") if one.get("class") is None)
    (x, low), (then, high) = points(line.get("d"))
    assert (x, then) == (WIDTH - 6, WIDTH - 4)
    assert low > high
    assert [one.get("cx") for one in svg.iter("circle")] == [str(WIDTH - 1)]
    (limit,) = [one.get("d") for one in svg.iter("path") if one.get("class") == "limit"]
    assert int(re.findall(r"M0 (\d+)h", limit)[0]) < high


def test_noise_in_the_third_digit_is_no_mountain() -> None:
    svg = ET.fromstring(plot("x", [0.9301, 0.9302]))
    (line,) = svg.iter("path")
    assert len({y for _, y in points(line.get("d"))}) == 1


@given(st.floats(-1e12, 1e12))
def test_numbers_are_short_and_near(value) -> None:
    text = words.number(value)
    assert len(text) <= 10
    assert math.isclose(float(text.replace(",", "")), value, rel_tol=0.01, abs_tol=6e-4)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0 %"), (0.001, "< 1 %"), (0.5, "50 %"), (0.999, "> 99 %"), (1, "100 %")],
)
def test_only_all_is_all(value, text) -> None:
    assert words.share(value) == text


def test_sizes_times_and_lists() -> None:
    assert [words.size(x) for x in (12, 2048, 95.5 * 2**20, 3 * 2**30, 5000 * 2**30)] == [
        "12 B", "2 KiB", "95.5 MiB", "3 GiB", "5,000 GiB",
    ]  # fmt: skip
    assert [words.duration(x) for x in (0.0204, 1.5, 4000)] == ["20.4 ms", "1.5 s", "4,000 s"]
    assert words.some(list("abcde"), 3) == "a, b, c and 2 more"
    assert [words.limit(x) for x in (0.9, 30, 0.123456789)] == ["0.9", "30", "0.123"]


def limit(breached, levels=("warning", "critical")) -> Decision:
    return Decision("1h", "accuracy_ratio", "min", 0.9, breached, 0.8, 100, 0.1, 0.01, levels)


def drift(name: str, **levels: bool) -> DriftDecision:
    told = {level: Level(0.02, 0.1, detected) for level, detected in levels.items()}
    return DriftDecision("1h", "feature", name, 1000, 1000.0, 10, 0.2, None, 0.01, told)


@pytest.mark.parametrize(
    ("limits", "drifts", "held", "state"),
    [
        ([], [], False, "unjudged"),
        ([], [], True, "early"),
        ([None], [], True, "early"),
        ([None, False], [], True, "fine"),
        ([False, True], [], True, "critical"),
        ([False], [{"warning": True, "critical": False}], True, "warning"),
        ([False], [{"warning": True, "critical": True}], True, "critical"),
        ([None], [{"warning": False}], True, "fine"),
    ],
)
def test_a_state_is_the_worst_that_was_decided(limits, drifts, held, state) -> None:
    found = Decisions([limit(one) for one in limits], [drift("x", **one) for one in drifts])
    assert verdict.state(found, held=held) == state


def test_a_limit_for_warnings_alone_is_a_warning() -> None:
    assert verdict.of_limit(limit(True, ("warning",))) == "warning"


def test_findings_name_each_feature_once_the_worst_first() -> None:
    decisions = Decisions(
        drift=[
            drift("b", warning=True), drift("a", warning=True, critical=True),
            drift("b", warning=True)._replace(window="24h"), drift("c", warning=False),
        ]
    )  # fmt: skip
    found = verdict.data_findings(decisions)
    assert [(one.level, one.what, one.windows) for one in found] == [
        ("critical", "a drifted", ("1h",)),
        ("warning", "b drifted", ("1h", "24h")),
    ]


def test_a_value_beyond_its_limit_is_never_said_to_hold() -> None:
    assert beside("critical", 0.8, "min", 0.9) == '<span class="critical">✖ below 0.9</span>'
    assert "below 0.9, not proven" in beside("fine", 0.89, "min", 0.9)
    assert "above 30, not proven" in beside("early", 31, "max", 30)
    assert beside("fine", 0.95, "min", 0.9) == '<span class="fine">✔ ≥ 0.9</span>'
    assert "≤ 30, too early" in beside("early", 20, "max", 30)


def test_every_state_has_a_sign_of_its_own_and_a_word() -> None:
    signs = [text.split(" ", 1) for text in verdict.STATES.values()]
    assert len({sign for sign, _ in signs}) == len({word for _, word in signs}) == 5
    assert verdict.MEANINGS.keys() == verdict.STATES.keys()


def test_every_linked_dashboard_exists_and_has_the_variables() -> None:
    dashboards = [json.loads(file.read_text()) for file in GRAFANA.glob("*.json")]
    known = {one["uid"]: one for one in dashboards}
    for title, uid in links.DASHBOARDS.items():
        assert known[uid]["title"].endswith(title)
    variables = {
        one["name"] for one in known[links.DASHBOARDS[links.OF_MODEL]]["templating"]["list"]
    }
    assert {"model", "version"} <= variables


def test_links_keep_names_whole() -> None:
    assert links.detail("team/a&b") == "?model=team%2Fa%26b"
    assert links.as_json("team/a:2") == "v1/models/team/a%3A2"
    found = links.of_model("https://g.example/sub", "team/a", "1:b")
    assert found == (
        "https://g.example/sub/d/modelmeter-model-quality?var-model=team%2Fa&var-version=1%3Ab"
    )
    assert links.link('x"><script>', "<b>") == '<a href="x&quot;&gt;&lt;script&gt;">&lt;b&gt;</a>'


ITSELF = resources.Itself(0.021, 95.4 * 2**20, 1234, 5, 40, 1000, True, False)
USED = {
    "cpu_usage_cores": {"0.5": 1.0, "0.95": 1.9, "1.0": 2.0},
    "cpu_usage_limit_ratio": {"0.5": 0.5, "0.95": 0.95, "1.0": 1.0},
    "memory_usage_bytes": {"0.5": 2.0**20, "0.95": 2.0**20, "1.0": 2.0**30},
    "memory_usage_limit_ratio": None,
    "cpu_throttled_periods_ratio": None,
    "restarts": 2.0,
    "oom_kills": 0.0,
}
GPU = {
    "gpu": "0", "uuid": "GPU-1", "name": "H200", "mig": None, "up": True,
    "memory_used_bytes": 70 * 2**30, "memory_total_bytes": 140 * 2**30, "temperature_celsius": 61,
    "power_watts": 350.0, "power_limit_watts": 700.0, "throttled": ["sw_power"],
    "windows": {"5m": {"usage_ratio": {"0.5": 0.5, "0.95": 0.87}, "throttled_ratio": None}},
}  # fmt: skip


def read(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def test_resources_of_servers_gpus_and_itself() -> None:
    server = {"server": "<a>", "up": False, "windows": {"5m": USED}}
    found = {"servers": [server], "findings": ["5m: CPU <throttled>"], "gpus": [GPU]}
    page = resources.section(found, ITSELF)
    assert "<a>" not in page
    assert "<throttled>" not in page
    text = read(page)
    assert "▲ 5m: CPU &lt;throttled&gt;" in text
    assert "Model server &lt;a&gt; ✖ down" in text
    assert "CPU, 95 % 1.9 cores 95 % of its limit" in text
    assert "memory, highest 1 GiB restarts 2 OOM kills 0" in text
    assert "0 87 % 5m 70 GiB of 140 GiB 61 °C 350 W of 700 W sw_power" in text
    assert "0.02 cores, 95.4 MiB; 1,234 events received, 5 rejected; 40 of 1,000 ids" in text


def test_a_gpu_that_is_gone_and_what_is_wrong_with_itself_are_said() -> None:
    gone = dict.fromkeys(GPU, None) | {"gpu": "1", "up": False, "windows": {}, "mig": "3"}
    wrong = ITSELF.__class__(0.0, 1.0, 0, 0, 0, 1, False, True)
    text = read(resources.section({"servers": [], "findings": [], "gpus": [gone]}, wrong))
    assert "1 instance 3 ✖ does not answer" in text
    assert "No model server is watched" in text
    assert "▲ the last configuration was refused" in text
    assert "✖ state cannot be written to disk" in text


def test_the_style_closes_what_it_opens() -> None:
    page = (Path(__file__).parents[2] / "exporter" / "web" / "landing.html").read_text("utf-8")
    style = page[page.index("<style>") : page.index("</style>")]
    assert style.count("{") == style.count("}")
