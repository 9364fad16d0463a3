"""Tasks, classes and the positive class: from the first prediction on."""

import math

import pytest

from tests.engine.support import configured, faults, monitor, only, send, value

INFERRED = [
    ({"scores": {"cat": 0.6, "dog": 0.4}}, "multiclass"),
    ({"scores": {"cat": 0.6, "dog": 0.4}, "prediction": "dog"}, "multiclass"),
    ({"score": 0.3}, "binary"),
    ({"score": 0.3, "prediction": 1}, "binary"),
    ({"prediction": "cat"}, "binary"),
    ({"prediction": True}, "binary"),
    ({"prediction": 1}, "regression"),
    ({"prediction": 2.5}, "regression"),
    ({"prediction": 2, "task": "multiclass"}, "multiclass"),
    ({"prediction": 1, "task": "binary"}, "binary"),
    ({"prediction": 7, "label": "cat", "task": "binary"}, "binary"),
]


@pytest.mark.parametrize(("event", "task"), INFERRED)
def test_the_first_prediction_sets_the_task(event, task):
    fed = monitor()
    assert send(fed, event).accepted == 1
    assert only(fed).known.task == task
    assert value(fed, "model_info", task=task) == 1


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_a_configured_task_stands(task):
    fed = monitor(configured(task=task))
    send(fed, {"prediction": 1})
    assert only(fed).known.task == task


@pytest.mark.parametrize("label", ["cat", 1.5, True])
def test_labels_alone_never_set_it(label):
    fed = monitor()
    send(fed, {"version": "v1", "id": "a", "label": label, "task": "binary"})
    assert only(fed).known.task is None


CONTRADICTIONS = [
    ({"prediction": 1.5}, {"prediction": "cat"}, "task"),
    ({"prediction": 1.5}, {"prediction": True}, "task"),
    ({"prediction": 1.5}, {"score": 0.5}, "task"),
    ({"prediction": 1.5}, {"scores": {"a": 1.0}}, "task"),
    ({"prediction": 1.5}, {"prediction": 1.0, "label": "cat"}, "task"),
    ({"prediction": 1.5}, {"id": "a", "version": "none", "label": "cat"}, "task"),
    ({"prediction": 1.5}, {"prediction": 1.5, "task": "binary"}, "task"),
    ({"score": 0.5}, {"scores": {"a": 1.0}}, "task"),
    ({"score": 0.5}, {"score": 0.5, "task": "multiclass"}, "task"),
    ({"score": 0.5}, {"score": 0.5, "prediction": "2"}, "task"),
    ({"score": 0.5}, {"score": 0.5, "label": "2"}, "label"),
    ({"score": 0.5}, {"id": "a", "version": "none", "label": "no"}, "label"),
    ({"score": 0.5}, {"id": "a", "label": "no"}, "label"),
    ({"scores": {"a": 1.0}}, {"score": 0.5}, "task"),
    ({"scores": {"a": 1.0}}, {"prediction": "a", "task": "regression"}, "task"),
    ({"prediction": "a", "task": "binary", "label": "b"}, {"prediction": "c"}, "task"),
]


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize(("first", "second", "field"), CONTRADICTIONS)
def test_what_contradicts_the_task_is_rejected(first, second, field, apart):
    fed = monitor()
    if apart:
        send(fed, first)
        outcome, place = send(fed, second), 0
    else:
        outcome, place = send(fed, first, second), 1
    assert faults(outcome) == [(place, field)]
    assert value(fed, "model_predictions_total") == 1


def test_the_message_names_what_to_configure():
    fed = monitor()
    outcome = send(fed, {"score": 0.5}, {"score": 0.5, "label": "fraud"})
    error = outcome.rejected[0].error
    assert "'fraud'" in error
    assert "'0' and '1'" in error
    assert "positive_class" in error


def test_classes_are_equal_however_they_are_sent():
    fed = monitor()
    for one in (1, 1.0, "1", True):
        for zero in (0, 0.0, "0", False):
            send(fed, {"score": 0.9, "prediction": one, "label": zero})
            send(fed, {"score": 0.1, "prediction": zero, "label": one})
    assert only(fed).known.schema.classes == ("1", "0")
    assert value(fed, "model_confusion_total", actual="0", predicted="1") == 16
    assert value(fed, "model_confusion_total", actual="1", predicted="0") == 16
    assert value(fed, "model_confusion_total", actual="1", predicted="1") == 0


def test_a_third_class_makes_a_classifier_without_scores_multiclass():
    fed = monitor()
    send(fed, {"prediction": "a", "label": "b"}, {"prediction": "b", "label": "b"})
    assert value(fed, "model_info", task="binary") == 1
    outcome = send(fed, {"prediction": "c", "label": "a"}, {"prediction": "a", "label": "c"})
    assert outcome.accepted == 2
    assert value(fed, "model_info", task="multiclass") == 1
    assert value(fed, "model_confusion_total", actual="b", predicted="b") == 1
    assert value(fed, "model_confusion_total", actual="a", predicted="c") == 1
    assert value(fed, "model_accuracy_ratio") == 0.25


def test_a_third_class_as_a_label_does_so_too_and_in_the_same_batch():
    fed = monitor()
    outcome = send(fed, *({"prediction": "a", "label": label} for label in "abcd"))
    assert outcome.accepted == 4
    assert value(fed, "model_info", task="multiclass") == 1
    assert value(fed, "model_labels_total") == 4


@pytest.mark.parametrize("closed", [{"classes": ("a", "b")}, {"task": "binary"}])
def test_a_model_that_is_configured_as_binary_stays_so(closed):
    fed = monitor(configured(**closed))
    send(fed, {"prediction": "a"}, {"prediction": "b"})
    assert faults(send(fed, {"prediction": "c"})) == [(0, "task")]


POSITIVE = [
    ({"positive_class": "no"}, [{"prediction": "yes", "score": 0.9}, {"prediction": "no"}], "no"),
    ({}, [{"prediction": "0", "score": 0.9}, {"prediction": "1"}], "1"),
    ({}, [{"prediction": "no", "score": 0.2}, {"prediction": "yes", "score": 0.5}], "yes"),
    ({"threshold": 0.7}, [{"prediction": "no", "score": 0.6}], None),
    ({"threshold": 0.7}, [{"prediction": "yes", "score": 0.7}], "yes"),
    ({}, [{"prediction": "yes"}, {"prediction": "no"}], None),
    ({}, [{"score": 0.1}], "1"),
]


@pytest.mark.parametrize(("settings", "events", "positive"), POSITIVE)
def test_the_positive_class(settings, events, positive):
    fed = monitor(configured(**settings))
    send(fed, *events)
    assert only(fed).known.schema.positive == positive


def test_without_a_positive_class_what_needs_it_has_no_series():
    fed = monitor()
    send(fed, *({"prediction": p, "label": q} for p in ("yes", "no") for q in ("yes", "no")))
    assert value(fed, "model_accuracy_ratio") == 0.5
    assert value(fed, "model_balanced_accuracy_ratio") == 0.5
    assert value(fed, "model_matthews_correlation") == 0
    for name in ("precision", "recall", "specificity", "f1"):
        assert value(fed, f"model_{name}_ratio") is None


def test_a_score_alone_predicts_from_the_threshold_on():
    fed = monitor(configured(threshold=0.7))
    send(fed, *({"score": score} for score in (0.0, 0.69, 0.7, 1.0)))
    assert value(fed, "model_predicted_class_total", predicted="1") == 2
    assert value(fed, "model_predicted_class_total", predicted="0") == 2


def test_a_score_alone_predicts_the_configured_pair():
    fed = monitor(configured(positive_class="fraud", classes=("legit", "fraud")))
    outcome = send(fed, {"score": 0.9, "label": "fraud"}, {"score": 0.1, "label": "legit"})
    assert outcome.accepted == 2
    assert value(fed, "model_accuracy_ratio") == 1
    assert value(fed, "model_predicted_class_total", predicted="fraud") == 1


def test_scores_without_prediction_join_the_classes_that_are_known():
    fed = monitor()
    send(fed, {"prediction": "yes", "score": 0.9, "label": "no"})
    outcome = send(fed, {"score": 0.1, "label": "no"}, {"score": 0.6, "label": "yes"})
    assert outcome.accepted == 2
    assert only(fed).known.schema.classes == ("yes", "no")
    assert only(fed).known.schema.positive == "yes"
    assert value(fed, "model_confusion_total", actual="no", predicted="no") == 1
    assert value(fed, "model_confusion_total", actual="yes", predicted="yes") == 1


def test_a_score_alone_of_a_model_with_other_classes_names_what_to_configure():
    fed = monitor()
    outcome = send(fed, {"prediction": "yes", "score": 0.9}, {"score": 0.1}, {"score": 0.7})
    assert faults(outcome) == [(1, "score"), (2, "score")]
    assert "positive_class" in outcome.rejected[0].error
    assert only(fed).known.schema.classes == ("yes",)


def test_the_highest_probability_is_the_prediction():
    fed = monitor()
    send(fed, {"scores": {"cat": 0.2, "dog": 0.7, "cow": 0.1}, "label": "dog"})
    send(fed, {"scores": {"cat": 0.9, "dog": 0.1}, "prediction": "dog", "label": "dog"})
    assert value(fed, "model_confusion_total", actual="dog", predicted="dog") == 2
    assert value(fed, "model_predicted_class_total", predicted="cow") == 0


def test_classes_over_the_bound_share_one_and_are_told_apart_for_correctness():
    fed = monitor()
    names = [f"c{number}" for number in range(150)]
    send(fed, {"task": "multiclass", "prediction": "c0"})
    send(fed, *({"id": name, "prediction": name} for name in names))
    send(fed, *({"id": name, "label": name} for name in names[:120]))
    send(fed, *({"id": n, "label": names[k - 1]} for k, n in enumerate(names) if k >= 120))
    schema = only(fed).known.schema
    assert len(schema.classes) == 101
    assert schema.classes[100] == "__other__"
    other = {"actual": "__other__", "predicted": "__other__"}
    assert value(fed, "model_confusion_total", **other) == 50
    assert value(fed, "model_accuracy_ratio") == 120 / 150
    # 50 predictions and 50 labels.
    assert fed.models.over_by_reason()["max_classes"] == 100


def test_an_event_with_prediction_and_label_over_the_bound_is_counted_once():
    fed = monitor()
    send(
        fed, *({"task": "multiclass", "prediction": f"c{n}", "label": f"c{n}"} for n in range(130))
    )
    send(fed, {"prediction": "c0", "label": "c129"}, {"prediction": "c129", "label": "c0"})
    assert fed.models.over_by_reason()["max_classes"] == 32


def test_scores_of_classes_over_the_bound_are_summed():
    fed = monitor()
    send(fed, {"scores": {f"c{number}": 1 / 150 for number in range(150)}, "label": "c149"})
    assert value(fed, "model_log_loss") == pytest.approx(-math.log(50 / 150))
    assert value(fed, "model_labels_total") == 1


def test_models_of_all_tasks_in_one_body_do_not_disturb_each_other():
    fed = monitor()
    events = [
        {"model": "score", "score": 0.9, "label": 1},
        {"model": "scores", "scores": {"cat": 0.6, "dog": 0.4}, "label": "dog"},
        {"model": "class", "prediction": "yes", "label": "no"},
        {"model": "number", "prediction": 2.5, "label": 2.0, "task": "regression"},
    ]
    assert send(fed, *events, *events[::-1]).accepted == 8
    known = {model.name: model.known.schema.classes for model in fed.models}
    assert known["score"] == ("0", "1")
    assert known["scores"] == ("cat", "dog")
    assert known["class"] == ("yes", "no")
    assert [model.known.task for model in fed.models] == [
        "binary", "multiclass", "binary", "regression"
    ]  # fmt: skip
    assert value(fed, "model_accuracy_ratio", model="score") == 1
    assert value(fed, "model_accuracy_ratio", model="scores") == 0
