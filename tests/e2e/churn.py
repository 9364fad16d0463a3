"""A model server for the tests: it answers batches, and logs each answer with modelmeter's client.

    python -m tests.e2e.churn PORT URL

Its model looks at `age` only, so that its scores do not change when another feature does.
"""

import json
import random
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from exporter.client import Client, timed

HOST = "127.0.0.1"
MODEL, VERSION = "churn", "7"
YOUNGEST, OLDEST = 18, 80

Row = dict[str, Any]


def customer(rng: random.Random, missing: float = 0.01) -> Row:
    """The features of somebody who asks; scores of many of them are uniform."""
    amount = None if rng.random() < missing else rng.gauss(50, 20)
    return {"age": rng.uniform(YOUNGEST, OLDEST), "amount": amount}


def score(row: Row) -> float:
    return float((row["age"] - YOUNGEST) / (OLDEST - YOUNGEST))


def truth(rng: random.Random, scored: float, quality: float = 0.95) -> int:
    """The label of a prediction that is right as often as `quality` says."""
    return int((scored >= 0.5) == (rng.random() < quality))


def main(port: int, url: str) -> None:
    client = Client(url, model=MODEL, version=VERSION, flush_seconds=0.1)

    def answer(row: Row) -> Row:
        name = uuid.uuid4().hex
        with timed():
            scored = score(row)
            client.log(id=name, score=scored, features=row)
        return {"id": name, "score": scored}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps([answer(row) for row in rows]).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer((HOST, port), Handler).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
