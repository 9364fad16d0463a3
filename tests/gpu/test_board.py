"""Laws of what is known of GPUs: counts never fall, the stale leaves, the known stay visible."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import WindowSpec
from exporter.gpu.board import Board
from exporter.gpu.device import REASONS, XIDS, Device, Sample
from exporter.gpu.facts import facts
from exporter.gpu.history import History
from exporter.usage import SHARES

WINDOWS = (WindowSpec("5m", 300.0), WindowSpec("1h", 3600.0), WindowSpec("9 labels", labels=9))
STALE = 5.0

GPUS = ("a", "b", "c")
steps = st.one_of(
    st.tuples(st.just("expect"), st.integers(0, 3)),
    st.tuples(st.just("take"), st.integers(0, 2), st.sampled_from(GPUS), st.integers(0, 2)),
    st.tuples(st.just("fail"), st.integers(0, 2)),
    st.tuples(st.just("listen"), st.integers(0, 2)),
    st.tuples(st.just("error"), st.integers(0, 2), st.sampled_from((31, 79, 154))),
    st.tuples(st.just("pass"), st.floats(0.1, 20)),
)


def readings(index, uuid, instances):
    whole = (Device(str(index), uuid, "A"), Sample(utilization_ratio=0.5))
    parts = [
        (Device(str(index), f"{uuid}-{n}", "A part", str(n)), Sample(memory_used_bytes=n))
        for n in range(instances)
    ]
    return [whole, *parts]


def counted(shown):
    return Counter({(one.device.uuid, xid): n for one in shown for xid, n in one.xids.items()})


@given(st.lists(steps, max_size=60))
def test_whatever_happens(done):
    board, now = Board(WINDOWS, STALE), 1000.0
    seen: set[str] = set()
    counts: Counter = Counter()
    for what, *given_ in done:
        match what:
            case "pass":
                now += given_[0]
            case "expect":
                board.expect(given_[0], now)
            case "take":
                index, uuid, instances = given_
                board.take(index, readings(index, uuid, instances), now, now + 1e9)
                seen.add(uuid)
            case _:
                getattr(board, what)(*given_)
        shown = board.shown(now)
        labels = [tuple(sorted(one.device.labels.items())) for one in shown]
        assert len(set(labels)) == len(labels)
        assert {one.device.uuid for one in shown} >= seen
        assert all(one.sample is None or one.up for one in shown)
        assert all(not one.up or now + 1e9 - one.sampled_at <= STALE + 1e-3 for one in shown)
        after = counted(shown)
        assert all(after[key] >= n for key, n in counts.items())
        counts = Counter({key: n for key, n in after.items() if n})
        assert board.failing(now) == any(one.up is False for one in shown)


def test_before_the_first_answer_nothing_is_said_for_a_while():
    board = Board(WINDOWS, STALE)
    board.expect(1, 100.0)
    assert [one.up for one in board.shown(105.0)] == [None]
    assert [one.up for one in board.shown(105.1)] == [False]


def test_a_stale_sample_is_dropped_and_its_time_is_kept():
    board = Board(WINDOWS, STALE)
    board.take(0, readings(0, "a", 0), 100.0, 5000.0)
    (fresh,) = board.shown(105.0)
    assert (fresh.up, fresh.sample) == (True, Sample(utilization_ratio=0.5))
    (stale,) = board.shown(105.1)
    assert (stale.up, stale.sample, stale.sampled_at) == (False, None, 5000.0)
    assert stale.use["5m"]["1.0"] == 0.5


def test_errors_to_be_feared_count_from_0():
    board = Board(WINDOWS, STALE)
    board.take(0, readings(0, "a", 1), 100.0, 0.0)
    board.listen(0)
    whole, part = board.shown(100.0)
    assert whole.xids == dict.fromkeys(XIDS, 0)
    assert part.xids == {}


def test_other_windows_start_anew():
    board = Board(WINDOWS, STALE)
    board.take(0, readings(0, "a", 0), 100.0, 0.0)
    board.configure(WINDOWS, 1.0, 100.0)
    assert list(board.shown(100.0)[0].use) == ["5m", "1h"]
    board.configure((WindowSpec("10m", 600.0),), 1.0, 100.0)
    assert board.shown(100.0)[0].use == {}
    board.take(0, readings(0, "a", 0), 101.0, 0.0)
    assert list(board.shown(101.0)[0].use) == ["10m"]


@given(st.lists(st.integers(0, 100), min_size=1, max_size=200))
def test_quantiles_of_use_are_exact(percents):
    history = History(WINDOWS, 0.0)
    for second, percent in enumerate(percents):
        history.add(Sample(utilization_ratio=percent / 100), float(second))
    exact = np.quantile(percents, SHARES, method="lower") / 100
    found = history.use(float(len(percents)))
    assert list(found) == ["5m", "1h"]
    assert list(found["1h"].values()) == pytest.approx(exact)
    assert list(found["1h"]) == ["0.5", "0.95", "1.0"]


@given(st.lists(st.sets(st.sampled_from(REASONS)), min_size=1, max_size=100))
def test_shares_of_throttling(held):
    history = History(WINDOWS, 0.0)
    for second, reasons in enumerate(held):
        throttled = {reason: float(reason in reasons) for reason in REASONS}
        history.add(Sample(throttled=throttled), float(second))
    found = history.throttled(float(len(held)))["5m"]
    share = {reason: sum(reason in one for one in held) / len(held) for reason in REASONS}
    share["any"] = sum(map(bool, held)) / len(held)
    assert found == pytest.approx({reason: value for reason, value in share.items() if value})


def test_findings():
    board = Board(WINDOWS[:1], STALE)
    for second in range(100):
        capped = Sample(
            utilization_ratio=0.99,
            throttled={"sw_power_cap": float(second < 41), "hw_thermal": float(second < 2)},
            memory_used_bytes=96.0,
            memory_total_bytes=100.0,
        )
        board.take(0, [(Device("0", "a", "A"), capped)], float(second), 0.0)
    board.error(0, 79)
    board.expect(2, 100.0)
    told = facts(board.shown(99.0))
    assert told.findings == [
        "5m: GPU 0 throttled by its power limit 41% of the time",
        "5m: GPU 0 in use 99% or more, half of the time",
        "GPU 0 has 96% of its memory in use",
        "GPU 0 reported XID errors since modelmeter started: 79 (1)",
    ]
    board.fail(0)
    assert facts(board.shown(99.0)).findings[0] == "GPU 0 does not answer"
    assert told.shown["gpus"][0]["windows"]["5m"]["throttled_ratio"] == {
        "sw_power_cap": 0.41, "hw_thermal": 0.02, "any": 0.41,
    }  # fmt: skip
    assert told.shown["gpus"][1]["up"] is None
