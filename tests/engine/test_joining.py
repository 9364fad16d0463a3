"""Labels and predictions through the whole way in: repeats, stand-ins, orphans and times."""

import pytest

from exporter.config import LabelSettings
from tests.engine.support import (
    WALL,
    configured,
    faults,
    monitor,
    only,
    samples,
    send,
    value,
    version,
)

YES = {"version": "v1", "id": "a", "prediction": "yes"}


def test_an_event_with_both_and_no_id_counts_at_once():
    fed = monitor()
    outcome = send(fed, {"prediction": "yes", "label": "no"}, {"prediction": "yes", "label": "no"})
    assert (outcome.accepted, len(outcome.duplicates)) == (2, 0)
    assert value(fed, "model_labels_total") == 2
    assert value(fed, "model_pending_predictions") == 0
    assert fed.models.store.table.used == 0


def test_repeats_are_counted_and_ignored():
    fed = monitor()
    first = send(fed, YES, YES)
    second = send(fed, YES, {"id": "a", "label": "yes"}, {"id": "a", "label": "yes"})
    assert (first.accepted, first.duplicates) == (1, [1])
    assert (second.accepted, second.duplicates) == (1, [0, 2])
    assert value(fed, "model_events_duplicate_total") == 3
    assert value(fed, "model_predictions_total") == value(fed, "model_labels_total") == 1


def test_a_repeat_that_brings_the_first_label_joins():
    fed = monitor()
    send(fed, YES)
    outcome = send(fed, {**YES, "label": "no"})
    assert (outcome.accepted, len(outcome.duplicates)) == (1, 0)
    assert value(fed, "model_predictions_total") == value(fed, "model_labels_total") == 1
    assert send(fed, {**YES, "label": "no"}).duplicates == [0]


def test_ids_are_equal_as_integers_and_as_strings():
    fed = monitor()
    send(fed, {"id": 7, "prediction": "yes"}, {"id": "7", "label": "yes"})
    assert value(fed, "model_labels_total") == 1


def test_without_joining_ids_are_not_kept_and_lone_labels_rejected():
    fed = monitor(configured(join=False))
    send(fed, YES, YES, {**YES, "label": "yes"})
    outcome = send(fed, {"id": "a", "label": "yes"}, {"version": "v1", "id": "a", "label": "yes"})
    assert faults(outcome) == [(0, "label"), (1, "label")]
    assert value(fed, "model_predictions_total") == 3
    assert value(fed, "model_labels_total") == 1
    assert value(fed, "model_pending_predictions") == fed.models.store.table.used == 0


def test_a_label_without_version_joins_every_version_that_predicted():
    fed = monitor()
    send(
        fed, YES, {**YES, "version": "v2", "prediction": "no"}, {**YES, "version": "v3", "id": "b"}
    )
    outcome = send(fed, {"id": "a", "label": "yes"})
    assert outcome.accepted == 1
    cell = {"actual": "yes", "predicted": "yes"}
    assert value(fed, "model_confusion_total", version="v1", **cell) == 1
    assert value(fed, "model_confusion_total", version="v2", actual="yes", predicted="no") == 1
    assert value(fed, "model_labels_total", version="v3") == 0
    send(fed, {**YES, "version": "v4"})
    assert value(fed, "model_confusion_total", version="v4", **cell) == 1


def test_a_label_that_comes_first_is_told_at_a_stand_in():
    fed = monitor()
    send(fed, {"id": "a", "label": "yes"}, {"id": "b", "label": "yes"})
    assert value(fed, "model_pending_labels", version="none") == 2
    assert value(fed, "model_predictions_total") is None
    send(fed, YES)
    assert [m.version for m in fed.models.versions("m")] == ["v1"]
    assert value(fed, "model_pending_labels", version="v1") == 1
    assert value(fed, "model_labels_total", version="v1") == 1


def test_a_label_is_only_told_where_its_model_is_and_keeps_the_task_open():
    fed = monitor()
    send(fed, {"id": "a", "label": 3.5})
    assert value(fed, "model_info") is None
    send(fed, {"id": "a", "prediction": 3.0})
    assert value(fed, "model_info", task="regression") == 1
    assert value(fed, "model_absolute_error_total") == 0.5


@pytest.mark.parametrize("bad", ["three", True])
def test_a_label_that_contradicts_the_task_it_meets_has_waited_in_vain(bad):
    fed = monitor()
    send(fed, {"version": "v1", "id": "a", "label": bad}, {"id": "b", "label": bad})
    outcome = send(fed, *({"version": "v1", "id": key, "prediction": 1.5} for key in "ab"))
    assert (outcome.accepted, outcome.rejected) == (2, [])
    assert value(fed, "model_labels_orphaned_total", version="v1") == 2
    assert value(fed, "model_labels_total", version="v1") == 0


def test_a_label_for_versions_of_different_tasks_counts_where_it_fits():
    fed = monitor()
    send(fed, {"version": "number", "id": "a", "prediction": 1.5})
    send(fed, {"version": "class", "id": "a", "prediction": "cat"})
    outcome = send(fed, {"id": "a", "label": "cat"})
    assert outcome.accepted == 1
    assert value(fed, "model_labels_total", version="class") == 1
    assert value(fed, "model_labels_total", version="number") == 0
    assert value(fed, "model_labels_orphaned_total", version="number") == 1
    assert value(fed, "model_pending_predictions", version="number") == 0


def test_a_label_for_another_version_leaves_a_binary_model_two_classes():
    fed = monitor()
    send(fed, {"version": "two", "id": "a", "score": 0.7})
    send(fed, {"version": "many", "id": "a", "scores": {"cat": 0.6, "dog": 0.4}})
    send(fed, {"id": "a", "label": "cat"})
    assert version(fed, "two").known.schema.classes == ("0", "1")
    assert value(fed, "model_labels_total", version="two") == 0
    assert value(fed, "model_labels_total", version="many") == 1


def test_a_label_for_another_version_leaves_a_models_task_as_it_is():
    fed = monitor()
    send(fed, {"version": "v1", "id": "a", "prediction": "cat", "label": "dog"})
    send(fed, {"version": "v2", "id": "b", "prediction": "cat"})
    send(fed, {"id": "b", "label": "bird"}, {"id": "b", "label": "cow"})
    assert version(fed, "v1").known.task == "binary"
    assert version(fed, "v1").known.schema.classes == ("cat", "dog")


def test_orphans_never_fall_and_stay_where_they_were_told():
    fed = monitor(ttl=10.0)
    send(fed, YES, {"id": "lost", "label": "yes"})
    fed.tick(20.0)
    told = {"version": "v1"}
    assert value(fed, "model_labels_orphaned_total", now=20.0, **told) == 1
    send(fed, {**YES, "version": "v2", "id": "b"}, {"id": "lost too", "label": "yes"}, now=21.0)
    fed.tick(40.0)
    assert value(fed, "model_labels_orphaned_total", now=40.0, **told) == 1
    assert value(fed, "model_labels_orphaned_total", now=40.0, version="v2") == 1


def test_expiry_has_its_reason():
    fed = monitor(ttl=10.0, max_pending=3)
    send(fed, *({**YES, "id": key} for key in "abcde"))
    fed.tick(20.0)
    assert value(fed, "model_predictions_expired_total", 20.0, reason="capacity") == 2
    assert value(fed, "model_predictions_expired_total", 20.0, reason="ttl") == 3
    assert value(fed, "model_pending_predictions", 20.0) == 0


def delays(of):
    return value(of, "model_label_delay_seconds_sum"), value(of, "model_label_delay_seconds_count")


def test_the_delay_is_from_one_time_stamp_to_the_other_never_negative():
    fed = monitor()
    send(fed, {**YES, "ts": WALL - 100}, {"version": "v1", "id": "a", "label": "yes", "ts": WALL})
    assert delays(fed) == (100.0, 1)
    send(fed, {**YES, "id": "b", "ts": WALL}, {"id": "b", "label": "yes", "ts": WALL - 50})
    assert delays(fed) == (100.0, 2)
    send(fed, {"id": "c", "label": "yes", "ts": WALL - 60}, {**YES, "id": "c", "ts": WALL - 70})
    assert delays(fed) == (110.0, 3)


def test_times_far_ahead_are_clamped_and_counted_and_milliseconds_rejected():
    fed = monitor()
    outcome = send(
        fed,
        {**YES, "ts": WALL + 299},
        {**YES, "id": "b", "ts": WALL + 301},
        {**YES, "id": "c", "ts": WALL * 1000},
        {**YES, "id": "d", "ts": "2031-01-01T00:00:00Z"},
    )
    assert faults(outcome) == [(2, "ts")]
    assert "milliseconds" in outcome.rejected[0].error
    assert fed.models.clamped == 2
    send(fed, {"id": "b", "label": "yes", "ts": WALL + 10})
    assert delays(fed) == (10.0, 1)


def test_deleting_frees_one_version_or_all():
    fed = monitor()
    send(fed, YES, {**YES, "version": "v2"}, {"id": "lost", "label": "yes"})
    assert fed.delete("m", "v2") == 1
    assert [m.version for m in fed.models.versions("m")] == ["v1"]
    assert value(fed, "model_pending_labels", version="v1") == 1
    assert fed.delete("m", "v9") == 0
    assert fed.delete("m") == 1
    assert fed.models.store.table.used == 0
    assert samples(fed) == {}
    send(fed, YES)
    assert value(fed, "model_predictions_total") == 1


def test_the_settings_of_a_model_follow_a_reload():
    fed = monitor(configured())
    send(fed, YES, {**YES, "label": "yes"})
    settings = monitor(configured(team="risk", labels=LabelSettings(revise=True))).settings
    fed.configure(settings, 1.0)
    send(fed, {"version": "v1", "id": "a", "label": "no"}, now=1.0)
    assert value(fed, "model_info", 1.0, team="risk") == 1
    assert value(fed, "model_confusion_total", 1.0, actual="no", predicted="yes") == 1
    assert only(fed).settings.labels.revise


@pytest.mark.timeout(30)
def test_a_large_body_sent_again_is_all_repeats():
    """A retry of labelled predictions costs what the first try did, not its square."""
    to = monitor(max_pending=400_000)
    events = [{"id": str(i), "score": 0.5, "label": 1} for i in range(150_000)]
    assert send(to, *events).accepted == len(events)
    again = send(to, *events)
    assert (again.accepted, len(again.duplicates)) == (0, len(events))
