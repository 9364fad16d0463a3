"""Two labelled streams, chunk by chunk, against what scikit-learn and DeLong's method say."""

import csv
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sklearn import metrics as sk

from exporter.edges import score_edges
from tests.metrics.build import binary, estimate, show

STREAMS = Path(__file__).parents[1] / "data" / "streams"
with (STREAMS / "sklearn_chunks.csv").open() as lines:
    CHUNKS = list(csv.DictReader(lines))

EXACT = {
    "accuracy": "accuracy_ratio",
    "precision": "precision_ratio",
    "recall": "recall_ratio",
    "f1": "f1_ratio",
    "mcc": "matthews_correlation",
    "balanced_accuracy": "balanced_accuracy_ratio",
    "brier": "brier_score",
    "ece10": "expected_calibration_error_ratio",
}


def columns(stream, part, rows=slice(None)):
    table = pq.read_table(STREAMS / stream / f"{part}.parquet")
    return [table[name].to_numpy()[rows] for name in ("y_true", "p_a", "pred_a")]


def chunk(answer):
    """Labels, scores and predictions of a chunk, under edges of the reference's first events."""
    stream = answer["dataset"].removesuffix("/a")
    _, before, _ = columns(stream, "reference")
    edges = score_edges(before[:1000], 0.5)
    if answer["chunk"] == "reference":
        return (*columns(stream, "reference"), edges)
    first, last = map(int, answer["chunk"].strip("[]").split(":"))
    return (*columns(stream, "analysis", slice(first, last + 1)), edges)


@pytest.mark.parametrize("answer", CHUNKS, ids=lambda one: f"{one['dataset']}{one['chunk']}")
def test_chunk(answer):
    label, score, predicted, edges = chunk(answer)
    window = binary(label, score, predicted, edges=edges)
    cells = show(window, "confusion_total")
    assert len(label) == int(answer["n"])
    assert cells["1", "1"] == int(answer["tp"])
    assert cells["0", "1"] == int(answer["fp"])
    never = not predicted.any()  # scikit-learn says 0 where 0 is divided by 0
    for column, name in EXACT.items():
        if never and column in {"precision", "mcc"}:
            assert show(window, name) is None
        else:
            assert show(window, name) == pytest.approx(float(answer[column]), abs=1e-6)
    assert show(window, "log_loss") == pytest.approx(sk.log_loss(label, score), abs=1e-6)

    auc, bound = estimate(window, "roc_auc_ratio"), show(window, "roc_auc_error_bound")
    assert abs(auc.value - float(answer["roc_auc"])) <= bound + 1e-9
    assert bound <= 0.01
    assert auc.error == pytest.approx(float(answer["auc_delong_se"]), rel=0.01)
    precision = float(answer["average_precision"])
    assert show(window, "average_precision_ratio") == pytest.approx(precision, abs=0.005)
    lower, upper = estimate(window, "accuracy_ratio").interval()
    assert lower == pytest.approx(float(answer["acc_wilson_lo"]), abs=1e-6)
    assert upper == pytest.approx(float(answer["acc_wilson_hi"]), abs=1e-6)


def test_all_chunks_are_there():
    assert len(CHUNKS) == 24


@pytest.mark.parametrize("stream", ["carloan", "housing"])
def test_panes_add_up_to_the_stream(stream):
    """The sum of windows is the window of the whole."""
    label, score, predicted = columns(stream, "analysis")
    edges = score_edges(score[:1000], 0.5)
    parts = [slice(start, start + 777) for start in range(0, len(label), 777)]
    windows = [binary(label[p], score[p], predicted[p], edges=edges) for p in parts]
    whole = binary(label, score, predicted, edges=edges)
    assert sum(one.vector for one in windows) == pytest.approx(whole.vector, rel=1e-9)
