"""Restarts: nothing acknowledged is lost, nothing counts twice, and no counter falls a little."""

import shutil
import threading
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.config import JoinSettings, ModelSettings, ReferenceSettings, WindowSpec
from exporter.intake import Moment
from exporter.ledger import Disk, Ledger, checked, read
from exporter.monitor import Monitor
from exporter.restore import Stopped, restore
from exporter.rows import Predictions, concat
from exporter.store.folder import Folder, InUse
from tests.golden import scenario
from tests.store.support import SETTINGS, START, Run, alive

EVENTS = [
    {"id": i, "score": i / 40, "latency_seconds": 0.1, "features": {"x": 0.1 * i}}
    for i in range(40)
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data"


def test_what_was_acknowledged_survives_a_kill(path):
    with alive(path) as run:
        for event in EVENTS:
            run.send(event)
            run.now += 1.0
        run.send(*[{"id": i, "label": 1} for i in range(10)])
        before, windows = run.counters(), run.shown()
    with alive(path, now=run.now) as again:
        assert not again.restored.lost
        assert again.counters().keys() == before.keys()
        for key, value in again.counters().items():
            assert before[key] <= value <= before[key] * (1 + 1e-8), key
        for key, value in again.shown().items():
            assert value == pytest.approx(windows[key], rel=1e-8), key
        # And joins go on where they were.
        assert again.send(*[{"id": i, "label": 0} for i in range(5, 15)]).duplicates == [*range(5)]
        assert again.shown()["model_labels_total", (("model", "m"), ("version", "none"))] == 15


def test_a_stop_in_order_changes_not_even_the_last_digit(path):
    run = Run(path)
    for event in EVENTS:
        run.send(event)
        run.now += 1.0
    before = run.shown()
    run.stop()
    with alive(path, now=run.now) as again:
        assert again.restored.operations == 0
        assert again.shown() == before


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.lists(st.sampled_from(EVENTS), min_size=1, max_size=5)),
        st.tuples(st.just("label"), st.lists(st.integers(0, 39), min_size=1, max_size=5)),
        st.tuples(st.just("wait"), st.floats(0, 100)),
        st.just(("forget", None)),
        st.just(("save", None)),
        st.just(("kill", None)),
        st.just(("stop", None)),
    ),
    max_size=25,
)


def apply(run, what, value):
    if what == "send":
        run.send(*value)
    elif what == "label":
        run.send(*[{"id": i, "label": i % 2} for i in value])
    elif what == "wait":
        run.now += value
    elif what == "forget":
        run.ledger.forget("m", None)
    elif what == "save":
        run.ledger.save()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OPERATIONS)
def test_kills_and_stops_at_any_point_change_nothing(tmp_path_factory, operations):
    """A life with restarts shows what a life without them does, but for the last digits of sums."""
    folder = tmp_path_factory.mktemp("life")
    whole, run = Run(folder / "whole"), Run(folder / "broken")
    for what, value in operations:
        if what in ("kill", "stop"):
            before = run.counters()
            getattr(run, what)()
            run = Run(folder / "broken", now=run.now)
            assert not run.restored.lost
            assert all(value >= before[key] for key, value in run.counters().items())
            assert run.counters().keys() == before.keys()
        else:
            apply(run, what, value)
            apply(whole, what, value)
    assert run.shown() == pytest.approx(whole.shown(), rel=1e-7)
    run.kill()
    whole.kill()
    shutil.rmtree(folder)


def life(path):
    """A folder with two snapshots and a journal behind them; what was last exposed."""
    run = Run(path)
    for round_ in range(3):
        for event in EVENTS[round_ * 12 : round_ * 12 + 12]:
            run.send(event)
            run.now += 1.0
        run.send(*[{"id": i, "label": 1} for i in range(round_ * 6)])
        if round_ < 2:
            run.ledger.save()
    exposed, now = run.counters(), run.now
    run.kill()
    return exposed, now


def keeps_the_promise(path, exposed, now):
    """No counter is slightly lower than it was: each is at least what it was, or began anew."""
    with alive(path, now=now) as again:
        found = again.counters()
        lower = {key for key, value in found.items() if value < exposed.get(key, 0.0)}
        assert all(found[key] == 0 for key in lower)
        assert again.restored.lost or not lower
        assert again.restored.lost or found.keys() == exposed.keys()
        # It goes on, and the next start finds nothing wrong.
        again.send({"id": "later", "score": 0.5})
        again.ledger.save()
    with alive(path, now=now) as third:
        assert not third.restored.lost
    return again


def files(path, kind):
    return sorted(path.glob(f"{kind}-*"))


@pytest.mark.parametrize("kind", ["journal", "snapshot"])
@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_damage_at_every_hundredth_byte(tmp_path, kind, damage):
    exposed, now = life(tmp_path / "whole")
    for which, file in enumerate(files(tmp_path / "whole", kind)):
        for place in range(0, file.stat().st_size, 100):
            path = tmp_path / f"{which}-{place}"
            shutil.copytree(tmp_path / "whole", path)
            content = bytearray(file.read_bytes())
            if damage == "cut":
                del content[place:]
            else:
                content[place] ^= 0x10
            (path / file.name).write_bytes(content)
            keeps_the_promise(path, exposed, now)
            aside = path / "damaged" / file.name
            if aside.exists():
                assert aside.read_bytes() == content
            shutil.rmtree(path)


@pytest.mark.parametrize("place", [1, 8, 100])
def test_what_was_torn_while_it_was_written_is_dropped_and_told(path, caplog, place):
    exposed, now = life(path)
    last = files(path, "journal")[-1]
    whole = last.read_bytes()
    last.write_bytes(
        whole + b"\x99\x03\x00\x00then the power went, in the middle of a record"[:place]
    )
    with alive(path, now=now) as again:
        assert not again.restored.lost
        assert all(again.counters()[key] >= value for key, value in exposed.items())
    assert f"last {min(place, 50)} bytes were torn" in caplog.text
    assert again.folder.damaged == 0


def test_a_damaged_snapshot_is_no_loss_while_the_one_before_is_whole(path):
    exposed, now = life(path)
    newest = files(path, "snapshot")[-1]
    newest.write_bytes(newest.read_bytes()[:-5])
    with alive(path, now=now) as again:
        assert not again.restored.lost
        assert again.folder.damaged == 1
        assert all(again.counters()[key] >= value for key, value in exposed.items())
    assert (path / "damaged" / newest.name).exists()


def test_a_damaged_file_that_cannot_be_moved_stays_and_the_start_goes_on(path, caplog):
    exposed, now = life(path)
    newest = files(path, "snapshot")[-1]
    newest.write_bytes(newest.read_bytes()[:-5])
    (path / "damaged").write_text("no folder can be made here")
    with alive(path, now=now) as again:
        assert not again.restored.lost
        assert again.folder.damaged == 1
        assert all(again.counters()[key] >= value for key, value in exposed.items())
    assert newest.exists()
    assert "stays where it is" in caplog.text


@pytest.mark.parametrize("after", [0, 1, 3, 8])
def test_a_start_that_is_told_to_stop_stops_and_leaves_the_disk_as_it_was(path, after):
    exposed, now = life(path)
    before = {file.name: file.read_bytes() for file in path.glob("*-*")}
    asked = count()
    folder = Folder(path, sync=False)
    monitor = Monitor(SETTINGS)
    ledger = Ledger(monitor, lambda: Moment(now, now), Disk(folder))
    with pytest.raises(Stopped):
        restore(ledger, monitor, folder, lambda: next(asked) >= after)
    folder.close()
    assert {file.name: file.read_bytes() for file in path.glob("*-*")} == before
    with alive(path, now=now) as again:
        assert all(again.counters()[key] >= value for key, value in exposed.items())


def test_after_a_loss_windows_and_joins_stay_and_counters_begin_anew(path):
    _, now = life(path)
    last = files(path, "journal")[-1]
    last.write_bytes(last.read_bytes()[:-5])
    with alive(path, now=now) as again:
        assert again.restored.lost
        assert not any(again.counters().values())
        shown = again.shown()
        about = ("model", "m"), ("version", "none"), ("window", "1h")
        assert shown["model_window_predictions", about] >= 24
        assert again.send({"id": 20, "label": 1}).duplicates == []
        assert again.shown()["model_labels_total", about[:2]] == 1


def test_a_missing_segment_is_a_loss(path):
    _, now = life(path)
    files(path, "journal")[-1].unlink()
    with alive(path, now=now) as again:
        assert again.restored.lost


def test_time_away_is_a_gap(path):
    run = Run(path)
    for event in EVENTS:
        run.send(event)
    run.stop()
    about = ("model", "m"), ("version", "none")
    with alive(path, now=START + 600) as again:
        shown = again.shown()
        assert shown["model_window_predictions", (*about, ("window", "1m"))] == 0
        assert shown["model_window_predictions", (*about, ("window", "1h"))] == 40
        assert shown["model_window_span_seconds", (*about, ("window", "1h"))] == 600
    with alive(path, now=START + 4000) as later:
        assert later.shown()["model_window_predictions", (*about, ("window", "1h"))] == 0
        assert later.shown()["model_predictions_total", about] == 40


def test_a_clock_that_was_set_back_an_hour_takes_no_time_away(path):
    run = Run(path)
    run.send(*EVENTS)
    run.now += 30.0
    run.send({"id": "late", "score": 0.5})
    run.stop()
    about = ("model", "m"), ("version", "none"), ("window", "1m")
    with alive(path, now=START - 3600) as again:
        assert again.now == START + 30.0
        assert again.shown()["model_window_predictions", about] == 41
        again.now += 45.0
        again.send({"id": "later", "score": 0.5})
        assert again.shown()["model_window_predictions", about] == 2


def test_what_expired_while_away_is_counted(path):
    short = replace(SETTINGS, join=JoinSettings(ttl=100.0, max_pending=1000))
    run = Run(path, short)
    run.send(*EVENTS, {"id": "x", "label": 1})
    run.stop()
    about = ("model", "m"), ("version", "none")
    with alive(path, short, now=START + 1000) as again:
        shown = again.shown()
        assert (
            shown["model_predictions_expired_total", (*about[:1], ("reason", "ttl"), about[1])]
            == 40
        )
        assert shown["model_labels_orphaned_total", about] == 1
        assert shown["model_pending_predictions", about] == 0


def test_other_settings_hold_from_the_restart_on(path):
    run = Run(path)
    run.send(*EVENTS)
    run.kill()
    other = replace(
        SETTINGS,
        windows=(WindowSpec("5m", 300.0),),
        join=JoinSettings(max_pending=5),
        models=(ModelSettings(name="m", threshold=0.9),),
    )
    with alive(path, other, now=run.now) as again:
        shown = again.shown()
        about = ("model", "m"), ("version", "none")
        # Done again under the old settings: a class would else be another than it was.
        assert shown["model_predicted_class_total", (about[0], ("predicted", "1"), about[1])] == 20
        assert shown["model_predictions_total", about] == 40
        assert shown["model_pending_predictions", about] == 5
        # Rows that are still kept raw are counted in any window.
        assert shown["model_window_predictions", (*about, ("window", "5m"))] == 40


def test_references_come_back_from_journal_and_snapshot(path):
    known = scenario.references()
    run = Run(path)
    run.ledger.refer("m", None, known["fraud"])
    run.ledger.refer("gone", None, known["price"])
    run.ledger.save()
    run.ledger.refer("gone", None, None)
    run.ledger.refer("price", "v1", known["price"])
    run.kill()
    with alive(path) as again:
        sent = again.monitor.models.references.sent
        assert set(sent) == {("m", None), ("price", "v1")}
        assert (sent["m", None].vector == known["fraud"].vector).all()
        again.send({"score": 0.5})
        (model,) = again.monitor.models
        assert model.reference is sent["m", None]


def test_first_events_that_were_gathered_are_not_gathered_anew(path):
    gathering = replace(
        SETTINGS,
        models=(ModelSettings(name="m", reference=ReferenceSettings(first=30)),),
    )
    run = Run(path, gathering)
    run.send(*EVENTS[:10])
    run.ledger.save()
    run.send(*EVENTS[10:20])
    run.kill()
    with alive(path, gathering) as again:
        (model,) = again.monitor.models
        assert model.first.rows == 20
        again.send(*EVENTS[20:30])
        assert model.first.full


def test_answers_are_given_again_after_a_kill(path):
    with alive(path) as run:
        first = run.send({"id": 1, "score": 0.5}, {"score": 7}, key=b"k")
        assert first.accepted == 1
        kept = run.ledger.answers.get(b"k", run.now)
    with alive(path, now=run.now) as again:
        assert again.ledger.answers.get(b"k", again.now) == kept
    with alive(path, now=run.now + 601) as late:
        assert late.ledger.answers.get(b"k", late.now) is None


def test_two_processes_do_not_share_a_folder(path):
    with alive(path), pytest.raises(InUse, match="in use by another"):
        Folder(path, sync=False)


def test_the_journal_is_cut_behind_the_snapshots(path):
    with alive(path) as run:
        for _ in range(6):
            run.send(*EVENTS)
            run.ledger.save()
        assert len(files(path, "snapshot")) == 2
        assert len(files(path, "journal")) == 2
        sizes = sum(one.stat().st_size for one in files(path, "journal"))
        assert run.folder.journal_bytes == sizes


def test_a_snapshot_is_due_by_size_and_by_time(path):
    with alive(path, most=40_000) as run:
        before = run.folder.snapshots()
        run.ledger.save_if_due()
        assert run.folder.snapshots() == before
        for _ in range(4):
            run.send(*EVENTS)
        run.ledger.save_if_due()
        assert len(run.folder.snapshots()) == 1
        run.send(*EVENTS[:1])
        run.now += 301.0
        run.ledger.save_if_due()
        assert len(run.folder.snapshots()) == 2


def test_without_a_journal_a_kill_loses_totals_and_a_stop_nothing(path):
    run = Run(path, journals=False)
    run.folder.go_beyond()
    run.send(*EVENTS)
    before = run.shown()
    run.stop()
    with alive(path, now=run.now, journals=False) as again:
        assert not again.restored.lost
        assert again.shown() == before
        again.folder.go_beyond()
        again.send({"id": "more", "score": 0.1})
    with alive(path, now=run.now, journals=False) as third:
        assert third.restored.lost
        assert not any(third.counters().values())


def test_bodies_that_were_counted_together_are_counted_together_again(path):
    """By itself the label would wait; beside the prediction it names a third class."""
    with alive(path) as run:
        bodies = [
            read("application/json", body, None)
            for body in (
                b'[{"model": "m", "version": "1"}, {"model": "m", "id": 0, "label": "a"}]',
                b'[{"model": "m", "version": "1", "score": 0.0, "label": 0}]',
            )
        ]
        outcomes = run.ledger.events(bodies, checked(bodies))
        assert [len(one.rejected) for one in outcomes] == [2, 0]
        before, rejected = run.shown(), dict(run.monitor.models.rejected)
    with alive(path, now=run.now) as again:
        assert again.shown() == before
        assert again.monitor.models.rejected == rejected


def test_what_expired_before_a_longer_time_to_live_stays_expired(path):
    short = replace(SETTINGS, join=JoinSettings(ttl=100.0, max_pending=1000))
    about = ("model", "m"), ("reason", "ttl"), ("version", "none")
    with alive(path, short) as run:
        run.send(*EVENTS)
        run.now += 97.0
        run.send({"score": 0.5})
        run.now += 4.0
        run.monitor.tick(run.now)
        assert run.shown()["model_predictions_expired_total", about] == 40
        run.ledger.configure(replace(SETTINGS, join=JoinSettings(ttl=9999.0)), {})
    with alive(path, now=run.now) as again:
        assert again.shown()["model_predictions_expired_total", about] == 40


def test_a_bound_that_is_lower_since_a_start_holds_when_that_life_is_done_again(path):
    with alive(path) as run:
        run.send(*EVENTS)
        run.ledger.save()
    few = replace(SETTINGS, join=JoinSettings(max_pending=5))
    with alive(path, few, now=run.now) as second:
        second.send(*[{"id": f"more {i}", "score": 0.5} for i in range(5)])
        second.send({"id": 39, "label": 1})
        before = second.counters()
    with alive(path, few, now=run.now) as third:
        for key, value in before.items():
            assert value <= third.counters()[key] <= value * (1 + 1e-7), key


def test_starts_that_no_snapshot_follows_raise_sums_each_time(path):
    """What a life adds comes on top of what was raised at its start."""
    with alive(path) as run:
        for i in range(200):
            run.send({"id": i, "score": 0.1 + i / 1000, "latency_seconds": 0.1 * i})
            run.now += 0.01
    for life in range(4):
        with alive(path, now=run.now) as run:
            before = run.counters()
            for i in range(20):
                run.send({"id": f"{life} {i}", "score": 1e-7, "latency_seconds": 1e-7 * i})
                before = {key: max(value, before[key]) for key, value in run.counters().items()}
        with alive(path, now=run.now) as run:
            assert all(run.counters()[key] >= value for key, value in before.items())
            higher = "model_prediction_latency_seconds_sum", (("model", "m"), ("version", "none"))
            assert run.counters()[higher] > before[higher] * (1 + 5e-10)


def test_minutes_away_are_no_minutes_without_requests(path):
    """A series that knew them would take every restart for a fall in traffic."""
    with alive(path) as run:
        for _ in range(180):
            run.send({"score": 0.5})
            run.now += 1.0
            run.monitor.tick(run.now)
        (model,) = run.monitor.models
        known = model.anomalies.dump()["request_rate"]["baseline"]["sums"][:, 0].sum()
        assert known >= 1
    with alive(path, now=run.now + 600) as again:
        for _ in range(130):
            again.send({"score": 0.5})
            again.now += 1.0
            again.monitor.tick(again.now)
        (model,) = again.monitor.models
        sums = model.anomalies.dump()["request_rate"]["baseline"]["sums"]
        assert known < sums[:, 0].sum() <= known + 2
    with alive(path, now=again.now + 600) as third:
        (model,) = third.monitor.models
        assert model.anomalies.dump()["request_rate"]["baseline"]["sums"].tolist() == sums.tolist()


def test_a_loss_is_known_at_the_next_start_too(path):
    """The process may be killed before it has saved anew."""
    _, now = life(path)
    for one in files(path, "snapshot"):
        one.write_bytes(one.read_bytes()[:-5])
    for _ in range(2):
        with alive(path, now=now) as again:
            assert again.restored.lost
            assert not any(again.counters().values())


def test_a_snapshot_of_a_life_without_a_journal_is_followed_by_one(path):
    run = Run(path, journals=False)
    run.send(*EVENTS[:10])
    run.stop()
    with alive(path, now=run.now) as second:
        second.send(*EVENTS[10:])
        before = second.shown()
    with alive(path, now=run.now) as third:
        assert not third.restored.lost
        assert third.shown() == pytest.approx(before, rel=1e-7)


def test_where_the_disk_is_not_waited_for_a_loss_of_power_is_a_loss(path, monkeypatch):
    """All that is there may be whole, and yet older than what was exposed."""
    with alive(path) as run:
        run.send(*EVENTS)
    monkeypatch.setattr("exporter.store.folder.this_boot", lambda: 7)
    run = Run(path, now=run.now)
    assert run.restored.lost
    assert not any(run.counters().values())
    run.ledger.save()
    run.send({"id": "more", "score": 0.5})
    before = run.shown()
    run.stop()
    monkeypatch.setattr("exporter.store.folder.this_boot", lambda: 8)
    with alive(path, now=run.now) as third:
        assert not third.restored.lost
        assert third.shown() == before


def test_a_model_that_was_idle_is_not_forgotten_with_the_event_that_ends_it(path):
    """The event waits for the disk while somebody looks for idle models."""
    with alive(path) as run:
        run.send({"score": 0.5})
        run.now += SETTINGS.model_ttl + 1
        looking, append = [], run.folder.append

        def slow(records):
            run.folder.append = append
            thread = threading.Thread(target=run.ledger.forget_idle)
            thread.start()
            thread.join(0.2)
            looking.append(thread)
            append(records)

        run.folder.append = slow
        run.send({"score": 0.5})
        looking[0].join(30)
        (model,) = run.monitor.models
        assert model.counts.life(run.now)["predictions"][0] == 2
        run.now += SETTINGS.model_ttl + 1
        run.ledger.forget_idle()
        assert not len(run.monitor.models)
    with alive(path, now=run.now) as again:
        assert not len(again.monitor.models)


def test_what_expires_with_a_change_expires_with_it_again(path):
    """A label without a version is told at the version that was the latest then."""
    with alive(path) as run:
        for version in "12":
            run.send({"version": version, "id": version, "score": 0.5})
        run.send({"id": "early", "label": 1})
        run.now += 50.0
        run.ledger.configure(replace(SETTINGS, join=JoinSettings(ttl=30.0)), {})
        run.ledger.forget("m", "2")
        run.monitor.tick(run.now)
        before = run.counters()
    with alive(path, run.monitor.settings, now=run.now) as again:
        found = again.counters()
        assert {key: value for key, value in before.items() if found[key] < value} == {}


def test_rows_without_features_stay_so_whatever_they_are_put_together_with():
    """When rows are folded must not matter: it differs when they are counted again."""
    rows = [Predictions(1), Predictions(1, features={"x": [1.0]})]
    more = Predictions(1, features={"x": [1.0], "z": [2.0]})
    assert concat([concat(rows), more]).features == concat([*rows, more]).features
