"""Estimated quality of a binary model: beside NannyML, beside raw data, and beside the truth."""

import csv
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk
from sklearn.isotonic import IsotonicRegression

from exporter.config import ModelSettings
from exporter.edges import score_edges
from exporter.ingest import decode
from exporter.ingest.columns import check
from exporter.reference.build import build
from exporter.reference.calibration import calibrated
from exporter.rows import Labels, Predictions
from exporter.schema import Schema
from tests.metrics.build import estimate, show, window

STREAMS = Path(__file__).parents[1] / "data" / "streams"
with (STREAMS / "nannyml_chunks.csv").open() as lines:
    CHUNKS = list(csv.DictReader(lines))
METRICS = ("accuracy", "precision", "recall", "f1", "roc_auc")
NEAR = {"accuracy": 0.001, "roc_auc": 0.003, "f1": 0.003}
"""Largest mean error against an estimate from raw data."""
NEVER = {"accuracy": 0.004, "roc_auc": 0.012, "f1": 0.012}
each_stream = pytest.mark.parametrize("stream", ["carloan", "housing"])


def columns(stream, part):
    table = pq.read_table(STREAMS / stream / f"{part}.parquet", columns=["y_true", "p_a", "pred_a"])
    return [table[name].to_numpy() for name in ("y_true", "p_a", "pred_a")]


@cache
def reference(stream):
    """The reference of a stream, built from its events."""
    label, score, predicted = columns(stream, "reference")
    fields = {"score": score, "prediction": predicted, "label": label}
    body = {"model": stream, "columns": {name: column.tolist() for name, column in fields.items()}}
    return built(body)


def built(body):
    checked, rejected = check(decode("application/json", msgspec.json.encode(body)))
    assert not rejected
    return build(checked, ModelSettings(name=body["model"]))[0]


def counted(schema, label, score, predicted):
    """The window of events under the schema of a reference; codes are those of its classes."""
    codes = np.array([schema.codes["0"], schema.codes["1"]])
    label, predicted = codes[label.astype(int)], codes[predicted.astype(int)]
    size = len(label)
    return window(
        schema,
        Predictions(size, code=predicted, value=score),
        Labels(size, code=predicted, label=label, correct=predicted == label, value=score),
    )


def errors(stream, part):
    """Ours less NannyML's, by metric, chunk by chunk; NaN where there is none."""
    schema = reference(stream).schema
    chunks = [one for one in CHUNKS if (one["stream"], one["part"]) == (stream, part)]
    raw = columns(stream, part)
    found = {name: [] for kind in ("estimated", "realised") for name in kinds(kind)}
    for chunk in chunks:
        rows = slice(int(chunk["first"]), int(chunk["last"]) + 1)
        shown = counted(schema, *(column[rows] for column in raw))
        for name, values in found.items():
            ours = show(shown, f"{name.removeprefix('realised_')}_ratio")
            theirs = float(chunk[name]) if chunk[name] else np.nan
            assert ours is not None or not theirs > 0
            values.append(np.nan if ours is None else ours - theirs)
    return {name: np.abs(values) for name, values in found.items()}


def kinds(kind):
    return [f"{kind}_{name}" for name in METRICS]


def test_all_chunks_are_there():
    assert len(CHUNKS) == 41


@each_stream
@pytest.mark.parametrize("part", ["reference", "analysis"])
def test_estimates_are_nannymls(stream, part):
    found = errors(stream, part)
    for name, near in NEAR.items():
        assert np.nanmean(found[f"estimated_{name}"]) < near
        assert np.nanmax(found[f"estimated_{name}"]) < NEVER[name]
    for name in kinds("estimated"):
        # The scores have two decimals, and each has a bin of its own: the same to all digits.
        assert np.nanmax(found[name]) < 1e-6
    for name in kinds("realised"):
        within = 0.003 if name == "realised_roc_auc" else 1e-6
        assert np.nanmax(found[name]) < within


@each_stream
def test_a_constant_would_not_do(stream):
    """Not even the best one: the answers differ more from chunk to chunk than ours from theirs."""
    for name, near in NEAR.items():
        answers = [float(c[f"estimated_{name}"]) for c in CHUNKS if c["stream"] == stream]
        off = np.abs(answers - np.median(answers))
        if (stream, name) == ("carloan", "roc_auc"):
            # Its expected AUC hardly moves; the mean of other estimates is far from it, though.
            assert off.max() < NEVER[name]
            continue
        assert off.mean() >= near or off.max() >= NEVER[name], (stream, name)


# Scores of many digits share bins: the streams above cannot show what that costs.
TRUTHS = {
    "overconfident": lambda s: 1 / (1 + np.exp(-0.5 * np.log(s / (1 - s)))),
    "timid": lambda s: 1 / (1 + np.exp(-2.5 * np.log(s / (1 - s)))),
    "shifted": lambda s: s**2,
    "rare": lambda s: 0.05 * s,
    "calibrated": lambda s: s,
    "steps": lambda s: np.where(s < 0.3, 0.1, np.where(s < 0.6, 0.45, 0.9)),
}
SHAPES = {"even": (1, 1), "middle": (4, 5), "ends": (0.4, 0.5), "low": (1, 12)}


def drawn(rng, shape, truth, size):
    score = np.clip(rng.beta(*shape, size), 1e-9, 1 - 1e-9)
    return (rng.random(size) < truth(score)).astype(int), score, (score >= 0.5).astype(int)


def learned(label, score):
    schema = Schema("binary", ("0", "1"), "1", score_edges=score_edges(score, 0.5))
    rows = Labels(len(label), code=label, label=label, value=score)
    return calibrated(schema, rows)


def of_raw(probability, score, predicted):
    """The estimates from raw scores, event by event."""
    tp, fp = probability[predicted == 1].sum(), (1 - probability)[predicted == 1].sum()
    fn, tn = probability[predicted == 0].sum(), (1 - probability)[predicted == 0].sum()
    kind = np.repeat([1, 0], len(score))
    weight = np.concatenate([probability, 1 - probability])
    return {
        "accuracy": (tp + tn) / len(score),
        "f1": 2 * tp / (2 * tp + fp + fn),
        "roc_auc": sk.roc_auc_score(kind, np.tile(score, 2), sample_weight=weight),
    }


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_bins_cost_little(truth, shape):
    """Against isotonic regression on raw scores, chunk by chunk, of this mix and of others."""
    rng = np.random.default_rng(5)
    label, score, _ = drawn(rng, shape, truth, 20_000)
    schema = learned(label, score)
    twin = IsotonicRegression(out_of_bounds="clip").fit(score, label)
    off = {name: [] for name in NEAR}
    for mix in (0.7, 1.0, 1.3):
        for _ in range(4):
            live = drawn(rng, (shape[0] * mix, shape[1] / mix), truth, 3000)
            shown = counted(schema, *live)
            for name, theirs in of_raw(twin.predict(live[1]), live[1], live[2]).items():
                ours = show(shown, f"estimated_{name}_ratio")
                if live[2].sum() >= 30 or name != "f1":
                    off[name].append(abs(ours - theirs))
    for name, values in off.items():
        assert np.mean(values or 0) < NEAR[name], (name, values)
        assert np.max(values or 0) < NEVER[name], (name, values)


@pytest.mark.parametrize("truth", TRUTHS.values(), ids=TRUTHS)
def test_estimates_hold_while_scores_keep_their_meaning(truth):
    """Of another mix of scores, within sampling error of what labels then say."""
    rng = np.random.default_rng(7)
    label, score, _ = drawn(rng, (1, 1.5), truth, 100_000)
    schema = learned(label, score)
    live = drawn(rng, (2, 1), truth, 50_000)
    shown = counted(schema, *live)
    accuracy = show(shown, "accuracy_ratio")
    error = np.sqrt(accuracy * (1 - accuracy) * (1 / 50_000 + 1 / 100_000))
    assert abs(show(shown, "estimated_accuracy_ratio") - accuracy) < 4 * error + 0.002
    for name in ("precision", "recall", "f1", "roc_auc"):
        realised = show(shown, f"{name}_ratio")
        assert show(shown, f"estimated_{name}_ratio") == pytest.approx(realised, abs=0.02)
    gap = estimate(shown, "estimated_accuracy_gap_ratio")
    assert gap.value == pytest.approx(show(shown, "estimated_accuracy_ratio") - accuracy, abs=1e-9)
    assert abs(gap.value) < 4 * error + 0.002


def test_the_gap_shows_concept_drift():
    """Labels of the same scores turn: the estimate stays, wrongly, and the gap tells."""
    rng = np.random.default_rng(9)
    label, score, _ = drawn(rng, (1, 1), lambda s: s, 20_000)
    schema = learned(label, score)
    before = counted(schema, *drawn(rng, (1, 1), lambda s: s, 5000))
    after = counted(schema, *drawn(rng, (1, 1), lambda s: 0.8 * s + 0.1, 5000))
    name = "estimated_accuracy_ratio"
    assert show(after, name) == pytest.approx(show(before, name), abs=0.02)
    lower, upper = estimate(before, "estimated_accuracy_gap_ratio").interval()
    assert lower < 0 < upper
    assert estimate(after, "estimated_accuracy_gap_ratio").interval()[0] > 0.02


def test_the_gap_is_over_labelled_events_alone():
    """Labels that come for the sure ones only make no gap."""
    rng = np.random.default_rng(11)
    label, score, _ = drawn(rng, (1, 1), lambda s: s, 20_000)
    schema = learned(label, score)
    label, score, predicted = drawn(rng, (1, 1), lambda s: s, 10_000)
    sure = np.abs(score - 0.5) > 0.4
    rows = Labels(
        sure.sum(),
        code=predicted[sure],
        label=label[sure],
        correct=(label == predicted)[sure],
        value=score[sure],
    )
    shown = window(schema, Predictions(10_000, code=predicted, value=score), rows)
    assert show(shown, "accuracy_ratio") - show(shown, "estimated_accuracy_ratio") > 0.15
    assert abs(show(shown, "estimated_accuracy_gap_ratio")) < 0.015
