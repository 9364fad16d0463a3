"""Five rolling metrics of River, an event at a time. Prints seconds an event."""

import json
import sys
import time

import numpy as np
from river import metrics, utils

rows = np.load(sys.argv[1])
scores, labels = rows["scores"].tolist(), rows["labels"].tolist()
kinds = metrics.Accuracy, metrics.Precision, metrics.Recall, metrics.F1
counted = [utils.Rolling(kind, window_size=len(scores)) for kind in kinds]
ranked = utils.Rolling(metrics.LogLoss, window_size=len(scores))
start = time.process_time()
for score, label in zip(scores, labels, strict=True):
    for one in counted:
        one.update(label, int(score >= 0.5))
    ranked.update(label, {0: 1 - score, 1: score})
print(json.dumps((time.process_time() - start) / len(scores)))
