"""A model server that runs, and those who ask it and tell later what was true."""

import http.client
import random
import subprocess
import sys
import threading
from typing import Any

from tests.e2e.churn import MODEL, Row, customer, truth
from tests.web.support import Client, until

MANY = 10


class ModelServer(Client):
    """tests/e2e/churn.py in a process of its own, on the same port whenever it starts."""

    def __init__(self, port: int, meter: str) -> None:
        super().__init__(port)
        self._meter = meter
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "tests.e2e.churn", str(self.port), self._meter]
        self._process = subprocess.Popen(command)
        until(self._answers, "the model server")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def predict(self, rows: list[Row]) -> list[Row]:
        """Its answers; none where nobody is there to answer."""
        try:
            answers: list[Row] = self.post(rows, "/predict").json()
        except (OSError, http.client.HTTPException):
            return []
        return answers

    def _answers(self) -> bool:
        assert self._process.poll() is None
        try:
            return self.post([], "/predict").status == 200
        except OSError:
            return False


class Traffic:
    """Four batches a second, each with the labels of the one before; until it is closed."""

    def __init__(self, server: ModelServer, meter: Client) -> None:
        self._server = server
        self._meter = meter
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._random = random.Random(1)
        self.quality, self.missing, self.labelled = 0.95, 0.01, True
        self.unanswered = 0
        self.failed: BaseException | None = None

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        if self.failed:
            raise self.failed

    def _run(self) -> None:
        labels: list[dict[str, Any]] = []
        try:
            while not self._end.wait(0.25):
                if labels and self.labelled:
                    assert self._meter.post(labels).json()["rejected_total"] == 0
                labels = [self._label(one) for one in self._predictions()]
        except BaseException as error:
            self.failed = error

    def _predictions(self) -> list[Row]:
        rows = [customer(self._random, self.missing) for _ in range(MANY)]
        answers = self._server.predict(rows)
        self.unanswered += MANY - len(answers)
        return answers

    def _label(self, one: Row) -> dict[str, Any]:
        label = truth(self._random, one["score"], self.quality)
        return {"model": MODEL, "id": one["id"], "label": label}
